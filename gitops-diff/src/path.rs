//! Where a field is in a tree.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ItemKey;
use crate::canonical;

/// One step down a tree.
///
/// Numbers compare by value (`1` and `1.0` are the same key), and the order is that of managedFields entries: fields,
/// keys, values, indexes.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// A field of a map.
    Field(Arc<str>),
    /// The item of a list that has these values in its key fields, such as `[name="web"]`.
    Key(ItemKey),
    /// The item of a list that equals this value, such as a finalizer.
    Value(Value),
    /// The item of a list at this position, counted from zero.
    Index(usize),
}

impl PathElement {
    /// A field of a map.
    pub fn field(name: impl Into<Arc<str>>) -> Self {
        Self::Field(name.into())
    }

    /// The item of a list with one key field.
    pub fn key(name: impl Into<Arc<str>>, value: impl Into<Value>) -> Self {
        Self::Key(ItemKey::from([(name.into(), value.into())]))
    }

    /// The child of `parent` that this element names.
    ///
    /// A key field that an item lacks counts as its default where there is one in all of Kubernetes (`protocol: TCP`).
    pub fn of<'a>(&self, parent: &'a Value) -> Option<&'a Value> {
        match (self, parent) {
            (Self::Field(name), Value::Object(map)) => map.get(&**name),
            (Self::Index(index), Value::Object(map)) => map.get(&index.to_string()),
            (_, Value::Array(items)) => items.get(self.position(items)?),
            _ => None,
        }
    }

    /// Where in a list the item is that this element names.
    pub fn position(&self, items: &[Value]) -> Option<usize> {
        match self {
            Self::Field(_) => None,
            Self::Key(_) | Self::Value(_) => items.iter().position(|item| self.names(item)),
            Self::Index(index) => (*index < items.len()).then_some(*index),
        }
    }

    /// Whether this is a key or value of a list's item, and that of this one.
    pub(crate) fn names(&self, item: &Value) -> bool {
        match self {
            Self::Key(key) => has_key(item, key),
            Self::Value(value) => canonical::same(item, value),
            Self::Field(_) | Self::Index(_) => false,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

/// Whether `item` is the one that `key` names.
fn has_key(item: &Value, key: &ItemKey) -> bool {
    let Value::Object(map) = item else { return false };
    key.iter().all(|(name, want)| match map.get(&**name) {
        Some(have) => canonical::same(have, want),
        None => implied(name).is_some_and(|have| canonical::same(&have, want)),
    })
}

/// What an item has in a key field that it lacks, where that is the same in all of Kubernetes.
pub(crate) fn implied(name: &str) -> Option<Value> {
    (name == "protocol").then(|| Value::from("TCP"))
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Names are often shared with the schema.
            (Self::Field(a), Self::Field(b)) if Arc::ptr_eq(a, b) => Ordering::Equal,
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Key(a), Self::Key(b)) => a.cmp(b),
            (Self::Value(a), Self::Value(b)) => canonical::cmp(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for PathElement {}

impl Hash for PathElement {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.rank());
        match self {
            Self::Field(name) => name.hash(state),
            Self::Key(key) => {
                state.write_usize(key.len());
                for (name, value) in key.iter() {
                    name.hash(state);
                    canonical::hash(value, state);
                }
            }
            Self::Value(value) => canonical::hash(value, state),
            Self::Index(index) => index.hash(state),
        }
    }
}

/// A way from the root of a tree to a field.
///
/// Written as people read it: `.spec.template.spec.containers[name="web"].image`,
/// `.metadata.labels["app.kubernetes.io/name"]`, `.metadata.finalizers[="example.com/hold"]`, `.spec.rules[3]`; the
/// root is `.`. [`Display`](std::fmt::Display) and [`FromStr`](std::str::FromStr) are each other's inverse, and serde
/// uses the same form.
///
/// ```
/// use gitops_diff::FieldPath;
/// use serde_json::json;
///
/// let path: FieldPath = r#".spec.containers[name="web"].image"#.parse()?;
/// let pod = json!({"spec": {"containers": [{"name": "log"}, {"name": "web", "image": "web:1"}]}});
/// assert_eq!(path.get(&pod), Some(&json!("web:1")));
/// assert_eq!(path.to_json_pointer(&pod).as_deref(), Some("/spec/containers/1/image"));
/// # Ok::<(), gitops_diff::PathError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<PathElement>);

impl FieldPath {
    /// The path to the whole tree.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path through fields of maps only.
    pub fn of_fields<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().map(PathElement::field).collect()
    }

    /// Goes one step down.
    pub fn push(&mut self, element: PathElement) {
        self.0.push(element);
    }

    /// Goes one step up, and says which step that was.
    pub fn pop(&mut self) -> Option<PathElement> {
        self.0.pop()
    }

    /// Puts another element at a depth that the path has.
    pub(crate) fn rename(&mut self, depth: usize, element: PathElement) {
        if let Some(place) = self.0.get_mut(depth) {
            *place = element;
        }
    }

    /// The path one step further down.
    #[must_use]
    pub fn child(&self, element: PathElement) -> Self {
        let mut path = self.clone();
        path.push(element);
        path
    }

    /// The path one step further down, to a field of a map.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.child(PathElement::field(name))
    }

    /// The path one step up; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// The steps, from the root down.
    pub fn elements(&self) -> &[PathElement] {
        &self.0
    }

    /// The steps, given away.
    pub(crate) fn into_elements(self) -> Vec<PathElement> {
        self.0
    }

    /// The last step.
    pub fn last(&self) -> Option<&PathElement> {
        self.0.last()
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there are no steps: the same as [`is_root`](Self::is_root).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is `prefix` or a path below it.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The field at this path. Keyed elements find their item wherever it is in its list.
    pub fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |parent, element| element.of(parent))
    }

    /// The field at this path, to be changed.
    pub fn get_mut<'a>(&self, root: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(root, child_mut)
    }

    /// Puts `value` at this path, making the maps and list items on the way that are missing, and says what was there.
    ///
    /// A missing keyed item is appended with its key fields. `None` and nothing changed if the way is blocked by a
    /// scalar, by a map or list of the other kind, or by a position beyond the end of a list.
    pub fn set(&self, root: &mut Value, value: Value) -> Option<Value> {
        if !self.is_open(root) {
            return None;
        }
        let mut at = root;
        for element in &self.0 {
            if at.is_null() {
                *at = match element {
                    PathElement::Field(_) => Value::Object(Map::new()),
                    _ => Value::Array(Vec::new()),
                };
            }
            if element.of(at).is_none() {
                match (at, element) {
                    (Value::Object(map), PathElement::Field(name)) => {
                        at = map.entry(name.to_string()).or_insert(Value::Null);
                    }
                    (Value::Object(map), PathElement::Index(index)) => {
                        at = map.entry(index.to_string()).or_insert(Value::Null);
                    }
                    (Value::Array(items), element) => {
                        items.push(match element {
                            PathElement::Key(key) => key_item(key),
                            PathElement::Value(value) => value.clone(),
                            _ => Value::Null,
                        });
                        at = items.last_mut()?;
                    }
                    _ => return None,
                }
            } else {
                at = child_mut(at, element)?;
            }
        }
        Some(std::mem::replace(at, value))
    }

    /// Takes away what is at this path, and says what that was.
    pub fn remove(&self, root: &mut Value) -> Option<Value> {
        let (last, way) = self.0.split_last()?;
        let parent = way.iter().try_fold(root, child_mut)?;
        match (parent, last) {
            (Value::Object(map), PathElement::Field(name)) => map.remove(&**name),
            (Value::Object(map), PathElement::Index(index)) => map.remove(&index.to_string()),
            (Value::Array(items), element) => {
                let position = element.position(items)?;
                Some(items.remove(position))
            }
            _ => None,
        }
    }

    /// Whether [`set`](Self::set) can get through.
    fn is_open(&self, root: &Value) -> bool {
        let mut at = root;
        for element in &self.0 {
            match (at, element) {
                (Value::Null, PathElement::Index(index)) => return *index == 0,
                (Value::Null, _) => return true,
                (Value::Array(items), PathElement::Index(index)) if *index > items.len() => return false,
                (Value::Object(_), PathElement::Field(_) | PathElement::Index(_))
                | (Value::Array(_), PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_)) => {}
                _ => return false,
            }
            match element.of(at) {
                Some(child) => at = child,
                None => return true,
            }
        }
        true
    }
}

