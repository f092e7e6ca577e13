//! Messages of commits: templates and trailers.

use std::collections::BTreeMap;

use gitops_core::one_line;

use super::WriteError;
use crate::explain::trailers;

/// A commit's message, or a template for it.
///
/// `{name}` stands for a value that the request gives ([`super::CommitRequest::with_value`]). One is always there:
/// `{changes}`, the notes of the edit ([`super::Files::note`]), or the changed files where it made none, one in a line. `{{`
/// and `}}` stand for braces.
///
/// ```
/// use gitops_git::write::Message;
/// let message = Message::new("Update {app}\n\n{changes}")?;
/// # let _ = message;
/// assert!(Message::new("Update {app").is_err());
/// # Ok::<(), gitops_git::write::WriteError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(String),
}

impl Message {
    /// Reads a template.
    ///
    /// # Errors
    /// [`WriteError::InvalidCommit`] for a brace without its other one, a name that is none, and a text that says nothing.
    pub fn new(template: &str) -> Result<Self, WriteError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, tail) = rest.split_at(at);
            text.push_str(before);
            if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
                text.push_str(&tail[..1]);
                rest = after;
                continue;
            }
            let name = tail.strip_prefix('{').and_then(|tail| tail.split_once('}'));
            let Some((name, after)) = name.filter(|(name, _)| is_name(name)) else {
                return Err(invalid(
                    "a brace of the template stands for nothing: write {name}, or {{ and }}",
                ));
            };
            parts.extend([Part::Text(std::mem::take(&mut text)), Part::Value(name.to_owned())]);
            rest = after;
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        let says = |part: &Part| match part {
            Part::Text(text) => !text.trim().is_empty(),
            Part::Value(_) => true,
        };
        if !parts.iter().any(says) {
            return Err(invalid("the message is empty"));
        }
        Ok(Self { parts })
    }

    /// A text that is used as it is.
    pub(super) fn plain(text: String) -> Self {
        Self { parts: vec![Part::Text(text)] }
    }

    pub(super) fn fill(
        &self,
        values: &BTreeMap<String, String>,
        changes: &[String],
    ) -> Result<String, WriteError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Value(name) => match values.get(name) {
                    Some(value) => text.push_str(&one_line(value)),
                    None if name == "changes" => {
                        let lines: Vec<_> =
                            changes.iter().map(|change| one_line(change).to_string()).collect();
                        text.push_str(&lines.join("\n"));
                    }
                    None => return Err(invalid(&format!("nothing was given for {{{name}}} of the message"))),
                },
            }
        }
        cleaned(&text)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}

fn invalid(reason: &str) -> WriteError {
    WriteError::InvalidCommit { reason: reason.into() }
}

/// As `git commit --cleanup=whitespace` leaves it: no blank lines at the ends, none in a row, no white space at the ends of
/// lines, and a line break at the end.
fn cleaned(text: &str) -> Result<String, WriteError> {
    if text.contains('\0') {
        return Err(invalid("the message holds a NUL"));
    }
    let mut clean = String::new();
    let mut blank = false;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            blank = !clean.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            clean.push('\n');
        }
        clean.extend([line, "\n"]);
    }
    if clean.is_empty() { Err(invalid("the message is empty")) } else { Ok(clean) }
}

/// Lines at the end of a message.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Vec<(String, String)>);

impl Trailers {
    pub(super) fn add(&mut self, key: &str, value: &str) -> Result<(), WriteError> {
        let is_key = !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        let value = one_line(value.trim()).to_string();
        if !is_key || value.is_empty() {
            return Err(invalid("a trailer is `Key: value`, with a key of letters, digits and '-'"));
        }
        self.0.push((key.to_owned(), value));
        Ok(())
    }

    /// Adds them to a message that ends with a line break, as `git interpret-trailers --trailer` does.
    pub(super) fn append(&self, message: &mut String) {
        for (key, value) in &self.0 {
            match trailers(message).last() {
                Some(last) if last.key.eq_ignore_ascii_case(key) && last.value == *value => continue,
                Some(_) => {}
                None => message.push('\n'),
            }
            message.extend([key, ": ", value, "\n"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, WriteError> {
        let values = BTreeMap::from([("app".to_owned(), "shop\nEvil: yes".to_owned())]);
        Message::new(template)?.fill(&values, &["M a.yaml".into(), "A b\nc".into()])
    }

    #[test]
    fn placeholders_are_filled_and_cannot_add_lines() {
        assert_eq!(filled("Update {app}").unwrap(), "Update shop Evil: yes\n");
        assert_eq!(filled("x\n\n{changes}").unwrap(), "x\n\nM a.yaml\nA b c\n");
        assert_eq!(filled("{{{app}}}").unwrap(), "{shop Evil: yes}\n");
        for wrong in ["", " \n", "{", "}", "{app", "{a b}", "{}", "{other}", "a\0b"] {
            assert!(filled(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn white_space_is_as_git_leaves_it() {
        assert_eq!(filled("\n\n a  \r\n\n\n\nb\t\n\n").unwrap(), " a\n\nb\n");
    }

    #[test]
    fn a_trailer_is_one_line() {
        let mut given = Trailers::default();
        given.add("Approved-by", "Ada\nEvil: yes").unwrap();
        given.add("Change", "1").unwrap();
        given.add("change", "1").unwrap();
        let mut message = "subject: it is\n".to_owned();
        given.append(&mut message);
        assert_eq!(message, "subject: it is\n\nApproved-by: Ada Evil: yes\nChange: 1\n");
        for (key, value) in [("", "a"), ("a b", "c"), ("a:", "c"), ("a\n", "c"), ("a", " "), ("ä", "c")] {
            assert!(Trailers::default().add(key, value).is_err(), "{key:?} {value:?}");
        }
    }
}
