use std::sync::Arc;

use gitops_core::{Digest, IgnoreRule, Manifest, Memo, Place, RepoPath, Token};
use gitops_diff::FieldSet;
use gitops_diff::schema::BuiltIn;
use serde_json::json;

use super::*;
use crate::cache::fingerprint;
use crate::membership::set_id;
use crate::membership::tests::app;

fn desired(object: &Value) -> Placed {
    Placed::new(Manifest::new(object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap())
}

fn git() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"},
        "data": {"k": "v", "size": "x"}})
}

fn context(key: &Key) -> Context {
    Context { app: Some(app("shop")), key: Some(key.clone()), ..Context::default() }
}

/// What the API server stores of an apply of `object`.
fn applied(object: &Value, key: &Key) -> Value {
    let placed = desired(object);
    let mut live = object.clone();
    live["metadata"]["labels"] = json!({PART_OF: set_id(&app("shop"), "state")});
    live["metadata"]["annotations"] = json!({STATE_ANNOTATION: key.state(&placed.id, &placed.digest)});
    let fields = FieldSet::of(&live, &BuiltIn).to_fields_v1();
    live["metadata"]["managedFields"] = json!([{"manager": "gitops/shop", "operation": "Apply", "apiVersion": "v1",
        "fieldsType": "FieldsV1", "fieldsV1": fields}]);
    live
}

/// What another manager's write makes of a live object: it takes over what it changes.
fn taken(live: &mut Value, field: &str, value: Option<&str>) {
    let owned = live["metadata"]["managedFields"][0]["fieldsV1"]["f:data"].as_object_mut().unwrap();
    owned.remove(&format!("f:{field}"));
    match value {
        Some(value) => {
            live["data"][field] = value.into();
            let entry = json!({"manager": "ada", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {format!("f:{field}"): {}}}});
            live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
        }
        None => {
            live["data"].as_object_mut().unwrap().remove(field);
        }
    }
}

fn live(object: Value, memo: Option<Memo>) -> Live {
    let id = desired(&git()).id;
    let mut live = Live::new(id, Token { incarnation: "u".into(), version: "1".into() });
    live.owner = Owner::This;
    live.object = Some(Arc::new(object));
    live.memo = memo.map(Arc::new);
    live
}

fn judge(want: &Value, object: Value, key: &Key) -> Comparison {
    compare(&desired(want), &live(object, None), &IgnoreRules::default(), &context(key))
}

