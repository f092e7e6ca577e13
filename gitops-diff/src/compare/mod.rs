//! Drift: what one tree states and the other has otherwise; and all differences of two trees.

mod defaults;
mod hpa;
mod items;
mod last_applied;
mod scalar;
mod time;
mod trail;
mod walk;

use serde_json::Value;

pub(crate) use self::items::{Items, Naming};
pub(crate) use self::trail::{Step, Trail};
use self::walk::{Finding, Mode, Slot, Walker};
use crate::difference::{Cause, Difference, Shown};
use crate::ignore::{IgnoreRules, Subject};
use crate::nodes::Nodes;
use crate::redact::Masker;
use crate::schema::Schema;
use crate::secret::{stored_secret, without_null_data};
use crate::{DifferenceKind, FieldPath, ManagedFields, Operation, Redaction, TypeRef};

/// The fields of `metadata` that an API server writes. In a manifest they come from an export: applied, they would be
/// errors, or preconditions that nobody meant.
pub const SERVER_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// How to compare.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing, independent of the others")]
pub struct DiffOptions {
    /// What not to show; the values of Secrets by default.
    pub redact: Redaction,
    /// Whether `status` is left out; it is by default.
    pub ignore_status: bool,
    /// Whether the rules of a `ClusterRole` that are aggregated from others are compared; they are not by default, for a
    /// controller writes them.
    pub aggregated_rules: bool,
    /// Whether items of lists that nothing is known about are told apart by a field such as `name`, where that works.
    /// They are by default. It changes which paths a difference is reported at, not whether there is one.
    pub deduce_keys: bool,
    /// Whether a field that kubectl's last-applied annotation states, and the desired side does not, is a difference. It is
    /// not by default: for objects that are applied by the server, [`judge`](crate::judge) knows it from managedFields.
    pub last_applied: bool,
    /// The field manager on whose behalf is compared: it is never named as the writer of a difference.
    pub manager: Option<String>,
    /// Fields that are left out, with everything below them.
    pub ignored: Vec<FieldPath>,
    /// Fields that are left alone.
    pub rules: IgnoreRules,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self {
            redact: Redaction::default(),
            ignore_status: true,
            aggregated_rules: false,
            deduce_keys: true,
            last_applied: false,
            manager: None,
            ignored: Vec::new(),
            rules: IgnoreRules::default(),
        }
    }
}

impl DiffOptions {
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

    /// Compares the rules of aggregated `ClusterRole`s, or leaves them out.
    #[must_use]
    pub fn with_aggregated_rules(mut self, compare: bool) -> Self {
        self.aggregated_rules = compare;
        self
    }

    /// Matches items of unknown lists by a deduced key, or not.
    #[must_use]
    pub fn with_deduced_keys(mut self, deduce: bool) -> Self {
        self.deduce_keys = deduce;
        self
    }

