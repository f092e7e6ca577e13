//! What must not be shown.

use serde_json::json;

use super::*;

#[test]
fn what_was_given_up_inside_a_mask_is_not_shown() {
    let gadget = |creds: Value| json!({"kind": "Gadget", "spec": {"creds": creds}});
    let (git, mut live) = (gadget(json!({"u": "a"})), gadget(json!({"u": "b", "p": "hunter2"})));
    let last = live.to_string();
    live["metadata"] = json!({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": last}});
    let redaction = Redaction::default().with_path(".spec.creds".parse().unwrap());
    let options = DiffOptions::default().with_last_applied(true).with_redaction(redaction);
    let drift = compare(&git, &live, &crate::schema::Deduced, &options);
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0].to_string(), ".spec.creds  Git <redacted>, live <redacted> (another value)");
}

#[test]
fn secrets_are_compared_as_stored_and_never_shown() {
    let git = json!({
        "apiVersion": "v1", "kind": "Secret",
        "data": {"same": "c2FtZQ==", "wrapped": "d3Jh\ncHBlZA==\n"}, "stringData": {"password": "hunter2"},
    });
    let live = |password: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "data": {"same": "c2FtZQ==", "wrapped": "d3JhcHBlZA==", "password": password},
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "b3RoZXI="}},
        })
    };
    assert_eq!(drift(&git, &live("aHVudGVyMg==")), Vec::<String>::new());
    let empty = |value: Value| json!({"apiVersion": "v1", "kind": "Secret", "data": {"k": value}});
    assert_eq!(drift(&empty(json!("")), &empty(Value::Null)), Vec::<String>::new());
    assert_eq!(drift(&empty(json!("eA==")), &empty(Value::Null)).len(), 1);
    let found = compare(&git, &live("b3RoZXI="), &BuiltIn, &DiffOptions::default());
    assert_eq!(lines(&found), [".data.password  Git <redacted>, live <redacted> (another value)"]);
    let all = diff(&git, &live("b3RoZXI="), &BuiltIn, &DiffOptions::default());
    for found in [&found, &all] {
        let everything = format!("{found:?} {}", serde_json::to_string(found).unwrap());
        for secret in ["hunter2", "aHVudGVyMg", "b3RoZXI", "other", "d3Jh"] {
            assert!(!everything.contains(secret), "{secret}: {everything}");
        }
    }
    // A Secret that is only on one side is shown with masks inside.
    let none = diff(&json!({}), &json!({"s": git}), &BuiltIn, &DiffOptions::default());
    assert!(!format!("{none:?}").contains("hunter2"));
}
