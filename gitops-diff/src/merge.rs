//! Laying a configuration over an object, as server-side apply does.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::field_set::Context;
use crate::list_keys;
use crate::{FieldPath, PathElement};

impl Context<'_> {
    /// The object with what the configuration states: maps field by field, keyed lists item by item, sets united,
    /// everything atomic replaced.
    pub(crate) fn merge(&self, live: &Value, config: &Value, path: &mut FieldPath) -> Value {
        match (live, config) {
            (Value::Object(l), Value::Object(c)) if !self.is_atomic_map(path) => {
                let mut merged = l.clone();
                for (name, value) in c {
                    path.push(PathElement::field(name.as_str()));
                    let value = match l.get(name) {
                        Some(old) => self.merge(old, value, path),
                        None => value.clone(),
                    };
                    path.pop();
                    merged.insert(name.clone(), value);
                }
                Value::Object(merged)
            }
            (Value::Array(l), Value::Array(c)) => self.merge_lists(l, c, path),
            // An unchanged number keeps the spelling it is stored with.
            _ if crate::canonical::same(live, config) => live.clone(),
            _ => config.clone(),
        }
    }

    /// The order of the result is that of structured-merge-diff (`typed/merge.go`): the configuration's for the items it
    /// states, and each other item stays behind the one it is behind.
    fn merge_lists(&self, live: &[Value], config: &[Value], path: &mut FieldPath) -> Value {
        let kind = self.list(path);
        let (Some(old), Some(new)) = (list_keys::elements(kind, live), list_keys::elements(kind, config))
        else {
            let same = live.len() == config.len()
                && live.iter().zip(config).all(|(l, c)| crate::canonical::same(l, c));
            return Value::from(if same { live } else { config });
        };
        let by_name: HashMap<&PathElement, &Value> = old.iter().zip(live).collect();
        let stated: HashSet<&PathElement> = new.iter().collect();
        let mut shared = new.iter().filter(|element| by_name.contains_key(element)).peekable();
        let mut done: HashSet<&PathElement> = HashSet::new();
        let mut merged = Vec::with_capacity(live.len().max(config.len()));
        let (mut l, mut c) = (0, 0);
        loop {
            let (here, there) = (old.get(l), new.get(c));
            if here.is_none() && there.is_none() {
                break;
            }
            // A shared item that is not the next one the configuration wants: it comes in its own turn.
            if let (Some(element), Some(state)) = (here, there)
                && element != state
                && stated.contains(element)
                && shared.peek().is_some_and(|next| *next != element)
            {
                l += 1;
                continue;
            }
            if let Some(element) = here.filter(|element| Some(*element) != there) {
                if !stated.contains(element) {
                    merged.extend(live.get(l).cloned());
                    l += 1;
                    continue;
                }
                if done.contains(element) {
                    l += 1;
                }
            }
            if let (Some(element), Some(item)) = (there, config.get(c)) {
                if here == Some(element) {
                    l += 1;
                }
                path.push(element.clone());
                merged.push(match by_name.get(element) {
                    Some(old) => self.merge(old, item, path),
                    None => item.clone(),
                });
                path.pop();
                done.insert(element);
                c += 1;
                if shared.peek() == Some(&element) {
                    shared.next();
                }
            }
        }
        Value::Array(merged)
    }
}

/// The tree without the nulls in its maps: a null in a configuration states nothing.
pub(crate) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let stated = map.iter().filter(|(_, v)| !v.is_null());
            Value::Object(stated.map(|(k, v)| (k.clone(), without_nulls(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::list_keys::TypeRef;
    use crate::testing::deployment;
    use crate::{DiffOptions, KnownLists, stated};

    fn merge(live: &Value, config: &Value) -> Value {
        Context { object: TypeRef::of(live), lists: &KnownLists }.merge(live, config, &mut FieldPath::root())
    }

    #[test]
    fn lists_merge_in_the_order_of_the_configuration() {
        let pod = |names: &str| {
            let items: Vec<_> = names.chars().map(|c| json!({"name": c.to_string()})).collect();
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": items}})
        };
        for (live, config, expected) in [
            ("abc", "b", "abc"),
            ("abc", "ca", "bca"),
            ("abc", "xa", "xabc"),
            ("abc", "ax", "abcx"),
            ("", "ab", "ab"),
            ("xay", "a", "xay"),
            ("abcd", "dcba", "dcba"),
        ] {
            assert_eq!(merge(&pod(live), &pod(config)), pod(expected), "{live} + {config}");
        }
    }

    #[test]
    fn nulls_state_nothing() {
        assert_eq!(without_nulls(&json!({"a": null, "b": [{"c": null}, null]})), json!({"b": [{}, null]}));
    }

    proptest! {
        #[test]
        fn the_result_states_both(live in deployment(), config in deployment()) {
            let merged = merge(&live, &config);
            prop_assert!(stated(&config, &merged, &DiffOptions::default()).is_empty());
            prop_assert_eq!(merge(&merged, &config), merged.clone());
            prop_assert_eq!(merge(&live, &live), live);
        }
    }
}
