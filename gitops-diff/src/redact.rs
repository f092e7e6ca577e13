//! Masking of what must not be shown.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::difference::Shown;
use crate::nodes::Nodes;
use crate::path_index::PathIndex;
use crate::text::json_text;
use crate::{FieldPath, base64};

/// The annotation in which kubectl keeps a copy of the whole object, values of Secrets included.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const MASK: &str = "<redacted>";

/// What to mask before anything is shown: by default the values of Secrets, and the copies of objects in kubectl's
/// last-applied annotation.
///
/// A masked value is the text `<redacted>`. Where two objects are masked [together](Self::redact_pair), or
/// [compared](crate::compare), the masks are stable: equal values have the same mask, plain or in base64, and different
/// ones different masks (`<redacted 2>`), so that a change is still seen, and nothing of the value or its length is.
///
/// ```
/// use gitops_diff::Redaction;
/// use serde_json::json;
///
/// let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "aHVudGVyMg=="}});
/// assert_eq!(Redaction::default().redact(&secret).as_value()["data"]["password"], "<redacted>");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    secrets: bool,
    paths: Vec<FieldPath>,
}

/// A tree in which what must not be shown is masked.
///
/// Everything of this crate that prints takes or makes these, and only a [`Redaction`] makes them: to print a tree as it
/// is, one has to say [`Redaction::reveal_everything`]. Reading one back gives what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(Value);

impl Redacted {
    /// The tree.
    pub const fn as_value(&self) -> &Value {
        &self.0
    }

    /// The tree.
    pub fn into_value(self) -> Value {
        self.0
    }

    /// A position in a list, which tells nothing of a value.
    pub(crate) fn position(at: usize) -> Self {
        Self(at.into())
    }

    /// The tree without these fields.
    #[cfg(feature = "text")]
    pub(crate) fn without(mut self, fields: &[FieldPath]) -> Self {
        for field in fields {
            field.remove(&mut self.0);
        }
        self
    }
}

/// Compact JSON on one line, in which nothing can steer a terminal.
impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&json_text(&self.0))
    }
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
    pub fn redact(&self, object: &Value) -> Redacted {
        Redacted(copy(object, &self.marked(object), &mut |_, _| MASK.to_owned()))
    }

    /// Two versions of an object with masks that tell whether a value is another one.
    #[must_use]
    pub fn redact_pair(&self, from: &Value, to: &Value) -> (Redacted, Redacted) {
        let mut masker = Masker::new(self, &[from, to]);
        (masker.redact(from), masker.redact(to))
    }

    /// A text from outside, such as an error of the API server that echoes an invalid Secret, without the values that
    /// [`redact`](Self::redact) masks in the object it is about: neither as written, nor in base64, nor decoded.
    #[must_use]
    pub fn scrub(&self, text: &str, object: &Value) -> String {
        let mut words = BTreeSet::new();
        let marked = self.marked(object);
        for value in marked.plain.iter().chain(marked.encoded.iter()) {
            collect_words(value, &mut words);
        }
        let mut words: Vec<_> = words.into_iter().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        // Masks are not looked into: a value may be a part of them.
        let mut left = vec![text];
        for word in &words {
            left = left.into_iter().flat_map(|part| part.split(word.as_str())).collect();
        }
        left.join(MASK)
    }

    fn marked<'v>(&self, object: &'v Value) -> Marked<'v> {
        let mut marked = Marked::default();
        self.mark(object, is_secret(object), &mut marked);
        marked
    }

    /// Finds the values to mask. `secret` says that the object is known to be a Secret, whatever it says itself.
    fn mark<'v>(&self, object: &'v Value, secret: bool, marked: &mut Marked<'v>) {
        if self.secrets {
            mark_secrets(object, secret, marked);
        }
        self.mark_paths(object, marked);
        // The objects of a `List`; other kinds have no such field at their root.
        if let Some(Value::Array(items)) = object.get("items") {
            for item in items {
                self.mark_paths(item, marked);
            }
        }
    }

    fn mark_paths<'v>(&self, object: &'v Value, marked: &mut Marked<'v>) {
        let mut found = false;
        for value in self.paths.iter().filter_map(|path| path.get(object)) {
            marked.plain.insert(value);
            found = true;
        }
        if let (true, Some(copy)) = (found, last_applied(object)) {
            marked.plain.insert(copy);
        }
    }
}

/// The values of a tree that are masked.
#[derive(Debug, Default)]
struct Marked<'v> {
    /// As they are.
    plain: Nodes<'v>,
    /// In base64: the `data` of Secrets.
    encoded: Nodes<'v>,
}

impl Marked<'_> {
    fn contains(&self, node: &Value) -> bool {
        self.plain.contains(node) || self.encoded.contains(node)
    }
}

/// Masks the values of trees that are read together: versions of one object.
#[derive(Debug)]
pub(crate) struct Masker<'v> {
    marked: Marked<'v>,
    /// The masks that were given out, by value.
    given: HashMap<Vec<u8>, usize>,
}

