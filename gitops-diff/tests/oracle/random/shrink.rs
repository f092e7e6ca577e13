//! Cases as proptest sees them: made from its random numbers, and made smaller by taking away parts of their documents.

use proptest::prelude::Rng;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::dice::Dice;

/// The documents of a case; the rest of it stays when it is made smaller.
const DOCUMENTS: [&str; 10] =
    ["original", "modified", "current", "patch", "live", "applied", "updated", "lhs", "rhs", "create"];

/// Cases made by a function of random choices.
pub(crate) struct Cases<F>(pub(crate) F);

impl<F> std::fmt::Debug for Cases<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cases")
    }
}

impl<F: Fn(&mut Dice) -> Value> Strategy for Cases<F> {
    type Tree = CaseTree;
    type Value = Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(CaseTree::new((self.0)(&mut Dice::new(runner.rng().next_u64()))))
    }
}

/// A case that can be made smaller.
#[derive(Clone, Debug)]
pub(crate) struct CaseTree {
    case: Value,
    before: Option<Value>,
    /// How many parts turned out to be needed; they come first.
    needed: usize,
}

impl CaseTree {
    pub(crate) fn new(case: Value) -> Self {
        Self { case, before: None, needed: 0 }
    }
}

impl ValueTree for CaseTree {
    type Value = Value;

    fn current(&self) -> Value {
        self.case.clone()
    }

    /// Takes the next part away.
    fn simplify(&mut self) -> bool {
        let mut smaller = self.case.clone();
        let mut left = self.needed;
        for name in DOCUMENTS {
            if let Some(document) = smaller.get_mut(name)
                && remove_nth(document, &mut left)
            {
                self.before = Some(std::mem::replace(&mut self.case, smaller));
                return true;
            }
        }
        false
    }

    /// Puts back what was taken away last.
    fn complicate(&mut self) -> bool {
        let Some(before) = self.before.take() else { return false };
        self.case = before;
        self.needed += 1;
        true
    }
}

/// Removes the n-th part below a value, outer ones first.
fn remove_nth(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            // What tells kinds and managers apart stays: without it a case is about something else.
            let identity = ["apiVersion", "kind", "manager", "operation", "fieldsType"];
            for key in keys.into_iter().filter(|key| !identity.contains(&key.as_str())) {
                if *left == 0 {
                    map.remove(&key);
                    return true;
                }
                *left -= 1;
                if remove_nth(&mut map[&key], left) {
                    return true;
                }
            }
            false
        }
        Value::Array(items) => {
            for at in 0..items.len() {
                if *left == 0 {
                    items.remove(at);
                    return true;
                }
                *left -= 1;
                if remove_nth(&mut items[at], left) {
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}
