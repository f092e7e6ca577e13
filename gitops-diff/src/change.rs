//! What changed between two versions of an object, as sets of fields: the input of field ownership.

use serde_json::Value;

use crate::canonical;
use crate::field_set::{Context, FieldSet};
use crate::list_keys::{self, ListKeys, TypeRef};
use crate::{FieldPath, PathElement};

/// The fields that differ between two objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Fields, and maps and list items that hold them, that are new.
    pub(crate) added: FieldSet,
    /// Fields with another value.
    pub(crate) modified: FieldSet,
    /// Fields, and maps and list items that held them, that are gone.
    pub(crate) removed: FieldSet,
}

impl Changes {
    /// Compares two objects of one type. Numbers compare by value.
    pub(crate) fn between(from: &Value, to: &Value, lists: &dyn ListKeys) -> Self {
        let mut walk = Walk {
            context: Context { object: TypeRef::of(to), lists },
            path: FieldPath::root(),
            found: Self::default(),
        };
        walk.both(from, to);
        walk.found
    }
}

struct Walk<'a> {
    context: Context<'a>,
    path: FieldPath,
    found: Changes,
}

impl Walk<'_> {
    fn both(&mut self, from: &Value, to: &Value) {
        match (from, to) {
            (Value::Object(a), Value::Object(b)) if !self.context.is_atomic_map(&self.path) => {
                for (name, old) in a {
                    self.at(PathElement::field(name.as_str()), |walk| match b.get(name) {
                        Some(new) => walk.both(old, new),
                        None => walk.one(old, false),
                    });
                }
                for (name, new) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                    self.at(PathElement::field(name.as_str()), |walk| walk.one(new, true));
                }
            }
            (Value::Array(a), Value::Array(b)) => self.lists(a, b),
            _ if canonical::same(from, to) => {}
            _ => {
                // What was below the field is gone with it, what is below it now is new.
                self.below(from, false);
                self.below(to, true);
                self.found.modified.insert(&self.path);
            }
        }
    }

    fn lists(&mut self, from: &[Value], to: &[Value]) {
        let kind = self.context.list(&self.path);
        let (Some(a), Some(b)) = (list_keys::elements(kind, from), list_keys::elements(kind, to)) else {
            if from.len() != to.len() || !from.iter().zip(to).all(|(x, y)| canonical::same(x, y)) {
                self.found.modified.insert(&self.path);
            }
            return;
        };
        let index: std::collections::HashMap<_, _> = b.iter().zip(to).collect();
        for (element, old) in a.iter().zip(from) {
            self.at(element.clone(), |walk| match index.get(element) {
                Some(new) => walk.both(old, new),
                None => walk.one(old, false),
            });
        }
        let known: std::collections::HashSet<_> = a.iter().collect();
        for (element, new) in b.iter().zip(to).filter(|(element, _)| !known.contains(element)) {
            self.at(element.clone(), |walk| walk.one(new, true));
        }
    }

    /// A value that is on one side only: it, and everything below it.
    fn one(&mut self, value: &Value, added: bool) {
        let set = if added { &mut self.found.added } else { &mut self.found.removed };
        set.insert(&self.path);
        self.below(value, added);
    }

    fn below(&mut self, value: &Value, added: bool) {
        match value {
            Value::Object(map) if !self.context.is_atomic_map(&self.path) => {
                for (name, child) in map {
                    self.at(PathElement::field(name.as_str()), |walk| walk.one(child, added));
                }
            }
            Value::Array(items) => {
                let elements = list_keys::elements(self.context.list(&self.path), items);
                for (element, item) in elements.into_iter().flatten().zip(items) {
                    self.at(element, |walk| walk.one(item, added));
                }
            }
            _ => {}
        }
    }

    fn at(&mut self, element: PathElement, visit: impl FnOnce(&mut Self)) {
        self.path.push(element);
        visit(self);
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::KnownLists;
    use crate::testing::deployment;

    fn text(set: &FieldSet) -> Vec<String> {
        set.iter().map(|path| path.to_string()).collect()
    }

    #[test]
    fn added_modified_removed() {
        let from = json!({"spec": {"a": 1, "gone": {"x": 1}, "n": 1.0, "e": {}}});
        let to = json!({"spec": {"a": 2, "new": {"x": 1}, "n": 1, "e": {"f": 1}}});
        let changes = Changes::between(&from, &to, &KnownLists);
        assert_eq!(text(&changes.added), [".spec.e.f", ".spec.new", ".spec.new.x"]);
        assert_eq!(text(&changes.modified), [".spec.a"], "filling an empty map is no change of the map");
        assert_eq!(text(&changes.removed), [".spec.gone", ".spec.gone.x"]);
    }

    proptest! {
        #[test]
        fn both_directions_agree(a in deployment(), b in deployment()) {
            let (there, back) = (Changes::between(&a, &b, &KnownLists), Changes::between(&b, &a, &KnownLists));
            prop_assert_eq!(there.added, back.removed);
            prop_assert_eq!(there.removed, back.added);
            prop_assert_eq!(there.modified, back.modified);
            prop_assert_eq!(Changes::between(&a, &a, &KnownLists), Changes::default());
        }
    }
}
