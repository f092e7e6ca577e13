//! Merges, differences and field ownership of Kubernetes-style object trees: pure, no I/O, no async, no clock.
//!
//! The trees are [`serde_json::Value`]s. Nothing here panics, on any input; recursion goes as deep as the tree does, so
//! trees from outside should be read with a depth limit (`serde_json` has one, 128). Results equal those of Kubernetes' own
//! implementations in Go, which the tests of this crate run beside it.
//!
//! # Which merge, when
//!
//! | you have | and want to know | take |
//! |---|---|---|
//! | what Git states, what is live | what drifted | [`compare`]; with who owns what, [`judge`] |
//! | a configuration, a live object | what server-side apply makes of it | [`apply`] |
//! | last applied, desired, live | what `kubectl apply` does | [`three_way::as_kubectl`] |
//! | desired, live with its `managedFields` | the same, remembered by the API server | [`three_way::structured`] |
//! | a change of a built-in kind | the patch, lists merged by key | [`strategic`] |
//! | a change of a custom kind, or of any JSON | the patch, lists as one value (RFC 7386) | [`merge_patch`] |
//! | a change of any JSON | the steps, one by one (RFC 6902) | `patch` |
//! | the bytes of a watch event | whether anything of ours changed | [`Glance`] |
//!
//! Drift, with the name of who caused it; other spellings, defaults and what Git does not state are none:
//!
//! ```
//! # use gitops_diff::{DiffOptions, compare, schema::BuiltIn};
//! # use serde_json::json;
//! # let deployment = |spec| json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec});
//! let git = deployment(json!({"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": 1}}}));
//! let mut live = deployment(json!({"replicas": 5, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}));
//! live["metadata"] = json!({"managedFields": [
//!     {"manager": "autoscaler", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
//! ]});
//! let drift = compare(&git, &live, &BuiltIn, &DiffOptions::default());
//! assert_eq!(drift[0].to_string(), r#".spec.replicas  Git 3, live 5, by "autoscaler""#);
//! assert_eq!(drift.len(), 1);
//! ```
//!
//! Server-side apply: what a manager no longer states goes, what others own stays, and what both state is a conflict:
//!
//! ```
//! # use gitops_diff::{ApplyError, WriteOptions, apply, extract, schema::BuiltIn};
//! # use serde_json::json;
//! # let config = |data| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
//! let (shop, ops) = (WriteOptions::new("shop"), WriteOptions::new("ops"));
//! let live = apply(None, &config(json!({"a": "1", "b": "1"})), &BuiltIn, &shop)?.object;
//! let live = apply(Some(&live), &config(json!({"c": "1"})), &BuiltIn, &ops)?.object.into_owned();
//! let conflict = apply(Some(&live), &config(json!({"a": "2"})), &BuiltIn, &ops).unwrap_err();
//! assert_eq!(conflict.to_string(), r#"1 conflict(s) with other field managers: .data.a is owned by "shop""#);
//! let next = apply(Some(&live), &config(json!({"a": "1"})), &BuiltIn, &shop)?.object;
//! assert_eq!(next["data"], json!({"a": "1", "c": "1"}));
//! # Ok::<(), ApplyError>(())
//! ```
//!
//! The three-way merge of `kubectl apply`, with an account of every field:
//!
//! ```
//! # use gitops_diff::{schema::BuiltIn, three_way::{self, ThreeWayOptions}};
//! # use serde_json::json;
//! # let pod = |containers| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}});
//! let last_applied = pod(json!([{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}]));
//! let desired = pod(json!([{"name": "web", "image": "web:2"}]));
//! let live = pod(json!([
//!     {"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}, {"name": "injected", "image": "mesh:1"},
//! ]));
//! let merge = three_way::as_kubectl(&last_applied, &desired, &live, &BuiltIn, &ThreeWayOptions::default())?;
//! assert_eq!(merge.merged, pod(json!([{"name": "web", "image": "web:2"}, {"name": "injected", "image": "mesh:1"}])));
//! assert_eq!(
//!     merge.fields.iter().map(|field| field.to_string()).collect::<Vec<_>>()[1],
//!     r#".spec.containers[name="web"].image  last applied "web:1", Git "web:2", live "web:1": changed in Git"#,
//! );
//! # Ok::<(), three_way::ThreeWayError>(())
//! ```
//!
//! Patches, of three sorts:
//!
//! ```
//! # use gitops_diff::{TypeRef, merge_patch, schema::{BuiltIn, Schema}, strategic::{self, StrategicOptions}};
//! # use serde_json::json;
//! let from = json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}});
//! let to = json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]}});
//!
//! let pod = BuiltIn.type_or_deduced(&TypeRef { group: "", version: "v1", kind: "Pod" });
//! assert_eq!(strategic::create(&from, &to, pod, &StrategicOptions::default())?, json!({"spec": {
//!     "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
//!     "containers": [{"name": "b", "image": "b:2"}],
//! }}));
//! assert_eq!(merge_patch::create(&from, &to), to, "all of the list");
//! # #[cfg(feature = "json-patch")]
//! assert_eq!(
//!     serde_json::to_value(gitops_diff::patch::create(&from, &to))?,
//!     json!([{"op": "replace", "path": "/spec/containers/1/image", "value": "b:2"}])
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What they are made of
//!
//! - [`schema`]: which lists have keys, which maps are one value, what a text means. [`schema::BuiltIn`] knows the kinds of
//!   Kubernetes 1.36; others are read from OpenAPI documents and CRDs; what is unknown is deduced, and never an error.
//! - [`FieldPath`] says where a field is; [`FieldSet`] is a set of them, as in [`ManagedFields`]. A set
//!   [projects](FieldSet::project) an object onto its fields, and its [fingerprint](FieldSet::fingerprint) tells whether
//!   any of them changed.
//! - [`typed`]: the operations of structured-merge-diff, of which [`apply`], [`update`] and [`extract`] are made.
//! - [`IgnoreRules`] leave fields to others, when comparing and when applying.
//! - [`diff`] finds every field in which two trees differ. A [`Difference`] prints as one line, in colour if wanted; `unified` and
//!   `yaml` write text for people.
//! - [`Redaction`] masks what must not be shown. Everything that prints is made of [`Redacted`] trees, which it makes.
//!
//! # Features
//!
//! - `jq`: ignore rules as [jq expressions](JqPath); without it they cannot be read.
//! - `json-patch` (default): the `patch` module.
//! - `text` (default): `unified` and `yaml`.
//!
//! # Order of lists
//!
//! The order of keyed lists and of sets counts for [`diff`], which reports items that [moved](DifferenceKind::Moved), and
//! neither for [`compare`] nor for a fingerprint: an API server merges such lists without regard to it. The order of atomic
//! lists always counts. So a re-ordering of init containers by hand, which changes what a Pod does, is not seen as drift.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg_attr(not(feature = "json-patch"), allow(dead_code, reason = "shared with the patch module"))]
mod align;
mod base64;
mod canonical;
mod compare;
mod difference;
mod field_set;
mod go_json;
mod ignore;
mod item_key;
mod managed_fields;
pub mod merge_patch;
mod nodes;
mod nulls;
#[cfg(feature = "json-patch")]
pub mod patch;
mod path;
mod path_index;
mod path_text;
mod projection;
mod quantity;
mod redact;
pub mod schema;
mod secret;
pub mod strategic;
#[cfg(test)]
mod testing;
mod text;
pub mod three_way;
mod type_ref;
pub mod typed;
#[cfg(feature = "text")]
mod unified;
mod verdict;
mod write;
mod zero;

