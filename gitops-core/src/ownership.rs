//! Comparing a manifest with a live object by field ownership: for targets whose objects carry `managedFields`.

use gitops_diff::schema::BuiltIn;
use gitops_diff::{Applier, DiffOptions, FieldPath, ManagedFields, Operation, PathElement, Verdict, judge};
use serde_json::Value;

use crate::{Comparison, IgnoreRules, Live, Placed};

/// Who writes an application's objects, and what a target adds to each of them by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldOwner<'a> {
    /// The field manager under which the application applies.
    pub(crate) manager: &'a str,
    /// Beginnings of the names of labels and annotations that the target adds to mark members: they are owned, and no
    /// manifest states them.
    pub(crate) marks: &'a [&'a str],
}

/// Compares a manifest with a live object, for [`crate::Target::compare`] of targets whose objects carry `managedFields`.
///
/// What was remembered of our last apply decides first: if neither the manifest nor the fields we own have changed since,
/// nothing has, whatever else happened to the object. Otherwise [`judge`] decides, with the object at hand.
pub(crate) fn compare_owned(
    desired: &Placed,
    live: &Live,
    owner: FieldOwner<'_>,
    rules: &IgnoreRules,
) -> Comparison {
    // Nothing moved since an apply of what is desired.
    let memo = live.memo.as_ref().filter(|memo| memo.desired == desired.digest && memo.applied == memo.now);
    if let (Some(memo), true) = (memo, rules.is_empty()) {
        return match memo.overruled.as_slice() {
            [] => Comparison::InSync,
            overruled => Comparison::Overruled(overruled.to_vec()),
        };
    }
    let Some(object) = &live.object else { return Comparison::Unsure };
    let options = DiffOptions::default().with_rules(rules.bound_to(&live.id.subject()));
    let is_mark = |path: &FieldPath| is_mark(path, owner.marks);
    let applier = Applier::new(owner.manager).with_marks(&is_mark);
    match judge(&desired.manifest.object(), object, applier, &BuiltIn, &options) {
        Verdict::InSync => Comparison::InSync,
        Verdict::Unsure => Comparison::Unsure,
        // The apply was answered with these values: it is the target that insists on them.
        Verdict::Differs(fields) if memo.is_some_and(|memo| memo.overruled.len() == fields.len()) => {
            Comparison::Overruled(fields)
        }
        Verdict::Differs(fields) => Comparison::Differs(fields),
        Verdict::Overruled(fields) => Comparison::Overruled(fields),
    }
}

/// Puts the live values of fields that a policy leaves to others ([`crate::Placed::left`]) into what is about to be
/// applied, where the application's own entry still owns them: by the rules of server-side apply, not to state an owned
/// field is to remove it. What others own by now stays unstated, and is theirs.
pub(crate) fn keep_left(config: &mut Value, live: &Value, manager: &str, left: &[FieldPath]) {
    let owners = ManagedFields::of(live).unwrap_or_default();
    let Some(entry) = owners.by_manager(manager, Operation::Apply) else { return };
    for path in left {
        let is_below = |owned: &FieldPath| owned.starts_with(path);
        if entry.fields.contains(path) {
            if let Some(value) = path.get(live) {
                path.set(config, value.clone());
            }
            continue;
        }
        for owned in entry.fields.iter().filter(is_below) {
            if let Some(value) = owned.get(live)
                && !value.is_object()
            {
                owned.set(config, value.clone());
            }
        }
    }
}

