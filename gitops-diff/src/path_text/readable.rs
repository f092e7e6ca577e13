//! The readable form.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

use super::PathError;
use crate::text::json_text;
use crate::{FieldPath, ItemKey, PathElement};

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        self.elements().iter().try_for_each(|element| element.fmt(f))
    }
}

impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) if is_plain(name) => write!(f, ".{name}"),
            Self::Field(name) => write!(f, "[{}]", quoted(name)),
            Self::Key(key) if key.is_empty() => f.write_str("[{}]"),
            Self::Key(key) => {
                f.write_str("[")?;
                for (i, (name, value)) in key.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    if is_plain(name) {
                        write!(f, "{comma}{name}={}", json_text(value))?;
                    } else {
                        write!(f, "{comma}{}={}", quoted(name), json_text(value))?;
                    }
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={}]", json_text(value)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Names that need no quotes: letters, digits, `_`, `-` and `$`, not beginning with a digit or `-`.
fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '$'))
        && chars.all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$')
}

fn quoted(name: &str) -> String {
    json_text(&Value::String(name.to_owned()))
}

impl FromStr for FieldPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut path = Self::root();
        if matches!(text, "" | ".") {
            return Ok(path);
        }
        let mut reader = Reader { text, at: 0 };
        while reader.at < text.len() {
            path.push(reader.element()?);
        }
        Ok(path)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, PathError> {
        Err(PathError::Syntax { text: self.text.to_owned(), at: self.at, expected })
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), PathError> {
        if self.eat(token) { Ok(()) } else { self.fail(expected) }
    }

    fn element(&mut self) -> Result<PathElement, PathError> {
        if self.eat(".") {
            return Ok(PathElement::field(self.plain()?));
        }
        self.expect("[", "\".\" or \"[\"")?;
        if self.eat("=") {
            let value = self.json()?;
            self.expect("]", "\"]\"")?;
            return Ok(PathElement::Value(value));
        }
        if self.eat("{}") {
            self.expect("]", "\"]\"")?;
            return Ok(PathElement::Key(ItemKey::from([])));
        }
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return self.index();
        }
        let name = self.name()?;
        if self.eat("]") {
            return Ok(PathElement::Field(name));
        }
        self.key(name)
    }

    fn index(&mut self) -> Result<PathElement, PathError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let Some(index) = rest.get(..end).and_then(|digits| digits.parse().ok()) else {
            return self.fail("a position that this machine can count to");
        };
        self.at += end;
        self.expect("]", "\"]\"")?;
        Ok(PathElement::Index(index))
    }

    fn key(&mut self, first: Arc<str>) -> Result<PathElement, PathError> {
        let mut fields: Vec<(Arc<str>, Value)> = Vec::new();
        let mut name = first;
        loop {
            self.expect("=", "\"=\" and a value, or \"]\"")?;
            fields.push((name, self.json()?));
            if self.eat("]") {
                let given = fields.len();
                let key: ItemKey = fields.into_iter().collect();
                return if key.len() == given {
                    Ok(PathElement::Key(key))
                } else {
                    self.fail("each key field once")
                };
            }
            self.expect(",", "\",\" or \"]\"")?;
            name = self.name()?;
        }
    }

    /// A name, quoted or plain.
    fn name(&mut self) -> Result<Arc<str>, PathError> {
        if self.rest().starts_with('"') {
            return match self.json()? {
                Value::String(name) => Ok(name.into()),
                _ => self.fail("a quoted name"),
            };
        }
        Ok(self.plain()?.into())
    }

    fn plain(&mut self) -> Result<&'a str, PathError> {
        let rest = self.rest();
        let end = rest.find(|c| !is_plain_char(c)).unwrap_or(rest.len());
        match rest.get(..end) {
            Some(name) if is_plain(name) => {
                self.at += end;
                Ok(name)
            }
            _ => self.fail(
                "a name; names with other characters than letters, digits, \"_\", \"-\" are written [\"…\"]",
            ),
        }
    }

    /// One JSON value, up to where it ends.
    fn json(&mut self) -> Result<Value, PathError> {
        let rest = self.rest();
        // A bare number is not self-delimiting for the stream reader: what ends it here is cut off first.
        if rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let end = rest.find([',', ']']).unwrap_or(rest.len());
            return match rest.get(..end).map(serde_json::from_str) {
                Some(Ok(value)) => {
                    self.at += end;
                    Ok(value)
                }
                _ => self.fail("a JSON value"),
            };
        }
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                self.at += stream.byte_offset();
                Ok(value)
            }
            _ => self.fail("a JSON value"),
        }
    }
}
