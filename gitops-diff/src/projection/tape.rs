//! JSON text laid out as one list of tokens, which is far quicker to make than a tree: text without escapes is borrowed, and
//! nothing is put into maps.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::entry;
use super::tree::{Shape, Tree, field};

/// What `serde_json` names the one field of a number when it keeps numbers as they are written.
const NUMBER: &str = "$serde_json::private::Number";

#[derive(Debug)]
pub(crate) struct Tape<'a> {
    tokens: Vec<Token<'a>>,
    /// Whether the manager's entry was read, and has nothing of the status.
    skips_status: bool,
}

#[derive(Debug)]
enum Token<'a> {
    Null,
    Bool(bool),
    Number(Number),
    /// A value, or the name of a field.
    Text(Cow<'a, str>),
    /// The items come next, as far as to this token.
    List(usize),
    /// Name, value, name, value … come next, as far as to this token.
    Map(usize),
}

/// A value on a tape.
#[derive(Clone, Copy)]
pub(crate) struct OnTape<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
}

impl<'a> Tape<'a> {
    /// Reads the text of an object, but for the fields that managers other than `manager` own, and for the status if
    /// `manager` owns nothing of it and that is known when it comes. What is passed over is looked at only as far as it takes
    /// to find its end.
    pub(crate) fn of_object(json: &'a str, manager: &str) -> serde_json::Result<Self> {
        let mut tape = Self { tokens: Vec::with_capacity(json.len() / 16), skips_status: false };
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let numbers_as_written = serde_json::from_str::<Number>("1e999").is_ok();
        let reader = Reader { tape: &mut tape, manager, numbers_as_written, at: Place::Object };
        reader.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(tape)
    }

    pub(crate) fn root(&self) -> OnTape<'_> {
        OnTape { tokens: &self.tokens, at: 0 }
    }
}

impl OnTape<'_> {
    /// What comes after this value.
    fn end(self) -> usize {
        match self.tokens.get(self.at) {
            Some(Token::List(end) | Token::Map(end)) => *end,
            _ => self.at + 1,
        }
    }
}

impl<'t> Tree<'t> for OnTape<'t> {
    type Items = Items<'t>;
    type Fields = Fields<'t>;

    fn shape(self) -> Shape<'t, Self> {
        let inside = |end: usize| Items { tokens: self.tokens, at: self.at + 1, end };
        match self.tokens.get(self.at) {
            None | Some(Token::Null) => Shape::Null,
            Some(Token::Bool(b)) => Shape::Bool(*b),
            Some(Token::Number(n)) => Shape::Number(n),
            Some(Token::Text(s)) => Shape::Text(s),
            Some(Token::List(end)) => Shape::List(inside(*end)),
            Some(Token::Map(end)) => Shape::Map(Fields(inside(*end))),
        }
    }
}

/// The items of a list.
pub(crate) struct Items<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    end: usize,
}

impl<'t> Iterator for Items<'t> {
    type Item = OnTape<'t>;

    fn next(&mut self) -> Option<OnTape<'t>> {
        if self.at >= self.end.min(self.tokens.len()) {
            return None;
        }
        let item = OnTape { tokens: self.tokens, at: self.at };
        self.at = item.end();
        Some(item)
    }
}

/// The fields of a map.
pub(crate) struct Fields<'t>(Items<'t>);

impl<'t> Iterator for Fields<'t> {
    type Item = (&'t str, OnTape<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?;
        let value = self.0.next()?;
        match self.0.tokens.get(name.at) {
            Some(Token::Text(name)) => Some((name, value)),
            _ => None,
        }
    }
}

/// Where in an object the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Object,
    Metadata,
    Entries,
    Entry,
    Elsewhere,
}

impl Place {
    fn of_field(self, name: &str) -> Self {
        match (self, name) {
            (Self::Object, "metadata") => Self::Metadata,
            (Self::Metadata, "managedFields") => Self::Entries,
            _ => Self::Elsewhere,
        }
    }