    /// Reports fields that were stated at the last client-side apply, and are not any more.
    #[must_use]
    pub fn with_last_applied(mut self, report: bool) -> Self {
        self.last_applied = report;
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

    /// Leaves the fields out that these rules select.
    #[must_use]
    pub fn with_rules(mut self, rules: IgnoreRules) -> Self {
        self.rules = rules;
        self
    }
}

/// All differences between two trees: what changes on the way `from` one (the live side) `to` the other (the desired
/// side), by path. Equal trees have none, and unequal ones have some, unless they differ only in fields that the options
/// leave out.
///
/// Items of lists are matched by their keys, never by position where there is a key: taking the first of 2,000 items away
/// is one difference. Lists without keys are one value. Values compare exactly: `1` is not `1.0`.
///
/// ```
/// use gitops_diff::{DiffOptions, diff, schema::Deduced};
/// use serde_json::json;
///
/// let from = json!({"items": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]});
/// let to = json!({"items": [{"name": "b", "v": 3}]});
/// let lines: Vec<_> =
///     diff(&from, &to, &Deduced, &DiffOptions::default()).iter().map(|d| d.to_string()).collect();
/// assert_eq!(lines, [
///     r#".items[name="a"]  Git absent, live {"name":"a","v":1}"#,
///     r#".items[name="b"].v  Git 3, live 2"#,
/// ]);
/// ```
pub fn diff(from: &Value, to: &Value, schema: &dyn Schema, options: &DiffOptions) -> Vec<Difference> {
    let left = left_alone(&[to, from], [to, from], schema, options);
    run(to, from, schema, options, Mode::Full, left)
}

/// The fields that `desired` states and in which `live` differs: drift, as seen without a cluster. By path; none if
/// nothing differs.
///
/// No tree is an error: kinds and fields that the schema does not know are compared by what they look like.
///
/// ```
/// use gitops_diff::{DiffOptions, compare, schema::Deduced};
/// use serde_json::json;
///
/// let git = json!({"spec": {"replicas": 3, "paused": null}});
/// let live = json!({"spec": {"replicas": 2, "minReadySeconds": 5}, "status": {"replicas": 2}});
/// let drift = compare(&git, &live, &Deduced, &DiffOptions::default());
/// assert_eq!(drift.len(), 1);
/// assert_eq!(drift[0].to_string(), ".spec.replicas  Git 3, live 2");
/// ```
///
#[doc = include_str!("drift.md")]
pub fn compare(desired: &Value, live: &Value, schema: &dyn Schema, options: &DiffOptions) -> Vec<Difference> {
    let versions = Versions::of(desired, live);
    let [desired, live] = versions.stored(desired, live);
    let left = left_alone(&[desired, live], [desired, live], schema, options);
    run(desired, live, schema, options, Mode::Stated, left)
}

/// [`compare`] of what is desired without what the rules leave alone, where it is known what they `left` alone of the live
/// object: followed again in what is left of the desired one, a rule could lead to another field.
pub(crate) fn compare_stripped<'v>(
    desired: &'v Value,
    live: &'v Value,
    left: &Nodes<'v>,
    schema: &dyn Schema,
    options: &DiffOptions,
) -> Vec<Difference> {
    let versions = Versions::of(desired, live);
    let [desired, stored] = versions.stored(desired, live);
    let left = match &versions.live {
        Some(_) => left_alone(&[stored], [desired, stored], schema, options),
        None => left.clone(),
    };
    run(desired, stored, schema, options, Mode::Stated, left)
}

/// Two versions of an object in the form in which they can be compared, where that is another one.
struct Versions {
    desired: Option<Value>,
    live: Option<Value>,
}

impl Versions {
    fn of(desired: &Value, live: &Value) -> Self {
        Self {
            desired: stored_secret(desired).or_else(|| hpa::converted(desired, live)),
            live: without_null_data(live).or_else(|| hpa::converted(live, desired)),
        }
    }

    fn stored<'v>(&'v self, desired: &'v Value, live: &'v Value) -> [&'v Value; 2] {
        [self.desired.as_ref().unwrap_or(desired), self.live.as_ref().unwrap_or(live)]
    }
}

/// What the rules leave alone in some of the two versions.
fn left_alone<'v>(
    trees: &[&'v Value],
    [desired, live]: [&'v Value; 2],
    schema: &'v dyn Schema,
    options: &DiffOptions,
) -> Nodes<'v> {
    let mut left = Nodes::default();
    if !options.rules.is_empty() {
        let object = if desired.get("kind").is_some() { desired } else { live };
        let ty = schema.type_or_deduced(&TypeRef::of(object));
        let subject = Subject::of(object);
        for tree in trees {
            options.rules.select(&subject, ty, tree, live, &mut left);
        }
    }
    left
}

