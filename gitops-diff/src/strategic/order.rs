//! The order of merged lists.
//!
//! Items of the patch stand in the order that `$setElementOrder`, or else the patch, states; items that only the server has
//! stand in the order of the live list; the two are put together by the live order as far as that goes
//! (`strategicpatch/patch.go`, `normalizeElementOrder`, and the design proposal "preserve order in strategic merge patch").

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::error::Reason;
use super::go::{self, Key, Kind};
use super::sort::sort_stable;
use super::{DELETE, DIRECTIVE};

/// From this many items on, positions are looked up in a hash map.
const MANY: usize = 16;

/// How the items of a list are told apart.
#[derive(Clone, Copy)]
pub(super) struct Items<'k> {
    /// The merge key; nothing where the schema has none.
    pub(super) key: &'k str,
    /// Whether they are maps.
    pub(super) maps: bool,
}

impl Items<'_> {
    /// What tells this item apart.
    fn key_of(self, item: &Value) -> &Value {
        if self.maps { item.get(self.key).unwrap_or(&Value::Null) } else { item }
    }

    /// Whether all items are maps with a merge key, if they are to be maps.
    fn check(self, items: &[Value]) -> Result<(), Reason> {
        if self.maps { items.iter().try_for_each(|item| merge_key(item, self.key).map(drop)) } else { Ok(()) }
    }
}

/// The merge key of an item, which must be a map that has one.
pub(super) fn merge_key<'v>(item: &'v Value, key: &str) -> Result<&'v Value, Reason> {
    let Value::Object(map) = item else { return Err(Reason::WrongType { expected: "map" }) };
    map.get(key).ok_or_else(|| Reason::NoMergeKey(key.into()))
}

/// Whether an item says that it is to be deleted.
pub(super) fn is_delete(item: &Value) -> bool {
    item.get(DIRECTIVE).is_some_and(|directive| directive == DELETE)
}

/// Where keys are in a list.
pub(super) struct Order<'v> {
    keys: Vec<Option<Key<'v>>>,
    /// The same for many keys.
    first: Option<HashMap<Key<'v>, usize>>,
    has_map: bool,
    has_list: bool,
}

impl<'v> Order<'v> {
    /// Of the items of a list.
    pub(super) fn of(list: &'v [Value], items: Items<'_>) -> Result<Self, Reason> {
        items.check(list)?;
        Ok(Self::of_keys(list.iter().map(|item| Some(items.key_of(item)))))
    }

    /// Of the keys themselves; items without one have a place too.
    pub(super) fn of_keys(keys: impl ExactSizeIterator<Item = Option<&'v Value>>) -> Self {
        Self::with_room(keys, 0)
    }

    /// Of some keys, with others to [come](Self::push).
    pub(super) fn with_room(keys: impl ExactSizeIterator<Item = Option<&'v Value>>, more: usize) -> Self {
        let room = keys.len() + more;
        let first = (room >= MANY).then(|| HashMap::with_capacity(room));
        let mut order = Self { keys: Vec::with_capacity(room), first, has_map: false, has_list: false };
        keys.for_each(|key| order.push(key));
        order
    }

    /// Adds an item at the end.
    pub(super) fn push(&mut self, key: Option<&'v Value>) {
        self.has_map |= key.is_some_and(Value::is_object);
        self.has_list |= key.is_some_and(Value::is_array);
        let key = key.and_then(Key::of);
        if let (Some(first), Some(key)) = (&mut self.first, key) {
            first.entry(key).or_insert(self.keys.len());
        }
        self.keys.push(key);
    }

    /// The first place of a key.
    pub(super) fn position(&self, key: &Value) -> Result<Option<usize>, Reason> {
        match (Key::of(key), &self.first) {
            (Some(key), Some(first)) => Ok(first.get(&key).copied()),
            (Some(key), None) => Ok(self.keys.iter().position(|other| *other == Some(key))),
            (None, _) if (key.is_object() && self.has_map) || (key.is_array() && self.has_list) => {
                Err(Reason::Uncomparable)
            }
            (None, _) => Ok(None),
        }
    }
}

