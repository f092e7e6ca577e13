//! Which values of a tree the elements of a set stand for.

use std::cmp::Ordering;

use std::ops::Range;

use serde_json::Value;

use super::compiled::{CompiledNode, Element};
use super::tree::{self, Shape, Tree};
use crate::ItemKey;
use crate::PathElement;
use crate::canonical;
use crate::schema::{ListKind, Type};

/// One value that a set has something to say about.
#[derive(Clone, Copy)]
pub(super) struct Match<T> {
    /// Which element of the level stands for it.
    pub(super) element: usize,
    /// Where it is among its siblings.
    pub(super) position: usize,
    pub(super) value: T,
}

/// Appends what the elements of a level stand for in a value, sorted by element.
///
/// A field of a map is found once. An item of a list can be there more than once, where whoever wrote the list did not
/// heed its keys: such items all count, in their order.
pub(super) fn find<'t, T: Tree<'t>>(
    level: &[CompiledNode<'_>],
    value: T,
    ty: Type<'_>,
    found: &mut Vec<Match<T>>,
) {
    let base = found.len();
    let is_map = match value.shape() {
        Shape::Map(fields) => {
            let named = level.partition_point(|node| matches!(node.element, Element::Field(_)));
            let level = level.get(..named).unwrap_or_default();
            fields_of(level, fields, found);
            true
        }
        Shape::List(items) => {
            Items::of(level, ty).find(items, found);
            false
        }
        _ => return,
    };
    let new = found.get_mut(base..).unwrap_or_default();
    let order = |m: &Match<T>| (m.element, m.position);
    if !new.is_sorted_by_key(order) {
        new.sort_unstable_by_key(order);
    }
    if is_map {
        keep_last(base, found);
    }
}

fn fields_of<'t, T: Tree<'t>>(level: &[CompiledNode<'_>], fields: T::Fields, found: &mut Vec<Match<T>>) {
    // Maps and sets are often sorted alike.
    let mut next = 0;
    for (position, (name, value)) in fields.enumerate() {
        let is = |node: &CompiledNode<'_>| matches!(node.element, Element::Field(known) if known == name);
        let element = if level.get(next).is_some_and(is) {
            next
        } else {
            match level.binary_search_by(|node| node.element.cmp(&Element::Field(name))) {
                Ok(at) => at,
                Err(_) => continue,
            }
        };
        next = element + 1;
        found.push(Match { element, position, value });
    }
}

/// Of fields with one name only the last counts.
fn keep_last<T: Copy>(base: usize, found: &mut Vec<Match<T>>) {
    let twice = |pair: &[Match<T>]| matches!(pair, [a, b] if a.element == b.element);
    if !found.get(base..).unwrap_or_default().windows(2).any(twice) {
        return;
    }
    let mut kept: Vec<Match<T>> = Vec::new();
    for next in found.drain(base..) {
        match kept.last_mut() {
            Some(last) if last.element == next.element => *last = next,
            _ => kept.push(next),
        }
    }
    found.extend(kept);
}

/// In how many ways the items of one list may be named: by which of its key fields. Three key fields give seven ways, and
/// no list of Kubernetes has more; what a set names in further ways is not found.
const MOST_NAMINGS: usize = 8;

/// The elements of a level that stand for items of a list.
struct Items<'l, 'a> {
    level: &'l [CompiledNode<'a>],
    namings: Vec<Naming<'l>>,
    values: Range<usize>,
    indexes: Range<usize>,
}

/// Elements whose keys have the same fields.
struct Naming<'l> {
    /// The fields, sorted, with the values of items that lack them.
    fields: Vec<(&'l str, Option<&'l Value>)>,
    /// Sorted by the values of the fields.
    elements: Vec<(usize, &'l ItemKey)>,
}

impl<'l, 'a> Items<'l, 'a> {
    fn of(level: &'l [CompiledNode<'a>], ty: Type<'l>) -> Self {
        let mut namings: Vec<Naming<'l>> = Vec::new();
        let (mut values, mut indexes) = (level.len()..level.len(), level.len()..level.len());
        for (at, node) in level.iter().enumerate() {
            let Element::Item(item) = &node.element else { continue };
            match &**item {
                PathElement::Field(_) => {}
                PathElement::Key(key) => Naming::add(&mut namings, at, key, ty),
                // Sorted: values after keys, and indexes last.
                PathElement::Value(_) => values = values.start.min(at)..at + 1,
                PathElement::Index(_) => indexes = indexes.start.min(at)..at + 1,
            }
        }
        Self { level, namings, values, indexes }
    }

    fn find<'t, T: Tree<'t>>(&self, items: T::Items, found: &mut Vec<Match<T>>) {
        let mut fields = Vec::new();
        for (position, item) in items.enumerate() {
            let mut push = |element| found.push(Match { element, position, value: item });
            for naming in &self.namings {
                naming.element_of(item, &mut fields).into_iter().for_each(&mut push);
            }
            if let Some(at) = self.search(&self.values, |element| match element {
                PathElement::Value(value) => tree::cmp(item, value).reverse(),
                _ => Ordering::Less,
            }) {
                push(at);
            }
            if let Some(at) = self.search(&self.indexes, |element| match element {
                PathElement::Index(index) => index.cmp(&position),
                _ => Ordering::Less,
            }) {
                push(at);
            }
        }
    }

    fn search(&self, range: &Range<usize>, order: impl Fn(&PathElement) -> Ordering) -> Option<usize> {
        let level = self.level.get(range.clone()).filter(|level| !level.is_empty())?;
        let at = level.binary_search_by(|node| match &node.element {
            Element::Item(item) => order(item),
            Element::Field(_) => Ordering::Less,
        });
        at.ok().map(|at| range.start + at)
    }
}

