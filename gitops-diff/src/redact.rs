//! Masking of what must not be shown.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::{FieldPath, PathElement, base64};

/// The annotation in which kubectl keeps a copy of the whole object, values of Secrets included.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const MASK: &str = "<redacted>";

/// What to mask before anything is shown: by default the values of Secrets, and the copies of them in kubectl's
/// last-applied annotation.
///
/// A masked value is the text `<redacted>`. Where two objects are masked [together](Self::redact_pair), another value of
/// the same field is `<redacted 2>`, so that a change is still seen; neither the value nor its length is.
///
/// ```
/// use gitops_diff::Redaction;
/// use serde_json::json;
///
/// let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "aHVudGVyMg=="}});
/// assert_eq!(Redaction::default().redact(&secret)["data"]["password"], "<redacted>");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    secrets: bool,
    paths: Vec<FieldPath>,
}

impl Default for Redaction {
    fn default() -> Self {
        Self { secrets: true, paths: Vec::new() }
    }
}

impl Redaction {
    /// Masks nothing: for people who asked to see the values of Secrets.
    pub const fn reveal_everything() -> Self {
        Self { secrets: false, paths: Vec::new() }
    }

    /// Also masks what is at this path, as a whole, in objects of every kind.
    ///
    /// Where it masks something, it masks kubectl's last-applied annotation of the object too.
    #[must_use]
    pub fn with_path(mut self, path: FieldPath) -> Self {
        self.paths.push(path);
        self
    }

    /// The object with masks.
    ///
    /// Works on malformed Secrets too: `data` that is no map, and values that are no text, are masked. Secrets are found
    /// wherever they are in the tree, such as in a `List`.
    #[must_use]
    pub fn redact(&self, object: &Value) -> Value {
        let mut masked = object.clone();
        self.mask(&mut masked, is_secret(object), &mut Masks::default());
        masked
    }

    /// Two versions of an object with masks: equal values have equal masks, different values of a field different ones.
    #[must_use]
    pub fn redact_pair(&self, from: &Value, to: &Value) -> (Value, Value) {
        let (mut from, mut to) = (from.clone(), to.clone());
        let mut masks = Masks { numbered: true, ..Masks::default() };
        // A version that has lost its kind, or changed it, is still one of a Secret.
        let secret = is_secret(&from) || is_secret(&to);
        self.mask(&mut from, secret, &mut masks);
        self.mask(&mut to, secret, &mut masks);
        (from, to)
    }

    /// A text from outside, such as an error of the API server that echoes an invalid Secret, without the values that
    /// [`redact`](Self::redact) masks in the object it is about: neither as written, nor in base64, nor decoded.
    #[must_use]
    pub fn scrub(&self, text: &str, object: &Value) -> String {
        let mut masks = Masks::default();
        self.mask(&mut object.clone(), is_secret(object), &mut masks);
        let mut words = BTreeSet::new();
        for value in
            masks.seen.keys().map(|(_, json)| json).filter_map(|json| serde_json::from_str(json).ok())
        {
            collect_words(&value, &mut words);
        }
        let mut words: Vec<_> = words.into_iter().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.iter().fold(text.to_owned(), |text, word| text.replace(word.as_str(), MASK))
    }

    fn mask(&self, object: &mut Value, secret: bool, masks: &mut Masks) {
        if self.secrets {
            mask_secrets(object, secret, masks);
        }
        if self.paths.is_empty() {
            return;
        }
        self.mask_paths(object, masks);
        // The objects of a `List`; other kinds have no such field at their root.
        if let Some(Value::Array(items)) = object.get_mut("items") {
            for item in items {
                self.mask_paths(item, masks);
            }
        }
    }

    fn mask_paths(&self, object: &mut Value, masks: &mut Masks) {
        let mut found = false;
        for path in &self.paths {
            if let Some(value) = path.get_mut(object) {
                masks.mask(&path.to_string(), value);
                found = true;
            }
        }
        if found {
            mask_last_applied(object, masks);
        }
    }
}

/// The masks that were given out, by field and value.
#[derive(Default)]
struct Masks {
    numbered: bool,
    seen: HashMap<(String, String), usize>,
    of_field: HashMap<String, usize>,
}

impl Masks {
    fn mask(&mut self, field: &str, value: &mut Value) {
        if value.is_null() {
            return;
        }
        let count = self.of_field.entry(field.to_owned()).or_default();
        let number = *self.seen.entry((field.to_owned(), value.to_string())).or_insert_with(|| {
            *count += 1;
            *count
        });
        *value = Value::String(match number {
            2.. if self.numbered => format!("<redacted {number}>"),
            _ => MASK.to_owned(),
        });
    }
}

