//! Laying one value over another (`typed/merge.go`).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::items::Items;
use super::validate::{Invalid, Violation, ViolationKind};
use super::{Hidden, Shape, Shapes, associative, child_of};
use crate::schema::{ListKind, MapType, Type};
use crate::{FieldPath, PathElement};

/// The live value with what the configuration states laid over it: maps field by field, keyed lists item by item, sets
/// united, everything atomic replaced.
///
/// Nothing is removed. Keyed lists and sets come in the configuration's order, and each item that it does not state
/// stays behind the one it is behind. A null or an empty map does nothing to a map that is not empty. What is left as it
/// is is not copied: an unchanged value is borrowed.
///
/// The error names lists of which the configuration has an item twice, or whose items cannot be told apart.
pub fn merge<'a>(live: &'a Value, config: &Value, ty: Type<'_>) -> Result<Cow<'a, Value>, Invalid> {
    let mut walk =
        Walk { hidden: Hidden::default(), is_checked: false, has_idle: false, violations: Vec::new() };
    let merged = walk.both(live, config, ty);
    Invalid::unless_empty(walk.violations.into_iter().map(Problem::into_violation).collect())?;
    Ok(match merged {
        Merged::Same => Cow::Borrowed(live),
        Merged::New(value) => Cow::Owned(value),
        Merged::Nothing => Cow::Owned(Value::Null),
    })
}

/// Like [`merge`], for a configuration that is known to be valid; a live list whose items cannot be told apart is
/// replaced. Says besides whether there was a null or an empty map or list that did nothing to a live one with something
/// in it.
pub(crate) fn merge_hiding(live: &Value, config: &Value, ty: Type<'_>, hidden: Hidden<'_>) -> (Merged, bool) {
    let mut walk = Walk { hidden, is_checked: true, has_idle: false, violations: Vec::new() };
    let merged = walk.both(live, config, ty);
    (merged, walk.has_idle)
}

/// What became of the live value.
pub(crate) enum Merged {
    /// It stays as it is.
    Same,
    /// It is another.
    New(Value),
    /// It is gone: only where the configuration is not valid.
    Nothing,
}

struct Walk<'h> {
    hidden: Hidden<'h>,
    /// Whether the configuration is known to hold no item twice.
    is_checked: bool,
    /// Whether something empty was laid over something that was not, and did nothing.
    has_idle: bool,
    violations: Vec<Problem>,
}

/// A violation, seen from below: its path from the inside out.
struct Problem {
    way: Vec<PathElement>,
    kind: ViolationKind,
}

impl Problem {
    fn into_violation(self) -> Violation {
        Violation { path: self.way.into_iter().rev().collect::<FieldPath>(), kind: self.kind }
    }
}

