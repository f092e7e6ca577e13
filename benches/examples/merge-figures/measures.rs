//! Our side of what is measured.

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use gitops_benches::pairs::MANAGER;
use gitops_diff::schema::{BuiltIn, Schema, Type};
use gitops_diff::strategic::{self, StrategicOptions};
use gitops_diff::three_way::{self, ThreeWayOptions};
use gitops_diff::typed::{self, Comparison};
use gitops_diff::{DiffOptions, TypeRef, WriteOptions, apply, compare, merge_patch};
use serde_json::{Map, Value, json};

use crate::input::{Input, Trees};

/// Something that both sides do.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    /// What it is compared with.
    pub(crate) what: &'static str,
    pub(crate) run: for<'i> fn(&'i Input) -> Result<Outcome<'i>>,
    /// The peer's measure of the same results.
    pub(crate) peer: &'static str,
    /// The peer's measure whose time is taken off.
    pub(crate) less: Option<&'static str>,
    /// How many times faster it has to be.
    pub(crate) at_least: Option<f64>,
}

pub(crate) const MEASURES: &[Measure] = &[
    Measure {
        name: "parse",
        what: "apimachinery's JSON",
        run: |input| Ok(Outcome::Trees(input.parse()?)),
        peer: "parse",
        less: None,
        at_least: None,
    },
    Measure {
        name: "three-way-bytes",
        what: "CreateThreeWayMergePatch",
        run: three_way_of_bytes,
        peer: "three-way",
        less: None,
        at_least: Some(3.0),
    },
    Measure {
        name: "three-way-trees",
        what: "CreateThreeWayMergePatch less parsing",
        run: |input| Ok(Outcome::Tree(three_way_of_trees(&input.trees)?)),
        peer: "three-way",
        less: Some("parse"),
        at_least: Some(10.0),
    },
    Measure {
        name: "three-way-apply",
        what: "with StrategicMergePatch",
        run: three_way_applied,
        peer: "three-way-apply",
        less: None,
        at_least: None,
    },
    Measure {
        name: "merge-compare",
        what: "structured-merge-diff",
        run: merge_and_compare,
        peer: "merge-compare",
        less: None,
        at_least: Some(6.0),
    },
    Measure {
        name: "apply",
        what: "Updater.Apply",
        run: apply_owned,
        peer: "apply",
        less: None,
        at_least: Some(8.0),
    },
    Measure {
        name: "drift",
        what: "Argo CD's diff.Diff",
        run: |input| Ok(drift(input)),
        peer: "argo-diff",
        less: None,
        at_least: None,
    },
    Measure {
        name: "drift-structured",
        what: "Argo CD's structured diff",
        run: |input| Ok(drift(input)),
        peer: "argo-structured",
        less: None,
        at_least: None,
    },
];

/// A result, from which the peer's form of it is made outside the time.
pub(crate) enum Outcome<'i> {
    Trees(Trees),
    Tree(Value),
    Text(Vec<u8>),
    Compared { merged: Cow<'i, Value>, comparison: Comparison },
    Applied(Cow<'i, Value>),
    Drifted(bool),
}

impl Outcome<'_> {
    pub(crate) fn into_tree(self) -> Result<Value> {
        Ok(match self {
            Self::Trees(trees) => json!([trees.last_applied, trees.desired, trees.live]),
            Self::Tree(tree) => tree,
            Self::Text(text) => serde_json::from_slice(&text)?,
            Self::Compared { merged, comparison } => json!({
                "merged": merged,
                "added": comparison.added,
                "modified": comparison.modified,
                "removed": comparison.removed,
            }),
            Self::Applied(object) => by_manager(object.into_owned())?,
            Self::Drifted(drifted) => json!(drifted),
        })
    }
}

/// An object and, apart from it, who owns what in it.
fn by_manager(mut object: Value) -> Result<Value> {
    let metadata = object["metadata"].as_object_mut().context("it has metadata")?;
    let entries = metadata.remove("managedFields");
    let entries = entries.as_ref().and_then(Value::as_array).context("it has owners")?;
    let managed: Map<_, _> = entries
        .iter()
        .map(|entry| {
            let text = |name| entry.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = format!("{} {} {}", text("manager"), text("operation"), text("subresource"));
            (name, entry["fieldsV1"].clone())
        })
        .collect();
    Ok(json!({"managed": managed, "object": object}))
}

fn type_of(object: &Value) -> Option<Type<'static>> {
    BuiltIn.type_of(&TypeRef::of(object))
}

fn three_way_of_bytes(input: &Input) -> Result<Outcome<'_>> {
    let options = ThreeWayOptions::default();
    let (patch, _) =
        three_way::patch_from_json(&input.last_applied, &input.desired, &input.live, &BuiltIn, &options)?;
    Ok(Outcome::Text(serde_json::to_vec(&patch)?))
}

fn three_way_of_trees(trees: &Trees) -> Result<Value> {
    let Trees { last_applied, desired, live } = trees;
    Ok(match type_of(desired) {
        Some(ty) => strategic::three_way(last_applied, desired, live, ty, &StrategicOptions::default())?,
        None => merge_patch::three_way(last_applied, desired, live, &[])?,
    })
}

fn three_way_applied(input: &Input) -> Result<Outcome<'_>> {
    let trees = input.parse()?;
    let patch = three_way_of_trees(&trees)?;
    let merged = match type_of(&trees.desired) {
        Some(ty) => strategic::apply_owned(trees.live, patch, ty, &StrategicOptions::default())?,
        None => merge_patch::apply_as_kubernetes(&trees.live, &patch)?,
    };
    Ok(Outcome::Text(serde_json::to_vec(&merged)?))
}

fn merge_and_compare(input: &Input) -> Result<Outcome<'_>> {
    let ty = type_of(&input.trees.desired).unwrap_or_else(Type::deduced);
    let merged = typed::merge(&input.bare_live, &input.trees.desired, ty)?;
    let comparison = typed::compare(&input.bare_live, &merged, ty)?;
    Ok(Outcome::Compared { merged, comparison })
}

/// The built-in kinds, and for all others what the peer has: nothing, not even the metadata that all objects have.
#[derive(Debug)]
struct AsThePeer;

impl Schema for AsThePeer {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        BuiltIn.type_of(kind).or_else(|| Some(Type::deduced()))
    }
}

fn apply_owned(input: &Input) -> Result<Outcome<'_>> {
    let options = WriteOptions::new(MANAGER).with_force(true);
    let applied = apply(Some(&input.trees.live), &input.trees.desired, &AsThePeer, &options)?;
    Ok(Outcome::Applied(applied.object))
}

fn drift(input: &Input) -> Outcome<'_> {
    let differences = compare(&input.trees.desired, &input.trees.live, &BuiltIn, &DiffOptions::default());
    Outcome::Drifted(!differences.is_empty())
}
