use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::managed_fields::ManagedFieldsError;
use crate::schema::{BuiltIn, Deduced};
use crate::testing::{any_value, deployment, small_value};
use crate::{DiffOptions, FieldSet, ManagedFields, compare};

const T1: &str = "2026-01-01T00:00:00Z";
const T2: &str = "2026-01-02T00:00:00Z";

fn at(manager: &str, time: &str) -> WriteOptions {
    WriteOptions::new(manager).with_time(time)
}

fn by<'l>(manager: &str, live: Option<&'l Value>, config: &Value) -> Applied<'l> {
    apply(live, config, &BuiltIn, &at(manager, T1).with_force(true).with_clean(true)).unwrap()
}

fn updated(live: Option<&Value>, new: &Value, manager: &str, time: &str) -> Value {
    update(live, new, &BuiltIn, &at(manager, time)).unwrap().object.into_owned()
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
fn what_came_of_a_write_prints_no_values() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"p": "aHVudGVyMg=="}});
    let applied = apply(None, &secret, &BuiltIn, &WriteOptions::new("us")).unwrap();
    assert!(!format!("{applied:?}").contains("aHVudGVyMg"));
}

#[test]
fn the_first_apply_creates() {
    let applied = by("a", None, &config_map(json!({"k": "v", "n": null})));
    assert!(applied.changed);
    assert_eq!(
        *applied.object,
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
    let refused = apply(Some(&live), &config, &BuiltIn, &at("b", T2)).unwrap_err();
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
    assert_eq!(*gone.object, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}));
}

#[test]
fn items_are_given_up_whole_and_those_of_others_stay() {
    let pod = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}});
    let live = by("a", None, &pod(json!([{"name": "x", "image": "1"}, {"name": "y", "image": "1"}]))).object;
    let mut injected = live.clone().into_owned();
    injected["spec"]["containers"] = json!([{"name": "x", "image": "1", "tty": true}, {"name": "y", "image": "1"}, {"name": "side", "image": "s"}]);
    let injected = updated(Some(&live), &injected, "webhook", T2);
    let fewer = by("a", Some(&injected), &pod(json!([{"name": "y", "image": "1"}]))).object;
    assert_eq!(
        fewer["spec"]["containers"],
        json!([{"name": "y", "image": "1"}, {"name": "side", "image": "s"}])
    );
}

#[test]
fn an_update_takes_what_it_changes() {
    let live = by("a", None, &config_map(json!({"k": "1", "l": "1"}))).object;
    let mut edited = live.clone().into_owned();
    edited["data"] = json!({"k": "2", "m": "1"});
    let edited = updated(Some(&live), &edited, "kubectl", T2);
    assert!(owned(&edited, "a", Operation::Apply).is_empty());
    assert_eq!(
        owned(&edited, "kubectl", Operation::Update).to_fields_v1(),
        json!({"f:data": {"f:k": {}, "f:m": {}}})
    );
    assert_eq!(updated(Some(&edited), &edited, "kubectl", "later"), edited);
    let created = updated(None, &config_map(json!({"k": "1"})), "kubectl", T1);
    assert_eq!(
        owned(&created, "kubectl", Operation::Update).to_fields_v1(),
        json!({"f:data": {".": {}, "f:k": {}}}),
        "an update owns the maps it makes, an apply does not"
    );
}

#[test]
fn managed_fields_can_be_cleared_but_not_forged() {
    let live = by("a", None, &config_map(json!({"k": "1"}))).object;
    let mut forged = live.clone().into_owned();
    forged["metadata"]["managedFields"] = json!([{"manager": "z", "operation": "Apply"}]);
    assert_eq!(updated(Some(&live), &forged, "z", T2), *live);
    forged["metadata"]["managedFields"] = json!([]);
    let cleared = updated(Some(&live), &forged, "z", T2);
    assert_eq!(cleared["metadata"], json!({"name": "c"}));
}

#[test]
fn configurations_that_are_refused() {
    let try_it = |config: &Value| apply(None, config, &BuiltIn, &at("a", T1)).unwrap_err().to_string();
    assert_eq!(try_it(&json!([])), "the object to write is no map");
    let twice =
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"name": "a"}, {"name": "a"}]}});
    assert_eq!(
        try_it(&twice),
        r#"it does not fit the schema: .spec.volumes: the item [name="a"] is there twice"#
    );
    let bad = json!({"metadata": {"managedFields": 1}});
    assert!(matches!(
        apply(Some(&bad), &json!({}), &BuiltIn, &at("a", T1)),
        Err(ApplyError::ManagedFields(ManagedFieldsError::NotAList))
    ));
}

fn drift(config: &Value, live: &Value) -> Vec<String> {
    compare(config, live, &BuiltIn, &DiffOptions::default()).iter().map(ToString::to_string).collect()
}