impl Walk<'_> {
    fn both(&mut self, live: &Value, config: &Value, ty: Type<'_>) -> Merged {
        match Shapes::of(ty, config).handled() {
            Shape::Scalar => leaf(live, config),
            Shape::Map => {
                let Some(map_type) = ty.map() else { return leaf(live, config) };
                let (old, new) = (live.as_object(), config.as_object());
                let old_is_empty = old.is_none_or(|old| self.hidden.is_empty(old));
                match new {
                    _ if map_type.is_atomic() => leaf(live, config),
                    Some(new) if !new.is_empty() => match old {
                        Some(old) => self.maps(old, new, map_type),
                        None => self.taken(config, ty),
                    },
                    _ if old_is_empty => leaf(live, config),
                    _ => {
                        self.has_idle = true;
                        Merged::Same
                    }
                }
            }
            Shape::List => {
                let (old, new) = (live.as_array(), config.as_array());
                let old_is_empty = old.is_none_or(Vec::is_empty);
                match (associative(ty), old, new) {
                    (None, ..) => leaf(live, config),
                    (Some(kind), Some(old), Some(new)) if !new.is_empty() => {
                        self.lists(old, new, ty, kind).unwrap_or_else(|| leaf(live, config))
                    }
                    (_, None, Some(new)) if !new.is_empty() => self.taken(config, ty),
                    _ if old_is_empty => leaf(live, config),
                    _ => {
                        self.has_idle = true;
                        Merged::Same
                    }
                }
            }
        }
    }

    fn maps(&mut self, live: &Map<String, Value>, config: &Map<String, Value>, ty: MapType<'_>) -> Merged {
        let mut changes: Vec<(&str, Option<Value>)> = Vec::new();
        for (name, new) in config {
            let old = live.get(name).filter(|old| !self.hidden.is(old));
            // Most fields are texts that did not change.
            if let (Some(Value::String(old)), Value::String(new)) = (old, new)
                && old == new
            {
                continue;
            }
            let (_, child) = child_of(ty, name);
            let known = self.violations.len();
            let merged = match old {
                Some(old) => self.both(old, new, child),
                None => self.taken(new, child),
            };
            self.below(known, || PathElement::field(name.as_str()));
            match merged {
                Merged::Same => {}
                Merged::New(value) => changes.push((name, Some(value))),
                Merged::Nothing => changes.push((name, None)),
            }
        }
        if changes.is_empty() {
            return Merged::Same;
        }
        if !changes.is_sorted_by(|a, b| a.0 <= b.0) {
            changes.sort_by(|a, b| a.0.cmp(b.0));
        }
        let mut merged = Map::new();
        for (name, old) in live {
            if self.hidden.is(old) {
                continue;
            }
            let change = changes.binary_search_by(|(known, _)| (*known).cmp(name)).ok();
            match change.and_then(|at| changes.get_mut(at)) {
                None => _ = merged.insert(name.clone(), self.hidden.copy(old)),
                Some((_, new)) => _ = new.take().map(|new| merged.insert(name.clone(), new)),
            }
        }
        for (name, new) in changes {
            if let Some(new) = new {
                merged.insert(name.to_owned(), new);
            }
        }
        if merged.is_empty() { Merged::Nothing } else { Merged::New(Value::Object(merged)) }
    }

    /// A part of the configuration that is new.
    fn taken(&mut self, config: &Value, ty: Type<'_>) -> Merged {
        if self.is_checked {
            return Merged::New(config.clone());
        }
        match (Shapes::of(ty, config).handled(), config, ty.map(), associative(ty)) {
            (Shape::Map, Value::Object(map), Some(ty), _) if !ty.is_atomic() && !map.is_empty() => {
                self.maps(&Map::new(), map, ty)
            }
            (Shape::List, Value::Array(items), _, Some(kind)) if !items.is_empty() => {
                self.lists(&[], items, ty, kind).unwrap_or_else(|| Merged::New(config.clone()))
            }
            _ => Merged::New(config.clone()),
        }
    }

    /// Puts the violations since `known` below an element.
    fn below(&mut self, known: usize, element: impl FnOnce() -> PathElement) {
        if self.violations.len() > known {
            let element = element();
            for problem in self.violations.iter_mut().skip(known) {
                problem.way.push(element.clone());
            }
        }
    }

    fn named<'a>(&mut self, list: &'a [Value], kind: ListKind<'a>, unique: bool) -> Option<Items<'a>> {
        let mut report = |kind| self.violations.push(Problem { way: Vec::new(), kind });
        match Items::of(list, kind) {
            Err((index, why)) => {
                report(ViolationKind::Item { index, problem: why.text() });
                None
            }
            Ok(items) => {
                if unique && items.has_duplicates {
                    for (at, id) in items.ids.iter().enumerate() {
                        if items.find(id, at) != Some(at) {
                            report(ViolationKind::Duplicate(id.element(kind)));
                        }
                    }
                }
                Some(items)
            }
        }
    }

    /// `None` if the items cannot be told apart.
    fn lists(
        &mut self,
        live: &[Value],
        config: &[Value],
        ty: Type<'_>,
        kind: ListKind<'_>,
    ) -> Option<Merged> {
        let new = self.named(config, kind, true)?;
        let old = if live.is_empty() { Items::empty() } else { self.named(live, kind, false)? };
        if new.has_duplicates {
            return Some(Merged::Nothing);
        }
        let pieces = Order::of(&old, &new).pieces();
        let item_type = ty.item_or_deduced();
        let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
        let mut is_same = true;
        for (old_at, new_at) in pieces {
            let piece = match (old_at, new_at.and_then(|at| config.get(at))) {
                (Some(at), None) => Piece::Old(at),
                (at, Some(item)) => {
                    let known = self.violations.len();
                    let result = match at.and_then(|at| live.get(at)) {
                        Some(old) => self.both(old, item, item_type),
                        None => self.taken(item, item_type),
                    };
                    // As upstream has it: what is wrong inside an item is not told.
                    self.violations.truncate(known);
                    match (result, at) {
                        (Merged::Same, Some(at)) => Piece::Old(at),
                        (Merged::New(value), _) => Piece::New(value),
                        _ => continue,
                    }
                }
                (None, None) => continue,
            };
            is_same &= matches!(piece, Piece::Old(at) if at == merged.len());
            merged.push(piece);
        }
        if is_same && merged.len() == live.len() {
            return Some(Merged::Same);
        }
        let items = merged.into_iter().filter_map(|piece| match piece {
            Piece::Old(at) => live.get(at).cloned(),
            Piece::New(value) => Some(value),
        });
        let items: Vec<Value> = items.collect();
        Some(if items.is_empty() { Merged::Nothing } else { Merged::New(Value::Array(items)) })
    }
}

