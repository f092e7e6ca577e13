//! What an API server does besides storing. Each of these was found by doing the same to a real one
//! (`gitops-kube/tests/differential`).

use super::*;
use crate::{ObjectEvent, Token};

fn deployment(replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas}})
}

fn web() -> ResourceId {
    ResourceId::namespaced("apps", "Deployment", "shop", "web")
}

fn text(object: &Value, field: &str) -> String {
    meta(object, field).as_str().unwrap().to_owned()
}

#[test]
fn a_write_insists_on_what_it_states() {
    let cluster = cluster();
    let class = |result: Result<Value, Fault>| result.unwrap_err().class;
    let stating = |field: &str, value: &str| {
        let mut object = config("a", json!({"k": value}));
        object["metadata"][field] = json!(value);
        object
    };
    assert_eq!(class(cluster.apply("x", &stating("uid", "of-nobody"), true)), Class::Precondition);
    // A version alone does not keep an apply from creating; one that nothing has keeps it from changing.
    let first = cluster.apply("x", &stating("resourceVersion", "1"), true).unwrap();
    for (field, wrong) in [("uid", "of-nobody"), ("resourceVersion", "1")] {
        assert_eq!(class(cluster.apply("x", &stating(field, wrong), true)), Class::Precondition);
        let update = cluster.update("x", &id("a"), |o| o["metadata"][field] = json!(wrong));
        assert_eq!(class(update), Class::Precondition);
        let right = text(&first, field);
        let mut object = config("a", json!({"k": "1"}));
        object["metadata"][field] = json!(right);
        assert_eq!(cluster.apply("x", &object, true).unwrap(), first, "{field}");
    }
    let expect = |uid: &str, version: &str| {
        Expect::Exactly(Token { incarnation: uid.into(), version: version.into() })
    };
    let (uid, version) = (text(&first, "uid"), text(&first, "resourceVersion"));
    assert_eq!(cluster.delete_if("x", &id("a"), &expect(&uid, "1")).unwrap_err().class, Class::Precondition);
    cluster.delete_if("x", &id("a"), &expect(&uid, &version)).unwrap();
    assert_eq!(cluster.delete_if("x", &id("a"), &expect(&uid, &version)).unwrap_err().class, Class::NotFound);
}

#[test]
fn generations_count_what_controllers_must_see_and_some_kinds_have_none() {
    let cluster = cluster();
    let plain = cluster.create("x", &config("a", json!({"k": "1"}))).unwrap();
    assert_eq!(meta(&plain, "generation"), &Value::Null);
    cluster.create("x", &deployment(1)).unwrap();
    let generation = |object: Value| meta(&object, "generation").clone();
    let edit = |change: fn(&mut Value)| generation(cluster.update("x", &web(), change).unwrap());
    assert_eq!(edit(|o| o["metadata"]["labels"] = json!({"x": "y"})), 1);
    assert_eq!(edit(|o| o["metadata"]["annotations"] = json!({"x": "y"})), 2);
    assert_eq!(edit(|o| o["metadata"]["finalizers"] = json!(["example.org/hold"])), 2);
    assert_eq!(generation(cluster.update_status("x", &web(), json!({"replicas": 1})).unwrap()), 2);
    assert_eq!(edit(|o| o["spec"]["replicas"] = json!(2)), 3);
    cluster.delete("x", &web()).unwrap();
    assert_eq!(generation(cluster.get(&web()).unwrap()), 4);
}

#[test]
fn an_end_that_has_begun_is_not_put_off() {
    let cluster = cluster();
    let mut held = config("a", json!({"k": "1"}));
    held["metadata"]["finalizers"] = json!(["example.org/hold"]);
    let before = cluster.create("x", &held).unwrap();
    let seen = cluster.version();
    cluster.delete("x", &id("a")).unwrap();
    let add = |o: &mut Value| o["metadata"]["finalizers"] = json!(["example.org/hold", "example.org/more"]);
    assert_eq!(cluster.update("x", &id("a"), add).unwrap_err().class, Class::Invalid);
    held["data"]["k"] = json!("2");
    let replaced = cluster.update("x", &id("a"), |o| *o = held).unwrap();
    assert!(meta(&replaced, "deletionTimestamp").is_string(), "{replaced}");
    cluster
        .update("x", &id("a"), |o| {
            o["metadata"]["finalizers"] = json!([]);
            o["data"]["k"] = json!("never stored");
        })
        .unwrap();
    let events = cluster.events_since(seen).unwrap();
    assert_eq!(events.iter().map(ObjectEvent::word).collect::<Vec<_>>(), ["MODIFIED", "MODIFIED", "DELETED"]);
    let last = events[2].object();
    assert_eq!((&last["data"]["k"], meta(last, "uid")), (&json!("2"), meta(&before, "uid")));
    assert_eq!(text(last, "resourceVersion"), cluster.version().to_string());
}