proptest! {
    #[test]
    fn applying_again_changes_nothing(a in deployment(), b in deployment()) {
        let live = by("other", None, &b).object;
        let once = by("ours", Some(&live), &a);
        let twice = apply(Some(&once.object), &a, &BuiltIn, &at("ours", T2)).unwrap();
        prop_assert!(!twice.changed);
        prop_assert_eq!(&twice.object, &once.object);
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
            prop_assert!(FieldSet::of(&a, &BuiltIn).touches(&lost), "{}", lost);
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
        let left = FieldSet::of(&without, &BuiltIn);
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
        let edited = updated(Some(&applied), &edited, "human", T2);
        let drifted = owned(&edited, "ours", Operation::Apply).fingerprint(&edited) != print;
        prop_assert_eq!(drifted, !drift(&a, &edited).is_empty());
        let healed = by("ours", Some(&edited), &a).object;
        prop_assert_eq!(owned(&healed, "ours", Operation::Apply).fingerprint(&healed), print);
    }

    #[test]
    fn an_update_leaves_no_field_to_two_values(a in deployment(), b in deployment()) {
        let applied = by("ours", None, &a).object;
        let updated = updated(Some(&applied), &b, "human", T2);
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
    fn what_is_extracted_can_be_applied_again(a in deployment(), b in deployment()) {
        let live = by("other", None, &b).object;
        let applied = by("ours", Some(&live), &a).object;
        let extracted = extract(&applied, "ours", Operation::Apply, "", &BuiltIn).unwrap().unwrap();
        prop_assert_eq!(FieldSet::of(&extracted, &BuiltIn), owned(&applied, "ours", Operation::Apply));
        prop_assert!(!by("ours", Some(&applied), &extracted).changed);
        prop_assert_eq!(extract(&applied, "nobody", Operation::Apply, "", &BuiltIn), Ok(None));
    }

    #[test]
    fn no_tree_is_too_strange(
        a in prop_oneof![small_value(), any_value()], b in small_value(), force: bool, clean: bool, known: bool,
    ) {
        let schema: &dyn crate::schema::Schema = if known { &BuiltIn } else { &Deduced };
        let options = at("x", T1).with_force(force).with_clean(clean);
        if let Ok(applied) = apply(Some(&a), &b, schema, &options) {
            let again = apply(Some(&applied.object), &b, schema, &options).unwrap();
            prop_assert!(!again.changed, "{} {}", applied.object, again.object);
        }
        let _ = update(Some(&a), &b, schema, &options);
        let _ = extract(&a, "x", Operation::Apply, "", schema);
    }

    #[test]
    fn no_managed_fields_are_too_strange(entries in small_value(), fields in small_value(), config in deployment()) {
        let mut live = config.clone();
        for entries in [entries, json!([{
            "manager": "m", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields,
        }])] {
            live["metadata"]["managedFields"] = entries;
            let _ = ManagedFields::of(&live);
            let _ = apply(Some(&live), &config, &BuiltIn, &at("x", T1));
            let _ = update(Some(&live), &live, &BuiltIn, &at("x", T1));
        }
    }
}

#[test]
fn objects_that_nobody_tracked_may_belong_to_before_first_apply() {
    let live = config_map(json!({"k": "1", "l": "1"}));
    let config = config_map(json!({"k": "2"}));
    let as_server = at("a", T1).with_before_first_apply(true);
    let refused = apply(Some(&live), &config, &BuiltIn, &as_server).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "1 conflict(s) with other field managers: .data.k is owned by \"before-first-apply\""
    );
    let applied = apply(Some(&live), &config, &BuiltIn, &as_server.clone().with_force(true)).unwrap().object;
    assert_eq!(
        owned(&applied, "before-first-apply", Operation::Update).to_fields_v1(),
        json!({"f:data": {".": {}, "f:l": {}}})
    );
    let nobodys = apply(Some(&live), &config, &BuiltIn, &at("a", T1)).unwrap().object;
    assert!(owned(&nobodys, "before-first-apply", Operation::Update).is_empty());
    // Plain updates of such objects are not tracked.
    let mut stored = live;
    stored["metadata"]["uid"] = json!("u");
    let mut edited = stored.clone();
    edited["data"]["k"] = json!("3");
    assert_eq!(*update(Some(&stored), &edited, &BuiltIn, &as_server).unwrap().object, edited);
    assert_ne!(updated(Some(&stored), &edited, "kubectl", T1), edited);
}

