use serde_json::json;

use super::*;
use crate::schema::{BuiltIn, Deduced};
use crate::testing::{assert_no_square, pod_of};
use crate::{DiffOptions, WriteOptions, apply, compare};

fn deployment(replicas: u8, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [
            {"name": "web", "image": image}, {"name": "proxy", "image": "proxy:1"},
        ]}}},
    })
}

fn drift(rule: IgnoreRule, desired: &Value, live: &Value) -> usize {
    let options = DiffOptions::default().with_rules(IgnoreRules::new([rule]));
    compare(desired, live, &Deduced, &options).len()
}

#[test]
fn rules_are_for_the_objects_they_match() {
    let (git, live) = (deployment(1, "a"), deployment(2, "a"));
    let rule = || IgnoreRule::new([".spec.replicas".parse().unwrap()]);
    for (rule, left) in [
        (rule(), 0),
        (rule().with_kind("*", "*"), 0),
        (rule().with_kind("apps", "Deploy*"), 0),
        (rule().with_kind("app", "Deployment"), 1),
        (rule().with_namespace("sh?p").with_name("w*b"), 0),
        (rule().with_namespace("other"), 1),
        (rule().with_name("web2"), 1),
    ] {
        assert_eq!(drift(rule.clone(), &git, &live), left, "{rule:?}");
    }
}

#[test]
fn fields_are_named_in_several_ways() {
    let (git, live) = (deployment(1, "a"), deployment(1, "b"));
    let pointer = |text: &str| IgnoreRule::default().with_pointer(text.parse().unwrap());
    assert_eq!(drift(pointer("/spec/template/spec/containers/0/image"), &git, &live), 0);
    assert_eq!(drift(pointer("/spec/template/spec/containers/1/image"), &git, &live), 1);
    assert_eq!(drift(pointer("/spec/template"), &git, &live), 0);
    assert!("".parse::<JsonPointer>().is_err() && "spec".parse::<JsonPointer>().is_err());
}

#[test]
fn what_a_manager_owns_is_left_alone() {
    let (git, mut live) = (deployment(1, "a"), deployment(2, "b"));
    live["metadata"]["managedFields"] = json!([
        {"manager": "autoscaler", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {".": {}, "f:replicas": {}}}},
    ]);
    assert_eq!(drift(IgnoreRule::default().with_manager("another"), &git, &live), 2);
    assert_eq!(drift(IgnoreRule::default().with_manager("autoscaler"), &git, &live), 1);
    let rules = IgnoreRules::new([IgnoreRule::default().with_manager("autoscaler")]);
    let adopted = rules.adopt(&git, &live, &Deduced).unwrap();
    assert_eq!(adopted, deployment(2, "a"));
    let stripped = rules.strip(&git, Some(&live), &Deduced).unwrap();
    assert_eq!(stripped["spec"].get("replicas"), None);
    assert_eq!(rules.strip(&git, None, &Deduced), None);
}

#[test]
fn rules_are_data() {
    let text = json!([{
        "group": "apps", "paths": [".spec.replicas"], "json_pointers": ["/a~1b"], "managed_fields_managers": ["m"],
    }]);
    let rules: IgnoreRules = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(&rules).unwrap(), text);
    assert!(serde_json::from_value::<IgnoreRules>(json!([{"json_pointers": ["a"]}])).is_err());
    assert!(serde_json::from_value::<IgnoreRules>(json!([{"jq_path_expressions": [".a |"]}])).is_err());
}

#[test]
fn several_items_of_a_list_go_at_once() {
    let object = json!({"spec": {"l": [0, 1, 2, 3]}});
    let rule = ["/spec/l/1", "/spec/l/2"]
        .iter()
        .fold(IgnoreRule::default(), |rule, pointer| rule.with_pointer(pointer.parse().unwrap()));
    let rules = IgnoreRules::new([rule]);
    assert_eq!(rules.strip(&object, None, &Deduced), Some(json!({"spec": {"l": [0, 3]}})));
}

