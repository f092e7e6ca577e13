//! Looking up one map's keys in another.

use std::cmp::Ordering;
use std::iter::Peekable;

use serde_json::{Map, Value, map};

/// Finds keys in a map, fastest when they are asked for in the map's own order.
///
/// Maps mostly have both the same keys and the same order, whichever that is: then one comparison finds a value.
pub(super) struct Aligned<'v> {
    map: &'v Map<String, Value>,
    next: Peekable<map::Iter<'v>>,
}

impl<'v> Aligned<'v> {
    pub(super) fn new(map: &'v Map<String, Value>) -> Self {
        Self { map, next: map.iter().peekable() }
    }

    pub(super) fn get(&mut self, key: &str) -> Option<&'v Value> {
        while let Some((next, value)) = self.next.peek() {
            let value = *value;
            match next.as_str().cmp(key) {
                Ordering::Less => drop(self.next.next()),
                Ordering::Equal => {
                    self.next.next();
                    return Some(value);
                }
                Ordering::Greater => break,
            }
        }
        // Not there, unless the maps are not in the order of their keys.
        self.map.get(key)
    }
}
