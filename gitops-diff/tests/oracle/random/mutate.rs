//! Objects that are related: one is the other, changed in a few places.

use gitops_diff::schema::{ListKind, Type};
use serde_json::{Value, json};

use super::dice::Dice;
use super::values::{Maker, without_duplicates};

/// A copy with a few changes; what tells an object apart stays, nearly always.
pub(crate) fn mutated(dice: &mut Dice, ty: Type<'_>, object: &Value, changes: usize) -> Value {
    let mut copy = object.clone();
    for _ in 0..changes {
        change(dice, ty, &mut copy, &[], true);
    }
    if dice.percent(99) {
        for field in ["apiVersion", "kind"] {
            restore(object, &mut copy, field);
        }
        match (object.get("metadata"), copy.get_mut("metadata")) {
            (Some(before), Some(after)) if after.is_object() => restore(before, after, "name"),
            (Some(before), _) => copy["metadata"] = json!({"name": before["name"]}),
            _ => {}
        }
    }
    copy
}

fn restore(from: &Value, to: &mut Value, field: &str) {
    if let Some(value) = from.get(field) {
        to[field] = value.clone();
    }
}

/// One change, somewhere below; `keys` tell the value apart from others in its list.
fn change(dice: &mut Dice, ty: Type<'_>, value: &mut Value, keys: &[&str], top: bool) {
    match value {
        Value::Object(map) => {
            let deeper = top || dice.percent(75);
            let nested: Vec<String> =
                map.iter().filter(|(_, v)| is_inner(v)).map(|(k, _)| k.clone()).collect();
            if deeper && !nested.is_empty() {
                let key = dice.pick(&nested);
                let merge_key =
                    ty.map().and_then(|map| map.field(key)).and_then(|f| f.patch().merge_key.as_deref());
                let child = ty.child_or_deduced(key);
                return match &mut map[key.as_str()] {
                    Value::Array(items) => change_items(dice, child, items, merge_key),
                    other => change(dice, child, other, &[], false),
                };
            }
            change_map(dice, ty, map, keys);
        }
        Value::Array(items) => change_items(dice, ty, items, None),
        _ => *value = Maker::new(dice, 5).value(ty),
    }
}

fn change_items(dice: &mut Dice, ty: Type<'_>, items: &mut Vec<Value>, merge_key: Option<&str>) {
    let nested: Vec<usize> = (0..items.len()).filter(|at| is_inner(&items[*at])).collect();
    if nested.is_empty() || dice.percent(50) {
        return change_list(dice, ty, items);
    }
    let at = *dice.pick(&nested);
    let mut keys: Vec<&str> = merge_key.into_iter().collect();
    if let ListKind::Map(fields) = ty.list_kind() {
        keys.extend(fields.iter().filter(|key| key.default.is_none()).map(|key| &*key.name));
    }
    if dice.percent(2) {
        keys.clear();
    }
    change(dice, ty.item_or_deduced(), &mut items[at], &keys, false);
}

fn is_inner(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn change_map(dice: &mut Dice, ty: Type<'_>, map: &mut serde_json::Map<String, Value>, stay: &[&str]) {
    let keys: Vec<String> = map.keys().filter(|key| !stay.contains(&key.as_str())).cloned().collect();
    match dice.below(10) {
        0..3 if !keys.is_empty() => {
            map.remove(dice.pick(&keys));
        }
        3..6 if !keys.is_empty() => {
            let key = dice.pick(&keys).clone();
            let new = rewritten(dice, ty.child_or_deduced(&key), &map[&key]);
            map.insert(key, new);
        }
        _ => {
            let more = ty.map().map(|map| Maker::new(dice, 8).fields(map, &["managedFields"]));
            for (key, value) in more.unwrap_or_default() {
                map.entry(key).or_insert(value);
            }
        }
    }
}

/// Another value in the same place; sometimes only another spelling of it.
fn rewritten(dice: &mut Dice, ty: Type<'_>, value: &Value) -> Value {
    match value {
        Value::Number(number) if dice.percent(10) => {
            let whole = number.as_i64().and_then(|whole| i32::try_from(whole).ok());
            whole.map_or_else(|| value.clone(), |whole| json!(f64::from(whole)))
        }
        Value::String(text) if text == "1" => json!("1000m"),
        Value::String(text) if text == "1000m" => json!("1"),
        Value::String(text) if text == "0.5" => json!("500m"),
        Value::String(text) if text == "500m" => json!("0.5"),
        Value::String(text) if text == "512Mi" => json!("0.5Gi"),
        Value::String(text) if text == "0.5Gi" => json!("512Mi"),
        _ if dice.percent(4) => Value::Null,
        _ => Maker::new(dice, 8).value(ty),
    }
}

fn change_list(dice: &mut Dice, ty: Type<'_>, items: &mut Vec<Value>) {
    let kind = ty.list_kind();
    match dice.below(10) {
        0..3 if !items.is_empty() => {
            let at = dice.below(items.len());
            items.remove(at);
        }
        3..5 => dice.shuffle(items),
        5 if !items.is_empty() => {
            let at = dice.below(items.len());
            items[at] = Maker::new(dice, 6).item(kind, ty.item_or_deduced());
        }
        _ => {
            let new = Maker::new(dice, 6).item(kind, ty.item_or_deduced());
            let at = dice.below(items.len() + 1);
            items.insert(at, new);
        }
    }
    if matches!(kind, ListKind::Set | ListKind::Map(_)) && !dice.percent(8) {
        without_duplicates(kind, items);
    }
}
