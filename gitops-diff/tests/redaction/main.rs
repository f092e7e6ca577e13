//! What must not be shown, in everything that this crate prints.

#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

mod everything;

use gitops_diff::schema::{BuiltIn, Deduced};
use gitops_diff::three_way::{self, ThreeWayOptions};
use gitops_diff::typed::{ValidateOptions, validate};
use gitops_diff::{
    Applier, ApplyError, Cause, DiffOptions, FieldPath, LastApply, ManagedFields, Redaction, UnifiedOptions,
    Verdict, WriteOptions, apply, compare, diff, judge, unified, update,
};
use serde_json::{Value, json};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn marking(path: &str) -> Redaction {
    Redaction::reveal_everything().with_path(path.parse().unwrap())
}

/// A config map with finalizers, of which an apply by `us` is remembered.
fn with_finalizers(finalizers: &[&str]) -> Value {
    let owned: serde_json::Map<String, Value> =
        finalizers.iter().map(|name| (format!("v:\"{name}\""), json!({}))).collect();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "c", "finalizers": finalizers,
            "managedFields": [{
                "manager": "us", "operation": "Apply", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:finalizers": owned}},
            }],
        },
    })
}

fn owned(object: &Value) -> &Value {
    &object["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:finalizers"]
}

#[test]
fn owned_items_of_a_marked_set_have_no_names() {
    let masked = marking(".metadata.finalizers").redact(&with_finalizers(&["hunter2", "hunter3"]));
    assert!(!masked.to_string().contains("hunter"), "{masked}");
    assert_eq!(owned(masked.as_value()), &json!({"v:\"<redacted>\"": {}}));
    // Whether others are owned than before is still seen.
    let (from, to) = (with_finalizers(&["hunter2"]), with_finalizers(&["hunter3"]));
    let (from, to) = marking(".metadata.finalizers").redact_pair(&from, &to);
    assert!(!format!("{from}{to}").contains("hunter"), "{from} {to}");
    assert_ne!(owned(from.as_value()), owned(to.as_value()));
}

#[test]
fn owned_items_that_are_marked_have_masks_for_names() {
    let object = with_finalizers(&["hunter2", "plain"]);
    for path in [".metadata.finalizers[=\"hunter2\"]", ".metadata.finalizers[0]"] {
        let masked = marking(path).redact(&object);
        assert_eq!(owned(masked.as_value()), &json!({"v:\"<redacted>\"": {}, "v:\"plain\"": {}}), "{path}");
        let (from, to) = marking(path).redact_pair(&object, &with_finalizers(&["hunter2", "more"]));
        let item = |tree: &Value| tree["metadata"]["finalizers"][0].clone();
        for tree in [from.as_value(), to.as_value()] {
            let name = format!("v:{}", item(tree));
            assert!(owned(tree).get(&name).is_some(), "one value, one mask: {tree}");
        }
    }
}

#[test]
fn owned_items_that_are_not_there_any_more_are_masked_too() {
    let mut object = with_finalizers(&["hunter2"]);
    object["metadata"]["finalizers"] = json!([]);
    for path in [".metadata.finalizers", ".metadata.finalizers[=\"hunter2\"]", ".metadata.finalizers[0]"] {
        let masked = marking(path).redact(&object);
        assert!(!masked.to_string().contains("hunter2"), "{path}: {masked}");
    }
}

fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "managedFields": [{
            "manager": "us", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:containers": {
                format!("k:{{\"name\":\"{name}\"}}"): {".": {}, "f:name": {}, "f:image": {}},
            }}},
        }]},
        "spec": {"containers": [{"name": name, "image": image}]},
    })
}

#[test]
fn key_fields_that_are_marked_are_masked_in_names() {
    let redaction = marking(".spec.containers[0].name");
    let masked = redaction.redact(&pod("hunter2", "i"));
    assert!(!masked.to_string().contains("hunter2"), "{masked}");
    assert_eq!(
        masked.as_value()["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:containers"],
        json!({"k:{\"name\":\"<redacted>\"}": {".": {}, "f:name": {}, "f:image": {}}})
    );
    let options = DiffOptions::default().with_redaction(redaction);
    let found = compare(&pod("hunter2", "i"), &pod("hunter2", "j"), &BuiltIn, &options);
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [r#".spec.containers[name="<redacted>"].image  Git "i", live "j", by "us""#]
    );
}

#[test]
fn paths_of_marked_items_do_not_name_them() {
    let git = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"finalizers": ["hunter2"]}});
    let live = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"finalizers": ["plain"]}});
    for path in [".metadata.finalizers[=\"hunter2\"]", ".metadata.finalizers[0]"] {
        let options = DiffOptions::default().with_redaction(marking(path));
        for schema in [&BuiltIn as &dyn gitops_diff::schema::Schema, &Deduced] {
            let found =
                [compare(&git, &live, schema, &options), diff(&live, &git, schema, &options)].concat();
            let shown = format!("{found:?}{}", serde_json::to_string(&found).unwrap());
            assert!(!found.is_empty() && !shown.contains("hunter2"), "{path}: {shown}");
        }
        let found = compare(&git, &live, &BuiltIn, &options);
        assert_eq!(found[0].path.to_string(), r#".metadata.finalizers[="<redacted>"]"#);
    }
    let options = DiffOptions::default().with_redaction(marking(".spec.containers[0]"));
    let found = compare(&pod("hunter2", "i"), &pod("hunter2", "j"), &BuiltIn, &options);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        r#".spec.containers[name="<redacted>"]  Git <redacted>, live <redacted> (another value), by "us""#
    );
}

