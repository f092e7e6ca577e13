//! Differences, field ownership and redaction for Kubernetes-style object trees: pure, no I/O, no async, no clock.
//!
//! The trees are [`serde_json::Value`]s. Nothing here panics, on any input; recursion goes as deep as the tree does, so
//! trees from outside should be read with a depth limit (`serde_json` has one, 128).
//!
//! - [`diff`] finds every field in which two trees differ, [`compare`] finds drift: what one tree states and the other has
//!   otherwise. Both give [`Difference`]s, which print as one line and hold no value of a Secret.
//! - [`judge`] decides about an object: in sync, differing, overruled, or unsure. [`IgnoreRules`] leave fields to others.
//! - [`FieldPath`] says where a field is; [`FieldSet`] is a set of them, as in [`ManagedFields`]. A set
//!   [projects](FieldSet::project) an object onto its fields, and its [fingerprint](FieldSet::fingerprint) tells whether
//!   any of them changed. A [`Glance`] finds that out from the bytes of a watch event, without parsing them.
//! - [`apply`] and [`update`] do what an API server does with a write: merge, conflicts, ownership; [`extract`] says what
//!   a manager applied. They are made of the operations of [`typed`].
//! - [`strategic`] and [`merge_patch`] are Kubernetes' merge patches, [`three_way`] is the merge of `kubectl apply`.
//! - `patch` makes and applies JSON Patches; `unified` and `yaml` write text for people.
//! - [`Redaction`] masks what must not be shown. Everything that prints is made of [`Redacted`] trees, which it makes.
//!
//! ```
//! use gitops_diff::{DiffOptions, ManagedFields, Operation, WriteOptions, apply, compare, schema::BuiltIn, update};
//! use serde_json::json;
//!
//! // Apply what Git says, and remember what our fields looked like.
//! let git = json!({
//!     "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
//!     "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
//! });
//! let gitops = WriteOptions::new("gitops").with_time("2026-01-01T00:00:00Z");
//! let live = apply(None, &git, &BuiltIn, &gitops)?.object;
//! let ours = |object| {
//!     let managed = ManagedFields::of(object).unwrap_or_default();
//!     let fields = managed.by_manager("gitops", Operation::Apply).map(|e| e.fields.clone()).unwrap_or_default();
//!     fields.fingerprint(object)
//! };
//! let applied = ours(&live);
//!
//! // Somebody adds a label: not our business. Somebody scales: drift, and it is known who did it.
//! let mut labelled = live.clone().into_owned();
//! labelled["metadata"]["labels"] = json!({"team": "shop"});
//! let labelled = update(Some(&live), &labelled, &BuiltIn, &WriteOptions::new("kubectl-label"))?.object;
//! assert_eq!(ours(&labelled), applied);
//!
//! let mut scaled = labelled.clone().into_owned();
//! scaled["spec"]["replicas"] = json!(2);
//! let scaled = update(Some(&labelled), &scaled, &BuiltIn, &WriteOptions::new("kubectl-scale"))?.object;
//! assert_ne!(ours(&scaled), applied);
//! let drift = compare(&git, &scaled, &BuiltIn, &DiffOptions::default());
//! assert_eq!(drift[0].to_string(), r#".spec.replicas  Git 3, live 2, by "kubectl-scale""#);
//!
//! // Applying again puts it back, and leaves the label.
//! let healed = apply(Some(&scaled), &git, &BuiltIn, &gitops.with_force(true))?.object;
//! assert_eq!(ours(&healed), applied);
//! assert_eq!(healed["metadata"]["labels"]["team"], "shop");
//! # Ok::<(), gitops_diff::ApplyError>(())
//! ```
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
#[cfg(feature = "json-patch")]
pub mod patch;
mod path;
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

pub use crate::compare::{DiffOptions, SERVER_METADATA, compare, diff};
pub use crate::difference::{Cause, Difference, DifferenceKind, Shown};
pub use crate::field_set::{FieldSet, FieldSetError};
pub use crate::ignore::{Budget, IgnoreRule, IgnoreRules, JqError, JqPath, JqRunError, JsonPointer, Subject};
pub use crate::item_key::ItemKey;
pub use crate::managed_fields::{ManagedFields, ManagedFieldsEntry, ManagedFieldsError, Operation};
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
