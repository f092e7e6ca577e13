//! The items of keyed lists and sets, told apart by their keys (`typed/helpers.go`, `listItemToPathElement`).

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::schema::ListKind;
use crate::{ItemKey, PathElement, canonical};

/// What tells an item apart: its value in a set, the values of its key fields in a keyed list, in the schema's order.
#[derive(Clone)]
pub(super) struct Id<'a> {
    first: Option<&'a Value>,
    rest: Box<[Option<&'a Value>]>,
}

/// Why an item has no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NoId {
    SetOfMaps,
    SetOfLists,
    NullInSet,
    Null,
    NotAMap,
    NoKey,
}

impl NoId {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::SetOfMaps => "a set cannot hold maps",
            Self::SetOfLists => "a set cannot hold lists",
            Self::NullInSet => "a set cannot hold null",
            Self::Null => "a list with keys cannot hold null",
            Self::NotAMap => "a list with keys holds maps only",
            Self::NoKey => "none of the list's key fields is there, and none has a default",
        }
    }
}

impl<'a> Id<'a> {
    pub(super) fn of(item: &'a Value, kind: ListKind<'a>) -> Result<Self, NoId> {
        let ListKind::Map(keys) = kind else {
            return match item {
                Value::Object(_) => Err(NoId::SetOfMaps),
                Value::Array(_) => Err(NoId::SetOfLists),
                Value::Null => Err(NoId::NullInSet),
                _ => Ok(Self { first: Some(item), rest: Box::default() }),
            };
        };
        let map = match item {
            Value::Object(map) => map,
            Value::Null => return Err(NoId::Null),
            _ => return Err(NoId::NotAMap),
        };
        let mut values = keys.iter().map(|key| map.get(&*key.name).or(key.default.as_ref()));
        let first = values.next().flatten();
        let rest: Box<[_]> = values.collect();
        if first.is_none() && !keys.is_empty() && rest.iter().all(Option::is_none) {
            return Err(NoId::NoKey);
        }
        Ok(Self { first, rest })
    }

    /// The element of a path that names the item.
    pub(super) fn element(&self, kind: ListKind<'_>) -> PathElement {
        match kind {
            ListKind::Map(keys) => {
                let values = std::iter::once(&self.first).chain(self.rest.iter());
                let fields = keys.iter().zip(values);
                let fields =
                    fields.filter_map(|(key, value)| Some((Arc::clone(&key.name), (*value)?.clone())));
                PathElement::Key(fields.collect::<ItemKey>())
            }
            _ => PathElement::Value(self.first.cloned().unwrap_or_default()),
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        cmp(self.first, other.first).then_with(|| {
            let pairs = self.rest.iter().zip(other.rest.iter());
            pairs.map(|(a, b)| cmp(*a, *b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        })
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

fn cmp(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => canonical::cmp(a, b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

/// Lists up to this length are searched from the front.
const SHORT: usize = 8;

/// The items of a list with their identities.
pub(super) struct Items<'a> {
    pub(super) list: &'a [Value],
    pub(super) ids: Vec<Id<'a>>,
    /// Of a long list: positions, sorted by identity and then position.
    sorted: Vec<usize>,
    pub(super) has_duplicates: bool,
}

impl<'a> Items<'a> {
    /// The error names the position of the first item without an identity.
    pub(super) fn of(list: &'a [Value], kind: ListKind<'a>) -> Result<Self, (usize, NoId)> {
        let mut ids = Vec::with_capacity(list.len());
        for (at, item) in list.iter().enumerate() {
            ids.push(Id::of(item, kind).map_err(|why| (at, why))?);
        }
        let mut items = Self { list, ids, sorted: Vec::new(), has_duplicates: false };
        if items.ids.len() <= SHORT {
            items.has_duplicates = items.ids.iter().enumerate().any(|(at, id)| items.scan(id) != Some(at));
        } else {
            let mut sorted: Vec<usize> = (0..items.ids.len()).collect();
            sorted.sort_by(|a, b| items.cmp_at(*a, *b).then_with(|| a.cmp(b)));
            items.has_duplicates = sorted.windows(2).any(|pair| match pair {
                [a, b] => items.cmp_at(*a, *b).is_eq(),
                _ => false,
            });
            items.sorted = sorted;
        }
        Ok(items)
    }

    pub(super) fn empty() -> Self {
        Self { list: &[], ids: Vec::new(), sorted: Vec::new(), has_duplicates: false }
    }

    fn cmp_at(&self, a: usize, b: usize) -> Ordering {
        match (self.ids.get(a), self.ids.get(b)) {
            (Some(a), Some(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }

    fn scan(&self, id: &Id<'_>) -> Option<usize> {
        self.ids.iter().position(|known| known.is(id))
    }

    /// The position of the first item with this identity; `hint` is where it probably is.
    pub(super) fn find(&self, id: &Id<'_>, hint: usize) -> Option<usize> {
        if !self.has_duplicates && self.ids.get(hint).is_some_and(|known| known.is(id)) {
            return Some(hint);
        }
        if self.sorted.is_empty() {
            return self.scan(id);
        }
        self.sorted.get(self.range(id)).and_then(|found| found.first().copied())
    }

    fn range(&self, id: &Id<'_>) -> Range<usize> {
        let order = |at: &usize| self.ids.get(*at).map_or(Ordering::Greater, |known| known.cmp(id));
        let start = self.sorted.partition_point(|at| order(at).is_lt());
        let length = self.sorted.get(start..).map_or(0, |rest| rest.partition_point(|at| order(at).is_eq()));
        start..start + length
    }

    /// All items with this identity, in the list's order.
    pub(super) fn all(&self, id: &Id<'_>) -> Vec<&'a Value> {
        let mut found = Vec::new();
        if self.sorted.is_empty() {
            let like = self.ids.iter().zip(self.list).filter(|(known, _)| known.is(id));
            found.extend(like.map(|(_, item)| item));
        } else {
            let positions = self.sorted.get(self.range(id)).unwrap_or_default();
            found.extend(positions.iter().filter_map(|at| self.list.get(*at)));
        }
        found
    }

    /// Whether the item at `at` has a like one.
    pub(super) fn is_duplicate(&self, at: usize) -> bool {
        self.has_duplicates
            && self.ids.get(at).is_some_and(|id| {
                if self.sorted.is_empty() {
                    self.ids.iter().filter(|known| known.is(id)).count() > 1
                } else {
                    self.range(id).len() > 1
                }
            })
    }
}