#[test]
fn names_of_owned_fields_are_no_paths_either() {
    let (from, to) = (with_finalizers(&["hunter2"]), with_finalizers(&["hunter2", "hunter3"]));
    for path in [".metadata.finalizers", ".metadata.finalizers[0]"] {
        let options = DiffOptions::default().with_redaction(marking(path));
        let found = diff(&from, &to, &Deduced, &options);
        let shown = format!("{found:?}{}", serde_json::to_string(&found).unwrap());
        assert!(!shown.contains("hunter2"), "{path}: {shown}");
    }
}

#[test]
fn items_of_lists_are_secrets_if_either_side_says_so() {
    let secret = |value: &str| json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"p": value}});
    let bare = |value: &str| json!({"metadata": {"name": "s"}, "data": {"p": value}});
    let list = |kind: Option<&str>, items: Value| match kind {
        Some(kind) => json!({"kind": kind, "apiVersion": "v1", "items": items}),
        None => json!({"items": items}),
    };
    let config = json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"x": "y"}});
    let cases = [
        (list(Some("List"), json!([secret("hunter2")])), list(Some("List"), json!([bare("hunter3")]))),
        (list(None, json!([bare("hunter2")])), list(Some("SecretList"), json!([bare("hunter3")]))),
        (list(None, json!([bare("hunter2")])), list(Some("List"), json!([secret("hunter3")]))),
        (
            list(Some("List"), json!([config, secret("hunter2")])),
            list(Some("List"), json!([bare("hunter3"), config])),
        ),
        (
            list(Some("List"), json!([list(Some("List"), json!([secret("hunter2")]))])),
            list(Some("List"), json!([list(Some("List"), json!([bare("hunter3")]))])),
        ),
    ];
    for (one, other) in cases {
        for (from, to) in [(&one, &other), (&other, &one)] {
            let (a, b) = Redaction::default().redact_pair(from, to);
            let found = diff(from, to, &Deduced, &DiffOptions::default());
            let text = unified(from, to, &UnifiedOptions::default());
            let shown = format!("{a}{b}{found:?}{text}");
            assert!(!shown.contains("hunter"), "{from} {to}: {shown}");
            assert_ne!(a, b);
        }
    }
}

#[test]
fn last_applied_is_masked_wherever_it_may_hold_a_marked_value() {
    let object =
        |spec: Value, last: &str| json!({"metadata": {"annotations": {LAST_APPLIED: last}}, "spec": spec});
    let redaction = marking(".spec.token");
    let copy = object(json!({"token": "hunter2"}), "").to_string();
    // The side that has the annotation lacks the field.
    let live = object(json!({}), &copy);
    assert!(!redaction.redact(&live).to_string().contains("hunter2"));
    let git = json!({"spec": {"token": "hunter3"}});
    for (from, to) in [(&live, &git), (&git, &live), (&live, &json!({"spec": {}}))] {
        let (a, b) = redaction.redact_pair(from, to);
        assert!(!format!("{a}{b}").contains("hunter"), "{a} {b}");
    }
    // A copy within a copy, and one that cannot be read.
    let within = object(json!({}), &object(json!({}), &copy).to_string());
    let cut = object(json!({}), &copy[..copy.len() - 4]);
    for live in [within, cut] {
        assert!(!redaction.redact(&live).to_string().contains("hunter2"), "{live}");
    }
    // A copy without it is shown.
    let plain = object(json!({}), "{\"spec\":{\"size\":1}}");
    assert_eq!(redaction.redact(&plain).as_value(), &plain);
}

#[test]
fn options_do_not_tell_what_they_mark() {
    let redaction = marking(".metadata.finalizers[=\"hunter2\"]");
    let options = DiffOptions::default().with_redaction(redaction.clone());
    assert!(!format!("{redaction:?}{options:?}").contains("hunter2"));
}

#[test]
fn marked_paths_hold_in_lists_of_lists() {
    let path: FieldPath = ".spec.token".parse().unwrap();
    let object = json!({"kind": "Gadget", "spec": {"token": "hunter2"}});
    let list = json!({"kind": "List", "items": [{"kind": "List", "items": [object]}]});
    assert!(!Redaction::default().with_path(path).redact(&list).to_string().contains("hunter2"));
}

#[test]
fn copies_of_a_secret_in_its_other_annotations_are_masked() {
    let copy = json!({"kind": "Secret", "data": {"p": "aHVudGVyMg=="}}).to_string();
    let secret = json!({
        "apiVersion": "v1", "kind": " Secret", "data": {"p": "aHVudGVyMg=="},
        "metadata": {"annotations": {"example.com/applied": copy, "team": "a", "cattle.io/applied": "H4sIAAAA"}},
    });
    let masked = Redaction::default().redact(&secret);
    assert!(!masked.to_string().contains("aHVudGVyMg"), "{masked}");
    assert_eq!(
        masked.as_value()["metadata"]["annotations"],
        json!({"example.com/applied": "<redacted>", "team": "a", "cattle.io/applied": "<redacted>"})
    );
}

