//! Making patches: the difference between two objects as a strategic merge patch.

use serde_json::{Map, Value};

use super::aligned::Aligned;
use super::error::{Reason, StrategicError};
use super::go::{deep_equal, maps_equal};
use super::lookup::Lookup;
use super::{DIRECTIVE, RETAIN_KEYS};
use crate::schema::Type;

/// Which differences go into a patch.
///
/// Upstream: `DiffOptions`.
#[derive(Clone, Copy)]
pub(super) struct Differ {
    pub(super) lookup: Lookup,
    /// Whether the order of merged lists is stated.
    pub(super) order: bool,
    /// Whether what was added or changed goes in.
    pub(super) changes: bool,
    /// Whether what was removed goes in.
    pub(super) deletions: bool,
}

impl Differ {
    /// The patch that makes `modified` out of `original`; empty if there is nothing to do.
    ///
    /// Upstream: `diffMaps`.
    pub(super) fn maps(
        self,
        original: &Map<String, Value>,
        modified: &Map<String, Value>,
        ty: Type<'_>,
        retain_keys: bool,
    ) -> Result<Map<String, Value>, StrategicError> {
        let mut patch = Map::new();
        if self.changes {
            let mut original = Aligned::new(original);
            for (key, to) in modified {
                match original.get(key) {
                    None => {
                        patch.insert(key.clone(), to.clone());
                    }
                    Some(from) => self.values(key, from, to, ty, &mut patch)?,
                }
            }
        }
        if self.deletions {
            let mut modified = Aligned::new(modified);
            for (key, from) in original {
                match modified.get(key) {
                    None => {
                        patch.insert(key.clone(), Value::Null);
                    }
                    Some(to) if !self.changes => self.values(key, from, to, ty, &mut patch)?,
                    Some(_) => {}
                }
            }
        }
        if retain_keys && (!patch.is_empty() || has_more(original, modified)) {
            let mut keys: Vec<&String> =
                modified.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key).collect();
            if !keys.is_empty() {
                keys.sort();
                patch.insert(RETAIN_KEYS.to_owned(), keys.into_iter().cloned().collect());
            }
        }
        Ok(patch)
    }

    /// The difference between two values under one key.
    fn values(
        self,
        key: &str,
        from: &Value,
        to: &Value,
        ty: Type<'_>,
        patch: &mut Map<String, Value>,
    ) -> Result<(), StrategicError> {
        if key == DIRECTIVE {
            if !from.is_string() || !to.is_string() {
                return Err(Reason::BadDirective.into());
            }
            if from != to {
                patch.insert(key.to_owned(), to.clone());
            }
            return Ok(());
        }
        match (from, to) {
            (Value::Object(from), Value::Object(to)) => self.map(key, from, to, ty, patch),
            (Value::Array(from), Value::Array(to)) => self.list(key, from, to, ty, patch),
            _ => {
                if self.changes && !deep_equal(from, to) {
                    patch.insert(key.to_owned(), to.clone());
                }
                return Ok(());
            }
        }
        .map_err(|error| error.under(key))
    }

    /// Upstream: `handleMapDiff`.
    fn map(
        self,
        key: &str,
        from: &Map<String, Value>,
        to: &Map<String, Value>,
        ty: Type<'_>,
        patch: &mut Map<String, Value>,
    ) -> Result<(), StrategicError> {
        let found = match self.lookup.map(ty, key) {
            Ok(found) => found,
            Err(_) if maps_equal(from, to) => return Ok(()),
            Err(reason) => return Err(reason.into()),
        };
        if found.patch.replace {
            // Also where nothing changed.
            if self.changes {
                patch.insert(key.to_owned(), Value::Object(to.clone()));
            }
            return Ok(());
        }
        let inner = self.maps(from, to, found.ty, found.patch.retain_keys)?;
        if !inner.is_empty() {
            patch.insert(key.to_owned(), Value::Object(inner));
        }
        Ok(())
    }
}

/// Whether `original` has keys, but for nulls, that `modified` does not have.
///
/// Upstream: `hasAdditionalNewField`.
fn has_more(original: &Map<String, Value>, modified: &Map<String, Value>) -> bool {
    original.iter().any(|(key, value)| !value.is_null() && !modified.contains_key(key))
}
