//! The items of two lists paired by keys that all differ: the usual case, found without sorting.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::go::{Key, Kind};

/// Up to this many items, pairs are found by looking through the list.
const FEW: usize = 16;

/// Which item of the old list goes with each item of the new one.
pub(super) struct Pairs {
    places: Places,
    new: usize,
    old: usize,
}

enum Places {
    Few([u8; FEW]),
    Many(Vec<Option<usize>>),
}

/// A place in [`Places::Few`] that is none.
const NOWHERE: u8 = u8::MAX;

impl Pairs {
    /// `None` if an item has no key, two items of a list have the same one, or the keys are not all texts or all integers:
    /// keys of different types can have the same text.
    pub(super) fn of(old: &[Value], new: &[Value], key: &str) -> Option<Self> {
        let key_of = key_like(new.first().or(old.first())?, key)?;
        let places = if old.len() <= FEW && new.len() <= FEW {
            Places::Few(few(old, new, key_of)?)
        } else {
            Places::Many(many(old, new, key_of)?)
        };
        Some(Self { places, new: new.len(), old: old.len() })
    }

    /// For each new item, where the old one is.
    pub(super) fn places(&self) -> impl Iterator<Item = Option<usize>> {
        (0..self.new).map(|at| match &self.places {
            Places::Few(places) => places.get(at).filter(|at| **at != NOWHERE).map(|at| usize::from(*at)),
            Places::Many(places) => places.get(at).copied().flatten(),
        })
    }

    /// How many items of the old list the new one has.
    pub(super) fn matched(&self) -> usize {
        self.places().flatten().count()
    }

    pub(super) fn same_order(&self) -> bool {
        self.old == self.new && self.places().enumerate().all(|(at, place)| place == Some(at))
    }

    /// The items of the old list that the new one does not have.
    pub(super) fn unmatched<'v>(&self, old: &'v [Value]) -> impl Iterator<Item = &'v Value> {
        let mut matched = vec![false; self.old];
        for at in self.places().flatten() {
            matched[at] = true;
        }
        old.iter().zip(matched).filter(|(_, matched)| !matched).map(|(item, _)| item)
    }
}

/// The keys of a list's items, all of them different, and all texts or all integers.
pub(super) struct Keys<'v> {
    name: &'v str,
    list: KeyList<'v>,
}

#[expect(clippy::large_enum_variant, reason = "it lives as long as a list is walked; a box would cost more")]
enum KeyList<'v> {
    Few([Key<'v>; FEW], usize),
    Many(Vec<Key<'v>>),
}

impl<'v> Keys<'v> {
    /// `None` if an item has no key, two items have the same one, or the keys are of another type, or of two.
    pub(super) fn of(items: &'v [Value], name: &'v str) -> Option<Self> {
        let key_of = key_like(items.first()?, name)?;
        if items.len() > FEW {
            let keys = items.iter().map(key_of).collect::<Option<Vec<_>>>()?;
            let mut seen = HashSet::with_capacity(keys.len());
            return keys
                .iter()
                .all(|key| seen.insert(*key))
                .then_some(Self { name, list: KeyList::Many(keys) });
        }
        let mut keys = [Key::Null; FEW];
        for (at, item) in items.iter().enumerate() {
            let key = key_of(item)?;
            if keys[..at].contains(&key) {
                return None;
            }
            keys[at] = key;
        }
        Some(Self { name, list: KeyList::Few(keys, items.len()) })
    }

    /// Whether these items have the same keys in the same order.
    pub(super) fn are_those_of(&self, items: &[Value]) -> bool {
        let keys = match &self.list {
            KeyList::Few(keys, count) => &keys[..*count],
            KeyList::Many(keys) => keys,
        };
        items.len() == keys.len()
            && items.iter().zip(keys).all(|(item, key)| item.get(self.name).and_then(Key::of) == Some(*key))
    }
}

/// Reads keys of the type that the first item's has, if that is one that can be compared as text.
fn key_like<'v>(first: &'v Value, name: &str) -> Option<impl Fn(&'v Value) -> Option<Key<'v>>> {
    let kind = first.get(name).map(Kind::of);
    if !matches!(kind, Some(Kind::Text | Kind::Int)) {
        return None;
    }
    Some(move |item: &'v Value| {
        let value = item.get(name)?;
        if Some(Kind::of(value)) == kind { Key::of(value) } else { None }
    })
}

fn few<'v>(
    old: &'v [Value],
    new: &'v [Value],
    key_of: impl Fn(&'v Value) -> Option<Key<'v>>,
) -> Option<[u8; FEW]> {
    let mut keys = [Key::Null; FEW];
    for (at, item) in old.iter().enumerate() {
        let key = key_of(item)?;
        if keys[..at].contains(&key) {
            return None;
        }
        keys[at] = key;
    }
    let keys = &keys[..old.len()];
    let mut places = [NOWHERE; FEW];
    let mut added = [Key::Null; FEW];
    let mut extra = 0;
    for (at, item) in new.iter().enumerate() {
        let key = key_of(item)?;
        // Mostly it is where it was.
        let place =
            if keys.get(at) == Some(&key) { Some(at) } else { keys.iter().position(|other| *other == key) };
        match place {
            Some(place) => {
                // Fewer than sixteen.
                let place = u8::try_from(place).ok()?;
                if places[..at].contains(&place) {
                    return None;
                }
                places[at] = place;
            }
            None if added[..extra].contains(&key) => return None,
            None => {
                added[extra] = key;
                extra += 1;
            }
        }
    }
    Some(places)
}

fn many<'v>(
    old: &'v [Value],
    new: &'v [Value],
    key_of: impl Fn(&'v Value) -> Option<Key<'v>>,
) -> Option<Vec<Option<usize>>> {
    let mut known = HashMap::with_capacity(old.len());
    for (at, item) in old.iter().enumerate() {
        // Who has this key in the new list is not known yet.
        if known.insert(key_of(item)?, (Some(at), false)).is_some() {
            return None;
        }
    }
    let mut places = Vec::with_capacity(new.len());
    for item in new {
        let (place, taken) = known.entry(key_of(item)?).or_insert((None, false));
        if std::mem::replace(taken, true) {
            return None;
        }
        places.push(*place);
    }
    Some(places)
}
