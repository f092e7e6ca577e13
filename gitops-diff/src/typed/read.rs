//! Reading a managedFields entry against the schema, which may have changed since it was written
//! (`typed/reconcile_schema.go`).

use serde_json::{Map, Value};

use super::{Shape, Shapes};
use crate::field_set::{FieldSetError, Node, element, entries};
use crate::schema::{MapType, Type};
use crate::{FieldSet, PathElement};

/// The set, and whether it is to the letter what was read.
pub(crate) struct ReadFields {
    pub(crate) fields: FieldSet,
    pub(crate) is_verbatim: bool,
}

/// Reads the `fieldsV1` of an entry. Where the entry names fields inside what has become one value, it has that value
/// instead.
pub(crate) fn read_fields(fields: &Value, ty: Type<'_>) -> Result<ReadFields, FieldSetError> {
    let mut reader = Reader { is_verbatim: fields.is_object() };
    let (member, fields) = reader.level(fields, Some(ty))?;
    reader.is_verbatim &= !member || fields.is_empty();
    Ok(ReadFields { fields, is_verbatim: reader.is_verbatim })
}

/// Whether reading the `fieldsV1` of an entry certainly gives to the letter what is written, and something: then there
/// is no hurry to read it.
pub(crate) fn is_verbatim(fields: &Value, ty: Type<'_>) -> bool {
    match fields {
        Value::Object(map) => !map.is_empty() && !map.contains_key(".") && is_level_verbatim(map, Some(ty)),
        _ => false,
    }
}

fn is_level_verbatim(map: &Map<String, Value>, ty: Option<Type<'_>>) -> bool {
    let below = Below::of(ty);
    map.iter().all(|(text, child)| {
        let Value::Object(child) = child else { return false };
        let ty = match text.strip_prefix("f:") {
            // Nearly all are leaves.
            Some(_) if child.is_empty() => return true,
            Some(name) => below.type_of(name),
            None if text == "." => return child.is_empty() && map.len() > 1,
            None if is_plain_key(text) => below.other,
            None => match element(text) {
                Ok(Some(element)) if element.to_managed() == *text => below.other,
                _ => return false,
            },
        };
        child.is_empty() || (!ty.is_some_and(is_one_value) && is_level_verbatim(child, ty))
    })
}

/// Whether an element is a key of one field with a text, and nothing in it can be spelled in another way.
fn is_plain_key(text: &str) -> bool {
    let is_plain = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b' '))
    };
    let inner = text.strip_prefix("k:{\"").and_then(|text| text.strip_suffix("\"}"));
    inner
        .and_then(|inner| inner.split_once("\":\""))
        .is_some_and(|(name, value)| is_plain(name) && is_plain(value))
}

struct Reader {
    is_verbatim: bool,
}

impl Reader {
    fn level(&mut self, fields: &Value, ty: Option<Type<'_>>) -> Result<(bool, FieldSet), FieldSetError> {
        let Some(map) = entries(fields)? else {
            self.is_verbatim = false;
            return Ok((true, FieldSet::new()));
        };
        // Nearly all are leaves.
        if map.is_empty() {
            return Ok((true, FieldSet::new()));
        }
        let below = Below::of(ty);
        let mut member = false;
        let mut nodes = Vec::with_capacity(map.len());
        for (text, child) in map {
            if let Some(name) = text.strip_prefix("f:") {
                let (element, ty) = below.field(name);
                nodes.push(self.node(element, child, ty)?);
            } else if text == "." {
                member = true;
                self.is_verbatim &= child.as_object().is_some_and(Map::is_empty);
            } else if let Some(element) = element(text)? {
                self.is_verbatim &= element.to_managed() == *text;
                nodes.push(self.node(element, child, below.other)?);
            } else {
                self.is_verbatim = false;
            }
        }
        let count = nodes.len();
        let fields = FieldSet::of_nodes(nodes);
        self.is_verbatim &= fields.nodes().len() == count && !fields.is_empty();
        Ok((member || fields.is_empty(), fields))
    }

    fn node(
        &mut self,
        element: PathElement,
        fields: &Value,
        ty: Option<Type<'_>>,
    ) -> Result<Node, FieldSetError> {
        let (mut member, mut children) = match self.level(fields, ty) {
            Ok(read) => read,
            Err(error) => return Err(error.below(element)),
        };
        if !children.is_empty() && ty.is_some_and(is_one_value) {
            member = true;
            children = FieldSet::new();
            self.is_verbatim = false;
        }
        Ok(Node { element, member, children })
    }
}

/// The shape that a type is taken for where there is no value to decide it.
fn shape(ty: Type<'_>) -> Shape {
    Shapes::of_type(ty).handled()
}

fn is_one_value(ty: Type<'_>) -> bool {
    match shape(ty) {
        Shape::Map => ty.is_atomic_map(),
        Shape::List => super::associative(ty).is_none(),
        Shape::Scalar => false,
    }
}

/// What the schema says about the elements of a level.
struct Below<'s> {
    /// Whose names are shared.
    map: Option<MapType<'s>>,
    /// Whether the types below count. They do not where nothing is known but that values may be anything: such a type
    /// cannot change.
    is_typed: bool,
    other: Option<Type<'s>>,
}

impl<'s> Below<'s> {
    fn of(ty: Option<Type<'s>>) -> Self {
        let Some(ty) = ty else { return Self { map: None, is_typed: false, other: None } };
        match (shape(ty), ty.map()) {
            (Shape::Map, Some(map)) => {
                let is_deduced = map.fields().len() == 0
                    && map.element().is_some_and(|element| element.is_untyped() && !element.is_atomic_map());
                let is_typed = !is_deduced;
                Self { map: Some(map), is_typed, other: map.element().filter(|_| is_typed) }
            }
            (Shape::List, _) => Self { map: None, is_typed: true, other: ty.list().map(|list| list.item()) },
            _ => Self { map: None, is_typed: false, other: None },
        }
    }

    fn field(&self, name: &str) -> (PathElement, Option<Type<'s>>) {
        match self.map.and_then(|map| map.field(name)) {
            Some(field) => {
                (PathElement::Field(field.name().clone()), Some(field.ty()).filter(|_| self.is_typed))
            }
            None => (PathElement::field(name), self.other),
        }
    }

    fn type_of(&self, name: &str) -> Option<Type<'s>> {
        let map = self.map.filter(|_| self.is_typed)?;
        map.field(name).map(|field| field.ty()).or(self.other)
    }
}
