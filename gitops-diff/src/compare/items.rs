//! Which item of one list is which item of another.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use serde_json::Value;

use super::trail::Step;
use crate::canonical::{self, Canonical};
use crate::schema::{KeyField, ListKind};

/// A list, without the items that are left alone.
#[derive(Clone, Debug)]
pub(crate) enum Items<'a> {
    All(&'a [Value]),
    Some(Vec<&'a Value>),
}

impl<'a> Items<'a> {
    pub(super) fn get(&self, at: usize) -> Option<&'a Value> {
        match self {
            Self::All(items) => items.get(at),
            Self::Some(items) => items.get(at).copied(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(items) => items.len(),
            Self::Some(items) => items.len(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Value> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

/// How the items of a list are told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Naming<'t> {
    Set,
    Keys(&'t [KeyField]),
    /// By a field that was found by looking.
    Field(&'static str),
}

impl<'t> Naming<'t> {
    pub(crate) fn of(kind: ListKind<'t>) -> Option<Self> {
        match kind {
            ListKind::Atomic => None,
            ListKind::Set => Some(Self::Set),
            ListKind::Map(keys) => Some(Self::Keys(keys)),
        }
    }

    /// A field that tells the items of both lists apart: all are maps, all have it, and no two of one list have the same.
    pub(crate) fn deduced(one: &Items<'_>, other: &Items<'_>) -> Option<Self> {
        const CANDIDATES: [&str; 12] = [
            "name",
            "key",
            "id",
            "uid",
            "type",
            "host",
            "path",
            "mountPath",
            "port",
            "containerPort",
            "ip",
            "kind",
        ];
        if one.len() == 0 && other.len() == 0 {
            return None;
        }
        let works = |field: &&&str| {
            [one, other].into_iter().all(|items| {
                let mut seen = std::collections::HashSet::new();
                items.iter().all(|item| {
                    let value = item.get(**field).filter(|value| value.is_string() || value.is_number());
                    value.is_some_and(|value| seen.insert(Canonical(value)))
                })
            })
        };
        CANDIDATES.iter().find(works).map(|field| Self::Field(field))
    }

    /// The name of an item; `None` for one that cannot have a name in such a list.
    pub(crate) fn name(self, item: &'t Value) -> Option<Name<'t>> {
        let named = match self {
            Self::Set => !item.is_array() && !item.is_object(),
            Self::Keys(keys) => {
                let odd = |field: &KeyField| {
                    matches!(item.get(&*field.name), Some(Value::Array(_) | Value::Object(_)))
                };
                let has = |field: &KeyField| item.get(&*field.name).is_some_and(|value| !value.is_null());
                item.is_object() && keys.iter().any(has) && !keys.iter().any(odd)
            }
            Self::Field(field) => item.get(field).is_some(),
        };
        named.then_some(Name { item, naming: self })
    }

    pub(crate) fn step(self, item: &'t Value) -> Step<'t> {
        match self {
            Self::Set => Step::Value(item),
            Self::Keys(keys) => Step::Item(item, keys),
            Self::Field(field) => Step::Named(item, field),
        }
    }
}

/// The key fields of an item with their values: those that it lacks have their default, or are left out.
pub(super) fn key_of<'t>(
    item: &'t Value,
    keys: &'t [KeyField],
) -> impl Iterator<Item = (&'t KeyField, &'t Value)> {
    keys.iter().filter_map(move |field| key_value(item, field).map(|value| (field, value)))
}

fn key_value<'t>(item: &'t Value, field: &'t KeyField) -> Option<&'t Value> {
    item.get(&*field.name).filter(|value| !value.is_null()).or(field.default.as_ref())
}

/// An item as its name: equal to others of the same name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'t> {
    item: &'t Value,
    naming: Naming<'t>,
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        match self.naming {
            Naming::Set => canonical::same(self.item, other.item),
            Naming::Keys(keys) => keys.iter().all(|field| {
                let (one, two) = (key_value(self.item, field), key_value(other.item, field));
                match (one, two) {
                    (Some(one), Some(two)) => canonical::same(one, two),
                    (None, None) => true,
                    _ => false,
                }
            }),
            Naming::Field(field) => match (self.item.get(field), other.item.get(field)) {
                (Some(one), Some(two)) => canonical::same(one, two),
                _ => false,
            },
        }
    }
}

impl Eq for Name<'_> {}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.naming {
            Naming::Set => canonical::hash(self.item, state),
            Naming::Keys(keys) => {
                for (field, value) in key_of(self.item, keys) {
                    field.name.hash(state);
                    canonical::hash(value, state);
                }
            }
            Naming::Field(field) => {
                if let Some(value) = self.item.get(field) {
                    canonical::hash(value, state);
                }
            }
        }
    }
}

/// Finds items by name. Looks where the item is likely to be before it makes an index, once.
#[derive(Debug)]
pub(super) struct Finder<'s, 'a> {
    items: &'s Items<'a>,
    naming: Naming<'a>,
    index: Option<HashMap<Name<'a>, usize>>,
    next: usize,
}

impl<'s, 'a> Finder<'s, 'a> {
    pub(super) fn new(items: &'s Items<'a>, naming: Naming<'a>) -> Self {
        Self { items, naming, index: None, next: 0 }
    }

    /// The position of the first item of this name. Only right if the list has no name twice or the index is there.
    fn guess(&self, name: Name<'a>) -> Option<usize> {
        let there = self.items.get(self.next)?;
        (self.naming.name(there)? == name).then_some(self.next)
    }

    /// The position of the first item of this name.
    pub(super) fn find(&mut self, name: Name<'a>) -> Option<usize> {
        if self.index.is_none() {
            // Both lists have gone along together so far: what was passed has other names.
            if let Some(at) = self.guess(name) {
                self.next += 1;
                return Some(at);
            }
            self.index = Some(index(self.items, self.naming).0);
        }
        self.index.as_ref()?.get(&name).copied()
    }
}

/// The first item of each name, and whether all items have names of their own.
pub(super) fn index<'a>(items: &Items<'a>, naming: Naming<'a>) -> (HashMap<Name<'a>, usize>, bool) {
    let mut index = HashMap::with_capacity(items.len());
    let mut clean = true;
    for (at, item) in items.iter().enumerate() {
        match naming.name(item) {
            Some(name) if !index.contains_key(&name) => {
                index.insert(name, at);
            }
            _ => clean = false,
        }
    }
    (index, clean)
}
