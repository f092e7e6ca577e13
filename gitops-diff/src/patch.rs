//! JSON Patch (RFC 6902): made from keyed lists, applied with errors that name the operation.

use std::collections::HashMap;
use std::fmt;

use json_patch::jsonptr::{PointerBuf, Token};
use json_patch::{
    AddOperation, CopyOperation, MoveOperation, Patch, PatchErrorKind, PatchOperation, RemoveOperation,
    ReplaceOperation, TestOperation,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::PathElement;
use crate::align::align;
use crate::canonical::{self, Canonical};
use crate::compare::{Items, Naming};

/// A JSON Patch.
///
/// It serialises as RFC 6902 says, with the values it carries; its `Debug` and `Display` show operations and paths only,
/// because the values may be those of a Secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonPatch(Patch);

impl JsonPatch {
    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the patch does nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The operations, as the `json-patch` crate has them.
    pub fn operations(&self) -> &[PatchOperation] {
        &self.0
    }
}

impl From<Patch> for JsonPatch {
    fn from(patch: Patch) -> Self {
        Self(patch)
    }
}

impl From<JsonPatch> for Patch {
    fn from(patch: JsonPatch) -> Self {
        patch.0
    }
}

impl fmt::Debug for JsonPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|op| format!("{} {}", name(op), op.path()))).finish()
    }
}

/// One operation a line, without values.
impl fmt::Display for JsonPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| writeln!(f, "{} {:?}", name(op), op.path().as_str()))
    }
}

fn name(operation: &PatchOperation) -> &'static str {
    match operation {
        PatchOperation::Add(_) => "add",
        PatchOperation::Remove(_) => "remove",
        PatchOperation::Replace(_) => "replace",
        PatchOperation::Move(_) => "move",
        PatchOperation::Copy(_) => "copy",
        PatchOperation::Test(_) => "test",
    }
}

/// A patch that does not fit the document, which stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {operation} ({op} {path:?}): {reason}")]
#[non_exhaustive]
pub struct PatchError {
    /// Which operation, counted from zero.
    pub operation: usize,
    /// What it is: `add`, `remove`, `replace`, `move`, `copy` or `test`.
    pub op: &'static str,
    /// The JSON Pointer that it is about.
    pub path: String,
    /// Why it failed.
    pub reason: PatchErrorReason,
}

/// Why an operation of a patch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchErrorReason {
    /// A `test` found another value.
    #[error("the value is another")]
    TestFailed,
    /// The path leads nowhere, or not to a place where the operation can act.
    #[error("the path leads nowhere in this document")]
    NoSuchPath,
    /// The `from` of a `move` or `copy` leads nowhere.
    #[error("\"from\" leads nowhere in this document")]
    NoSuchFrom,
    /// A `move` into a part of what is moved.
    #[error("a value cannot be moved into itself")]
    IntoItself,
    /// All copies together are more than may be copied.
    #[error("the patch copies more than three megabytes")]
    TooMuch,
    /// The document would become too deep.
    #[error("the document would be more than 512 levels deep")]
    TooDeep,
    /// Something that the `json-patch` crate found and this one has no name for.
    #[error("the operation cannot be applied")]
    Other,
}

/// The patch that makes `to` out of `from`, to the letter.
///
/// Items of lists are matched by a field such as `name` where that tells them apart, otherwise by their values; taking the
/// first of 2,000 items away is one operation.
///
/// ```
/// use gitops_diff::patch;
/// use serde_json::json;
///
/// let (from, to) = (json!({"l": ["a", "b", "c"], "n": 1}), json!({"l": ["b", "c"], "n": 2}));
/// let patch = patch::create(&from, &to);
/// assert_eq!(patch.to_string(), "remove \"/l/0\"\nreplace \"/n\"\n");
/// let mut document = from;
/// patch::apply(&patch, &mut document)?;
/// assert_eq!(document, to);
/// # Ok::<(), patch::PatchError>(())
/// ```
pub fn create(from: &Value, to: &Value) -> JsonPatch {
    let mut maker = Maker { path: Vec::new(), operations: Vec::new() };
    maker.walk(from, to);
    JsonPatch(Patch(maker.operations))
}

