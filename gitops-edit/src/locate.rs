//! Finding objects, and fields in them.

use gitops_core::diff::{FieldPath, PathElement};
use gitops_core::{Manifest, Place, RepoPath, ResourceId};
use serde_json::{Map, Value, json};

use crate::resolve;
use crate::steps::{is_merge, key_text};
use crate::tree::{Id, Kind, Tree};

/// A node, and whether the way to it leads through an alias, so that it is used elsewhere too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: Id,
    pub(crate) is_shared: bool,
}

impl Found {
    fn here(id: Id) -> Self {
        Self { id, is_shared: false }
    }

    /// What an alias stands for.
    pub(crate) fn resolved(self, tree: &Tree<'_>) -> Self {
        match tree.node(self.id).kind {
            Kind::Alias(Some(target)) => Self { id: target, is_shared: true },
            _ => self,
        }
    }
}

/// The value of a key, as readers find it that merge mappings.
///
/// It recurses where mappings are merged that have merged others. The [tree](Tree) has only so many values by aliases, that there
/// are some hundred of these at the most.
pub(crate) fn get(tree: &Tree<'_>, mapping: Found, key: &str) -> Option<Found> {
    let Found { id, is_shared } = mapping.resolved(tree);
    let Kind::Mapping { .. } = tree.node(id).kind else { return None };
    let own = tree.entries(id).find(|(name, _)| key_text(tree, *name) == key && !is_merge(tree, *name));
    if let Some((_, value)) = own {
        return Some(Found { id: value, is_shared });
    }
    tree.entries(id).filter(|(name, _)| is_merge(tree, *name)).find_map(|(_, merged)| {
        let merged = Found { id: merged, is_shared }.resolved(tree);
        match tree.node(merged.id).kind {
            Kind::Sequence { .. } => tree
                .children(merged.id)
                .find_map(|item| get(tree, Found { id: item, is_shared: merged.is_shared }, key)),
            _ => get(tree, merged, key),
        }
    })
}

/// The text that a mapping has at a key.
pub(crate) fn text(tree: &Tree<'_>, source: &str, mapping: Found, key: &str) -> Option<Value> {
    resolve::value(tree, source, get(tree, mapping, key)?.id)
}

/// The objects of a file, as `gitops_core::decode` finds them: items of lists too. What is no manifest is left out.
pub(crate) fn objects(tree: &Tree<'_>, source: &str, file: &RepoPath) -> Vec<(Found, ResourceId, Place)> {
    let mut objects = Vec::new();
    for document in &tree.documents {
        unfold(tree, source, file, document.number, Found::here(document.root), &mut objects);
    }
    objects
}

fn unfold(
    tree: &Tree<'_>,
    source: &str,
    file: &RepoPath,
    document: u32,
    at: Found,
    objects: &mut Vec<(Found, ResourceId, Place)>,
) {
    let at = at.resolved(tree);
    let field = |key: &str| text(tree, source, at, key);
    let metadata = get(tree, at, "metadata");
    let meta = |key: &str| metadata.and_then(|metadata| text(tree, source, metadata, key));
    let name = meta("name").filter(|name| !name.is_null());
    let kind = field("kind");
    let is_list = kind.as_ref().and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    if is_list && name.is_none() {
        let items = get(tree, at, "items").map(|items| items.resolved(tree));
        if let Some(items) = items.filter(|items| matches!(tree.node(items.id).kind, Kind::Sequence { .. })) {
            for item in tree.children(items.id) {
                let item = Found { id: item, is_shared: items.is_shared };
                unfold(tree, source, file, document, item, objects);
            }
            return;
        }
    }
    let node = tree.node(at.id);
    let place = Place { file: file.clone(), line: node.line, column: node.column, document };
    let object = json!({
        "apiVersion": field("apiVersion"),
        "kind": kind,
        "metadata": {"name": name, "namespace": meta("namespace")},
    });
    if let Ok(manifest) = Manifest::new(&object, place.clone()) {
        objects.push((at, manifest.id, place));
    }
}

/// Why a path leads to no value.
pub(crate) enum Lost {
    /// The next step is not there: what was found last, and how many steps lead there.
    Missing { last: Found, steps: usize },
    /// Several items of a list are what the next step names: the second one, the positions of the first two, and the steps to the list.
    Several { second: Id, positions: (usize, usize), steps: usize },
}

/// Follows a path to its value.
pub(crate) fn follow(tree: &Tree<'_>, source: &str, object: Found, path: &FieldPath) -> Result<Found, Lost> {
    let mut at = object;
    for (steps, element) in path.elements().iter().enumerate() {
        let from = at.resolved(tree);
        let next = match (tree.node(from.id).kind, element) {
            (Kind::Mapping { .. }, PathElement::Field(name)) => get(tree, from, name),
            (Kind::Mapping { .. }, PathElement::Index(index)) => get(tree, from, &index.to_string()),
            (Kind::Sequence { .. }, element) => {
                let item = item(tree, source, from, element)
                    .map_err(|(second, positions)| Lost::Several { second, positions, steps })?;
                item.map(|id| Found { id, is_shared: from.is_shared })
            }
            _ => None,
        };
        at = next.ok_or(Lost::Missing { last: at, steps })?;
    }
    Ok(at)
}

/// The item of a list that an element names; or the second such one, and the positions of both.
fn item(
    tree: &Tree<'_>,
    source: &str,
    list: Found,
    element: &PathElement,
) -> Result<Option<Id>, (Id, (usize, usize))> {
    if let PathElement::Index(index) = element {
        return Ok(tree.children(list.id).nth(*index));
    }
    let items: Vec<Value> = tree.children(list.id).map(|item| outline(tree, source, item, element)).collect();
    let Some(first) = element.position(&items) else { return Ok(None) };
    let rest = items.get(first + 1..).unwrap_or_default();
    let child = |position| tree.children(list.id).nth(position);
    let second = element.position(rest).map(|after| first + 1 + after);
    match second.and_then(|second| Some((child(second)?, (first, second)))) {
        Some(twice) => Err(twice),
        None => Ok(child(first)),
    }
}

/// As much of an item as an element can name it by: its key fields, or all of a scalar.
fn outline(tree: &Tree<'_>, source: &str, item: Id, element: &PathElement) -> Value {
    let PathElement::Key(key) = element else {
        return resolve::value(tree, source, item).unwrap_or_else(|| Value::Object(Map::new()));
    };
    let item = Found::here(item);
    if !matches!(tree.node(item.resolved(tree).id).kind, Kind::Mapping { .. }) {
        return Value::Null;
    }
    let field = |name: &std::sync::Arc<str>| Some((name.to_string(), text(tree, source, item, name)?));
    key.keys().filter_map(field).collect::<Map<_, _>>().into()
}
