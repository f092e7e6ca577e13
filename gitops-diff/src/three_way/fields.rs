//! The fields whose live value is not the desired one, and why.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::{ThreeWayCause, ThreeWayField};
use crate::canonical::Canonical;
use crate::merge_patch::matches;
use crate::redact::Masker;
use crate::schema::{Patch, Type};
use crate::strategic::go::deep_equal;
use crate::strategic::{Lookup, StrategicOptions};
use crate::{FieldPath, PathElement, Redaction};

/// A value on each side: last applied, desired and live.
type Sides<'v> = [Option<&'v Value>; 3];

/// How the sides are compared.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    /// How fields are looked up; lists and maps have no strategies without.
    lookup: Option<Lookup>,
    same: fn(&Value, &Value) -> bool,
}

/// The fields found so far, and where the walk is.
struct Walked<'m, 'v> {
    path: FieldPath,
    found: Vec<Found<'v>>,
    /// What must not be looked into.
    masker: Option<&'m Masker<'v>>,
}

/// A field that was found.
struct Found<'v> {
    path: FieldPath,
    cause: ThreeWayCause,
    sides: Sides<'v>,
    /// Whether the live value is not the one that was last applied, which makes it a conflict.
    changed: bool,
}

impl<'v> Walked<'_, 'v> {
    fn at(&mut self, element: PathElement, visit: impl FnOnce(&mut Self)) {
        self.path.push(element);
        visit(self);
        self.path.pop();
    }

    /// Whether there is a mask on one of the sides: not even the keys of items inside may be told.
    fn is_masked(&self, sides: Sides<'v>) -> bool {
        self.masker.is_some_and(|masker| sides.into_iter().flatten().any(|node| masker.hides_names_in(node)))
    }
}

/// All fields, and the paths of those where a change of the live object is overwritten.
pub(super) struct Fields {
    pub(super) all: Vec<ThreeWayField>,
    pub(super) conflicts: Vec<FieldPath>,
}

impl Walk {
    pub(super) fn strategic(options: &StrategicOptions) -> Self {
        Self { lookup: Some(Lookup::new(options)), same: deep_equal }
    }

    pub(super) fn json() -> Self {
        Self { lookup: None, same: matches }
    }

