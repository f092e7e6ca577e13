//! What the merges do to whole objects.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

use super::settled::is_settled;
use super::*;
use crate::schema::{
    BuiltIn, FieldSpec, ListSpec, MapSpec, Patch, Scalar, Schema, TypeGraph, TypeId, TypeSpec, UnknownFields,
};
use crate::testing::{any_value, deployment, small_value};
use crate::{FieldPath, TypeRef};

fn ty(kind: &'static str) -> Type<'static> {
    let group = match kind {
        "Deployment" => "apps",
        "PodDisruptionBudget" => "policy",
        _ => "",
    };
    BuiltIn.type_of(&TypeRef { group, version: "v1", kind }).unwrap()
}

fn merged(original: &Value, patch: &Value, kind: &'static str) -> Value {
    apply(original, patch, ty(kind), &StrategicOptions::default()).unwrap()
}

fn refusing() -> StrategicOptions {
    StrategicOptions::default().with_unknown_fields(UnknownFields::Refuse)
}

fn error(original: &Value, patch: &Value) -> StrategicError {
    apply(original, patch, ty("Pod"), &refusing()).unwrap_err()
}

#[test]
fn keyed_lists_are_merged_and_new_items_come_first() {
    let live = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}});
    let patch = json!({"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "c"}]}});
    assert_eq!(
        merged(&live, &patch, "Pod")["spec"]["containers"],
        json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c"}])
    );
    let patch = json!({"spec": {"containers": [{"name": "c"}]}});
    assert_eq!(merged(&live, &patch, "Pod")["spec"]["containers"][0], json!({"name": "c"}));
}

#[test]
fn directives_are_obeyed() {
    let live = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}], "tolerations": [{"key": "x"}]}});
    let patch = json!({"spec": {
        "containers": [{"name": "a", "$patch": "delete"}],
        "tolerations": [{"key": "y"}],
    }});
    assert_eq!(
        merged(&live, &patch, "Pod"),
        json!({"spec": {"containers": [{"name": "b"}], "tolerations": [{"key": "y"}]}})
    );
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}});
    let live = json!({"metadata": {"finalizers": ["a", "b"]}});
    assert_eq!(merged(&live, &patch, "Pod"), json!({"metadata": {"finalizers": ["c", "b"]}}));
    let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    assert_eq!(merged(&live, &patch, "Deployment"), json!({"spec": {"strategy": {"type": "Recreate"}}}));
}

#[test]
fn leftovers_stay_unless_a_clean_result_is_asked_for() {
    let patch = json!({
        "spec": {
            "containers": [{"name": "a", "image": null, "lifecycle": null}],
            "strategy": {"$retainKeys": ["type"], "type": "Recreate"},
            "tolerations": [{"key": "x", "$patch": "delete"}, {"key": "y"}],
            "affinity": {"$patch": "replace", "nodeAffinity": {}},
        },
    });
    let live = json!({"spec": {"containers": [{"name": "b"}], "tolerations": []}});
    let left = merged(&live, &patch, "Pod");
    assert_eq!(
        left["spec"],
        json!({
            "containers": [{"name": "a", "image": null, "lifecycle": null}, {"name": "b"}],
            "strategy": {"$retainKeys": ["type"], "type": "Recreate"},
            "tolerations": [{"key": "x", "$patch": "delete"}, {"key": "y"}],
        })
    );
    let clean = apply(&live, &patch, ty("Pod"), &StrategicOptions::default().with_clean(true)).unwrap();
    assert_eq!(
        clean["spec"],
        json!({
            "containers": [{"name": "a"}, {"name": "b"}],
            "strategy": {"type": "Recreate"},
            "tolerations": [{"key": "y"}],
            "affinity": {"nodeAffinity": {}},
        })
    );
}

