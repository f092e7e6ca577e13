//! What the owners of an object's fields tell.

use serde_json::{Map, Value};

use super::{Applier, Verdict, is_dropped};
use crate::difference::{Cause, Shown};
use crate::nodes::Nodes;
use crate::path_index::PathIndex;
use crate::redact::Masker;
use crate::{Difference, DifferenceKind, FieldPath, FieldSet, ManagedFields, Redaction};

/// What a manager owns by applying. An entry of another manager that cannot be read does not matter.
#[derive(Debug)]
pub(super) struct Entry<'v> {
    pub(super) fields: FieldSet,
    /// The version that the fields are named in.
    pub(super) version: Option<&'v str>,
}

impl<'v> Entry<'v> {
    pub(super) fn of(live: &'v Value, manager: &str) -> Self {
        let entry = ManagedFields::apply_entry(live, manager).map(|(_, entry)| entry);
        let fields = entry.and_then(|entry| FieldSet::from_fields_v1(entry.get("fieldsV1")?).ok());
        let version = entry.and_then(|entry| entry.get("apiVersion")?.as_str());
        Self { fields: fields.unwrap_or_default(), version: version.filter(|text| !text.is_empty()) }
    }
}

/// What the decision looks at.
pub(super) struct Scene<'a> {
    live: &'a Value,
    live_index: PathIndex<'a>,
    /// What is desired, as it is stored.
    desired: &'a Value,
    /// What is stated of it: all but the fields that are ignored.
    object: PathIndex<'a>,
    owned: FieldSet,
    stated: FieldSet,
    applier: Applier<'a>,
    redaction: &'a Redaction,
    /// Made when there is something to show.
    masker: Option<Masker<'a>>,
}

