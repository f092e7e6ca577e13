//! The managedFields entry of whoever applied an object.

use super::tree::{Shape, Tree, field, text};

/// The entry of what a manager applied, not of what it wrote to a subresource, and its place in the list.
pub(crate) fn apply_entry<'t, T: Tree<'t>>(object: T, manager: &str) -> Option<(usize, T)> {
    let Shape::List(entries) = field(field(object, "metadata")?, "managedFields")?.shape() else {
        return None;
    };
    entries.enumerate().find(|(_, entry)| {
        text(*entry, "manager") == Some(manager)
            && text(*entry, "operation") == Some("Apply")
            && text(*entry, "subresource").unwrap_or_default().is_empty()
    })
}
