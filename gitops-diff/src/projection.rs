//! An object as far as a set of fields goes, and the hash of that.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::canonical::{self, Canonical};
use crate::field_set::{Context, FieldSet, Node};
use crate::list_keys::{ListKeys, ListKind, TypeRef};
use crate::{FieldPath, KnownLists, PathElement};

/// A hash of the fields of a set as they are in an object: equal as long as nobody changed, removed or reordered (in an
/// atomic list) any of them.
///
/// 128 bits of a SHA-256. It is the same in every process, version of this crate and feature set. The fingerprint of a
/// Secret can be guessed at by whoever sees it: keep it in memory, or key it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A text that is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 hexadecimal digits")]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(FingerprintError);
        }
        u128::from_str_radix(text, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| FingerprintError)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl FieldSet {
    /// The object as far as the set goes; what the set has and the object lacks is left out.
    ///
    /// A member that is a leaf of the set and a map or a keyed list in the object projects to its presence, an empty map
    /// or list: it was applied empty (`emptyDir: {}`), and others may fill it without taking it over. Atomic maps and
    /// lists project whole. Which are atomic is decided by [`KnownLists`]; see [`project_with`](Self::project_with).
    #[must_use]
    pub fn project(&self, object: &Value) -> Value {
        self.project_with(object, &KnownLists)
    }

    /// [`project`](Self::project) with other knowledge about lists.
    #[must_use]
    pub fn project_with(&self, object: &Value, lists: &dyn ListKeys) -> Value {
        let context = Context { object: TypeRef::of(object), lists };
        let empty = if object.is_array() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        context.project(self, object, &mut FieldPath::root()).unwrap_or(empty)
    }

    /// The hash of the projection on this set.
    ///
    /// The order of maps, of keyed lists and of sets does not count, that of atomic lists does. `1` and `1.0` are
    /// different, as are integers that one float would stand for. Ownership counts: an object of which the set holds less
    /// has another fingerprint.
    ///
    /// ```
    /// use gitops_diff::FieldSet;
    /// use serde_json::json;
    ///
    /// let ours = FieldSet::from_fields_v1(&json!({"f:spec": {"f:replicas": {}}}))?;
    /// let applied = ours.fingerprint(&json!({"spec": {"replicas": 3}}));
    /// assert_eq!(applied, ours.fingerprint(&json!({"spec": {"replicas": 3, "paused": true}, "status": {}})));
    /// assert_ne!(applied, ours.fingerprint(&json!({"spec": {"replicas": 2}})));
    /// # Ok::<(), gitops_diff::FieldSetError>(())
    /// ```
    pub fn fingerprint(&self, object: &Value) -> Fingerprint {
        self.fingerprint_with(object, &KnownLists)
    }

    /// [`fingerprint`](Self::fingerprint) with other knowledge about lists.
    pub fn fingerprint_with(&self, object: &Value, lists: &dyn ListKeys) -> Fingerprint {
        let context = Context { object: TypeRef::of(object), lists };
        let mut hash = Hash(Sha256::new());
        hash.tag(b'0');
        context.hash(self, object, &mut FieldPath::root(), &mut hash);
        let digest = hash.0.finalize();
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(digest.iter()) {
            *byte = *from;
        }
        Fingerprint(bytes)
    }
}

/// What a member that is a leaf stands for.
enum Leaf {
    Presence,
    Whole,
}

