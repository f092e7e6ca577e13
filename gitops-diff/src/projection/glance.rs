//! Whether anything of ours changed, from the bytes of an object.

use serde_json::Value;

use super::compiled::{Compiled, Read};
use super::entry::apply_entry;
use super::tape::Tape;
use super::tree::{Tree, field, text};
use super::{Fingerprint, hash};
use crate::schema::Schema;
use crate::{FieldSetError, TypeRef};

/// What can be told of an object at a glance: which object it is, and whether what a manager applied is still as it was.
///
/// [`of_json`](Self::of_json) takes it from the text of a watch event, for a fraction of what it takes to parse it: the
/// managed fields of other managers and the status are passed over, and no tree is made. Remember the
/// [`fingerprint`](Self::fingerprint) of each apply's answer; as long as a watch shows the same, there is nothing to do
/// for the fields that were applied.
///
/// ```
/// use gitops_diff::Glance;
/// use gitops_diff::schema::BuiltIn;
///
/// let event = |image: &str, replicas: u32| format!(r#"{{
///     "kind": "Deployment", "apiVersion": "apps/v1",
///     "metadata": {{"name": "web", "uid": "u-1", "resourceVersion": "7", "managedFields": [
///         {{"manager": "gitops", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
///          "fieldsV1": {{"f:spec": {{"f:template": {{"f:spec": {{"f:containers":
///              {{"k:{{\\"name\\":\\"web\\"}}": {{".": {{}}, "f:name": {{}}, "f:image": {{}}}}}}}}}}}}}}}},
///         {{"manager": "autoscaler", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
///          "fieldsV1": {{"f:spec": {{"f:replicas": {{}}}}}}}}
///     ]}},
///     "spec": {{"replicas": {replicas}, "template": {{"spec": {{"containers": [{{"name": "web", "image": "{image}"}}]}}}}}},
///     "status": {{"readyReplicas": {replicas}}}
/// }}"#);
///
/// let applied = event("web:1", 2);
/// let applied = Glance::of_json(applied.as_bytes(), "gitops", &BuiltIn)?.fingerprint;
/// let scaled = event("web:1", 9);
/// let glance = Glance::of_json(scaled.as_bytes(), "gitops", &BuiltIn)?;
/// assert!(glance.fingerprint == applied && glance.resource_version == "7", "somebody else's business");
/// let drifted = event("web:hacked", 9);
/// assert_ne!(Glance::of_json(drifted.as_bytes(), "gitops", &BuiltIn)?.fingerprint, applied);
/// # Ok::<(), gitops_diff::GlanceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Glance {
    /// `metadata.uid`; empty if there is none.
    pub uid: String,
    /// `metadata.resourceVersion`; empty if there is none.
    pub resource_version: String,
    /// The hash of the fields that the manager applied, as they are in this object. None if it has applied nothing, or at
    /// another API version than the object is in.
    pub fingerprint: Option<Fingerprint>,
}

/// An object that cannot be judged at a glance. Whoever meets this had better look closer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GlanceError {
    /// It is no JSON.
    #[error("an object that is no JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// What the manager owns cannot be read.
    #[error("metadata.managedFields, manager {manager:?}: {source}")]
    Fields {
        /// The manager.
        manager: String,
        /// What is wrong.
        source: FieldSetError,
    },
}

impl Glance {
    /// From the text of an object.
    ///
    /// The outcome is that of [`of`](Self::of) on the parsed text. Only what is passed over may hold what a parser would
    /// refuse: a number beyond every float, half of a surrogate pair, or more than 128 levels.
    pub fn of_json(json: &[u8], manager: &str, schema: &dyn Schema) -> Result<Self, GlanceError> {
        let json =
            str::from_utf8(json).map_err(|error| GlanceError::Json(serde::de::Error::custom(error)))?;
        let tape = Tape::of_object(json, manager).map_err(GlanceError::Json)?;
        glance(tape.root(), manager, schema)
    }

    /// From an object that was parsed already.
    pub fn of(object: &Value, manager: &str, schema: &dyn Schema) -> Result<Self, GlanceError> {
        glance(object, manager, schema)
    }
}

fn glance<'t, T: Tree<'t>>(object: T, manager: &str, schema: &dyn Schema) -> Result<Glance, GlanceError> {
    let metadata = field(object, "metadata");
    let of_metadata = |name| metadata.and_then(|m| text(m, name)).unwrap_or_default().to_owned();
    Ok(Glance {
        uid: of_metadata("uid"),
        resource_version: of_metadata("resourceVersion"),
        fingerprint: fingerprint(object, manager, schema)
            .map_err(|source| GlanceError::Fields { manager: manager.to_owned(), source })?,
    })
}

fn fingerprint<'t, T: Tree<'t>>(
    object: T,
    manager: &str,
    schema: &dyn Schema,
) -> Result<Option<Fingerprint>, FieldSetError> {
    let Some(entry) = apply_entry(object, manager) else { return Ok(None) };
    let api_version = text(object, "apiVersion").unwrap_or_default();
    if text(entry, "apiVersion") != Some(api_version) {
        return Ok(None);
    }
    let Some(fields) = field(entry, "fieldsV1") else { return Ok(None) };
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = text(object, "kind").unwrap_or_default();
    let ty = schema.type_or_deduced(&TypeRef { group, version, kind });
    Ok(Some(match Compiled::of_fields_v1(fields)? {
        Read::Compiled(set) => hash::fingerprint(&set, object, ty),
        Read::Set(set) => hash::fingerprint(&Compiled::of(&set), object, ty),
    }))
}