#[test]
fn events_are_told_from_a_version_on_until_it_is_forgotten() {
    let cluster = cluster();
    let start = cluster.version();
    cluster.create("x", &config("a", json!({}))).unwrap();
    cluster.update("x", &id("a"), |_| ()).unwrap();
    assert_eq!(cluster.events_since(start).unwrap().len(), 1, "what changes nothing is not told");
    assert_eq!(format!("{:?}", cluster.events_since(start).unwrap()), r#"[ADDED "ConfigMap" "a"]"#);
    cluster.expire_watches();
    assert_eq!(cluster.events_since(start), None);
    assert_eq!(cluster.events_since(cluster.version()), Some(Vec::new()));
}

#[test]
fn custom_kinds_are_merged_as_their_definition_says() {
    let cluster = cluster();
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}}}});
    let definition = |schema: Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.org"},
        "spec": {"group": "example.org", "names": {"kind": "Widget"}, "scope": "Namespaced",
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}})
    };
    let refused = cluster.create("x", &definition(json!({"type": "nothing"}))).unwrap_err();
    assert_eq!(refused.class, Class::Invalid);
    cluster.create("x", &definition(schema)).unwrap();
    let widget = |tag: &str| {
        json!({"apiVersion": "example.org/v1", "kind": "Widget",
        "metadata": {"name": "w", "namespace": "shop"}, "spec": {"tags": [tag]}})
    };
    cluster.apply("one", &widget("x"), false).unwrap();
    assert_eq!(cluster.apply("two", &widget("y"), false).unwrap()["spec"]["tags"], json!(["x", "y"]));
    cluster
        .delete(
            "x",
            &ResourceId::global("apiextensions.k8s.io", "CustomResourceDefinition", "widgets.example.org"),
        )
        .unwrap();
    cluster.serve("example.org", "Widget", Scope::Namespaced);
    cluster.apply("one", &widget("x"), false).unwrap();
    let conflict = cluster.apply("two", &widget("y"), false).unwrap_err();
    assert_eq!(conflict.class, Class::Precondition, "the definition is forgotten");
}

#[test]
fn a_status_is_its_controllers() {
    let cluster = cluster();
    let mut object = deployment(1);
    object["status"] = json!({"replicas": 7});
    assert_eq!(cluster.create("x", &object).unwrap().get("status"), None);
    let stored = cluster.update_status("controller", &web(), json!({"replicas": 1})).unwrap();
    let entries = meta(&stored, "managedFields").as_array().unwrap();
    assert_eq!(entries.iter().filter(|entry| entry["subresource"] == "status").count(), 1, "{entries:?}");
    assert_eq!(cluster.update("x", &web(), |o| o["status"] = json!(null)).unwrap(), stored);
    assert_eq!(cluster.apply("x", &object, true).unwrap()["status"], json!({"replicas": 1}));
}

#[test]
fn zero_values_of_built_in_kinds_are_absent() {
    let cluster = cluster();
    let mut object = config("a", json!({"k": ""}));
    object["metadata"]["labels"] = json!({});
    let stored = cluster.create("x", &object).unwrap();
    assert_eq!((meta(&stored, "labels"), &stored["data"]), (&Value::Null, &json!({"k": ""})));
    let emptied = cluster.update("x", &id("a"), |o| o["data"] = json!({})).unwrap();
    assert_eq!(emptied.get("data"), None);
}

#[test]
fn parts_without_content_are_nobodys() {
    let cluster = cluster();
    cluster.create("one", &deployment(1)).unwrap();
    let stored = cluster.update_status("two", &web(), json!({"replicas": 1})).unwrap();
    let entries = meta(&stored, "managedFields").as_array().unwrap();
    let fields: Vec<&Value> = entries.iter().map(|entry| &entry["fieldsV1"]).collect();
    assert_eq!(fields, [&json!({"f:spec": {"f:replicas": {}}}), &json!({"f:status": {"f:replicas": {}}})]);
}

#[test]
fn an_update_that_leaves_out_what_cannot_change_changes_nothing() {
    let cluster = cluster();
    let stored = cluster.create("x", &deployment(1)).unwrap();
    assert_eq!(cluster.update("x", &web(), |o| *o = deployment(1)).unwrap(), stored);
}
