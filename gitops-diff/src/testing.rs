//! Generators for the property tests.

use std::time::{Duration, Instant};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

/// Any number `serde_json` can hold.
pub(crate) fn any_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|i| json!(i)),
        any::<u64>().prop_map(|u| json!(u)),
        any::<f64>().prop_filter_map("finite", |f| Number::from_f64(f).map(Value::Number)),
        (-3_i32..4).prop_map(|i| json!(f64::from(i))),
        (-3_i32..4).prop_map(|i| json!(i)),
    ]
}

/// Any tree, four levels deep.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any_number(),
        any::<String>().prop_map(Value::String),
        "[a-c]{0,2}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            btree_map(prop_oneof![any::<String>(), "[a-c]"], inner, 0..5).prop_map(object),
        ]
    })
}

/// Small trees over few words, so that two of them often have something in common.
pub(crate) fn small_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!(1)),
        Just(json!(1.0)),
        Just(json!(2)),
        Just(json!("a")),
        Just(json!("b")),
        Just(json!(true)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map("[abc]", inner.clone(), 0..4).prop_map(object),
            vec((prop_oneof!["[abc]", "[ab]"], inner), 0..4).prop_map(|items| {
                items.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
            }),
        ]
    })
}

fn object(map: std::collections::BTreeMap<String, Value>) -> Value {
    Value::Object(map.into_iter().collect::<Map<_, _>>())
}

/// A Deployment as people write it: few field names, so that changes meet.
pub(crate) fn deployment() -> impl Strategy<Value = Value> {
    let env = vec(("[A-C]", "[xyz]"), 0..3).prop_map(|pairs| {
        let by_name: std::collections::BTreeMap<_, _> = pairs.into_iter().collect();
        by_name.into_iter().map(|(n, v)| json!({"name": n, "value": v})).collect::<Vec<_>>()
    });
    let container = ("[abc]", "i[12]", env, vec("[xy]", 0..3), proptest::option::of(80_u16..83));
    let containers = vec(container, 1..4).prop_map(|items| {
        let mut seen = std::collections::BTreeSet::new();
        items
            .into_iter()
            .filter(|(name, ..)| seen.insert(name.clone()))
            .map(|(name, image, env, args, port)| {
                let mut c = json!({"name": name, "image": image});
                if !env.is_empty() {
                    c["env"] = json!(env);
                }
                if !args.is_empty() {
                    c["args"] = json!(args);
                }
                if let Some(port) = port {
                    c["ports"] = json!([{"containerPort": port}]);
                }
                c
            })
            .collect::<Vec<_>>()
    });
    let labels = btree_map("l[123]", "[uvw]", 1..3);
    let finalizers = vec("f[12]", 0..3).prop_map(|items| {
        let set: std::collections::BTreeSet<_> = items.into_iter().collect();
        set.into_iter().collect::<Vec<_>>()
    });
    (labels, finalizers, proptest::option::of(0_u8..4), containers).prop_map(
        |(labels, fin, replicas, containers)| {
            let mut d = json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop", "labels": labels},
                "spec": {
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": {"spec": {"containers": containers}},
                },
            });
            if !fin.is_empty() {
                d["metadata"]["finalizers"] = json!(fin);
            }
            if let Some(replicas) = replicas {
                d["spec"]["replicas"] = json!(replicas);
            }
            d
        },
    )
}

/// A pod of this many containers of one image.
pub(crate) fn pod_of(containers: usize, image: &str) -> Value {
    let containers: Vec<_> =
        (0..containers).map(|n| json!({"name": format!("c{n}"), "image": image, "args": ["a"]})).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}})
}

/// Fails if work on four times as much takes much more than four times as long. The shortest of some tries counts, so that
/// a machine that is busy with something else does not.
pub(crate) fn assert_no_square<I>(what: &str, make: impl Fn(usize) -> I, work: impl Fn(&I)) {
    let time = |size| {
        let input = make(size);
        let try_it = || {
            let start = Instant::now();
            work(&input);
            start.elapsed()
        };
        (0..3).map(|_| try_it()).min().unwrap_or_default()
    };
    let tries = (0..3).map(|_| (time(1_000), time(4_000)));
    let mut seen: Vec<(Duration, Duration)> = Vec::new();
    for (small, large) in tries {
        if large < small * 8 {
            return;
        }
        seen.push((small, large));
    }
    panic!("{what}: {seen:?}");
}
