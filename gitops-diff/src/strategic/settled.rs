//! The usual outcome of a three-way merge, found in one walk: there is nothing to do.

use serde_json::{Map, Value};

use super::DIRECTIVE;
use super::aligned::Aligned;
use super::go::{Kind, deep_equal, item_kind, lists_equal};
use super::keyed::{Keys, Pairs};
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
        let Some(keys) = Keys::of(desired, found.merge_key()) else { return false };
        // That the live items have these keys is seen when they are compared.
        if live.len() != desired.len() {
            return false;
        }
        let item = |last: Option<&Value>, desired: &Value, live: &Value| match (desired, live) {
            (Value::Object(desired), Value::Object(live)) => {
                self.maps(last.and_then(Value::as_object), desired, live, found)
            }
            _ => false,
        };
        let mut items = desired.iter().zip(live);
        if last.is_empty() {
            return items.all(|(desired, live)| item(None, desired, live));
        }
        if keys.are_those_of(last) {
            return items.zip(last).all(|((desired, live), last)| item(Some(last), desired, live));
        }
        // Something was added, or moved.
        let before = Pairs::of(last, desired, found.merge_key());
        let Some(before) = before.filter(|before| before.matched() == last.len()) else { return false };
        items
            .zip(before.places())
            .all(|((desired, live), place)| item(place.and_then(|at| last.get(at)), desired, live))
    }
}
