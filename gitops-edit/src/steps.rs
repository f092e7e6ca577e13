//! The way from a document to a value in it.

use std::collections::HashMap;
use std::sync::Arc;

use gitops_core::diff::{FieldPath, PathElement};
use granit_parser::ScalarStyle;

use crate::data::Way;
use crate::tree::{Id, Kind, Tree};

/// One step down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'t> {
    Key(&'t str),
    Index(usize),
}

/// What a key says.
pub(crate) fn key_text<'t>(tree: &'t Tree<'_>, key: Id) -> &'t str {
    match tree.node(key).kind {
        Kind::Alias(Some(target)) => &tree.node(target).text,
        _ => &tree.node(key).text,
    }
}

/// Whether a key merges another mapping into its own.
pub(crate) fn is_merge(tree: &Tree<'_>, key: Id) -> bool {
    let node = tree.node(key);
    node.kind == Kind::Scalar(ScalarStyle::Plain) && node.text == "<<"
}

/// The steps to a value; a mapping that is merged into another is no step.
pub(crate) fn steps<'t>(tree: &'t Tree<'_>, id: Id) -> Vec<Step<'t>> {
    let mut steps = Vec::new();
    let mut at = id;
    while let Some(parent) = tree.parent(at) {
        match tree.node(parent).kind {
            Kind::Mapping { .. } => match tree.key_of(at) {
                Some(key) if is_merge(tree, key) => {
                    if let Some(Step::Index(_)) = steps.last() {
                        steps.pop();
                    }
                }
                Some(key) => steps.push(Step::Key(key_text(tree, key))),
                None => steps.push(Step::Key("")),
            },
            _ => steps.push(Step::Index(tree.position(at) as usize)),
        }
        at = parent;
    }
    steps.reverse();
    steps
}

/// The way to a value in the data of the file; `document` counts those that say something.
pub(crate) fn way(document: usize, steps: &[Step<'_>]) -> Way {
    let mut way = Way::of_document(document);
    for step in steps {
        match step {
            Step::Key(name) => way.key(name.as_bytes()),
            Step::Index(index) => way.position(*index),
        }
    }
    way
}

/// Makes paths of steps. They share the names of their keys, which are often the same.
#[derive(Default)]
pub(crate) struct Paths<'t>(HashMap<&'t str, Arc<str>>);

impl<'t> Paths<'t> {
    pub(crate) fn path(&mut self, steps: &[Step<'t>]) -> FieldPath {
        let element = |step: &Step<'t>| match *step {
            Step::Key(name) => {
                PathElement::Field(Arc::clone(self.0.entry(name).or_insert_with(|| Arc::from(name))))
            }
            Step::Index(index) => PathElement::Index(index),
        };
        steps.iter().map(element).collect()
    }
}
