//! Server-side apply and the tracking of updates, offline: what an API server does with a write, as far as fields and
//! their owners go. It defaults nothing and validates no values: the server does that after merging.

mod apply;
mod extract;
mod options;
mod owners;
mod prune;
mod time;
mod update;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

pub use self::apply::apply;
pub use self::extract::extract;
pub use self::options::WriteOptions;
pub use self::update::update;
use crate::managed_fields::{ManagedFieldsError, Operation};
use crate::redact::Masker;
use crate::text::json_text;
use crate::typed::Invalid;
use crate::{FieldPath, Redaction};

/// What came of a write.
///
/// `object` holds the values themselves, those of Secrets included; `Debug` does not print it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Applied<'l> {
    /// The object with its `metadata.managedFields` brought up to date. Borrowed where it is the live one to the letter,
    /// times included.
    pub object: Cow<'l, Value>,
    /// Whether it is another than the live one. Who owns what may have changed although no value did.
    pub changed: bool,
    /// Whether any value outside `metadata.managedFields` is another than before.
    pub values_changed: bool,
}

impl fmt::Debug for Applied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied")
            .field("changed", &self.changed)
            .field("values_changed", &self.values_changed)
            .finish_non_exhaustive()
    }
}

/// A field that somebody else owns with another value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conflict {
    /// Who.
    pub manager: String,
    /// How it came to own the field.
    pub operation: Operation,
    /// The API version that it wrote; it tells apart only the entries of updates.
    pub api_version: Option<String>,
    /// The subresource that it wrote; empty for the object itself.
    pub subresource: String,
    /// Which field.
    pub path: FieldPath,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is owned by {}", self.path, json_text(&Value::from(self.manager.as_str())))?;
        if !self.subresource.is_empty() {
            write!(f, " through {}", json_text(&Value::from(self.subresource.as_str())))?;
        }
        Ok(())
    }
}

/// A write that is refused. The live object stays as it is.
///
/// The paths in it have masks for what [`WriteOptions::redact`] masks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Fields belong to others, with other values: take them over by force, or stop stating them.
    #[error("{} conflict(s) with other field managers: {}", .0.len(), list(.0))]
    Conflicts(Vec<Conflict>),
    /// What is written is no map.
    #[error("the object to write is no map")]
    NotAnObject,
    /// A configuration brings `metadata.managedFields` along, which only the API server writes: take them out.
    #[error("metadata.managedFields cannot be applied: leave them out")]
    StatesManagedFields,
    /// What is written does not fit the schema.
    #[error("it does not fit the schema: {0}")]
    Invalid(Invalid),
    /// The live object does not fit the schema.
    #[error("the live object does not fit the schema: {0}")]
    LiveInvalid(Invalid),
    /// The live object's managedFields cannot be read.
    #[error("the live object: {0}")]
    ManagedFields(#[from] ManagedFieldsError),
}

impl ApplyError {
    /// The same, without what must not be told of the objects.
    fn redacted(self, redact: &Redaction, live: Option<&Value>, written: &Value) -> Self {
        let versions: Vec<_> = live.into_iter().chain([written]).collect();
        let masker = Masker::new(redact, &versions);
        if masker.shows_all() {
            return self;
        }
        match self {
            Self::Conflicts(mut conflicts) => {
                for conflict in &mut conflicts {
                    conflict.path = masker.way_to(std::mem::take(&mut conflict.path));
                }
                conflicts.sort();
                conflicts.dedup();
                Self::Conflicts(conflicts)
            }
            Self::Invalid(invalid) => Self::Invalid(invalid.masked(&masker)),
            Self::LiveInvalid(invalid) => Self::LiveInvalid(invalid.masked(&masker)),
            Self::ManagedFields(error) => Self::ManagedFields(error.masked(&masker)),
            Self::NotAnObject | Self::StatesManagedFields => self,
        }
    }
}

fn list(conflicts: &[Conflict]) -> String {
    let shown: Vec<_> = conflicts.iter().take(5).map(ToString::to_string).collect();
    let more = if conflicts.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The value of an object's `metadata.managedFields`.
fn managed_fields(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

/// A copy of an object without its `metadata.managedFields`.
pub(crate) fn without_managed_fields(object: &Value) -> Value {
    let Value::Object(fields) = object else { return object.clone() };
    let copy = |name: &String, value: &Value| match value {
        Value::Object(metadata) if name == "metadata" => {
            let kept = metadata.iter().filter(|(name, _)| *name != "managedFields");
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        _ => value.clone(),
    };
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), copy(name, value))).collect())
}

/// Puts `metadata.managedFields` into an object; takes them out where there are no entries.
fn set_managed_fields(object: &mut Value, entries: Vec<Value>) {
    let Value::Object(fields) = object else { return };
    if entries.is_empty() {
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        return;
    }
    let metadata = fields.entry("metadata").or_insert(Value::Null);
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
}

#[cfg(test)]
mod tests;
