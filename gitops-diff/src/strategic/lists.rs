//! The difference between two lists as a strategic merge patch.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::create::Differ;
use super::error::{Reason, StrategicError};
use super::go::{self, Kind, lists_equal};
use super::keyed::Pairs;
use super::lookup::Found;
use super::order::{self, Items, Order, deduplicate, merge_key};
use super::sort::sort;
use super::{DELETE, DELETE_FROM, DIRECTIVE, SET_ORDER};
use crate::schema::Type;

impl Differ {
    /// Upstream: `handleSliceDiff` and `diffLists`.
    pub(super) fn list(
        self,
        key: &str,
        from: &[Value],
        to: &[Value],
        ty: Type<'_>,
        patch: &mut Map<String, Value>,
    ) -> Result<(), StrategicError> {
        let found = match self.lookup.list(ty, key) {
            Ok(found) => found,
            Err(_) if lists_equal(from, to) => return Ok(()),
            Err(reason) => return Err(reason.into()),
        };
        if !found.patch.merge {
            if self.changes && !lists_equal(from, to) {
                patch.insert(key.to_owned(), Value::Array(to.to_vec()));
            }
            return Ok(());
        }
        if from.is_empty() {
            if self.changes && !to.is_empty() {
                patch.insert(key.to_owned(), Value::Array(to.to_vec()));
            }
            return Ok(());
        }
        let items = if go::item_kind(from.iter().chain(to))? == Kind::Map {
            self.maps_by_key(from, to, found)?
        } else {
            self.scalars(from, to)?
        };
        let mut put = |key: String, items: Vec<Value>| {
            if !items.is_empty() {
                patch.insert(key, Value::Array(items));
            }
        };
        if !items.patch.is_empty() {
            put(key.to_owned(), items.patch);
        }
        if !items.deleted.is_empty() {
            put(format!("{DELETE_FROM}/{key}"), items.deleted);
        }
        if !items.order.is_empty() {
            put(format!("{SET_ORDER}/{key}"), items.order);
        }
        Ok(())
    }

    /// Upstream: the scalar part of `diffLists`, and `diffListsOfScalars`. Its comparison of the order comes after the
    /// original was sorted in place, and so does ours.
    fn scalars(self, from: &[Value], to: &[Value]) -> Result<ListPatch, StrategicError> {
        let (old, new) = (sorted_texts(from), sorted_texts(to));
        let (mut added, mut deleted) = (Vec::new(), Vec::new());
        for step in walk(&old, &new, |item| &item.0) {
            match step {
                Step::Added(at) if self.changes => added.push(new[at].1.clone()),
                Step::Deleted(at) if self.deletions => deleted.push(old[at].1.clone()),
                Step::Both(..) | Step::Added(_) | Step::Deleted(_) => {}
            }
        }
        let left = deduplicate(&mut deleted)?;
        deleted.truncate(left);
        let items = Items { key: "", maps: false };
        let patch = order::sort_by(added, &Order::of(to, items)?, items)?;
        let changed = || old.len() != to.len() || old.iter().zip(to).any(|((_, a), b)| !go::deep_equal(a, b));
        let ordered = self.order && (self.deletions && !deleted.is_empty() || self.changes && changed());
        let order = if ordered { to.to_vec() } else { Vec::new() };
        Ok(ListPatch { patch, deleted, order })
    }

    /// Upstream: the map part of `diffLists`, and `diffListsOfMaps`.
    fn maps_by_key(
        self,
        from: &[Value],
        to: &[Value],
        found: Found<'_>,
    ) -> Result<ListPatch, StrategicError> {
        let key = found.merge_key();
        let (patch, same_order) = if let Some(pairs) = Pairs::of(from, to, key) {
            (self.unique_maps(&pairs, from, to, found)?, pairs.same_order())
        } else {
            let patch = self.sorted_maps(from, to, found)?;
            (patch, order::same_order(from, to, key)?)
        };
        let changed = !patch.is_empty();
        let ordered = self.order && (self.changes && (changed || !same_order) || self.deletions && changed);
        let order = if ordered { to.iter().map(|item| only_key(item, key)).collect() } else { Vec::new() };
        Ok(ListPatch { patch, deleted: Vec::new(), order })
    }

