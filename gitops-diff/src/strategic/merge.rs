//! Merging lists.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::apply::{Merger, Target};
use super::error::{Reason, StrategicError};
use super::go::{Key, Kind, item_kind};
use super::lookup::Found;
use super::order::{Items, Order, deduplicate, merge_key, normalize, partition, split};
use super::{DELETE, DIRECTIVE, REPLACE};
use crate::schema::Type;

/// Why two lists are merged.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// To merge them. Lists have the room that Go gives to one read from JSON, unless said otherwise.
    Merge { room: Option<usize> },
    /// To merge them and to put the result in order by the live list, as it is then.
    MergeInOrder,
    /// To take the second out of the first.
    Delete,
}

/// A merged list.
pub(super) struct Merged {
    pub(super) items: Vec<Value>,
    /// What tells the items apart that the memory of the original list holds after the merge, as far as the original went:
    /// the reference looks up places there. Empty unless asked for.
    pub(super) live: Vec<Option<Value>>,
}

impl Merger {
    /// Upstream: `mergeSlice`.
    pub(super) fn merge_lists(
        self,
        original: Vec<Value>,
        patch: Vec<Value>,
        found: Found<'_>,
        purpose: Purpose,
    ) -> Result<Merged, StrategicError> {
        if original.is_empty() && patch.is_empty() {
            return Ok(Merged { items: original, live: Vec::new() });
        }
        let key = found.merge_key();
        let kind = item_kind(original.iter().chain(&patch))?;
        if kind == Kind::Map {
            if key.is_empty() {
                return Err(Reason::NoDeclaredMergeKey.into());
            }
            return self.merge_maps(original, patch, key, found.ty, purpose);
        }
        if purpose == Purpose::Delete && self.into != Target::Patch {
            return Ok(Merged { items: without(original, &patch)?, live: Vec::new() });
        }
        let room = if let Purpose::Merge { room } = purpose { room } else { None };
        let room = room.unwrap_or_else(|| capacity(original.len()));
        let (merged, live) = union(original, &patch, room)?;
        let parts = partition(merged, &patch, key)?;
        let items = Items { key, maps: false };
        let order = Order::of_keys(live.iter().map(Some));
        let merged = normalize(parts, &Order::of(&patch, items)?, &order, items)?;
        Ok(Merged { items: merged, live: live.into_iter().map(Some).collect() })
    }

    fn merge_maps(
        self,
        original: Vec<Value>,
        patch: Vec<Value>,
        key: &str,
        ty: Type<'_>,
        purpose: Purpose,
    ) -> Result<Merged, StrategicError> {
        let Special { kept: mut items, patch, mut live } = special(original, patch, key, purpose)?;
        let (known, wanted) = (keys_of(&items, key), keys_of(&patch, key));
        let places = Order::with_room(known.iter().map(Option::as_ref), wanted.len());
        self.merge_items(&mut items, patch, key, &wanted, places, ty)?;
        // New items take the places in memory that deleted ones left.
        for (place, item) in live.iter_mut().zip(&items).skip(known.len()) {
            *place = item.get(key).cloned();
        }
        let order = Order::of_keys(known.iter().map(Option::as_ref));
        let wanted = Order::of_keys(wanted.iter().map(Option::as_ref));
        let parts = split(items, &wanted, key)?;
        let items = normalize(parts, &wanted, &order, Items { key, maps: true })?;
        Ok(Merged { items, live })
    }

    /// Merges each item into the first that has its key, or appends it.
    ///
    /// Upstream: `mergeSliceWithoutSpecialElements`.
    fn merge_items<'v>(
        self,
        items: &mut Vec<Value>,
        patch: Vec<Value>,
        key: &str,
        keys: &'v [Option<Value>],
        mut places: Order<'v>,
        ty: Type<'_>,
    ) -> Result<(), StrategicError> {
        for (item, value) in patch.into_iter().zip(keys) {
            let value = value.as_ref().ok_or_else(|| Reason::NoMergeKey(key.into()))?;
            let place = places.position(value)?;
            match (place.and_then(|at| items.get_mut(at)), item) {
                (Some(Value::Object(original)), Value::Object(item)) => {
                    let merged = self.maps(std::mem::take(original), item, ty);
                    *original = merged.map_err(|error| error.under_item(key, value))?;
                }
                (_, item) => {
                    // Nulls and directives inside stay, unlike those of any other value that is new.
                    let item = if self.into == Target::CleanObject { self.added(item) } else { Some(item) };
                    items.push(item.unwrap_or_default());
                    places.push(Some(value));
                }
            }
        }
        Ok(())
    }
}

