//! Sets of fields: what a field manager owns.

use std::collections::{BTreeMap, btree_map};

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::list_keys::{self, ListKeys, ListKind, TypeRef};
use crate::{FieldPath, PathElement, PathError};

/// A set of fields of an object, in the shape of a managedFields entry (`fieldsV1`).
///
/// A path in the set is a *member*. A member may have members below it: `k:{"name":"web"}` with `.` owns that the item
/// exists, `f:image` below it owns the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSet {
    nodes: BTreeMap<PathElement, Node>,
}

/// What the set holds at and below one element. Never without both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) member: bool,
    pub(crate) children: FieldSet,
}

/// A field set that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldSetError {
    /// An element has a spelling that is none.
    #[error("field set, below {at}: {source}")]
    Element {
        /// The path of the map that holds the element.
        at: FieldPath,
        /// What is wrong with it.
        source: PathError,
    },
    /// Something else than a map of elements.
    #[error("field set, at {at}: expected a map of elements")]
    NotAMap {
        /// Where.
        at: FieldPath,
    },
}

impl FieldSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { nodes: BTreeMap::new() }
    }

    /// Reads the `fieldsV1` of a managedFields entry.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, FieldSetError> {
        // The root itself is no field: a `.` there says nothing.
        Self::read(fields, &mut FieldPath::root()).map(|node| node.children)
    }

    fn read(fields: &Value, at: &mut FieldPath) -> Result<Node, FieldSetError> {
        let Value::Object(map) = fields else { return Err(FieldSetError::NotAMap { at: at.clone() }) };
        let mut node = Node::default();
        for (text, below) in map {
            if text == "." {
                node.member = true;
                continue;
            }
            let element = PathElement::from_managed(text)
                .map_err(|source| FieldSetError::Element { at: at.clone(), source })?;
            at.push(element.clone());
            let mut child = Self::read(below, at)?;
            at.pop();
            // A leaf is written without its dot.
            child.member |= child.children.is_empty();
            let known = node.children.nodes.entry(element).or_default();
            known.member |= child.member;
            known.children.extend(child.children);
        }
        Ok(node)
    }

    /// The `fieldsV1` of a managedFields entry.
    pub fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        for (element, node) in &self.nodes {
            let mut below = node.children.to_fields_v1();
            if node.member
                && !node.children.is_empty()
                && let Value::Object(below) = &mut below
            {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            map.insert(element.to_managed(), below);
        }
        Value::Object(map)
    }

    /// The fields that a configuration states when it is applied, without those that identify the object
    /// (`apiVersion`, `kind`, `metadata.name`, …): these are never owned.
    ///
    /// As the API server computes it: an empty map or list is one field, so is an atomic one; an item of a keyed list is
    /// a field of its own besides its contents.
    pub fn of(object: &Value, lists: &dyn ListKeys) -> Self {
        let mut set = Self::with_identity(object, lists);
        set.strip_identity();
        set
    }

    /// Like [`of`](Self::of), with the identifying fields.
    pub fn with_identity(object: &Value, lists: &dyn ListKeys) -> Self {
        let context = Context { object: TypeRef::of(object), lists };
        let Value::Object(_) = object else { return Self::new() };
        context.stated(object, &mut FieldPath::root()).children
    }

    /// Takes the fields out that identify an object or that only the API server writes.
    ///
    /// The list is that of the API server's `stripmeta` step.
    pub fn strip_identity(&mut self) {
        for fields in IDENTITY {
            self.remove(&FieldPath::of_fields(fields.iter().copied()));
        }
    }

    /// Adds a field; says whether it is new. The root is no field.
    pub fn insert(&mut self, path: &FieldPath) -> bool {
        let Some((last, way)) = path.elements().split_last() else { return false };
        let mut set = self;
        for element in way {
            set = &mut set.nodes.entry(element.clone()).or_default().children;
        }
        let node = set.nodes.entry(last.clone()).or_default();
        !std::mem::replace(&mut node.member, true)
    }

    /// Takes a field out, but not those below it; says whether it was there.
    pub fn remove(&mut self, path: &FieldPath) -> bool {
        self.remove_at(path.elements(), |node| std::mem::take(&mut node.member))
    }

    fn remove_at(&mut self, path: &[PathElement], take: fn(&mut Node) -> bool) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        let Some(node) = self.nodes.get_mut(first) else { return false };
        let removed = if rest.is_empty() { take(node) } else { node.children.remove_at(rest, take) };
        if !node.member && node.children.is_empty() {
            self.nodes.remove(first);
        }
        removed
    }

    /// Takes a field and all below it out; says whether there was anything.
    pub fn remove_subtree(&mut self, path: &FieldPath) -> bool {
        if path.is_root() {
            return !std::mem::take(&mut self.nodes).is_empty();
        }
        self.remove_at(path.elements(), |node| {
            *node = Node::default();
            true
        })
    }

    /// Whether the field is a member.
    pub fn contains(&self, path: &FieldPath) -> bool {
        self.node(path).is_some_and(|node| node.member)
    }

    /// Whether the field is a member, or lies within a member that is a leaf of the set: an atomic map or list.
    pub fn contains_or_covers(&self, path: &FieldPath) -> bool {
        let mut set = self;
        for (i, element) in path.elements().iter().enumerate() {
            let Some(node) = set.nodes.get(element) else { return false };
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

    fn node(&self, path: &FieldPath) -> Option<&Node> {
        let (last, way) = path.elements().split_last()?;
        let set =
            way.iter().try_fold(self, |set, element| set.nodes.get(element).map(|node| &node.children))?;
        set.nodes.get(last)
    }

    /// The members of both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.extend(other.clone());
        all
    }

    fn extend(&mut self, other: Self) {
        for (element, node) in other.nodes {
            match self.nodes.entry(element) {
                btree_map::Entry::Vacant(entry) => {
                    entry.insert(node);
                }
                btree_map::Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    known.member |= node.member;
                    known.children.extend(node.children);
                }
            }
        }
    }

    /// The members that both sets have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |here, there| here && there)
    }

    /// The members that only this set has.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |here, there| here && !there)
    }

    fn combine(&self, other: &Self, keep: fn(bool, bool) -> bool) -> Self {
        static EMPTY: Node = Node { member: false, children: FieldSet::new() };
        let mut result = Self::new();
        for (element, node) in &self.nodes {
            let there = other.nodes.get(element).unwrap_or(&EMPTY);
            let member = keep(node.member, there.member);
            let children = node.children.combine(&there.children, keep);
            if member || !children.is_empty() {
                result.nodes.insert(element.clone(), Node { member, children });
            }
        }
        result
    }

    /// Whether the other set has every member of this one.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
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
        self.nodes.values().map(|node| usize::from(node.member) + node.children.len()).sum()
    }

    /// The same set, with every field of a map on the way to a member as a member.
    #[must_use]
    pub(crate) fn with_named_ancestors(&self) -> Self {
        let nodes = self.nodes.iter().map(|(element, node)| {
            let member = node.member || matches!(element, PathElement::Field(_));
            (element.clone(), Node { member, children: node.children.with_named_ancestors() })
        });
        Self { nodes: nodes.collect() }
    }

    pub(crate) fn nodes(&self) -> &BTreeMap<PathElement, Node> {
        &self.nodes
    }
}

