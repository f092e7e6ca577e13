//! What holds for all trees.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{deployment, small_value};

proptest! {
    #[test]
    fn only_equal_trees_have_no_difference(a in small_value(), b in small_value()) {
        prop_assert_eq!(diff(&a, &b, &BuiltIn, &exact()).is_empty(), a == b);
        prop_assert!(diff(&a, &a, &BuiltIn, &exact()).is_empty());
    }

    #[test]
    fn every_difference_is_where_it_says(a in deployment(), b in deployment()) {
        for found in diff(&a, &b, &BuiltIn, &exact()) {
            let (from, to) = (found.path.get(&a), found.path.get(&b));
            prop_assert_eq!(from.is_some(), found.kind != DifferenceKind::Added, "{}", found);
            prop_assert_eq!(to.is_some(), found.kind != DifferenceKind::Removed, "{}", found);
            if found.kind != DifferenceKind::Moved {
                prop_assert_eq!(found.live.value(), from);
                prop_assert_eq!(found.desired.value(), to);
            }
        }
    }

    #[test]
    fn what_is_stated_and_there_is_no_drift(git in deployment(), replicas: u8) {
        prop_assert_eq!(drift(&git, &git), Vec::<String>::new());
        let mut live = git.clone();
        live["metadata"]["annotations"] = json!({"x": "y"});
        live["spec"]["minReadySeconds"] = json!(replicas);
        prop_assert_eq!(drift(&git, &live), Vec::<String>::new());
        live["spec"]["template"]["spec"]["containers"][0]["image"] = json!("another");
        prop_assert_eq!(drift(&git, &live).len(), 1);
    }

    #[test]
    fn drift_is_a_part_of_the_difference(git in deployment(), live in deployment()) {
        let all: Vec<_> = diff(&live, &git, &BuiltIn, &exact()).into_iter().map(|d| d.path).collect();
        for found in compare(&git, &live, &BuiltIn, &exact()) {
            prop_assert!(all.iter().any(|path| found.path.starts_with(path)), "{}", found);
        }
    }

    #[test]
    fn no_tree_is_too_strange(a in small_value(), b in small_value()) {
        let _ = lines(&compare(&a, &b, &BuiltIn, &exact()));
    }
}

/// Reverses what has no order, and respells quantities.
fn respelt(value: &mut Value) {
    if let Some(containers) =
        value.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut)
    {
        containers.reverse();
        for container in containers {
            for list in ["env", "ports", "volumeMounts"] {
                if let Some(items) = container.get_mut(list).and_then(Value::as_array_mut) {
                    items.reverse();
                }
            }
            container["resources"] = json!({"limits": {"cpu": "0.5", "memory": "512Mi"}, "requests": {}});
        }
    }
    if let Some(finalizers) = value.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
        finalizers.reverse();
    }
}

