//! Block scalars: texts of several lines below a `|` or a `>`.

use std::ops::Range;

use crate::resolve::is_shown;
use crate::tree::{Id, Kind, Tree};
use crate::write::Patch;

/// Where the parts of a block scalar are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// `|` or `>`, and the indicators behind it.
    pub(crate) header: Range<usize>,
    /// The lines below. Blank lines at the end belong to it only if they count.
    content: Range<usize>,
}

impl Block {
    /// Finds the header in front of a content, which is all that the parser tells of.
    pub(crate) fn find(tree: &Tree<'_>, source: &str, id: Id) -> Option<Self> {
        let span = tree.span(id);
        let behind = |range: Option<Range<usize>>| range.map_or(0, |range| range.end);
        let before = id.checked_sub(1).map_or(0, |before| match tree.node(before).kind {
            // It is the first value in there.
            Kind::Sequence { is_flow: false } | Kind::Mapping { is_flow: false } => tree.span(before).start,
            _ => tree.span(before).end,
        });
        let from = before.max(behind(tree.tag(id))).max(behind(tree.anchor(id)));
        let start = find_header(source, from)?;
        let line = source.get(start..)?;
        let first_line = start + line.find('\n').map_or(line.len(), |end| end + 1);
        let indicators =
            line[1..].bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-')).count();
        let header = start..start + 1 + indicators;
        let mut end = span.end.max(first_line);
        // The parser may go on into the indentation of what follows.
        let last = source.get(first_line..end)?;
        if end < source.len() && !last.ends_with('\n') {
            end = first_line + last.rfind('\n').map_or(0, |at| at + 1);
        }
        if !source[header.clone()].contains('+') {
            end = first_line + without_blank_lines(source.get(first_line..end)?).len();
        }
        Some(Self { header, content: first_line..end })
    }

    /// The new text as a block scalar, if it can be one without changing what is around it.
    pub(crate) fn patches(&self, source: &str, new: &str, old: &str) -> Option<Vec<Patch>> {
        let content = &source[self.content.clone()];
        let indent = indentation(content, old)?;
        let body = new.trim_end_matches('\n');
        let trailing = new.len() - body.len();
        let is_writable = |c: char| is_shown(c) || c == '\n';
        // Lines that begin with a space, and blank ones at the top, are ambiguous without an indicator.
        if body.is_empty() || body.starts_with([' ', '\t', '\n']) || !body.chars().all(is_writable) {
            return None;
        }
        let header = &source[self.header.clone()];
        let keeps = header.contains('+');
        if trailing > 1 && !keeps {
            return None;
        }
        let can_fold =
            !body.split('\n').any(|line| line.starts_with([' ', '\t']) || line.ends_with([' ', '\t']));
        let style = if header.starts_with('>') && can_fold { '>' } else { '|' };
        let digits: String = header.chars().filter(char::is_ascii_digit).collect();
        let chomping = match trailing {
            0 => "-",
            1 if !keeps => "",
            _ => "+",
        };
        let end = self.line_end(source);
        let mut text = String::with_capacity(new.len() * 2);
        for line in lines(body, style) {
            if !line.is_empty() {
                text.extend(std::iter::repeat_n(' ', indent));
                text.push_str(line);
            }
            text.push_str(end);
        }
        (1..trailing).for_each(|_| text.push_str(end));
        // Without a line break at the end of the file, readers disagree on whether the text ends with one.
        if self.is_cut_off(source) && trailing == 0 {
            text.truncate(text.len() - end.len());
        }
        Some(vec![
            Patch { range: self.header.clone(), text: format!("{style}{digits}{chomping}") },
            Patch { range: self.content.clone(), text },
        ])
    }

    /// A value on one line in the place of the block. A comment behind the header stays.
    pub(crate) fn patches_inline(&self, source: &str, value: &str) -> Vec<Patch> {
        let mut content = self.content.clone();
        if self.is_cut_off(source) {
            // There was no line break at the end of the file: the one behind the header goes.
            content.start -= self.line_end(source).len();
        }
        vec![
            Patch { range: self.header.clone(), text: value.to_owned() },
            Patch { range: content, text: String::new() },
        ]
    }

    /// Whether the file ends in the last line of the content.
    fn is_cut_off(&self, source: &str) -> bool {
        !self.content.is_empty() && self.content.end == source.len() && !source.ends_with('\n')
    }

    /// How the line of the header ends.
    fn line_end(&self, source: &str) -> &'static str {
        if source[..self.content.start].ends_with("\r\n") { "\r\n" } else { "\n" }
    }
}

/// The first `|` or `>` behind the value before; indicators, line breaks and comments may stand between them.
fn find_header(source: &str, from: usize) -> Option<usize> {
    let mut rest = source.get(from..)?;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ':', '-', '?', ',', ']', '}']);
        match rest.chars().next()? {
            '|' | '>' => return Some(source.len() - rest.len()),
            '#' => rest = rest.find('\n').and_then(|end| rest.get(end..))?,
            _ => return None,
        }
    }
}

fn without_blank_lines(content: &str) -> &str {
    let kept = content.trim_end_matches([' ', '\t', '\r', '\n']);
    if kept.is_empty() {
        return kept;
    }
    let end = content[kept.len()..].find('\n').map_or(content.len(), |end| kept.len() + end + 1);
    &content[..end]
}

/// How many spaces of each line are not content: what the first line has more of than its text.
fn indentation(content: &str, old: &str) -> Option<usize> {
    let leading = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let written = content.lines().find(|line| !line.trim().is_empty())?;
    let said = old.lines().find(|line| !line.trim().is_empty())?;
    leading(written).checked_sub(leading(said)).filter(|indent| *indent > 0)
}

/// The lines of a text as they are written in a style. A folded line break is a space: to be one, it takes two.
fn lines(body: &str, style: char) -> impl Iterator<Item = &str> {
    let is_folded = style == '>';
    let mut after_text = false;
    body.split('\n').flat_map(move |line| {
        // One blank line more in each run of line breaks.
        let blank = (is_folded && after_text).then_some("");
        after_text = !line.is_empty();
        blank.into_iter().chain(std::iter::once(line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_lines_get_a_blank_one_between() {
        let folded = |text| lines(text, '>').collect::<Vec<_>>();
        assert_eq!(folded("a"), ["a"]);
        assert_eq!(folded("a\nb"), ["a", "", "b"]);
        assert_eq!(folded("a\n\nb"), ["a", "", "", "b"]);
        assert_eq!(lines("a\n\nb", '|').collect::<Vec<_>>(), ["a", "", "b"]);
    }

    #[test]
    fn a_header_is_found_behind_comments_and_line_breaks() {
        assert_eq!(find_header("a: |\n", 1), Some(3));
        assert_eq!(find_header("- # |\n  >-\n", 0), Some(8));
        assert_eq!(find_header("a: b", 1), None);
        assert_eq!(find_header("a: # x", 1), None);
    }
}
