//! A field set laid out for a walk: the elements of one level are neighbours, and nothing is copied that can be borrowed.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::tree::{Shape, Tree};
use crate::field_set::FieldSet;
use crate::{FieldSetError, PathElement};

#[derive(Debug, Default)]
pub(crate) struct Compiled<'a> {
    nodes: Vec<CompiledNode<'a>>,
    root: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct CompiledNode<'a> {
    pub(crate) element: Element<'a>,
    pub(crate) member: bool,
    pub(crate) children: Range<usize>,
}

/// An element of a path, borrowed where it can be. Ordered as [`PathElement`] is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Element<'a> {
    Field(&'a str),
    /// The item of a list.
    Item(Cow<'a, PathElement>),
}

impl Ord for Element<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Item(a), Self::Item(b)) => a.cmp(b),
            (Self::Field(_), Self::Item(_)) => Ordering::Less,
            (Self::Item(_), Self::Field(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Element<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A spelling that [`FieldSet::from_fields_v1`] has to judge.
struct Odd;

impl<'a> Compiled<'a> {
    pub(crate) fn of(set: &'a FieldSet) -> Self {
        let mut compiled = Self::default();
        compiled.root = compiled.add_set(set);
        compiled
    }

    fn add_set(&mut self, set: &'a FieldSet) -> Range<usize> {
        let start = self.nodes.len();
        for node in set.nodes() {
            let element = match &node.element {
                PathElement::Field(name) => Element::Field(name),
                item => Element::Item(Cow::Borrowed(item)),
            };
            self.nodes.push(CompiledNode { element, member: node.member, children: 0..0 });
        }
        let level = start..self.nodes.len();
        for (at, node) in level.clone().zip(set.nodes()) {
            let children = self.add_set(&node.children);
            if let Some(node) = self.nodes.get_mut(at) {
                node.children = children;
            }
        }
        level
    }

    /// From the `fieldsV1` of a managedFields entry; what is out of the ordinary there is left to the set, and so is the
    /// error.
    pub(crate) fn of_fields_v1<T: Tree<'a>>(fields: T) -> Result<Read<'a>, FieldSetError> {
        let mut compiled = Self { nodes: Vec::with_capacity(64), root: 0..0 };
        match compiled.read(fields, &mut Vec::new()) {
            Ok((_, root)) => {
                compiled.root = root;
                Ok(Read::Compiled(compiled))
            }
            Err(Odd) => FieldSet::from_fields_v1(&super::tree::to_value(fields)).map(Read::Set),
        }
    }

    /// Adds what is below a map of elements; says whether the map has a dot, too.
    fn read<T: Tree<'a>>(
        &mut self,
        fields: T,
        level: &mut Vec<(Element<'a>, T)>,
    ) -> Result<(bool, Range<usize>), Odd> {
        let Shape::Map(fields) = fields.shape() else { return Err(Odd) };
        let base = level.len();
        let mut dot = false;
        for (text, below) in fields {
            match text.split_at_checked(2) {
                Some(("f:", name)) => level.push((Element::Field(name), below)),
                Some(("k:" | "v:" | "i:", _)) => {
                    let item = PathElement::from_managed(text).map_err(|_| Odd)?;
                    level.push((Element::Item(Cow::Owned(item)), below));
                }
                None if text == "." => dot = true,
                _ => return Err(Odd),
            }
        }
        let found = level.get_mut(base..).unwrap_or_default();
        if !found.is_sorted_by(|a, b| a.0 < b.0) {
            found.sort_by(|a, b| a.0.cmp(&b.0));
            if !found.is_sorted_by(|a, b| a.0 < b.0) {
                return Err(Odd);
            }
        }
        let start = self.nodes.len();
        // What is below each, in the same order.
        let mut below = Vec::with_capacity(level.len() - base);
        for (element, fields) in level.drain(base..) {
            self.nodes.push(CompiledNode { element, member: false, children: 0..0 });
            below.push(fields);
        }
        let range = start..self.nodes.len();
        for (at, fields) in range.clone().zip(below) {
            let (dot, children) = self.read(fields, level)?;
            if let Some(node) = self.nodes.get_mut(at) {
                // A leaf is written without its dot.
                node.member = dot || children.is_empty();
                node.children = children;
            }
        }
        Ok((dot, range))
    }

    pub(crate) fn root(&self) -> Range<usize> {
        self.root.clone()
    }

    pub(crate) fn level(&self, range: Range<usize>) -> &[CompiledNode<'a>] {
        self.nodes.get(range).unwrap_or_default()
    }
}

/// A set that was read from a managedFields entry.
pub(crate) enum Read<'a> {
    Compiled(Compiled<'a>),
    Set(FieldSet),
}
