//! Reading only that part of a live object which a merge looks at.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The object in a JSON text, without the top-level fields, metadata, labels and annotations that none of `like` has.
///
/// Three-way merges never look at these: what only the live object has is left as it is. They are most of a live object:
/// its status, its managed fields, and what was last applied. What is passed over is looked at only as far as it takes to
/// find its end.
pub(crate) fn parse_like(json: &[u8], like: [&Value; 2]) -> serde_json::Result<Value> {
    let full = || serde_json::from_slice(json);
    let Ok(text) = str::from_utf8(json) else { return full() };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let part = Part { like: like.map(Value::as_object), at: Place::Object };
    match part.deserialize(&mut deserializer) {
        Ok(map) => deserializer.end().map(|()| Value::Object(map)),
        // No map where one has to be, or no JSON: let a parser say what it is.
        Err(_) => full(),
    }
}

/// Where in an object a map is.
#[derive(Clone, Copy)]
enum Place {
    Object,
    Metadata,
    /// Labels or annotations.
    Texts,
}

/// A map of which only some fields are read.
struct Part<'l> {
    like: [Option<&'l Map<String, Value>>; 2],
    at: Place,
}

impl<'l> Part<'l> {
    /// The map below, if only a part of it is to be read.
    fn below(&self, name: &str) -> Option<Part<'l>> {
        let at = match (self.at, name) {
            (Place::Object, "metadata") => Place::Metadata,
            (Place::Metadata, "labels" | "annotations") => Place::Texts,
            _ => return None,
        };
        Some(Part { like: self.like.map(|map| map?.get(name)?.as_object()), at })
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(Name(name)) = fields.next_key()? {
            if !self.like.iter().flatten().any(|like| like.contains_key(&*name)) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = match self.below(&name) {
                Some(part) => Value::Object(fields.next_value_seed(part)?),
                None => fields.next_value()?,
            };
            map.insert(name.into_owned(), value);
        }
        Ok(map)
    }
}

/// The name of a field, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
