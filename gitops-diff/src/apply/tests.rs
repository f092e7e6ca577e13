use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{deployment, small_value};
use crate::{DiffOptions, KnownLists, stated};

const T1: &str = "2026-01-01T00:00:00Z";
const T2: &str = "2026-01-02T00:00:00Z";

fn by(manager: &str, live: Option<&Value>, config: &Value) -> Applied {
    apply(live, config, manager, true, &KnownLists, T1).unwrap()
}

fn config_map(data: Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
    object["data"] = data;
    object
}

fn owned(object: &Value, manager: &str, operation: Operation) -> FieldSet {
    let owners = ManagedFields::of(object).unwrap();
    owners.by_manager(manager, operation).map(|e| e.fields.clone()).unwrap_or_default()
}

#[test]
fn the_first_apply_creates() {
    let applied = by("a", None, &config_map(json!({"k": "v", "n": null})));
    assert!(applied.changed);
    assert_eq!(
        applied.object,
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
            "metadata": {"name": "c", "managedFields": [{
                "manager": "a", "operation": "Apply", "apiVersion": "v1", "time": T1,
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:k": {}}},
            }]},
        })
    );
}

#[test]
fn conflicts_name_the_owner_and_force_takes_over() {
    let live = by("a", None, &config_map(json!({"k": "1", "l": "1"}))).object;
    let config = config_map(json!({"k": "2", "l": "1"}));
    let refused = apply(Some(&live), &config, "b", false, &KnownLists, T2).unwrap_err();
    assert_eq!(refused.to_string(), "1 conflict(s) with other field managers: .data.k is owned by \"a\"");
    let forced = by("b", Some(&live), &config).object;
    assert_eq!(owned(&forced, "a", Operation::Apply).to_fields_v1(), json!({"f:data": {"f:l": {}}}));
    assert_eq!(
        owned(&forced, "b", Operation::Apply).to_fields_v1(),
        json!({"f:data": {"f:k": {}, "f:l": {}}})
    );
}

#[test]
fn what_is_given_up_goes_unless_shared() {
    let live = by("a", None, &config_map(json!({"k": "1", "l": "1", "m": "1"}))).object;
    let live = by("b", Some(&live), &config_map(json!({"l": "1"}))).object;
    let fewer = by("a", Some(&live), &config_map(json!({"m": "1"}))).object;
    assert_eq!(fewer["data"], json!({"l": "1", "m": "1"}));
    let none =
        by("a", Some(&fewer), &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}));
    assert_eq!(none.object["data"], json!({"l": "1"}));
    let gone = by(
        "b",
        Some(&none.object),
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}),
    );
    assert_eq!(gone.object, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}));
}

#[test]
fn items_are_given_up_whole_and_those_of_others_stay() {
    let pod = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}});
    let live = by("a", None, &pod(json!([{"name": "x", "image": "1"}, {"name": "y", "image": "1"}]))).object;
    let mut injected = live.clone();
    injected["spec"]["containers"] = json!([{"name": "x", "image": "1", "tty": true}, {"name": "y", "image": "1"}, {"name": "side", "image": "s"}]);
    let injected = update(Some(&live), &injected, "webhook", &KnownLists, T2);
    let fewer = by("a", Some(&injected), &pod(json!([{"name": "y", "image": "1"}]))).object;
    assert_eq!(
        fewer["spec"]["containers"],
        json!([{"name": "y", "image": "1"}, {"name": "side", "image": "s"}])
    );
}

#[test]
fn an_update_takes_what_it_changes() {
    let live = by("a", None, &config_map(json!({"k": "1", "l": "1"}))).object;
    let mut edited = live.clone();
    edited["data"] = json!({"k": "2", "m": "1"});
    let edited = update(Some(&live), &edited, "kubectl", &KnownLists, T2);
    assert!(owned(&edited, "a", Operation::Apply).is_empty());
    assert_eq!(
        owned(&edited, "kubectl", Operation::Update).to_fields_v1(),
        json!({"f:data": {"f:k": {}, "f:m": {}}})
    );
    assert_eq!(update(Some(&edited), &edited, "kubectl", &KnownLists, "later"), edited);
    let created = update(None, &config_map(json!({"k": "1"})), "kubectl", &KnownLists, T1);
    assert_eq!(
        owned(&created, "kubectl", Operation::Update).to_fields_v1(),
        json!({"f:data": {".": {}, "f:k": {}}}),
        "an update owns the maps it makes, an apply does not"
    );
}

#[test]
fn managed_fields_can_be_cleared_but_not_forged() {
    let live = by("a", None, &config_map(json!({"k": "1"}))).object;
    let mut forged = live.clone();
    forged["metadata"]["managedFields"] = json!([{"manager": "z", "operation": "Apply"}]);
    assert_eq!(update(Some(&live), &forged, "z", &KnownLists, T2), live);
    forged["metadata"]["managedFields"] = json!([]);
    let cleared = update(Some(&live), &forged, "z", &KnownLists, T2);
    assert_eq!(cleared["metadata"], json!({"name": "c"}));
}

