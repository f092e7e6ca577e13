//! Sets of fields: what a field manager owns.

mod algebra;
mod fields_v1;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

pub use self::fields_v1::FieldSetError;
pub(crate) use self::fields_v1::{element, entries};
use crate::schema::Schema;
use crate::{FieldPath, PathElement, TypeRef, typed};

/// A set of fields of an object, in the shape of a managedFields entry (`fieldsV1`).
///
/// A path in the set is a *member*. A member may have members below it: `k:{"name":"web"}` with `.` owns that the item
/// exists, `f:image` below it owns the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSet {
    /// Sorted by element, each once.
    nodes: Vec<Node>,
}

/// What the set holds at and below one element. Never without both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) element: PathElement,
    pub(crate) member: bool,
    pub(crate) children: FieldSet,
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

impl FieldSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Of nodes in any order, none of them empty; where an element comes twice, both count.
    pub(crate) fn of_nodes(mut nodes: Vec<Node>) -> Self {
        if !nodes.is_sorted_by(|a, b| a.element < b.element) {
            nodes.sort_by(|a, b| a.element.cmp(&b.element));
            nodes.dedup_by(|later, first| {
                let same = later.element == first.element;
                if same {
                    first.member |= later.member;
                    first.children = first.children.union(&later.children);
                }
                same
            });
        }
        Self { nodes }
    }

    /// The fields that a configuration states when it is applied, without those that identify the object
    /// (`apiVersion`, `kind`, `metadata.name`, …): these are never owned.
    ///
    /// As the API server computes it: see [`typed::field_set`].
    pub fn of(object: &Value, schema: &(impl Schema + ?Sized)) -> Self {
        let mut set = Self::with_identity(object, schema);
        set.strip_identity();
        set
    }

    /// Like [`of`](Self::of), with the identifying fields.
    pub fn with_identity(object: &Value, schema: &(impl Schema + ?Sized)) -> Self {
        typed::field_set(object, schema.type_or_deduced(&TypeRef::of(object)))
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn search(&self, element: &PathElement) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.element.cmp(element))
    }

    /// What the set holds at and below one element.
    pub(crate) fn node_at(&self, element: &PathElement) -> Option<&Node> {
        self.search(element).ok().and_then(|at| self.nodes.get(at))
    }

    /// What the set holds at and below a field of a map.
    pub(crate) fn node_of_field(&self, name: &str) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|node| match &node.element {
            PathElement::Field(known) => (**known).cmp(name),
            _ => std::cmp::Ordering::Greater,
        });
        at.ok().and_then(|at| self.nodes.get(at))
    }

    fn node(&self, path: &FieldPath) -> Option<&Node> {
        let (last, way) = path.elements().split_last()?;
        let set =
            way.iter().try_fold(self, |set, element| set.node_at(element).map(|node| &node.children))?;
        set.node_at(last)
    }

    fn make(&mut self, element: &PathElement) -> Option<&mut Node> {
        let at = self.search(element).unwrap_or_else(|at| {
            let node = Node { element: element.clone(), member: false, children: Self::new() };
            self.nodes.insert(at, node);
            at
        });
        self.nodes.get_mut(at)
    }

    /// Adds a field; says whether it is new. The root is no field.
    pub fn insert(&mut self, path: &FieldPath) -> bool {
        let Some((last, way)) = path.elements().split_last() else { return false };
        let mut set = self;
        for element in way {
            let Some(node) = set.make(element) else { return false };
            set = &mut node.children;
        }
        set.make(last).is_some_and(|node| !std::mem::replace(&mut node.member, true))
    }

    /// Takes a field out, but not those below it; says whether it was there.
    pub fn remove(&mut self, path: &FieldPath) -> bool {
        self.remove_at(path.elements(), |node| std::mem::take(&mut node.member))
    }

    /// Takes a field and all below it out; says whether there was anything.
    pub fn remove_subtree(&mut self, path: &FieldPath) -> bool {
        if path.is_root() {
            return !std::mem::take(&mut self.nodes).is_empty();
        }
        self.remove_at(path.elements(), |node| {
            node.member = false;
            node.children = Self::new();
            true
        })
    }

    fn remove_at(&mut self, path: &[PathElement], take: fn(&mut Node) -> bool) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        let Ok(at) = self.search(first) else { return false };
        let Some(node) = self.nodes.get_mut(at) else { return false };
        let removed = if rest.is_empty() { take(node) } else { node.children.remove_at(rest, take) };
        if node.is_empty() {
            self.nodes.remove(at);
        }
        removed
    }

    /// Whether the field is a member.
    pub fn contains(&self, path: &FieldPath) -> bool {
        self.node(path).is_some_and(|node| node.member)
    }

    /// Whether the field is a member, or lies within a member that is a leaf of the set: an atomic map or list.
    pub fn contains_or_covers(&self, path: &FieldPath) -> bool {
        let mut set = self;
        for (i, element) in path.elements().iter().enumerate() {
            let Some(node) = set.node_at(element) else { return false };
            if node.member && (node.children.is_empty() || i + 1 == path.len()) {
                return true;
            }
            set = &node.children;
        }
        false
    }

    /// Whether the set has anything to do with the field: it is a member, lies within one, or has members below it.
    pub fn touches(&self, path: &FieldPath) -> bool {
        self.contains_or_covers(path) || self.node(path).is_some() || (path.is_root() && !self.is_empty())
    }

    /// The members, parents before what is below them.
    pub fn iter(&self) -> impl Iterator<Item = FieldPath> + '_ {
        Members { stack: vec![self.nodes.iter()], path: FieldPath::root() }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.nodes.iter().map(|node| usize::from(node.member) + node.children.len()).sum()
    }

    /// Takes the fields out that identify an object or that only the API server writes: they are never owned.
    ///
    /// The list is that of `managedfields/internal/stripmeta.go`.
    pub fn strip_identity(&mut self) {
        const TOP: [&str; 3] = ["apiVersion", "kind", "metadata"];
        const METADATA: [&str; 9] = [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        ];
        self.strip(&TOP, |name, below| {
            if name == "metadata" {
                below.strip(&METADATA, |_, _| {});
            }
        });
    }

    fn strip(&mut self, names: &[&str], below: fn(&str, &mut Self)) {
        self.nodes.retain_mut(|node| {
            if let PathElement::Field(name) = &node.element
                && names.contains(&&**name)
            {
                node.member = false;
                below(name, &mut node.children);
            }
            !node.is_empty()
        });
    }
}

struct Members<'a> {
    stack: Vec<std::slice::Iter<'a, Node>>,
    path: FieldPath,
}

impl Iterator for Members<'_> {
    type Item = FieldPath;

    fn next(&mut self) -> Option<FieldPath> {
        loop {
            let level = self.stack.last_mut()?;
            let Some(node) = level.next() else {
                self.stack.pop();
                self.path.pop();
                continue;
            };
            self.path.push(node.element.clone());
            let found = node.member.then(|| self.path.clone());
            self.stack.push(node.children.nodes.iter());
            if found.is_some() {
                return found;
            }
        }
    }
}

impl FromIterator<FieldPath> for FieldSet {
    fn from_iter<I: IntoIterator<Item = FieldPath>>(paths: I) -> Self {
        let mut set = Self::new();
        for path in paths {
            set.insert(&path);
        }
        set
    }
}

/// As `fieldsV1`.
impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_fields_v1().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FieldSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_fields_v1(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