#[test]
fn errors_say_where_and_why() {
    let live = json!({"spec": {"containers": [{"name": "a", "env": [{"name": "A"}]}]}});
    let patch = json!({"spec": {"containers": [{"name": "a", "env": [{"value": "x"}]}]}});
    let missing = error(&live, &patch);
    assert_eq!(
        missing.to_string(),
        r#".spec.containers[name="a"].env: an item has no "name", which tells the items apart: give every item one"#
    );
    assert_eq!(missing.reason.class(), "no_merge_key");
    let classes = [
        (json!({"spec": {"containers": [{"name": "a", "$patch": "merge"}]}}), "bad_directive"),
        (json!({"spec": {"$patch": "zap"}}), "bad_directive"),
        (json!({"spec": {"containers": [null]}}), "type"),
        (json!({"spec": {"$setElementOrder/containers": "a"}}), "type"),
        (json!({"spec": {"$setElementOrder": []}}), "bad_set_element_order"),
        (json!({"spec": {"$deleteFromPrimitiveList": []}}), "bad_delete_from_primitive_list"),
        (json!({"spec": {"$retainKeys": 1}}), "bad_retain_keys"),
        (json!({"spec": {"$retainKeys": [], "nodeName": "n"}}), "bad_retain_keys"),
        (
            json!({"spec": {
                "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                "containers": [{"name": "b"}, {"name": "a"}],
            }}),
            "order_mismatch",
        ),
        (json!([]), "bad_json"),
    ];
    for (patch, class) in classes {
        assert_eq!(error(&live, &patch).reason.class(), class, "{patch}");
    }
}

#[test]
fn unknown_fields_are_merged_or_refused() {
    let (live, patch) = (json!({"spec": {"new": {"a": 1}}}), json!({"spec": {"new": {"b": 1}}}));
    assert_eq!(merged(&live, &patch, "Pod"), json!({"spec": {"new": {"a": 1, "b": 1}}}));
    let refused = error(&live, &patch);
    assert_eq!(refused.path.to_string(), ".spec.new");
    assert_eq!(refused.reason, StrategicErrorReason::UnknownField("new".to_owned()));
    // An unknown list is replaced, and what is equal is no concern of anybody.
    let list = |n| json!({"spec": {"new": [n]}});
    assert_eq!(merged(&list(1), &list(2), "Pod"), list(2));
    assert_eq!(create(&live, &live, ty("Pod"), &refusing()), Ok(json!({})));
    assert!(create(&live, &patch, ty("Pod"), &refusing()).is_err());
}

#[test]
fn go_types_do_not_mind_the_case_of_names() {
    let live = json!({"spec": {"Containers": [{"name": "a"}]}});
    let patch = json!({"spec": {"Containers": [{"name": "b"}]}});
    assert_eq!(merged(&live, &patch, "Pod")["spec"]["Containers"], json!([{"name": "b"}, {"name": "a"}]));
    let exact = refusing().with_type_source(TypeSource::OpenApi);
    assert_eq!(apply(&live, &patch, ty("Pod"), &exact).unwrap_err().reason.class(), "schema");
}

#[test]
fn a_patch_that_is_not_empty_can_change_nothing() {
    let budget = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}});
    let options = StrategicOptions::default();
    let patch = three_way(&budget, &budget, &budget, ty("PodDisruptionBudget"), &options).unwrap();
    assert_eq!(patch, budget);
    let pod = json!({"metadata": {"finalizers": ["b", "a"]}});
    let patch = create(&pod, &pod, ty("Pod"), &options).unwrap();
    assert_eq!(patch, json!({"metadata": {"$setElementOrder/finalizers": ["b", "a"]}}));
    assert_eq!(merged(&pod, &patch, "Pod"), pod);
}

#[test]
fn equal_keys_are_matched_in_reverse() {
    let ports = |list: &[&str]| {
        let items: Vec<_> = list.iter().map(|name| json!({"port": 53, "name": name})).collect();
        json!({"spec": {"ports": items}})
    };
    let patch =
        create(&ports(&["udp"]), &ports(&["udp", "tcp"]), ty("Service"), &StrategicOptions::default());
    assert_eq!(
        patch.unwrap(),
        json!({"spec": {
            "$setElementOrder/ports": [{"port": 53}, {"port": 53}],
            "ports": [{"port": 53, "name": "tcp"}, {"port": 53, "name": "udp"}],
        }})
    );
}