/// Applies a patch: all of it, or none.
///
/// A `test` compares numbers by value, as RFC 6902 (section 4.6) wants it: `1` is `1.0`. What a patch may do to a document is
/// limited, because a short patch could otherwise make an endless document: all `copy` operations together may copy three
/// megabytes, as in an API server, and nothing may be put so that it ends up more than 512 levels deep.
///
/// ```
/// use gitops_diff::patch::{self, JsonPatch};
/// use serde_json::json;
///
/// let patch: JsonPatch = serde_json::from_value(json!([
///     {"op": "test", "path": "/spec/replicas", "value": 3},
///     {"op": "replace", "path": "/spec/replica", "value": 5},
/// ]))?;
/// let error = patch::apply(&patch, &mut json!({"spec": {"replicas": 3}})).unwrap_err();
/// assert_eq!(error.to_string(), r#"operation 1 (replace "/spec/replica"): the path leads nowhere in this document"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn apply(patch: &JsonPatch, document: &mut Value) -> Result<(), PatchError> {
    // A copy instead of the crate's own undo, which panics where undoing fails.
    let mut changed = document.clone();
    let mut limits = Limits { copied: 0, depth: depth(document) };
    for (at, operation) in patch.0.iter().enumerate() {
        carry_out(operation, &mut changed, &mut limits).map_err(|reason| PatchError {
            operation: at,
            op: name(operation),
            path: operation.path().to_string(),
            reason,
        })?;
    }
    *document = changed;
    Ok(())
}

fn carry_out(
    operation: &PatchOperation,
    document: &mut Value,
    limits: &mut Limits,
) -> Result<(), PatchErrorReason> {
    if let PatchOperation::Test(TestOperation { path, value }) = operation {
        let found = document.pointer(path.as_str()).ok_or(PatchErrorReason::NoSuchPath)?;
        return if canonical::same(found, value) { Ok(()) } else { Err(PatchErrorReason::TestFailed) };
    }
    limits.permit(operation, document)?;
    json_patch::patch_unsafe(document, std::slice::from_ref(operation)).map_err(|error| match error.kind {
        PatchErrorKind::InvalidPointer => PatchErrorReason::NoSuchPath,
        PatchErrorKind::InvalidFromPointer => PatchErrorReason::NoSuchFrom,
        PatchErrorKind::CannotMoveInsideItself => PatchErrorReason::IntoItself,
        _ => PatchErrorReason::Other,
    })
}

/// What one patch has done so far.
struct Limits {
    /// How many bytes were copied, roughly.
    copied: usize,
    /// How deep the document is at most.
    depth: usize,
}

impl Limits {
    const COPIED: usize = 3 << 20;
    const DEPTH: usize = 512;

    fn permit(&mut self, operation: &PatchOperation, document: &Value) -> Result<(), PatchErrorReason> {
        if let PatchOperation::Copy(CopyOperation { from, .. }) = operation
            && let Some(source) = document.pointer(from.as_str())
        {
            self.copied = weight(source, self.copied);
            if self.copied > Self::COPIED {
                return Err(PatchErrorReason::TooMuch);
            }
        }
        let mut deepest = self.after(operation, document);
        if deepest > Self::DEPTH && deepest > self.depth {
            // The document is looked at only when much of the patch was spent on getting here.
            self.depth = depth(document);
            deepest = self.after(operation, document);
            if deepest > Self::DEPTH || self.depth > Self::DEPTH / 2 {
                return Err(PatchErrorReason::TooDeep);
            }
        }
        self.depth = self.depth.max(deepest);
        Ok(())
    }

