use proptest::prelude::*;
use serde_json::json;

use super::masker::canonical_text;
use super::*;
use crate::testing::small_value;

#[test]
fn secrets_keep_their_keys_and_lose_their_values() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "s", "annotations": {"team": "a", LAST_APPLIED: "{\"data\":{\"p\":\"aHVudGVyMg==\"}}"}},
        "data": {"p": "aHVudGVyMg==", "n": 7, "nothing": null},
        "stringData": {"q": "hunter2"},
    });
    assert_eq!(
        Redaction::default().redact(&secret).into_value(),
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s", "annotations": {"team": "a", LAST_APPLIED: "<redacted>"}},
            "data": {"p": "<redacted>", "n": "<redacted>", "nothing": null},
            "stringData": {"q": "<redacted>"},
        })
    );
    assert_eq!(Redaction::reveal_everything().redact(&secret).as_value(), &secret);
    let list = json!({"kind": "List", "items": [secret]});
    assert!(!Redaction::default().redact(&list).to_string().contains("hunter2"));
}

#[test]
fn malformed_secrets_are_masked_too() {
    for data in
        [json!("hunter2"), json!(["hunter2"]), json!({"a": ["hunter2"]}), json!({"a": {"hunter2": 1}})]
    {
        for field in ["data", "stringData"] {
            let secret = json!({"kind": "Secret", field: data, "metadata": {"annotations": ["hunter2"]}});
            assert!(!Redaction::default().redact(&secret).to_string().contains("hunter2"), "{secret}");
        }
    }
}

#[test]
fn secrets_as_servers_list_them_and_misspelled_ones() {
    let data = json!({"p": "aHVudGVyMg=="});
    for secret in [
        json!({"kind": "SecretList", "items": [{"metadata": {"name": "a"}, "data": data}]}),
        json!({"kind": "secret", "data": data}),
        json!({"kind": "Secret", "stringdata": data}),
    ] {
        let masked = Redaction::default().redact(&secret).to_string();
        assert!(!masked.contains("aHVudGVyMg=="), "{masked}");
    }
}

#[test]
fn pairs_show_what_changed() {
    let secret = |a: &str, b: &str| json!({"kind": "Secret", "data": {"a": a, "b": b}});
    let (from, to) = Redaction::default().redact_pair(&secret("MQ==", "Mg=="), &secret("MQ==", "Mw=="));
    let (from, to) = (from.as_value(), to.as_value());
    assert_eq!(from["data"], json!({"a": "<redacted>", "b": "<redacted 2>"}));
    assert_eq!(to["data"], json!({"a": "<redacted>", "b": "<redacted 3>"}));
    // One value is one mask, however it is written.
    let plain = json!({"kind": "Secret", "stringData": {"a": "2"}});
    let (from, to) = Redaction::default().redact_pair(&secret("MQ==", "Mg=="), &plain);
    assert_eq!(from.as_value()["data"]["b"], to.as_value()["stringData"]["a"]);
}

#[test]
fn one_side_without_its_kind_is_masked_as_well() {
    let bare = json!({"data": {"p": "hunter2"}, "metadata": {"annotations": {LAST_APPLIED: "hunter2"}}});
    let (from, to) =
        Redaction::default().redact_pair(&bare, &json!({"kind": "Secret", "data": {"p": "hunter2"}}));
    assert!(!format!("{from}{to}").contains("hunter2"));
    assert_eq!(from.as_value()["data"].as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn paths_of_the_user() {
    let redaction = Redaction::default().with_path(r#".spec.env[name="TOKEN"].value"#.parse().unwrap());
    let object = json!({
        "metadata": {"annotations": {LAST_APPLIED: "hunter2"}},
        "spec": {"env": [{"name": "A", "value": "x"}, {"name": "TOKEN", "value": "hunter2"}]},
    });
    let masked = redaction.redact(&object);
    assert!(!masked.to_string().contains("hunter2"), "{masked}");
    assert_eq!(masked.as_value()["spec"]["env"][0]["value"], "x");
    let other = json!({"metadata": {"annotations": {"team": "fine"}}});
    assert_eq!(redaction.redact(&other).as_value(), &other);
}

#[test]
fn texts_are_scrubbed() {
    let secret = json!({"kind": "Secret", "data": {"p": "aHVudGVyMg==", "bad": 1234}, "stringData": {"q": "line\"2\n"}});
    let text = "cannot decode \"aHVudGVyMg==\" (hunter2), got 1234 and bGluZSIyCg==, \"line\\\"2\\n\"";
    assert_eq!(
        Redaction::default().scrub(text, &secret),
        "cannot decode \"<redacted>\" (<redacted>), got <redacted> and <redacted>, \"<redacted>\""
    );
}

#[test]
fn texts_that_go_wrote_are_scrubbed() {
    let secret = json!({"kind": "Secret", "stringData": {"q": "hun<ter&2"}});
    assert_eq!(Redaction::default().scrub("\"hun\\u003cter\\u00262\"", &secret), "\"<redacted>\"");
}

#[test]
fn masks_are_not_scrubbed() {
    let secret = json!({"kind": "Secret", "stringData": {"a": "e", "b": "d", "c": "te"}});
    assert_eq!(Redaction::default().scrub("x e", &secret), "x <redacted>");
}

proptest! {
    #[test]
    fn nothing_of_a_secret_is_left(data in small_value(), other in small_value()) {
        let plant = |v: &Value| {
            let text = v.to_string().replace("\"a\"", "\"hunter2\"").replace("\"b\"", "\"hunter2b\"");
            serde_json::from_str::<Value>(&text).unwrap()
        };
        // Keys of a map are shown, so only its values count.
        let secret = |v: &Value| json!({"kind": "Secret", "data": {"k": plant(v)}, "stringData": [plant(v)]});
        let (from, to) = Redaction::default().redact_pair(&secret(&data), &secret(&other));
        prop_assert!(!from.to_string().contains("hunter2"));
        prop_assert!(!to.to_string().contains("hunter2"));
        let texts = [&data, &other].map(|v| canonical_text(&plant(v)));
        let same = texts[0] == texts[1];
        prop_assert_eq!(from == to, same);
    }
}