#[test]
fn secrets_are_as_they_are_stored() {
    let secret = |field: &str, entries: Value| {
        let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        object[field] = entries;
        object
    };
    let git = secret("stringData", json!({"a": "1", "b": "2"}));
    let live = secret("data", json!({"a": "OQ==", "b": "Mg=="}));
    for (pointer, left) in [
        ("/data/a", json!({"b": "Mg=="})),
        ("/stringData/a", json!({"b": "Mg=="})),
        ("/stringData", json!({})),
    ] {
        let rules = IgnoreRules::new([IgnoreRule::default().with_pointer(pointer.parse().unwrap())]);
        assert_eq!(rules.strip(&git, Some(&live), &Deduced), Some(secret("data", left)), "{pointer}");
        assert_eq!(rules.adopt(&git, &live, &Deduced), Some(live.clone()), "{pointer}");
        let paths = rules.paths(&git, Some(&live), &Deduced);
        assert_eq!(paths.first().map(ToString::to_string).as_deref(), Some(".data.a"), "{pointer}");
    }
    let rules = IgnoreRules::new([IgnoreRule::default().with_pointer("/data/z".parse().unwrap())]);
    assert_eq!(rules.strip(&git, Some(&live), &Deduced), None);
}

#[test]
fn lists_are_not_walked_for_each_field() {
    let make = |n| {
        let git = pod_of(n, "i:1");
        let options = WriteOptions::new("them");
        let mut live = apply(None, &pod_of(n, "i:2"), &BuiltIn, &options).unwrap().object.into_owned();
        // In another order.
        live["spec"]["containers"].as_array_mut().unwrap().reverse();
        (git, live, n)
    };
    let rules = IgnoreRules::new([IgnoreRule::default().with_manager("them")]);
    assert_no_square("strip", make, |(git, live, _)| {
        assert_eq!(rules.strip(git, Some(live), &BuiltIn).unwrap()["spec"]["containers"][0], json!({}));
    });
    assert_no_square("paths", make, |(git, live, n)| {
        assert!(rules.paths(git, Some(live), &BuiltIn).len() >= *n);
    });
    assert_no_square("adopt", make, |(git, live, _)| {
        assert_eq!(rules.adopt(git, live, &BuiltIn).unwrap()["spec"]["containers"][0]["image"], "i:2");
    });
    let paths = |n| {
        let (git, ..) = make(n);
        let path = |n| format!(r#".spec.containers[name="c{n}"].image"#).parse().unwrap();
        (git, IgnoreRules::new([IgnoreRule::new((0..n).map(path))]))
    };
    assert_no_square("many rules", paths, |(git, rules)| {
        assert_eq!(rules.strip(git, None, &BuiltIn).unwrap()["spec"]["containers"][0].get("image"), None);
    });
}

#[cfg(feature = "jq")]
mod jq {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::small_value;

    fn rule(text: &str) -> IgnoreRule {
        IgnoreRule::default().with_jq(text.parse().unwrap())
    }

    fn selected(text: &str, object: &Value) -> Vec<String> {
        let rules = IgnoreRules::new([rule(text)]);
        rules.paths(object, None, &Deduced).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn expressions_lead_to_fields() {
        let object = deployment(1, "web:1");
        let image = ".spec.template.spec.containers[0].image";
        for (expression, expected) in [
            (".spec.replicas", vec![".spec.replicas"]),
            (".spec.nothing.below", vec![]),
            (r#".spec.template.spec.containers[] | select(.name == "web") | .image"#, vec![image]),
            (r#".spec.template.spec.containers[] | select(.name | test("^w.b$")).image"#, vec![image]),
            (r#".spec.template.spec.containers[]? | select(.image | startswith("web")) .image"#, vec![image]),
            (".spec.template.spec.containers[-2].image", vec![image]),
            (".. | select(type == \"string\" and . == \"web:1\")", vec![image]),
            ("first(.spec.template.spec.containers[]).image", vec![image]),
            (r#".spec | if has("replicas") then .replicas else .other end"#, vec![".spec.replicas"]),
            (".spec.replicas, .metadata.name", vec![".metadata.name", ".spec.replicas"]),
            (r#".spec["replicas"]"#, vec![".spec.replicas"]),
            (".spec.missing // .spec.replicas", vec![".spec.replicas"]),
            (
                r#".spec.template.spec.containers[] | select(any(.name, .image; contains("web:"))) | .image"#,
                vec![image],
            ),
            (".metadata.name.x?", vec![]),
            ("empty", vec![]),
            (".a[]?", vec![]),
        ] {
            assert_eq!(selected(expression, &object), expected, "{expression}");
        }
        // Where the expression does not fit, or makes values of its own, it selects nothing, and says so.
        for expression in [".metadata.name.x", ".spec | keys", "error", ".spec[]"] {
            let rules = IgnoreRules::new([rule(expression)]);
            let expected = usize::from(expression != ".spec[]");
            assert_eq!(rules.check(&object).len(), expected, "{expression}");
        }
    }

    /// A list without keys may have its items at other positions, or other items, on the live side.
    #[test]
    fn positions_of_one_side_are_none_of_the_other() {
        let object = |items: Value| json!({"apiVersion": "x.io/v1", "kind": "X", "items": items});
        let git = object(json!([{"name": "x", "value": 1}, {"name": "y", "value": 2}]));
        let live = object(json!([{"name": "y", "value": 20}, {"name": "x", "value": 10}]));
        let rules = IgnoreRules::new([rule(r#".items[] | select(.name == "x") | .value"#)]);
        let stripped = object(json!([{"name": "x"}, {"name": "y", "value": 2}]));
        assert_eq!(rules.strip(&git, Some(&live), &Deduced), Some(stripped));
        let adopted = object(json!([{"name": "x", "value": 10}, {"name": "y", "value": 2}]));
        assert_eq!(rules.adopt(&git, &live, &Deduced), Some(adopted));

        let (git, live) = (object(json!(["x1", "a", "x2", "b"])), object(json!(["a", "x9", "b"])));
        let rules = IgnoreRules::new([rule(r#".items[] | select(startswith("x"))"#)]);
        assert_eq!(rules.strip(&git, Some(&live), &Deduced), Some(object(json!(["a", "b"]))));
        assert_eq!(rules.adopt(&git, &live, &Deduced), Some(git));

        let (git, live) = (object(json!([{"name": "x", "v": 1}])), object(json!([{"name": "x", "v": 2}])));
        let rules = IgnoreRules::new([rule(".items[] | (.name, .v)")]);
        assert_eq!(rules.strip(&git, Some(&live), &Deduced), Some(object(json!([{}]))));
    }

    #[test]
    fn what_has_no_bound_is_refused() {
        for text in [
            "def f: f; f",
            "range(1000000)",
            "repeat(.)",
            "recurse(.)",
            "[limit(3; repeat(1))]",
            r#""x" * 1000000"#,
            ".a = 1",
            ".a |= 2",
            ".a += 1",
            "del(.a)",
            "env",
            "$ENV.PATH",
            "input",
            "now",
            "halt",
            "reduce .[] as $x (0; 1)",
            r#""\(.)\(.)""#,
            "@base64",
            ".[.a]",
            ".[1:2]",
            r#"test("a{1000}")"#,
            "test(.a)",
            "import \"x\" as x; .",
            ".a |",
            "",
            "$x",
            "break $x",
            "tojson",
        ] {
            assert!(text.parse::<JqPath>().is_err(), "{text}");
        }
        assert_eq!(format!("{}.", "(".repeat(5_000)).parse::<JqPath>(), Err(JqError::TooLarge));
        assert_eq!("[".repeat(4_000).parse::<JqPath>(), Err(JqError::TooLarge));
        assert_eq!(".a|".repeat(3_000).parse::<JqPath>(), Err(JqError::TooLarge));
        for text in
            ["if . then ".repeat(400), "-".repeat(4_000), "try ".repeat(1_000), ". as $x|".repeat(500)]
        {
            assert!(text.parse::<JqPath>().is_err(), "{}", &text[..20]);
        }
    }

    #[test]
    fn long_expressions_stop() {
        let object = json!({"l": (0..300).collect::<Vec<_>>()});
        let double = |n: usize| format!("{}.l", "(.,.)|".repeat(n));
        for text in [
            double(25),
            format!("{}empty", "(.,.)|".repeat(25)),
            format!("{}select(false)", "(.,.)|".repeat(25)),
            format!("{}(try error)", "(.,.)|".repeat(25)),
            format!("{}.l?", "(., (try error catch empty), .)|".repeat(16)),
            format!("select({}length == 1)", "[.,.]|".repeat(25)),
            format!("select({}. == .)", "[.,.]|".repeat(25)),
            format!("select({}first(..) == 1)", "{a:.,b:.}|".repeat(25)),
            ".l as $l | .l[] as $a | .l[] as $b | .l[] as $c | select($a == $b) | .l".to_owned(),
            "select([.l[] as $a | .l[] | [.]] | contains([[-1]]))".to_owned(),
            ".l[] as $a | .l[] as $b | first(select(false), .)".to_owned(),
        ] {
            let rules = IgnoreRules::new([rule(&text)]).with_budget(Budget::default().with_steps(50_000));
            let stopped = rules.check(&object);
            assert!(matches!(stopped[..], [JqRunError::Stopped(_)]), "{text}: {stopped:?}");
        }
        let interrupted = Budget::default().with_interrupt(Arc::new(|| true));
        let rules = IgnoreRules::new([rule(&double(16))]).with_budget(interrupted);
        assert!(matches!(rules.check(&object)[..], [JqRunError::Stopped(_)]));
        assert_eq!(IgnoreRules::new([rule(&double(8))]).check(&object), []);
    }

    /// A clock of which a millisecond passes each time that it is read.
    fn ticking() -> impl Fn() -> Duration + Send + Sync + 'static {
        let now = AtomicU64::new(0);
        move || Duration::from_millis(now.fetch_add(1, Ordering::Relaxed))
    }

    #[test]
    fn slow_expressions_stop_by_the_clock() {
        let object = json!({"apiVersion": "x.io/v1", "kind": "X", "l": 1, "m": 2});
        let text = format!("{}.l", "(.,.)|".repeat(12));
        let within = |limit, clock| {
            let budget = Budget::default().with_time(Duration::from_millis(limit), clock);
            IgnoreRules::new([rule(&text), rule(".m")]).with_budget(budget)
        };
        // Its steps are within the bound, and so is its time where there is enough of it.
        let patient = within(1_000, ticking());
        assert_eq!(patient.check(&object), []);
        let (stripped, left) = patient.try_strip(&object, None, &Deduced).unwrap().unwrap();
        assert_eq!(left, patient.paths(&object, None, &Deduced));
        assert_eq!((left.len(), stripped), (2, json!({"apiVersion": "x.io/v1", "kind": "X"})));

        let hasty = within(3, ticking());
        let [error] = &hasty.check(&object)[..] else { panic!("one rule is slow") };
        let said = error.to_string();
        assert!(matches!(error, JqRunError::TimedOut { .. }), "{said}");
        assert!(
            said.contains(&text) && said.contains("3ms") && said.contains("begin it with the path"),
            "{said}"
        );
        // The other rule has a time of its own, and the bound is in force wherever rules are applied.
        let subject = Subject::new("x.io", "X");
        for rules in [&hasty, &hasty.bound_to(&subject)] {
            assert_eq!(rules.paths(&object, None, &Deduced), [".m".parse().unwrap()]);
            let changed = json!({"apiVersion": "x.io/v1", "kind": "X", "l": 10, "m": 20});
            let options = DiffOptions::default().with_rules(rules.clone());
            assert_eq!(compare(&object, &changed, &Deduced, &options).len(), 1);
            assert_eq!(rules.strip(&object, Some(&changed), &Deduced).unwrap()["l"], 1);
            let refused = rules.try_strip(&object, Some(&changed), &Deduced).unwrap_err();
            assert!(refused.is_stopped(), "{refused}");
        }
    }

    #[test]
    fn a_short_expression_never_fails_by_time() {
        let object = json!({"a": {"b": 1}});
        let budget = Budget::default().with_time(Duration::ZERO, ticking());
        assert_eq!(IgnoreRules::new([rule(".a.b")]).with_budget(budget).check(&object), []);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let object = json!({"l": 1});
        let now = AtomicU64::new(1_000_000);
        let clock = move || Duration::from_millis(now.fetch_sub(1, Ordering::Relaxed));
        let budget = Budget::default().with_time(Duration::ZERO, clock);
        let rules = IgnoreRules::new([rule(&format!("{}.l", "(.,.)|".repeat(12)))]).with_budget(budget);
        assert_eq!(rules.check(&object), []);
    }

    #[test]
    fn long_chains_are_no_deep_recursion() {
        let object = json!({"a": 1});
        for link in [".|", ".a,", ".a//", ". as $x|", "[.]|", ".a==1 or "] {
            assert_eq!(
                format!("{}.a", link.repeat(1_000 / link.len())).parse::<JqPath>(),
                Err(JqError::TooLarge)
            );
            let chain: JqPath = format!("{}.a", link.repeat(20)).parse().unwrap();
            let rules = IgnoreRules::new([IgnoreRule::default().with_jq(chain)]);
            rules.check(&object);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: String, near in "[.a|,()\\[\\]{}\"?:$ =/+*-]{0,24}", tree in small_value()) {
            for text in [text, near] {
                if let Ok(path) = text.parse::<JqPath>() {
                    let rules = IgnoreRules::new([IgnoreRule::default().with_jq(path)]);
                    let _ = rules.strip(&tree, Some(&tree), &Deduced);
                }
            }
        }
    }
}

#[cfg(not(feature = "jq"))]
#[test]
fn without_jq_an_expression_is_an_error() {
    assert_eq!(".a".parse::<JqPath>(), Err(JqError::NotBuiltIn));
}
