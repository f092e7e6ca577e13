//! What is told about a merge.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::BuiltIn;
use crate::testing::{any_value, deployment, small_value};

fn merge(last: &Value, desired: &Value, live: &Value) -> ThreeWay {
    as_kubectl(last, desired, live, &BuiltIn, &ThreeWayOptions::default()).unwrap()
}

fn told(merge: &ThreeWay) -> Vec<String> {
    merge.fields.iter().map(ToString::to_string).collect()
}

fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
}

#[test]
fn items_are_told_by_their_keys() {
    let last = pod(&json!({"containers": [{"name": "a", "image": "1"}, {"name": "gone"}]}));
    let desired = pod(&json!({"containers": [{"name": "a", "image": "2"}, {"name": "new"}]}));
    let live = pod(&json!({"containers": [
        {"name": "injected"}, {"name": "a", "image": "3"}, {"name": "gone", "tty": false},
    ]}));
    let merge = merge(&last, &desired, &live);
    assert_eq!(merge.patch_type, PatchType::Strategic);
    assert_eq!(
        told(&merge),
        [
            r#".spec.containers[name="a"].image  last applied "1", Git "2", live "3": changed in Git and in the live object"#,
            r#".spec.containers[name="gone"]  last applied {"name":"gone"}, Git absent, live {"name":"gone","tty":false}: given up in Git"#,
            r#".spec.containers[name="new"]  last applied absent, Git {"name":"new"}, live absent: changed in Git"#,
        ]
    );
    // What is given up is a conflict too where others added to it.
    assert_eq!(merge.conflicts, [merge.fields[0].path.clone(), merge.fields[1].path.clone()]);
    assert!(merge.changes_live);
}

#[test]
fn a_field_can_be_in_colour() {
    let merge = merge(&pod(&json!({"a": 1})), &pod(&json!({"a": 2})), &pod(&json!({"a": 1})));
    let line = merge.fields[0].display();
    assert_eq!(line.to_string(), merge.fields[0].to_string());
    assert_eq!(
        line.with_colour(true).to_string(),
        "\u{1b}[1m.spec.a\u{1b}[0m  last applied 1, Git \u{1b}[32m2\u{1b}[0m, live \u{1b}[31m1\u{1b}[0m: changed in Git"
    );
}

#[test]
fn what_others_added_is_no_field() {
    let git = pod(&json!({"containers": [{"name": "a"}]}));
    let live = pod(&json!({"containers": [{"name": "a", "tty": true}], "nodeName": "n"}));
    let merge = merge(&git, &git, &live);
    assert_eq!((merge.patch, merge.changes_live), (json!({}), false));
    assert!(merge.fields.is_empty() && merge.conflicts.is_empty());
}

#[test]
fn keys_that_are_not_retained_are_told() {
    let of =
        |strategy| json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"strategy": strategy}});
    let git = of(json!({"type": "Recreate"}));
    let merge = merge(&git, &git, &of(json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})));
    assert_eq!(merge.merged, git);
    assert_eq!(
        told(&merge),
        [
            r#".spec.strategy.rollingUpdate  last applied absent, Git absent, live {"maxSurge":1}: changed in the live object"#
        ]
    );
}

#[test]
fn custom_kinds_have_preconditions() {
    let of = |kind| json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "a"}});
    let options = ThreeWayOptions::default();
    let changed = as_kubectl(&of("Gadget"), &of("Other"), &of("Gadget"), &BuiltIn, &options);
    let path = FieldPath::of_fields(["kind"]);
    assert_eq!(changed, Err(ThreeWayError::Json(MergePatchError::Precondition(path))));
    // An object that is not there yet is made.
    let merge = merge(&Value::Null, &of("Gadget"), &Value::Null);
    assert_eq!((merge.patch_type, &merge.merged), (PatchType::JsonMerge, &of("Gadget")));
}

#[test]
fn values_of_secrets_are_not_shown() {
    let of = |kind: Option<&str>, value: &str| {
        let mut secret = json!({"apiVersion": "v1", "data": {"password": value, "user": "dXNlcg=="}});
        if let Some(kind) = kind {
            secret["kind"] = json!(kind);
        }
        secret
    };
    // What was last applied does not say that it is a Secret.
    let merge = merge(&of(None, "b25l"), &of(Some("Secret"), "dHdv"), &of(Some("Secret"), "dGhyZWU="));
    assert_eq!(merge.patch["data"]["password"], "dHdv");
    assert_eq!(merge.fields.len(), 1);
    let shown = format!("{merge:?} {:?} {}", told(&merge), serde_json::to_string(&merge.fields).unwrap());
    for value in ["b25l", "dHdv", "dGhyZWU="] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert!(shown.contains("<redacted>"));
}

#[test]
fn what_is_marked_is_not_shown() {
    let of = |name: &str| pod(&json!({"containers": [{"name": name, "image": "i"}]}));
    let path: FieldPath = ".spec.containers".parse().unwrap();
    let options = ThreeWayOptions::default().with_redaction(Redaction::default().with_path(path.clone()));
    let merge = as_kubectl(&of("abc"), &of("def"), &of("abc"), &BuiltIn, &options).unwrap();
    assert_eq!(merge.fields.iter().map(|field| &field.path).collect::<Vec<_>>(), [&path]);
    let shown = format!("{merge:?} {:?}", told(&merge));
    assert!(!shown.contains("abc") && !shown.contains("def"), "{shown}");
}

proptest! {
    #[test]
    fn every_field_becomes_the_desired_one(last in deployment(), desired in deployment(), live in deployment()) {
        let options = ThreeWayOptions::default().with_merge(StrategicOptions::default().with_clean(true));
        let merge = as_kubectl(&last, &desired, &live, &BuiltIn, &options).unwrap();
        for field in &merge.fields {
            prop_assert_eq!(field.path.get(&merge.merged), field.path.get(&desired), "{}", field);
        }
        // Where there is none, at most the order of a list changes.
        if merge.fields.is_empty() {
            let count = |tree: &Value| tree.to_string().len();
            prop_assert_eq!(count(&merge.merged), count(&live));
        }
    }

    #[test]
    fn what_is_refused_is_a_conflict(last in deployment(), desired in deployment(), live in deployment()) {
        let refuse = StrategicOptions::default().with_overwrite(false);
        let options = ThreeWayOptions::default().with_merge(refuse);
        // The reverse does not hold: the reference compares lists of scalars without order and duplicates.
        if as_kubectl(&last, &desired, &live, &BuiltIn, &options).is_err() {
            prop_assert!(!merge(&last, &desired, &live).conflicts.is_empty());
        }
    }

    #[test]
    fn nothing_panics(trees in prop_oneof![[any_value(), any_value(), any_value()], [small_value(), small_value(), small_value()]]) {
        let [a, b, c] = &trees;
        let options = ThreeWayOptions::default();
        let _ = json(a, b, c, &options);
        let _ = strategic(a, b, c, Type::unknown_object(), &options);
    }
}
