//! Comparing two trees field by field.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::align::align;
use crate::difference::{Difference, DifferenceKind, Shown};
use crate::equality::{equivalent, is_default, says_something};
use crate::field_set::Context;
use crate::list_keys::{self, ListKeys, ListKind, TypeRef};
use crate::redact::{stored_secret, without_null_data};
use crate::{FieldPath, KnownLists, ManagedFields, PathElement, Redaction};

/// How to compare.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiffOptions {
    /// What is known about lists; [`KnownLists`] by default.
    pub lists: Arc<dyn ListKeys>,
    /// What not to show; the values of Secrets by default.
    pub redact: Redaction,
    /// Whether `status` is left out; it is by default.
    pub ignore_status: bool,
    /// Whether items of lists that nothing is known about are told apart by a field such as `name`, where that works.
    /// They are by default. It changes which paths a difference is reported at, not whether there is one.
    pub deduce_keys: bool,
    /// The field manager on whose behalf is compared: it is never named as the writer of a difference.
    pub manager: Option<String>,
    /// Fields that are left out, with everything below them.
    pub ignored: Vec<FieldPath>,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self {
            lists: Arc::new(KnownLists),
            redact: Redaction::default(),
            ignore_status: true,
            deduce_keys: true,
            manager: None,
            ignored: Vec::new(),
        }
    }
}

impl DiffOptions {
    /// Uses other knowledge about lists.
    #[must_use]
    pub fn with_lists(mut self, lists: Arc<dyn ListKeys>) -> Self {
        self.lists = lists;
        self
    }

    /// Redacts otherwise.
    #[must_use]
    pub fn with_redaction(mut self, redact: Redaction) -> Self {
        self.redact = redact;
        self
    }

    /// Leaves `status` out, or compares it.
    #[must_use]
    pub fn with_ignore_status(mut self, ignore: bool) -> Self {
        self.ignore_status = ignore;
        self
    }

    /// Matches items of unknown lists by a deduced key, or not.
    #[must_use]
    pub fn with_deduced_keys(mut self, deduce: bool) -> Self {
        self.deduce_keys = deduce;
        self
    }

    /// Never names this field manager as the writer of a difference.
    #[must_use]
    pub fn with_manager(mut self, manager: impl Into<String>) -> Self {
        self.manager = Some(manager.into());
        self
    }

    /// Leaves a field out, with everything below it.
    #[must_use]
    pub fn with_ignored(mut self, path: FieldPath) -> Self {
        self.ignored.push(path);
        self
    }
}

/// All differences between two trees: what changes on the way `from` one (the live side) `to` the other (the desired
/// side). Equal trees have none, and unequal ones have some, unless they differ only in fields that the options leave out.
///
/// Items of lists are matched by their keys, never by position where there is a key: taking the first of 2,000 items away
/// is one difference. Lists without keys are one value. Values compare exactly: `1` is not `1.0`.
///
/// ```
/// use gitops_diff::{DiffOptions, diff};
/// use serde_json::json;
///
/// let from = json!({"items": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]});
/// let to = json!({"items": [{"name": "b", "v": 3}]});
/// let lines: Vec<_> = diff(&from, &to, &DiffOptions::default()).iter().map(|d| d.to_string()).collect();
/// assert_eq!(lines, [
///     r#".items[name="a"]  Git absent, live {"name":"a","v":1}"#,
///     r#".items[name="b"].v  Git 3, live 2"#,
/// ]);
/// ```
pub fn diff(from: &Value, to: &Value, options: &DiffOptions) -> Vec<Difference> {
    run(to, from, options, Mode::Full)
}

