//! Values as one line of safe text.

use std::fmt::{self, Write as _};

use serde_json::Value;

/// How a part of a text for people stands out: the number of an ANSI sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// What the rest is about.
    Heading = 1,
    /// What is live, and would go.
    Live = 31,
    /// What Git states, and would come.
    Git = 32,
    /// Where in a text.
    #[cfg_attr(not(feature = "text"), allow(dead_code, reason = "only unified differences have places"))]
    Place = 36,
}

/// A text in a style; plain where no colour is wanted.
pub(crate) struct Painted<T> {
    pub(crate) text: T,
    pub(crate) style: Option<Style>,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style {
            Some(style) => write!(f, "\u{1b}[{}m{}\u{1b}[0m", style as u8, self.text),
            None => self.text.fmt(f),
        }
    }
}

/// Puts texts into styles, or does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brush {
    pub(crate) colour: bool,
}

impl Brush {
    pub(crate) fn paint<T: fmt::Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { text, style: self.colour.then_some(style) }
    }
}

/// Compact JSON in which nothing can steer a terminal or reorder a line.
pub(crate) fn json_text(value: &Value) -> String {
    escape_json(value.to_string())
}

/// Compact JSON, cut in the middle when it is longer than `max` characters.
pub(crate) fn short_text(value: &Value, max: usize) -> String {
    let text = json_text(value);
    let count = text.chars().count();
    if count <= max {
        return text;
    }
    let keep = max.saturating_sub(1) / 2;
    let head: String = text.chars().take(keep).collect();
    let tail: String = text.chars().skip(count - keep).collect();
    format!("{head}…{tail} ({count} characters)")
}

/// Characters that a terminal or a reader could be fooled with: C0, C1, bidirectional controls, line and paragraph
/// separators, invisible ones.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Compact JSON holds such characters only inside strings, where `\uXXXX` says the same.
fn escape_json(text: String) -> String {
    if !text.contains(is_unsafe) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a text cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_values_are_cut() {
        let text = short_text(&json!("a".repeat(500)), 21);
        assert_eq!(text, "\"aaaaaaaaa…aaaaaaaaa\" (502 characters)");
        assert_eq!(short_text(&json!({"a": 1}), 21), r#"{"a":1}"#);
    }

    #[test]
    fn escaped_text_means_the_same() {
        let value = json!({"k\u{85}": "\u{feff}x\u{2028}\u{7}"});
        let text = json_text(&value);
        assert!(text.is_ascii());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
