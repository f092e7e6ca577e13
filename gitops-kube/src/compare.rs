//! Whether a live object is what a manifest states. Pure: no requests.

use gitops_core::{AppId, Comparison, IgnoreRules, Live, Owner, Placed};
use gitops_diff::schema::BuiltIn;
use gitops_diff::{
    DiffOptions, Difference, DifferenceKind, FieldPath, FieldSet, ManagedFields, Redaction, Shown, stated,
};
use serde_json::Value;

use crate::membership::{Key, PART_OF, STATE_ANNOTATION, apply_entry, manager};

/// Who owns the object that is compared, and the key of that application's record, as far as they are known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) app: Option<AppId>,
    pub(crate) key: Option<Key>,
    pub(crate) redaction: Redaction,
}

/// What a difference shows for the label of membership.
const PART_OF_US: &str = "this application's set";

/// Compares, by memory where that suffices and by the object where it must.
pub(crate) fn compare(desired: &Placed, live: &Live, rules: &IgnoreRules, context: &Context) -> Comparison {
    let stripped = rules.strip(&desired.id, &desired.manifest.object);
    let want = stripped.as_ref().unwrap_or(&desired.manifest.object);
    // An object is created with the fields that are ignored later, and updated without them.
    let digests = [Some(desired.digest), stripped.as_ref().map(gitops_core::Digest::of_value)];
    if let Some(memo) = live.memo.as_deref()
        && digests.contains(&Some(memo.desired))
        && memo.applied == memo.now
        && live.owner == Owner::This
    {
        return settled(without_ignored(memo.overruled.clone(), desired, rules));
    }
    let Some(object) = live.object.as_deref() else { return Comparison::Unsure };
    let differences = without_ignored(differences(want, object, context), desired, rules);
    if live.owner != Owner::This {
        return if differences.is_empty() { Comparison::InSync } else { Comparison::Differs(differences) };
    }
    let Some(app) = &context.app else {
        return if differences.is_empty() { Comparison::Unsure } else { Comparison::Differs(differences) };
    };
    let applied_is =
        |digest| context.key.as_ref().is_some_and(|key| key.applied_is(object, &desired.id, digest));
    owned(want, object, app, differences, digests.iter().flatten().any(applied_is), &context.redaction)
}

fn settled(overruled: Vec<Difference>) -> Comparison {
    if overruled.is_empty() { Comparison::InSync } else { Comparison::Overruled(overruled) }
}

/// Fields that are stated otherwise than they are live. They are redacted.
fn differences(want: &Value, object: &Value, context: &Context) -> Vec<Difference> {
    let mut options = DiffOptions::default().with_redaction(context.redaction.clone());
    if let Some(app) = &context.app {
        options = options.with_manager(manager(app));
    }
    stated(want, object, &options)
}

/// Fields that an apply's answer has otherwise than they were sent.
pub(crate) fn overruled(sent: &Value, answer: &Value, context: &Context) -> Vec<Difference> {
    let mut differences = differences(sent, answer, context);
    differences.retain(|difference| !may_be_dropped(difference));
    differences
}

fn without_ignored(
    mut differences: Vec<Difference>,
    desired: &Placed,
    rules: &IgnoreRules,
) -> Vec<Difference> {
    if !rules.is_empty() {
        differences.retain(|difference| !rules.covers(&desired.id, &difference.path));
    }
    differences
}

