//! Entries of a mapping that come or go as a whole.

use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::Value;

use crate::tree::{Id, Kind};
use crate::write::{Patch, inline};
use crate::{EditError, YamlFile};

/// A new entry behind that of a value, written like that one.
pub(crate) fn insertion(
    file: &YamlFile<'_>,
    behind: Id,
    key: &str,
    value: &Value,
) -> Result<Patch, EditError> {
    let (tree, source) = (&file.tree, file.text);
    let unwritable = || EditError::Unwritable {
        place: file.place(behind),
        problem: "no entry can be added behind this value: write it on one line",
    };
    let style = match tree.node(behind).kind {
        Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded) => return Err(unwritable()),
        Kind::Scalar(style) => style,
        _ => ScalarStyle::Plain,
    };
    let context = file.context(behind);
    let key_node = tree.key_of(behind).ok_or_else(unwritable)?;
    let key_style = match tree.node(key_node).kind {
        Kind::Scalar(style) => style,
        _ => ScalarStyle::Plain,
    };
    let entry =
        format!("{}: {}", inline(&Value::from(key), key_style, context), inline(value, style, context));
    let (at, end) = (tree.span(key_node).start, tree.span(behind).end);
    if context.is_in_flow {
        let space = &source[line_start(source, at)..at];
        // An entry on a line of its own gets another line.
        let space = if space.trim().is_empty() {
            format!("{}{space}", line_break(source, at))
        } else {
            " ".to_owned()
        };
        return Ok(Patch { range: end..end, text: format!(",{space}{entry}") });
    }
    let indent = " ".repeat((tree.node(key_node).column as usize).saturating_sub(1));
    let end = line_end(source, end);
    let text = if source[..end].ends_with('\n') {
        format!("{indent}{entry}{}", line_break(source, end))
    } else {
        format!("{}{indent}{entry}", line_break(source, end))
    };
    Ok(Patch { range: end..end, text })
}

/// A mapping of scalars behind the last item of a list in block style, laid out as that one is.
pub(crate) fn item(file: &YamlFile<'_>, last: Id, value: &Value) -> Result<Patch, EditError> {
    let unwritable = || EditError::Unwritable {
        place: file.place(last),
        problem: "no item can be added behind this one: write it with a dash, and with keys below each other",
    };
    appended(file, last, value).ok_or_else(unwritable)
}

fn appended(file: &YamlFile<'_>, last: Id, value: &Value) -> Option<Patch> {
    let (tree, source) = (&file.tree, file.text);
    if file.context(last).is_in_flow || tree.node(last).kind != (Kind::Mapping { is_flow: false }) {
        return None;
    }
    let (first_key, _) = tree.entries(last).next()?;
    let (_, last_value) = tree.entries(last).last()?;
    let Kind::Scalar(ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) =
        tree.node(last_value).kind
    else {
        return None;
    };
    let key = tree.span(first_key).start;
    let head = &source[line_start(source, key)..key];
    let dash = head.trim_end();
    // Nothing else is on the line, such as another dash or a key.
    if dash.trim_start() != "-" {
        return None;
    }
    let end = line_end(source, tree.span(last_value).end);
    let line_break = line_break(source, end);
    let context = file.context(first_key);
    let entries = value.as_object()?.iter().enumerate().map(|(index, (key, value))| {
        let indent = if index == 0 { head.to_owned() } else { " ".repeat(head.len()) };
        format!("{indent}{key}: {}", inline(value, ScalarStyle::Plain, context))
    });
    let text = entries.collect::<Vec<_>>().join(line_break);
    let is_whole = source[..end].ends_with('\n');
    let text = if is_whole { format!("{text}{line_break}") } else { format!("{line_break}{text}") };
    Some(Patch { range: end..end, text })
}

/// Takes the entry of a value away, with its line where it has one of its own.
pub(crate) fn removal(file: &YamlFile<'_>, value: Id) -> Result<Patch, EditError> {
    let unwritable = || EditError::Unwritable {
        place: file.place(value),
        problem: "this entry is to go, and cannot be taken away alone: remove it by hand",
    };
    let range = removed(file, value).ok_or_else(unwritable)?;
    Ok(Patch { range, text: String::new() })
}

fn removed(file: &YamlFile<'_>, value: Id) -> Option<Range<usize>> {
    let (tree, source) = (&file.tree, file.text);
    let key = tree.key_of(value)?;
    let mapping = tree.parent(value)?;
    let is_block = matches!(
        tree.node(value).kind,
        Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded)
            | Kind::Sequence { .. }
            | Kind::Mapping { .. }
    );
    if is_block || tree.anchor(value).is_some() {
        return None;
    }
    let start = tree.span(key).start;
    // With the colon behind the key: where there is none, it follows a question mark, and the file may end there.
    let end = tree.span(value).end.max(tree.span(key).end + 1).min(source.len());
    let before = tree.entries(mapping).take_while(|entry| entry.0 != key).last();
    let next = tree.entries(mapping).skip_while(|entry| entry.0 != key).nth(1);
    if file.context(value).is_in_flow {
        // With the comma before it, or else with the one behind it.
        let (from, to) = match (before, next) {
            (Some((_, before)), _) => (source.get(tree.span(before).end..start)?, tree.span(before).end..end),
            (None, Some((next, _))) => {
                (source.get(end..tree.span(next).start)?, start..tree.span(next).start)
            }
            (None, None) => return None,
        };
        return from.chars().all(|c| c == ',' || c.is_whitespace()).then_some(to);
    }
    let line = line_start(source, start);
    let line_before = source[..line].trim_end().rsplit('\n').next().unwrap_or_default();
    if line_before.trim_start_matches([' ', '-']) == "?" {
        return None;
    }
    if source[line..start].trim().is_empty() {
        return Some(line..line_end(source, end));
    }
    // It is behind a dash: the next entry takes its place there.
    let next = tree.span(next?.0).start;
    let between = source.get(line_end(source, end)..next)?;
    between.trim().is_empty().then_some(start..next)
}

fn line_start(source: &str, at: usize) -> usize {
    source[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Behind the line break of the line that a byte is in, or the end of the text.
fn line_end(source: &str, at: usize) -> usize {
    source[at..].find('\n').map_or(source.len(), |end| at + end + 1)
}

/// How the line in front of a byte ends; where there is none, how the first one does.
fn line_break(source: &str, at: usize) -> &'static str {
    let end = source[..at].rfind('\n').or_else(|| source.find('\n'));
    if end.is_some_and(|end| source[..end].ends_with('\r')) { "\r\n" } else { "\n" }
}
