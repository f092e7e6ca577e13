//! What the API server stores for an object is no difference: its defaults, also those inside atomic lists and maps.
//!
//! Kubernetes' own defaulters and conversions say what it stores: `hack/oracle/build defaults`, which `GITOPS_DEFAULTS`
//! may name. Some of what they say is kept as vectors (`hack/oracle/keep-defaults`), which need no Go to be run.

use std::collections::BTreeSet;

use gitops_diff::schema::{BuiltIn, ListKind, Schema, Type};
use gitops_diff::{DiffOptions, FieldPath, TypeRef, compare};
use serde_json::{Value, json};

use super::oracle::Oracle;
use super::random::{Dice, Places};
use super::{number, rand_seed, vectors};

/// How many objects there are in a run.
const OBJECTS: usize = 4_000;

/// From how many objects, and which, the vectors are chosen.
const CHOICE: usize = 12_000;
const SEED: u64 = 1;

/// No vector is longer, in bytes.
const LONGEST: usize = 6_000;

/// Objects that state one of these fields are left out: the server does not store what is stated, whatever it is compared
/// with. The beginning of the API version, the kind, the field, and why.
const LEFT_OUT: [(&str, &str, &str, &str); 7] = [
    ("v1", "Service", ".spec.sessionAffinityConfig", "dropped unless sessionAffinity is ClientIP"),
    ("v1", "Node", ".spec.podCIDR", "overruled by podCIDRs"),
    ("v1", "Node", ".spec.podCIDRs", "overruled by podCIDR"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", ".spec.conversion.webhook", "dropped when empty"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice", ".endpoints", "nodeName moves; not served since 1.25"),
    (
        "rbac.authorization.k8s.io/v1alpha1",
        "RoleBinding",
        ".subjects",
        "apiVersion goes; not served since 1.22",
    ),
    ("rbac.authorization.k8s.io/v1alpha1", "ClusterRoleBinding", ".subjects", "the same"),
];

/// An object, and what the server stores for it.
struct Written {
    object: Value,
    stored: Value,
}

/// Random objects of all kinds, as many of each, with what is stored for them.
fn written(seed: u64, count: usize) -> Vec<Written> {
    let places: Vec<Places> = BuiltIn.kinds().map(|(kind, ty)| Places::of(kind, ty)).collect();
    let mut dice = Dice::new(seed);
    let mut objects: Vec<Value> = Vec::new();
    for at in 0..count {
        let (few, size) = (1 + dice.below(6), dice.below(8));
        objects.push(places[at % places.len()].object(&mut dice, few, size));
    }
    objects.retain(|object| !LEFT_OUT.iter().any(|left_out| states(object, left_out)));
    let answers = Oracle::start_defaults().ask(&objects.iter().collect::<Vec<_>>());
    let joined = objects.into_iter().zip(answers).map(|(object, mut answer)| {
        let stored = answer["object"].take();
        assert!(stored.is_object(), "it was not taken: {answer} {object}");
        let mut stored = stored;
        set_times(&object, &mut stored);
        Written { object, stored }
    });
    joined.collect()
}

/// Sets the times of the write, which the server fills in: the vectors are the same whenever they are made.
fn set_times(object: &Value, stored: &mut Value) {
    match stored {
        Value::Object(stored) => {
            for (name, stored) in stored {
                match object.get(name) {
                    None if name == "timeAdded" => *stored = json!("2026-01-01T00:00:00Z"),
                    object => set_times(object.unwrap_or(&Value::Null), stored),
                }
            }
        }
        Value::Array(stored) => {
            for (at, stored) in stored.iter_mut().enumerate() {
                set_times(object.get(at).unwrap_or(&Value::Null), stored);
            }
        }
        _ => {}
    }
}

fn states(object: &Value, (version, kind, field, _): &(&str, &str, &str, &str)) -> bool {
    let path: FieldPath = field.parse().expect("a path");
    object["apiVersion"] == *version && object["kind"] == *kind && path.get(object).is_some()
}

#[test]
#[ignore = "needs Go or the defaulters: GITOPS_DEFAULTS=$(hack/oracle/build defaults)"]
fn what_is_stored_is_no_difference() {
    let seed = number("GITOPS_ORACLE_SEED").unwrap_or_else(rand_seed);
    println!("seed {seed}");
    let written = written(seed, OBJECTS);
    let mut different = 0;
    for Written { object, stored } in &written {
        let found = compare(object, stored, &BuiltIn, &DiffOptions::default());
        if let Some(first) = found.first() {
            different += 1;
            println!("GITOPS_ORACLE_SEED={seed}: {first}\n{object}\n{stored}");
        }
    }
    let filled = written.iter().filter(|written| !written.news().is_empty()).count();
    println!("{} compared, {different} differ; the server filled in {filled}", written.len());
    assert!(written.len() > OBJECTS * 9 / 10 && filled > OBJECTS / 2, "too few objects say anything");
    assert_eq!(different, 0, "of {} objects", written.len());
}

