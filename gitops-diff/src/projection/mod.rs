//! An object as far as a set of fields goes, and the hash of that.

mod compiled;
mod entry;
mod glance;
mod hash;
mod matches;
mod tape;
mod tree;

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

use self::compiled::{Compiled, CompiledNode, Element};
pub(crate) use self::entry::apply_entry;
pub use self::glance::{Glance, GlanceError};
use crate::schema::{BuiltIn, Schema, Type};
use crate::{FieldSet, PathElement, TypeRef};

/// A hash of the fields of a set as they are in an object: equal as long as nobody changed, removed or reordered (in an
/// atomic list) any of them.
///
/// 128 bits of a SHA-256. It is the same in every process and with every feature set. The fingerprint of a Secret can be
/// guessed at by whoever sees it: keep it in memory, or key it.
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
    /// lists project whole. Which are atomic is decided by [`BuiltIn`]; see [`project_with`](Self::project_with).
    #[must_use]
    pub fn project(&self, object: &Value) -> Value {
        self.project_with(object, &BuiltIn)
    }

    /// [`project`](Self::project) with the types of another schema.
    #[must_use]
    pub fn project_with(&self, object: &Value, schema: &dyn Schema) -> Value {
        let set = Compiled::of(self);
        let empty = || if object.is_array() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        below(&set, set.root(), object, type_of(object, schema)).unwrap_or_else(empty)
    }

    /// The hash of the projection on this set.
    ///
    /// The order of maps, of keyed lists and of sets does not count, that of atomic lists does. `1` and `1.0` are
    /// different, as are integers that one float would stand for. Ownership counts: an object of which the set holds less
    /// has another fingerprint. Items of a keyed list that share a key all count, in their order.
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
        self.fingerprint_with(object, &BuiltIn)
    }

    /// [`fingerprint`](Self::fingerprint) with the types of another schema.
    pub fn fingerprint_with(&self, object: &Value, schema: &dyn Schema) -> Fingerprint {
        hash::fingerprint(&Compiled::of(self), object, type_of(object, schema))
    }
}

fn type_of<'s>(object: &Value, schema: &'s dyn Schema) -> Type<'s> {
    schema.type_or_deduced(&TypeRef::of(object))
}

/// What a level of a set holds of a value; none if that is nothing.
fn below(set: &Compiled<'_>, level: std::ops::Range<usize>, value: &Value, ty: Type<'_>) -> Option<Value> {
    let level = set.level(level);
    let mut found = Vec::new();
    matches::find(level, value, ty, &mut found);
    if value.is_array() {
        found.sort_by_key(|found| found.position);
    }
    let projected = found.iter().filter_map(|found| {
        let node = level.get(found.element)?;
        let child = projected(set, node, found.value, hash::child_type(&node.element, ty))?;
        Some((&node.element, with_key(&node.element, child, found.value)))
    });
    if value.is_object() {
        let map: Map<_, _> = projected
            .filter_map(|(element, child)| match element {
                Element::Field(name) => Some(((*name).to_owned(), child)),
                Element::Item(_) => None,
            })
            .collect();
        return (!map.is_empty()).then_some(Value::Object(map));
    }
    let items: Vec<_> = projected.map(|(_, item)| item).collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

fn projected(set: &Compiled<'_>, node: &CompiledNode<'_>, value: &Value, ty: Type<'_>) -> Option<Value> {
    let presence = || match value {
        Value::Object(_) => Value::Object(Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        scalar => scalar.clone(),
    };
    if !node.children.is_empty() {
        return below(set, node.children.clone(), value, ty).or_else(|| node.member.then(presence));
    }
    let whole = match value {
        Value::Object(_) => ty.is_atomic_map(),
        Value::Array(_) => hash::is_atomic_list(ty),
        _ => true,
    };
    Some(if whole { value.clone() } else { presence() })
}

/// An item is told from the others by its key, also where others own the key's fields.
fn with_key(element: &Element<'_>, mut projected: Value, item: &Value) -> Value {
    if let (Element::Item(element), Value::Object(map)) = (element, &mut projected)
        && let PathElement::Key(key) = &**element
    {
        for (name, value) in key.iter().filter(|(name, _)| item.get(&***name).is_some()) {
            map.entry(name.to_string()).or_insert_with(|| value.clone());
        }
    }
    projected
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::FieldPath;
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
        assert_eq!(print.to_string(), "648f851e13e356c5f6a9e9154b8a7793");
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
                let stated = |v: &Value| crate::compare(&owned.project(&a), v, &BuiltIn, &crate::DiffOptions::default());
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
