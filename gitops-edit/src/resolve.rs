//! Which value a scalar is, and which texts can be written without quotes.

use granit_parser::ScalarStyle;
use serde_json::Value;

use crate::EditLimits;
use crate::data;
use crate::tree::{Id, Kind, Tree};

/// The value of a scalar, or of what an alias stands for; none if that is a list or a mapping.
pub(crate) fn value(tree: &Tree<'_>, source: &str, id: Id) -> Option<Value> {
    let node = tree.node(id);
    let style = match node.kind {
        Kind::Scalar(style) => style,
        // An alias cannot stand for an alias.
        Kind::Alias(Some(target)) if !matches!(tree.node(target).kind, Kind::Alias(_)) => {
            return value(tree, source, target);
        }
        _ => return None,
    };
    let is_empty = style == ScalarStyle::Plain && tree.span(id).is_empty();
    if let Some(tag) = tree.tag(id).and_then(|tag| source.get(tag)) {
        let content = match style {
            _ if is_empty => String::new(),
            ScalarStyle::Plain if is_one_word(&node.text) => node.text.to_string(),
            _ => Value::from(&*node.text).to_string(),
        };
        let tagged = format!("{tag} {content}");
        return Some(read(&tagged).unwrap_or_else(|| Value::from(&*node.text)));
    }
    Some(match style {
        ScalarStyle::Plain if is_empty => Value::Null,
        ScalarStyle::Plain => plain(&node.text),
        _ => Value::from(&*node.text),
    })
}

/// Whether a value can be written behind a node's tag, if it has one: some make a text of everything, or a number.
pub(crate) fn fits_tag(tree: &Tree<'_>, source: &str, id: Id, value: &Value) -> bool {
    match tree.tag(id).and_then(|tag| source.get(tag)) {
        Some(tag) => read(&format!("{tag} {value}")).is_none_or(|tagged| tagged == *value),
        None => true,
    }
}

/// The value of a text without quotes.
pub(crate) fn plain(text: &str) -> Value {
    if !may_be_no_text(text) || !is_one_word(text) {
        return Value::from(text);
    }
    match read(text) {
        Some(value) if !value.is_array() && !value.is_object() => value,
        _ => Value::from(text),
    }
}

/// Whether a text without quotes says the same in a file of its own, where it begins a line. What has a space in it is a text anyway.
fn is_one_word(text: &str) -> bool {
    !(text.contains(char::is_whitespace) || text.starts_with("---") || text.starts_with("..."))
}

fn read(text: &str) -> Option<Value> {
    let limits = EditLimits { max_nodes: 16, max_depth: 4, max_alias_nodes: 0, ..EditLimits::default() };
    serde_saphyr::from_str_with_options(text, data::options(&limits)).ok()
}

/// Whether a text begins as what is no text begins in some version of YAML.
fn may_be_no_text(text: &str) -> bool {
    text.starts_with(|c: char| {
        c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | '~' | '=' | '<') || "tTfFnNyYoO".contains(c)
    }) || text.is_empty()
}

/// Whether a text that is written without quotes is this text again, for readers of YAML 1.1 and 1.2 alike.
pub(crate) fn is_plain(text: &str, is_in_flow: bool) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    let is_flow_indicator = |c: char| matches!(c, ',' | '[' | ']' | '{' | '}');
    let begins_well = match first {
        '-' | '?' => second.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_')),
        ':' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => false,
        c => !c.is_whitespace() && !is_flow_indicator(c),
    };
    let is_misread = text.ends_with(|c: char| c == ':' || c.is_whitespace())
        || text.contains(": ")
        || text.contains(" #")
        || text.starts_with("---")
        || text.starts_with("...")
        || text.contains(|c| c == '\t' || !is_shown(c));
    let fits_flow = !is_in_flow || is_plain_in_flow(text);
    begins_well && !is_misread && fits_flow && is_text_in_all_versions(text)
}

