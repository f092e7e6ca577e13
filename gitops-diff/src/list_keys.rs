//! How the items of a list are told apart.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::canonical::Canonical;
use crate::path::PathElement;
use crate::{FieldPath, KnownLists};

/// The type of an object: what its `apiVersion` and `kind` say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeRef<'a> {
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// The kind.
    pub kind: &'a str,
}

impl<'a> TypeRef<'a> {
    /// Reads `apiVersion` and `kind`; what is missing or no text is empty.
    pub fn of(object: &'a Value) -> Self {
        let text = |field| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        Self { group, version, kind: text("kind") }
    }

    /// Whether the group is one that Kubernetes itself serves: no dot (`apps`), or below `k8s.io`.
    pub fn is_built_in(&self) -> bool {
        !self.group.contains('.') || self.group.ends_with(".k8s.io")
    }
}

/// One field of the key of a list's items.
#[derive(Clone, Debug, PartialEq)]
pub struct ListKey {
    /// The field's name.
    pub name: Cow<'static, str>,
    /// The value that an item without the field has.
    pub default: Option<Cow<'static, str>>,
}

impl ListKey {
    /// A key field without a default.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), default: None }
    }

    /// A key field with a default.
    pub const fn with_default(name: &'static str, default: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), default: Some(Cow::Borrowed(default)) }
    }
}

/// How a list is merged, owned and compared: Kubernetes' `x-kubernetes-list-type`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ListKind<'a> {
    /// One value; its order counts, and one manager owns all of it.
    Atomic,
    /// A set of scalars; order does not count, and each is owned by itself.
    Set,
    /// Maps with unique keys; order does not count, and fields are owned one by one.
    Map(&'a [ListKey]),
}