impl<'l> Naming<'l> {
    fn add(namings: &mut Vec<Self>, at: usize, key: &'l ItemKey, ty: Type<'l>) {
        let same = |naming: &&mut Self| {
            naming.fields.len() == key.len()
                && naming.fields.iter().zip(key.iter()).all(|(a, b)| *a.0 == **b.0)
        };
        if let Some(naming) = namings.iter_mut().find(same) {
            naming.elements.push((at, key));
        } else if namings.len() < MOST_NAMINGS {
            let known = match ty.list_kind() {
                ListKind::Map(fields) => fields,
                _ => &[],
            };
            let default = |name: &str| known.iter().find(|field| &*field.name == name)?.default.as_ref();
            let fields = key.keys().map(|name| (&**name, default(name))).collect();
            namings.push(Self { fields, elements: vec![(at, key)] });
        }
    }

    /// The element whose key an item has.
    fn element_of<'t, T: Tree<'t>>(&self, item: T, found: &mut Vec<Option<T>>) -> Option<usize> {
        let Shape::Map(fields) = item.shape() else { return None };
        found.clear();
        found.resize(self.fields.len(), None);
        let mut any = false;
        for (name, value) in fields {
            if let Ok(at) = self.fields.binary_search_by(|(known, _)| (*known).cmp(name))
                && let Some(field) = found.get_mut(at)
            {
                let is_null = matches!(value.shape(), Shape::Null);
                any |= !is_null;
                *field = (!is_null).then_some(value);
            }
        }
        if !any {
            return None;
        }
        let at = self.elements.binary_search_by(|(_, key)| {
            let mut order = Ordering::Equal;
            for (((_, want), value), (_, default)) in key.iter().zip(&*found).zip(&self.fields) {
                order = order.then_with(|| match (value, default) {
                    (Some(value), _) => tree::cmp(*value, want).reverse(),
                    (None, Some(default)) => canonical::cmp(want, default),
                    // An item without the field is none that this names, and comes before all that have it.
                    (None, None) => Ordering::Greater,
                });
            }
            order
        });
        at.ok().and_then(|at| self.elements.get(at)).map(|(at, _)| *at)
    }
}