/// An image or a URL in flow style needs no quotes: its colons are followed by letters.
fn is_plain_in_flow(text: &str) -> bool {
    !text.contains([',', '[', ']', '{', '}', '#', '?'])
        && text
            .split(':')
            .skip(1)
            .all(|after| after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/'))
}

fn is_text_in_all_versions(text: &str) -> bool {
    if !may_be_no_text(text) {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    let is_word = matches!(
        &*lower,
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "~" | "=" | "<<"
    );
    // Numbers with underscores, of base 60, and dates, among others. Too much is quoted rather than too little.
    let unsigned = lower.trim_start_matches(['+', '-']);
    let is_like_a_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b':' | b'-'))
            || unsigned.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'_' | b'x' | b'o' | b'b'))
            || unsigned.parse::<f64>().is_ok()
            || unsigned.replace('_', "").parse::<f64>().is_ok()
            || matches!(unsigned, ".inf" | ".nan")
            || is_like_a_fraction_of_base_60(unsigned)
            || is_like_a_time(unsigned));
    !is_word && !is_like_a_number && plain(text).is_string()
}

/// `1:30.5`: 90.5 in YAML 1.1.
fn is_like_a_fraction_of_base_60(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once('.') else { return false };
    whole.contains(':')
        && whole.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b':'))
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// `2001-12-14`, with or without a time behind it.
fn is_like_a_time(text: &str) -> bool {
    let digits =
        |text: Option<&str>| text.is_some_and(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()));
    let mut parts = text.splitn(3, '-');
    digits(parts.next())
        && digits(parts.next())
        && parts.next().is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a character can be written as it is. What could steer a terminal, or reorders text, is escaped.
pub(crate) fn is_shown(c: char) -> bool {
    let reorders =
        matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
    let is_special = matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}');
    c == '\t' || !(c.is_control() || reorders || is_special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_others_would_misread_are_quoted() {
        for text in [
            "",
            "1",
            "1.20",
            "0644",
            "0x1f",
            "0o17",
            "1_000",
            "1:30",
            "12:30:45",
            "1:30.5",
            "-1_0:30.",
            "1e3",
            ".5",
            "-1",
            "+1",
            ".inf",
            "-.inf",
            ".nan",
            "yes",
            "No",
            "ON",
            "y",
            "null",
            "~",
            "TRUE",
            "2001-01-01",
            "2001-01-01t00:00:00z",
            "2001-1-1 1:2:3",
            "<<",
            "=",
            " a",
            "a ",
            "a: b",
            "a #b",
            "a:",
            "- a",
            "-",
            "? a",
            "#a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "'a",
            "\"a",
            "%a",
            "@a",
            "`a",
            "[a",
            "{a",
            "---",
            "--- a",
            "...",
            "a\nb",
            "a\tb",
            "\u{feff}a",
            "a\u{202e}",
            "1e10",
            "0b1",
            "123e4",
            "12e03",
            "sha\u{7f}",
        ] {
            assert!(!is_plain(text, false), "{text:?}");
        }
        for text in ["a,b", "a]", "{", "a:]", "a#b", "a::b"] {
            assert!(!is_plain(text, true), "{text:?}");
        }
    }

    #[test]
    fn common_texts_need_no_quotes() {
        for text in [
            "a",
            "ghcr.io/a/b:1.0",
            "localhost:5000/a:b",
            "1.2.3",
            "10.0.0.1:8080",
            "v1",
            "1.2.3-rc.1",
            "main-abc-17",
            "a b",
            "-a",
            "a#b",
            "/etc",
            "https://x/y?z",
            "ü",
            "sha256:24a0",
            "a,b",
            "nope",
            "yes-man",
            "1.x",
            "12ab.3",
            "--flag=x",
            "日本",
        ] {
            assert!(is_plain(text, false) || text.starts_with("--"), "{text:?}");
        }
        assert!(is_plain("ghcr.io/a/b:1.0@sha256:24a0", true));
    }
}