const IDENTITY: [&[&str]; 12] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// What is known about the object that is walked.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) object: TypeRef<'a>,
    pub(crate) lists: &'a dyn ListKeys,
}

impl Context<'_> {
    pub(crate) fn list(&self, path: &FieldPath) -> ListKind<'_> {
        self.lists.keys_of(&self.object, path)
    }

    pub(crate) fn is_atomic_map(&self, path: &FieldPath) -> bool {
        self.lists.is_atomic_map(&self.object, path)
    }

    /// The set that a value states, at its own path.
    pub(crate) fn stated(&self, value: &Value, path: &mut FieldPath) -> Node {
        let mut set = FieldSet::new();
        match value {
            Value::Object(map) if path.is_root() || !self.is_atomic_map(path) => {
                for (name, child) in map {
                    let element = PathElement::field(name.as_str());
                    path.push(element.clone());
                    set.nodes.insert(element, self.stated(child, path));
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (element, item) in
                    list_keys::elements(self.list(path), items).into_iter().flatten().zip(items)
                {
                    path.push(element.clone());
                    let mut node = self.stated(item, path);
                    node.member = true;
                    set.nodes.insert(element, node);
                    path.pop();
                }
            }
            _ => {}
        }
        Node { member: set.is_empty(), children: set }
    }
}

struct Members<'a> {
    stack: Vec<btree_map::Iter<'a, PathElement, Node>>,
    path: FieldPath,
}

