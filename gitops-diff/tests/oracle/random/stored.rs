//! Objects for the server's defaults: such as an API server takes, with something in their atomic lists and maps.

use gitops_diff::TypeRef;
use gitops_diff::schema::{ListKind, Type};
use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::values::{Maker, without_duplicates};

/// What the server says of an object, and what is not compared.
const OF_THE_SERVER: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// A built-in kind, and the places of its atomic lists and maps.
#[derive(Debug)]
pub(crate) struct Places {
    kind: TypeRef<'static>,
    ty: Type<'static>,
    atomic: Vec<Vec<Step>>,
}

/// A step down into a type.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// An item of a list, or a value of a map with any keys.
    Member,
}

impl Places {
    pub(crate) fn of(kind: TypeRef<'static>, ty: Type<'static>) -> Self {
        let mut atomic = Vec::new();
        find(ty, &mut Vec::new(), &mut Vec::new(), &mut atomic);
        Self { kind, ty, atomic }
    }

    /// An object with something in so many of the places, and so many values besides, about.
    pub(crate) fn object(&self, dice: &mut Dice, places: usize, besides: usize) -> Value {
        let chosen: Vec<&[Step]> = match self.atomic.len() {
            0 => Vec::new(),
            _ => (0..places).map(|_| dice.pick(&self.atomic).as_slice()).collect(),
        };
        let mut maker = Maker::tidy(dice, besides);
        let mut object = self.ty.map().map(|map| maker.fields(map, &OF_THE_SERVER)).unwrap_or_default();
        lead(&mut maker, &mut object, self.ty, &chosen);
        let TypeRef { group, version, kind } = self.kind;
        let version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        object.insert("apiVersion".to_owned(), json!(version));
        object.insert("kind".to_owned(), json!(kind));
        object.insert("metadata".to_owned(), json!({"name": "x"}));
        Value::Object(object)
    }
}

fn find(ty: Type<'static>, way: &mut Vec<Step>, above: &mut Vec<Type<'static>>, found: &mut Vec<Vec<Step>>) {
    if above.contains(&ty) {
        return;
    }
    above.push(ty);
    let mut down = |step, ty, above: &mut _| {
        way.push(step);
        find(ty, way, above, found);
        way.pop();
    };
    if let Some(list) = ty.list() {
        down(Step::Member, list.item(), above);
        let is_structure = list.item().map().is_some_and(|map| map.fields().len() > 0);
        if is_structure && matches!(list.kind(), ListKind::Atomic) {
            found.push(way.clone());
        }
    } else if let Some(map) = ty.map() {
        let is_root = above.len() == 1;
        for field in map.fields().filter(|field| !is_root || !OF_THE_SERVER.contains(&&**field.name())) {
            down(Step::Field(field.name().to_string()), field.ty(), above);
        }
        if let Some(element) = map.element() {
            down(Step::Member, element, above);
        }
        if map.is_atomic() && map.fields().len() > 0 {
            found.push(way.clone());
        }
    }
    above.pop();
}

/// Puts something at the ends of ways down into a structure.
fn lead(maker: &mut Maker<'_>, map: &mut Map<String, Value>, ty: Type<'_>, ways: &[&[Step]]) {
    for (at, way) in ways.iter().enumerate() {
        let Some(Step::Field(name)) = way.first() else { continue };
        let is_same = |other: &&&[Step]| other.first() == way.first();
        if ways[..at].iter().any(|other| is_same(&other)) {
            continue;
        }
        let below: Vec<&[Step]> = ways.iter().filter(is_same).map(|way| &way[1..]).collect();
        let value = end(maker, ty.child_or_deduced(name), &below);
        map.insert(name.clone(), value);
    }
}

/// A value with something at the ends of ways.
fn end(maker: &mut Maker<'_>, ty: Type<'_>, ways: &[&[Step]]) -> Value {
    maker.left = maker.left.max(4);
    if let Some(list) = ty.list() {
        let below: Vec<&[Step]> = ways.iter().filter_map(|way| way.get(1..)).collect();
        let mut items: Vec<Value> =
            (0..=maker.dice.below(2)).map(|_| maker.item(list.kind(), list.item())).collect();
        if let (false, Some(Value::Object(first))) = (below.is_empty(), items.first_mut()) {
            lead(maker, first, list.item(), &below);
        }
        without_duplicates(list.kind(), &mut items);
        return Value::Array(items);
    }
    let Some(map) = ty.map() else { return maker.proper(ty) };
    let mut made = maker.fields(map, &[]);
    let values: Vec<&[Step]> = ways.iter().filter_map(|way| way.strip_prefix(&[Step::Member])).collect();
    if let (false, Some(element)) = (values.is_empty(), map.element()) {
        made.insert("a".to_owned(), end(maker, element, &values));
    }
    lead(maker, &mut made, ty, ways);
    Value::Object(made)
}
