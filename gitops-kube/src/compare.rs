//! Whether a live object is what a manifest states. Pure: no requests.

use std::cell::LazyCell;
use std::sync::Arc;

use gitops_core::{AppId, Comparison, IgnoreRules, Live, Owner, Placed};
use gitops_diff::{
    Applier, DiffOptions, Difference, DifferenceKind, FieldPath, LastApply, Redaction, Shown, Verdict,
    is_dropped, judge,
};
use serde_json::Value;

use crate::membership::{Key, PART_OF, STATE_ANNOTATION, applied_fields, manager};
use crate::schemas::Published;

/// Who owns the object that is compared, and the key of that application's record, as far as they are known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) app: Option<AppId>,
    pub(crate) key: Option<Key>,
    pub(crate) redaction: Redaction,
    /// The types that are known.
    pub(crate) schema: Arc<Published>,
}

/// What a difference shows for the label of membership.
const PART_OF_US: &str = "this application's set";

/// Compares, by memory where that suffices and by the object where it must.
pub(crate) fn compare(desired: &Placed, live: &Live, rules: &IgnoreRules, context: &Context) -> Comparison {
    let rules = rules.bound_to(&desired.id.subject());
    // Most comparisons end before it is needed.
    let stated = LazyCell::new(|| desired.manifest.object());
    // An object is created with the fields that are ignored later, and updated without them.
    let stripped =
        if rules.is_empty() { None } else { rules.strip(&stated, live.object.as_deref(), &context.schema) };
    let digests = [Some(desired.digest), stripped.as_ref().map(gitops_core::Digest::of_value)];
    if let Some(memo) = live.memo.as_deref()
        && digests.contains(&Some(memo.desired))
        && memo.applied == memo.now
        && live.owner == Owner::This
    {
        let mut overruled = memo.overruled.clone();
        overruled.retain(|difference| !rules.covers(&desired.id.subject(), &difference.path));
        return settled(overruled);
    }
    let Some(object) = live.object.as_deref() else { return Comparison::Unsure };
    let options = context.options().with_rules(rules);
    let Some(app) = context.app.as_ref().filter(|_| live.owner == Owner::This) else {
        let differences = gitops_diff::compare(&stated, object, &context.schema, &options);
        return match (differences.is_empty(), live.owner == Owner::This) {
            (true, true) => Comparison::Unsure,
            (true, false) => Comparison::InSync,
            (false, _) => Comparison::Differs(differences),
        };
    };
    let applied_is =
        |digest| context.key.as_ref().is_some_and(|key| key.applied_is(object, &desired.id, digest));
    let last = if digests.iter().flatten().any(applied_is) { LastApply::Same } else { LastApply::Other };
    let (manager, marks) = (manager(app), marks());
    let is_mark = |path: &FieldPath| marks.contains(path);
    let applier = Applier::new(&manager).with_last_apply(last).with_taken_reported(true).with_marks(&is_mark);
    let verdict = judge(&stated, object, applier, &context.schema, &options);
    with_mark(verdict, object, &manager)
}

impl Context {
    fn options(&self) -> DiffOptions {
        let options = DiffOptions::default().with_redaction(self.redaction.clone());
        match &self.app {
            Some(app) => options.with_manager(manager(app)),
            None => options,
        }
    }
}

fn settled(overruled: Vec<Difference>) -> Comparison {
    if overruled.is_empty() { Comparison::InSync } else { Comparison::Overruled(overruled) }
}

/// Fields that an apply's answer has otherwise than they were sent.
pub(crate) fn overruled(sent: &Value, answer: &Value, context: &Context) -> Vec<Difference> {
    let mut differences = gitops_diff::compare(sent, answer, &context.schema, &context.options());
    differences.retain(|difference| !is_dropped(difference));
    differences
}

/// What marks a member: its label, and what its last apply was of.
fn marks() -> [FieldPath; 2] {
    let mark = |field: &str, name: &str| FieldPath::of_fields(["metadata", field, name]);
    [mark("labels", PART_OF), mark("annotations", STATE_ANNOTATION)]
}

/// The verdict on an object, to which the loss of its label is a difference too.
fn with_mark(verdict: Verdict, object: &Value, manager: &str) -> Comparison {
    let [label, _] = marks();
    let fields = applied_fields(object, manager).and_then(Value::as_object);
    let owns = fields.is_some_and(|fields| !fields.is_empty());
    let unmarked = (owns && label.get(object).is_none()).then(|| {
        let ours = Shown::Value(Redaction::reveal_everything().redact(&PART_OF_US.into()));
        Difference::new(label, DifferenceKind::Added, ours, Shown::Absent)
    });
    match (verdict, unmarked) {
        (Verdict::Differs(mut fields), unmarked) => {
            fields.extend(unmarked);
            Comparison::Differs(fields)
        }
        (_, Some(unmarked)) => Comparison::Differs(vec![unmarked]),
        (Verdict::InSync, None) => Comparison::InSync,
        (Verdict::Overruled(fields), None) => Comparison::Overruled(fields),
        (Verdict::Unsure, None) => Comparison::Unsure,
    }
}

#[cfg(test)]
mod tests;