impl Context<'_> {
    fn leaf(&self, value: &Value, path: &FieldPath) -> Leaf {
        match value {
            Value::Object(_) if !self.is_atomic_map(path) => Leaf::Presence,
            Value::Array(_) if !matches!(self.list(path), ListKind::Atomic) => Leaf::Presence,
            _ => Leaf::Whole,
        }
    }

    fn project(&self, set: &FieldSet, value: &Value, path: &mut FieldPath) -> Option<Value> {
        match value {
            Value::Object(_) => {
                let mut map = Map::new();
                for (element, node) in set.nodes() {
                    let Some(child) = element.of(value) else { continue };
                    let name = match element {
                        PathElement::Field(name) => name.to_string(),
                        other => other.to_string(),
                    };
                    path.push(element.clone());
                    let projected = self.project_node(node, child, path);
                    path.pop();
                    if let Some(projected) = projected {
                        map.insert(name, projected);
                    }
                }
                (!map.is_empty()).then_some(Value::Object(map))
            }
            Value::Array(items) => {
                let index = Positions::of(set, items);
                let mut found = Vec::new();
                for (element, node) in set.nodes() {
                    let Some((at, item)) = index.find(element, items) else { continue };
                    path.push(element.clone());
                    let projected = self.project_node(node, item, path);
                    path.pop();
                    if let Some(mut projected) = projected {
                        // An item is told from the others by its key, also where others own the key's fields.
                        if let (PathElement::Key(key), Value::Object(map)) = (element, &mut projected) {
                            for (name, value) in key.iter().filter(|(name, _)| item.get(&***name).is_some()) {
                                map.entry(name.to_string()).or_insert_with(|| value.clone());
                            }
                        }
                        found.push((at, projected));
                    }
                }
                found.sort_by_key(|(at, _)| *at);
                (!found.is_empty()).then(|| found.into_iter().map(|(_, item)| item).collect())
            }
            _ => None,
        }
    }

    fn project_node(&self, node: &Node, value: &Value, path: &mut FieldPath) -> Option<Value> {
        if node.children.is_empty() {
            return Some(match (self.leaf(value, path), value) {
                (Leaf::Presence, Value::Object(_)) => Value::Object(Map::new()),
                (Leaf::Presence, Value::Array(_)) => Value::Array(Vec::new()),
                _ => value.clone(),
            });
        }
        let projected = self.project(&node.children, value, path);
        if !node.member {
            return projected;
        }
        Some(projected.unwrap_or_else(|| match value {
            Value::Object(_) => Value::Object(Map::new()),
            Value::Array(_) => Value::Array(Vec::new()),
            scalar => scalar.clone(),
        }))
    }

    /// Feeds the fields of the set into the hash, in the set's order; says whether there were any.
    fn hash(&self, set: &FieldSet, value: &Value, path: &mut FieldPath, hash: &mut Hash) {
        let items = value.as_array();
        let index = items.map(|items| Positions::of(set, items));
        for (element, node) in set.nodes() {
            let child = match (items, &index) {
                (Some(items), Some(index)) => index.find(element, items).map(|(_, item)| item),
                _ => element.of(value),
            };
            let Some(child) = child else { continue };
            hash.tag(b'e');
            hash.text(&element.to_managed());
            path.push(element.clone());
            if node.member {
                hash.tag(b'.');
            }
            if node.children.is_empty() {
                match (self.leaf(child, path), child) {
                    (Leaf::Presence, Value::Object(_)) => hash.tag(b'm'),
                    (Leaf::Presence, _) => hash.tag(b'l'),
                    (Leaf::Whole, _) => hash.value(child),
                }
            } else if child.is_object() || child.is_array() {
                self.hash(&node.children, child, path, hash);
            } else {
                hash.value(child);
            }
            path.pop();
            hash.tag(b'<');
        }
    }
}

struct Hash(Sha256);

impl Hash {
    fn tag(&mut self, tag: u8) {
        self.0.update([tag]);
    }

    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.tag(b'n'),
            Value::Bool(b) => self.tag(if *b { b't' } else { b'f' }),
            Value::Number(n) => {
                if let Some(i) = n.as_i64() {
                    self.tag(b'i');
                    self.0.update(i128::from(i).to_le_bytes());
                } else if let Some(u) = n.as_u64() {
                    self.tag(b'i');
                    self.0.update(i128::from(u).to_le_bytes());
                } else {
                    self.tag(b'd');
                    // Only numbers that no machine number can hold are hashed as they are written.
                    match n.as_f64() {
                        Some(f) => self.0.update(f.to_bits().to_le_bytes()),
                        None => self.text(&n.to_string()),
                    }
                }
            }
            Value::String(s) => {
                self.tag(b's');
                self.text(s);
            }
            Value::Array(items) => {
                self.tag(b'[');
                for item in items {
                    self.value(item);
                }
                self.tag(b']');
            }
            Value::Object(map) => {
                self.tag(b'{');
                for (name, child) in canonical::sorted(map) {
                    self.text(name);
                    self.value(child);
                }
                self.tag(b'}');
            }
        }
    }
}