    /// How deep what the operation puts somewhere reaches at most.
    fn after(&self, operation: &PatchOperation, document: &Value) -> usize {
        match operation {
            PatchOperation::Add(AddOperation { path, value })
            | PatchOperation::Replace(ReplaceOperation { path, value }) => path.count() + depth(value),
            PatchOperation::Copy(CopyOperation { from, path }) => {
                path.count() + document.pointer(from.as_str()).map_or(0, depth)
            }
            // How deep the moved value is would take a look at all of it, each time.
            PatchOperation::Move(MoveOperation { from, path }) => {
                path.count() + self.depth.saturating_sub(from.count())
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => 0,
        }
    }
}

/// How many levels of maps and lists a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Adds the rough size of a value to a sum; stops once that is more than may be copied.
fn weight(value: &Value, sum: usize) -> usize {
    if sum > Limits::COPIED {
        return sum;
    }
    let sum = sum + 8;
    match value {
        Value::String(text) => sum + text.len(),
        Value::Array(items) => items.iter().fold(sum, |sum, item| weight(item, sum)),
        Value::Object(map) => map.iter().fold(sum, |sum, (name, item)| weight(item, sum + name.len())),
        _ => sum,
    }
}

struct Maker {
    path: Vec<String>,
    operations: Vec<PatchOperation>,
}

impl Maker {
    fn pointer(&self) -> PointerBuf {
        PointerBuf::from_tokens(self.path.iter().map(|part| Token::new(part.as_str())))
    }

    fn at(&mut self, part: &impl ToString, visit: impl FnOnce(&mut Self)) {
        self.path.push(part.to_string());
        visit(self);
        self.path.pop();
    }

    fn pointer_to(&self, index: usize) -> PointerBuf {
        let index = index.to_string();
        PointerBuf::from_tokens(self.path.iter().map(String::as_str).chain([index.as_str()]).map(Token::new))
    }

    fn remove(&mut self) {
        let path = self.pointer();
        self.operations.push(PatchOperation::Remove(RemoveOperation { path }));
    }

    fn add(&mut self, value: &Value) {
        let path = self.pointer();
        self.operations.push(PatchOperation::Add(AddOperation { path, value: value.clone() }));
    }

    fn walk(&mut self, from: &Value, to: &Value) {
        match (from, to) {
            _ if from == to => {}
            (Value::Object(f), Value::Object(t)) => self.maps(f, t),
            (Value::Array(f), Value::Array(t)) => self.lists(f, t),
            _ => {
                let path = self.pointer();
                self.operations.push(PatchOperation::Replace(ReplaceOperation { path, value: to.clone() }));
            }
        }
    }

    fn maps(&mut self, from: &Map<String, Value>, to: &Map<String, Value>) {
        for name in from.keys().filter(|name| !to.contains_key(*name)) {
            self.at(name, Self::remove);
        }
        for (name, new) in to {
            self.at(name, |maker| match from.get(name) {
                Some(old) => maker.walk(old, new),
                None => maker.add(new),
            });
        }
    }

