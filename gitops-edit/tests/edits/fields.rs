//! By object and field.

use gitops_core::{Class, ResourceId};
use gitops_edit::{EditError, NewValue};

use crate::{config, file, path, set, text, try_file, with_head};

const STREAM: &str = "# one
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
---
# only this
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app.kubernetes.io/name: web}}
spec:
  template:
    spec:
      containers:
      - name: log
        image: log:1
      - image: \"web:1\"   # the shop
        name: web
        ports:
        - {containerPort: 80}
        - {containerPort: 80, protocol: UDP, name: x}
        args: [--a, --b]
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {type: ClusterIP}
- {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: ClusterIP}}
";

fn web() -> ResourceId {
    ResourceId::namespaced("apps", "Deployment", "shop", "web")
}

#[test]
fn paths_lead_to_fields_keys_values_and_positions() {
    let containers = ".spec.template.spec.containers";
    for (id, field, old, new) in [
        (web(), format!("{containers}[name=\"web\"].image"), "\"web:1\"", "\"new\""),
        (web(), format!("{containers}[0].image"), "log:1", "new"),
        (web(), format!("{containers}[name=\"web\"].args[=\"--b\"]"), "--b", "new"),
        (web(), ".metadata.labels[\"app.kubernetes.io/name\"]".into(), "name: web}}", "name: new}}"),
        (
            web(),
            format!("{containers}[1].ports[containerPort=80,protocol=\"UDP\"].name"),
            "name: x",
            "name: new",
        ),
        (ResourceId::global("", "Namespace", "shop"), ".metadata.name".into(), "name: shop\n", "name: new\n"),
        (
            ResourceId::namespaced("", "Service", "shop", "web"),
            ".spec.type".into(),
            "spec: {type: ClusterIP}\n- ",
            "spec: {type: new}\n- ",
        ),
        (
            ResourceId::global("", "Service", "web"),
            ".spec.type".into(),
            ", spec: {type: ClusterIP}",
            ", spec: {type: new}",
        ),
    ] {
        let edited = file(STREAM).set_field(&id, &path(&field), &NewValue::Text("new".into())).unwrap();
        assert_eq!(text(&edited), STREAM.replace(old, new), "{field}");
        assert_eq!(edited.changes[0].object.as_ref(), Some(&id));
        assert_eq!((edited.changes.len(), edited.places), (1, 1));
    }
    // What an item lacks is what all of Kubernetes takes it for.
    let port = format!("{containers}[1].ports[containerPort=80,protocol=\"TCP\"].containerPort");
    let edited = file(STREAM).set_field(&web(), &path(&port), &NewValue::Text("81".into())).unwrap();
    assert_eq!(text(&edited), STREAM.replace("{containerPort: 80}", "{containerPort: 81}"));
    let change = &edited.changes[0];
    assert_eq!(
        change.to_string(),
        "a.yaml:22:27 (document 2): .spec.template.spec.containers[1].ports[0].containerPort: 80 → 81"
    );
}

#[test]
fn the_objects_are_those_that_decoding_finds() {
    let found: Vec<_> = file(STREAM).objects().into_iter().map(|(id, place)| (id, place.document)).collect();
    let name = gitops_core::RepoPath::new("a.yaml").unwrap();
    let decoded =
        gitops_core::decode::decode(&name, STREAM.as_bytes(), &gitops_core::decode::DecodeLimits::default())
            .unwrap();
    let decoded: Vec<_> =
        decoded.into_iter().map(|manifest| (manifest.id, manifest.place.document)).collect();
    assert_eq!(found, decoded);
    assert_eq!(found.len(), 4);
}

#[test]
fn what_is_not_there_is_told_with_its_place() {
    let new = NewValue::Text("x".into());
    let missing =
        file(STREAM).set_field(&ResourceId::global("", "Namespace", "x"), &path(".a"), &new).unwrap_err();
    assert_eq!(missing.to_string(), "a.yaml: there is no Namespace/x in this file");
    assert_eq!(missing.class(), Class::NotFound);
    let field = file(STREAM).set_field(&web(), &path(".spec.template.spec.volumes[0]"), &new).unwrap_err();
    assert_eq!(
        field.to_string(),
        "a.yaml:16:7 (document 2): .spec.template.spec.volumes[0] is not there: of it there is .spec.template.spec"
    );
    let list = file(STREAM).set_field(&web(), &path(".spec.template"), &new).unwrap_err();
    assert!(matches!(list, EditError::NotAScalar { .. }), "{list}");
    let whole = file(STREAM).set_field(&web(), &path("."), &new).unwrap_err();
    assert!(matches!(whole, EditError::NotAScalar { .. }), "{whole}");
    let twice = format!("{}---\n{}", with_head(""), with_head(""));
    let twice = file(&twice).set_field(&config(), &path(".kind"), &new).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "a.yaml:5:1 (document 2): Config/a is written here, and at a.yaml:1:1 (document 1): remove one of them"
    );
}

