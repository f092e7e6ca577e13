//! The spellings of a value in texts from outside.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MASK;
use crate::base64;

/// A text without these values: neither as written, nor in base64, nor decoded.
pub(super) fn scrub<'v>(text: &str, values: impl Iterator<Item = &'v Value>) -> String {
    let mut words = BTreeSet::new();
    for value in values {
        collect(value, &mut words);
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

/// The spellings of a masked value that a text may hold.
fn collect(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Value::Object(map) => {
            for (name, item) in map {
                collect(&Value::from(name.as_str()), words);
                collect(item, words);
            }
        }
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
