//! Strategic merge patch: Kubernetes' own merge patch, which knows which lists are merged by key.
//!
//! - [`apply`] merges a patch into an object, as the API server does.
//! - [`create`] makes the patch that turns one object into another.
//! - [`three_way`] makes the patch that `kubectl apply` sends: what is desired and differs in the live object, and what was
//!   last applied and is desired no more. What others added to the live object stays.
//!
//! Use it for built-in kinds and the objects people patch by hand; custom kinds have no strategic merge on the server, use
//! [`merge_patch`](crate::merge_patch) for them. [`crate::three_way`] chooses as `kubectl` does, and explains the outcome.
//!
//! Results are those of the reference implementation, `k8s.io/apimachinery/pkg/util/strategicpatch`, to the letter: the
//! order of lists, and what it leaves behind of directives. [`StrategicOptions::clean`] asks for a tidier result.
//!
//! ```
//! use gitops_diff::TypeRef;
//! use gitops_diff::schema::{FieldSpec, ListSpec, MapSpec, Patch, Scalar, Schema, TypeGraph, TypeSpec};
//! use gitops_diff::strategic::{self, StrategicOptions};
//! use serde_json::json;
//!
//! // A kind with one list, whose items are told apart by their names.
//! let mut builder = TypeGraph::builder();
//! let text = builder.add(TypeSpec::scalar(Scalar::String));
//! let named = |fields: &[(&str, _)]| {
//!     TypeSpec::map(MapSpec { fields: fields.iter().map(|(n, t)| FieldSpec::new(*n, *t)).collect(), ..MapSpec::default() })
//! };
//! let container = builder.add(named(&[("name", text), ("image", text)]));
//! let containers = builder.add(TypeSpec::list(ListSpec::Atomic(container)));
//! let mut pod = named(&[("containers", containers)]);
//! if let Some(map) = &mut pod.map {
//!     map.fields[0].patch = Patch { merge: true, merge_key: Some("name".into()), ..Patch::default() };
//! }
//! let pod = builder.add(pod);
//! let graph = builder.build()?;
//! let ty = graph.get(pod).ok_or("no type")?;
//!
//! let live = json!({"containers": [{"name": "web", "image": "web:1"}, {"name": "injected", "image": "mesh:1"}]});
//! let last_applied = json!({"containers": [{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}]});
//! let desired = json!({"containers": [{"name": "web", "image": "web:2"}]});
//!
//! let options = StrategicOptions::default();
//! let patch = strategic::three_way(&last_applied, &desired, &live, ty, &options)?;
//! assert_eq!(patch, json!({
//!     "$setElementOrder/containers": [{"name": "web"}],
//!     "containers": [{"name": "web", "image": "web:2"}, {"name": "log", "$patch": "delete"}],
//! }));
//! let merged = strategic::apply(&live, &patch, ty, &options)?;
//! assert_eq!(
//!     merged,
//!     json!({"containers": [{"name": "web", "image": "web:2"}, {"name": "injected", "image": "mesh:1"}]})
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where the reference has no one answer
//!
//! Go's maps have no order, so that a patch which both adds a value to a list and takes it out again
//! (`$deleteFromPrimitiveList`) has one of two results there; here values are taken out first. Of several errors any can be
//! the one reported. Where the reference panics, there is an error here (class `panic`).

mod aligned;
mod apply;
mod clean;
mod conflict;
mod create;
mod error;
pub(crate) mod go;
mod keyed;
mod lists;
mod lookup;
mod merge;
mod options;
mod order;
mod settled;
mod sort;
mod three_way;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use self::apply::{Merger, Target};
use self::create::Differ;
pub use self::error::{StrategicError, StrategicErrorReason};
pub(crate) use self::lookup::Lookup;
pub(crate) use self::options::touches;
pub use self::options::{StrategicOptions, TypeSource};
use crate::schema::Type;

const DIRECTIVE: &str = "$patch";
const DELETE: &str = "delete";
const REPLACE: &str = "replace";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";

/// Merges `patch` into `original`.
///
/// The patch may hold directives: `$patch: replace` and `delete`, `$retainKeys`, `$setElementOrder/FIELD` and
/// `$deleteFromPrimitiveList/FIELD`. A null takes a field away. A null in place of an object counts as an empty one.
///
/// Upstream: `strategicpatch/patch.go`, `StrategicMergePatch`.
pub fn apply(
    original: &Value,
    patch: &Value,
    ty: Type<'_>,
    options: &StrategicOptions,
) -> Result<Value, StrategicError> {
    apply_owned(original.clone(), patch.clone(), ty, options)
}

/// As [`apply`], without copying: what does not change is moved.
pub fn apply_owned(
    original: Value,
    patch: Value,
    ty: Type<'_>,
    options: &StrategicOptions,
) -> Result<Value, StrategicError> {
    let into = if options.clean { Target::CleanObject } else { Target::Object };
    let merger = Merger { lookup: Lookup::new(options), into };
    merger.maps(owned(original)?, owned(patch)?, ty).map(Value::Object)
}

/// The patch that makes `modified` out of `original`; an empty map if there is nothing to do.
///
/// Not every patch that is not empty changes something: maps with the strategy `replace` are always in it, and so is the
/// order of a set that the original does not have sorted. Some changes cannot be expressed: an empty list, or a null, that
/// only `modified` has; items of which two have one key.
///
/// Upstream: `strategicpatch/patch.go`, `CreateTwoWayMergePatch`.
pub fn create(
    original: &Value,
    modified: &Value,
    ty: Type<'_>,
    options: &StrategicOptions,
) -> Result<Value, StrategicError> {
    let nothing = Map::new();
    let original = object_or_null(original)?.unwrap_or(&nothing);
    let modified = object_or_null(modified)?.unwrap_or(&nothing);
    let differ = Differ { lookup: Lookup::new(options), order: true, changes: true, deletions: true };
    let patch = differ.maps(original, modified, ty, false)?;
    options.check(&patch)?;
    Ok(Value::Object(patch))
}

/// The patch for `live` that brings in what is desired and takes out what was last applied and is desired no more.
///
/// An empty map means that nothing is to be done; the reverse does not hold, see [`create`]. With
/// [`overwrite`](StrategicOptions::overwrite) off, fields that the live object has changed since in another way are an
/// error.
///
/// Upstream: `strategicpatch/patch.go`, `CreateThreeWayMergePatch`.
pub fn three_way(
    last_applied: &Value,
    desired: &Value,
    live: &Value,
    ty: Type<'_>,
    options: &StrategicOptions,
) -> Result<Value, StrategicError> {
    three_way::three_way(last_applied, desired, live, ty, options).map(Value::Object)
}

fn owned(value: Value) -> Result<Map<String, Value>, StrategicError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(StrategicErrorReason::NotAnObject.into()),
    }
}

fn object_or_null(value: &Value) -> Result<Option<&Map<String, Value>>, StrategicError> {
    match value {
        Value::Object(map) => Ok(Some(map)),
        Value::Null => Ok(None),
        _ => Err(StrategicErrorReason::NotAnObject.into()),
    }
}