#[test]
fn changes_of_others_are_kept_from_or_overwritten() {
    let of = |replicas| json!({"spec": {"replicas": replicas}});
    let options = StrategicOptions::default();
    assert_eq!(three_way(&of(1), &of(1), &of(5), ty("Deployment"), &options), Ok(of(1)));
    let refused = three_way(&of(1), &of(1), &of(5), ty("Deployment"), &options.with_overwrite(false));
    let refused = refused.unwrap_err();
    assert_eq!((refused.path.to_string().as_str(), refused.reason.class()), (".spec.replicas", "conflict"));
}

#[test]
fn preconditions_name_the_field() {
    let of = |name| json!({"kind": "Pod", "metadata": {"name": name}});
    let options = StrategicOptions::default().with_precondition(FieldPath::of_fields(["metadata", "name"]));
    assert_eq!(create(&of("a"), &of("a"), ty("Pod"), &options), Ok(json!({})));
    let changed = create(&of("a"), &of("b"), ty("Pod"), &options).unwrap_err();
    assert_eq!(changed.path.to_string(), ".metadata.name");
    assert_eq!(changed.reason, StrategicErrorReason::Precondition);
}

/// Trees whose keys are directives and fields of a Pod.
fn wild() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        small_value(),
        prop_oneof!["replace", "delete", "merge", "[ab]"].prop_map(Value::String),
    ];
    let key = proptest::sample::select(vec![
        "spec",
        "containers",
        "env",
        "name",
        "ports",
        "containerPort",
        "metadata",
        "finalizers",
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$setElementOrder/env",
        "$setElementOrder/finalizers",
        "$setElementOrder/ports",
        "$deleteFromPrimitiveList/finalizers",
        "$deleteFromPrimitiveList/containers",
        "$deleteFromPrimitiveList/",
        "$setElementOrder/",
        "$setElementOrder",
        "volumes",
        "args",
    ]);
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..5).prop_map(Value::Array),
            5 => btree_map(key.clone(), inner, 0..6).prop_map(|map| {
                Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

fn options() -> impl Strategy<Value = StrategicOptions> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(unknown, source, clean, overwrite)| {
            StrategicOptions::default()
                .with_unknown_fields(if unknown { UnknownFields::Deduce } else { UnknownFields::Refuse })
                .with_type_source(if source { TypeSource::GoTypes } else { TypeSource::OpenApi })
                .with_clean(clean)
                .with_overwrite(overwrite)
        },
    )
}

fn types() -> impl Strategy<Value = Type<'static>> {
    proptest::sample::select(vec![
        ty("Pod"),
        ty("Deployment"),
        ty("Service"),
        Type::deduced(),
        Type::unknown_object(),
    ])
}

/// Whether anything of a directive or a null is in a map of the tree.
fn has_leftovers(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let directive =
                [DIRECTIVE, RETAIN_KEYS, SET_ORDER, DELETE_FROM].iter().any(|name| key.starts_with(name));
            directive || value.is_null() || has_leftovers(value)
        }),
        Value::Array(items) => items.iter().any(has_leftovers),
        _ => false,
    }
}

