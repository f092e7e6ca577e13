//! Looking up one map's keys in another.

use std::cmp::Ordering;

use serde_json::{Map, Value, map};

/// Finds keys in a map, fastest when they are asked for in the map's own order.
///
/// Maps mostly have both the same keys and the same order, whichever that is: then one comparison finds a value.
pub(super) struct Aligned<'v> {
    map: &'v Map<String, Value>,
    rest: map::Iter<'v>,
    next: Option<(&'v String, &'v Value)>,
}

impl<'v> Aligned<'v> {
    pub(super) fn new(map: &'v Map<String, Value>) -> Self {
        let mut rest = map.iter();
        let next = rest.next();
        Self { map, rest, next }
    }

    #[inline]
    pub(super) fn get(&mut self, key: &str) -> Option<&'v Value> {
        while let Some((next, value)) = self.next {
            if same_name(next, key) {
                self.next = self.rest.next();
                return Some(value);
            }
            match next.as_str().cmp(key) {
                Ordering::Less => self.next = self.rest.next(),
                Ordering::Equal | Ordering::Greater => break,
            }
        }
        // Not there, unless the maps are not in the order of their keys.
        self.map.get(key)
    }
}

/// Whether two names are the same. They are mostly short: then two numbers of each tell, without a call.
#[inline]
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let ends = |name: &[u8]| -> Option<(u64, u64)> {
        let (first, last) = (name.first_chunk()?, name.last_chunk()?);
        Some((u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)))
    };
    let short_ends = |name: &[u8]| -> Option<(u32, u32)> {
        let (first, last) = (name.first_chunk()?, name.last_chunk()?);
        Some((u32::from_ne_bytes(*first), u32::from_ne_bytes(*last)))
    };
    match a.len() {
        8..=16 => ends(a) == ends(b),
        4..8 => short_ends(a) == short_ends(b),
        _ => a == b,
    }
}
