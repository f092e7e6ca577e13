//! Inputs for one operation each, in the form of the oracle's requests.

use gitops_diff::schema::Type;
use serde_json::{Value, json};

use super::dice::Dice;
use super::mutate::mutated;
use super::patches;
use super::world::World;

/// A merge patch or a three-way merge.
pub(crate) fn patch_case(dice: &mut Dice, world: &World) -> Value {
    match dice.below(100) {
        0..30 => strategic_merge(dice, world),
        30..45 => two_way(dice, world),
        45..80 => three_way(dice, world),
        80..88 => json_merge_patch(dice, world),
        _ => three_way_json(dice, world),
    }
}

/// Two objects for compare, merge, remove and extract.
pub(crate) fn typed_case(dice: &mut Dice, world: &World) -> Value {
    let kind = &world.any_kind(dice);
    let (ty, schema) = if dice.percent(10) {
        (Type::deduced(), json!({"file": "deduced", "type": "__untyped_deduced_"}))
    } else {
        (kind.ty(), kind.schema())
    };
    let lhs = kind.object(dice, kind.ty(), 60);
    let rhs = changed(dice, ty, &lhs, 5);
    json!({"op": "smd_ops", "kind": kind.json(), "schema": schema, "lhs": lhs, "rhs": rhs})
}

fn strategic_merge(dice: &mut Dice, world: &World) -> Value {
    let kind = world.kind(dice);
    let ty = kind.ty();
    let mut original = kind.object(dice, ty, 60);
    let mut wanted = changed(dice, ty, &original, 6);
    unknown_field(dice, [&mut original, &mut wanted]);
    let patch = patches::strategic(dice, ty, &original, &wanted);
    json!({"op": "strategic_merge", "source": "go", "kind": kind.json(), "original": original, "patch": patch})
}

fn two_way(dice: &mut Dice, world: &World) -> Value {
    let kind = world.kind(dice);
    let ty = kind.ty();
    let mut original = kind.object(dice, ty, 60);
    let mut modified = changed(dice, ty, &original, 5);
    unknown_field(dice, [&mut original, &mut modified]);
    json!({"op": "two_way", "kind": kind.json(), "original": original, "modified": modified})
}

fn three_way(dice: &mut Dice, world: &World) -> Value {
    let kind = world.kind(dice);
    let ty = kind.ty();
    let start = kind.object(dice, ty, 50);
    let [mut original, mut modified, mut current] = three(dice, ty, &start);
    unknown_field(dice, [&mut original, &mut modified, &mut current]);
    json!({
        "op": "three_way", "kind": kind.json(),
        "original": original, "modified": modified, "current": current,
        "overwrite": dice.percent(75), "preconditions": preconditions(dice, 20),
    })
}

fn json_merge_patch(dice: &mut Dice, world: &World) -> Value {
    let kind = world.kind(dice);
    let ty = kind.ty();
    let original = kind.object(dice, ty, 40);
    let modified = changed(dice, ty, &original, 5);
    let patch = match dice.below(50) {
        0 => json!(null),
        1 => json!("text"),
        2 => json!([{"a": null}]),
        _ => patches::strategic(dice, Type::deduced(), &original, &modified),
    };
    json!({
        "op": "json_merge_patch", "original": original, "patch": patch,
        "create": {"original": original, "modified": modified},
    })
}

fn three_way_json(dice: &mut Dice, world: &World) -> Value {
    let kind = world.kind(dice);
    let ty = kind.ty();
    let start = kind.object(dice, ty, 40);
    let [original, modified, current] = three(dice, ty, &start);
    json!({
        "op": "three_way_json", "original": original, "modified": modified, "current": current,
        "preconditions": preconditions(dice, 100),
    })
}

/// What was applied last, what is wanted now, and what is there.
fn three(dice: &mut Dice, ty: Type<'_>, start: &Value) -> [Value; 3] {
    let modified = changed(dice, ty, start, 4);
    let current = match dice.below(10) {
        // Somebody did the wanted change already.
        0 | 1 => changed(dice, ty, &modified, 2),
        2 => start.clone(),
        _ => changed(dice, ty, start, 4),
    };
    let original = if dice.percent(5) { json!({}) } else { start.clone() };
    [original, modified, current]
}

/// Seldom, a field that no schema has.
fn unknown_field<const N: usize>(dice: &mut Dice, objects: [&mut Value; N]) {
    if !dice.percent(3) {
        return;
    }
    for object in objects {
        let value = match dice.below(4) {
            0 => json!("text"),
            1 => json!([dice.below(3)]),
            _ => json!({"a": dice.below(3)}),
        };
        match object.get_mut("spec").and_then(Value::as_object_mut) {
            Some(spec) => spec.insert("brandNew".to_owned(), value),
            None => object.as_object_mut().and_then(|object| object.insert("brandNew".to_owned(), value)),
        };
    }
}

fn changed(dice: &mut Dice, ty: Type<'_>, object: &Value, most: usize) -> Value {
    let changes = 1 + dice.below(most);
    mutated(dice, ty, object, changes)
}

fn preconditions(dice: &mut Dice, percent: u64) -> Value {
    if dice.percent(percent) { json!(["apiVersion", "kind", "metadata.name"]) } else { json!([]) }
}