/// The fields that `desired` states and in which `live` differs: drift, as seen without a cluster.
///
/// Fields that `desired` does not have are not compared, nor items of keyed lists and sets that it does not have. Atomic
/// lists and maps compare whole, but for what the API server is known to add to them. Different spellings of one value are
/// equal: quantities, `1` and `1.0`, null or empty and absent, `stringData` and `data` of a Secret. A null states nothing.
///
/// ```
/// use gitops_diff::{DiffOptions, stated};
/// use serde_json::json;
///
/// let git = json!({"spec": {"replicas": 3, "paused": null}});
/// let live = json!({"spec": {"replicas": 2, "minReadySeconds": 5}, "status": {"replicas": 2}});
/// let drift = stated(&git, &live, &DiffOptions::default());
/// assert_eq!(drift.len(), 1);
/// assert_eq!(drift[0].to_string(), ".spec.replicas  Git 3, live 2");
/// ```
pub fn stated(desired: &Value, live: &Value, options: &DiffOptions) -> Vec<Difference> {
    let stored = stored_secret(desired);
    let filled = without_null_data(live);
    run(stored.as_ref().unwrap_or(desired), filled.as_ref().unwrap_or(live), options, Mode::Stated)
}

fn run(desired: &Value, live: &Value, options: &DiffOptions, mode: Mode) -> Vec<Difference> {
    // What is compared is what is shown: nothing that must be masked can reach a difference.
    let (shown_live, shown_desired) = options.redact.redact_pair(live, desired);
    let object = if desired.get("kind").is_some() { TypeRef::of(desired) } else { TypeRef::of(live) };
    let context = Context { object, lists: &*options.lists };
    let mut differ = Differ {
        context,
        options,
        path: FieldPath::root(),
        metadata: FieldPath::of_fields(["metadata"]),
        found: Vec::new(),
    };
    differ.walk(&shown_desired, &shown_live, mode);
    let mut found = differ.found;
    // Read only where it is needed. Entries that cannot be read name nobody.
    if let (false, Ok(managed)) = (found.is_empty(), ManagedFields::of(live)) {
        for difference in found.iter_mut().filter(|d| d.kind != DifferenceKind::Added) {
            difference.writer =
                managed.writer_of(&difference.path, options.manager.as_deref()).map(str::to_owned);
        }
    }
    found
}

/// What counts as a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Everything, exactly.
    Full,
    /// What the desired side states, by meaning.
    Stated,
    /// Everything, by meaning: inside what is atomic.
    Whole,
}

struct Differ<'a> {
    context: Context<'a>,
    options: &'a DiffOptions,
    path: FieldPath,
    metadata: FieldPath,
    found: Vec<Difference>,
}