/// Compares a member with what its application owns in it.
///
/// Whoever changes or removes a field otherwise than by applying takes it away from its owner. So, if the last apply was
/// of what is desired, a field that is stored otherwise than stated and is still ours was stored so by that apply:
/// admission or conversion overruled it, and applying again changes nothing.
fn owned(
    want: &Value,
    object: &Value,
    app: &AppId,
    differences: Vec<Difference>,
    applied: bool,
    redaction: &Redaction,
) -> Comparison {
    let entry = apply_entry(object, &manager(app));
    let same_version =
        entry.is_none_or(|entry| Some(entry.api_version) == want.get("apiVersion").and_then(Value::as_str));
    let owned = entry.and_then(|entry| FieldSet::from_fields_v1(entry.fields).ok()).unwrap_or_default();
    if !same_version {
        // The fields are named as in another version: only the API server can translate them.
        return if differences.is_empty() { Comparison::Unsure } else { Comparison::Differs(differences) };
    }
    let stated = FieldSet::of(want, &BuiltIn);
    let mark = FieldPath::of_fields(["metadata", "labels", PART_OF]);
    let unmarked = (!owned.is_empty() && mark.get(object).is_none()).then(|| {
        Difference::new(mark, DifferenceKind::Added, Shown::Value(PART_OF_US.into()), Shown::Absent)
    });
    let mut lost = lost(&stated, &owned, object, app, redaction);
    // Of a field that differs too, the difference says it all.
    lost.retain(|l| !differences.iter().any(|d| l.path.starts_with(&d.path) || d.path.starts_with(&l.path)));
    if applied {
        let (mut overruled, mut drifted): (Vec<_>, Vec<_>) =
            differences.into_iter().partition(|difference| owned.contains_or_covers(&difference.path));
        overruled.retain(|difference| !may_be_dropped(difference));
        drifted.extend(lost);
        drifted.extend(unmarked);
        return if drifted.is_empty() { settled(overruled) } else { Comparison::Differs(drifted) };
    }
    let mut drifted = differences;
    drifted.extend(lost);
    drifted.extend(unmarked);
    drifted.extend(superfluous(&stated, &owned, object, redaction));
    // Nothing differs, but somebody took our annotation away, or what is desired was respelt: the apply that renews it
    // changes nothing else.
    if drifted.is_empty() { Comparison::Unsure } else { Comparison::Differs(drifted) }
}

/// A stated zero or false that is not live: the API server leaves out some of them when it stores an object, although
/// they stay ours.
fn may_be_dropped(difference: &Difference) -> bool {
    let Shown::Value(desired) = &difference.desired else { return false };
    let empty = match desired {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    empty && difference.live == Shown::Absent
}

/// Stated fields that are live as stated, but that somebody took from us: the next removal in Git would leave them.
fn lost(
    stated: &FieldSet,
    owned: &FieldSet,
    object: &Value,
    app: &AppId,
    redaction: &Redaction,
) -> Vec<Difference> {
    let paths: Vec<_> = stated
        .iter()
        .filter(|path| !owned.touches(path) && path.get(object).is_some_and(|v| !is_empty(v)))
        .collect();
    if paths.is_empty() {
        return Vec::new();
    }
    let ours = manager(app);
    let managers = ManagedFields::of(object).unwrap_or_default();
    let redacted = redaction.redact(object);
    let difference = |path: FieldPath| {
        let writer = managers.writer_of(&path, Some(&ours)).map(str::to_owned);
        // Its value is as stated: only who owns it differs.
        let value = shown(&path, &redacted);
        let difference = Difference::new(path, DifferenceKind::Changed, value.clone(), value);
        match writer {
            Some(writer) => difference.with_writer(writer),
            None => difference,
        }
    };
    if owned.is_empty() {
        let entries = FieldPath::of_fields(["metadata", "managedFields"]);
        return vec![Difference::new(entries, DifferenceKind::Changed, Shown::Redacted, Shown::Absent)];
    }
    paths.into_iter().map(difference).collect()
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Fields that we own and no longer state: they were taken out of Git.
fn superfluous(
    stated: &FieldSet,
    owned: &FieldSet,
    object: &Value,
    redaction: &Redaction,
) -> Vec<Difference> {
    let mark = |field: &str, name: &str| FieldPath::of_fields(["metadata", field, name]);
    let marks = [mark("labels", PART_OF), mark("annotations", STATE_ANNOTATION)];
    let mut found: Vec<FieldPath> = Vec::new();
    for path in owned.iter() {
        let below = found.last().is_some_and(|parent| path.starts_with(parent));
        if !below && !marks.contains(&path) && !stated.touches(&path) && path.get(object).is_some() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    let redacted = redaction.redact(object);
    let difference = |path: FieldPath| {
        let live = shown(&path, &redacted);
        Difference::new(path, DifferenceKind::Removed, Shown::Absent, live)
    };
    found.into_iter().map(difference).collect()
}

/// What may be shown of a field of an object that was redacted.
fn shown(path: &FieldPath, redacted: &Value) -> Shown {
    match path.get(redacted) {
        None => Shown::Absent,
        Some(Value::String(mask)) if mask.starts_with("<redacted") => Shown::Redacted,
        Some(value) => Shown::Value(value.clone()),
    }
}

#[cfg(test)]
mod tests;
