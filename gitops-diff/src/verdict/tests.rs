use serde_json::json;

use super::*;
use crate::difference::Cause;
use crate::schema::BuiltIn;
use crate::testing::{assert_no_square, pod_of};
use crate::{IgnoreRule, IgnoreRules, WriteOptions, apply, update};

fn config(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
}

fn applied(data: &Value) -> Value {
    apply(None, &config(data), &BuiltIn, &WriteOptions::new("us")).unwrap().object.into_owned()
}

fn edited(live: &Value, field: &str, value: &str) -> Value {
    let mut object = live.clone();
    object["data"][field] = value.into();
    update(Some(live), &object, &BuiltIn, &WriteOptions::new("them")).unwrap().object.into_owned()
}

fn causes(verdict: Verdict) -> Vec<(String, Cause)> {
    match verdict {
        Verdict::Differs(fields) | Verdict::Overruled(fields) => {
            fields.into_iter().map(|field| (field.path.to_string(), field.cause)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn decide(data: &Value, live: &Value, last: LastApply) -> Verdict {
    let us = Applier::new("us").with_last_apply(last).with_taken_reported(true);
    judge(&config(data), live, us, &BuiltIn, &DiffOptions::default())
}

#[test]
fn paths_say_nothing_of_what_is_masked() {
    let redaction = crate::Redaction::default().with_path(".metadata.finalizers".parse().unwrap());
    let options = DiffOptions::default().with_redaction(redaction);
    let config = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}});
    let live = |fields: Value| {
        let entry = json!({"manager": "us", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields});
        config(json!({"finalizers": ["hunter2"], "managedFields": [entry]}))
    };
    let taken = json!({"f:data": {"f:a": {}}});
    let given_up = json!({"f:data": {"f:a": {}}, "f:metadata": {"f:finalizers": {"v:\"hunter2\"": {}}}});
    let applier = Applier::new("us").with_taken_reported(true);
    for (git, fields) in [(json!({"finalizers": ["hunter2"]}), taken), (json!({}), given_up)] {
        let verdict = judge(&config(git), &live(fields), applier, &BuiltIn, &options);
        let Verdict::Differs(differences) = verdict else { panic!("{verdict:?}") };
        let paths: Vec<_> = differences.iter().map(|difference| difference.path.to_string()).collect();
        assert_eq!(paths, [".metadata.finalizers"]);
    }
}

#[test]
fn a_map_that_the_server_dropped_is_overruled() {
    let spec = json!({"resources": {"limits": {"cpu": "1"}}, "containers": [{"name": "a"}]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
    let applied = apply(None, &pod, &BuiltIn, &WriteOptions::new("us")).unwrap().object.into_owned();
    let us = Applier::new("us").with_last_apply(LastApply::Same);
    let judged = |live: &Value| judge(&pod, live, us, &BuiltIn, &DiffOptions::default());
    let mut without = applied.clone();
    without["spec"].as_object_mut().unwrap().remove("resources");
    // The server stores no such field, and leaves the managed fields as they are.
    let verdict = judged(&without);
    assert!(matches!(verdict, Verdict::Overruled(_)), "{verdict:?}");
    // Somebody removes it.
    let options = WriteOptions::new("them");
    let removed = update(Some(&applied), &without, &BuiltIn, &options).unwrap().object.into_owned();
    assert_eq!(causes(judged(&removed)), [(".spec.resources".to_owned(), Cause::Missing)]);
}

#[test]
fn a_map_of_which_all_is_ignored_is_not_taken() {
    let mut git = config(&json!({"a": "1"}));
    git["metadata"]["labels"] = json!({"team": "x"});
    let live = apply(None, &git, &BuiltIn, &WriteOptions::new("us")).unwrap().object.into_owned();
    let drifted = edited(&live, "a", "9");
    let rules = IgnoreRules::new([IgnoreRule::new([".data.a".parse().unwrap()])]);
    let us = Applier::new("us").with_last_apply(LastApply::Same).with_taken_reported(true);
    let judged = |options: &DiffOptions| judge(&git, &drifted, us, &BuiltIn, options);
    assert_eq!(judged(&DiffOptions::default().with_rules(rules)), Verdict::InSync);
    assert_eq!(causes(judged(&DiffOptions::default())), [(".data.a".to_owned(), Cause::Written)]);
}

#[test]
fn each_cause_is_told() {
    let one = |path: &str, cause| vec![(path.to_owned(), cause)];
    let data = json!({"a": "1", "b": "2"});
    let live = applied(&data);
    assert_eq!(decide(&data, &live, LastApply::Unknown), Verdict::InSync);
    assert_eq!(decide(&data, &live, LastApply::Same), Verdict::InSync);
    assert_eq!(decide(&data, &live, LastApply::Other), Verdict::Unsure);

    let drifted = edited(&live, "a", "9");
    assert_eq!(causes(decide(&data, &drifted, LastApply::Same)), one(".data.a", Cause::Written));
    let put_back = edited(&drifted, "a", "1");
    assert_eq!(causes(decide(&data, &put_back, LastApply::Same)), one(".data.a", Cause::Taken));
    assert_eq!(causes(decide(&json!({"a": "1"}), &live, LastApply::Other)), one(".data.b", Cause::GivenUp));
    assert_eq!(causes(decide(&json!({}), &live, LastApply::Other)).len(), 2);
    let more = json!({"a": "1", "b": "2", "c": "3"});
    assert_eq!(causes(decide(&more, &live, LastApply::Other)), one(".data.c", Cause::Missing));
    assert_eq!(
        causes(decide(&json!({"a": "5", "b": "2"}), &live, LastApply::Other)),
        one(".data.a", Cause::Applied)
    );
    let mut forced = live.clone();
    forced["data"]["a"] = "forced".into();
    let verdict = decide(&data, &forced, LastApply::Same);
    assert!(matches!(verdict, Verdict::Overruled(_)));
    assert_eq!(causes(verdict), one(".data.a", Cause::Overruled));
}

#[test]
fn without_our_entry_it_is_lost_as_a_whole() {
    let data = json!({"a": "1"});
    for entries in [
        json!(null),
        json!([]),
        json!("broken"),
        json!([{"manager": "us", "operation": "Apply", "fieldsV1": 3}]),
    ] {
        let mut live = config(&data);
        live["metadata"]["managedFields"] = entries;
        let lost = causes(decide(&data, &live, LastApply::Same));
        assert_eq!(lost, [(".metadata.managedFields".to_owned(), Cause::Taken)]);
        let verdict = judge(&config(&data), &live, Applier::new("us"), &BuiltIn, &DiffOptions::default());
        assert_eq!(verdict, Verdict::Unsure);
    }
}

#[test]
fn what_is_left_to_others_is_neither_different_nor_given_up() {
    let live = edited(&applied(&json!({"a": "1", "b": "2"})), "a", "9");
    let rules = IgnoreRules::new([IgnoreRule::default().with_pointer("/data/a".parse().unwrap())]);
    let options = DiffOptions::default().with_rules(rules);
    for data in [json!({"a": "1", "b": "2"}), json!({"b": "2"})] {
        let verdict = judge(&config(&data), &live, Applier::new("us"), &BuiltIn, &options);
        assert_eq!(verdict, Verdict::InSync, "{data}");
    }
}

#[test]
fn marks_are_not_given_up() {
    let mut marked = config(&json!({"a": "1"}));
    marked["metadata"]["labels"] = json!({"mark": "us"});
    let live = apply(None, &marked, &BuiltIn, &WriteOptions::new("us")).unwrap().object;
    let is_mark = |path: &FieldPath| path == &FieldPath::of_fields(["metadata", "labels", "mark"]);
    let us = Applier::new("us").with_marks(&is_mark);
    assert_eq!(
        judge(&config(&json!({"a": "1"})), &live, us, &BuiltIn, &DiffOptions::default()),
        Verdict::InSync
    );
}

#[test]
fn a_rule_is_followed_once() {
    let config = |list: &[u8]| json!({"apiVersion": "example.com/v1", "kind": "Gadget", "spec": {"l": list}});
    let rules = IgnoreRules::new([IgnoreRule::default().with_pointer("/spec/l/1".parse().unwrap())]);
    let options = DiffOptions::default().with_rules(rules);
    let us = WriteOptions::new("us");
    let live = apply(None, &config(&[0, 9, 2, 3]), &BuiltIn, &us).unwrap().object.into_owned();
    // Without the item, another one is at its place.
    let verdict = judge(&config(&[0, 1, 2, 3]), &live, Applier::new("us"), &BuiltIn, &options);
    assert_eq!(verdict, Verdict::InSync);
    let verdict = judge(&config(&[0, 1, 5, 3]), &live, Applier::new("us"), &BuiltIn, &options);
    assert!(matches!(verdict, Verdict::Differs(_)), "{verdict:?}");
}

#[test]
fn a_secret_with_plain_texts_is_as_it_is_stored() {
    let secret = |fields: Value| {
        let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        for (name, value) in fields.as_object().unwrap() {
            object[name] = value.clone();
        }
        object
    };
    let live = secret(json!({"data": {"a": "b3RoZXI=", "b": "eA=="}}));
    let live = apply(None, &live, &BuiltIn, &WriteOptions::new("us")).unwrap().object.into_owned();
    let git = secret(json!({"stringData": {"a": "one", "b": "x"}}));
    for pointer in ["/data/a", "/stringData/a"] {
        let rules = IgnoreRules::new([IgnoreRule::default().with_pointer(pointer.parse().unwrap())]);
        let options = DiffOptions::default().with_rules(rules);
        let verdict = judge(&git, &live, Applier::new("us"), &BuiltIn, &options);
        assert_eq!(verdict, Verdict::InSync, "{pointer}");
    }
}

/// A live pod, of which we own what we applied, and then somebody else writes to all of it.
fn long(containers: usize) -> (Value, Value) {
    let us = WriteOptions::new("us");
    let live = apply(None, &pod_of(containers, "i:1"), &BuiltIn, &us).unwrap().object.into_owned();
    let options = WriteOptions::new("them");
    let drifted =
        update(Some(&live), &pod_of(containers, "i:2"), &BuiltIn, &options).unwrap().object.into_owned();
    (live, drifted)
}

#[test]
fn lists_are_not_walked_for_each_field() {
    let us = Applier::new("us").with_taken_reported(true);
    let options = DiffOptions::default();
    let judged = |git: &Value, live: &Value, options: &DiffOptions| judge(git, live, us, &BuiltIn, options);
    let count = |verdict: Verdict| causes(verdict).len();
    assert_no_square(
        "given up",
        |n| (pod_of(1, "i:1"), long(n).0, n),
        |(git, live, n)| {
            assert_eq!(count(judged(git, live, &options)), n - 1);
        },
    );
    assert_no_square(
        "taken",
        |n| (pod_of(n, "i:2"), long(n).1, n),
        |(git, live, n)| {
            assert_eq!(count(judged(git, live, &options)), *n);
        },
    );
    let rules = IgnoreRules::new([IgnoreRule::default().with_manager("them")]);
    let options = options.clone().with_rules(rules);
    assert_no_square(
        "left alone",
        |n| (pod_of(1, "i:1"), long(n).1, n),
        |(git, live, n)| {
            assert_eq!(count(judged(git, live, &options)), n - 1);
        },
    );
}