impl Differ<'_> {
    fn report(&mut self, kind: DifferenceKind, desired: Option<&Value>, live: Option<&Value>) {
        let difference = Difference::new(self.path.clone(), kind, Shown::of(desired), Shown::of(live));
        self.found.push(difference);
    }

    fn below(&mut self, element: PathElement, visit: impl FnOnce(&mut Self)) {
        self.path.push(element);
        if !self.options.ignored.contains(&self.path) {
            visit(self);
        }
        self.path.pop();
    }

    fn walk(&mut self, desired: &Value, live: &Value, mode: Mode) {
        if mode != Mode::Full {
            match (says_something(desired), says_something(live)) {
                (false, _) if mode == Mode::Stated && !desired.is_array() => return,
                (false, false) => return,
                _ => {}
            }
        }
        match (desired, live) {
            (Value::Object(d), Value::Object(l)) => self.maps(d, l, mode),
            (Value::Array(d), Value::Array(l)) => self.lists(d, l, mode),
            _ => {
                let equal = match mode {
                    Mode::Full => desired == live,
                    _ => equivalent(desired, live, &self.context.object, &self.path),
                };
                if !equal {
                    let kind = match (mode, desired, live) {
                        (Mode::Stated | Mode::Whole, _, Value::Null) => DifferenceKind::Added,
                        (Mode::Whole, Value::Null, _) => DifferenceKind::Removed,
                        _ => DifferenceKind::Changed,
                    };
                    self.report(kind, Some(desired), Some(live));
                }
            }
        }
    }

    fn maps(&mut self, desired: &Map<String, Value>, live: &Map<String, Value>, mode: Mode) {
        let atomic = mode == Mode::Stated && !self.path.is_root() && self.context.is_atomic_map(&self.path);
        let mode = if atomic { Mode::Whole } else { mode };
        let names: BTreeSet<&String> = match mode {
            Mode::Stated => desired.keys().collect(),
            Mode::Full | Mode::Whole => desired.keys().chain(live.keys()).collect(),
        };
        for name in names {
            if self.path.is_root() && self.options.ignore_status && name == "status" {
                continue;
            }
            // Two objects that are compared for drift are one object: where it lives is no field of it.
            if mode == Mode::Stated && name == "namespace" && self.path == self.metadata {
                continue;
            }
            let (d, l) = (desired.get(name), live.get(name));
            self.below(PathElement::field(name.as_str()), |differ| match (d, l) {
                (Some(d), Some(l)) => differ.walk(d, l, mode),
                (Some(d), None) if mode == Mode::Full || says_something(d) => {
                    differ.report(DifferenceKind::Added, Some(d), None);
                }
                (None, Some(l)) => {
                    let expected =
                        || !says_something(l) || is_default(&differ.context.object, &differ.path, l);
                    if mode == Mode::Full || !expected() {
                        differ.report(DifferenceKind::Removed, None, Some(l));
                    }
                }
                _ => {}
            });
        }
    }

    fn lists(&mut self, desired: &[Value], live: &[Value], mode: Mode) {
        let kind = self.context.list(&self.path);
        let known = list_keys::elements(kind, desired).zip(list_keys::elements(kind, live));
        if let Some((d, l)) = known {
            return self.items(desired, live, &d, &l, mode);
        }
        if mode == Mode::Stated
            && let Some(d) = list_keys::elements(kind, desired)
        {
            // An API server lets some keys occur twice (environment variables): the first item counts.
            let (l, firsts) = list_keys::first_elements(kind, live);
            return self.items(desired, &firsts, &d, &l, mode);
        }
        if mode == Mode::Stated {
            // The list is one value: what the live side has besides counts as well.
            return self.lists(desired, live, Mode::Whole);
        }
        if self.options.deduce_keys
            && let Some(keys) = list_keys::deduce_key(desired, live)
            && let Some((d, l)) = list_keys::elements(ListKind::Map(keys), desired)
                .zip(list_keys::elements(ListKind::Map(keys), live))
        {
            return self.items(desired, live, &d, &l, mode);
        }
        if desired.len() == live.len() {
            let known = self.found.len();
            for (at, (d, l)) in desired.iter().zip(live).enumerate() {
                self.below(PathElement::Index(at), |differ| differ.walk(d, l, mode));
            }
            // Whatever it was, it is told as one difference.
            if self.found.len() == known {
                return;
            }
            self.found.truncate(known);
        }
        self.report(DifferenceKind::Changed, Some(&Value::from(desired)), Some(&Value::from(live)));
    }

    fn items(&mut self, desired: &[Value], live: &[Value], d: &[PathElement], l: &[PathElement], mode: Mode) {
        let aligned = align(l, d);
        if mode != Mode::Stated {
            for at in aligned.removed {
                if let (Some(element), Some(item)) = (l.get(at), live.get(at)) {
                    self.below(element.clone(), |differ| {
                        differ.report(DifferenceKind::Removed, None, Some(item));
                    });
                }
            }
        }
        // Only keyed lists and sets of the API have no order: keys that were found by looking prove nothing.
        let ordered = mode == Mode::Full || self.context.list(&self.path) == ListKind::Atomic;
        for matched in aligned.matched {
            let (Some(element), Some(to), Some(from)) =
                (d.get(matched.to), desired.get(matched.to), live.get(matched.from))
            else {
                continue;
            };
            self.below(element.clone(), |differ| {
                if ordered && matched.moved {
                    let (to, from) = (Value::from(matched.to), Value::from(matched.from));
                    differ.report(DifferenceKind::Moved, Some(&to), Some(&from));
                }
                differ.walk(to, from, mode);
            });
        }
        for at in aligned.added {
            if let (Some(element), Some(item)) = (d.get(at), desired.get(at)) {
                self.below(element.clone(), |differ| differ.report(DifferenceKind::Added, Some(item), None));
            }
        }
    }
}

#[cfg(test)]
mod tests;