/// Sorts a list by an order; what is to be deleted goes to its end.
///
/// Upstream: `normalizeSliceOrder`, whose comparison is true for what the order does not have.
pub(super) fn sort_by(list: Vec<Value>, order: &Order<'_>, items: Items<'_>) -> Result<Vec<Value>, Reason> {
    items.check(&list)?;
    let (deletes, mut kept): (Vec<_>, Vec<_>) =
        list.into_iter().partition(|item| items.maps && is_delete(item));
    // A single item is compared with nothing.
    if kept.len() > 1 {
        let places = kept.into_iter().map(|item| Ok((order.position(items.key_of(&item))?, item)));
        let mut places = places.collect::<Result<Vec<_>, Reason>>()?;
        sort_stable(&mut places, |(a, _), (b, _)| match (a, b) {
            (Some(a), Some(b)) => a < b,
            _ => true,
        });
        kept = places.into_iter().map(|(_, item)| item).collect();
    }
    kept.extend(deletes);
    Ok(kept)
}

/// Puts the items of the patch and those that only the server has in order.
///
/// Upstream: `normalizeElementOrder`.
pub(super) fn normalize(
    (patch, server): (Vec<Value>, Vec<Value>),
    wanted: &Order<'_>,
    live: &Order<'_>,
    items: Items<'_>,
) -> Result<Vec<Value>, Reason> {
    let patch = sort_by(patch, wanted, items)?;
    let server = sort_by(server, live, items)?;
    zip(server, patch, live, items)
}

/// Puts items of `left` between those of `right`: each before the first that comes later in the order.
///
/// Upstream: `mergeSortedSlice`.
fn zip(
    left: Vec<Value>,
    right: Vec<Value>,
    order: &Order<'_>,
    items: Items<'_>,
) -> Result<Vec<Value>, Reason> {
    let mut all = Vec::with_capacity(left.len() + right.len());
    let mut left = left.into_iter().peekable();
    for item in right {
        if left.peek().is_some() {
            let at = order.position(items.key_of(&item))?;
            while let Some(next) = left.peek() {
                let earlier = match (order.position(items.key_of(next))?, at) {
                    (Some(next), Some(at)) => next < at,
                    _ => false,
                };
                if !earlier {
                    break;
                }
                all.extend(left.next());
            }
        }
        all.push(item);
    }
    all.extend(left);
    Ok(all)
}

/// Splits a list into the items that are in another list and those that are not.
///
/// Upstream: `partitionMapsByPresentInList` and, where there is no merge key, `partitionPrimitivesByPresentInList`.
pub(super) fn partition(
    list: Vec<Value>,
    by: &[Value],
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), Reason> {
    if !key.is_empty() {
        // The reference looks through the list from its start, and stumbles over what is no map.
        let maps = by.iter().take_while(|item| item.is_object()).count();
        let order = Order::of_keys(by[..maps].iter().map(|item| item.get(key)));
        let parts = split(list, &order, key)?;
        let stumbles = maps < by.len() && !parts.1.is_empty();
        return if stumbles { Err(Reason::WrongType { expected: "map" }) } else { Ok(parts) };
    }
    let by = by.iter().map(Key::hashable).collect::<Result<HashSet<_>, _>>()?;
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    for item in list {
        let found = by.contains(&Key::hashable(&item)?);
        if found { &mut present } else { &mut absent }.push(item);
    }
    Ok((present, absent))
}

/// Splits a list of maps into those whose keys are there and those whose are not.
pub(super) fn split(
    list: Vec<Value>,
    order: &Order<'_>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), Reason> {
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    for item in list {
        let found = order.position(merge_key(&item, key)?)?.is_some();
        if found { &mut present } else { &mut absent }.push(item);
    }
    Ok((present, absent))
}

/// Checks that the items of a patch come in the wanted order.
///
/// Upstream: `validatePatchWithSetOrderList`.
pub(super) fn check_order(patch: &[Value], wanted: &[Value], key: &str) -> Result<(), Reason> {
    if patch.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    if !key.is_empty() && !patch.iter().all(Value::is_object) {
        return Err(Reason::WrongType { expected: "map" });
    }
    let mut items = patch.iter().filter(|item| key.is_empty() || !is_delete(item)).peekable();
    let mut wanted = wanted.iter().peekable();
    while let (Some(item), Some(next)) = (items.peek(), wanted.peek()) {
        if item.get(DIRECTIVE).is_some() {
            items.next();
            continue;
        }
        if keys_equal(item, next, key)? {
            items.next();
        }
        wanted.next();
    }
    // Directives behind the last wanted item are not passed over.
    if items.next().is_some() { Err(Reason::OrderMismatch) } else { Ok(()) }
}