impl<'v> Masker<'v> {
    pub(crate) fn new(redaction: &Redaction, versions: &[&'v Value]) -> Self {
        // A version that has lost its kind, or changed it, is still one of a Secret.
        let secret = versions.iter().any(|version| is_secret(version));
        let mut marked = Marked::default();
        for version in versions {
            redaction.mark(version, secret, &mut marked);
        }
        Self { marked, given: HashMap::new() }
    }

    /// Whether a node of one of the trees is masked as a whole.
    pub(crate) fn masks(&self, node: &Value) -> bool {
        self.marked.contains(node)
    }

    /// Whether there is nothing to mask.
    pub(crate) fn is_idle(&self) -> bool {
        self.marked.plain.is_empty() && self.marked.encoded.is_empty()
    }

    /// A node of one of the trees, with masks at and below it.
    pub(crate) fn redact(&mut self, node: &Value) -> Redacted {
        let given = &mut self.given;
        Redacted(copy(node, &self.marked, &mut |value, encoded| {
            let next = given.len() + 1;
            match *given.entry(identity(value, encoded)).or_insert(next) {
                1 => MASK.to_owned(),
                number => format!("<redacted {number}>"),
            }
        }))
    }
}

impl Masker<'_> {
    /// What may be shown of the value at a path.
    pub(crate) fn shown_at(&mut self, version: &mut PathIndex<'_>, path: &FieldPath) -> Shown {
        let way = version.way(path);
        if way.iter().take(path.len()).any(|node| self.masks(node)) {
            return Shown::Redacted;
        }
        self.shown(way.get(path.len()).copied())
    }

    /// The way to a field of a version, as far as it may be told: what is inside something masked is not.
    pub(crate) fn way_to(&self, versions: &mut [&mut PathIndex<'_>], path: FieldPath) -> FieldPath {
        if self.is_idle() {
            return path;
        }
        let ways = versions.iter_mut().map(|version| version.way(&path));
        let masked = ways.filter_map(|way| way.iter().position(|node| self.masks(node)));
        match masked.min() {
            Some(depth) if depth < path.len() => path.elements().iter().take(depth).cloned().collect(),
            _ => path,
        }
    }

    /// What may be shown of a node that is in nothing masked.
    pub(crate) fn shown(&mut self, node: Option<&Value>) -> Shown {
        match node {
            None => Shown::Absent,
            Some(node) if !node.is_null() && self.masks(node) => Shown::Redacted,
            Some(node) => Shown::Value(self.redact(node)),
        }
    }
}

/// What makes two masked values one: their bytes, where they are texts.
fn identity(value: &Value, encoded: bool) -> Vec<u8> {
    match value {
        Value::String(text) if encoded => base64::decode(text).unwrap_or_else(|| text.clone().into_bytes()),
        Value::String(text) => text.clone().into_bytes(),
        other => format!("\0{}", canonical_text(other)).into_bytes(),
    }
}

/// JSON that does not depend on the order of maps.
fn canonical_text(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = crate::canonical::sorted(map);
            let texts: Vec<_> = entries
                .into_iter()
                .map(|(key, child)| format!("{}:{}", Value::from(key.as_str()), canonical_text(child)))
                .collect();
            format!("{{{}}}", texts.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical_text).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}

fn copy(value: &Value, marked: &Marked<'_>, mask: &mut impl FnMut(&Value, bool) -> String) -> Value {
    // A null is no value: it says that there is none.
    if !value.is_null() && marked.contains(value) {
        return Value::String(mask(value, marked.encoded.contains(value)));
    }
    match value {
        Value::Object(map) => {
            let mut copied = Map::new();
            // In one order, so that the numbers of masks do not depend on how a map is kept.
            for (key, child) in crate::canonical::sorted(map) {
                copied.insert(key.clone(), copy(child, marked, mask));
            }
            Value::Object(copied)
        }
        Value::Array(items) => items.iter().map(|item| copy(item, marked, mask)).collect(),
        scalar => scalar.clone(),
    }
}

/// Whatever the group, and misspelled too: what calls itself a Secret is treated as one.
fn is_secret(value: &Value) -> bool {
    kind(value).eq_ignore_ascii_case("Secret")
}

fn kind(value: &Value) -> &str {
    value.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn mark_secrets<'v>(value: &'v Value, secret: bool, marked: &mut Marked<'v>) {
    match value {
        Value::Object(map) => {
            // As a server lists them, the items have no kind of their own.
            let of_secrets = kind(value).eq_ignore_ascii_case("SecretList");
            for (name, child) in map {
                let known = ["data", "stringData", "metadata"];
                let name = known.into_iter().find(|known| name.eq_ignore_ascii_case(known)).unwrap_or(name);
                match (secret, name, child) {
                    (_, "items", Value::Array(items)) if of_secrets => {
                        for item in items {
                            mark_secrets(item, true, marked);
                        }
                    }
                    (true, "data", Value::Object(entries)) => {
                        entries.values().for_each(|entry| marked.encoded.insert(entry));
                    }
                    (true, "stringData", Value::Object(entries)) => {
                        entries.values().for_each(|entry| marked.plain.insert(entry));
                    }
                    (true, "data" | "stringData", _) | (_, LAST_APPLIED, _) => marked.plain.insert(child),
                    (true, "metadata", Value::Object(metadata)) => {
                        // Annotations that are no map may hold anything.
                        if let Some(odd) = metadata.get("annotations").filter(|value| !value.is_object()) {
                            marked.plain.insert(odd);
                        }
                        mark_secrets(child, false, marked);
                    }
                    _ => mark_secrets(child, is_secret(child), marked),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                mark_secrets(item, is_secret(item), marked);
            }
        }
        _ => {}
    }
}

fn last_applied(object: &Value) -> Option<&Value> {
    let annotations = object.get("metadata")?.get("annotations")?;
    if annotations.is_object() { annotations.get(LAST_APPLIED) } else { Some(annotations) }
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
                let escaped = escaped.get(1..escaped.len() - 1).unwrap_or_default();
                // Go writes JSON that can stand in HTML.
                let in_html = escaped.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
                words.extend([escaped.to_owned(), in_html]);
                words.insert(spelling);
            }
        }
    }
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
}
