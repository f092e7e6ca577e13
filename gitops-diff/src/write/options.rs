//! How to write.

use crate::Redaction;
use crate::schema::UnknownFields;

/// Who writes, and how: for [`apply`](crate::apply()) and [`update`](crate::update()).
///
/// ```
/// use gitops_diff::WriteOptions;
///
/// let options = WriteOptions::new("gitops").with_force(true).with_time("2026-01-01T00:00:00Z");
/// assert_eq!(options.manager, "gitops");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// The field manager.
    pub manager: String,
    /// The subresource that is written, such as `status`; empty for the object itself.
    pub subresource: String,
    /// What managedFields entries that change are stamped with, in RFC 3339; without one they have no time.
    pub time: Option<String>,
    /// Whether an apply takes over what others own with other values.
    pub force: bool,
    /// What to do about fields that the schema does not have. [`UnknownFields::Refuse`] also demands that the live
    /// object fits the schema.
    pub unknown_fields: UnknownFields,
    /// Whether objects without any managedFields are treated as the API server treats them: an apply gives all that is
    /// there to the manager `before-first-apply`, and an update of a live object (one with a `metadata.uid`) tracks
    /// nothing. Without it, nobody owns what is there: tools often show objects without their managedFields.
    pub before_first_apply: bool,
    /// Whether an apply cleans up what the reference implementation leaves to the API server: nulls of a configuration
    /// state nothing, and maps and lists that lose all they have go, instead of becoming null.
    pub clean: bool,
    /// What the paths in errors must not tell; the values of Secrets by default.
    pub redact: Redaction,
}

impl WriteOptions {
    /// A write by a field manager.
    pub fn new(manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), ..Self::default() }
    }

    /// Writes a subresource.
    #[must_use]
    pub fn with_subresource(mut self, subresource: impl Into<String>) -> Self {
        self.subresource = subresource.into();
        self
    }

    /// Stamps entries that change with this time, in RFC 3339.
    #[must_use]
    pub fn with_time(mut self, time: impl Into<String>) -> Self {
        self.time = Some(time.into());
        self
    }

    /// Takes over what others own with other values, or refuses to.
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Refuses fields that the schema does not have, or takes them for values of any kind.
    #[must_use]
    pub fn with_unknown_fields(mut self, unknown_fields: UnknownFields) -> Self {
        self.unknown_fields = unknown_fields;
        self
    }

    /// Treats objects without any managedFields as the API server does, or as nobody's.
    #[must_use]
    pub fn with_before_first_apply(mut self, before_first_apply: bool) -> Self {
        self.before_first_apply = before_first_apply;
        self
    }

    /// Cleans up what the reference implementation leaves to the API server, or not.
    #[must_use]
    pub fn with_clean(mut self, clean: bool) -> Self {
        self.clean = clean;
        self
    }

    /// Masks otherwise what the paths in errors tell.
    #[must_use]
    pub fn with_redaction(mut self, redact: Redaction) -> Self {
        self.redact = redact;
        self
    }
}
