//! What tells one item of a keyed list from the others.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

use crate::canonical;

/// The key fields of a list item with their values, sorted by name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ItemKey(Arc<[(Arc<str>, Value)]>);

impl ItemKey {
    /// The fields, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The names of the fields.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(known, _)| &***known == name).map(|(_, value)| value)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of fields in any order; where a name comes twice, the first counts.
impl FromIterator<(Arc<str>, Value)> for ItemKey {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Value)>>(fields: I) -> Self {
        let mut fields: Vec<_> = fields.into_iter().collect();
        if !fields.is_sorted_by(|a, b| a.0 < b.0) {
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            fields.dedup_by(|later, first| later.0 == first.0);
        }
        Self(fields.into())
    }
}

impl<const N: usize> From<[(Arc<str>, Value); N]> for ItemKey {
    fn from(fields: [(Arc<str>, Value); N]) -> Self {
        fields.into_iter().collect()
    }
}

impl Ord for ItemKey {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        for ((a, x), (b, y)) in self.iter().zip(other.iter()) {
            match a.cmp(b).then_with(|| canonical::cmp(x, y)) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        self.len().cmp(&other.len())
    }
}

impl PartialOrd for ItemKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ItemKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ItemKey {}
