//! Sets of nodes of trees that are borrowed: which of their values are masked, or left alone.

use std::collections::HashSet;

use serde_json::Value;

/// Nodes of trees, by where they are in memory. Holds as long as the trees are borrowed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes<'v> {
    places: HashSet<usize>,
    nodes: Vec<&'v Value>,
}

impl<'v> Nodes<'v> {
    pub(crate) fn insert(&mut self, node: &'v Value) {
        if self.places.insert(place(node)) {
            self.nodes.push(node);
        }
    }

    pub(crate) fn contains(&self, node: &Value) -> bool {
        !self.places.is_empty() && self.places.contains(&place(node))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'v Value> + '_ {
        self.nodes.iter().copied()
    }
}

/// Where in memory a node is.
pub(crate) fn place(node: &Value) -> usize {
    std::ptr::from_ref(node).addr()
}
