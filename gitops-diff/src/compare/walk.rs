//! The walk through two trees, side by side.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::defaults::{self, Extra};
use super::items::{Finder, Items, Name, Naming, index};
use super::scalar::{amounts_to_nothing, equivalent, holds_something, says_something};
use super::trail::{Step, Trail};
use crate::align::longest_increasing;
use crate::nodes::Nodes;
use crate::redact::Masker;
use crate::schema::{Field, ListKind, Type};
use crate::{DifferenceKind, FieldPath, TypeRef, canonical};

/// What counts as a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everything, exactly.
    Full,
    /// What the desired side states, by meaning.
    Stated,
    /// Everything, by meaning: inside what is atomic.
    Whole,
}

/// A difference, before it is redacted.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    pub(super) path: FieldPath,
    pub(super) kind: DifferenceKind,
    pub(super) desired: Option<&'a Value>,
    pub(super) live: Option<&'a Value>,
    /// Where a moved item is on the desired side, and on the live one.
    pub(super) positions: Option<(usize, usize)>,
}

/// What does not change on the walk.
#[derive(Debug)]
pub(super) struct Walker<'a, 'w> {
    pub(super) object: TypeRef<'a>,
    pub(super) ignore_status: bool,
    pub(super) ignore_rules: bool,
    pub(super) deduce_keys: bool,
    /// What is left alone on either side.
    pub(super) ignored: &'w Nodes<'a>,
    /// What is shown as a whole, because it is masked.
    pub(super) masker: Option<&'w Masker<'a>>,
    pub(super) found: Vec<Finding<'a>>,
}

type Way<'t> = Option<&'t Trail<'t>>;

/// What is known about a value: its type, and the field that it is the value of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    pub(super) ty: Type<'a>,
    pub(super) field: Option<Field<'a>>,
}

impl<'a> Slot<'a> {
    pub(super) fn of(ty: Type<'a>) -> Self {
        Self { ty, field: None }
    }

    /// The child `name` of a map of this type.
    fn child(self, name: &str) -> Self {
        match self.ty.map().and_then(|map| map.field(name)) {
            Some(field) => Self { ty: field.ty(), field: Some(field) },
            None => Self::of(self.ty.child_or_deduced(name)),
        }
    }

    /// Whether a stated value is one that the API server cannot tell from none.
    fn drops(self, value: &Value) -> bool {
        self.field.is_some_and(|field| field.zero_is_absent()) && amounts_to_nothing(value, self.ty)
    }

    /// Whether an empty map says something by being there: `namespaceSelector: {}` selects all namespaces.
    fn counts_empty(self, value: &Value) -> bool {
        value.is_object()
            && self.field.is_none_or(|field| !field.zero_is_absent())
            && says_something(value, self.ty)
    }

    /// Whether the API server stores this value where none is stated.
    fn defaults_to(self, value: &Value) -> bool {
        let Some(field) = self.field else { return false };
        [field.default(), field.server_default()]
            .into_iter()
            .flatten()
            .any(|default| canonical::same(default, value) || equivalent(self.ty, default, value, None))
    }
}