impl<'a> Scene<'a> {
    /// `object` is what is stated of what is desired.
    pub(super) fn new(
        [object, desired, live]: [&'a Value; 3],
        owned: FieldSet,
        stated: FieldSet,
        applier: Applier<'a>,
        redaction: &'a Redaction,
    ) -> Self {
        let (object, live_index) = (PathIndex::new(object), PathIndex::new(live));
        Self { live, live_index, desired, object, owned, stated, applier, redaction, masker: None }
    }

    /// Whether nothing that is stated belongs to others only.
    pub(super) fn owns_all_stated(&self) -> bool {
        self.stated.is_subset(&self.owned)
    }

    /// Whoever changes or removes a field otherwise than by applying takes it away from its owner. So what is stored
    /// otherwise than stated, and is still ours, was stored so by the apply.
    pub(super) fn since_that_apply(&self, differences: Vec<Difference>, taken: Vec<Difference>) -> Verdict {
        let (overruled, mut drifted): (Vec<_>, Vec<_>) = differences.into_iter().partition(|difference| {
            // Of what somebody removed as a whole, nothing below would be ours any more.
            let missing = difference.kind == DifferenceKind::Added;
            let is_ours = self.owned.contains_or_covers(&difference.path)
                // A path with masks in it is not the one that is owned.
                || difference.cause == Cause::Applied;
            is_ours || missing && self.owned.touches(&difference.path)
        });
        drifted.extend(taken);
        if !drifted.is_empty() {
            return Verdict::Differs(drifted);
        }
        let overruled: Vec<_> = overruled
            .into_iter()
            .filter(|difference| !is_dropped(difference))
            .map(|difference| difference.with_cause(Cause::Overruled))
            .collect();
        if overruled.is_empty() { Verdict::InSync } else { Verdict::Overruled(overruled) }
    }

    /// Stated fields that are live, and that somebody took from us.
    pub(super) fn taken(&mut self) -> Vec<Difference> {
        let Self { live_index, desired, object, owned, stated, .. } = self;
        let mut lost = stated.iter().filter(|path| {
            !owned.touches(path)
                && live_index.get(path).is_some_and(|value| !is_empty(value))
                // A map of which all is ignored states nothing that could be taken.
                && !(object.get(path).is_some_and(is_empty) && path.get(desired).is_some_and(|all| !is_empty(all)))
        });
        if owned.is_empty() {
            // All of it, with the entry that says so.
            let entries = FieldPath::of_fields(["metadata", "managedFields"]);
            let difference = Difference::of_entries(entries).with_cause(Cause::Taken);
            return lost.next().map(|_| difference).into_iter().collect();
        }
        let lost: Vec<FieldPath> = lost.collect();
        if lost.is_empty() {
            return Vec::new();
        }
        // Only now it matters who else there is.
        let owners = ManagedFields::of(self.live).unwrap_or_default();
        let us = self.applier.manager;
        let difference = |path: FieldPath| {
            let writer = owners.writer_of(&path, Some(us)).map(str::to_owned);
            // The value is as stated: only who owns it differs.
            let (path, value) = self.shown(path);
            let difference = Difference::new(path, DifferenceKind::Changed, value.clone(), value);
            let difference = difference.with_cause(Cause::Taken);
            match writer {
                Some(writer) => difference.with_writer(writer),
                None => difference,
            }
        };
        let mut taken: Vec<_> = lost.into_iter().map(difference).collect();
        taken.dedup_by(|later, first| later.path == first.path);
        taken
    }

    /// Fields that we own and no longer state, but for those that are left alone in the live object, or by their path. A list
    /// item is one difference, not one for each field of it.
    pub(super) fn given_up(
        &mut self,
        left: &Nodes<'_>,
        is_covered: &dyn Fn(&FieldPath) -> bool,
    ) -> Vec<Difference> {
        let mut found: Vec<FieldPath> = Vec::new();
        let Self { live_index, object, owned, stated, applier, .. } = self;
        for path in owned.iter() {
            if found.last().is_some_and(|parent| path.starts_with(parent))
                || (applier.is_mark)(&path)
                || is_stated(stated, object, &path)
            {
                continue;
            }
            let way = live_index.way(&path);
            let is_live = way.len() > path.len();
            if is_live && !way.into_iter().any(|node| left.contains(node)) && !is_covered(&path) {
                found.push(path);
            }
        }
        let difference = |path| {
            let (path, shown) = self.shown(path);
            Difference::new(path, DifferenceKind::Removed, Shown::Absent, shown).with_cause(Cause::GivenUp)
        };
        let mut given_up: Vec<_> = found.into_iter().map(difference).collect();
        given_up.dedup_by(|later, first| later.path == first.path);
        given_up
    }

    /// What may be said of a field of the live object.
    fn shown(&mut self, path: FieldPath) -> (FieldPath, Shown) {
        let masker =
            self.masker.get_or_insert_with(|| Masker::new(self.redaction, &[self.live, self.desired]));
        let shown = masker.shown_at(&mut self.live_index, &path);
        (masker.way_to(path), shown)
    }
}

/// Whether one of the differences, which are sorted by path, is of a field, of one below it, or of one that it is in.
pub(super) fn is_told(differences: &[Difference], path: &FieldPath) -> bool {
    let from = differences.partition_point(|difference| difference.path < *path);
    let mut above = path.clone();
    differences.get(from).is_some_and(|next| next.path.starts_with(path))
        || std::iter::from_fn(|| above.pop().map(|_| above.clone()))
            .any(|above| differences.binary_search_by(|difference| difference.path.cmp(&above)).is_ok())
}

/// Whether a field is stated, has fields below it that are, or lies within an atomic value that is. An empty map is no such
/// value: it states that it is there, and nothing of what others put into it.
fn is_stated(stated: &FieldSet, object: &mut PathIndex<'_>, path: &FieldPath) -> bool {
    if !stated.touches(path) {
        return false;
    }
    let way = object.way(path);
    // Nothing is in an empty map, so that it is where the way ends.
    let ends_early = way.len() <= path.len();
    let last = way.len() - 1;
    let in_empty_map = ends_early
        && last > 0
        && way.last().and_then(|node| node.as_object()).is_some_and(Map::is_empty)
        && stated.contains(&path.elements().iter().take(last).cloned().collect());
    !in_empty_map
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