fn run<'v>(
    desired: &'v Value,
    live: &'v Value,
    schema: &'v dyn Schema,
    options: &DiffOptions,
    mode: Mode,
    mut ignored: Nodes<'v>,
) -> Vec<Difference> {
    let object = if desired.get("kind").is_some() { TypeRef::of(desired) } else { TypeRef::of(live) };
    let ty = schema.type_or_deduced(&object);
    for path in &options.ignored {
        path.get(desired).into_iter().chain(path.get(live)).for_each(|node| ignored.insert(node));
    }
    let last =
        if options.last_applied && mode == Mode::Stated { last_applied::last_applied(live) } else { None };
    let last = last.as_ref().map(|last| stored_secret(last).unwrap_or_else(|| last.clone()));
    let mut walker = Walker {
        object,
        ignore_status: options.ignore_status,
        ignore_rules: !options.aggregated_rules && is_aggregated(&object, desired),
        deduce_keys: options.deduce_keys,
        ignored: &ignored,
        masker: None,
        found: Vec::new(),
    };
    walker.walk(Slot::of(ty), desired, live, mode, None);
    if let Some(last) = &last {
        walker.given_up(ty, last, desired, live, None);
    }
    if walker.found.is_empty() {
        return Vec::new();
    }
    // Only what differs is shown, so only then it matters what must not be.
    let mut masker = Masker::new(&options.redact, &[live, desired]);
    let mut found = if masker.is_idle() {
        walker.found
    } else {
        let mut walker = Walker { masker: Some(&masker), found: Vec::new(), ..walker };
        walker.walk(Slot::of(ty), desired, live, mode, None);
        if let Some(last) = &last {
            walker.given_up(ty, last, desired, live, None);
        }
        walker.found
    };
    found.sort_by(|a, b| a.path.cmp(&b.path));
    // What is masked is told once, whatever changes inside; so is the first of live items with one name.
    found.dedup_by(|later, first| later.kind == first.kind && later.path == first.path);
    let managed = ManagedFields::of(live).unwrap_or_default();
    let us = options.manager.as_deref();
    let mut differences: Vec<_> =
        found.into_iter().map(|finding| shown(finding, &mut masker, &managed, us)).collect();
    if !masker.is_idle() {
        // Masks in paths are all the same.
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        differences.dedup_by(|later, first| later.kind == first.kind && later.path == first.path);
    }
    differences
}

fn shown(
    finding: Finding<'_>,
    masker: &mut Masker<'_>,
    managed: &ManagedFields,
    us: Option<&str>,
) -> Difference {
    let Finding { path, kind, desired, live, positions } = finding;
    let (desired, live) = if let Some((to, from)) = positions {
        (Shown::position(to), Shown::position(from))
    } else {
        // The live value comes first, so that its mask has the smaller number.
        let live = masker.shown(live.filter(|_| kind != DifferenceKind::Added));
        (masker.shown(desired), live)
    };
    let (writer, cause) = cause(&path, kind, managed, us);
    let path = masker.way_to(path);
    let difference = Difference::new(path, kind, desired, live).with_cause(cause);
    match writer {
        Some(writer) => difference.with_writer(writer),
        None => difference,
    }
}

/// Who wrote the live value, and why it differs, as far as managedFields tell.
fn cause<'m>(
    path: &FieldPath,
    kind: DifferenceKind,
    managed: &'m ManagedFields,
    us: Option<&str>,
) -> (Option<&'m str>, Cause) {
    if kind == DifferenceKind::Added {
        return (None, Cause::Missing);
    }
    let writer = managed.writer_of(path, us);
    let ours = us
        .and_then(|us| managed.by_manager(us, Operation::Apply))
        .is_some_and(|entry| entry.fields.contains_or_covers(path));
    let cause = match (ours, writer) {
        (true, _) => Cause::Applied,
        (false, Some(_)) => Cause::Written,
        (false, None) => Cause::Unknown,
    };
    (writer, cause)
}

fn is_aggregated(object: &TypeRef<'_>, desired: &Value) -> bool {
    object.kind == "ClusterRole"
        && object.group == "rbac.authorization.k8s.io"
        && desired.get("aggregationRule").is_some_and(|rule| !rule.is_null())
}

#[cfg(test)]
mod tests;
