//! The patch that brings a live object to the desired state.

use serde_json::{Map, Value};

use super::apply::{Merger, Target};
use super::conflict::find_conflict;
use super::create::Differ;
use super::error::StrategicError;
use super::lookup::Lookup;
use super::settled::is_settled;
use super::{StrategicOptions, object_or_null};
use crate::schema::Type;

/// Upstream: `CreateThreeWayMergePatch`.
pub(super) fn three_way(
    last_applied: &Value,
    desired: &Value,
    live: &Value,
    ty: Type<'_>,
    options: &StrategicOptions,
) -> Result<Map<String, Value>, StrategicError> {
    let nothing = Map::new();
    let object = |value| object_or_null(value).map(|map| map.unwrap_or(&nothing));
    let (last_applied, desired, live) = (object(last_applied)?, object(desired)?, object(live)?);
    let lookup = Lookup::new(options);
    if options.overwrite && is_settled(last_applied, desired, live, ty, lookup) {
        return Ok(Map::new());
    }
    let differ = Differ { lookup, order: true, changes: true, deletions: false };
    let changes = differ.maps(live, desired, ty, false)?;
    let differ = Differ { changes: false, deletions: true, ..differ };
    let deletions = differ.maps(last_applied, desired, ty, false)?;
    let mut patch = if changes.is_empty() {
        deletions
    } else {
        Merger { lookup, into: Target::Patch }.maps(deletions, changes, ty)?
    };
    options.check(&patch)?;
    if !options.overwrite {
        let differ = Differ { lookup, order: false, changes: true, deletions: true };
        let mut drift = differ.maps(last_applied, live, ty, false)?;
        find_conflict(&mut patch, &mut drift, ty, lookup)?;
    }
    Ok(patch)
}
