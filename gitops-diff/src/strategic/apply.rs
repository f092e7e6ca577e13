//! Merging a patch into an object, or into another patch.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::clean::{tidy, tidy_list, tidy_map};
use super::error::{Reason, StrategicError};
use super::go::{Key, Kind, deep_equal, item_kind};
use super::lookup::Lookup;
use super::merge::Purpose;
use super::order::{Items, Order, check_order, normalize, partition};
use super::{DELETE, DELETE_FROM, DIRECTIVE, REPLACE, RETAIN_KEYS, SET_ORDER};
use crate::schema::Type;

/// What a patch is merged into.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// An object: directives are obeyed, and nulls that delete nothing are dropped.
    Object,
    /// An object, without leaving anything of the directives behind.
    CleanObject,
    /// Another patch: directives and nulls are kept.
    Patch,
}

/// Upstream: `mergeMap` and its `MergeOptions`.
#[derive(Clone, Copy)]
pub(super) struct Merger {
    pub(super) lookup: Lookup,
    pub(super) into: Target,
}

impl Merger {
    /// Upstream: `mergeMap`.
    pub(super) fn maps(
        self,
        mut original: Map<String, Value>,
        mut patch: Map<String, Value>,
        ty: Type<'_>,
    ) -> Result<Map<String, Value>, StrategicError> {
        if let Some(directive) = patch.get(DIRECTIVE) {
            return match directive.as_str() {
                Some(REPLACE) => {
                    patch.remove(DIRECTIVE);
                    Ok(self.replacement(patch))
                }
                Some(DELETE) => Ok(Map::new()),
                _ => Err(Reason::BadDirective.into()),
            };
        }
        if let Some(keys) = patch.remove(RETAIN_KEYS) {
            self.retain_keys(&mut original, &patch, keys)?;
        }
        // Go takes them in the order of its map, which is any; all that follows one order here gives the same result there.
        for directive in directives(&patch, SET_ORDER) {
            if let Some(order) = patch.remove(&directive) {
                self.set_order(&mut original, &mut patch, directive, order, ty)?;
            }
        }
        let mut rooms = HashMap::new();
        for directive in directives(&patch, DELETE_FROM) {
            if let Some(values) = patch.remove(&directive) {
                let key = field_of(&directive, DELETE_FROM).unwrap_or_default();
                let length = original.get(key).and_then(Value::as_array).map_or(0, Vec::len);
                rooms.insert(key.to_owned(), length);
                self.delete_from(&mut original, directive, values, ty)?;
            }
        }
        for (key, value) in patch {
            let room = rooms.get(&key).copied();
            self.value(&mut original, key, value, ty, room)?;
        }
        Ok(original)
    }

    /// Merges the value under one key; `room` is that of a list from which values were taken out before.
    fn value(
        self,
        original: &mut Map<String, Value>,
        key: String,
        value: Value,
        ty: Type<'_>,
        room: Option<usize>,
    ) -> Result<(), StrategicError> {
        if value.is_null() {
            if self.into == Target::Patch {
                original.insert(key, value);
            } else {
                original.remove(&key);
            }
            return Ok(());
        }
        let merged = match (original.get_mut(&key), value) {
            (Some(Value::Object(from)), Value::Object(value)) => {
                self.map(&key, std::mem::take(from), value, ty).map(Value::Object)
            }
            (Some(Value::Array(from)), Value::Array(value)) => {
                self.list(&key, std::mem::take(from), value, ty, room).map(Value::Array)
            }
            (_, value) => {
                match self.added(value) {
                    Some(value) => original.insert(key, value),
                    None => original.remove(&key),
                };
                return Ok(());
            }
        };
        let merged = merged.map_err(|error| error.under(&key))?;
        original.insert(key, merged);
        Ok(())
    }

    /// Upstream: `mergeMapHandler`.
    fn map(
        self,
        key: &str,
        original: Map<String, Value>,
        patch: Map<String, Value>,
        ty: Type<'_>,
    ) -> Result<Map<String, Value>, StrategicError> {
        let found = self.lookup.map(ty, key)?;
        if found.patch.replace { Ok(self.replacement(patch)) } else { self.maps(original, patch, found.ty) }
    }

