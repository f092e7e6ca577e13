//! Sets as sets: union, intersection, difference.

use std::cmp::Ordering;

use super::{FieldSet, Node};

/// What two sets have at one element.
enum Pair<'a> {
    Left(&'a Node),
    Right(&'a Node),
    Both(&'a Node, &'a Node),
}

/// The nodes of two levels side by side, in order.
struct Zip<'a> {
    left: &'a [Node],
    right: &'a [Node],
}

impl<'a> Iterator for Zip<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let order = match (self.left.first(), self.right.first()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.element.cmp(&right.element),
        };
        let left = if order == Ordering::Greater { None } else { self.left.split_first() };
        let right = if order == Ordering::Less { None } else { self.right.split_first() };
        if let Some((_, rest)) = left {
            self.left = rest;
        }
        if let Some((_, rest)) = right {
            self.right = rest;
        }
        match (left, right) {
            (Some((left, _)), Some((right, _))) => Some(Pair::Both(left, right)),
            (Some((left, _)), None) => Some(Pair::Left(left)),
            (None, Some((right, _))) => Some(Pair::Right(right)),
            (None, None) => None,
        }
    }
}

fn zip<'a>(left: &'a FieldSet, right: &'a FieldSet) -> Zip<'a> {
    Zip { left: &left.nodes, right: &right.nodes }
}

impl FieldSet {
    /// The members of both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        let mut nodes = Vec::with_capacity(self.nodes.len().max(other.nodes.len()));
        nodes.extend(zip(self, other).map(|pair| match pair {
            Pair::Left(node) | Pair::Right(node) => node.clone(),
            Pair::Both(here, there) => Node {
                element: here.element.clone(),
                member: here.member || there.member,
                children: here.children.union(&there.children),
            },
        }));
        Self { nodes }
    }

    /// The members that both sets have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut nodes = Vec::new();
        for pair in zip(self, other) {
            if let Pair::Both(here, there) = pair {
                let member = here.member && there.member;
                let children = here.children.intersection(&there.children);
                if member || !children.is_empty() {
                    nodes.push(Node { element: here.element.clone(), member, children });
                }
            }
        }
        Self { nodes }
    }

    /// The members that only this set has. A field that the other set has takes nothing below it along.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut nodes = Vec::new();
        for pair in zip(self, other) {
            match pair {
                Pair::Left(node) => nodes.push(node.clone()),
                Pair::Right(_) => {}
                Pair::Both(here, there) => {
                    let member = here.member && !there.member;
                    let children = here.children.difference(&there.children);
                    if member || !children.is_empty() {
                        nodes.push(Node { element: here.element.clone(), member, children });
                    }
                }
            }
        }
        Self { nodes }
    }

    /// The members that neither the other set has nor are below one of its members.
    #[must_use]
    pub fn difference_with_subtrees(&self, other: &Self) -> Self {
        let mut nodes = Vec::new();
        for pair in zip(self, other) {
            match pair {
                Pair::Left(node) => nodes.push(node.clone()),
                Pair::Right(_) => {}
                Pair::Both(_, there) if there.member => {}
                Pair::Both(here, there) => {
                    let children = here.children.difference_with_subtrees(&there.children);
                    if here.member || !children.is_empty() {
                        nodes.push(Node { element: here.element.clone(), member: here.member, children });
                    }
                }
            }
        }
        Self { nodes }
    }

    /// Whether the other set has every member of this one.
    pub fn is_subset(&self, other: &Self) -> bool {
        let mut rest = other.nodes.as_slice();
        self.nodes.iter().all(|node| {
            let at = rest.iter().position(|there| there.element >= node.element);
            rest = at.and_then(|at| rest.get(at..)).unwrap_or_default();
            rest.first().is_some_and(|there| {
                there.element == node.element
                    && (there.member || !node.member)
                    && node.children.is_subset(&there.children)
            })
        })
    }

    /// Whether the sets have no member in common.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return true;
        }
        zip(self, other).all(|pair| match pair {
            Pair::Both(here, there) => {
                !(here.member && there.member) && here.children.is_disjoint(&there.children)
            }
            _ => true,
        })
    }

    /// The members that have no members below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let nodes = self.nodes.iter().map(|node| Node {
            element: node.element.clone(),
            member: node.children.is_empty(),
            children: node.children.leaves(),
        });
        Self { nodes: nodes.collect() }
    }
}