impl<'a> Walker<'a, '_> {
    pub(super) fn walk(
        &mut self,
        slot: Slot<'a>,
        desired: &'a Value,
        live: &'a Value,
        mode: Mode,
        way: Way<'_>,
    ) {
        if self.ignored.contains(desired) || self.ignored.contains(live) {
            return;
        }
        let masked =
            self.masker.is_some_and(|masker| masker.hides_names_in(desired) || masker.hides_names_in(live));
        let known = self.found.len();
        self.values(slot, desired, live, mode, way);
        if masked && self.found.len() > known {
            // What is inside must not be seen, nor what it is called.
            self.found.truncate(known);
            self.report(DifferenceKind::Changed, Some(desired), Some(live), way);
        }
    }

    pub(super) fn report(
        &mut self,
        kind: DifferenceKind,
        desired: Option<&'a Value>,
        live: Option<&'a Value>,
        way: Way<'_>,
    ) {
        self.found.push(Finding { path: Trail::to_path(way), kind, desired, live, positions: None });
    }

    fn values(&mut self, slot: Slot<'a>, desired: &'a Value, live: &'a Value, mode: Mode, way: Way<'_>) {
        match (desired, live) {
            (Value::Object(d), Value::Object(l)) => {
                return self.maps(slot, (d, l), (desired, live), mode, way);
            }
            (Value::Array(d), Value::Array(l)) => {
                return self.lists(slot.ty, (d, l), (desired, live), mode, way);
            }
            _ if mode == Mode::Full => {
                if desired != live {
                    self.report(DifferenceKind::Changed, Some(desired), Some(live), way);
                }
                return;
            }
            (Value::Null, Value::Null) => return,
            (Value::Null, _) => {
                if mode == Mode::Whole {
                    self.only_live(slot, None, live, mode, way);
                }
                return;
            }
            (_, Value::Null) => return self.only_desired(slot, desired, Some(live), mode, way),
            _ => {}
        }
        if equivalent(slot.ty, desired, live, way) {
            return;
        }
        if slot.drops(desired)
            && (slot.defaults_to(live) || defaults::takes_place_of_zero(&Trail::names(way), live))
        {
            return;
        }
        self.report(DifferenceKind::Changed, Some(desired), Some(live), way);
    }

    /// A value that is not live.
    fn only_desired(
        &mut self,
        slot: Slot<'a>,
        desired: &'a Value,
        live: Option<&'a Value>,
        mode: Mode,
        way: Way<'_>,
    ) {
        if self.ignored.contains(desired) {
            return;
        }
        // What is stated as it is by default needs not be there.
        let says_nothing =
            || !says_something(desired, slot.ty) || slot.drops(desired) || slot.defaults_to(desired);
        if mode != Mode::Full && says_nothing() {
            return;
        }
        self.report(DifferenceKind::Added, Some(desired), live, way);
    }

    /// A value that only the live side has.
    fn only_live(
        &mut self,
        slot: Slot<'a>,
        parent: Option<&'a Map<String, Value>>,
        live: &'a Value,
        mode: Mode,
        way: Way<'_>,
    ) {
        if self.ignored.contains(live) {
            return;
        }
        if mode != Mode::Full {
            if !holds_something(live) && !slot.counts_empty(live) || slot.defaults_to(live) {
                return;
            }
            if let Some(parent) = parent {
                let names = Trail::names(way);
                let extra = Extra { object: &self.object, names: &names, value: live, parent };
                if extra.is_default() {
                    return;
                }
            }
        }
        self.report(DifferenceKind::Removed, None, Some(live), way);
    }

    fn maps(
        &mut self,
        slot: Slot<'a>,
        (desired, live): (&'a Map<String, Value>, &'a Map<String, Value>),
        (whole_desired, whole_live): (&'a Value, &'a Value),
        mode: Mode,
        way: Way<'_>,
    ) {
        let mode =
            if mode == Mode::Stated && way.is_some() && slot.ty.is_atomic_map() { Mode::Whole } else { mode };
        if mode == Mode::Whole && self.is_limit_range_item(way) && fills_to(slot, whole_desired, whole_live) {
            return;
        }
        for (name, value) in desired {
            let step = Trail { up: way, step: Step::Field(name) };
            if self.is_left_out(name, way, mode) {
                continue;
            }
            let child = slot.child(name);
            match live.get(name) {
                Some(live) => self.walk(child, value, live, mode, Some(&step)),
                None => self.only_desired(child, value, None, mode, Some(&step)),
            }
        }
        if mode == Mode::Stated {
            return;
        }
        for (name, value) in live.iter().filter(|(name, _)| !desired.contains_key(*name)) {
            let step = Trail { up: way, step: Step::Field(name) };
            if !self.is_left_out(name, way, mode) {
                self.only_live(slot.child(name), Some(live), value, mode, Some(&step));
            }
        }
    }

    /// Fields of an object that are not compared.
    pub(super) fn is_left_out(&self, name: &str, way: Way<'_>, mode: Mode) -> bool {
        match way {
            None => {
                self.ignore_status && name == "status"
                    || mode != Mode::Full && self.ignore_rules && name == "rules"
            }
            // Two objects that are compared for drift are one object: where it lives, and what the server wrote about it,
            // are no fields of it.
            Some(Trail { up: None, step: Step::Field("metadata") }) if mode == Mode::Stated => {
                name == "namespace" || super::SERVER_METADATA.contains(&name)
            }
            _ => false,
        }
    }

    fn lists(
        &mut self,
        ty: Type<'a>,
        (desired, live): (&'a [Value], &'a [Value]),
        whole: (&'a Value, &'a Value),
        mode: Mode,
        way: Way<'_>,
    ) {
        let (desired, live) = (self.items_of(desired), self.items_of(live));
        let item = Slot::of(ty.item_or_deduced());
        let kind = ty.list_kind();
        if let Some(naming) = Naming::of(kind)
            && index(&desired, naming).1
            && (mode == Mode::Stated || index(&live, naming).1)
        {
            return self.named(item, naming, (&desired, &live), mode, way, kind);
        }
        // Items of a keyed list that have no keys of their own are taken in order.
        let mode = if mode == Mode::Stated && kind == ListKind::Atomic { Mode::Whole } else { mode };
        let (desired, live) = self.in_one_order(desired, live, mode, way);
        let naming = if self.deduce_keys { Naming::deduced(&desired, &live) } else { None };
        let known = self.found.len();
        if desired.len() == live.len() && !self.swapped(item, naming, (&desired, &live), mode, way) {
            for (at, (d, l)) in desired.iter().zip(live.iter()).enumerate() {
                let start = self.found.len();
                self.walk(item, d, l, mode, Some(&Trail { up: way, step: Step::Index(at) }));
                if let Some(naming) = naming.filter(|_| self.found.len() > start) {
                    // The same path, by name. To walk again would double the work at each level.
                    let depth = Trail::to_path(way).len();
                    for finding in self.found.iter_mut().skip(start) {
                        finding.path.rename(depth, naming.step(d).to_element());
                    }
                }
            }
            if naming.is_some() || self.found.len() == known {
                return;
            }
            self.found.truncate(known);
        } else if let Some(naming) = naming {
            return self.named(item, naming, (&desired, &live), mode, way, kind);
        }
        // Whatever it was, it is told as one difference.
        self.report(DifferenceKind::Changed, Some(whole.0), Some(whole.1), way);
    }

    /// Whether two items at one position have other names, so that they differ without a look at the rest of them.
    fn swapped(
        &mut self,
        item: Slot<'a>,
        naming: Option<Naming<'a>>,
        (desired, live): (&Items<'a>, &Items<'a>),
        mode: Mode,
        way: Way<'_>,
    ) -> bool {
        let Some(Naming::Field(field)) = naming else { return false };
        let known = self.found.len();
        for (at, (d, l)) in desired.iter().zip(live.iter()).enumerate() {
            let (Some(d), Some(l)) = (d.get(field), l.get(field)) else { continue };
            if !canonical::same(d, l) {
                let up = Trail { up: way, step: Step::Index(at) };
                self.walk(
                    item.child(field),
                    d,
                    l,
                    mode,
                    Some(&Trail { up: Some(&up), step: Step::Field(field) }),
                );
            }
        }
        let differ = self.found.len() > known;
        self.found.truncate(known);
        differ
    }

    fn items_of(&self, items: &'a [Value]) -> Items<'a> {
        if self.ignored.is_empty() || !items.iter().any(|item| self.ignored.contains(item)) {
            return Items::All(items);
        }
        Items::Some(items.iter().filter(|item| !self.ignored.contains(item)).collect())
    }

    /// The items of a list that have names. On the desired side each has one of its own.
    fn named(
        &mut self,
        slot: Slot<'a>,
        naming: Naming<'a>,
        (desired, live): (&Items<'a>, &Items<'a>),
        mode: Mode,
        way: Way<'_>,
        kind: ListKind<'_>,
    ) {
        // Only keyed lists and sets of the API have no order: keys that were found by looking prove nothing.
        let ordered = mode == Mode::Full || kind == ListKind::Atomic;
        let mut finder = Finder::new(live, naming);
        let mut matched = Vec::new();
        let mut count = 0;
        for (at, item) in desired.iter().enumerate() {
            let found = naming.name(item).and_then(|name: Name<'a>| finder.find(name));
            let step = Trail { up: way, step: naming.step(item) };
            let Some((from, other)) = found.and_then(|from| Some((from, live.get(from)?))) else {
                self.only_desired(slot, item, None, mode, Some(&step));
                continue;
            };
            count += 1;
            if ordered {
                matched.push((at, from, item));
            }
            self.walk(slot, item, other, mode, Some(&step));
        }
        self.moved(naming, &matched, live, way);
        if mode == Mode::Stated && count > 0 && live.len() > count {
            self.repeated(slot, naming, (desired, live), way);
        }
        if mode != Mode::Stated {
            let (names, _) = index(desired, naming);
            for item in live.iter() {
                if naming.name(item).is_none_or(|name| !names.contains_key(&name)) {
                    self.only_live(slot, None, item, mode, Some(&Trail { up: way, step: naming.step(item) }));
                }
            }
        }
    }

    /// Live items that have the name of one before them: an apply puts the stated one in the place of all.
    fn repeated(
        &mut self,
        slot: Slot<'a>,
        naming: Naming<'a>,
        (desired, live): (&Items<'a>, &Items<'a>),
        way: Way<'_>,
    ) {
        let (first, clean) = index(live, naming);
        if clean {
            return;
        }
        let (stated, _) = index(desired, naming);
        for (at, other) in live.iter().enumerate() {
            let Some(name) = naming.name(other).filter(|name| first.get(name) != Some(&at)) else { continue };
            let Some(item) = stated.get(&name).and_then(|at| desired.get(*at)) else { continue };
            let step = Trail { up: way, step: naming.step(item) };
            self.walk(slot, item, other, Mode::Stated, Some(&step));
        }
    }

    /// The fewest items that must move for the orders to agree.
    fn moved(
        &mut self,
        naming: Naming<'a>,
        matched: &[(usize, usize, &'a Value)],
        live: &Items<'a>,
        way: Way<'_>,
    ) {
        let positions: Vec<usize> = matched.iter().map(|(_, from, _)| *from).collect();
        if positions.is_sorted() {
            return;
        }
        let mut stays = longest_increasing(&positions).into_iter().peekable();
        for (n, (to, from, item)) in matched.iter().enumerate() {
            if stays.next_if_eq(&n).is_none() {
                let path = Trail::to_path(Some(&Trail { up: way, step: naming.step(item) }));
                self.found.push(Finding {
                    path,
                    kind: DifferenceKind::Moved,
                    desired: Some(item),
                    live: live.get(*from),
                    positions: Some((*to, *from)),
                });
            }
        }
    }

    /// Atomic lists whose order the API server may change, or that it adds items to, as if it had not.
    fn in_one_order(
        &self,
        desired: Items<'a>,
        live: Items<'a>,
        mode: Mode,
        way: Way<'_>,
    ) -> (Items<'a>, Items<'a>) {
        if mode == Mode::Full || !self.object.is_built_in() {
            return (desired, live);
        }
        match (self.object.kind, &Trail::names(way)[..]) {
            // The conversion between autoscaling/v1 and v2 puts the CPU's first or last.
            ("HorizontalPodAutoscaler", ["spec", "metrics"]) => {
                (sorted(&desired, metric), sorted(&live, metric))
            }
            // Kept sorted, and in any order to those who read them.
            ("Endpoints", ["subsets"] | ["subsets", "*", "addresses" | "notReadyAddresses" | "ports"]) => {
                (sorted(&desired, endpoint), sorted(&live, endpoint))
            }
            ("Pod", ["spec", "tolerations"]) if live.len() > desired.len() => {
                let key = |item: &'a Value| item.get("key").map(canonical::Canonical);
                let stated: HashSet<_> = desired.iter().map(key).collect();
                let keeps =
                    |item: &&'a Value| !defaults::is_added_toleration(item) || stated.contains(&key(item));
                let live = Items::Some(live.iter().filter(keeps).collect());
                (desired, live)
            }
            _ => (desired, live),
        }
    }

    fn is_limit_range_item(&self, way: Way<'_>) -> bool {
        self.object.kind == "LimitRange"
            && self.object.group.is_empty()
            && matches!(
                way,
                Some(Trail { step: Step::Index(_), up: Some(Trail { step: Step::Field("limits"), .. }) })
            )
    }
}

/// Whether the live item is the desired one with the defaults that are computed from it.
fn fills_to(slot: Slot<'_>, desired: &Value, live: &Value) -> bool {
    let Some(filled) = defaults::limit_range_item(desired) else { return false };
    let ignored = Nodes::default();
    let mut walker = Walker {
        object: TypeRef::default(),
        ignore_status: false,
        ignore_rules: false,
        deduce_keys: false,
        ignored: &ignored,
        masker: None,
        found: Vec::new(),
    };
    // A way that is no list item, so that this is not asked again.
    let way = Trail { up: None, step: Step::Field("limits") };
    walker.walk(slot, &filled, live, Mode::Whole, Some(&way));
    walker.found.is_empty()
}

/// The items by what tells them apart.
fn sorted<'a>(items: &Items<'a>, key: fn(&Value) -> Value) -> Items<'a> {
    let mut keyed: Vec<_> = items.iter().map(|item| (key(item), item)).collect();
    keyed.sort_by(|a, b| canonical::cmp(&a.0, &b.0));
    Items::Some(keyed.into_iter().map(|(_, item)| item).collect())
}

/// What a metric of a `HorizontalPodAutoscaler` measures.
fn metric(item: &Value) -> Value {
    const SOURCES: [&str; 5] = ["containerResource", "external", "object", "pods", "resource"];
    let source = SOURCES.iter().find_map(|source| Some((source, item.get(source)?)));
    let Some((source, measured)) = source else { return item.clone() };
    let part = |name: &str| measured.get(name).cloned().unwrap_or_default();
    Value::from(vec![
        Value::from(*source),
        part("name"),
        part("container"),
        part("metric"),
        part("describedObject"),
        // Two targets of one metric are told apart by them.
        part("target").get("type").cloned().unwrap_or_default(),
    ])
}

/// What tells subsets, addresses and ports of `Endpoints` apart.
fn endpoint(item: &Value) -> Value {
    let part = |name: &str| item.get(name).cloned().unwrap_or_default();
    let all = |name: &str| {
        let mut parts: Vec<_> =
            item.get(name).and_then(Value::as_array).into_iter().flatten().map(endpoint).collect();
        parts.sort_by(canonical::cmp);
        Value::from(parts)
    };
    let protocol = item.get("protocol").cloned().unwrap_or_else(|| Value::from("TCP"));
    Value::from(vec![
        part("ip"),
        part("hostname"),
        part("port"),
        protocol,
        part("name"),
        all("addresses"),
        all("notReadyAddresses"),
        all("ports"),
    ])
}