/// A list item that has nothing but its key.
pub(crate) fn key_item(key: &ItemKey) -> Value {
    Value::Object(key.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
}

fn child_mut<'a>(parent: &'a mut Value, element: &PathElement) -> Option<&'a mut Value> {
    match (parent, element) {
        (Value::Object(map), PathElement::Field(name)) => map.get_mut(&**name),
        (Value::Object(map), PathElement::Index(index)) => map.get_mut(&index.to_string()),
        (Value::Array(items), element) => {
            let position = element.position(items)?;
            items.get_mut(position)
        }
        _ => None,
    }
}

impl FromIterator<PathElement> for FieldPath {
    fn from_iter<I: IntoIterator<Item = PathElement>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl Extend<PathElement> for FieldPath {
    fn extend<I: IntoIterator<Item = PathElement>>(&mut self, elements: I) {
        self.0.extend(elements);
    }
}

impl From<Vec<PathElement>> for FieldPath {
    fn from(elements: Vec<PathElement>) -> Self {
        Self(elements)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> FieldPath {
        text.parse().unwrap()
    }

    #[test]
    fn finds_items_by_key_value_and_position() {
        let pod = json!({
            "metadata": {"finalizers": ["a", "b"]},
            "spec": {"containers": [
                {"name": "log"},
                {"name": "web", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]},
            ]},
        });
        let port = path(r#".spec.containers[name="web"].ports[containerPort=80,protocol="TCP"]"#);
        assert_eq!(port.get(&pod), Some(&json!({"containerPort": 80})));
        assert_eq!(port.to_json_pointer(&pod).as_deref(), Some("/spec/containers/1/ports/0"));
        assert_eq!(path(r#".metadata.finalizers[="b"]"#).get(&pod), Some(&json!("b")));
        assert_eq!(path(".metadata.finalizers[1]").get(&pod), Some(&json!("b")));
        assert_eq!(path(".metadata.finalizers[2]").get(&pod), None);
        assert_eq!(FieldPath::root().get(&pod), Some(&pod));
    }

    #[test]
    fn set_makes_what_is_missing() {
        let mut tree = json!({});
        assert_eq!(
            path(r#".spec.containers[name="web"].image"#).set(&mut tree, json!("i")),
            Some(Value::Null)
        );
        assert_eq!(
            path(r#".spec.containers[name="web"].image"#).set(&mut tree, json!("j")),
            Some(json!("i"))
        );
        path(r#".metadata.finalizers[="a"]"#).set(&mut tree, json!("a"));
        assert_eq!(
            tree,
            json!({"metadata": {"finalizers": ["a"]}, "spec": {"containers": [{"name": "web", "image": "j"}]}})
        );
    }

    #[test]
    fn set_that_is_blocked_changes_nothing() {
        for (text, tree) in
            [(".a.b.c", json!({"a": {"b": 1}})), (".a[2]", json!({"a": []})), (".a.b", json!([]))]
        {
            let mut changed = tree.clone();
            assert_eq!(path(text).set(&mut changed, json!(1)), None, "{text}");
            assert_eq!(changed, tree);
        }
    }

    #[test]
    fn remove_takes_one_item() {
        let mut tree = json!({"l": [{"name": "a"}, {"name": "b"}]});
        assert_eq!(path(r#".l[name="a"]"#).remove(&mut tree), Some(json!({"name": "a"})));
        assert_eq!(path(r#".l[name="a"]"#).remove(&mut tree), None);
        assert_eq!(tree, json!({"l": [{"name": "b"}]}));
        assert_eq!(FieldPath::root().remove(&mut tree), None);
    }

    #[test]
    fn prefixes_are_whole_steps() {
        assert!(path(".spec.replicas").starts_with(&path(".spec")));
        assert!(path(".spec").starts_with(&FieldPath::root()));
        assert!(!path(".specs").starts_with(&path(".spec")));
        assert_eq!(path(".spec.replicas").parent(), Some(path(".spec")));
        assert_eq!(FieldPath::root().parent(), None);
    }

    #[test]
    fn numbers_in_keys_compare_by_value() {
        assert_eq!(path(".l[port=80]"), path(".l[port=80.0]"));
        assert_ne!(path(".l[port=80]"), path(r#".l[port="80"]"#));
    }
}