#[test]
fn what_others_use_too_is_not_set() {
    let new = NewValue::Text("new".into());
    for lines in [
        "x: &x v\na: *x\n",
        "x: &x {b: v}\na: *x\n",
        "x: &x\n  b: v\na:\n  <<: *x\n",
        "x: {b: v}\na: &x [v]\nc: {<<: {}, d: *x}\n",
    ] {
        for field in [".x", ".x.b", ".a[0]", ".a.b"] {
            match set(lines, field, &new) {
                Err(
                    EditError::Shared { .. } | EditError::FieldNotFound { .. } | EditError::NotAScalar { .. },
                ) => {}
                Ok(_) if lines.contains("x: {b") && field == ".x.b" => {}
                other => panic!("{lines:?} {field}: {other:?}"),
            }
        }
    }
    // What is merged and overridden is seen in one place only.
    let lines = "x: &x {b: v}\na:\n  <<: *x\n  b: own\n";
    assert_eq!(set(lines, ".x.b", &new).unwrap(), lines.replace("b: v", "b: new"));
    assert_eq!(set(lines, ".a.b", &new).unwrap(), lines.replace("own", "new"));
    assert_eq!(set("a: {<<: {b: v}}\n", ".a.b", &new).unwrap(), "a: {<<: {b: new}}\n");
    assert_eq!(set("a: {<<: [{b: v}, {b: w}]}\n", ".a.b", &new).unwrap(), "a: {<<: [{b: new}, {b: w}]}\n");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for (text, place) in [
        ("a: [1\n", "a.yaml:1:4: "),
        ("a: 1\nb: 'x\n", "a.yaml:"),
        ("a: *x\n", "a.yaml:1:4: "),
        ("a: 1\n\tb: 2\n", "a.yaml:1:"),
    ] {
        let error = try_file(text).unwrap_err();
        assert!(matches!(error, EditError::Syntax { .. }) && error.to_string().starts_with(place), "{error}");
    }
    let twice = with_head("b: 1\na: 1\na: 2\n");
    let error = file(&twice).set_field(&config(), &path(".b"), &NewValue::Text("2".into())).unwrap_err();
    assert!(error.to_string().starts_with("a.yaml:6:1: "), "{error}");
    let name = gitops_core::RepoPath::new("a.yaml").unwrap();
    let error = gitops_edit::YamlFile::parse(&name, b"a: \xff\n").unwrap_err();
    assert!(matches!(error, EditError::NotUtf8 { .. }), "{error}");
}

#[test]
fn a_key_that_two_items_have_is_no_place() {
    let lines = "env: [{name: X, value: a}, {name: Y}, {name: X, value: b}]\nargs: [a, b, a]\n";
    let new = NewValue::Text("c".into());
    for (field, list) in [(".env[name=\"X\"].value", ".env"), (".args[=\"a\"]", ".args")] {
        let error = set(lines, field, &new).unwrap_err();
        assert_eq!(error.class(), Class::Invalid);
        let shown = error.to_string();
        assert!(shown.contains(list) && shown.contains("[0]") && shown.contains("[2]"), "{shown}");
    }
    assert_eq!(set(lines, ".env[2].value", &new).unwrap(), lines.replace("value: b", "value: c"));
    let edited = with_head(lines);
    let edited = file(&edited).set_field(&config(), &path(".args[=\"b\"]"), &new).unwrap();
    assert_eq!(text(&edited), with_head(&lines.replace("a, b, a", "a, c, a")));
    // A list of ports has a default in its key.
    let ports = "ports: [{port: 80, name: a}, {port: 80, protocol: TCP, name: b}]\n";
    assert!(set(ports, ".ports[port=80,protocol=\"TCP\"].name", &new).is_err());
}

/// What a text says is not read as if it were a file.
#[test]
fn a_text_that_would_be_more_in_a_file_of_its_own_is_a_text() {
    for (lines, old) in [
        ("a: --- b\n", "--- b"),
        ("a: ... b\n", "... b"),
        ("a: no\n\n  way\n", "no\nway"),
        ("a: !!str no\n\n  way\n", "no\nway"),
    ] {
        let before = with_head(lines);
        let same = NewValue::Exact(old.into());
        let edited = file(&before).set_field(&config(), &path(".a"), &same).unwrap();
        assert!(edited.is_unchanged(), "{lines:?}: {:?}", edited.changes);
        let after = set(lines, ".a", &NewValue::Text("b".into())).unwrap();
        assert!(["a: b\n", "a: !!str b\n"].contains(&&*after), "{lines:?}: {after:?}");
    }
}
