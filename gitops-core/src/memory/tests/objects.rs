//! Versions, generations, namespaces, finalizers, kinds.

use super::*;
use crate::ManualClock;

#[test]
fn versions_move_with_every_write() {
    let cluster = cluster();
    let first = cluster.apply("kubectl", &config("a", json!({"k": "1"})), false).unwrap();
    assert!(meta(&first, "uid").is_string());
    assert!(meta(&first, "creationTimestamp").as_str().unwrap().parse::<Timestamp>().is_ok());
    let labelled =
        cluster.update("kubectl", &id("a"), |o| o["metadata"]["labels"] = json!({"x": "y"})).unwrap();
    assert_ne!(meta(&labelled, "resourceVersion"), meta(&first, "resourceVersion"));
    let changed = cluster.update("kubectl", &id("a"), |o| o["data"]["k"] = json!("2")).unwrap();
    assert_ne!(meta(&changed, "resourceVersion"), meta(&labelled, "resourceVersion"));
    let status = cluster.update_status("controller", &id("a"), json!({"ready": true})).unwrap();
    assert_eq!(meta(&status, "uid"), meta(&first, "uid"));
    assert_eq!(meta(&status, "creationTimestamp"), meta(&first, "creationTimestamp"));
    cluster.delete("kubectl", &id("a")).unwrap();
    let again = cluster.create("kubectl", &config("a", json!({}))).unwrap();
    assert_ne!(meta(&again, "uid"), meta(&first, "uid"));
}

#[test]
fn a_write_that_changes_nothing_is_none_and_one_that_changes_a_label_is_one() {
    // A clock that stands still: times must not be what tells writes apart.
    let cluster = MemoryCluster::with_clock(ManualClock::new(Timestamp::UNIX_EPOCH));
    cluster.create("setup", &namespace("shop")).unwrap();
    let mut object = config("a", json!({"k": "1"}));
    object["metadata"]["labels"] = json!({"tier": "one"});
    let first = cluster.apply("kubectl", &object, false).unwrap();
    assert_eq!(cluster.apply("kubectl", &object, false).unwrap(), first);
    assert_eq!(cluster.update("kubectl", &id("a"), |_| ()).unwrap(), first);
    object["metadata"]["labels"]["tier"] = json!("two");
    let second = cluster.apply("kubectl", &object, false).unwrap();
    assert_eq!(meta(&second, "labels"), &json!({"tier": "two"}));
    assert_ne!(meta(&second, "resourceVersion"), meta(&first, "resourceVersion"));
}

#[test]
fn admission_that_takes_a_change_back_makes_it_no_write() {
    let cluster = cluster();
    cluster.set_admission(|object| {
        if object["kind"] == "ConfigMap" {
            object["data"]["k"] = json!("policy");
        }
    });
    let first = cluster.apply("kubectl", &config("a", json!({"k": "1"})), false).unwrap();
    assert_eq!(first["data"]["k"], "policy");
    assert_eq!(cluster.apply("kubectl", &config("a", json!({"k": "1"})), true).unwrap(), first);
}

#[test]
fn what_does_not_exist_or_has_no_place_is_refused() {
    let cluster = cluster();
    let class = |result: Result<Value, Fault>| result.unwrap_err().class;
    assert_eq!(class(cluster.create("x", &json!({"kind": "ConfigMap"}))), Class::Invalid);
    let unknown = json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}});
    assert_eq!(class(cluster.create("x", &unknown)), Class::NotFound);
    let mut elsewhere = config("a", json!({}));
    elsewhere["metadata"]["namespace"] = json!("nowhere");
    assert_eq!(class(cluster.create("x", &elsewhere)), Class::NotFound);
    elsewhere["metadata"].as_object_mut().unwrap().remove("namespace");
    assert_eq!(class(cluster.create("x", &elsewhere)), Class::Invalid);
    assert_eq!(class(cluster.update("x", &id("a"), |_| ())), Class::NotFound);
    assert_eq!(cluster.delete("x", &id("a")).unwrap_err().class, Class::NotFound);
    cluster.create("x", &config("a", json!({}))).unwrap();
    assert_eq!(class(cluster.create("x", &config("a", json!({})))), Class::Precondition);
    assert_eq!(class(cluster.update("x", &id("a"), |o| o["metadata"]["name"] = json!("b"))), Class::Invalid);
    assert_eq!(cluster.ids().len(), 2);
    // A namespace that the kind does not have is dropped.
    let mut global = namespace("blog");
    global["metadata"]["namespace"] = json!("shop");
    cluster.create("x", &global).unwrap();
    assert!(cluster.get(&ResourceId::global("", "Namespace", "blog")).is_some());
}

