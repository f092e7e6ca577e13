//! Strategic merge patches with directives.

use gitops_diff::schema::{Patch, Type};
use serde_json::{Map, Value, json};

use super::dice::Dice;

/// A patch for `original`, made of an object of the same kind: some of its fields, and directives.
pub(crate) fn strategic(dice: &mut Dice, ty: Type<'_>, original: &Value, wanted: &Value) -> Value {
    let (Value::Object(original), Value::Object(wanted)) = (original, wanted) else { return wanted.clone() };
    Value::Object(map(dice, ty, Patch::NONE, original, wanted, true))
}

fn map(
    dice: &mut Dice,
    ty: Type<'_>,
    strategy: &Patch,
    original: &Map<String, Value>,
    wanted: &Map<String, Value>,
    top: bool,
) -> Map<String, Value> {
    let mut patch = Map::new();
    let nothing = Value::Null;
    for (key, value) in wanted {
        if top && matches!(key.as_str(), "apiVersion" | "kind") || dice.percent(25) {
            continue;
        }
        let before = original.get(key).unwrap_or(&nothing);
        field(dice, ty, &mut patch, key, before, value);
    }
    for key in original.keys().filter(|key| !wanted.contains_key(*key)) {
        if dice.percent(50) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    if dice.percent(3) {
        patch.insert(dice.pick(&super::values::WORDS).to_string(), Value::Null);
    }
    if strategy.retain_keys && dice.percent(50) || dice.percent(1) {
        let mut keys: Vec<Value> =
            patch.iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| json!(k)).collect();
        keys.extend(original.keys().filter(|_| dice.percent(50)).map(|k| json!(k)));
        patch.insert("$retainKeys".to_owned(), json!(keys));
    }
    if !top {
        match dice.below(200) {
            0..4 => patch.insert("$patch".to_owned(), json!("replace")),
            4..8 => patch.insert("$patch".to_owned(), json!("delete")),
            8 => patch.insert("$patch".to_owned(), json!("merge")),
            9 => patch.insert("$patch".to_owned(), json!("explode")),
            _ => None,
        };
    }
    patch
}

fn field(
    dice: &mut Dice,
    ty: Type<'_>,
    patch: &mut Map<String, Value>,
    key: &str,
    before: &Value,
    value: &Value,
) {
    let child = ty.child_or_deduced(key);
    let named = ty.map().and_then(|map| map.field(key));
    let strategy = named.map_or(Patch::NONE, |field| field.patch());
    let empty = (Map::new(), Vec::new());
    let made = match value {
        Value::Object(wanted) => {
            Value::Object(map(dice, child, strategy, before.as_object().unwrap_or(&empty.0), wanted, false))
        }
        Value::Array(wanted) => {
            let before = before.as_array().unwrap_or(&empty.1);
            Value::Array(list(dice, child, strategy, patch, key, before, wanted))
        }
        scalar => scalar.clone(),
    };
    patch.insert(key.to_owned(), made);
}

fn list(
    dice: &mut Dice,
    ty: Type<'_>,
    strategy: &Patch,
    patch: &mut Map<String, Value>,
    key: &str,
    before: &[Value],
    wanted: &[Value],
) -> Vec<Value> {
    let scalars = wanted.iter().chain(before).all(|item| !item.is_object() && !item.is_array());
    let merge_key = strategy.merge_key.as_deref();
    let mut items: Vec<Value> = Vec::new();
    for item in wanted {
        if dice.percent(25) {
            continue;
        }
        let known = merge_key.and_then(|key| before.iter().find(|b| b.get(key) == item.get(key)));
        items.push(match (item, known) {
            (Value::Object(wanted), Some(Value::Object(before))) => {
                let mut made = map(dice, ty.item_or_deduced(), Patch::NONE, before, wanted, false);
                if let Some((key, value)) = merge_key.and_then(|key| wanted.get_key_value(key))
                    && dice.percent(98)
                {
                    made.insert(key.clone(), value.clone());
                }
                Value::Object(made)
            }
            _ => item.clone(),
        });
    }
    if let Some(merge_key) = merge_key {
        for item in before {
            if let Some(value) = item.get(merge_key)
                && dice.percent(15)
            {
                items.push(json!({"$patch": "delete", merge_key: value}));
            }
        }
        if dice.percent(5) {
            items.insert(0, json!({"$patch": "replace"}));
        }
    }
    if !strategy.merge && items.first().is_some_and(Value::is_object) && dice.percent(8) {
        items.push(json!({"$patch": "delete", "name": "a"}));
    }
    let order = dice.percent(if strategy.merge { 35 } else { 18 });
    if order && !items.is_empty() {
        let element = |item: &Value| match merge_key {
            Some(key) => item.get(key).map(|value| json!({key: value})),
            None => Some(item.clone()),
        };
        let gone = |item: &&Value| item.get("$patch").is_none();
        let mut elements: Vec<Value> = items.iter().filter(gone).filter_map(element).collect();
        for item in before.iter().filter_map(element) {
            if !elements.contains(&item) && dice.percent(70) {
                let at = dice.below(elements.len() + 1);
                elements.insert(at, item);
            }
        }
        if dice.percent(4) {
            dice.shuffle(&mut elements);
        }
        patch.insert(format!("$setElementOrder/{key}"), json!(elements));
    }
    if scalars && !before.is_empty() && dice.percent(30) {
        let gone: Vec<&Value> = before.iter().filter(|_| dice.percent(50)).collect();
        patch.insert(format!("$deleteFromPrimitiveList/{key}"), json!(gone));
    }
    items
}
