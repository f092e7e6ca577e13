//! Masks for what names list items: elements of paths, and of the field sets in managedFields.

use serde_json::{Map, Value};

use super::marks::{Marked, Object};
use crate::path::key_item;
use crate::{FieldPath, PathElement, canonical};

/// Gives the mask of a value.
pub(super) type Mask<'m> = &'m mut dyn FnMut(&Value) -> String;

impl Marked<'_> {
    /// Whether all that is at this way is masked, going by the way alone. `loose` says that nothing is there to look at: then
    /// an item that a path names by position may be any item.
    fn covers(&self, way: &[PathElement], secret: bool, loose: bool) -> bool {
        let covers = |path: &FieldPath| {
            path.len() == way.len()
                && path.elements().iter().zip(way).all(|(marked, element)| may_be(marked, element, loose))
        };
        secret && is_value_of_secret(way) || self.paths.iter().any(covers)
    }

    /// Whether all that is at this way is masked; `found` is what is there.
    pub(super) fn hides(&self, way: &[PathElement], found: &[&Value], secret: bool) -> bool {
        found.iter().any(|node| self.contains(node)) || self.covers(way, secret, found.is_empty())
    }

    /// The last element of a way with masks; `None` if it tells nothing masked. `found` is what is there.
    pub(super) fn masked(
        &self,
        way: &[PathElement],
        found: &[&Value],
        secret: bool,
        mask: Mask<'_>,
    ) -> Option<PathElement> {
        match way.last()? {
            PathElement::Value(value) if !value.is_null() && self.hides(way, found, secret) => {
                Some(PathElement::Value(mask(value).into()))
            }
            PathElement::Key(key) => {
                let all = self.hides(way, found, secret);
                let is_hidden = |name: &str| {
                    all || {
                        let values: Vec<_> = found.iter().filter_map(|item| item.get(name)).collect();
                        let way: Vec<_> = way.iter().cloned().chain([PathElement::field(name)]).collect();
                        // A field that the item lacks has its default.
                        values.iter().any(|node| self.contains(node))
                            || self.covers(&way, secret, found.is_empty())
                    }
                };
                let is_told =
                    |(name, value): (&std::sync::Arc<str>, &Value)| !value.is_null() && is_hidden(name);
                key.iter().any(is_told).then(|| {
                    let fields = key.iter().map(|(name, value)| {
                        let value = if is_told((name, value)) { mask(value).into() } else { value.clone() };
                        (name.clone(), value)
                    });
                    PathElement::Key(fields.collect())
                })
            }
            _ => None,
        }
    }

    /// Whether the elements of a field set tell something masked.
    pub(super) fn tells(&self, fields: &Value, object: Object<'_>) -> bool {
        let mut tells = false;
        self.fields(fields, object, &mut |_| {
            tells = true;
            String::new()
        });
        tells
    }

    /// A field set of an object with masks. What it has below a masked field is one mask.
    pub(super) fn fields(&self, fields: &Value, object: Object<'_>, mask: Mask<'_>) -> Value {
        let mut copier = Copier { marked: self, secret: object.secret, way: Vec::new(), mask };
        copier.level(fields, Some(object.root))
    }
}

struct Copier<'m> {
    marked: &'m Marked<'m>,
    secret: bool,
    way: Vec<PathElement>,
    mask: Mask<'m>,
}

impl Copier<'_> {
    fn level(&mut self, fields: &Value, at: Option<&Value>) -> Value {
        let map = match fields {
            Value::Null => return Value::Null,
            Value::Object(map) => map,
            odd => return (self.mask)(odd).into(),
        };
        let mut copied = Map::new();
        if let Some(dot) = map.get(".") {
            copied.insert(".".to_owned(), self.level(dot, None));
        }
        if map.len() == copied.len() {
            return Value::Object(copied);
        }
        let is_hidden = !self.way.is_empty() && self.marked.hides(&self.way, at.as_slice(), self.secret);
        if is_hidden {
            let all = PathElement::Value((self.mask)(fields).into());
            copied.insert(spelled(&all), Value::Object(Map::new()));
            return Value::Object(copied);
        }
        for (text, below) in canonical::sorted(map) {
            if text == "." {
                continue;
            }
            let Ok(element) = PathElement::from_managed(text) else {
                // What cannot be read may be anything.
                let text = format!("f:{}", (self.mask)(&Value::from(text.as_str())));
                copied.insert(text, Value::Object(Map::new()));
                continue;
            };
            let item = at.and_then(|node| element.of(node));
            self.way.push(element);
            let masked = self.marked.masked(&self.way, item.as_slice(), self.secret, self.mask);
            let name = masked.map_or_else(|| text.clone(), |element| spelled(&element));
            let below = self.level(below, item);
            self.way.pop();
            merge(copied.entry(name).or_insert(Value::Null), below);
        }
        Value::Object(copied)
    }
}

/// An element as it is written in a field set, without the escapes by which Go keeps `<` out of HTML: a mask is for people.
fn spelled(element: &PathElement) -> String {
    match element {
        PathElement::Value(value) => format!("v:{value}"),
        PathElement::Key(key) => format!("k:{}", key_item(key)),
        other => other.to_managed(),
    }
}

/// Elements with the same mask are one.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => {
            if into.is_null() {
                *into = from;
            }
        }
    }
}

/// Whether a way leads to a value in a Secret's `data` or `stringData`.
fn is_value_of_secret(way: &[PathElement]) -> bool {
    let [PathElement::Field(name), _] = way else { return false };
    ["data", "stringData"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether two elements may name the same field or item.
fn may_be(marked: &PathElement, element: &PathElement, loose: bool) -> bool {
    match (marked, element) {
        (PathElement::Index(_), PathElement::Index(_) | PathElement::Key(_) | PathElement::Value(_))
        | (PathElement::Key(_) | PathElement::Value(_), PathElement::Index(_))
            if loose =>
        {
            true
        }
        (PathElement::Index(index), PathElement::Field(name)) => **name == *index.to_string(),
        (PathElement::Key(marked), PathElement::Key(key)) => {
            marked.iter().all(|(name, want)| match key.get(name) {
                Some(have) => canonical::same(have, want),
                None => loose,
            })
        }
        (marked, element) => marked == element,
    }
}