/// Where the items of a list are; for long lists an index, so that a walk stays linear.
enum Positions<'a> {
    Scan,
    Keys(HashMap<PathElement, usize>),
    Values(HashMap<Canonical<'a>, usize>),
}

impl<'a> Positions<'a> {
    fn of(set: &FieldSet, items: &'a [Value]) -> Self {
        if items.len().min(set.nodes().len()) < 16 {
            return Self::Scan;
        }
        match set.nodes().keys().next() {
            Some(PathElement::Key(key)) => {
                let names: Vec<&Arc<str>> = key.keys().collect();
                let mut index = HashMap::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    let of_item = names.iter().filter_map(|name| {
                        let missing = || (&***name == "protocol").then(|| Value::from("TCP"));
                        Some((Arc::clone(name), item.get(&***name).cloned().or_else(missing)?))
                    });
                    index.entry(PathElement::Key(of_item.collect())).or_insert(at);
                }
                Self::Keys(index)
            }
            Some(PathElement::Value(_)) => {
                let mut index = HashMap::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    index.entry(Canonical(item)).or_insert(at);
                }
                Self::Values(index)
            }
            _ => Self::Scan,
        }
    }

    fn find<'v>(&self, element: &PathElement, items: &'v [Value]) -> Option<(usize, &'v Value)> {
        let at = match (self, element) {
            (Self::Keys(index), PathElement::Key(_)) => {
                index.get(element).copied().or_else(|| element.position(items))
            }
            (Self::Values(index), PathElement::Value(value)) => index.get(&Canonical(value)).copied(),
            _ => element.position(items),
        }?;
        items.get(at).map(|item| (at, item))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::BuiltIn;
    use crate::testing::{deployment, small_value};

    fn set(fields: &Value) -> FieldSet {
        FieldSet::from_fields_v1(fields).unwrap()
    }

    #[test]
    fn projects_only_what_is_owned() {
        let object = json!({
            "metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x", "y"]},
            "spec": {
                "containers": [{"name": "side", "image": "s"}, {"name": "web", "image": "w", "tty": false}],
                "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
            },
        });
        let owned = set(&json!({
            "f:metadata": {"f:labels": {"f:a": {}, "f:gone": {}}, "f:finalizers": {"v:\"y\"": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}},
                "f:volumes": {"k:{\"name\":\"v\"}": {".": {}, "f:emptyDir": {}}},
            },
        }));
        assert_eq!(
            owned.project(&object),
            json!({
                "metadata": {"labels": {"a": "1"}, "finalizers": ["y"]},
                "spec": {
                    "containers": [{"name": "web", "image": "w"}],
                    "volumes": [{"name": "v", "emptyDir": {}}],
                },
            })
        );
        assert_eq!(FieldSet::new().project(&object), json!({}));
    }

    #[test]
    fn what_others_write_does_not_count_and_what_they_overwrite_does() {
        let owned = set(&json!({
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {
                "f:args": {},
                "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}},
                "f:emptyDir": {},
            },
        }));
        let base = json!({
            "metadata": {"labels": {"a": "1"}},
            "spec": {"args": [1, 2], "emptyDir": {}, "env": [{"name": "A", "value": "x"}]},
        });
        let print = owned.fingerprint(&base);
        let with = |path: &str, value: Value| {
            let mut changed = base.clone();
            path.parse::<FieldPath>().unwrap().set(&mut changed, value);
            owned.fingerprint(&changed)
        };
        assert_eq!(print, with(".metadata.labels.b", json!("2")));
        assert_eq!(print, with(".status", json!({"x": 1})));
        assert_eq!(print, with(".spec.emptyDir", json!({"medium": "Memory"})));
        assert_eq!(print, with(".spec.env", json!([{"name": "B"}, {"value": "x", "name": "A"}])));
        assert_ne!(print, with(".spec.env", json!([{"name": "B"}])));
        assert_ne!(print, with(".spec.args", json!([2, 1])));
        assert_ne!(print, with(".spec.args", json!([1, 2.0])));
        assert_ne!(print, with(".metadata.labels.a", json!("2")));
        assert_ne!(print, with(".spec.emptyDir", json!(null)));
        assert_ne!(print, owned.difference(&set(&json!({"f:spec": {"f:args": {}}}))).fingerprint(&base));
    }

    #[test]
    fn atomic_maps_count_whole_where_they_are_known() {
        let owned = set(&json!({"f:spec": {"f:selector": {}}}));
        let service =
            |v: &str| json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": {"app": v}}});
        assert_ne!(owned.fingerprint(&service("a")), owned.fingerprint(&service("b")));
        assert_eq!(owned.project(&service("a")), json!({"spec": {"selector": {"app": "a"}}}));
    }

    #[test]
    fn the_value_is_the_same_for_ever() {
        let owned = set(&json!({"f:a": {}, "f:l": {"k:{\"n\":1}": {".": {}}, "v:\"x\"": {}}, "f:m": {}}));
        let print = owned.fingerprint(&json!({"a": 9_007_199_254_740_993_u64, "l": [{"n": 1}], "m": {}}));
        assert_eq!(print.to_string().parse(), Ok(print));
        assert_eq!(serde_json::to_value(print).unwrap(), json!(print.to_string()));
        assert_eq!(print.to_string(), "326b7991115b61e1c4fa79a9a7b9e261");
        assert_eq!("+1".repeat(16).parse::<Fingerprint>(), Err(FingerprintError));
    }

    #[test]
    fn long_lists_are_found_like_short_ones() {
        let items: Vec<_> = (0..100).map(|i| json!({"name": format!("n{i}"), "v": i})).collect();
        let all = json!({"l": items.clone(), "f": (0..100).collect::<Vec<_>>()});
        let mut owned = FieldSet::new();
        for i in 0..100 {
            let item = FieldPath::of_fields(["l"]).child(PathElement::key("name", format!("n{i}")));
            owned.insert(&item.field("v"));
            owned.insert(&FieldPath::of_fields(["f"]).child(PathElement::Value(json!(i))));
        }
        let mut shuffled = all.clone();
        if let Some(list) = shuffled["l"].as_array_mut() {
            list.reverse();
        }
        assert_eq!(owned.project(&all), all);
        assert_eq!(owned.fingerprint(&all), owned.fingerprint(&shuffled));
        shuffled["l"][7]["v"] = json!("other");
        assert_ne!(owned.fingerprint(&all), owned.fingerprint(&shuffled));
    }

    proptest! {
        #[test]
        fn stated_fields_project_to_the_object(d in deployment()) {
            let stated = FieldSet::with_identity(&d, &BuiltIn);
            prop_assert_eq!(stated.project(&d), d);
        }

        #[test]
        fn the_fingerprint_says_what_the_projection_says(a in deployment(), b in deployment()) {
            let owned = FieldSet::of(&a, &BuiltIn);
            let print = owned.fingerprint(&a);
            prop_assert_eq!(print, owned.fingerprint(&a.clone()));
            if print == owned.fingerprint(&b) {
                let stated = |v: &Value| crate::stated(&owned.project(&a), v, &crate::DiffOptions::default());
                prop_assert_eq!(stated(&b), vec![]);
            } else {
                prop_assert_ne!(owned.project(&a), owned.project(&b));
            }
        }

        #[test]
        fn no_tree_is_too_strange(a in small_value(), b in small_value()) {
            let owned = FieldSet::with_identity(&a, &BuiltIn);
            let _ = owned.project(&b);
            let _ = owned.fingerprint(&b);
        }
    }
}