    /// Upstream: `mergeSliceHandler`.
    fn list(
        self,
        key: &str,
        original: Vec<Value>,
        patch: Vec<Value>,
        ty: Type<'_>,
        room: Option<usize>,
    ) -> Result<Vec<Value>, StrategicError> {
        let found = self.lookup.list(ty, key)?;
        if found.patch.merge {
            self.merge_lists(original, patch, found, Purpose::Merge { room }).map(|merged| merged.items)
        } else {
            Ok(self.replacement_list(patch))
        }
    }

    /// What becomes of a value that nothing is merged with.
    ///
    /// Upstream: `discardNullValuesFromPatch` and `removeDirectives`.
    pub(super) fn added(self, mut value: Value) -> Option<Value> {
        match self.into {
            Target::CleanObject => return tidy(value),
            Target::Object => discard_nulls(&mut value),
            Target::Patch => {}
        }
        remove_directives(&mut value).then_some(value)
    }

    /// What becomes of a list that nothing is merged with, and that keeps its nulls.
    fn added_list(self, mut list: Vec<Value>) -> Vec<Value> {
        if self.into == Target::CleanObject {
            return tidy_list(list);
        }
        list.retain_mut(remove_directives);
        list
    }

    /// What becomes of a map that replaces another.
    fn replacement(self, patch: Map<String, Value>) -> Map<String, Value> {
        if self.into == Target::CleanObject { tidy_map(patch) } else { patch }
    }

    /// What becomes of a list that replaces another.
    fn replacement_list(self, patch: Vec<Value>) -> Vec<Value> {
        if self.into == Target::CleanObject { tidy_list(patch) } else { patch }
    }

    /// Upstream: `applyRetainKeysDirective`.
    fn retain_keys(
        self,
        original: &mut Map<String, Value>,
        patch: &Map<String, Value>,
        keys: Value,
    ) -> Result<(), Reason> {
        if self.into == Target::Patch {
            match original.get(RETAIN_KEYS) {
                Some(known) if !deep_equal(known, &keys) => return Err(Reason::DifferentRetainKeys),
                Some(_) => {}
                None => {
                    original.insert(RETAIN_KEYS.to_owned(), keys);
                }
            }
            return Ok(());
        }
        let Value::Array(keys) = keys else { return Err(Reason::BadRetainKeys) };
        let keys = keys.iter().map(Key::hashable).collect::<Result<HashSet<_>, _>>()?;
        let listed = |key: &str| keys.contains(&Key::Text(key));
        let excused = |key: &str, value: &Value| {
            value.is_null() || key.starts_with(DELETE_FROM) || key.starts_with(SET_ORDER)
        };
        if patch.iter().any(|(key, value)| !excused(key, value) && !listed(key)) {
            return Err(Reason::BadRetainKeys);
        }
        original.retain(|key, _| listed(key));
        Ok(())
    }

    /// Upstream: `mergePatchIntoOriginal`.
    fn set_order(
        self,
        original: &mut Map<String, Value>,
        patch: &mut Map<String, Value>,
        directive: String,
        order: Value,
        ty: Type<'_>,
    ) -> Result<(), StrategicError> {
        let known = original.get(&directive).filter(|_| self.into == Target::Patch);
        if known.is_some_and(|known| !deep_equal(known, &order)) {
            return Err(Reason::BadSetElementOrder.into());
        }
        let Value::Array(wanted) = &order else { return Err(Reason::WrongType { expected: "list" }.into()) };
        let key = field_of(&directive, SET_ORDER).ok_or(Reason::BadSetElementOrder)?;
        let list = self
            .ordered_list(original.remove(key), patch.remove(key), key, wanted, ty)
            .map_err(|error| error.under(key))?;
        if let Some(list) = list {
            original.insert(key.to_owned(), Value::Array(list));
        }
        if self.into == Target::Patch {
            original.insert(directive, order);
        }
        Ok(())
    }

