//! The named fields on the way to the members of a set (`fieldpath/set.go`, `EnsureNamedFieldsAreMembers`).

use crate::field_set::Node;
use crate::schema::Type;
use crate::{FieldSet, PathElement};

impl FieldSet {
    /// The same set, with every field that the schema names on the way to a member as a member.
    #[must_use]
    pub(crate) fn with_named_ancestors(&self, ty: Option<Type<'_>>) -> Self {
        let nodes = self.nodes().iter().map(|node| {
            let (is_named, below) = step(&node.element, ty);
            Node {
                element: node.element.clone(),
                member: node.member || is_named,
                children: node.children.with_named_ancestors(below),
            }
        });
        Self::of_nodes(nodes.collect())
    }
}

/// Whether an element is a named field of a type, and the type below it.
fn step<'s>(element: &PathElement, ty: Option<Type<'s>>) -> (bool, Option<Type<'s>>) {
    let Some(ty) = ty else { return (false, None) };
    match element {
        PathElement::Field(name) => match ty.map() {
            Some(map) => match map.field(name) {
                Some(field) => (true, Some(field.ty())),
                None => (false, map.element()),
            },
            None => (false, None),
        },
        PathElement::Key(_) => (false, ty.list().map(|list| list.item())),
        _ => (false, None),
    }
}
