use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::BuiltIn;
use crate::testing::{deployment, small_value};

fn set(fields: &Value) -> FieldSet {
    FieldSet::from_fields_v1(fields).unwrap()
}

fn path(text: &str) -> FieldPath {
    text.parse().unwrap()
}

#[test]
fn states_what_a_deployment_says() {
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"a.b/c": "d"}, "finalizers": ["x"]},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {
                "containers": [{
                    "name": "web", "args": ["-v"], "resources": {}, "ports": [{"containerPort": 80}],
                }],
                "volumes": [],
            }},
        },
    });
    let stated = FieldSet::of(&deployment, &BuiltIn);
    assert_eq!(
        stated.to_fields_v1(),
        json!({
            "f:metadata": {"f:labels": {"f:a.b/c": {}}, "f:finalizers": {"v:\"x\"": {}}},
            "f:spec": {
                "f:selector": {},
                "f:template": {"f:spec": {
                    "f:containers": {"k:{\"name\":\"web\"}": {
                        ".": {}, "f:name": {}, "f:args": {}, "f:resources": {},
                        "f:ports": {
                            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
                        },
                    }},
                }},
            },
        })
    );
    assert!(FieldSet::with_identity(&deployment, &BuiltIn).contains(&path(".metadata.name")));
    for stated in stated.iter() {
        assert!(stated.get(&deployment).is_some(), "{stated}");
    }
}

#[test]
fn membership_and_cover() {
    let s = set(&json!({"f:spec": {"f:args": {}, "f:l": {"k:{\"name\":\"a\"}": {".": {}, "f:x": {}}}}}));
    assert!(s.contains(&path(".spec.args")) && !s.contains(&path(".spec")));
    assert!(s.contains_or_covers(&path(".spec.args[0]")));
    assert!(s.contains_or_covers(&path(r#".spec.l[name="a"]"#)));
    assert!(!s.contains_or_covers(&path(r#".spec.l[name="a"].y"#)), "an item with fields covers only these");
    assert!(!s.contains_or_covers(&path(".spec")) && s.touches(&path(".spec")));
    assert_eq!(s.len(), 3);
    let members: Vec<_> = s.iter().map(|p| p.to_string()).collect();
    assert_eq!(members, [".spec.args", r#".spec.l[name="a"]"#, r#".spec.l[name="a"].x"#]);
}

#[test]
fn removing_leaves_no_empty_shells() {
    let mut s = set(&json!({"f:a": {"f:b": {"f:c": {}}}, "f:d": {}}));
    assert!(s.remove(&path(".a.b.c")) && !s.remove(&path(".a.b.c")));
    assert_eq!(s, set(&json!({"f:d": {}})));
    let mut s = set(&json!({"f:a": {".": {}, "f:b": {}}, "f:d": {}}));
    assert!(s.remove_subtree(&path(".a")) && !s.remove_subtree(&path(".a")));
    assert_eq!(s, set(&json!({"f:d": {}})));
    assert!(s.remove_subtree(&FieldPath::root()) && s.is_empty());
}

#[test]
fn bad_sets_are_errors_with_a_place() {
    let error = FieldSet::from_fields_v1(&json!({"f:a": {"k:b": {}}})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field set, below .a: \"k:b\" is no element of a field set: expected f:NAME, k:{…}, v:JSON or i:NUMBER"
    );
    assert_eq!(FieldSet::from_fields_v1(&json!({"f:a": 1})), Err(FieldSetError::NotAMap { at: path(".a") }));
}

#[test]
fn what_a_later_api_server_may_write_is_left_out() {
    let s =
        set(&json!({"f:a": {"x:b": {"f:c": {}}}, "x:b": {}, "f:d": null, "v:1.0": {}, "v:1": {"f:e": {}}}));
    assert_eq!(s.to_fields_v1(), json!({"f:a": {}, "f:d": {}, "v:1": {".": {}, "f:e": {}}}));
}

#[test]
fn leaves_and_subtrees() {
    let s = set(&json!({"f:a": {".": {}, "f:b": {".": {}, "f:c": {}}}, "f:d": {}}));
    assert_eq!(s.leaves().to_fields_v1(), json!({"f:a": {"f:b": {"f:c": {}}}, "f:d": {}}));
    let less = set(&json!({"f:a": {"f:b": {}}}));
    assert_eq!(s.difference(&less).to_fields_v1(), json!({"f:a": {".": {}, "f:b": {"f:c": {}}}, "f:d": {}}));
    assert_eq!(s.difference_with_subtrees(&less).to_fields_v1(), json!({"f:a": {}, "f:d": {}}));
}

fn any_set() -> impl Strategy<Value = FieldSet> {
    prop_oneof![deployment(), small_value()].prop_map(|v| FieldSet::with_identity(&v, &BuiltIn))
}

proptest! {
    #[test]
    fn fields_v1_round_trips(s in any_set()) {
        prop_assert_eq!(&set(&s.to_fields_v1()), &s);
        prop_assert_eq!(s.iter().collect::<FieldSet>(), s.clone());
        prop_assert_eq!(s.iter().count(), s.len());
    }

    #[test]
    fn sets_are_sets(a in any_set(), b in any_set()) {
        let (both, all, only) = (a.intersection(&b), a.union(&b), a.difference(&b));
        prop_assert_eq!(&b.union(&a), &all);
        prop_assert_eq!(&both.union(&only), &a);
        prop_assert!(only.intersection(&b).is_empty() && only.is_disjoint(&b));
        prop_assert_eq!(both.is_empty(), a.is_disjoint(&b));
        prop_assert_eq!(a.is_subset(&b), only.is_empty());
        prop_assert!(a.difference_with_subtrees(&b).is_subset(&only));
        prop_assert!(a.leaves().is_subset(&a));
        prop_assert!(both.is_subset(&a) && both.is_subset(&b) && a.is_subset(&all));
        prop_assert_eq!(all.len() + both.len(), a.len() + b.len());
        for member in all.iter() {
            prop_assert_eq!(all.contains(&member), a.contains(&member) || b.contains(&member));
        }
    }

    #[test]
    fn reading_never_panics(v in small_value()) {
        let _ = FieldSet::from_fields_v1(&v);
    }
}
