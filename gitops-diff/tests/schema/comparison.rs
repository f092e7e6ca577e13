//! Walks two types at once, and tells where they differ.

use std::collections::{BTreeSet, HashSet};

use gitops_diff::schema::{Field, ListKind, Type};

/// Which facts of two schemas are compared.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Facts {
    /// Scalars, how lists and maps are merged, key defaults: what server-side apply needs.
    pub(crate) ownership: bool,
    /// Patch strategies, and whether a value is a scalar, a list or a map: what strategic merge needs.
    pub(crate) strategy: bool,
    /// Defaults of fields.
    pub(crate) defaults: bool,
    /// What scalars mean, and whether null is a value.
    pub(crate) formats: bool,
}

impl Facts {
    pub(crate) fn all() -> Self {
        Self { ownership: true, strategy: true, defaults: true, formats: true }
    }
}

/// The differences between ours and theirs, each once, with the first place where it was met.
#[derive(Debug)]
pub(crate) struct Comparison<'s> {
    facts: Facts,
    seen: HashSet<(Type<'s>, Type<'s>)>,
    found: BTreeSet<String>,
    fields: usize,
}

impl<'s> Comparison<'s> {
    pub(crate) fn new(facts: Facts) -> Self {
        Self { facts, seen: HashSet::new(), found: BTreeSet::new(), fields: 0 }
    }

    /// Compares two types and all that they refer to.
    pub(crate) fn compare(&mut self, place: &str, ours: Type<'s>, theirs: Type<'s>) {
        let mut waiting = vec![(place.to_owned(), ours, theirs)];
        while let Some((place, ours, theirs)) = waiting.pop() {
            if self.seen.insert((ours, theirs)) {
                self.one(&place, ours, theirs, &mut waiting);
            }
        }
    }

    /// Fails when there are other differences than those that contain one of `expected`, or when one of these is missing.
    pub(crate) fn must_agree_but_for(&self, expected: &[&str]) {
        let (known, new): (Vec<_>, Vec<_>) =
            self.found.iter().partition(|found| expected.iter().any(|known| found.contains(known)));
        for found in &new {
            println!("{found}");
        }
        println!("{} fields, {} known differences, {} others", self.fields, known.len(), new.len());
        assert!(new.is_empty(), "there are differences");
        for expected in expected {
            assert!(known.iter().any(|found| found.contains(expected)), "no longer a difference: {expected}");
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "so that all calls read the same")]
    fn differ<T: PartialEq + std::fmt::Debug>(&mut self, place: &str, what: &str, ours: T, theirs: T) {
        if ours != theirs {
            self.found.insert(format!("{place}: {what}: {ours:?}, theirs {theirs:?}"));
        }
    }

    fn one(
        &mut self,
        place: &str,
        ours: Type<'s>,
        theirs: Type<'s>,
        waiting: &mut Vec<(String, Type<'s>, Type<'s>)>,
    ) {
        if self.facts.ownership {
            self.differ(place, "scalar", ours.scalar(), theirs.scalar());
            self.differ(place, "list", list_kind(ours), list_kind(theirs));
            self.differ(place, "atomic map", ours.is_atomic_map(), theirs.is_atomic_map());
            let element = |ty: Type<'s>| ty.map().map(|map| map.element().is_some());
            self.differ(place, "any keys", element(ours), element(theirs));
        }
        if self.facts.strategy {
            self.differ(place, "shape", shape(ours), shape(theirs));
        }
        if self.facts.formats {
            self.differ(place, "format", ours.format(), theirs.format());
            self.differ(place, "nullable", ours.is_nullable(), theirs.is_nullable());
        }
        if let (Some(ours), Some(theirs)) = (ours.list(), theirs.list()) {
            waiting.push((format!("{place}[]"), ours.item(), theirs.item()));
        }
        let (Some(ours), Some(theirs)) = (ours.map(), theirs.map()) else { return };
        if let (Some(ours), Some(theirs)) = (ours.element(), theirs.element()) {
            waiting.push((format!("{place}.*"), ours, theirs));
        }
        for field in theirs.fields() {
            let place = format!("{place}.{}", field.name());
            match ours.field(field.name()) {
                None => drop(self.found.insert(format!("{place}: missing"))),
                Some(ours) => {
                    self.field(&place, ours, field);
                    waiting.push((place, ours.ty(), field.ty()));
                }
            }
        }
        for field in ours.fields().filter(|field| theirs.field(field.name()).is_none()) {
            self.found.insert(format!("{place}.{}: only ours", field.name()));
        }
    }

    fn field(&mut self, place: &str, ours: Field<'s>, theirs: Field<'s>) {
        self.fields += 1;
        if self.facts.defaults {
            self.differ(place, "default", ours.default(), theirs.default());
        }
        if self.facts.strategy {
            self.differ(place, "patch", ours.patch(), theirs.patch());
        }
    }
}

fn list_kind(ty: Type<'_>) -> Option<ListKind<'_>> {
    ty.list().map(|list| list.kind())
}

/// What strategic merge sees: it takes what may be anything for a scalar.
fn shape(ty: Type<'_>) -> &'static str {
    match (ty.scalar(), ty.list(), ty.map()) {
        (None, Some(_), None) => "list",
        (None, None, Some(_)) => "map",
        _ => "scalar",
    }
}