proptest! {
    #[test]
    fn what_a_patch_was_made_from_comes_back(a in deployment(), b in deployment()) {
        let options = StrategicOptions::default();
        let patch = create(&a, &b, ty("Deployment"), &options).unwrap();
        prop_assert_eq!(apply(&a, &patch, ty("Deployment"), &options).unwrap(), b);
        prop_assert_eq!(create(&a, &a, ty("Deployment"), &options).unwrap(), json!({}));
    }

    #[test]
    fn without_drift_the_desired_state_comes_out(a in deployment(), b in deployment(), live in deployment()) {
        let (ty, options) = (ty("Deployment"), StrategicOptions::default());
        let patch = three_way(&a, &b, &a, ty, &options).unwrap();
        prop_assert_eq!(&apply(&a, &patch, ty, &options).unwrap(), &b);
        // And with it, another merge changes nothing.
        let patch = three_way(&a, &b, &live, ty, &options).unwrap();
        let once = apply(&live, &patch, ty, &options).unwrap();
        let patch = three_way(&b, &b, &once, ty, &options).unwrap();
        prop_assert_eq!(apply(&once, &patch, ty, &options).unwrap(), once);
    }

    #[test]
    fn what_is_settled_has_an_empty_patch(
        last in prop_oneof![wild(), deployment()],
        desired in prop_oneof![wild(), deployment()],
        same in any::<[bool; 2]>(),
        extra in small_value(),
        refuse in any::<bool>(),
        ty in types(),
    ) {
        let last = if same[0] { desired.clone() } else { last };
        let mut live = if same[1] { desired.clone() } else { last.clone() };
        if let Value::Object(map) = &mut live {
            map.insert("status".to_owned(), extra);
        }
        let unknown = if refuse { UnknownFields::Refuse } else { UnknownFields::Deduce };
        let options = StrategicOptions::default().with_unknown_fields(unknown);
        let lookup = Lookup::new(&options);
        if let [Value::Object(last), Value::Object(desired), Value::Object(live)] = [&last, &desired, &live]
            && is_settled(last, desired, live, ty, lookup)
        {
            let differ = Differ { lookup, order: true, changes: true, deletions: false };
            prop_assert_eq!(differ.maps(live, desired, ty, false), Ok(Map::new()));
            let differ = Differ { changes: false, deletions: true, ..differ };
            prop_assert_eq!(differ.maps(last, desired, ty, false), Ok(Map::new()));
        }
    }

    #[test]
    fn nothing_panics(
        trees in (prop_oneof![4 => wild(), 1 => any_value()], wild(), wild()),
        ty in types(),
        options in options(),
    ) {
        let (a, b, c) = &trees;
        let _ = apply(a, b, ty, &options);
        let _ = create(a, b, ty, &options);
        let _ = three_way(a, b, c, ty, &options);
    }

    #[test]
    fn a_clean_result_has_no_leftovers(original in deployment(), patch in wild(), ty in types()) {
        let options = StrategicOptions::default().with_clean(true);
        if let Ok(result) = apply(&original, &patch, ty, &options) {
            prop_assert!(!has_leftovers(&result), "{}", result);
        }
    }
}

/// A graph of maps with a list of such maps, merged by their names.
fn nested() -> (TypeGraph, TypeId) {
    let mut graph = TypeGraph::builder();
    let map = graph.reserve();
    let text = graph.add(TypeSpec::scalar(Scalar::String));
    let list = graph.add(TypeSpec::list(ListSpec::Atomic(map)));
    let mut items = FieldSpec::new("items", list);
    items.patch = Patch { merge: true, merge_key: Some("name".into()), ..Patch::default() };
    let fields = vec![FieldSpec::new("name", text), items];
    graph.define(map, TypeSpec::map(MapSpec { fields, ..MapSpec::default() }));
    (graph.build().unwrap(), map)
}

#[test]
fn deletions_that_an_object_states_go_to_the_end() {
    let (graph, map) = nested();
    let of = |names: &[&str]| {
        let item = |name: &&str| match name.strip_prefix('-') {
            Some(name) => json!({"name": name, "$patch": "delete"}),
            None => json!({"name": name, "v": 1}),
        };
        json!({"items": names.iter().map(item).collect::<Vec<_>>()})
    };
    let (from, to) = (of(&["b", "y", "x"]), of(&["-d", "z", "-c", "b", "a"]));
    let patch = create(&from, &to, graph.get(map).unwrap(), &StrategicOptions::default()).unwrap();
    let expected = of(&["z", "a", "-c", "-d", "-x", "-y"]);
    assert_eq!(patch["items"], expected["items"]);
}

#[test]
fn deletions_that_an_object_states_do_not_double_the_work() {
    fn object(depth: usize, is_new: bool) -> Value {
        if depth == 0 {
            return json!({"name": "a", "is_new": is_new});
        }
        let mut items = vec![object(depth - 1, is_new)];
        if is_new {
            items.push(json!({"name": "b", "$patch": "delete"}));
        }
        json!({"name": "a", "items": items})
    }
    let (graph, map) = nested();
    let time = |depth| {
        let (from, to) = (object(depth, false), object(depth, true));
        let start = std::time::Instant::now();
        create(&from, &to, graph.get(map).unwrap(), &StrategicOptions::default()).unwrap();
        start.elapsed()
    };
    let least = |depth| (0..5).map(|_| time(depth)).min().unwrap();
    let (small, large) = (least(9), least(18));
    assert!(large < small * 100, "{small:?} {large:?}");
}
