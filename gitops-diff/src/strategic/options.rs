//! How to merge.

use serde_json::{Map, Value};

use super::error::{Reason, StrategicError};
use crate::schema::UnknownFields;
use crate::{FieldPath, PathElement};

/// How to merge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StrategicOptions {
    /// What to do about fields that the schema does not have; by default they are merged as what they look like.
    pub unknown_fields: UnknownFields,
    /// Whose reading of the schema is followed; that of Go types by default.
    pub type_source: TypeSource,
    /// Whether [`apply`](super::apply) leaves out what the reference leaves behind in a result: nulls and directives of
    /// what the patch adds as a whole. Off by default.
    ///
    /// With it, what is added is as it would be had it been merged into an empty object; a map with `$patch: replace` is
    /// added as well, where the reference drops it.
    pub clean: bool,
    /// Whether a [three-way merge](super::three_way) may undo changes of the live object; it may by default.
    pub overwrite: bool,
    /// Fields that a patch that is made must not touch: the paths through maps of fields that have to stay. None by default.
    pub preconditions: Vec<FieldPath>,
}

/// Whose reading of a schema is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TypeSource {
    /// That of Go types, as in the API server: the case of field names does not count, and merging lists where the schema
    /// has none is an error if unknown fields are.
    #[default]
    GoTypes,
    /// That of OpenAPI documents, as in `kubectl`: field names are exact, and lists may be anywhere.
    OpenApi,
}

impl Default for StrategicOptions {
    fn default() -> Self {
        Self {
            unknown_fields: UnknownFields::default(),
            type_source: TypeSource::default(),
            clean: false,
            overwrite: true,
            preconditions: Vec::new(),
        }
    }
}

impl StrategicOptions {
    /// Does otherwise about unknown fields.
    #[must_use]
    pub fn with_unknown_fields(mut self, unknown: UnknownFields) -> Self {
        self.unknown_fields = unknown;
        self
    }

    /// Follows another reading of the schema.
    #[must_use]
    pub fn with_type_source(mut self, source: TypeSource) -> Self {
        self.type_source = source;
        self
    }

    /// Asks for results without what directives leave behind, or not.
    #[must_use]
    pub fn with_clean(mut self, clean: bool) -> Self {
        self.clean = clean;
        self
    }

    /// Allows undoing changes of the live object, or not.
    #[must_use]
    pub fn with_overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Refuses to make a patch that touches this field.
    #[must_use]
    pub fn with_precondition(mut self, path: FieldPath) -> Self {
        self.preconditions.push(path);
        self
    }

    /// Fails if a patch touches a field that must stay.
    pub(super) fn check(&self, patch: &Map<String, Value>) -> Result<(), StrategicError> {
        match self.preconditions.iter().find(|field| touches(patch, field)) {
            None => Ok(()),
            Some(field) => Err(StrategicError { path: field.clone(), reason: Reason::Precondition }),
        }
    }
}

/// Whether a patch has anything at a path; a patch that takes away more than that does not count.
///
/// Upstream: `mergepatch.RequireKeyUnchanged` and `RequireMetadataKeyUnchanged`.
pub(crate) fn touches(patch: &Map<String, Value>, field: &FieldPath) -> bool {
    let Some((first, rest)) = field.elements().split_first() else { return !patch.is_empty() };
    let PathElement::Field(name) = first else { return false };
    let first = patch.get(&**name);
    rest.iter().fold(first, |at, element| at.and_then(|at| element.of(at))).is_some()
}
