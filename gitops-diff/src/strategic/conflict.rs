//! Whether two patches of one object change the same field in different ways.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::DIRECTIVE;
use super::error::{Reason, StrategicError};
use super::go::{self, Kind, deep_equal, item_kind, text_of_key};
use super::lists::sorted_texts;
use super::lookup::{Found, Lookup};
use super::order::{deduplicate, merge_key};
use super::{DELETE_FROM, RETAIN_KEYS, SET_ORDER};
use crate::schema::{Patch, Type};

/// Fails at the first field that the two patches change in different ways.
///
/// Lists of scalars that are replaced are compared without order and duplicates. The reference sorts them in place for that,
/// in the patch that it returns as well; so does this.
///
/// Upstream: `MergingMapsHaveConflicts`.
pub(super) fn find_conflict(
    left: &mut Map<String, Value>,
    right: &mut Map<String, Value>,
    ty: Type<'_>,
    lookup: Lookup,
) -> Result<(), StrategicError> {
    let root = Found { ty, patch: Patch::NONE };
    maps(left, right, root, lookup)
}

/// Upstream: `mergingMapFieldsHaveConflicts`.
fn values(
    left: &mut Value,
    right: &mut Value,
    found: Found<'_>,
    lookup: Lookup,
) -> Result<(), StrategicError> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => maps(left, right, found, lookup),
        (Value::Array(left), Value::Array(right)) => lists(left, right, found, lookup),
        (left, right) if deep_equal(left, right) => Ok(()),
        _ => Err(Reason::Conflict.into()),
    }
}

fn maps(
    left: &mut Map<String, Value>,
    right: &mut Map<String, Value>,
    found: Found<'_>,
    lookup: Lookup,
) -> Result<(), StrategicError> {
    match (left.get(DIRECTIVE), right.get(DIRECTIVE)) {
        (None, None) => {}
        (Some(left), Some(right)) if go::equal(left, right)? => {}
        _ => return Err(Reason::Conflict.into()),
    }
    if found.patch.replace {
        return Ok(());
    }
    for (key, left) in left.iter_mut() {
        if key == DIRECTIVE || key == RETAIN_KEYS {
            continue;
        }
        // No field has such a name, which the reference takes for an unknown one.
        if !lookup.refuses_unknown() && (key.starts_with(DELETE_FROM) || key.starts_with(SET_ORDER)) {
            continue;
        }
        let Some(right) = right.get_mut(key) else { continue };
        field(key, left, right, found.ty, lookup).map_err(|error| error.under(key))?;
    }
    Ok(())
}

/// Upstream: the body of `mapsHaveConflicts`.
fn field(
    key: &str,
    left: &mut Value,
    right: &mut Value,
    ty: Type<'_>,
    lookup: Lookup,
) -> Result<(), StrategicError> {
    let found = match left {
        Value::Array(_) => lookup.list(ty, key)?,
        Value::Object(_) => lookup.map(ty, key)?,
        _ => Found { ty, patch: Patch::NONE },
    };
    values(left, right, found, lookup)
}

/// Upstream: `slicesHaveConflicts`.
fn lists(
    left: &mut [Value],
    right: &mut [Value],
    found: Found<'_>,
    lookup: Lookup,
) -> Result<(), StrategicError> {
    let kind = item_kind(left.iter().chain(&*right))?;
    let inner = Found { ty: found.ty, patch: Patch::NONE };
    if found.patch.merge {
        // Merged lists of scalars never conflict.
        if kind != Kind::Map {
            return Ok(());
        }
        let left = by_key(left, found.merge_key())?;
        let mut right = by_key(right, found.merge_key())?;
        for (key, left) in left {
            let Some(right) = right.get_mut(&key) else { continue };
            let value = left.get(found.merge_key()).cloned().unwrap_or_default();
            values(left, right, inner, lookup)
                .map_err(|error| error.under_item(found.merge_key(), &value))?;
        }
        return Ok(());
    }
    if left.len() != right.len() {
        return Err(Reason::Conflict.into());
    }
    let (mut left_end, mut right_end) = (left.len(), right.len());
    if kind != Kind::Map {
        left_end = sort_unique(left)?;
        right_end = sort_unique(right)?;
    }
    let mut right = right[..right_end].iter_mut();
    for left in &mut left[..left_end] {
        // The reference reads beyond the end of the shorter list.
        let right = right.next().ok_or(Reason::Uncomparable)?;
        values(left, right, inner, lookup)?;
    }
    Ok(())
}

/// Upstream: `deduplicateAndSortScalars`; says where the sorted part ends.
fn sort_unique(list: &mut [Value]) -> Result<usize, Reason> {
    let end = deduplicate(list)?;
    let sorted: Vec<Value> = sorted_texts(&list[..end]).into_iter().map(|(_, item)| item.clone()).collect();
    for (place, item) in list.iter_mut().zip(sorted) {
        *place = item;
    }
    Ok(end)
}

/// Items by their keys, of which later ones win.
///
/// Upstream: `sliceOfMapsToMapOfMaps`.
fn by_key<'v>(list: &'v mut [Value], key: &str) -> Result<BTreeMap<String, &'v mut Value>, Reason> {
    list.iter_mut().map(|item| Ok((text_of_key(merge_key(item, key)?), item))).collect()
}
