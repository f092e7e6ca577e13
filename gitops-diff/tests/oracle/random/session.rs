//! The life of one object under several managers: writes that build on each other.

use std::collections::BTreeMap;

use gitops_diff::schema::Type;
use serde_json::{Value, json};

use super::dice::Dice;
use super::mutate::mutated;
use super::world::{Kind, World};

const HUGE: &str = "9007199254740993";

const MANAGERS: [&str; 4] = ["gitops", "kubectl-edit", "hpa", "controller"];

/// An object, and what its managers applied last.
#[derive(Debug)]
pub(crate) struct Session {
    dice: Dice,
    ty: Type<'static>,
    kind: Kind,
    schema: Value,
    live: Value,
    applied: BTreeMap<&'static str, Value>,
    asked: Option<(&'static str, Value)>,
}

impl Session {
    /// An object that nobody has applied yet.
    pub(crate) fn new(mut dice: Dice, world: &World) -> Self {
        let mut kind = world.any_kind(&mut dice);
        let known = kind.ty();
        let object = kind.object(&mut dice, known, 40);
        let (ty, schema) = if dice.percent(12) {
            kind.api_version = String::from("deduced.example.com/v1");
            kind.kind = String::from("Thing");
            (Type::deduced(), json!({"file": "deduced", "type": "__untyped_deduced_"}))
        } else {
            (known, kind.schema())
        };
        let mut live = json!({"metadata": {"name": "x"}});
        let mut applied = BTreeMap::new();
        if dice.percent(30) {
            live = object.clone();
        }
        applied.insert(MANAGERS[0], object);
        for value in applied.values_mut().chain([&mut live]) {
            *value = kind.named(std::mem::take(value));
        }
        Self { dice, ty, kind, schema, live, applied, asked: None }
    }

    /// The next write.
    ///
    /// Go reads the numbers of managedFields as floats, so that a port of 9007199254740993 is owned as another one. That is
    /// not copied, and left out here.
    pub(crate) fn next(&mut self) -> Value {
        let request = self.any_write();
        let text = request.to_string();
        if !text.contains(HUGE) {
            return request;
        }
        serde_json::from_str(&text.replace(HUGE, "9007199254740992")).expect("it was JSON")
    }

    fn any_write(&mut self) -> Value {
        let dice = &mut self.dice;
        if dice.percent(12) {
            // Something that nobody owns: defaults of the server.
            let managed = self.live["metadata"].get("managedFields").cloned();
            self.live = self.kind.named(mutated(dice, self.ty, &without_managed_fields(&self.live), 2));
            if let (Some(managed), true) = (managed, self.live["metadata"].is_object()) {
                self.live["metadata"]["managedFields"] = managed;
            }
        }
        if dice.percent(4)
            && let Some(entries) =
                self.live["metadata"].get_mut("managedFields").and_then(Value::as_array_mut)
            && !entries.is_empty()
        {
            let at = dice.below(entries.len());
            entries[at]["apiVersion"] = json!("old.example.com/v0");
        }
        let manager = *dice.pick(&MANAGERS);
        let mut request =
            json!({"kind": self.kind.json(), "schema": self.schema, "live": self.live, "manager": manager});
        if dice.percent(50) {
            request["before_first_apply"] = json!(true);
        }
        if dice.percent(20) {
            request["field_manager"] = json!(true);
        }
        if dice.percent(6) {
            request["subresource"] = json!("status");
        }
        let plain = without_managed_fields(&self.live);
        if dice.percent(35) {
            let changes = 1 + dice.below(3);
            request["op"] = json!("ssa_update");
            request["updated"] = self.kind.named(mutated(dice, self.ty, &plain, changes));
            self.asked = None;
            return request;
        }
        let base = match self.applied.get(manager) {
            Some(applied) if dice.percent(85) => applied.clone(),
            _ => some_of(dice, &plain, true),
        };
        let changes = dice.below(3);
        let mut applied = self.kind.named(without_managed_fields(&mutated(dice, self.ty, &base, changes)));
        if dice.percent(12) {
            empty_something(dice, &mut applied);
            applied = self.kind.named(applied);
        }
        request["op"] = json!("ssa");
        request["applied"] = applied.clone();
        request["force"] = json!(dice.percent(60));
        self.asked = Some((manager, applied));
        request
    }

    /// Goes on from what came of the last write.
    pub(crate) fn absorb(&mut self, answer: &Value) {
        let Some(object) = answer.get("expected_object").filter(|object| object.is_object()) else { return };
        self.live = object.clone();
        // An object without metadata is nobody's any more.
        if let Some(metadata) = self.live.get_mut("metadata").and_then(Value::as_object_mut)
            && answer["expected_managedFields"].as_array().is_some_and(|owners| !owners.is_empty())
        {
            metadata.insert("managedFields".to_owned(), answer["expected_managedFields"].clone());
        }
        if let Some((manager, applied)) = self.asked.take() {
            self.applied.insert(manager, applied);
        }
    }
}

fn without_managed_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// A part of an object, as somebody would apply who cares for that part only.
fn some_of(dice: &mut Dice, value: &Value, top: bool) -> Value {
    match value {
        Value::Object(map) => {
            let always = |key: &str| matches!(key, "apiVersion" | "kind" | "metadata" | "name");
            let kept = map.iter().filter(|(key, _)| always(key) || dice.percent(if top { 50 } else { 70 }));
            let kept: Vec<_> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
            kept.into_iter().map(|(key, value)| (key, some_of(dice, &value, false))).collect()
        }
        Value::Array(items) => items.iter().map(|item| some_of(dice, item, false)).collect(),
        scalar => scalar.clone(),
    }
}

/// Replaces something below the top by an empty map, an empty list or null.
fn empty_something(dice: &mut Dice, value: &mut Value) {
    let empty = match value {
        Value::Object(_) => json!({}),
        Value::Array(_) => json!([]),
        _ => Value::Null,
    };
    let inner: Vec<&mut Value> = match value {
        Value::Object(map) => map
            .iter_mut()
            .filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind" | "name"))
            .map(|e| e.1)
            .collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    let count = inner.len();
    match inner.into_iter().nth(if count == 0 { 0 } else { dice.below(count) }) {
        Some(inner) if dice.percent(70) => empty_something(dice, inner),
        Some(inner) => *inner = if dice.percent(50) { Value::Null } else { inner_empty(inner) },
        None => *value = empty,
    }
}

fn inner_empty(value: &Value) -> Value {
    match value {
        Value::Object(_) => json!({}),
        Value::Array(_) => json!([]),
        _ => Value::Null,
    }
}
