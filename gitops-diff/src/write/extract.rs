//! What a manager applied (`managedfields/extract.go`).

use serde_json::Value;

use super::apply::api_version;
use super::managed_fields;
use super::owners::Owners;
use super::prune::without_residue;
use crate::managed_fields::{ManagedFieldsError, Operation};
use crate::redact::Masker;
use crate::schema::Schema;
use crate::{Redaction, TypeRef, typed};

/// The part of an object that a manager owns, as a configuration that it could apply: `apiVersion`, `kind` and the fields
/// of its entry; `None` if it has no entry.
///
/// Items of keyed lists come with their keys, and the object with its name and namespace, which nobody owns. The values
/// are those that the object has now.
pub fn extract(
    object: &Value,
    manager: &str,
    operation: Operation,
    subresource: &str,
    schema: &(impl Schema + ?Sized),
) -> Result<Option<Value>, ManagedFieldsError> {
    let ty = schema.type_or_deduced(&TypeRef::of(object));
    let mut owners = Owners::read(managed_fields(object), api_version(object), ty, None)
        .map_err(|error| error.masked(&Masker::new(&Redaction::default(), &[object])))?;
    let found = owners.list.iter_mut().find(|owner| {
        owner.manager == manager && owner.operation == operation && owner.subresource == subresource
    });
    let Some(owner) = found else { return Ok(None) };
    let mut extracted = typed::extract(object, &owner.fields().leaves(), ty, true);
    without_residue(&mut extracted, object);
    if !extracted.is_object() {
        extracted = Value::Object(serde_json::Map::new());
    }
    for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"], &["metadata", "namespace"]] {
        let path = crate::FieldPath::of_fields(path.iter().copied());
        if let Some(value) = path.get(object) {
            path.set(&mut extracted, value.clone());
        }
    }
    Ok(Some(extracted))
}
