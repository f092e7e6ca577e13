//! One decision about an object: is it as Git states it, and do the fields belong to who applies them?

mod scene;

use serde_json::Value;

use self::scene::{Entry, Scene, is_told};
use crate::compare::compare_stripped;
use crate::ignore::Subject;
use crate::schema::Schema;
use crate::{DiffOptions, Difference, FieldPath, FieldSet, TypeRef, is_zero, stored_secret};

/// Whether what is desired is what our last apply was of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LastApply {
    /// It is: what is stored otherwise, and still ours, was stored so by that apply.
    Same,
    /// It is not, or was another's.
    Other,
    /// Nobody remembers.
    #[default]
    Unknown,
}

/// Who applies the object, and what is known about it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Applier<'a> {
    /// The field manager of the apply.
    pub manager: &'a str,
    /// Whether what is desired is what that manager applied last.
    pub last_apply: LastApply,
    /// Whether a field that is live as stated, but was taken over by others, is a difference. Otherwise such an object is
    /// [unsure](Verdict::Unsure).
    pub report_taken: bool,
    /// Says of a field whether it is a mark of membership: it is owned, and nobody's manifest states it.
    pub is_mark: &'a dyn Fn(&FieldPath) -> bool,
}

impl<'a> Applier<'a> {
    /// An owner of whose last apply nothing is known, and who sets no marks.
    pub fn new(manager: &'a str) -> Self {
        Self { manager, last_apply: LastApply::Unknown, report_taken: false, is_mark: &|_| false }
    }

    /// Says whether what is desired was applied last.
    #[must_use]
    pub fn with_last_apply(mut self, last: LastApply) -> Self {
        self.last_apply = last;
        self
    }

    /// Reports fields that others have taken over.
    #[must_use]
    pub fn with_taken_reported(mut self, report: bool) -> Self {
        self.report_taken = report;
        self
    }

    /// Says which fields are marks of membership.
    #[must_use]
    pub fn with_marks(mut self, is_mark: &'a dyn Fn(&FieldPath) -> bool) -> Self {
        self.is_mark = is_mark;
        self
    }
}

impl std::fmt::Debug for Applier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { manager, last_apply, report_taken, is_mark: _ } = self;
        f.debug_struct("Applier")
            .field("manager", manager)
            .field("last_apply", last_apply)
            .field("report_taken", report_taken)
            .finish_non_exhaustive()
    }
}

/// What is to be said of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An apply would change nothing.
    InSync,
    /// An apply would change these fields: they are stated otherwise, were given up, or were taken over.
    Differs(Vec<Difference>),
    /// What is desired was applied, and the server stores these fields otherwise: to apply it again changes nothing.
    Overruled(Vec<Difference>),
    /// Nothing differs that can be seen from here; only an apply can tell.
    Unsure,
}

/// Decides whether a live object is what is desired, by its values and by who owns them.
///
/// - A field that is stated and live otherwise differs ([`compare`](crate::compare)). If what is desired is what was applied
///   last, and the field is still ours, the server [overruled](crate::Cause::Overruled) it.
/// - A field that our last apply owns and that is not stated any more was [given up](crate::Cause::GivenUp): the next apply
///   removes it.
/// - A field that is live as stated, and not ours, was [taken](crate::Cause::Taken): the next removal in Git would leave it.
///
/// ```
/// use gitops_diff::schema::BuiltIn;
/// use gitops_diff::{Applier, DiffOptions, Verdict, judge};
/// use serde_json::json;
///
/// let git = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}});
/// let live = json!({
///     "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1", "b": "2"},
///     "metadata": {"managedFields": [{"manager": "gitops", "operation": "Apply", "apiVersion": "v1",
///         "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}}}]},
/// });
/// let verdict = judge(&git, &live, Applier::new("gitops"), &BuiltIn, &DiffOptions::default());
/// let Verdict::Differs(differences) = verdict else { panic!() };
/// assert_eq!(differences[0].to_string(), r#".data.b  Git absent, live "2""#);
/// ```
pub fn judge(
    desired: &Value,
    live: &Value,
    applier: Applier<'_>,
    schema: &dyn Schema,
    options: &DiffOptions,
) -> Verdict {
    let options = options.clone().with_manager(applier.manager);
    let stored = stored_secret(desired);
    let whole = stored.as_ref().unwrap_or(desired);
    let left = {
        let ty = schema.type_or_deduced(&TypeRef::of(whole));
        let plain = stored.is_some().then_some(desired);
        options.rules.left(whole, plain, Some(live), ty)
    };
    let stripped = left.strip();
    let object = stripped.as_ref().unwrap_or(whole);
    let differences = compare_stripped(object, live, &left.there, schema, &options);
    let version = desired.get("apiVersion").and_then(Value::as_str);
    let ours = Entry::of(live, applier.manager);
    if ours.version.is_some_and(|named_in| Some(named_in) != version) {
        // The fields are named as in another version: only the server can translate them.
        return if differences.is_empty() { Verdict::Unsure } else { Verdict::Differs(differences) };
    }
    let mut scene = Scene::new(
        [object, whole, live],
        ours.fields,
        FieldSet::of(object, schema),
        applier,
        &options.redact,
    );
    let mut taken = scene.taken();
    // Of a field that differs too, the difference says it all.
    taken.retain(|taken| !is_told(&differences, &taken.path));
    let was_taken = !taken.is_empty();
    if !applier.report_taken {
        taken.clear();
    }
    if applier.last_apply == LastApply::Same {
        return scene.since_that_apply(differences, taken);
    }
    let subject = Subject::of(desired);
    let given_up = scene.given_up(&left.there, &|path| options.rules.covers(&subject, path));
    let mut differing = differences;
    differing.extend(taken);
    differing.extend(given_up);
    if !differing.is_empty() {
        return Verdict::Differs(differing);
    }
    // Nothing differs. If what was applied last was something else, or is not remembered and not all of it is ours, the apply
    // that makes it so changes nothing else.
    let all_ours = applier.last_apply == LastApply::Unknown && !was_taken && scene.owns_all_stated();
    if all_ours { Verdict::InSync } else { Verdict::Unsure }
}

/// A stated zero, false, or empty text or map that is not live: the API server leaves out some of them when it stores an
/// object, although they stay ours.
pub fn is_dropped(difference: &Difference) -> bool {
    let Some(desired) = difference.desired.value() else { return false };
    let may_stay_out = !matches!(desired, Value::Null | Value::Array(_));
    may_stay_out && is_zero(desired) && difference.live == crate::Shown::Absent
}

#[cfg(test)]
mod tests;
