//! The usual outcome of a three-way merge, found in one walk: there is nothing to do.

use serde_json::{Map, Value};

use super::DIRECTIVE;
use super::aligned::Aligned;
use super::go::{Kind, deep_equal, item_kind, lists_equal};
use super::keyed::Pairs;
use super::lookup::{Found, Lookup};
use crate::schema::{Patch, Type};

/// Whether nothing was removed from what was last applied, and the live object has all that is desired.
///
/// It is true only where making the patch would succeed with an empty one; where it is false that can still be so.
pub(super) fn is_settled(
    last_applied: &Map<String, Value>,
    desired: &Map<String, Value>,
    live: &Map<String, Value>,
    ty: Type<'_>,
    lookup: Lookup,
) -> bool {
    Walk { lookup }.maps(Some(last_applied), desired, live, Found { ty, patch: Patch::NONE })
}

#[derive(Clone, Copy)]
struct Walk {
    lookup: Lookup,
}

impl Walk {
    fn maps(
        self,
        last: Option<&Map<String, Value>>,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
        found: Found<'_>,
    ) -> bool {
        let mut known = last.map(Aligned::new);
        let mut have = Aligned::new(live);
        let mut kept = 0;
        for (key, value) in desired {
            let Some(live) = have.get(key) else { return false };
            let last = known.as_mut().and_then(|known| known.get(key));
            kept += usize::from(last.is_some());
            if key == DIRECTIVE || !self.values(key, last, value, live, found.ty) {
                return false;
            }
        }
        let more = || live.iter().any(|(key, value)| !value.is_null() && !desired.contains_key(key));
        last.is_none_or(|last| last.len() == kept) && !(found.patch.retain_keys && more())
    }

    fn values(self, key: &str, last: Option<&Value>, desired: &Value, live: &Value, ty: Type<'_>) -> bool {
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) => {
                let last = last.and_then(Value::as_object);
                self.lookup.map(ty, key).is_ok_and(|found| {
                    // What is replaced as a whole is always in a patch.
                    !found.patch.replace && self.maps(last, desired, live, found)
                })
            }
            (Value::Array(desired), Value::Array(live)) => {
                let last = last.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                self.lookup.list(ty, key).is_ok_and(|found| {
                    if found.patch.merge {
                        self.merged_lists(last, desired, live, found)
                    } else {
                        lists_equal(desired, live)
                    }
                })
            }
            (desired, live) => deep_equal(desired, live),
        }
    }

    fn merged_lists(self, last: &[Value], desired: &[Value], live: &[Value], found: Found<'_>) -> bool {
        if live.is_empty() {
            return desired.is_empty() && last.is_empty();
        }
        if item_kind(live.iter().chain(desired)) != Ok(Kind::Map) {
            // Sets are compared sorted.
            return live.iter().all(Value::is_string)
                && live.is_sorted_by(|a, b| a.as_str() < b.as_str())
                && lists_equal(desired, live)
                && lists_equal(desired, last);
        }
        let key = found.merge_key();
        let Some(pairs) = Pairs::of(live, desired, key) else { return false };
        if !pairs.same_order() {
            return false;
        }
        let before = if last.is_empty() { None } else { Pairs::of(last, desired, key) };
        let mut before_places = match &before {
            Some(before) if before.matched() == last.len() => Some(before.places()),
            None if last.is_empty() => None,
            _ => return false,
        };
        desired.iter().zip(live).all(|(desired, live)| {
            let place = before_places.as_mut().and_then(Iterator::next).flatten();
            let last = place.and_then(|at| last.get(at)).and_then(Value::as_object);
            match (desired, live) {
                (Value::Object(desired), Value::Object(live)) => self.maps(last, desired, live, found),
                _ => false,
            }
        })
    }
}