/// Knowledge about lists: the part of a schema that comparing and merging cannot do without.
pub trait ListKeys: fmt::Debug + Send + Sync {
    /// The kind of the list at `path` in objects of this type. [`ListKind::Atomic`] is the answer for what is unknown.
    fn keys_of(&self, object: &TypeRef<'_>, path: &FieldPath) -> ListKind<'_>;

    /// Whether the map at `path` is one value that one manager owns, as `x-kubernetes-map-type: atomic` says.
    fn is_atomic_map(&self, object: &TypeRef<'_>, path: &FieldPath) -> bool {
        let _ = (object, path);
        false
    }
}

impl<T: ListKeys + ?Sized> ListKeys for std::sync::Arc<T> {
    fn keys_of(&self, object: &TypeRef<'_>, path: &FieldPath) -> ListKind<'_> {
        (**self).keys_of(object, path)
    }

    fn is_atomic_map(&self, object: &TypeRef<'_>, path: &FieldPath) -> bool {
        (**self).is_atomic_map(object, path)
    }
}

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
}

/// Every list atomic, every map granular, but for what all objects have in `metadata`: what the API server takes for
/// granted where it has no schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeducedLists;

impl ListKeys for DeducedLists {
    fn keys_of(&self, _: &TypeRef<'_>, path: &FieldPath) -> ListKind<'_> {
        KnownLists.keys_of(&TypeRef { group: "deduced.invalid", version: "", kind: "" }, path)
    }

    fn is_atomic_map(&self, _: &TypeRef<'_>, path: &FieldPath) -> bool {
        KnownLists.is_atomic_map(&TypeRef { group: "deduced.invalid", version: "", kind: "" }, path)
    }
}

/// The elements that name the items of a list, in order; `None` if it cannot be taken apart: it is atomic, an item has
/// none of the key fields or is no map (a set: no scalar), or two items are the same.
pub(crate) fn elements(kind: ListKind<'_>, items: &[Value]) -> Option<Vec<PathElement>> {
    let elements: Option<Vec<_>> = match kind {
        ListKind::Atomic => None,
        ListKind::Set => items
            .iter()
            .map(|item| (!item.is_array() && !item.is_object()).then(|| PathElement::Value(item.clone())))
            .collect(),
        ListKind::Map(keys) => items.iter().map(|item| item_key(item, keys)).collect(),
    };
    elements.filter(|all| all_unique(all.iter()))
}

/// The key of one item: fields that it lacks have their default, or are left out where there is none.
pub(crate) fn item_key(item: &Value, keys: &[ListKey]) -> Option<PathElement> {
    let Value::Object(map) = item else { return None };
    let mut key: Vec<(Arc<str>, Value)> = Vec::new();
    let mut found = false;
    for field in keys {
        match (map.get(&*field.name), &field.default) {
            (Some(Value::Array(_) | Value::Object(_)), _) => return None,
            (Some(value), _) if !value.is_null() => {
                found = true;
                key.push((field.name.as_ref().into(), value.clone()));
            }
            (_, Some(default)) => {
                key.push((field.name.as_ref().into(), Value::from(&**default)));
            }
            _ => {}
        }
    }
    found.then(|| PathElement::Key(key.into_iter().collect()))
}

/// A field that tells the items of two lists apart, found by looking: all items are maps, all have it, and no two of
/// one list have the same. Only for reading; ownership never depends on a guess.
pub(crate) fn deduce_key(from: &[Value], to: &[Value]) -> Option<&'static [ListKey]> {
    const CANDIDATES: [[ListKey; 1]; 12] = [
        [ListKey::new("name")],
        [ListKey::new("key")],
        [ListKey::new("id")],
        [ListKey::new("uid")],
        [ListKey::new("type")],
        [ListKey::new("host")],
        [ListKey::new("path")],
        [ListKey::new("mountPath")],
        [ListKey::new("port")],
        [ListKey::new("containerPort")],
        [ListKey::new("ip")],
        [ListKey::new("kind")],
    ];
    static TABLE: [[ListKey; 1]; 12] = CANDIDATES;
    if from.is_empty() && to.is_empty() {
        return None;
    }
    let works = |key: &str, items: &[Value]| {
        let values: Option<Vec<_>> = items
            .iter()
            .map(|item| item.as_object()?.get(key).filter(|v| v.is_string() || v.is_number()).map(Canonical))
            .collect();
        values.is_some_and(all_unique)
    };
    TABLE.iter().find(|key| works(&key[0].name, from) && works(&key[0].name, to)).map(|key| &key[..])
}

/// Whether no two are the same.
pub(crate) fn all_unique<T: Eq + std::hash::Hash>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_read_from_objects() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        assert_eq!(TypeRef::of(&object), TypeRef { group: "apps", version: "v1", kind: "Deployment" });
        assert_eq!(
            TypeRef::of(&json!({"apiVersion": "v1", "kind": 3})),
            TypeRef { group: "", version: "v1", kind: "" }
        );
        assert!(TypeRef { group: "rbac.authorization.k8s.io", ..TypeRef::default() }.is_built_in());
        assert!(!TypeRef { group: "cert-manager.io", ..TypeRef::default() }.is_built_in());
    }

    #[test]
    fn keys_take_defaults_and_leave_out_what_has_none() {
        let keys = [ListKey::new("port"), ListKey::with_default("protocol", "TCP"), ListKey::new("zone")];
        let element = item_key(&json!({"port": 80}), &keys).unwrap();
        assert_eq!(element.to_string(), r#"[port=80,protocol="TCP"]"#);
        assert_eq!(item_key(&json!({"host": "x"}), &keys), None);
        assert_eq!(item_key(&json!("x"), &keys), None);
        assert_eq!(item_key(&json!({"port": []}), &keys), None);
    }

    #[test]
    fn lists_with_duplicates_are_not_taken_apart() {
        assert_eq!(elements(ListKind::Set, &[json!("a"), json!("a")]), None);
        assert_eq!(
            elements(ListKind::Map(&[ListKey::new("n")]), &[json!({"n": 1}), json!({"n": 1.0})]),
            None
        );
        assert_eq!(elements(ListKind::Set, &[json!({})]), None);
        assert_eq!(elements(ListKind::Set, &[json!("a")]).map(|e| e.len()), Some(1));
    }

    #[test]
    fn keys_are_deduced_from_both_sides() {
        let (a, b) = (json!({"host": "a", "name": "x"}), json!({"host": "b", "name": "x"}));
        let deduced = |from: &[Value], to: &[Value]| deduce_key(from, to).map(|k| k[0].name.to_string());
        assert_eq!(deduced(&[a.clone(), b.clone()], &[]), Some("host".to_owned()));
        assert_eq!(deduced(std::slice::from_ref(&a), std::slice::from_ref(&b)), Some("name".to_owned()));
        assert_eq!(deduced(&[a, json!(1)], &[b]), None);
        assert_eq!(deduced(&[], &[]), None);
    }
}