fn is_mark(path: &FieldPath, marks: &[&str]) -> bool {
    let Some(PathElement::Field(name)) = path.last() else { return false };
    marks.iter().any(|mark| name.starts_with(mark))
        && ["labels", "annotations"]
            .iter()
            .any(|map| path.starts_with(&FieldPath::of_fields(["metadata", map])))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gitops_diff::{WriteOptions, apply, update};
    use serde_json::json;

    use super::*;
    use crate::{IgnoreRule, Manifest, Memo, Place, RepoPath, ResourceId, Token};

    const OURS: &str = "gitops/shop";
    const AT: &str = "2026-01-01T00:00:00Z";

    fn config(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "shop", "labels": {"mark/of": "shop"}}, "data": data})
    }

    /// What Git states: the same without the mark.
    fn placed(data: &Value) -> Placed {
        let mut object = config(data);
        object["metadata"].as_object_mut().unwrap().remove("labels");
        Placed::new(Manifest::new(&object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap())
    }

    fn applied(live: Option<&Value>, data: &Value) -> Value {
        forced(live, &config(data))
    }

    fn forced(live: Option<&Value>, config: &Value) -> Value {
        let options = WriteOptions::new(OURS).with_force(true).with_time(AT);
        apply(live, config, &BuiltIn, &options).unwrap().object.into_owned()
    }

    fn edited(live: &Value, change: impl FnOnce(&mut Value)) -> Value {
        let mut object = live.clone();
        change(&mut object);
        let options = WriteOptions::new("kubectl").with_time(AT);
        update(Some(live), &object, &BuiltIn, &options).unwrap().object.into_owned()
    }

    fn live(object: Value) -> Live {
        let id = ResourceId::namespaced("", "ConfigMap", "shop", "a");
        let mut live = Live::new(id, Token { incarnation: "u".into(), version: "1".into() });
        live.object = Some(Arc::new(object));
        live
    }

    fn print(object: &Value) -> gitops_diff::Fingerprint {
        ManagedFields::of(object)
            .unwrap()
            .by_manager(OURS, Operation::Apply)
            .unwrap()
            .fields
            .fingerprint(object)
    }

    fn compare(desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        compare_owned(desired, live, FieldOwner { manager: OURS, marks: &["mark/"] }, rules)
    }

    fn paths(comparison: &Comparison) -> Vec<String> {
        match comparison {
            Comparison::Differs(differences) | Comparison::Overruled(differences) => {
                differences.iter().map(|difference| difference.path.to_string()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn stated_values_differ_given_up_fields_differ_and_marks_do_not() {
        let none = IgnoreRules::default();
        let object = applied(None, &json!({"a": "1", "b": "2"}));
        assert_eq!(
            compare(&placed(&json!({"a": "1", "b": "2"})), &live(object.clone()), &none),
            Comparison::InSync
        );
        let other = compare(&placed(&json!({"a": "9"})), &live(object.clone()), &none);
        assert_eq!(paths(&other), [".data.a", ".data.b"]);
        // What somebody else added is not ours to give up.
        let added = edited(&object, |object| object["data"]["c"] = json!("3"));
        assert_eq!(compare(&placed(&json!({"a": "1", "b": "2"})), &live(added), &none), Comparison::InSync);
    }

    #[test]
    fn right_values_in_other_hands_take_an_apply_to_tell() {
        let none = IgnoreRules::default();
        let desired = placed(&json!({"a": "1"}));
        let mut bare = config(&json!({"a": "1"}));
        assert_eq!(compare(&desired, &live(bare.clone()), &none), Comparison::Unsure);
        bare["metadata"]["managedFields"] = json!("broken");
        assert_eq!(compare(&desired, &live(bare), &none), Comparison::Unsure);
        let mut unknown = live(json!({}));
        unknown.object = None;
        assert_eq!(compare(&desired, &unknown, &none), Comparison::Unsure);
    }

    #[test]
    fn what_is_remembered_decides_while_nothing_moved() {
        let none = IgnoreRules::default();
        let desired = placed(&json!({"a": "1"}));
        let object = applied(None, &json!({"a": "1"}));
        let overruled = gitops_diff::compare(
            &desired.manifest.object(),
            &config(&json!({"a": "2"})),
            &BuiltIn,
            &DiffOptions::default(),
        );
        let memo = Memo { desired: desired.digest, applied: print(&object), now: print(&object), overruled };
        let mut seen = live(object.clone());
        // The object itself is not looked at, nor needed.
        seen.object = None;
        seen.memo = Some(Arc::new(Memo { overruled: Vec::new(), ..memo.clone() }));
        assert_eq!(compare(&desired, &seen, &none), Comparison::InSync);
        seen.memo = Some(Arc::new(memo.clone()));
        assert_eq!(paths(&compare(&desired, &seen, &none)), [".data.a"]);
        assert!(matches!(compare(&desired, &seen, &none), Comparison::Overruled(_)));
        // Another desired state, or a live one that moved, ends that.
        assert_eq!(compare(&placed(&json!({"a": "3"})), &seen, &none), Comparison::Unsure);
        let moved = edited(&object, |object| object["data"]["a"] = json!("2"));
        let mut seen = live(moved.clone());
        seen.memo = Some(Arc::new(Memo { now: print(&moved), ..memo }));
        assert!(matches!(compare(&desired, &seen, &none), Comparison::Differs(_)));
    }

    #[test]
    fn ignored_fields_count_for_nothing_on_either_side() {
        let rules = IgnoreRules::new([IgnoreRule::new([".data.a".parse().unwrap()])]);
        let object = applied(None, &json!({"a": "1", "b": "2"}));
        let drifted = edited(&object, |object| object["data"]["a"] = json!("9"));
        assert_eq!(
            compare(&placed(&json!({"a": "1", "b": "2"})), &live(drifted), &rules),
            Comparison::InSync
        );
        assert_eq!(compare(&placed(&json!({"b": "2"})), &live(object.clone()), &rules), Comparison::InSync);
        assert_eq!(paths(&compare(&placed(&json!({"a": "1"})), &live(object), &rules)), [".data.b"]);
    }

    #[test]
    fn a_given_up_item_is_one_difference_and_a_secret_shows_no_value() {
        let none = IgnoreRules::default();
        let pod = |containers: Value| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"},
                "spec": {"containers": containers}})
        };
        let two = pod(json!([{"name": "x", "image": "x:1"}, {"name": "y", "image": "y:1", "args": ["a"]}]));
        let object = forced(None, &two);
        let desired = pod(json!([{"name": "x", "image": "x:1"}]));
        let place = Place::file(RepoPath::new("a.yaml").unwrap());
        let desired = Placed::new(Manifest::new(&desired, place.clone()).unwrap());
        assert_eq!(paths(&compare(&desired, &live(object), &none)), [r#".spec.containers[name="y"]"#]);

        let secret = |data: Value| {
            json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "a", "namespace": "shop"}, "data": data})
        };
        let object = forced(None, &secret(json!({"p": "aHVudGVyMg==", "q": "eA=="})));
        let desired = Placed::new(Manifest::new(&secret(json!({"q": "eA=="})), place).unwrap());
        let comparison = compare(&desired, &live(object), &none);
        assert_eq!(paths(&comparison), [".data.p"]);
        assert!(!format!("{comparison:?}").contains("aHVudGVyMg"));
    }

    #[test]
    fn left_fields_are_stated_as_they_are_while_they_are_ours() {
        let left: Vec<FieldPath> = vec![".data".parse().unwrap()];
        let object = applied(None, &json!({"a": "1", "b": "2"}));
        let by_others = edited(&object, |object| object["data"]["b"] = json!("9"));
        let mut wanted = config(&json!({}));
        wanted.as_object_mut().unwrap().remove("data");
        keep_left(&mut wanted, &by_others, OURS, &left);
        assert_eq!(wanted["data"], json!({"a": "1"}));
        keep_left(&mut wanted, &json!({}), OURS, &left);
        assert_eq!(wanted["data"], json!({"a": "1"}));
    }
}
