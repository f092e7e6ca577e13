//! The form in which an object is applied.

use gitops_core::ResourceId;
use gitops_diff::{SERVER_METADATA, drop_nulls, stored_secret};
use serde_json::{Map, Value};

use crate::membership::{PART_OF, STATE_ANNOTATION};

/// Rewrites an object as it will be applied: the namespace is as `id` says; nulls, what the server sets and marks of
/// membership are dropped; a Secret's `stringData` becomes `data`.
pub(crate) fn normalise(object: &Value, id: &ResourceId) -> Value {
    let mut object = object.clone();
    drop_nulls(&mut object);
    let Some(fields) = object.as_object_mut() else { return object };
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_METADATA {
            metadata.remove(field);
        }
        match &id.namespace {
            Some(namespace) => metadata.insert("namespace".into(), namespace.clone().into()),
            None => metadata.remove("namespace"),
        };
        // Somebody exported a member of an application: whose it is, is not for Git to say.
        remove_key(metadata, "labels", PART_OF);
        remove_key(metadata, "annotations", STATE_ANNOTATION);
    }
    stored_secret(&object).unwrap_or(object)
}

fn remove_key(metadata: &mut Map<String, Value>, field: &str, key: &str) {
    if let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut)
        && map.remove(key).is_some()
        && map.is_empty()
    {
        metadata.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn secret(mut fields: Value) -> Value {
        fields["apiVersion"] = "v1".into();
        fields["kind"] = "Secret".into();
        fields
    }

    #[test]
    fn string_data_wins_over_data() {
        let id = ResourceId::namespaced("", "Secret", "shop", "db");
        let both = secret(
            json!({"metadata": {"name": "db"}, "stringData": {"a": "new"}, "data": {"a": "b2xk", "b": "eA=="}}),
        );
        let want = secret(
            json!({"metadata": {"name": "db", "namespace": "shop"}, "data": {"a": "bmV3", "b": "eA=="}}),
        );
        assert_eq!(normalise(&both, &id), want);
        let only = secret(json!({"metadata": {"name": "db"}, "stringData": {"a": "new"}}));
        assert_eq!(normalise(&only, &id).pointer("/data/a"), Some(&json!("bmV3")));
    }

    #[test]
    fn what_git_cannot_state_is_dropped() {
        let id = ResourceId::global("", "Namespace", "shop");
        let object = json!({"metadata": {"name": "shop", "namespace": "x", "uid": "1", "resourceVersion": "2",
            "managedFields": [], "labels": {PART_OF: "applyset-x-v1"}, "annotations": {STATE_ANNOTATION: "x", "a": "b"}},
            "spec": {"replicas": null, "list": [{"a": null, "b": {}}]}});
        let want =
            json!({"metadata": {"name": "shop", "annotations": {"a": "b"}}, "spec": {"list": [{"b": {}}]}});
        assert_eq!(normalise(&object, &id), want);
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from)
        ];
        let name = prop_oneof![
            Just("metadata"),
            Just("labels"),
            Just("annotations"),
            Just("data"),
            Just("stringData"),
            Just(PART_OF),
            Just(STATE_ANNOTATION),
            Just("uid"),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..4).prop_map(|map| map
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect::<Map<_, _>>()
                    .into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(tree in tree(), secret in any::<bool>(), namespaced in any::<bool>()) {
            let kind = if secret { "Secret" } else { "ConfigMap" };
            let namespace = namespaced.then(|| "shop".to_owned());
            let id = ResourceId { group: String::new(), kind: kind.into(), namespace, name: "a".into() };
            let once = normalise(&tree, &id);
            prop_assert_eq!(normalise(&once, &id), once);
        }
    }

    #[test]
    fn what_is_already_normal_stays() {
        let id = ResourceId::namespaced("", "Secret", "shop", "db");
        let plain = secret(json!({"metadata": {"name": "db"}, "stringData": {"a": "x"}}));
        let once = normalise(&plain, &id);
        assert_eq!(normalise(&once, &id), once);
    }
}