impl Iterator for Members<'_> {
    type Item = FieldPath;

    fn next(&mut self) -> Option<FieldPath> {
        loop {
            let level = self.stack.last_mut()?;
            let Some((element, node)) = level.next() else {
                self.stack.pop();
                self.path.pop();
                continue;
            };
            self.path.push(element.clone());
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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::KnownLists;
    use crate::testing::{deployment, small_value};

    fn set(fields: &Value) -> FieldSet {
        FieldSet::from_fields_v1(fields).unwrap()
    }

    fn path(text: &str) -> FieldPath {
        text.parse().unwrap()
    }

    #[test]
    fn states_what_a_deployment_says() {
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"a.b/c": "d"}, "finalizers": ["x"]},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {
                    "containers": [{
                        "name": "web", "args": ["-v"], "resources": {}, "ports": [{"containerPort": 80}],
                    }],
                    "volumes": [],
                }},
            },
        });
        let stated = FieldSet::of(&deployment, &KnownLists);
        assert_eq!(
            stated.to_fields_v1(),
            json!({
                "f:metadata": {"f:labels": {"f:a.b/c": {}}, "f:finalizers": {"v:\"x\"": {}}},
                "f:spec": {
                    "f:selector": {},
                    "f:template": {"f:spec": {
                        "f:containers": {"k:{\"name\":\"web\"}": {
                            ".": {}, "f:name": {}, "f:args": {}, "f:resources": {},
                            "f:ports": {
                                "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
                            },
                        }},
                        "f:volumes": {},
                    }},
                },
            })
        );
        assert!(FieldSet::with_identity(&deployment, &KnownLists).contains(&path(".metadata.name")));
        for stated in stated.iter() {
            assert!(stated.get(&deployment).is_some(), "{stated}");
        }
    }

    #[test]
    fn membership_and_cover() {
        let s = set(&json!({"f:spec": {"f:args": {}, "f:l": {"k:{\"name\":\"a\"}": {".": {}, "f:x": {}}}}}));
        assert!(s.contains(&path(".spec.args")) && !s.contains(&path(".spec")));
        assert!(s.contains_or_covers(&path(".spec.args[0]")));
        assert!(s.contains_or_covers(&path(r#".spec.l[name="a"]"#)));
        assert!(
            !s.contains_or_covers(&path(r#".spec.l[name="a"].y"#)),
            "an item with fields covers only these"
        );
        assert!(!s.contains_or_covers(&path(".spec")) && s.touches(&path(".spec")));
        assert_eq!(s.len(), 3);
        let members: Vec<_> = s.iter().map(|p| p.to_string()).collect();
        assert_eq!(members, [".spec.args", r#".spec.l[name="a"]"#, r#".spec.l[name="a"].x"#]);
    }

    #[test]
    fn removing_leaves_no_empty_shells() {
        let mut s = set(&json!({"f:a": {"f:b": {"f:c": {}}}, "f:d": {}}));
        assert!(s.remove(&path(".a.b.c")) && !s.remove(&path(".a.b.c")));
        assert_eq!(s, set(&json!({"f:d": {}})));
        let mut s = set(&json!({"f:a": {".": {}, "f:b": {}}, "f:d": {}}));
        assert!(s.remove_subtree(&path(".a")) && !s.remove_subtree(&path(".a")));
        assert_eq!(s, set(&json!({"f:d": {}})));
        assert!(s.remove_subtree(&FieldPath::root()) && s.is_empty());
    }

    #[test]
    fn bad_sets_are_errors_with_a_place() {
        let error = FieldSet::from_fields_v1(&json!({"f:a": {"x:b": {}}})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "field set, below .a: \"x:b\" is no element of a field set: expected f:NAME, k:{…}, v:JSON or i:NUMBER"
        );
        assert_eq!(
            FieldSet::from_fields_v1(&json!({"f:a": 1})),
            Err(FieldSetError::NotAMap { at: path(".a") })
        );
    }

    fn any_set() -> impl Strategy<Value = FieldSet> {
        prop_oneof![deployment(), small_value()].prop_map(|v| FieldSet::with_identity(&v, &KnownLists))
    }

    proptest! {
        #[test]
        fn fields_v1_round_trips(s in any_set()) {
            prop_assert_eq!(&set(&s.to_fields_v1()), &s);
            prop_assert_eq!(s.iter().collect::<FieldSet>(), s.clone());
            prop_assert_eq!(s.iter().count(), s.len());
        }

        #[test]
        fn sets_are_sets(a in any_set(), b in any_set()) {
            let (both, all, only) = (a.intersection(&b), a.union(&b), a.difference(&b));
            prop_assert_eq!(&b.union(&a), &all);
            prop_assert_eq!(&both.union(&only), &a);
            prop_assert!(only.intersection(&b).is_empty());
            prop_assert!(both.is_subset(&a) && both.is_subset(&b) && a.is_subset(&all));
            prop_assert_eq!(all.len() + both.len(), a.len() + b.len());
            for member in all.iter() {
                prop_assert_eq!(all.contains(&member), a.contains(&member) || b.contains(&member));
            }
        }

        #[test]
        fn reading_never_panics(v in small_value()) {
            let _ = FieldSet::from_fields_v1(&v);
        }
    }
}