/// Whether two items have the same key, or are the same where there is none.
///
/// Upstream: `mergeKeyValueEqual`.
fn keys_equal(a: &Value, b: &Value, key: &str) -> Result<bool, Reason> {
    if key.is_empty() { go::equal(a, b) } else { go::equal(merge_key(a, key)?, merge_key(b, key)?) }
}

/// Whether both lists have the same keys in the same order.
///
/// Upstream: `isOrderSame`.
pub(super) fn same_order(from: &[Value], to: &[Value], key: &str) -> Result<bool, Reason> {
    if from.len() != to.len() {
        return Ok(false);
    }
    for (a, b) in from.iter().zip(to) {
        if !keys_equal(a, b, key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes out later occurrences of a value by moving the last one into their place, and says how many values are left; what
/// is behind them is what the moves left there.
///
/// Upstream: `deduplicateScalars`, which compares every pair.
pub(super) fn deduplicate(list: &mut [Value]) -> Result<usize, Reason> {
    if list.iter().any(|item| matches!(Kind::of(item), Kind::List | Kind::Map)) {
        return Err(Reason::Uncomparable);
    }
    if list.len() >= MANY {
        return Ok(deduplicate_many(list));
    }
    let mut length = list.len();
    let mut at = 0;
    while at + 1 < length {
        let mut other = at + 1;
        while other < length {
            if go::equal(&list[at], &list[other])? {
                length -= 1;
                list[other] = list[length].clone();
            } else {
                other += 1;
            }
        }
        at += 1;
    }
    Ok(length)
}

/// The same with the places of every value at hand.
fn deduplicate_many(list: &mut [Value]) -> usize {
    let originals = list.to_vec();
    // Which value is where, and where each value still is.
    let mut classes: HashMap<Key<'_>, usize> = HashMap::new();
    let mut class_at = Vec::with_capacity(list.len());
    let mut places: Vec<std::collections::BTreeSet<usize>> = Vec::new();
    for (at, item) in originals.iter().enumerate() {
        let Some(key) = Key::of(item) else { continue };
        let class = *classes.entry(key).or_insert(places.len());
        if class == places.len() {
            places.push(std::collections::BTreeSet::new());
        }
        places[class].insert(at);
        class_at.push(class);
    }
    let mut length = list.len();
    let mut at = 0;
    while at + 1 < length {
        let class = class_at[at];
        while let Some(&other) = places[class].range(at + 1..).next() {
            length -= 1;
            list[other] = list[length].clone();
            let moved = class_at[length];
            places[moved].remove(&length);
            places[class].remove(&other);
            if other < length {
                class_at[other] = moved;
                places[moved].insert(other);
            }
        }
        at += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// As upstream does it: every pair is compared.
    fn slowly(list: &mut [Value]) -> usize {
        let mut length = list.len();
        let mut at = 0;
        while at + 1 < length {
            let mut other = at + 1;
            while other < length {
                if list[at] == list[other] {
                    length -= 1;
                    list[other] = list[length].clone();
                } else {
                    other += 1;
                }
            }
            at += 1;
        }
        length
    }

    #[test]
    fn duplicates_are_filled_from_the_end() {
        let mut list = vec![json!("a"), json!("a"), json!("b"), json!("a"), json!("c")];
        assert_eq!(deduplicate(&mut list), Ok(3));
        assert_eq!(list[..3], [json!("a"), json!("c"), json!("b")]);
        assert_eq!(deduplicate(&mut [json!({}), json!({})]), Err(Reason::Uncomparable));
    }

    proptest! {
        #[test]
        fn many_are_deduplicated_like_few(list in proptest::collection::vec(0_u8..12, 0..60)) {
            let list: Vec<Value> = list.into_iter().map(Value::from).collect();
            let (mut fast, mut slow) = (list.clone(), list);
            prop_assert_eq!(deduplicate_many(&mut fast), slowly(&mut slow));
            prop_assert_eq!(&fast, &slow);
            let mut either = fast.clone();
            prop_assert_eq!(deduplicate(&mut either).unwrap(), slowly(&mut slow));
            prop_assert_eq!(either, slow);
        }

        #[test]
        fn places_of_many_are_those_of_few(keys in proptest::collection::vec(0_u8..30, 0..40), key in 0_u8..31) {
            let keys: Vec<Value> = keys.into_iter().map(Value::from).collect();
            let order = Order::of_keys(keys.iter().map(Some));
            let key = Value::from(key);
            prop_assert_eq!(order.position(&key).unwrap(), keys.iter().position(|other| *other == key));
        }
    }
}
