//! Where the documents of a YAML stream begin and end.

/// One document's text, and the number of the line on which it begins, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) line: u32,
}

/// Splits a stream at the lines that begin with `---` or `...` (YAML 1.2, 9.1: neither can begin a line of a document's
/// content). Each document is read by itself, so that an error in one says nothing about the others.
pub(super) fn split(stream: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut start, mut start_line) = (0, 1);
    let (mut offset, mut line) = (0, 1);
    // `%` begins a directive only before a document: the marker that follows belongs to it.
    let mut directives = false;
    for row in stream.split_inclusive('\n') {
        let marks = |mark: &str| {
            row.strip_prefix(mark)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        };
        if marks("---") && !directives {
            documents.push(Document { text: &stream[start..offset], line: start_line });
            (start, start_line) = (offset, line);
        } else if marks("...") {
            documents.push(Document { text: &stream[start..offset], line: start_line });
            (start, start_line) = (offset + row.len(), line + 1);
        }
        directives = row.starts_with('%') || (directives && (row.starts_with('#') || row.trim().is_empty()));
        offset += row.len();
        line += 1;
    }
    documents.push(Document { text: &stream[start..], line: start_line });
    documents.retain(|document| !is_empty(document.text));
    documents
}

fn is_empty(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim_start();
        line.is_empty() || line.starts_with('#')
    })
}

/// The line of a document's first content, counted from its first line, from 0.
pub(super) fn first_content(text: &str) -> u32 {
    for (line, count) in text.lines().zip(0..) {
        let content = line.strip_prefix("---").unwrap_or(line).trim_start();
        if !content.is_empty() && !content.starts_with(['#', '%']) {
            return count;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(stream: &str) -> Vec<(&str, u32)> {
        split(stream).into_iter().map(|d| (d.text.trim(), d.line)).collect()
    }

    #[test]
    fn markers_part_documents() {
        assert_eq!(texts("a: 1\n---\nb: 2\n"), [("a: 1", 1), ("---\nb: 2", 2)]);
        assert_eq!(texts("---\n# only a comment\n---\nb: 2"), [("---\nb: 2", 3)]);
        assert_eq!(texts("a: 1\n...\nb: 2"), [("a: 1", 1), ("b: 2", 3)]);
        assert_eq!(texts("--- {a: 1}\n--- # next\nb: 2"), [("--- {a: 1}", 1), ("--- # next\nb: 2", 2)]);
        assert_eq!(texts("a: |\n  ---\n  x\n---more: 1\n"), [("a: |\n  ---\n  x\n---more: 1", 1)]);
        assert_eq!(texts("a: 1\r\n---\r\nb: 2\r\n").len(), 2);
        assert_eq!(texts("%YAML 1.2\n---\na: 1\n"), [("%YAML 1.2\n---\na: 1", 1)]);
        assert!(texts("\n---\n---\n# nothing\n").is_empty());
    }

    #[test]
    fn content_begins_after_comments() {
        assert_eq!(first_content("---\n# x\n\na: 1\n"), 3);
        assert_eq!(first_content("--- {a: 1}"), 0);
    }
}
