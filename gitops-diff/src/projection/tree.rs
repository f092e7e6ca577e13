//! What a walk needs to know of a tree, so that it does not matter who has read it.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use crate::canonical;

/// A value in a tree. Copying it copies a reference.
pub(crate) trait Tree<'t>: Copy {
    type Items: Iterator<Item = Self>;
    type Fields: Iterator<Item = (&'t str, Self)>;

    /// What it is, and what is in it.
    fn shape(self) -> Shape<'t, Self>;
}

/// What a value is. Of two fields of one name the last counts.
pub(crate) enum Shape<'t, T: Tree<'t>> {
    Null,
    Bool(bool),
    Number(&'t Number),
    Text(&'t str),
    List(T::Items),
    Map(T::Fields),
}

impl<'t> Tree<'t> for &'t Value {
    type Items = std::slice::Iter<'t, Value>;
    type Fields = Fields<'t>;

    fn shape(self) -> Shape<'t, Self> {
        match self {
            Value::Null => Shape::Null,
            Value::Bool(b) => Shape::Bool(*b),
            Value::Number(n) => Shape::Number(n),
            Value::String(s) => Shape::Text(s),
            Value::Array(items) => Shape::List(items.iter()),
            Value::Object(map) => Shape::Map(Fields(map.iter())),
        }
    }
}

/// The fields of a map of `serde_json`.
pub(crate) struct Fields<'t>(serde_json::map::Iter<'t>);

impl<'t> Iterator for Fields<'t> {
    type Item = (&'t str, &'t Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, child)| (name.as_str(), child))
    }
}

/// A copy of its own.
pub(crate) fn to_value<'t, T: Tree<'t>>(tree: T) -> Value {
    match tree.shape() {
        Shape::Null => Value::Null,
        Shape::Bool(b) => Value::Bool(b),
        Shape::Number(n) => Value::Number(n.clone()),
        Shape::Text(s) => Value::from(s),
        Shape::List(items) => items.map(to_value).collect(),
        Shape::Map(fields) => Value::Object(
            fields.map(|(name, child)| (name.to_owned(), to_value(child))).collect::<Map<_, _>>(),
        ),
    }
}

/// The order of [`canonical::cmp`].
pub(crate) fn cmp<'t, T: Tree<'t>>(tree: T, value: &Value) -> Ordering {
    match (tree.shape(), value) {
        (Shape::Text(x), Value::String(y)) => x.cmp(y.as_str()),
        (Shape::Number(x), Value::Number(y)) => canonical::cmp_numbers(x, y),
        (Shape::Bool(x), Value::Bool(y)) => x.cmp(y),
        _ => canonical::cmp(&to_value(tree), value),
    }
}

/// The field of a map.
pub(crate) fn field<'t, T: Tree<'t>>(tree: T, name: &str) -> Option<T> {
    match tree.shape() {
        Shape::Map(fields) => fields.filter(|(known, _)| *known == name).last().map(|(_, child)| child),
        _ => None,
    }
}

/// The field of a map, if it is text.
pub(crate) fn text<'t, T: Tree<'t>>(tree: T, name: &str) -> Option<&'t str> {
    match field(tree, name)?.shape() {
        Shape::Text(text) => Some(text),
        _ => None,
    }
}