#[test]
fn residue_is_kept_as_the_reference_has_it_or_cleaned_up() {
    let config = |labels: Value| json!({"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "x"}, "spec": {"labels": labels}});
    let options = at("a", T1);
    let live = apply(None, &config(json!({"k": "v"})), &Deduced, &options).unwrap().object;
    let emptied = apply(Some(&live), &config(json!({})), &Deduced, &options).unwrap().object;
    assert_eq!(emptied["spec"], json!({"labels": null}));
    let emptied =
        apply(Some(&live), &config(json!({})), &Deduced, &options.clone().with_clean(true)).unwrap().object;
    assert_eq!(emptied.get("spec"), None);
    let null = apply(Some(&live), &config(json!({"k": null})), &Deduced, &options).unwrap().object;
    assert_eq!(null["spec"], json!({"labels": {"k": null}}));
}

#[test]
fn the_oldest_updates_are_joined() {
    let mut live = updated(None, &config_map(json!({"k0": "1"})), "m0", "2026-01-01T00:00:00Z");
    for n in 1..12 {
        let mut edited = live.clone();
        edited["data"][format!("k{n}")] = json!("1");
        live = updated(Some(&live), &edited, &format!("m{n}"), &format!("2026-01-{:02}T00:00:00Z", n + 1));
    }
    let managed = ManagedFields::of(&live).unwrap();
    let names: Vec<_> = managed.entries().iter().map(|entry| entry.manager.as_str()).collect();
    assert_eq!(names, ["ancient-changes", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "m10", "m11"]);
    assert_eq!(
        managed.entries()[0].fields.to_fields_v1(),
        json!({"f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}}})
    );
    assert_eq!(managed.entries()[0].time.as_deref(), Some("2026-01-03T00:00:00Z"));
}

#[test]
fn owners_in_other_versions_and_doubled_entries_are_dropped() {
    let entry = |manager: &str, version: &str, field: &str| {
        json!({"manager": manager, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {field: {}}}})
    };
    let mut live = config_map(json!({"k": "1", "l": "1", "m": "1"}));
    live["metadata"]["managedFields"] =
        json!([entry("a", "v1", "f:k"), entry("b", "v0", "f:l"), entry("a", "v1", "f:m")]);
    let applied = by("c", Some(&live), &config_map(json!({"n": "1"}))).object;
    let managed = ManagedFields::of(&applied).unwrap();
    let owners: Vec<_> =
        managed.entries().iter().map(|e| (e.manager.as_str(), e.fields.to_fields_v1())).collect();
    assert_eq!(owners, [("a", json!({"f:data": {"f:m": {}}})), ("c", json!({"f:data": {"f:n": {}}}))]);
}

#[test]
fn what_the_schema_made_one_value_is_owned_as_one() {
    let mut live = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"a": "1"}}});
    live["metadata"]["managedFields"] = json!([{
        "manager": "old", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:selector": {"f:a": {}}}},
    }]);
    let mut config = live.clone();
    config["metadata"] = json!({"name": "s", "labels": {"x": "y"}});
    config["spec"] = json!({});
    let applied = by("new", Some(&live), &config).object;
    assert_eq!(
        owned(&applied, "old", Operation::Apply).to_fields_v1(),
        json!({"f:spec": {"f:selector": {}}})
    );
}

#[test]
fn what_does_not_say_its_kind_is_what_the_live_object_is() {
    let one = by("one", None, &config_map(json!({"k": "v"}))).object;
    let two = by("two", Some(&one), &json!({"data": {"l": "w"}})).object;
    assert_eq!(owned(&two, "one", Operation::Apply), owned(&one, "one", Operation::Apply));
    assert_eq!(owned(&two, "two", Operation::Apply).to_fields_v1(), json!({"f:data": {"f:l": {}}}));
    assert_eq!(ManagedFields::of(&two).unwrap().entries()[1].api_version, "v1");
}

#[test]
fn the_same_in_other_words_is_the_live_object() {
    let config =
        |number: Value| json!({"apiVersion": "example.com/v1", "kind": "Gadget", "spec": {"n": number}});
    let live = apply(None, &config(json!(1)), &Deduced, &at("a", T1)).unwrap().object;
    let again = apply(Some(&live), &config(json!(1.0)), &Deduced, &at("a", T2)).unwrap();
    assert!(!again.changed && !again.values_changed);
    let shared = apply(Some(&live), &config(json!(1.0)), &Deduced, &at("b", T2)).unwrap();
    assert!(shared.changed && !shared.values_changed);
    assert!(shared.object["spec"]["n"].is_i64());
}

#[test]
fn an_owned_empty_map_that_holds_only_empty_lists_goes() {
    let config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {}}}});
    let live = apply(None, &config, &BuiltIn, &at("a", T1)).unwrap().object;
    let mut filled = live.clone().into_owned();
    filled["spec"]["template"]["spec"] = json!({"overhead": {}, "schedulingGates": []});
    let applied = apply(Some(&filled), &config, &BuiltIn, &at("a", T2)).unwrap();
    assert_eq!(applied.object.get("spec"), None);
    filled["spec"]["template"]["spec"] = json!({"overhead": {}});
    assert!(!apply(Some(&filled), &config, &BuiltIn, &at("a", T2)).unwrap().changed);
}