/// Whether a value is a mask.
pub(crate) fn is_mask(value: &Value) -> bool {
    value.as_str().and_then(|text| text.strip_prefix("<redacted")?.strip_suffix('>')).is_some_and(|number| {
        number.is_empty() || number.strip_prefix(' ').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whatever the group: what calls itself a Secret is treated as one.
fn is_secret(value: &Value) -> bool {
    value.get("kind").is_some_and(|kind| kind == "Secret")
}

fn mask_secrets(value: &mut Value, secret: bool, masks: &mut Masks) {
    match value {
        Value::Object(map) if secret => {
            for field in ["data", "stringData"] {
                match map.get_mut(field) {
                    Some(Value::Object(entries)) => {
                        for (name, entry) in entries.iter_mut() {
                            // `data` and `stringData` are told apart: their encodings differ.
                            masks.mask(&format!("{field}.{name}"), entry);
                        }
                    }
                    Some(other) => masks.mask(field, other),
                    None => {}
                }
            }
            mask_last_applied(value, masks);
        }
        Value::Object(map) => {
            for (_, child) in map.iter_mut() {
                let secret = is_secret(child);
                mask_secrets(child, secret, masks);
            }
        }
        Value::Array(items) => {
            for item in items {
                let secret = is_secret(item);
                mask_secrets(item, secret, masks);
            }
        }
        _ => {}
    }
}

fn mask_last_applied(object: &mut Value, masks: &mut Masks) {
    match object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations")) {
        Some(Value::Object(annotations)) => {
            if let Some(copy) = annotations.get_mut(LAST_APPLIED) {
                masks.mask(LAST_APPLIED, copy);
            }
        }
        Some(other) => masks.mask("annotations", other),
        None => {}
    }
}

/// The spellings of a masked value that a text may hold.
fn collect_words(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Array(items) => items.iter().for_each(|item| collect_words(item, words)),
        Value::Object(map) => map.values().for_each(|item| collect_words(item, words)),
        Value::Number(number) => {
            words.insert(number.to_string());
        }
        Value::String(text) => {
            let trimmed = text.trim_end_matches(['\r', '\n']);
            let mut spellings = vec![text.clone(), trimmed.to_owned(), base64::encode(text.as_bytes())];
            spellings.extend(base64::decode(text).and_then(|bytes| String::from_utf8(bytes).ok()));
            for spelling in spellings.into_iter().filter(|word| !word.is_empty()) {
                let escaped = Value::from(spelling.as_str()).to_string();
                words.extend(escaped.get(1..escaped.len() - 1).map(str::to_owned));
                words.insert(spelling);
            }
        }
    }
}

/// A `v1` Secret as the API server stores it: `stringData` moved into `data`, line breaks taken out of the base64.
/// `None` for every other object, and where there is nothing to do.
///
/// Apply this form: whoever applies `stringData` owns that name, while it is `data` that changes.
pub fn stored_secret(object: &Value) -> Option<Value> {
    if object.get("kind")? != "Secret" || object.get("apiVersion")? != "v1" {
        return None;
    }
    let broken = |data: &Value| {
        data.as_object()
            .is_some_and(|d| d.values().any(|v| v.as_str().is_some_and(|s| s.contains(['\r', '\n']))))
    };
    let plain = object.get("stringData").and_then(Value::as_object);
    if plain.is_none() && !object.get("data").is_some_and(broken) {
        return None;
    }
    let mut stored = object.clone();
    if let Some(plain) = plain {
        FieldPath::of_fields(["stringData"]).remove(&mut stored);
        for (name, value) in plain.iter().filter(|(_, value)| !value.is_null()) {
            let value = value.as_str().map_or_else(|| value.clone(), |v| base64::encode(v.as_bytes()).into());
            FieldPath::of_fields(["data"]).child(PathElement::field(name.as_str())).set(&mut stored, value);
        }
    }
    if let Some(Value::Object(data)) = stored.get_mut("data") {
        for (_, value) in data.iter_mut() {
            if let Value::String(text) = value {
                text.retain(|c| !matches!(c, '\r' | '\n'));
            }
        }
    }
    Some(stored)
}

/// A live Secret with empty values for the nulls in its `data`: the API server takes and keeps both as no bytes.
pub(crate) fn without_null_data(object: &Value) -> Option<Value> {
    if object.get("kind")? != "Secret" || !object.get("data")?.as_object()?.values().any(Value::is_null) {
        return None;
    }
    let mut filled = object.clone();
    for (_, value) in filled.get_mut("data")?.as_object_mut()?.iter_mut().filter(|(_, value)| value.is_null())
    {
        *value = Value::String(String::new());
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

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
            Redaction::default().redact(&secret),
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": "s", "annotations": {"team": "a", LAST_APPLIED: "<redacted>"}},
                "data": {"p": "<redacted>", "n": "<redacted>", "nothing": null},
                "stringData": {"q": "<redacted>"},
            })
        );
        assert_eq!(Redaction::reveal_everything().redact(&secret), secret);
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
    fn pairs_show_what_changed() {
        let secret = |a: &str, b: &str| json!({"kind": "Secret", "data": {"a": a, "b": b}});
        let (from, to) = Redaction::default().redact_pair(&secret("1", "2"), &secret("1", "3"));
        assert_eq!(from["data"], json!({"a": "<redacted>", "b": "<redacted>"}));
        assert_eq!(to["data"], json!({"a": "<redacted>", "b": "<redacted 2>"}));
        assert!(is_mask(&to["data"]["a"]) && is_mask(&to["data"]["b"]) && !is_mask(&json!("<redacted x>")));
    }

    #[test]
    fn one_side_without_its_kind_is_masked_as_well() {
        let bare = json!({"data": {"p": "hunter2"}, "metadata": {"annotations": {LAST_APPLIED: "hunter2"}}});
        let (from, to) =
            Redaction::default().redact_pair(&bare, &json!({"kind": "Secret", "data": {"p": "hunter2"}}));
        assert!(!format!("{from}{to}").contains("hunter2"));
        assert_eq!(from["data"], to["data"]);
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
        assert_eq!(masked["spec"]["env"][0]["value"], "x");
        let other = json!({"metadata": {"annotations": {LAST_APPLIED: "fine"}}});
        assert_eq!(redaction.redact(&other), other);
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
    fn secrets_as_they_are_stored() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "Z\ng==", "b": "x"}, "stringData": {"b": "f"}});
        let stored = stored_secret(&secret).unwrap();
        assert_eq!(stored, json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "Zg==", "b": "Zg=="}}));
        assert_eq!(stored_secret(&stored), None);
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
            let (text, other_text) = (plant(&data).to_string(), plant(&other).to_string());
            let same = text == other_text;
            prop_assert_eq!(from == to, same);
        }
    }
}