    /// The merged list in the wanted order; `None` if there is none on either side.
    fn ordered_list(
        self,
        original: Option<Value>,
        patch: Option<Value>,
        key: &str,
        wanted: &[Value],
        ty: Type<'_>,
    ) -> Result<Option<Vec<Value>>, StrategicError> {
        let list = |value: Option<Value>| match value {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(Reason::WrongType { expected: "list" }),
        };
        let (original, patch) = (list(original)?, list(patch)?);
        let found = self.lookup.list(ty, key)?;
        let merge_key = found.merge_key();
        check_order(patch.as_deref().unwrap_or_default(), wanted, merge_key)?;
        let kind = |original: &[Value], patch: &[Value]| item_kind(original.iter().chain(patch));
        // Besides the merged list: what the live one is by then, which the order of the rest follows, and what both held.
        let keys = |list: &[Value], kind: &Result<Kind, Reason>| -> Vec<Option<Value>> {
            let maps = *kind == Ok(Kind::Map);
            list.iter()
                .map(|item| if maps { item.get(merge_key).cloned() } else { Some(item.clone()) })
                .collect()
        };
        let (merged, live, kind) = match (original, patch) {
            (None, None) => return Ok(None),
            (Some(original), None) => {
                let kind = kind(&original, &[]);
                let live = keys(&original, &kind);
                (original, live, kind)
            }
            (None, Some(patch)) => {
                let kind = kind(&[], &patch);
                (self.added_list(patch), Vec::new(), kind)
            }
            (Some(original), Some(patch)) => {
                let kind = kind(&original, &patch);
                if found.patch.merge {
                    let merged = self.merge_lists(original, patch, found, Purpose::MergeInOrder)?;
                    (merged.items, merged.live, kind)
                } else {
                    (self.replacement_list(patch), keys(&original, &kind), kind)
                }
            }
        };
        let parts = partition(merged, wanted, merge_key)?;
        let items = Items { key: merge_key, maps: kind? == Kind::Map };
        let wanted = Order::of(wanted, items)?;
        if items.maps && live.iter().any(Option::is_none) {
            return Err(Reason::NoMergeKey(merge_key.into()).into());
        }
        let live = Order::of_keys(live.iter().map(Option::as_ref));
        Ok(Some(normalize(parts, &wanted, &live, items)?))
    }

    /// `$deleteFromPrimitiveList/FIELD`.
    fn delete_from(
        self,
        original: &mut Map<String, Value>,
        directive: String,
        values: Value,
        ty: Type<'_>,
    ) -> Result<(), StrategicError> {
        if self.into == Target::Patch {
            original.insert(directive, values);
            return Ok(());
        }
        let key = field_of(&directive, DELETE_FROM).ok_or(Reason::BadDeleteFromPrimitiveList)?;
        // The reference falls back to the directive's own name.
        let key = if key.is_empty() { &*directive } else { key };
        match (original.get_mut(key), values) {
            (_, Value::Null) => {
                original.remove(key);
            }
            (Some(Value::Array(list)), Value::Array(values)) => {
                let live = std::mem::take(list);
                let merged = self
                    .lookup
                    .list(ty, key)
                    .map_err(StrategicError::from)
                    .and_then(|found| self.merge_lists(live, values, found, Purpose::Delete))
                    .map_err(|error| error.under(key))?;
                *list = merged.items;
            }
            (Some(Value::Object(map)), Value::Object(values)) => {
                let merged =
                    self.map(key, std::mem::take(map), values, ty).map_err(|error| error.under(key))?;
                *map = merged;
            }
            (Some(live), values) if Kind::of(live) == Kind::of(&values) => *live = values,
            _ => {}
        }
        Ok(())
    }
}

/// The keys of a patch that begin with a directive's name, in order.
fn directives(patch: &Map<String, Value>, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> = patch.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
    keys.sort();
    keys
}

/// The field that `$directive/FIELD` is about.
///
/// Upstream: `extractKey`.
fn field_of<'k>(key: &'k str, directive: &str) -> Option<&'k str> {
    key.strip_prefix(directive)?.strip_prefix('/')
}

/// Upstream: `discardNullValuesFromPatch`.
fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// Takes out maps with `$patch`; whether the value itself is to be kept.
///
/// Upstream: `removeDirectives`.
fn remove_directives(value: &mut Value) -> bool {
    match value {
        Value::Object(map) => {
            if map.contains_key(DIRECTIVE) {
                return false;
            }
            map.retain(|_, value| remove_directives(value));
        }
        Value::Array(items) => items.retain_mut(remove_directives),
        _ => {}
    }
    true
}
