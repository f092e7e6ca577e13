//! Which fields a change added, modified and removed (`typed/compare.go`).

use serde_json::{Map, Value};

use super::items::Items;
use super::validate::{Invalid, Violation, ViolationKind};
use super::{Hidden, Shape, Shapes, associative, child_of, element_of, equal};
use crate::field_set::Node;
use crate::schema::{MapType, Type};
use crate::{FieldPath, FieldSet, PathElement};

/// What changed from one value to another. No field is in more than one of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that only the new value has: leaves, and the maps and list items that hold them.
    pub added: FieldSet,
    /// Fields that both have, with different values.
    pub modified: FieldSet,
    /// Fields that only the old value has: leaves, and the maps and list items that held them.
    pub removed: FieldSet,
}

impl Comparison {
    /// Whether nothing changed. The order of keyed lists and sets is no change.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }
}

/// Which fields changed from `from` to `to`.
///
/// Numbers are equal by value. A list item that is there twice on both sides is compared as one value. The error names
/// lists whose items cannot be told apart.
pub fn compare(from: &Value, to: &Value, ty: Type<'_>) -> Result<Comparison, Invalid> {
    let (comparison, violations) = run(from, to, ty, Hidden::default());
    Invalid::unless_empty(violations).map(|()| comparison)
}

/// Like [`compare`]; a list whose items cannot be told apart is compared as one value.
pub(crate) fn compare_hiding(from: &Value, to: &Value, ty: Type<'_>, hidden: Hidden<'_>) -> Comparison {
    run(from, to, ty, hidden).0
}

fn run(from: &Value, to: &Value, ty: Type<'_>, hidden: Hidden<'_>) -> (Comparison, Vec<Violation>) {
    if std::ptr::eq(from, to) {
        return (Comparison::default(), Vec::new());
    }
    let mut walk = Walk { hidden, violations: Vec::new() };
    let change = walk.both(from, to, ty);
    let Change { added, modified, removed } = change;
    let comparison = Comparison { added: added.set, modified: modified.set, removed: removed.set };
    (comparison, walk.violations)
}

/// Every field of a value, with the maps and list items that hold others: what is added when all of it is new.
pub(crate) fn everything(value: &Value, ty: Type<'_>, hidden: Hidden<'_>) -> FieldSet {
    Walk { hidden, violations: Vec::new() }.all(value, ty)
}

/// What a set has at and below the value that is looked at.
#[derive(Default)]
struct Part {
    member: bool,
    set: FieldSet,
}

#[derive(Default)]
struct Change {
    added: Part,
    modified: Part,
    removed: Part,
}

impl Part {
    fn of(set: FieldSet) -> Self {
        Self { member: true, set }
    }

    fn is_empty(&self) -> bool {
        !self.member && self.set.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.member |= other.member;
        self.set = self.set.union(&other.set);
    }
}

impl Change {
    fn modified() -> Self {
        Self { modified: Part::of(FieldSet::new()), ..Self::default() }
    }

    fn added(set: FieldSet) -> Self {
        Self { added: Part::of(set), ..Self::default() }
    }

    fn removed(set: FieldSet) -> Self {
        Self { removed: Part::of(set), ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.added.add(&other.added);
        self.modified.add(&other.modified);
        self.removed.add(&other.removed);
    }
}

/// The nodes of one level, collected.
#[derive(Default)]
struct Level {
    added: Vec<Node>,
    modified: Vec<Node>,
    removed: Vec<Node>,
}

impl Level {
    fn put(&mut self, change: Change, element: impl FnOnce() -> PathElement) {
        let Change { added, modified, removed } = change;
        if added.is_empty() && modified.is_empty() && removed.is_empty() {
            return;
        }
        let element = element();
        for (nodes, part) in
            [(&mut self.added, added), (&mut self.modified, modified), (&mut self.removed, removed)]
        {
            if !part.is_empty() {
                nodes.push(Node { element: element.clone(), member: part.member, children: part.set });
            }
        }
    }

    fn done(self) -> Change {
        let part = |nodes| Part { member: false, set: FieldSet::of_nodes(nodes) };
        Change { added: part(self.added), modified: part(self.modified), removed: part(self.removed) }
    }
}

struct Walk<'h> {
    hidden: Hidden<'h>,
    violations: Vec<Violation>,
}