    fn lists(&mut self, from: &[Value], to: &[Value]) {
        let (old, new) = names(from, to);
        let aligned = align(&old, &new);
        for at in aligned.removed.iter().rev() {
            self.at(at, Self::remove);
        }
        // Each moved or new item goes right behind the one that comes before it in the end. What has not had its turn yet
        // may lie in between; it moves away later.
        let mut matched = aligned.matched.iter().map(|m| (m.to, m)).collect::<HashMap<_, _>>();
        let mut list = Moving::new(from.len(), aligned.matched.iter().map(|m| m.from));
        for (at, item) in to.iter().enumerate() {
            match matched.remove(&at) {
                Some(m) if !m.moved => list.stays(m.from),
                Some(m) => {
                    let (is, target) = list.moves(m.from);
                    if is != target {
                        let (from, path) = (self.pointer_to(is), self.pointer_to(target));
                        self.operations.push(PatchOperation::Move(MoveOperation { from, path }));
                    }
                }
                None => self.at(&list.joins(), |maker| maker.add(item)),
            }
        }
        for m in &aligned.matched {
            if let (Some(old), Some(new)) = (from.get(m.from), to.get(m.to)) {
                self.at(&m.to, |maker| maker.walk(old, new));
            }
        }
    }
}

/// Where the items of a list are while they are brought into order one after the other.
struct Moving {
    /// The items that have not had their turn, by their first position.
    waiting: Counts,
    /// The items that have, by the first position of the item that stayed last before them, plus one; 0 if there is none.
    done: Counts,
    count: usize,
    last: usize,
}

impl Moving {
    fn new(length: usize, kept: impl Iterator<Item = usize>) -> Self {
        let mut waiting = Counts(vec![0; length + 2]);
        kept.for_each(|at| waiting.change(at, 1));
        Self { waiting, done: Counts(vec![0; length + 2]), count: 0, last: 0 }
    }

    /// An item keeps its place among those that stay.
    fn stays(&mut self, first: usize) {
        self.waiting.change(first, -1);
        self.last = first + 1;
        self.place();
    }

    /// From where to where an item moves.
    fn moves(&mut self, first: usize) -> (usize, usize) {
        let is = self.waiting.below(first) + self.done.below(first + 1);
        self.waiting.change(first, -1);
        (is, self.joins())
    }

    /// Where a new item goes.
    fn joins(&mut self) -> usize {
        let target = self.waiting.below(self.last) + self.count;
        self.place();
        target
    }

    fn place(&mut self) {
        self.done.change(self.last, 1);
        self.count += 1;
    }
}

/// Counts by position, and their sums: a binary indexed tree.
struct Counts(Vec<isize>);

impl Counts {
    fn change(&mut self, at: usize, by: isize) {
        let mut node = at + 1;
        while let Some(sum) = self.0.get_mut(node) {
            *sum += by;
            node += node & node.wrapping_neg();
        }
    }