    /// Where every key is there once: items in the order of `to`, then those that say themselves that they are deleted, then
    /// what is deleted, both in the order of the keys. That is what all the sorting of [`sorted_maps`](Self::sorted_maps)
    /// comes to then.
    fn unique_maps(
        self,
        pairs: &Pairs,
        from: &[Value],
        to: &[Value],
        found: Found<'_>,
    ) -> Result<Vec<Value>, StrategicError> {
        let key = found.merge_key();
        let by_key = |items: &mut Vec<Value>| {
            items.sort_by_cached_key(|item| item.get(key).map(go::text).unwrap_or_default().into_owned());
        };
        // Items that are deleted by the objects themselves go behind the others.
        let (mut patch, mut stated, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
        for (item, at) in to.iter().zip(pairs.places()) {
            let old = at.and_then(|at| from.get(at));
            if let Some(item) = self.item(old, item, found)? {
                if order::is_delete(&item) { &mut stated } else { &mut patch }.push(item);
            }
        }
        by_key(&mut stated);
        if self.deletions {
            deleted.extend(pairs.unmatched(from).filter_map(|item| Some(delete(key, item.get(key)?))));
            by_key(&mut deleted);
        }
        patch.append(&mut stated);
        patch.append(&mut deleted);
        Ok(patch)
    }

    /// The general case, with all that follows from Go's sorts where keys occur twice.
    fn sorted_maps(
        self,
        from: &[Value],
        to: &[Value],
        found: Found<'_>,
    ) -> Result<Vec<Value>, StrategicError> {
        let key = found.merge_key();
        let (old, new) = (sorted_keys(from, key)?, sorted_keys(to, key)?);
        let (mut patch, mut deleted) = (Vec::new(), Vec::new());
        for step in walk(&old, &new, |item| &item.text) {
            match step {
                Step::Both(old_at, at) => {
                    patch.extend(self.item(Some(old[old_at].item), new[at].item, found)?);
                }
                Step::Added(at) => patch.extend(self.item(None, new[at].item, found)?),
                Step::Deleted(at) if self.deletions => deleted.push(delete(key, old[at].key)),
                Step::Deleted(_) => {}
            }
        }
        let items = Items { key, maps: true };
        let mut patch = order::sort_by(patch, &Order::of(to, items)?, items)?;
        patch.append(&mut deleted);
        Ok(patch)
    }

    /// What an item of `to` puts into the patch.
    fn item(
        self,
        old: Option<&Value>,
        new: &Value,
        found: Found<'_>,
    ) -> Result<Option<Value>, StrategicError> {
        let (Some(Value::Object(from)), Value::Object(to)) = (old, new) else {
            return Ok(self.changes.then(|| new.clone()));
        };
        let key = found.merge_key();
        let value = to.get(key).unwrap_or(&Value::Null);
        let mut patch = self
            .maps(from, to, found.ty, found.patch.retain_keys)
            .map_err(|error| error.under_item(key, value))?;
        if patch.is_empty() {
            return Ok(None);
        }
        patch.insert(key.to_owned(), value.clone());
        Ok(Some(Value::Object(patch)))
    }
}

/// What a list puts into a patch, under three keys.
struct ListPatch {
    patch: Vec<Value>,
    deleted: Vec<Value>,
    order: Vec<Value>,
}

/// Upstream: `CreateDeleteDirective`.
fn delete(key: &str, value: &Value) -> Value {
    let directive = (DIRECTIVE.to_owned(), Value::from(DELETE));
    Value::Object([(key.to_owned(), value.clone()), directive].into_iter().collect())
}

/// A map that has the merge key only.
pub(super) fn only_key(item: &Value, key: &str) -> Value {
    let value = item.get(key).cloned().unwrap_or_default();
    Value::Object(std::iter::once((key.to_owned(), value)).collect())
}

struct Sorted<'v> {
    text: Cow<'v, str>,
    key: &'v Value,
    item: &'v Value,
}

/// Upstream: `sortMergeListsByNameArray`; its comparison is `<=`.
fn sorted_keys<'v>(list: &'v [Value], key: &str) -> Result<Vec<Sorted<'v>>, Reason> {
    let mut items = list
        .iter()
        .map(|item| merge_key(item, key).map(|key| Sorted { text: go::text(key), key, item }))
        .collect::<Result<Vec<_>, _>>()?;
    sort(&mut items, |a, b| a.text <= b.text);
    Ok(items)
}

/// Upstream: `sortScalars`; its comparison is `<=`.
pub(super) fn sorted_texts(list: &[Value]) -> Vec<(Cow<'_, str>, &Value)> {
    let mut items: Vec<_> = list.iter().map(|item| (go::text(item), item)).collect();
    sort(&mut items, |a, b| a.0 <= b.0);
    items
}

/// One step of a walk through two sorted lists.
enum Step {
    Both(usize, usize),
    Added(usize),
    Deleted(usize),
}

/// Walks through two sorted lists side by side.
fn walk<'a, T>(
    old: &'a [T],
    new: &'a [T],
    text: impl Fn(&T) -> &str + 'a,
) -> impl Iterator<Item = Step> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let order = match (old.get(i), new.get(j)) {
            (None, None) => return None,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => text(a).cmp(text(b)),
        };
        let (at, other) = (i, j);
        Some(match order {
            Ordering::Equal => {
                i += 1;
                j += 1;
                Step::Both(at, other)
            }
            Ordering::Greater => {
                j += 1;
                Step::Added(other)
            }
            Ordering::Less => {
                i += 1;
                Step::Deleted(at)
            }
        })
    })
}