    /// All fields, by path, with the values that may be shown.
    pub(super) fn fields(self, sides: [&Value; 3], ty: Type<'_>, redact: &Redaction) -> Fields {
        let mut found = self.find(sides, ty, None);
        if found.is_empty() {
            return Fields { all: Vec::new(), conflicts: Vec::new() };
        }
        // Masks are only looked for where there is something to show.
        let mut masker = Masker::new(redact, &sides);
        if !masker.is_idle() {
            found = self.find(sides, ty, Some(&masker));
            for found in &mut found {
                found.path = masker.way_to(std::mem::take(&mut found.path));
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let mut conflicts: Vec<_> =
            found.iter().filter(|found| found.changed).map(|found| found.path.clone()).collect();
        // Items that are masked have one path.
        conflicts.dedup();
        let show = |Found { path, cause, sides, .. }| {
            let [last_applied, desired, live] = sides.map(|node| masker.shown(node));
            ThreeWayField { path, last_applied, desired, live, cause }
        };
        Fields { all: found.into_iter().map(show).collect(), conflicts }
    }

    fn find<'v>(self, sides: [&'v Value; 3], ty: Type<'_>, masker: Option<&Masker<'v>>) -> Vec<Found<'v>> {
        let mut walked = Walked { path: FieldPath::root(), found: Vec::new(), masker };
        self.values(sides.map(Some), ty, Patch::NONE, &mut walked);
        walked.found
    }

    fn values<'v>(self, sides: Sides<'v>, ty: Type<'_>, strategy: &Patch, walked: &mut Walked<'_, 'v>) {
        let nothing_stated = sides[1].is_some_and(Value::is_null);
        let sides = sides.map(|value| value.filter(|value| !value.is_null()));
        let [last, desired, live] = sides;
        match (desired, live) {
            _ if walked.is_masked(sides) => {}
            (Some(Value::Object(desired)), Some(Value::Object(live))) if !strategy.replace => {
                let last = last.and_then(Value::as_object);
                return self.maps([last, Some(desired), Some(live)], ty, strategy, walked);
            }
            (Some(Value::Array(desired)), Some(Value::Array(live))) if strategy.merge => {
                let last = last.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                if let Some(items) = Item::all([last, desired, live], strategy) {
                    let before = walked.found.len();
                    for item in items {
                        let visit =
                            |walked: &mut Walked<'_, 'v>| self.values(item.sides, ty, Patch::NONE, walked);
                        walked.at(item.element, visit);
                    }
                    // Two changes of a set never contradict each other.
                    if strategy.merge_key.is_none() {
                        walked.found.iter_mut().skip(before).for_each(|found| found.changed = false);
                    }
                    return;
                }
            }
            _ => {}
        }
        if let Some(cause) = self.cause(sides, nothing_stated) {
            let is_set = strategy.merge && strategy.merge_key.is_none();
            let changed = match (last, live) {
                (Some(Value::Array(last)), Some(Value::Array(live))) if is_set => adds(last, live),
                (Some(last), Some(live)) => !(self.same)(last, live),
                (last, live) => last.is_some() || live.is_some(),
            };
            walked.found.push(Found { path: walked.path.clone(), cause, sides, changed });
        }
    }

    /// Why the live value is not the desired one, if it is not and is to be.
    fn cause(self, [last, desired, live]: Sides<'_>, nothing_stated: bool) -> Option<ThreeWayCause> {
        let same = |a: &Value, b: &Value| (self.same)(a, b);
        match (last, desired, live) {
            (_, None, None) => None,
            (None, None, Some(_)) => nothing_stated.then_some(ThreeWayCause::Stated),
            (Some(last), None, Some(live)) if self.holds(last, live) => Some(ThreeWayCause::Removed),
            (_, Some(desired), Some(live)) if same(desired, live) => None,
            (None, Some(_), None) => Some(ThreeWayCause::Stated),
            (Some(last), Some(desired), _) if same(last, desired) => Some(ThreeWayCause::Drifted),
            (Some(last), Some(_), Some(live)) if same(last, live) => Some(ThreeWayCause::Stated),
            _ => Some(ThreeWayCause::Both),
        }
    }

    /// Whether the live value has all that was last applied; the server's defaults come on top.
    fn holds(self, last: &Value, live: &Value) -> bool {
        match (last, live) {
            (Value::Object(last), Value::Object(live)) => last.iter().all(|(key, last)| {
                last.is_null() || live.get(key).is_some_and(|live| self.holds(last, live))
            }),
            (Value::Array(last), Value::Array(live)) => {
                last.len() == live.len() && last.iter().zip(live).all(|(last, live)| self.holds(last, live))
            }
            (last, live) => (self.same)(last, live),
        }
    }

    fn maps<'v>(
        self,
        sides: [Option<&'v Map<String, Value>>; 3],
        ty: Type<'_>,
        strategy: &Patch,
        walked: &mut Walked<'_, 'v>,
    ) {
        let [last, desired, live] = sides;
        let names: BTreeSet<&String> = [last, desired].into_iter().flatten().flat_map(Map::keys).collect();
        for name in &names {
            let values = sides.map(|side| side.and_then(|side| side.get(*name)));
            let is_list = values.iter().flatten().any(|value| value.is_array());
            let field = self
                .lookup
                .and_then(|lookup| if is_list { lookup.list(ty, name) } else { lookup.map(ty, name) }.ok());
            let (ty, strategy) =
                field.map_or((Type::deduced(), Patch::NONE), |field| (field.ty, field.patch));
            let visit = |walked: &mut Walked<'_, 'v>| self.values(values, ty, strategy, walked);
            walked.at(PathElement::field(name.as_str()), visit);
        }
        // Only the stated keys are kept: others go, whoever added them.
        if strategy.retain_keys && desired.is_some_and(|desired| !desired.is_empty()) {
            let others =
                live.into_iter().flatten().filter(|(name, value)| !names.contains(name) && !value.is_null());
            for (name, value) in others {
                walked.found.push(Found {
                    path: walked.path.field(name),
                    cause: ThreeWayCause::Drifted,
                    sides: [None, None, Some(value)],
                    changed: true,
                });
            }
        }
    }
}

/// Whether a set has values that were not in it before: what was only taken out is in nobody's way.
fn adds(before: &[Value], after: &[Value]) -> bool {
    let before: HashSet<_> = before.iter().map(Canonical).collect();
    after.iter().any(|value| !before.contains(&Canonical(value)))
}

/// An item of a merged list, on each side.
struct Item<'v> {
    element: PathElement,
    sides: Sides<'v>,
}

impl<'v> Item<'v> {
    /// All items that were last applied or are desired; `None` if an item has no key, or two on one side have the same one.
    fn all(lists: [&'v [Value]; 3], patch: &Patch) -> Option<Vec<Self>> {
        let key = patch.merge_key.as_ref();
        let mut places: HashMap<Canonical<'v>, usize> = HashMap::new();
        let mut items: Vec<Self> = Vec::new();
        for (side, list) in lists.into_iter().enumerate() {
            for value in list {
                let name = key.map_or(Some(value), |key| value.get(&**key))?;
                if name.is_object() || name.is_array() {
                    return None;
                }
                let at = *places.entry(Canonical(name)).or_insert(items.len());
                if at == items.len() {
                    let element = match key {
                        Some(key) => PathElement::key(key.clone(), name.clone()),
                        None => PathElement::Value(name.clone()),
                    };
                    items.push(Self { element, sides: [None; 3] });
                }
                let slot = items.get_mut(at)?.sides.get_mut(side)?;
                if slot.replace(value).is_some() {
                    return None;
                }
            }
        }
        items.retain(|item| item.sides[0].is_some() || item.sides[1].is_some());
        Some(items)
    }
}