/// With `GITOPS_DEFAULTS_KEEP`, writes the vectors into the file that it names.
#[test]
#[ignore = "needs Go or the defaulters: GITOPS_DEFAULTS=$(hack/oracle/build defaults)"]
fn the_vectors_of_defaults_are_those_of_the_reference() {
    let cases = chosen(written(SEED, CHOICE));
    if let Some(file) = std::env::var_os("GITOPS_DEFAULTS_KEEP") {
        return std::fs::write(&file, text(&cases)).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(vectors().join("defaults.json")).expect("there are vectors");
    let kept: Value = serde_json::from_str(&kept).expect("they are JSON");
    assert!(kept["cases"] == json!(cases), "hack/oracle/keep-defaults writes other vectors");
}

/// Few and small objects, so that in one of them the server writes everything that it writes into an atomic list or map of
/// any kind, into every kind with pods all that is in its pods, and something into every kind that it writes into.
fn chosen(mut written: Vec<Written>) -> Vec<Value> {
    written.retain(|written| written.len() <= LONGEST);
    let with_news = |written: Written| (written.news(), written.len(), written);
    let mut left: Vec<_> = written.into_iter().map(with_news).collect();
    let mut kept = Vec::new();
    loop {
        // What is new in an object, for its length; the first of equal ones, so that the choice is always the same.
        left.retain(|(news, ..)| !news.is_empty());
        let worth = |at: &usize| left[*at].0.len() * 1_000_000 / left[*at].1;
        let Some(best) = (0..left.len()).rev().max_by_key(worth) else { break };
        let (news, _, written) = left.remove(best);
        for (others, ..) in &mut left {
            others.retain(|new| !news.contains(new));
        }
        kept.push(written);
    }
    kept.sort_by_cached_key(|Written { object, .. }| format!("{}/{}", object["kind"], object["apiVersion"]));
    let name = |(at, Written { object, stored })| json!({"name": format!("defaults/{at:03}"), "object": object, "stored": stored});
    kept.into_iter().enumerate().map(name).collect()
}

fn text(cases: &[Value]) -> String {
    let lines: Vec<_> = cases.iter().map(Value::to_string).collect();
    let meta = json!({
        "count": cases.len(),
        "description": "Objects, and what Kubernetes' own defaulters and conversions make of them: it is no difference. Written by hack/oracle/keep-defaults.",
    });
    format!("{{\"meta\": {meta}, \"cases\": [\n{}\n]}}\n", lines.join(",\n"))
}

/// What a place inside an atomic list is counted as: by its last names, as many kinds have the same types, and for kinds
/// with pods by the field of the pod that it is in.
fn names(place: &str) -> Vec<String> {
    let parts: Vec<&str> = place.split('.').collect();
    let mut names = vec![parts[parts.len().saturating_sub(3)..].join(".")];
    if let Some((_, field)) = place.split_once(".template.spec.") {
        let kind = place.split(['.', ' ']).find(|part| part.contains('/')).unwrap_or_default();
        names.push(format!("{kind} {}", field.split('.').next().unwrap_or_default()));
    }
    names
}

impl Written {
    fn len(&self) -> usize {
        self.object.to_string().len() + self.stored.to_string().len()
    }

    /// What the server wrote: each place inside an atomic list or map, and whether anything elsewhere.
    fn news(&self) -> BTreeSet<String> {
        let kind = TypeRef::of(&self.object);
        let name = format!("{}/{}", kind.group, kind.kind);
        let mut found = BTreeSet::new();
        look(BuiltIn.type_or_deduced(&kind), false, &self.object, &self.stored, &name, &mut found);
        if found.remove("elsewhere") {
            found.insert(format!("{name} {}", kind.version));
        }
        found
    }
}

fn look(
    ty: Type<'_>,
    atomic: bool,
    object: &Value,
    stored: &Value,
    place: &str,
    found: &mut BTreeSet<String>,
) {
    let atomic =
        atomic || ty.is_atomic_map() || ty.list().is_some_and(|list| matches!(list.kind(), ListKind::Atomic));
    match (object, stored) {
        (Value::Object(object), Value::Object(stored)) => {
            for (name, stored) in stored.iter().filter(|(name, _)| *name != "status") {
                let place = format!("{place}.{name}");
                match object.get(name) {
                    Some(object) => look(ty.child_or_deduced(name), atomic, object, stored, &place, found),
                    None if atomic => found.extend(names(&place)),
                    None => _ = found.insert("elsewhere".to_owned()),
                }
            }
        }
        (Value::Array(object), Value::Array(stored)) => {
            for (object, stored) in object.iter().zip(stored) {
                look(ty.item_or_deduced(), atomic, object, stored, place, found);
            }
        }
        _ => {}
    }
}