#[test]
fn what_is_in_the_way_of_a_write_is_not_named() {
    let config = |finalizer: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
            "containers": [{"name": finalizer, "image": "i"}],
        }})
    };
    let live = apply(None, &config("hunter2"), &BuiltIn, &WriteOptions::new("them")).unwrap().object;
    let mut desired = config("hunter2");
    desired["spec"]["containers"][0]["image"] = json!("j");
    for (path, told) in [
        (".spec.containers[0]", r#".spec.containers[name="<redacted>"]"#),
        (".spec.containers[0].name", r#".spec.containers[name="<redacted>"].image"#),
        (".spec.containers", ".spec.containers"),
    ] {
        let options = WriteOptions::new("us").with_redaction(marking(path));
        let error = apply(Some(&live), &desired, &BuiltIn, &options).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        let ApplyError::Conflicts(conflicts) = error else { panic!() };
        assert_eq!(conflicts.iter().map(|conflict| conflict.path.to_string()).collect::<Vec<_>>(), [told]);

        let merge =
            three_way::structured(&desired, &live, &BuiltIn, &WriteOptions::new("us"), &marking(path))
                .unwrap();
        assert_eq!(merge.conflicts, [told.parse().unwrap()]);
        assert_eq!(merge.fields.len(), 1, "{:?}", merge.fields);
        assert!(!format!("{:?}{}{:?}", merge, merge.fields[0], merge.conflicts).contains("hunter2"));

        let last = config("hunter2");
        let mut live = last.clone();
        live["spec"]["containers"][0]["image"] = json!("k");
        let options = ThreeWayOptions::default().with_redaction(marking(path));
        let merge = three_way::as_kubectl(&last, &desired, &live, &BuiltIn, &options).unwrap();
        assert_eq!(merge.conflicts, [told.parse().unwrap()]);
        assert!(!format!("{:?}{}{:?}", merge, merge.fields[0], merge.conflicts).contains("hunter2"));
        let refuse = options.merge.clone().with_overwrite(false);
        let error =
            three_way::as_kubectl(&last, &desired, &live, &BuiltIn, &options.with_merge(refuse)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn what_does_not_fit_is_not_named() {
    let twice = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "finalizers": ["hunter2", "hunter2"]}});
    for path in [".metadata.finalizers", ".metadata.finalizers[0]", ".metadata.finalizers[=\"hunter2\"]"] {
        let options = WriteOptions::new("us").with_redaction(marking(path));
        let error = apply(None, &twice, &BuiltIn, &options).unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{path}: {error:?}");
    }
    // What a type says of a Secret's `data` is not what it is.
    let mut entry = with_finalizers(&[]);
    entry["kind"] = json!("Secret");
    entry["metadata"]["managedFields"][0]["fieldsV1"] = json!({"f:data": {"v:\"hunter2": {}}});
    let errors = [
        ManagedFields::of(&entry).unwrap_err().to_string(),
        apply(Some(&entry), &json!({"kind": "Secret"}), &BuiltIn, &WriteOptions::new("x"))
            .unwrap_err()
            .to_string(),
    ];
    for error in errors {
        assert!(error.contains("<redacted>") && !error.contains("hunter2"), "{error}");
    }
    let schema = gitops_diff::schema::Type::deduced();
    assert!(
        validate(&json!({"kind": "Secret", "data": ["hunter2"]}), schema, ValidateOptions::default()).is_ok()
    );
}

#[test]
fn a_mask_in_a_path_does_not_change_the_verdict() {
    let mut git = pod("hunter2", "i");
    git["metadata"].as_object_mut().unwrap().remove("managedFields");
    let live = pod("hunter2", "j");
    let applier = Applier::new("us").with_last_apply(LastApply::Same);
    for redaction in
        [Redaction::reveal_everything(), marking(".spec.containers[0].name"), marking(".spec.containers[0]")]
    {
        let options = DiffOptions::default().with_redaction(redaction);
        let verdict = judge(&git, &live, applier, &BuiltIn, &options);
        let Verdict::Overruled(fields) = verdict else { panic!("{verdict:?}") };
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[0].cause, Cause::Overruled);
    }
    // A field that differs, and was taken over, is told once.
    let live =
        update(Some(&live), &pod("hunter2", "k"), &BuiltIn, &WriteOptions::new("them")).unwrap().object;
    let options = DiffOptions::default().with_redaction(marking(".spec.containers[0].name"));
    let applier = Applier::new("us").with_taken_reported(true);
    let verdict = judge(&git, &live, applier, &BuiltIn, &options);
    let Verdict::Differs(fields) = verdict else { panic!("{verdict:?}") };
    let told: Vec<_> = fields.iter().map(|field| field.path.to_string()).collect();
    assert_eq!(told, [r#".spec.containers[name="<redacted>"].image"#]);
}
