//! Many paths through one tree, without walking its lists for each of them.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use serde_json::Value;

use crate::path::implied;
use crate::{FieldPath, PathElement, canonical};

/// Lists shorter than this are looked through.
const LONG: usize = 16;
/// How often a long list is looked through before it gets an index.
const PATIENCE: usize = 4;
/// How many indexes a list may have, so that keys of many sorts cost time and no memory.
const SORTS: usize = 4;

/// A tree with an index of each list that many paths lead through. Finds what [`FieldPath::get`] finds.
#[derive(Debug)]
pub(crate) struct PathIndex<'v> {
    root: &'v Value,
    /// By where the list is in memory.
    lists: HashMap<usize, ListIndex>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct ListIndex {
    searches: usize,
    sorts: Vec<(Sort, Positions)>,
}

/// What the items are found by.
#[derive(Debug, PartialEq)]
enum Sort {
    Value,
    Key(Vec<Arc<str>>),
}

/// The hashes of the items' names, sorted, with their positions.
type Positions = Vec<(u64, usize)>;

impl<'v> PathIndex<'v> {
    pub(crate) fn new(root: &'v Value) -> Self {
        Self { root, lists: HashMap::new(), hasher: RandomState::new() }
    }

    /// The field at a path.
    pub(crate) fn get(&mut self, path: &FieldPath) -> Option<&'v Value> {
        path.elements().iter().try_fold(self.root, |parent, element| self.child(parent, element))
    }

    /// The nodes on the way to a field, from the root on, as far as there are any: one more than the path has steps if it
    /// leads to a field.
    pub(crate) fn way(&mut self, path: &FieldPath) -> Vec<&'v Value> {
        let mut way = Vec::with_capacity(path.len() + 1);
        way.push(self.root);
        let mut at = self.root;
        for element in path.elements() {
            let Some(child) = self.child(at, element) else { break };
            way.push(child);
            at = child;
        }
        way
    }

    fn child(&mut self, parent: &'v Value, element: &PathElement) -> Option<&'v Value> {
        match (parent, element) {
            (Value::Array(items), PathElement::Key(_) | PathElement::Value(_)) if items.len() >= LONG => {
                let list = self.lists.entry(items.as_ptr().addr()).or_default();
                items.get(list.position(items, element, &self.hasher)?)
            }
            _ => element.of(parent),
        }
    }
}

impl ListIndex {
    fn position(&mut self, items: &[Value], element: &PathElement, hasher: &RandomState) -> Option<usize> {
        self.searches += 1;
        if self.searches <= PATIENCE {
            return element.position(items);
        }
        let at = self.sorts.iter().position(|(sort, _)| sort.is_of(element));
        let at = match at {
            None if self.sorts.len() == SORTS => return element.position(items),
            None => {
                let sort = Sort::of(element)?;
                let mut positions: Positions = items
                    .iter()
                    .enumerate()
                    .filter_map(|(at, item)| Some((sort.hash(item, hasher)?, at)))
                    .collect();
                positions.sort_unstable();
                self.sorts.push((sort, positions));
                self.sorts.len() - 1
            }
            Some(at) => at,
        };
        let (_, positions) = self.sorts.get(at)?;
        let wanted = match element {
            PathElement::Key(key) => hash_all(key.iter().map(|(_, value)| value), hasher),
            PathElement::Value(value) => hash_all(std::iter::once(value), hasher),
            PathElement::Field(_) | PathElement::Index(_) => return element.position(items),
        };
        let from = positions.partition_point(|(hash, _)| *hash < wanted);
        let alike = positions.get(from..)?.iter().take_while(|(hash, _)| *hash == wanted);
        alike.map(|(_, at)| *at).find(|at| items.get(*at).is_some_and(|item| element.names(item)))
    }
}

impl Sort {
    fn of(element: &PathElement) -> Option<Self> {
        match element {
            PathElement::Value(_) => Some(Self::Value),
            PathElement::Key(key) => Some(Self::Key(key.keys().cloned().collect())),
            PathElement::Field(_) | PathElement::Index(_) => None,
        }
    }

