//! What a file says, before anybody writes it.

use gitops_core::ResourceId;
use serde_json::{Map, Value, json};

use crate::dice::Dice;

const TEXTS: &[&str] = &[
    "a",
    "nginx",
    "ghcr.io/acme/shop:1.0",
    "localhost:5000/a",
    "two words",
    "three little words",
    "1.20",
    "yes",
    "null",
    "",
    "it's",
    "say \"hi\"",
    "a: b",
    "a #b",
    "#",
    "- a",
    "*a",
    "ü€ 日本 😀",
    "back\\slash",
    "tab\tbed",
    " space ",
    "a,b [c] {d}",
    "@a",
    "# {\"$imagepolicy\": \"ns:app\"}",
    "x # {\"$imagepolicy\": \"ns:app\"}",
    "two\nlines",
    "two\nlines\n",
    "a\n\n  b\n",
    "a\n\n\n",
    "---\n...\n",
    "\n",
    "image: x # {\"$imagepolicy\": \"ns:app\"}\n",
    "0644",
    "2001-01-01",
    "~",
    "\u{85}\u{feff}\u{1}",
];

const KEYS: &[&str] =
    &["image", "name", "replicas", "a", "b-c", "app.kubernetes.io/name", "ü", "with space", "x_y", "z"];

pub(crate) fn text(dice: &mut Dice) -> String {
    dice.pick(TEXTS).to_owned()
}

pub(crate) fn scalar(dice: &mut Dice) -> Value {
    match dice.below(10) {
        0 => json!(dice.below(10_000)),
        1 => json!(-1.5),
        2 => json!(dice.chance(2)),
        3 => Value::Null,
        _ => Value::from(text(dice)),
    }
}

pub(crate) fn tree(dice: &mut Dice, levels: usize) -> Value {
    match dice.below(if levels == 0 { 6 } else { 12 }) {
        0..6 => scalar(dice),
        6..9 => (0..dice.below(4)).map(|_| tree(dice, levels - 1)).collect(),
        _ => map(dice, levels - 1).into(),
    }
}

fn map(dice: &mut Dice, levels: usize) -> Map<String, Value> {
    (0..dice.below(5)).map(|_| (dice.pick(KEYS).to_owned(), tree(dice, levels))).collect()
}

/// An object with some content, and what it is called.
pub(crate) fn object(dice: &mut Dice, number: usize) -> (ResourceId, Value) {
    let name = format!("o{number}");
    let mut object = map(dice, 4);
    object.remove("kind");
    for (key, value) in [
        ("apiVersion", json!("v1")),
        ("kind", json!("Config")),
        ("metadata", json!({"name": name, "labels": {"a": "b"}})),
    ] {
        object.insert(key.to_owned(), value);
    }
    (ResourceId::global("", "Config", name), object.into())
}
