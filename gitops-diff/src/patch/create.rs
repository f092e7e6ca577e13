//! Finding the operations that lead from one document to another.

use std::collections::HashMap;

use json_patch::jsonptr::{PointerBuf, Token};
use json_patch::{AddOperation, MoveOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Map, Value};

use super::moving::Moving;
use crate::PathElement;
use crate::align::align;
use crate::canonical::{self, Canonical};
use crate::compare::{Items, Naming};

/// The operations that lead from one document to another.
pub(super) fn operations(from: &Value, to: &Value) -> Vec<PatchOperation> {
    let mut maker = Maker { path: Vec::new(), operations: Vec::new() };
    maker.walk(from, to);
    maker.operations
}

/// Collects the operations, in the order in which they are carried out.
struct Maker {
    path: Vec<String>,
    operations: Vec<PatchOperation>,
}

impl Maker {
    fn pointer(&self) -> PointerBuf {
        PointerBuf::from_tokens(self.path.iter().map(|part| Token::new(part.as_str())))
    }

    fn at(&mut self, part: &impl ToString, visit: impl FnOnce(&mut Self)) {
        self.path.push(part.to_string());
        visit(self);
        self.path.pop();
    }

    fn pointer_to(&self, index: usize) -> PointerBuf {
        let index = index.to_string();
        PointerBuf::from_tokens(self.path.iter().map(String::as_str).chain([index.as_str()]).map(Token::new))
    }

    fn remove(&mut self) {
        let path = self.pointer();
        self.operations.push(PatchOperation::Remove(RemoveOperation { path }));
    }

    fn add(&mut self, value: &Value) {
        let path = self.pointer();
        self.operations.push(PatchOperation::Add(AddOperation { path, value: value.clone() }));
    }

    fn walk(&mut self, from: &Value, to: &Value) {
        match (from, to) {
            _ if from == to => {}
            (Value::Object(f), Value::Object(t)) => self.maps(f, t),
            (Value::Array(f), Value::Array(t)) => self.lists(f, t),
            _ => {
                let path = self.pointer();
                self.operations.push(PatchOperation::Replace(ReplaceOperation { path, value: to.clone() }));
            }
        }
    }

    fn maps(&mut self, from: &Map<String, Value>, to: &Map<String, Value>) {
        for name in from.keys().filter(|name| !to.contains_key(*name)) {
            self.at(name, Self::remove);
        }
        for (name, new) in to {
            self.at(name, |maker| match from.get(name) {
                Some(old) => maker.walk(old, new),
                None => maker.add(new),
            });
        }
    }

    fn lists(&mut self, from: &[Value], to: &[Value]) {
        let (old, new) = names(from, to);
        let aligned = align(&old, &new);
        for at in aligned.removed.iter().rev() {
            self.at(at, Self::remove);
        }
        // Each moved or new item goes right behind the one that comes before it in the end. What has not had its turn yet
        // may lie in between; it moves away later.
        let mut matched = aligned.matched.iter().map(|m| (m.to, m)).collect::<HashMap<_, _>>();
        let mut list = Moving::new(from.len(), aligned.matched.iter().map(|m| m.from));
        for (at, item) in to.iter().enumerate() {
            match matched.remove(&at) {
                Some(m) if !m.moved => list.stays(m.from),
                Some(m) => {
                    let (is, target) = list.moves(m.from);
                    if is != target {
                        let (from, path) = (self.pointer_to(is), self.pointer_to(target));
                        self.operations.push(PatchOperation::Move(MoveOperation { from, path }));
                    }
                }
                None => self.at(&list.joins(), |maker| maker.add(item)),
            }
        }
        for m in &aligned.matched {
            if let (Some(old), Some(new)) = (from.get(m.from), to.get(m.to)) {
                self.at(&m.to, |maker| maker.walk(old, new));
            }
        }
    }
}

/// Names for the items of two lists, so that what is the same on both sides has the same name: a key, or else the value,
/// or else its place among those that have no counterpart.
fn names(from: &[Value], to: &[Value]) -> (Vec<PathElement>, Vec<PathElement>) {
    if let Some(naming) = Naming::deduced(&Items::All(from), &Items::All(to)) {
        let names = |items: &[Value]| items.iter().map(|item| naming.step(item).to_element()).collect();
        return (names(from), names(to));
    }
    // What both begin and end with keeps its place: lists often hold one value many times.
    let begin = from.iter().zip(to).take_while(|(f, t)| canonical::same(f, t)).count();
    let (rest_from, rest_to) = (from.get(begin..).unwrap_or_default(), to.get(begin..).unwrap_or_default());
    let end =
        rest_from.iter().rev().zip(rest_to.iter().rev()).take_while(|(f, t)| canonical::same(f, t)).count();
    let middle_from = rest_from.get(..rest_from.len() - end).unwrap_or_default();
    let middle_to = rest_to.get(..rest_to.len() - end).unwrap_or_default();
    let new = (0..begin)
        .chain(counterparts(middle_from, middle_to, from.len()).into_iter().map(|at| begin + at))
        .chain(from.len() - end..from.len());
    ((0..from.len()).map(PathElement::Index).collect(), new.map(PathElement::Index).collect())
}

/// For each item of `to` the position of its counterpart in `from`; what has none is numbered from `fresh` on.
fn counterparts(from: &[Value], to: &[Value], fresh: usize) -> Vec<usize> {
    // The n-th occurrence of a value on one side is the n-th of it on the other.
    fn occurrences(items: &[Value]) -> Vec<(Canonical<'_>, usize)> {
        let mut seen: HashMap<Canonical<'_>, usize> = HashMap::new();
        let count = |item| {
            let count = seen.entry(Canonical(item)).or_default();
            *count += 1;
            (Canonical(item), *count)
        };
        items.iter().map(count).collect()
    }
    let mut index: HashMap<(Canonical<'_>, usize), usize> =
        occurrences(from).into_iter().enumerate().map(|(at, item)| (item, at)).collect();
    let new: Vec<Option<usize>> = occurrences(to).into_iter().map(|item| index.remove(&item)).collect();
    // What is left over is paired in order, so that a changed item is changed in place.
    let mut left: Vec<usize> = index.into_values().collect();
    left.sort_unstable();
    let mut left = left.into_iter();
    new.into_iter()
        .enumerate()
        .map(|(at, found)| found.or_else(|| left.next()).unwrap_or(fresh + at))
        .collect()
}