    fn of_item(self) -> Self {
        if self == Self::Entries { Self::Entry } else { Self::Elsewhere }
    }
}

/// Appends one value to a tape.
struct Reader<'r, 'a> {
    tape: &'r mut Tape<'a>,
    manager: &'r str,
    numbers_as_written: bool,
    at: Place,
}

impl<'a> Reader<'_, 'a> {
    fn push(self, token: Token<'a>) {
        self.tape.tokens.push(token);
    }

    fn inside(&mut self, at: Place) -> Reader<'_, 'a> {
        Reader { tape: self.tape, manager: self.manager, numbers_as_written: self.numbers_as_written, at }
    }

    fn map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        let start = self.tape.tokens.len();
        self.tape.tokens.push(Token::Map(usize::MAX));
        let (mut foreign, mut told) = (false, false);
        while let Some(name) = map.next_key_seed(Text)? {
            if start + 1 == self.tape.tokens.len() && self.numbers_as_written && name == NUMBER {
                let number = map.next_value_seed(Text)?;
                let number = number.parse().map_err(|_| A::Error::custom("not a number"))?;
                self.tape.tokens.truncate(start);
                self.tape.tokens.push(Token::Number(number));
                return Ok(());
            }
            let skipped = match self.at {
                Place::Object => self.tape.skips_status && name == "status",
                Place::Entry => foreign && name == "fieldsV1",
                _ => false,
            };
            if skipped {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let (is_metadata, is_manager) = (
                self.at == Place::Object && name == "metadata",
                self.at == Place::Entry && name == "manager",
            );
            if is_metadata || is_manager {
                // What was passed over depends on them.
                if told {
                    return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                }
                told = true;
            }
            let at = self.at.of_field(&name);
            self.tape.tokens.push(Token::Text(name));
            let value = self.tape.tokens.len();
            map.next_value_seed(self.inside(at))?;
            if is_metadata {
                self.tape.skips_status = self.owns_no_status();
            }
            if is_manager {
                foreign =
                    !matches!(self.tape.tokens.get(value), Some(Token::Text(name)) if name == self.manager);
            }
        }
        self.close(start, Token::Map);
        Ok(())
    }

    fn list<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        let start = self.tape.tokens.len();
        self.tape.tokens.push(Token::List(usize::MAX));
        let at = self.at.of_item();
        while items.next_element_seed(self.inside(at))?.is_some() {}
        self.close(start, Token::List);
        Ok(())
    }

    fn close(&mut self, start: usize, token: fn(usize) -> Token<'a>) {
        let end = self.tape.tokens.len();
        if let Some(open) = self.tape.tokens.get_mut(start) {
            *open = token(end);
        }
    }

    fn owns_no_status(&self) -> bool {
        let fields =
            entry::apply_entry(self.tape.root(), self.manager).and_then(|(_, e)| field(e, "fieldsV1"));
        match fields.map(Tree::shape) {
            Some(Shape::Map(mut fields)) => !fields.any(|(element, _)| element == "f:status"),
            _ => false,
        }
    }
}

impl<'a> DeserializeSeed<'a> for Reader<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Reader<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.push(Token::Null);
        Ok(())
    }

    fn visit_bool<E>(self, b: bool) -> Result<(), E> {
        self.push(Token::Bool(b));
        Ok(())
    }

    fn visit_i64<E>(self, n: i64) -> Result<(), E> {
        self.push(Token::Number(n.into()));
        Ok(())
    }

    fn visit_u64<E>(self, n: u64) -> Result<(), E> {
        self.push(Token::Number(n.into()));
        Ok(())
    }

    fn visit_f64<E>(self, n: f64) -> Result<(), E> {
        self.push(Number::from_f64(n).map_or(Token::Null, Token::Number));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.push(Token::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.push(Token::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, items: A) -> Result<(), A::Error> {
        self.list(items)
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
        self.map(map)
    }
}

/// Text, borrowed where it has no escapes.
struct Text;

impl<'a> DeserializeSeed<'a> for Text {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Text {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