/// The places of all texts, numbers and flags.
fn scalars(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, child)| scalars(child, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| scalars(item, &format!("{at}/{n}"), found));
        }
        Value::Null => {}
        _ => found.push(at.to_owned()),
    }
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(tree in prop_oneof![small_value(), crate::testing::any_value(), deployment()], kind in "(Pod|Secret|Gadget|LimitRange)") {
        let mut tree = tree;
        if let Value::Object(map) = &mut tree {
            map.insert("kind".into(), kind.into());
            map.insert("apiVersion".into(), "v1".into());
        }
        prop_assert_eq!(compare(&tree, &tree, &BuiltIn, &DiffOptions::default()), vec![]);
        prop_assert_eq!(compare(&Value::Null, &tree, &BuiltIn, &DiffOptions::default()), vec![]);
    }

    #[test]
    fn what_was_applied_does_not_differ(git in deployment(), before in deployment(), by in deployment()) {
        let options = |manager: &str| crate::WriteOptions::new(manager).with_force(true);
        let mut live = crate::apply(None, &before, &BuiltIn, &options("us")).unwrap().object.into_owned();
        live = crate::apply(Some(&live), &by, &BuiltIn, &options("them")).unwrap().object.into_owned();
        live = crate::apply(Some(&live), &git, &BuiltIn, &options("us")).unwrap().object.into_owned();
        prop_assert_eq!(compare(&git, &live, &BuiltIn, &DiffOptions::default()), vec![]);
        let verdict = crate::judge(&git, &live, crate::Applier::new("us"), &BuiltIn, &DiffOptions::default());
        prop_assert_eq!(verdict, crate::Verdict::InSync);
    }

    #[test]
    fn another_spelling_is_no_difference(git in deployment()) {
        let mut git = git;
        for container in git["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap() {
            container["resources"] = json!({"limits": {"cpu": "500m", "memory": "0.5Gi"}});
        }
        let mut live = git.clone();
        respelt(&mut live);
        prop_assert_eq!(drift(&git, &live), Vec::<String>::new());
    }

    #[test]
    fn another_value_is_a_difference(git in deployment(), pick: prop::sample::Index) {
        let mut places = Vec::new();
        scalars(&git, "", &mut places);
        let not_compared = ["/apiVersion", "/kind", "/metadata/namespace"];
        places.retain(|place| !not_compared.contains(&place.as_str()));
        let place = pick.get(&places);
        let mut live = git.clone();
        let value = live.pointer_mut(place).unwrap();
        *value = match value.take() {
            Value::String(text) => format!("{text}x").into(),
            Value::Number(number) => (number.as_i64().unwrap_or_default() + 1).into(),
            Value::Bool(flag) => (!flag).into(),
            other => other,
        };
        prop_assert_ne!(drift(&git, &live), Vec::<String>::new(), "{}", place);
    }

    #[test]
    fn no_secret_is_ever_shown(
        old in "[a-zA-Z0-9]{12,20}",
        new in "[a-zA-Z0-9]{12,20}",
        plain: bool,
        kept: bool,
        nested: bool,
    ) {
        let secret = |value: &str, plain: bool| {
            let write = |text: &str| if plain { text.to_owned() } else { crate::base64::encode(text.as_bytes()) };
            let field = if plain { "stringData" } else { "data" };
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                field: {"password": write(value), "user": write("x")},
            })
        };
        let mut live = secret(&old, false);
        live["metadata"]["annotations"] = json!({crate::redact::LAST_APPLIED: secret(&old, plain).to_string()});
        let mut git = secret(&new, plain);
        if kept {
            git = secret(&old, plain);
        }
        if nested {
            live = json!({"apiVersion": "v1", "kind": "List", "items": [live]});
            git = json!({"apiVersion": "v1", "kind": "List", "items": [git]});
        }
        let options = DiffOptions::default().with_last_applied(true).with_manager("us");
        let differences = [compare(&git, &live, &BuiltIn, &options), diff(&live, &git, &BuiltIn, &options)].concat();
        let verdict = crate::judge(&git, &live, crate::Applier::new("us").with_taken_reported(true), &BuiltIn, &options);
        let redacted = Redaction::default().redact(&live);
        let mut shown = format!("{differences:?}{verdict:?}{redacted:?}{redacted}");
        shown += &serde_json::to_string(&differences).unwrap();
        for difference in &differences {
            shown += &difference.to_string();
        }
        #[cfg(feature = "text")]
        {
            shown += &crate::unified(&live, &git, &crate::UnifiedOptions::default());
            shown += &crate::yaml(&redacted);
        }
        for secret in [&old, &new] {
            for form in [secret.clone(), crate::base64::encode(secret.as_bytes())] {
                prop_assert!(!shown.contains(form.trim_end_matches('=')), "{form}: {shown}");
            }
        }
        if !nested {
            prop_assert_eq!(compare(&git, &live, &BuiltIn, &DiffOptions::default()).is_empty(), kept || old == new);
        }
    }
}