fn paths(comparison: &Comparison) -> Vec<String> {
    match comparison {
        Comparison::Differs(all) | Comparison::Overruled(all) => {
            all.iter().map(|d| d.path.to_string()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_applied_and_is_still_ours_is_in_sync() {
    let key = Key::random().unwrap();
    let mut object = applied(&git(), &key);
    object["data"]["theirs"] = "x".into();
    object["metadata"]["annotations"]["theirs"] = "x".into();
    assert_eq!(judge(&git(), object, &key), Comparison::InSync);
}

#[test]
fn whoever_changes_a_field_is_named() {
    let key = Key::random().unwrap();
    let mut object = applied(&git(), &key);
    taken(&mut object, "k", Some("hand"));
    let Comparison::Differs(all) = judge(&git(), object, &key) else { panic!() };
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].to_string(), r#".data.k  Git "v", live "hand", by "ada""#);

    let mut object = applied(&git(), &key);
    taken(&mut object, "k", None);
    assert_eq!(paths(&judge(&git(), object, &key)), [".data.k"]);
}

#[test]
fn lost_ownership_is_drift_although_the_value_is_right() {
    let key = Key::random().unwrap();
    let mut object = applied(&git(), &key);
    taken(&mut object, "k", Some("v"));
    let comparison = judge(&git(), object.clone(), &key);
    assert!(matches!(comparison, Comparison::Differs(_)));
    assert_eq!(paths(&comparison), [".data.k"]);

    object["metadata"]["managedFields"] = json!([]);
    assert_eq!(paths(&judge(&git(), object, &key)), [".metadata.managedFields"]);
    let mut object = applied(&git(), &key);
    object["metadata"]["labels"] = json!({});
    assert!(paths(&judge(&git(), object, &key))[0].contains(PART_OF));
}

#[test]
fn what_is_stored_otherwise_and_still_ours_is_overruled() {
    let key = Key::random().unwrap();
    let mut object = applied(&git(), &key);
    object["data"]["size"] = "forced".into();
    let comparison = judge(&git(), object.clone(), &key);
    assert!(matches!(comparison, Comparison::Overruled(_)), "{comparison:?}");
    assert_eq!(paths(&comparison), [".data.size"]);
    // Under another key, or for another manifest, nothing is proven: it differs.
    assert!(matches!(judge(&git(), object.clone(), &Key::random().unwrap()), Comparison::Differs(_)));
    let mut other = git();
    other["data"]["k"] = "new".into();
    assert_eq!(paths(&judge(&other, object, &key)), [".data.k", ".data.size"]);
}

#[test]
fn what_git_no_longer_states_differs() {
    let key = Key::random().unwrap();
    let mut less = git();
    less["data"].as_object_mut().unwrap().remove("size");
    let Comparison::Differs(all) = judge(&less, applied(&git(), &key), &key) else { panic!() };
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].to_string(), r#".data.size  Git absent, live "x""#);
}

#[test]
fn the_memory_of_the_apply_decides_first() {
    let key = Key::random().unwrap();
    let object = applied(&git(), &key);
    let now = fingerprint(&object, &app("shop"));
    let digest = desired(&git()).digest;
    let memo = |desired: Digest| Some(Memo { desired, applied: now, now, overruled: Vec::new() });
    let rules = IgnoreRules::default();
    // Without the object, and without any key.
    let mut remembered = live(object.clone(), memo(digest));
    remembered.object = None;
    assert_eq!(compare(&desired(&git()), &remembered, &rules, &Context::default()), Comparison::InSync);
    let mut changed = live(object, memo(Digest::of(b"another")));
    changed.object = None;
    assert_eq!(compare(&desired(&git()), &changed, &rules, &Context::default()), Comparison::Unsure);
}

#[test]
fn ignored_fields_count_for_nothing() {
    let key = Key::random().unwrap();
    let mut object = applied(&git(), &key);
    taken(&mut object, "k", Some("hand"));
    let rules = IgnoreRules::new([IgnoreRule::new([".data.k".parse().unwrap()])]);
    let comparison = compare(&desired(&git()), &live(object, None), &rules, &context(&key));
    assert_eq!(comparison, Comparison::InSync);
}

#[test]
fn an_object_of_nobody_is_compared_by_its_values() {
    let mut foreign = live(git(), None);
    foreign.owner = Owner::Nobody;
    let rules = IgnoreRules::default();
    assert_eq!(compare(&desired(&git()), &foreign, &rules, &Context::default()), Comparison::InSync);
    let mut other = git();
    other["data"]["k"] = "new".into();
    assert!(matches!(
        compare(&desired(&other), &foreign, &rules, &Context::default()),
        Comparison::Differs(_)
    ));
}

#[test]
fn values_of_secrets_are_not_shown() {
    let key = Key::random().unwrap();
    let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "n"}, "data": {"k": value}});
    let mut object = applied(&secret("aHVudGVyMg=="), &key);
    taken(&mut object, "k", Some("bGV0bWVpbg=="));
    let comparison = judge(&secret("aHVudGVyMg=="), object.clone(), &key);
    assert_eq!(paths(&comparison), [".data.k"]);
    let shown = format!("{comparison:?}");
    assert!(!shown.contains("aHVudGVyMg") && !shown.contains("bGV0bWVpbg"), "{shown}");
    // Nor of what is removed, nor of what was only taken over.
    let mut none = secret("x");
    none["data"] = json!({});
    taken(&mut object, "k", Some("aHVudGVyMg=="));
    for comparison in [
        judge(&none, applied(&secret("aHVudGVyMg=="), &key), &key),
        judge(&secret("aHVudGVyMg=="), object, &key),
    ] {
        assert!(!format!("{comparison:?}").contains("aHVudGVyMg"), "{comparison:?}");
    }
}