impl Walk<'_> {
    fn both(&mut self, from: &Value, to: &Value, ty: Type<'_>) -> Change {
        let (old, new) = (Shapes::of(ty, from), Shapes::of(ty, to));
        let mut change = Change::default();
        if old != new {
            // A value of another shape: what was below the old one is gone, what is below the new one is added.
            change = self.handle(old.handled(), from, to, ty);
        }
        let second = self.handle(new.handled(), from, to, ty);
        if old == new {
            return second;
        }
        change.add(&second);
        change
    }

    fn handle(&mut self, shape: Shape, from: &Value, to: &Value, ty: Type<'_>) -> Change {
        match shape {
            Shape::Scalar => leaf(from, to),
            Shape::Map => {
                let (old, new) = (from.as_object(), to.as_object());
                let is_empty =
                    |map: Option<&Map<String, Value>>| map.is_none_or(|map| self.hidden.is_empty(map));
                match ty.map() {
                    None => leaf(from, to),
                    Some(ty) if ty.is_atomic() || (is_empty(old) && is_empty(new)) => leaf(from, to),
                    Some(ty) => self.maps(old, new, ty),
                }
            }
            Shape::List => {
                let (old, new) = (list_of(from), list_of(to));
                if associative(ty).is_none() || (old.is_empty() && new.is_empty()) {
                    return leaf(from, to);
                }
                self.lists(old, new, ty).unwrap_or_else(|| leaf(from, to))
            }
        }
    }

    fn maps(
        &mut self,
        from: Option<&Map<String, Value>>,
        to: Option<&Map<String, Value>>,
        ty: MapType<'_>,
    ) -> Change {
        let mut level = Level::default();
        for (name, old) in from.into_iter().flatten() {
            if self.hidden.is(old) {
                continue;
            }
            let new = to.and_then(|to| to.get(name));
            // Most fields are texts that did not change.
            if let (Value::String(old), Some(Value::String(new))) = (old, new)
                && old == new
            {
                continue;
            }
            let (field, child) = child_of(ty, name);
            let change = match new {
                Some(new) => self.both(old, new, child),
                None => Change::removed(self.all(old, child)),
            };
            level.put(change, || element_of(field, name));
        }
        for (name, new) in to.into_iter().flatten() {
            if from.is_some_and(|from| from.get(name).is_some_and(|old| !self.hidden.is(old))) {
                continue;
            }
            let (field, child) = child_of(ty, name);
            let children = self.all(new, child);
            level.added.push(Node { element: element_of(field, name), member: true, children });
        }
        level.done()
    }

    /// `None` if the items cannot be told apart.
    fn lists(&mut self, from: &[Value], to: &[Value], ty: Type<'_>) -> Option<Change> {
        let kind = associative(ty)?;
        let item = ty.item_or_deduced();
        let mut named = |list| match Items::of(list, kind) {
            Ok(items) => Some(items),
            Err((index, why)) => {
                let kind = ViolationKind::Item { index, problem: why.text() };
                self.violations.push(Violation { path: FieldPath::root(), kind });
                None
            }
        };
        let (from, to) = (named(from)?, named(to)?);
        let mut level = Level::default();
        let in_pairs = !from.has_duplicates && !to.has_duplicates;
        for (at, (id, old)) in from.ids.iter().zip(from.list).enumerate() {
            let change = if in_pairs {
                match to.find(id, at).and_then(|at| to.list.get(at)) {
                    Some(new) => self.both(old, new, item),
                    None => Change::removed(self.all(old, item)),
                }
            } else if from.find(id, at) == Some(at) {
                self.duplicates(&from.all(id), &to.all(id), item)
            } else {
                continue;
            };
            level.put(change, || id.element(kind));
        }
        for (at, (id, new)) in to.ids.iter().zip(to.list).enumerate() {
            if from.find(id, at).is_some() || to.find(id, at) != Some(at) {
                continue;
            }
            let change = if in_pairs {
                Change::added(self.all(new, item))
            } else {
                self.duplicates(&[], &to.all(id), item)
            };
            level.put(change, || id.element(kind));
        }
        Some(level.done())
    }

    /// Items of one identity, of which one side or the other may have several: these are one value.
    fn duplicates(&mut self, from: &[&Value], to: &[&Value], ty: Type<'_>) -> Change {
        match (from, to) {
            ([], []) => Change::default(),
            ([old], [new]) => self.both(old, new, ty),
            ([old], []) => Change::removed(self.all(old, ty)),
            ([], [new]) => Change::added(self.all(new, ty)),
            ([], _) => Change::added(FieldSet::new()),
            (_, []) => Change::removed(FieldSet::new()),
            ([old], _) => {
                let mut change = Change::removed(self.all(old, ty));
                change.add(&Change::added(FieldSet::new()));
                change
            }
            (_, [new]) => {
                let mut change = Change::added(self.all(new, ty));
                change.add(&Change::removed(FieldSet::new()));
                change
            }
            _ if from.len() == to.len() && from.iter().zip(to).all(|(a, b)| equal(a, b)) => Change::default(),
            _ => Change::modified(),
        }
    }

    /// All fields below a value.
    fn all(&mut self, value: &Value, ty: Type<'_>) -> FieldSet {
        match (Shapes::of(ty, value).handled(), value) {
            (Shape::Map, Value::Object(map)) => match ty.map() {
                Some(ty) if !ty.is_atomic() => self.all_of_map(map, ty),
                _ => FieldSet::new(),
            },
            (Shape::List, Value::Array(items)) => {
                let Some(kind) = associative(ty) else { return FieldSet::new() };
                let Ok(named) = Items::of(items, kind) else { return FieldSet::new() };
                let item_type = ty.item_or_deduced();
                let nodes = named.ids.iter().zip(items).enumerate().map(|(at, (id, item))| {
                    let children =
                        if named.is_duplicate(at) { FieldSet::new() } else { self.all(item, item_type) };
                    Node { element: id.element(kind), member: true, children }
                });
                FieldSet::of_nodes(nodes.collect())
            }
            _ => FieldSet::new(),
        }
    }

    fn all_of_map(&mut self, map: &Map<String, Value>, ty: MapType<'_>) -> FieldSet {
        let mut nodes = Vec::with_capacity(map.len());
        for (name, child) in map {
            if self.hidden.is(child) {
                continue;
            }
            let (field, child_type) = child_of(ty, name);
            let children = self.all(child, child_type);
            nodes.push(Node { element: element_of(field, name), member: true, children });
        }
        FieldSet::of_nodes(nodes)
    }
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn leaf(from: &Value, to: &Value) -> Change {
    if equal(from, to) { Change::default() } else { Change::modified() }
}