    fn is_of(&self, element: &PathElement) -> bool {
        match (self, element) {
            (Self::Value, PathElement::Value(_)) => true,
            (Self::Key(names), PathElement::Key(key)) => key.keys().eq(names),
            _ => false,
        }
    }

    /// The hash of an item's name, if it has one of this sort.
    fn hash(&self, item: &Value, hasher: &RandomState) -> Option<u64> {
        match self {
            Self::Value => Some(hash_all(std::iter::once(item), hasher)),
            Self::Key(names) => {
                let map = item.as_object()?;
                let mut state = hasher.build_hasher();
                for name in names {
                    match map.get(&**name) {
                        Some(value) => canonical::hash(value, &mut state),
                        None => canonical::hash(&implied(name)?, &mut state),
                    }
                }
                Some(state.finish())
            }
        }
    }
}

fn hash_all<'v>(values: impl Iterator<Item = &'v Value>, hasher: &RandomState) -> u64 {
    let mut state = hasher.build_hasher();
    values.for_each(|value| canonical::hash(value, &mut state));
    state.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> FieldPath {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_of_a_name_is_found() {
        let ports: Vec<Value> = (0..40)
            .map(|n| match n % 4 {
                0 => json!({"port": n / 8}),
                1 => json!({"port": n / 8, "protocol": "UDP"}),
                2 => json!({"port": f64::from(n / 8), "protocol": "TCP"}),
                _ => json!(n / 8),
            })
            .collect();
        let tree = json!({"ports": ports});
        let mut index = PathIndex::new(&tree);
        for _ in 0..3 {
            for port in 0..6 {
                for key in
                    ["port={},protocol=\"TCP\"", "port={},protocol=\"UDP\"", "port={}", "={}", "name={}"]
                {
                    let path = path(&format!(".ports[{}]", key.replace("{}", &port.to_string())));
                    let (here, there) = (index.get(&path), path.get(&tree));
                    assert_eq!(here.map(std::ptr::from_ref), there.map(std::ptr::from_ref), "{path}");
                }
            }
        }
    }

    #[test]
    fn more_sorts_of_keys_than_there_are_indexes() {
        let items: Vec<Value> =
            (0..40).map(|n| json!({"a": n, "b": n, "c": n, "d": n, "e": n, "f": n})).collect();
        let tree = json!({"l": items});
        let mut index = PathIndex::new(&tree);
        for n in 0..40 {
            for name in ["a", "b", "c", "d", "e", "f"] {
                assert_eq!(index.get(&path(&format!(".l[{name}={n}]"))), tree["l"].get(n));
            }
        }
    }

    #[test]
    fn the_way_goes_as_far_as_it_can() {
        let tree = json!({"a": {"l": [{"name": "x", "v": 1}]}});
        let mut index = PathIndex::new(&tree);
        assert_eq!(index.way(&path(".a.l[name=\"x\"].v")).len(), 5);
        assert_eq!(index.way(&path(".a.l[name=\"y\"].v")), [&tree, &tree["a"], &tree["a"]["l"]]);
        assert_eq!(index.way(&FieldPath::root()), [&tree]);
    }

    proptest! {
        #[test]
        fn finds_what_a_path_finds(items in proptest::collection::vec(crate::testing::small_value(), 0..40),
            wanted in proptest::collection::vec(crate::testing::small_value(), 0..12)) {
            let tree = Value::from(items);
            let mut index = PathIndex::new(&tree);
            let items = tree.as_array().into_iter().flatten();
            for value in items.chain(&wanted) {
                let mut elements = vec![PathElement::Value(value.clone())];
                if let Value::Object(map) = value {
                    elements.push(PathElement::Key(map.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect()));
                }
                for element in elements {
                    let path = FieldPath::from(vec![element]);
                    let (here, there) = (index.get(&path), path.get(&tree));
                    prop_assert_eq!(here.map(std::ptr::from_ref), there.map(std::ptr::from_ref), "{}", path);
                }
            }
        }
    }
}
