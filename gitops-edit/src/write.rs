//! How a new value is written in the place of an old one: in its style, where that can hold it.

use std::fmt::Write as _;
use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::Value;

use crate::block;
use crate::resolve::{is_plain, is_shown};
use crate::tree::{Id, Kind, Tree};

/// Some bytes of a file, and what comes in their place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

/// Where a value stands: what can be written there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// Only JSON can be written.
    pub(crate) is_json: bool,
    /// Inside of brackets or braces.
    pub(crate) is_in_flow: bool,
}

/// A new value for a scalar, or in the place of an alias. `spelling` is how it is to be written, if that is given.
/// None if there is no place for it.
pub(crate) fn replace(
    tree: &Tree<'_>,
    source: &str,
    id: Id,
    context: Context,
    value: &Value,
    spelling: Option<&str>,
) -> Option<Vec<Patch>> {
    let span = tree.span(id);
    let style = match tree.node(id).kind {
        Kind::Scalar(style) => style,
        Kind::Alias(_) => ScalarStyle::Plain,
        Kind::Sequence { .. } | Kind::Mapping { .. } => return None,
    };
    let write = |style| match spelling {
        Some(spelling) if !context.is_json => spelling.to_owned(),
        _ => inline(value, style, context),
    };
    match style {
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let old = block::Block::find(tree, source, id)?;
            Some(match value.as_str().and_then(|text| old.patches(source, text, &tree.node(id).text)) {
                Some(patches) => patches,
                None => old.patches_inline(source, &write(ScalarStyle::DoubleQuoted)),
            })
        }
        ScalarStyle::Plain if span.is_empty() => {
            fill(tree, source, id, &write(style)).map(|patch| vec![patch])
        }
        _ => Some(vec![Patch { range: span, text: write(style) }]),
    }
}

/// A value on one line.
pub(crate) fn inline(value: &Value, style: ScalarStyle, context: Context) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_line = text.chars().all(|c| is_shown(c) && c != '\t');
    match style {
        _ if context.is_json => value.to_string(),
        ScalarStyle::Plain if is_plain(text, context.is_in_flow) => text.clone(),
        ScalarStyle::SingleQuoted if is_line => format!("'{}'", text.replace('\'', "''")),
        _ => quoted(text),
    }
}

/// In double quotes, with escapes that JSON knows too.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // All of these have at most four hex digits.
            c if !is_shown(c) => {
                // Writing to a text does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes a value where there is none yet: behind the colon, the dash, the tag or the anchor.
fn fill(tree: &Tree<'_>, source: &str, id: Id, text: &str) -> Option<Patch> {
    let bytes = source.as_bytes();
    let mut at = tree.span(id).start;
    let behind = [tree.tag(id), tree.anchor(id)].into_iter().flatten().map(|range| range.end).max();
    if let Some(behind) = behind {
        at = behind;
    } else if let Some(key) = tree.key_of(id) {
        // The parser says where the colon is; in braces there may be none.
        match bytes.get(at) {
            Some(b':') => at += 1,
            _ if tree.is_in_flow(id) && source.get(tree.span(key).end..at)?.trim().is_empty() => {
                let at = tree.span(key).end;
                return Some(Patch { range: at..at, text: format!(": {text}") });
            }
            _ => return None,
        }
    } else {
        at = behind_dash(source.get(..at)?)?;
    }
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    let space = if matches!(before, Some(b' ' | b'\t')) { "" } else { " " };
    Some(Patch { range: at..at, text: format!("{space}{text}") })
}

/// Behind the dash that a text ends with, but for spaces, and comments that the parser has gone over.
fn behind_dash(mut text: &str) -> Option<usize> {
    loop {
        let start = text.rfind('\n').map_or(0, |end| end + 1);
        let line = &text[start..];
        let is_comment = line.trim_start().starts_with('#');
        // Nothing but indicators can be in front of an item that is empty.
        let comment = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
        let said = if is_comment { "" } else { &line[..comment] };
        if said.trim().is_empty() {
            text = text[..start].strip_suffix('\n')?;
            continue;
        }
        let dash = said.trim_end();
        // One space of those that are there is enough.
        return dash.ends_with('-').then(|| start + dash.len() + usize::from(said.len() > dash.len()));
    }
}

#[cfg(test)]
mod tests {
    use ScalarStyle::{DoubleQuoted, Plain, SingleQuoted};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_style_is_kept_where_it_can_hold_the_value() {
        let block = Context { is_json: false, is_in_flow: false };
        let flow = Context { is_json: false, is_in_flow: true };
        let json = Context { is_json: true, is_in_flow: true };
        for (value, style, context, written) in [
            (json!("a:1"), Plain, block, "a:1"),
            (json!("a:1"), SingleQuoted, block, "'a:1'"),
            (json!("a:1"), DoubleQuoted, block, "\"a:1\""),
            (json!("a:1"), Plain, json, "\"a:1\""),
            (json!("1.20"), Plain, block, "\"1.20\""),
            (json!("it's"), SingleQuoted, block, "'it''s'"),
            (json!("a\nb"), SingleQuoted, block, "\"a\\nb\""),
            (json!("\u{1b}\u{85}\u{202e}"), Plain, block, "\"\\u001b\\u0085\\u202e\""),
            (json!("a, b"), Plain, block, "a, b"),
            (json!("a, b"), Plain, flow, "\"a, b\""),
            (json!(3), SingleQuoted, block, "3"),
            (json!(null), Plain, flow, "null"),
            (json!(true), DoubleQuoted, json, "true"),
            (json!(""), Plain, block, "\"\""),
            (json!(""), SingleQuoted, flow, "''"),
        ] {
            assert_eq!(inline(&value, style, context), written);
        }
    }
}
