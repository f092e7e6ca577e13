//! JSON: one value or several, one after the other; a key that is written twice is an error.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{DecodeError, DecodeLimits, DecodeProblem, Documents, Left, message, too_much};
use crate::{Place, RepoPath};

#[expect(clippy::result_large_err, reason = "made once for a file that cannot be used")]
pub(super) fn read(file: &RepoPath, text: &str, limits: &DecodeLimits) -> Result<Documents, DecodeError> {
    let mut stream = serde_json::Deserializer::from_str(text);
    let mut read = Vec::new();
    let mut left = Left::new(limits);
    let mut line = first_line(text);
    loop {
        if stream.end().is_ok() {
            return Ok(read);
        }
        if read.len() == limits.max_documents {
            return Err(too_much(file, "documents", limits.max_documents as u64));
        }
        let document = u32::try_from(read.len()).unwrap_or(u32::MAX).saturating_add(1);
        let place = |line, column| Place { file: file.clone(), line, column, document };
        let mut nodes_left = left.nodes();
        let strict = Strict { depth_left: limits.max_depth, nodes_left: &mut nodes_left };
        match strict.deserialize(&mut stream) {
            Ok(value) => {
                left.take(&value);
                read.push(Ok((place(std::mem::take(&mut line), 1), value)));
            }
            Err(error) => {
                let part = |n| u32::try_from(n).unwrap_or(u32::MAX);
                let at = place(part(error.line()), part(error.column()));
                let text = error.to_string();
                let text = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
                let problem = DecodeProblem::Syntax(message(text));
                // What follows cannot be told apart from the broken value.
                read.push(Err(DecodeError { place: at, problem }));
                return Ok(read);
            }
        }
    }
}

fn first_line(text: &str) -> u32 {
    let blank = text.len() - text.trim_start().len();
    u32::try_from(text[..blank].matches('\n').count()).unwrap_or(u32::MAX).saturating_add(1)
}

struct Strict<'a> {
    depth_left: usize,
    nodes_left: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(mut self, from: D) -> Result<Value, D::Error> {
        self.count()?;
        from.deserialize_any(self)
    }
}

impl Strict<'_> {
    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        *self.nodes_left = self.nodes_left.checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        Ok(())
    }

    fn below<E: serde::de::Error>(&mut self) -> Result<Strict<'_>, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Strict { depth_left, nodes_left: self.nodes_left })
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.below()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.count()?;
            let value = map.next_value_seed(self.below()?)?;
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is written twice")));
            }
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