    /// The sum of what is before `at`.
    fn below(&self, at: usize) -> usize {
        let (mut node, mut sum) = (at, 0);
        while node > 0 {
            sum += self.0.get(node).copied().unwrap_or_default();
            node &= node - 1;
        }
        usize::try_from(sum).unwrap_or_default()
    }
}

/// Names for the items of two lists, so that what is the same on both sides has the same name: a key, or else the value,
/// or else its place among those that have no counterpart.
fn names(from: &[Value], to: &[Value]) -> (Vec<PathElement>, Vec<PathElement>) {
    if let Some(naming) = Naming::deduced(&Items::All(from), &Items::All(to)) {
        let names = |items: &[Value]| items.iter().map(|item| naming.step(item).to_element()).collect();
        return (names(from), names(to));
    }
    // What both begin and end with keeps its place: lists often hold one value many times.
    let begin = from.iter().zip(to).take_while(|(f, t)| canonical::same(f, t)).count();
    let (rest_from, rest_to) = (from.get(begin..).unwrap_or_default(), to.get(begin..).unwrap_or_default());
    let end =
        rest_from.iter().rev().zip(rest_to.iter().rev()).take_while(|(f, t)| canonical::same(f, t)).count();
    let middle_from = rest_from.get(..rest_from.len() - end).unwrap_or_default();
    let middle_to = rest_to.get(..rest_to.len() - end).unwrap_or_default();
    let new = (0..begin)
        .chain(counterparts(middle_from, middle_to, from.len()).into_iter().map(|at| begin + at))
        .chain(from.len() - end..from.len());
    ((0..from.len()).map(PathElement::Index).collect(), new.map(PathElement::Index).collect())
}

/// For each item of `to` the position of its counterpart in `from`; what has none is numbered from `fresh` on.
fn counterparts(from: &[Value], to: &[Value], fresh: usize) -> Vec<usize> {
    // The n-th occurrence of a value on one side is the n-th of it on the other.
    fn occurrences(items: &[Value]) -> Vec<(Canonical<'_>, usize)> {
        let mut seen: HashMap<Canonical<'_>, usize> = HashMap::new();
        let count = |item| {
            let count = seen.entry(Canonical(item)).or_default();
            *count += 1;
            (Canonical(item), *count)
        };
        items.iter().map(count).collect()
    }
    let mut index: HashMap<(Canonical<'_>, usize), usize> =
        occurrences(from).into_iter().enumerate().map(|(at, item)| (item, at)).collect();
    let new: Vec<Option<usize>> = occurrences(to).into_iter().map(|item| index.remove(&item)).collect();
    // What is left over is paired in order, so that a changed item is changed in place.
    let mut left: Vec<usize> = index.into_values().collect();
    left.sort_unstable();
    let mut left = left.into_iter();
    new.into_iter()
        .enumerate()
        .map(|(at, found)| found.or_else(|| left.next()).unwrap_or(fresh + at))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{any_value, deployment, small_value};

    fn lines(from: &Value, to: &Value) -> Vec<String> {
        create(from, to).to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_first_of_2000_is_one_operation() {
        let named: Vec<_> = (0..2000).map(|i| json!({"name": format!("n{i}"), "v": i})).collect();
        let plain: Vec<_> = (0..2000).map(|i| json!(i % 7)).collect();
        assert_eq!(lines(&json!(named), &json!(&named[1..])), ["remove \"/0\""]);
        assert_eq!(create(&json!(plain), &json!(&plain[1..])).len(), 1);
        assert_eq!(create(&json!(&named[1..]), &json!(named)).len(), 1);
    }

    #[test]
    fn a_long_list_turned_round_takes_no_quadratic_time() {
        let from: Vec<_> = (0..30_000).collect();
        let to: Vec<_> = from.iter().rev().copied().collect();
        assert_eq!(create(&json!(from), &json!(to)).len(), from.len() - 1);
    }

    #[test]
    fn moves_and_nested_changes() {
        let from = json!({"l": [{"name": "a", "v": 1}, {"name": "b"}, {"name": "c"}]});
        let to = json!({"l": [{"name": "b"}, {"name": "c"}, {"name": "a", "v": 2}]});
        assert_eq!(lines(&from, &to), ["move \"/l/2\"", "replace \"/l/2/v\""]);
        assert_eq!(lines(&json!(1), &json!({"a~/b": 1})), ["replace \"\""]);
        assert_eq!(lines(&json!({}), &json!({"a~/b": 1})), ["add \"/a~0~1b\""]);
    }

    #[test]
    fn errors_name_the_operation_and_change_nothing() {
        let patch: JsonPatch = serde_json::from_value(json!([
            {"op": "add", "path": "/a", "value": 1},
            {"op": "test", "path": "/secret", "value": "hunter2"},
        ]))
        .unwrap();
        let mut document = json!({"secret": "other"});
        let error = apply(&patch, &mut document).unwrap_err();
        assert_eq!(error.to_string(), "operation 1 (test \"/secret\"): the value is another");
        assert_eq!(document, json!({"secret": "other"}));
        assert!(!format!("{patch:?} {patch}").contains("hunter2"));
    }

    #[test]
    fn numbers_are_tested_by_value() {
        let patch = |value| {
            serde_json::from_value::<JsonPatch>(json!([{"op": "test", "path": "/a", "value": value}]))
        };
        let mut document = json!({"a": [1, 9_007_199_254_740_993_u64]});
        apply(&patch(json!([1.0, 9_007_199_254_740_993_u64])).unwrap(), &mut document).unwrap();
        let error = apply(&patch(json!([1, 9_007_199_254_740_992_u64])).unwrap(), &mut document).unwrap_err();
        assert_eq!(error.reason, PatchErrorReason::TestFailed);
    }

    #[test]
    fn copies_do_not_multiply_without_end() {
        let copy = json!({"op": "copy", "from": "", "path": "/a/-"});
        let patch: JsonPatch = serde_json::from_value(json!(vec![copy; 60])).unwrap();
        let error = apply(&patch, &mut json!({"a": [], "b": "0123456789"})).unwrap_err();
        assert_eq!(error.reason, PatchErrorReason::TooMuch);
        assert!((15..20).contains(&error.operation), "{error}");
    }

    #[test]
    fn nothing_gets_deep_without_end() {
        // Each of these puts what is under one name into what is under the other.
        let there = json!({"op": "move", "from": "/a", "path": "/b/x"});
        let back = json!({"op": "move", "from": "/b", "path": "/a"});
        let again = json!({"op": "add", "path": "/b", "value": {}});
        let round: Vec<_> = [there, back, again].into_iter().cycle().take(30_000).collect();
        let patch: JsonPatch = serde_json::from_value(json!(round)).unwrap();
        let error = apply(&patch, &mut json!({"a": {}, "b": {}})).unwrap_err();
        assert_eq!(error.reason, PatchErrorReason::TooDeep);
        assert!(error.operation > 500, "{error}");

        // What only looks like it, because it goes back and forth, may go on.
        let forth = json!({"op": "move", "from": "/a", "path": "/b/x"});
        let back = json!({"op": "move", "from": "/b/x", "path": "/a"});
        let round: Vec<_> = [forth, back].into_iter().cycle().take(10_000).collect();
        let patch: JsonPatch = serde_json::from_value(json!(round)).unwrap();
        apply(&patch, &mut json!({"a": {}, "b": {}})).unwrap();
    }

    fn any_patch() -> impl Strategy<Value = Value> {
        let pointer = || prop_oneof!["(/[ab01-]){0,3}", "[/~ab]{0,4}"];
        let op = (
            prop_oneof!["add", "remove", "replace", "move", "copy", "test"],
            pointer(),
            pointer(),
            small_value(),
        )
            .prop_map(
                |(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}),
            );
        proptest::collection::vec(op, 0..4).prop_map(Value::Array)
    }

    fn round_trip(from: &Value, to: &Value) -> Result<(), TestCaseError> {
        let patch = create(from, to);
        let mut document = from.clone();
        apply(&patch, &mut document).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&document, to, "{}", patch);
        prop_assert_eq!(patch.is_empty(), from == to);
        Ok(())
    }

    proptest! {
        #[test]
        fn makes_what_it_should(a in any_value(), b in any_value(), c in small_value(), d in small_value()) {
            round_trip(&a, &b)?;
            round_trip(&c, &d)?;
        }

        #[test]
        fn makes_lists(a in proptest::collection::vec(0_u8..6, 0..12), b in proptest::collection::vec(0_u8..6, 0..12)) {
            round_trip(&json!(a), &json!(b))?;
        }

        #[test]
        fn moves_no_more_than_needed(order in Just((0..8_u8).collect::<Vec<_>>()).prop_shuffle()) {
            let sorted: Vec<_> = (0..8_u8).collect();
            round_trip(&json!(sorted), &json!(order))?;
            let positions: Vec<_> = order.iter().map(|i| usize::from(*i)).collect();
            let stay = crate::align::longest_increasing(&positions).len();
            prop_assert!(create(&json!(sorted), &json!(order)).len() <= 8 - stay);
        }

        #[test]
        fn makes_deployments(a in deployment(), b in deployment()) {
            round_trip(&a, &b)?;
        }

        #[test]
        fn no_patch_panics(patch in any_patch(), document in small_value()) {
            if let Ok(patch) = serde_json::from_value::<JsonPatch>(patch) {
                let mut changed = document.clone();
                if apply(&patch, &mut changed).is_err() {
                    prop_assert_eq!(changed, document);
                }
            }
        }
    }
}