/// What tells the items apart.
fn keys_of(items: &[Value], key: &str) -> Vec<Option<Value>> {
    items.iter().map(|item| item.get(key).cloned()).collect()
}

/// A list and a patch after the directives among the patch's items were obeyed.
struct Special {
    kept: Vec<Value>,
    patch: Vec<Value>,
    live: Vec<Option<Value>>,
}

/// Upstream: `mergeSliceWithSpecialElements`, and what `deleteMatchingEntries` leaves behind in the list's memory.
fn special(original: Vec<Value>, patch: Vec<Value>, key: &str, purpose: Purpose) -> Result<Special, Reason> {
    let mut live = if purpose == Purpose::MergeInOrder { keys_of(&original, key) } else { Vec::new() };
    if patch.iter().all(|item| item.get(DIRECTIVE).is_none()) {
        return Ok(Special { kept: original, patch, live });
    }
    let mut rest = Vec::new();
    let mut doomed = Vec::new();
    let mut replace = false;
    for item in patch {
        match item.get(DIRECTIVE) {
            None => rest.push(item),
            Some(directive) if directive == DELETE => doomed.push(merge_key(&item, key)?.clone()),
            Some(directive) if directive == REPLACE => replace = true,
            Some(_) => return Err(Reason::BadDirective),
        }
    }
    let deleted = delete(&original, &doomed, key)?;
    if !live.is_empty() {
        let old = std::mem::take(&mut live);
        let stays = old.iter().zip(&deleted.flags).filter(|(_, deleted)| !**deleted).map(|(key, _)| key);
        let left = deleted.left.iter().rev().map(|at| &old[*at]);
        live = stays.chain(left).cloned().collect();
    }
    if replace {
        return Ok(Special { kept: rest, patch: Vec::new(), live });
    }
    let kept = original.into_iter().zip(deleted.flags).filter(|(_, deleted)| !deleted).map(|(item, _)| item);
    Ok(Special { kept: kept.collect(), patch: rest, live })
}

struct Deleted {
    /// Which items.
    flags: Vec<bool>,
    /// For each deletion, which item was the last one just before: it stays in memory behind the end of the list.
    left: Vec<usize>,
}

/// Deletes all items that have one of the keys, key by key.
///
/// Upstream: `deleteMatchingEntries`.
fn delete(items: &[Value], keys: &[Value], key: &str) -> Result<Deleted, Reason> {
    let mut places: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    let (mut has_map, mut has_list) = (false, false);
    for (at, value) in items.iter().enumerate().filter_map(|(at, item)| Some((at, item.get(key)?))) {
        has_map |= value.is_object();
        has_list |= value.is_array();
        if let Some(key) = Key::of(value) {
            places.entry(key).or_default().push(at);
        }
    }
    let mut deleted = Deleted { flags: vec![false; items.len()], left: Vec::new() };
    let mut end = items.len();
    for value in keys {
        let found = match Key::of(value) {
            Some(value) => places.remove(&value).unwrap_or_default(),
            None if value.is_object() && has_map || value.is_array() && has_list => {
                return Err(Reason::Uncomparable);
            }
            None => Vec::new(),
        };
        for at in found {
            while end > 0 && deleted.flags[end - 1] {
                end -= 1;
            }
            deleted.left.push(end - 1);
            deleted.flags[at] = true;
        }
    }
    Ok(deleted)
}

/// Upstream: `deleteFromSlice`.
fn without(list: Vec<Value>, values: &[Value]) -> Result<Vec<Value>, Reason> {
    let values = values.iter().map(Key::hashable).collect::<Result<HashSet<_>, _>>()?;
    Ok(list.into_iter().filter(|item| Key::of(item).is_none_or(|item| !values.contains(&item))).collect())
}

/// Both lists without duplicates, and what the original list holds then: Go appends in place where there is room, so that
/// taking duplicates out changes the original as well.
fn union(original: Vec<Value>, patch: &[Value], room: usize) -> Result<(Vec<Value>, Vec<Value>), Reason> {
    let length = original.len();
    let in_place = length + patch.len() <= room;
    let untouched = if in_place { Vec::new() } else { original.clone() };
    let mut both = original;
    both.extend_from_slice(patch);
    let left = deduplicate(&mut both)?;
    let live = if in_place { both[..length].to_vec() } else { untouched };
    both.truncate(left);
    Ok((both, live))
}

/// The room that Go has for a list which it read from JSON, item by item (Go 1.26).
fn capacity(length: usize) -> usize {
    const STEPS: [usize; 15] = [1, 2, 4, 8, 16, 32, 71, 143, 303, 591, 1023, 1535, 2560, 3584, 5120];
    STEPS.into_iter().find(|step| *step >= length).unwrap_or(length)
}