pub use crate::compare::{DiffOptions, SERVER_METADATA, compare, diff};
pub use crate::difference::{Cause, Difference, DifferenceDisplay, DifferenceKind, Shown};
pub use crate::field_set::{FieldSet, FieldSetError};
pub use crate::ignore::{Budget, IgnoreRule, IgnoreRules, JqError, JqPath, JqRunError, JsonPointer, Subject};
pub use crate::item_key::ItemKey;
pub use crate::managed_fields::{ManagedFields, ManagedFieldsEntry, ManagedFieldsError, Operation};
pub use crate::nulls::drop_nulls;
pub use crate::path::{FieldPath, PathElement};
pub use crate::path_text::PathError;
pub use crate::projection::{Fingerprint, FingerprintError, Glance, GlanceError};
pub use crate::quantity::{Quantity, QuantityError};
pub use crate::redact::{Redacted, Redaction};
pub use crate::secret::stored_secret;
pub use crate::type_ref::TypeRef;
#[cfg(feature = "text")]
pub use crate::unified::{UnifiedOptions, unified, yaml};
pub use crate::verdict::{Applier, LastApply, Verdict, is_dropped, judge};
pub use crate::write::{Applied, ApplyError, Conflict, WriteOptions, apply, extract, update};
pub use crate::zero::is_zero;