#[test]
fn configurations_that_are_refused() {
    let try_it = |config: &Value| apply(None, config, "a", true, &KnownLists, T1).unwrap_err().to_string();
    assert_eq!(try_it(&json!([])), "the configuration is no object");
    let twice =
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"name": "a"}, {"name": "a"}]}});
    assert_eq!(
        try_it(&twice),
        ".spec.volumes: the items of this list cannot be told apart: each needs a key of its own"
    );
    let bad = json!({"metadata": {"managedFields": 1}});
    assert!(matches!(
        apply(Some(&bad), &json!({}), "a", true, &KnownLists, T1),
        Err(ApplyError::ManagedFields(ManagedFieldsError::NotAList))
    ));
}

fn drift(config: &Value, live: &Value) -> Vec<String> {
    stated(config, live, &DiffOptions::default()).iter().map(ToString::to_string).collect()
}

proptest! {
    #[test]
    fn applying_again_changes_nothing(a in deployment(), b in deployment()) {
        let live = by("other", None, &b).object;
        let once = by("ours", Some(&live), &a);
        let twice = apply(Some(&once.object), &a, "ours", false, &KnownLists, T2).unwrap();
        prop_assert!(!twice.changed);
        prop_assert_eq!(twice.object, once.object);
    }

    #[test]
    fn a_forced_apply_wins_and_leaves_the_rest(a in deployment(), b in deployment()) {
        let live = by("other", None, &b).object;
        let applied = by("ours", Some(&live), &a).object;
        prop_assert_eq!(drift(&a, &applied), Vec::<String>::new());
        // What the other still owns is as it was.
        let others = owned(&applied, "other", Operation::Apply);
        prop_assert_eq!(others.fingerprint(&applied), others.fingerprint(&live));
        // It lost nothing but what we state otherwise.
        for lost in owned(&live, "other", Operation::Apply).difference(&others).iter() {
            prop_assert!(FieldSet::of(&a, &KnownLists).touches(&lost), "{}", lost);
        }
    }

    #[test]
    fn everything_given_up_leaves_what_others_applied(a in deployment(), b in deployment()) {
        let live = by("other", None, &b).object;
        let both = by("ours", Some(&live), &a).object;
        let identity = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}});
        let without = by("ours", Some(&both), &identity).object;
        let others = owned(&both, "other", Operation::Apply);
        prop_assert_eq!(others.project(&both), others.project(&without));
        let left = FieldSet::of(&without, &KnownLists);
        for path in left.iter() {
            prop_assert!(others.touches(&path), "{} in {}", path, without);
        }
    }

    #[test]
    fn a_forced_apply_restores_the_fingerprint(a in deployment(), edit in deployment()) {
        let applied = by("ours", None, &a).object;
        let ours = owned(&applied, "ours", Operation::Apply);
        let print = ours.fingerprint(&applied);
        let mut edited = edit;
        edited["metadata"]["name"] = applied["metadata"]["name"].clone();
        let edited = update(Some(&applied), &edited, "human", &KnownLists, T2);
        let drifted = owned(&edited, "ours", Operation::Apply).fingerprint(&edited) != print;
        prop_assert_eq!(drifted, !drift(&a, &edited).is_empty());
        let healed = by("ours", Some(&edited), &a).object;
        prop_assert_eq!(owned(&healed, "ours", Operation::Apply).fingerprint(&healed), print);
    }

    #[test]
    fn an_update_leaves_no_field_to_two_values(a in deployment(), b in deployment()) {
        let applied = by("ours", None, &a).object;
        let updated = update(Some(&applied), &b, "human", &KnownLists, T2);
        let (ours, theirs) = (owned(&updated, "ours", Operation::Apply), owned(&updated, "human", Operation::Update));
        prop_assert!(ours.intersection(&theirs).is_empty());
        for path in ours.union(&theirs).iter() {
            prop_assert!(path.get(&updated).is_some(), "{}", path);
        }
        for path in ours.iter() {
            prop_assert_eq!(path.get(&updated).map(Value::is_object), path.get(&a).map(Value::is_object));
        }
    }

    #[test]
    fn no_tree_is_too_strange(a in small_value(), b in small_value(), force: bool) {
        if let Ok(applied) = apply(Some(&a), &b, "x", force, &KnownLists, T1) {
            let again = apply(Some(&applied.object), &b, "x", force, &KnownLists, T2).unwrap();
            prop_assert_eq!(again.object, applied.object);
        }
        let _ = update(Some(&a), &b, "x", &KnownLists, T1);
    }
}