enum Piece {
    Old(usize),
    New(Value),
}

/// A leaf of the configuration replaces what is there.
fn leaf(live: &Value, config: &Value) -> Merged {
    if live == config { Merged::Same } else { Merged::New(config.clone()) }
}

/// The order in which the items of two lists come in the merged one: the walk of `typed/merge.go`, `visitListItems`.
struct Order {
    /// For each live item, where the configuration has it.
    new_of_old: Vec<Option<usize>>,
    /// For each item of the configuration, where it is in the live list; `None` if it is not there.
    old_of_new: Vec<Option<Live>>,
}

#[derive(Clone, Copy)]
enum Live {
    At(usize),
    /// It is there more than once: all of these are replaced, not merged.
    Often,
}

impl Order {
    fn of(old: &Items<'_>, new: &Items<'_>) -> Self {
        let new_of_old = old.ids.iter().enumerate().map(|(at, id)| new.find(id, at)).collect();
        let in_old = |(at, id)| {
            let found = old.find(id, at)?;
            Some(if old.is_duplicate(found) { Live::Often } else { Live::At(found) })
        };
        Self { new_of_old, old_of_new: new.ids.iter().enumerate().map(in_old).collect() }
    }

    /// For each item of the merged list, where it is in the live list and in the configuration.
    fn pieces(&self) -> Vec<(Option<usize>, Option<usize>)> {
        let (old_len, new_len) = (self.new_of_old.len(), self.old_of_new.len());
        let new_of = |at: usize| self.new_of_old.get(at).copied().flatten();
        let old_of = |at: usize| match self.old_of_new.get(at) {
            Some(Some(Live::At(at))) => Some(*at),
            _ => None,
        };
        let mut shared = (0..new_len).filter(|at| matches!(self.old_of_new.get(*at), Some(Some(_))));
        let mut next_shared = shared.next();
        let mut is_done = vec![false; new_len];
        let mut pieces = Vec::with_capacity(old_len.max(new_len));
        let (mut old, mut new) = (0, 0);
        while old < old_len || new < new_len {
            if old < old_len && new < new_len {
                let stated = new_of(old);
                if stated == Some(new) {
                    done(&mut is_done, new);
                    pieces.push((old_of(new), Some(new)));
                    old += 1;
                    new += 1;
                    next_shared = shared.next();
                    continue;
                }
                if stated.is_some() && next_shared.is_some() && next_shared != stated {
                    // It comes later, where the configuration has it.
                    old += 1;
                    continue;
                }
            }
            if old < old_len {
                match new_of(old) {
                    None => {
                        pieces.push((Some(old), None));
                        old += 1;
                        continue;
                    }
                    Some(stated) if is_done.get(stated) == Some(&true) => old += 1,
                    Some(_) => {}
                }
            }
            if new < new_len {
                done(&mut is_done, new);
                pieces.push((old_of(new), Some(new)));
                if next_shared == Some(new) {
                    next_shared = shared.next();
                }
                new += 1;
            }
        }
        pieces
    }
}

fn done(is_done: &mut [bool], at: usize) {
    if let Some(done) = is_done.get_mut(at) {
        *done = true;
    }
}