#[test]
fn finalizers_hold_an_object_until_the_last_is_gone() {
    let cluster = cluster();
    let mut object = config("a", json!({}));
    object["metadata"]["finalizers"] = json!(["x/one", "x/two"]);
    cluster.create("kubectl", &object).unwrap();
    cluster.delete("kubectl", &id("a")).unwrap();
    let dying = cluster.get(&id("a")).unwrap();
    assert!(meta(&dying, "deletionTimestamp").is_string());
    cluster.delete("kubectl", &id("a")).unwrap();
    assert_eq!(cluster.get(&id("a")).unwrap(), dying, "it is being deleted already");
    cluster.update("one", &id("a"), |o| o["metadata"]["finalizers"] = json!(["x/two"])).unwrap();
    assert!(cluster.get(&id("a")).is_some());
    cluster.update("two", &id("a"), |o| o["metadata"]["finalizers"] = json!([])).unwrap();
    assert!(cluster.get(&id("a")).is_none());
}

#[test]
fn a_namespace_takes_what_it_holds_along_and_waits_for_it() {
    let cluster = cluster();
    let shop = ResourceId::global("", "Namespace", "shop");
    cluster.create("x", &config("a", json!({}))).unwrap();
    let mut held = config("b", json!({}));
    held["metadata"]["finalizers"] = json!(["x/slow"]);
    cluster.create("x", &held).unwrap();
    cluster.delete("x", &shop).unwrap();
    assert_eq!(cluster.ids(), [id("b"), shop.clone()]);
    assert_eq!(cluster.create("x", &config("c", json!({}))).unwrap_err().class, Class::Denied);
    cluster.update("x", &id("b"), |o| o["metadata"]["finalizers"] = json!([])).unwrap();
    assert!(cluster.ids().is_empty());
}

#[test]
fn definitions_bring_kinds_and_take_their_objects_along() {
    let cluster = cluster();
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org"},
        "spec": {"group": "example.org", "scope": "Namespaced", "names": {"kind": "Widget"}}});
    let widget = json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}});
    assert!(cluster.create("x", &widget).is_err());
    cluster.create("x", &definition).unwrap();
    cluster.create("x", &widget).unwrap();
    let crd = ResourceId::global("apiextensions.k8s.io", "CustomResourceDefinition", "widgets.example.org");
    cluster.delete("x", &crd).unwrap();
    assert_eq!(cluster.ids().len(), 1);
    assert!(cluster.create("x", &widget).is_err());
    cluster.serve("example.org", "Widget", Scope::Cluster);
    cluster.create("x", &widget).unwrap();
    assert!(cluster.get(&ResourceId::global("example.org", "Widget", "w")).is_some());
}

#[test]
fn a_secret_is_stored_with_its_data_only() {
    let cluster = cluster();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"},
        "data": {"a": "b2xk"}, "stringData": {"a": "new", "b": "x"}});
    for stored in [cluster.create("x", &secret).unwrap(), cluster.apply("y", &secret, true).unwrap()] {
        assert_eq!((stored.get("stringData"), &stored["data"]), (None, &json!({"a": "bmV3", "b": "eA=="})));
    }
}

#[tokio::test]
async fn definitions_in_one_set_place_their_objects_after_them() {
    let target = MemoryTarget::new(cluster());
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org", "namespace": "by-mistake"},
        "spec": {"group": "example.org", "scope": "Cluster", "names": {"kind": "Widget"}}});
    let widget = json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}});
    let unknown = json!({"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "g"}});
    let homeless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let placed = place(&target, vec![widget, definition, unknown, homeless, config("a", json!({}))]).await;
    assert_eq!(placed[0].id, ResourceId::global("example.org", "Widget", "w"));
    assert_eq!(placed[0].requires, [placed[1].id.clone()]);
    assert!(placed[1].rank < placed[0].rank);
    assert!(placed[2].unresolved.is_some() && placed[3].unresolved.is_some());
    assert_eq!(placed[4].requires, [ResourceId::global("", "Namespace", "shop")]);
}
