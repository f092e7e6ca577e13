//! One decision about an object: is it as Git states it, and do the fields belong to who applies them?

use serde_json::Value;

use crate::difference::Cause;
use crate::ignore::Subject;
use crate::projection::apply_entry;
use crate::redact::Masker;
use crate::schema::Schema;
use crate::{
    DiffOptions, Difference, DifferenceKind, FieldPath, FieldSet, ManagedFields, compare, stored_secret,
};

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
/// - A field that is stated and live otherwise differs ([`compare`]). If what is desired is what was applied last, and the
///   field is still ours, the server [overruled](Cause::Overruled) it.
/// - A field that our last apply owns and that is not stated any more was [given up](Cause::GivenUp): the next apply removes it.
/// - A field that is live as stated, and not ours, was [taken](Cause::Taken): the next removal in Git would leave it.
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
    let subject = Subject::of(desired);
    let stripped =
        if options.rules.is_empty() { None } else { options.rules.strip(desired, Some(live), schema) };
    let stated_object = stripped.as_ref().unwrap_or(desired);
    let stored = stored_secret(stated_object);
    let stated_object = stored.as_ref().unwrap_or(stated_object);
    let differences = compare(stated_object, live, schema, &options);
    let (owned, api_version) = owned_by(live, applier.manager);
    let version = desired.get("apiVersion").and_then(Value::as_str);
    if api_version.is_some_and(|owned| Some(owned) != version) {
        // The fields are named as in another version: only the server can translate them.
        return if differences.is_empty() { Verdict::Unsure } else { Verdict::Differs(differences) };
    }
    let stated = FieldSet::of(stated_object, schema);
    let mut scene = Scene {
        live,
        object: stated_object,
        with_ignored: stripped.is_some().then_some(desired),
        owned,
        stated,
        applier,
        masker: Masker::new(&options.redact, &[live, desired]),
    };
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
    let mut given_up = scene.given_up();
    if !options.rules.is_empty() {
        let left = options.rules.paths(live, Some(live), schema);
        given_up.retain(|difference| {
            !options.rules.covers(&subject, &difference.path)
                && !left.iter().any(|path| difference.path.starts_with(path))
        });
    }
    let mut differing = differences;
    differing.extend(taken);
    differing.extend(given_up);
    if !differing.is_empty() {
        return Verdict::Differs(differing);
    }
    // Nothing differs. If what was applied last was something else, or is not remembered and not all of it is ours, the apply
    // that makes it so changes nothing else.
    let all_ours =
        applier.last_apply == LastApply::Unknown && !was_taken && scene.stated.is_subset(&scene.owned);
    if all_ours { Verdict::InSync } else { Verdict::Unsure }
}

/// What a manager owns by applying, and the version that the fields are named in. An entry of another manager that cannot be
/// read does not matter.
fn owned_by<'v>(live: &'v Value, manager: &str) -> (FieldSet, Option<&'v str>) {
    let entry = apply_entry(live, manager);
    let fields = entry.and_then(|entry| FieldSet::from_fields_v1(entry.get("fieldsV1")?).ok());
    let version = entry.and_then(|entry| entry.get("apiVersion")?.as_str());
    (fields.unwrap_or_default(), version.filter(|text| !text.is_empty()))
}

/// What the decision looks at.
struct Scene<'a> {
    live: &'a Value,
    /// What is stated, as it is stored.
    object: &'a Value,
    /// The same with the fields that are ignored, if there are any.
    with_ignored: Option<&'a Value>,
    owned: FieldSet,
    stated: FieldSet,
    applier: Applier<'a>,
    masker: Masker<'a>,
}

impl Scene<'_> {
    /// Whoever changes or removes a field otherwise than by applying takes it away from its owner. So what is stored
    /// otherwise than stated, and is still ours, was stored so by the apply.
    fn since_that_apply(&self, differences: Vec<Difference>, taken: Vec<Difference>) -> Verdict {
        let (overruled, mut drifted): (Vec<_>, Vec<_>) = differences.into_iter().partition(|difference| {
            // Of what somebody removed as a whole, nothing below would be ours any more.
            let missing = difference.kind == DifferenceKind::Added;
            self.owned.contains_or_covers(&difference.path) || missing && self.owned.touches(&difference.path)
        });
        drifted.extend(taken);
        if !drifted.is_empty() {
            return Verdict::Differs(drifted);
        }
        let overruled: Vec<_> = overruled
            .into_iter()
            .filter(|difference| !is_dropped(difference))
            .map(|difference| difference.with_cause(Cause::Overruled))
            .collect();
        if overruled.is_empty() { Verdict::InSync } else { Verdict::Overruled(overruled) }
    }

    /// Stated fields that are live, and that somebody took from us.
    fn taken(&mut self) -> Vec<Difference> {
        let Self { live, object, with_ignored, owned, stated, applier, masker } = self;
        // A map of which all is ignored states nothing that could be taken.
        let is_emptied = |path: &FieldPath| {
            with_ignored.is_some_and(|whole| path.get(whole).is_some_and(|v| !is_empty(v)))
                && path.get(object).is_some_and(is_empty)
        };
        let lost = |path: &FieldPath| {
            !owned.touches(path) && path.get(live).is_some_and(|v| !is_empty(v)) && !is_emptied(path)
        };
        let mut paths = stated.iter().filter(lost).peekable();
        if paths.peek().is_some() && owned.is_empty() {
            // All of it, with the entry that says so.
            let entries = FieldPath::of_fields(["metadata", "managedFields"]);
            let difference = Difference::of_entries(entries).with_cause(Cause::Taken);
            return vec![difference];
        }
        if paths.peek().is_none() {
            return Vec::new();
        }
        // Only now it matters who else there is.
        let managed = ManagedFields::of(live).unwrap_or_default();
        let difference = |path: FieldPath| {
            // The value is as stated: only who owns it differs.
            let value = masker.shown_at(live, &path);
            let writer = managed.writer_of(&path, Some(applier.manager)).map(str::to_owned);
            let path = masker.way_to(&[live], path);
            let difference = Difference::new(path, DifferenceKind::Changed, value.clone(), value);
            let difference = difference.with_cause(Cause::Taken);
            match writer {
                Some(writer) => difference.with_writer(writer),
                None => difference,
            }
        };
        let mut taken: Vec<_> = paths.map(difference).collect();
        taken.dedup_by(|later, first| later.path == first.path);
        taken
    }

    /// Fields that we own and no longer state. A list item is one difference, not one for each field of it.
    fn given_up(&mut self) -> Vec<Difference> {
        let Self { live, object, owned, stated, applier, masker, .. } = self;
        let mut found: Vec<FieldPath> = Vec::new();
        for path in owned.iter() {
            let below = found.last().is_some_and(|parent| path.starts_with(parent));
            if !below
                && !(applier.is_mark)(&path)
                && !is_stated(stated, object, &path)
                && path.get(live).is_some()
            {
                found.push(path);
            }
        }
        let difference = |path: FieldPath| {
            let shown = masker.shown_at(live, &path);
            Difference::new(
                masker.way_to(&[live], path),
                DifferenceKind::Removed,
                crate::Shown::Absent,
                shown,
            )
            .with_cause(Cause::GivenUp)
        };
        let mut given_up: Vec<_> = found.into_iter().map(difference).collect();
        given_up.dedup_by(|later, first| later.path == first.path);
        given_up
    }
}

/// Whether one of the differences, which are sorted by path, is of a field, of one below it, or of one that it is in.
fn is_told(differences: &[Difference], path: &FieldPath) -> bool {
    let from = differences.partition_point(|difference| difference.path < *path);
    let mut above = path.clone();
    differences.get(from).is_some_and(|next| next.path.starts_with(path))
        || std::iter::from_fn(|| above.pop().map(|_| above.clone()))
            .any(|above| differences.binary_search_by(|difference| difference.path.cmp(&above)).is_ok())
}

/// Whether a field is stated, has fields below it that are, or lies within an atomic value that is. An empty map is no such
/// value: it states that it is there, and nothing of what others put into it.
fn is_stated(stated: &FieldSet, object: &Value, path: &FieldPath) -> bool {
    if !stated.touches(path) {
        return false;
    }
    let mut above = path.clone();
    while above.pop().is_some() && !above.is_root() {
        if stated.contains(&above)
            && above.get(object).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
        {
            return false;
        }
    }
    true
}

/// A stated zero or false that is not live: the API server leaves out some of them when it stores an object, although they
/// stay ours.
pub fn is_dropped(difference: &Difference) -> bool {
    let Some(desired) = difference.desired.value() else { return false };
    let empty = match desired {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    empty && difference.live == crate::Shown::Absent
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::BuiltIn;
    use crate::{IgnoreRule, IgnoreRules, WriteOptions, apply, update};

    fn config(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
    }

    fn applied(data: &Value) -> Value {
        apply(None, &config(data), &BuiltIn, &WriteOptions::new("us")).unwrap().object.into_owned()
    }

    fn edited(live: &Value, field: &str, value: &str) -> Value {
        let mut object = live.clone();
        object["data"][field] = value.into();
        update(Some(live), &object, &BuiltIn, &WriteOptions::new("them")).unwrap().object.into_owned()
    }

    fn causes(verdict: Verdict) -> Vec<(String, Cause)> {
        match verdict {
            Verdict::Differs(fields) | Verdict::Overruled(fields) => {
                fields.into_iter().map(|field| (field.path.to_string(), field.cause)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn decide(data: &Value, live: &Value, last: LastApply) -> Verdict {
        let us = Applier::new("us").with_last_apply(last).with_taken_reported(true);
        judge(&config(data), live, us, &BuiltIn, &DiffOptions::default())
    }

    #[test]
    fn paths_say_nothing_of_what_is_masked() {
        let redaction = crate::Redaction::default().with_path(".metadata.finalizers".parse().unwrap());
        let options = DiffOptions::default().with_redaction(redaction);
        let config = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}});
        let live = |fields: Value| {
            let entry =
                json!({"manager": "us", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields});
            config(json!({"finalizers": ["hunter2"], "managedFields": [entry]}))
        };
        let taken = json!({"f:data": {"f:a": {}}});
        let given_up = json!({"f:data": {"f:a": {}}, "f:metadata": {"f:finalizers": {"v:\"hunter2\"": {}}}});
        let applier = Applier::new("us").with_taken_reported(true);
        for (git, fields) in [(json!({"finalizers": ["hunter2"]}), taken), (json!({}), given_up)] {
            let verdict = judge(&config(git), &live(fields), applier, &BuiltIn, &options);
            let Verdict::Differs(differences) = verdict else { panic!("{verdict:?}") };
            let paths: Vec<_> = differences.iter().map(|difference| difference.path.to_string()).collect();
            assert_eq!(paths, [".metadata.finalizers"]);
        }
    }

    #[test]
    fn a_map_that_the_server_dropped_is_overruled() {
        let spec = json!({"resources": {"limits": {"cpu": "1"}}, "containers": [{"name": "a"}]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        let applied = apply(None, &pod, &BuiltIn, &WriteOptions::new("us")).unwrap().object.into_owned();
        let us = Applier::new("us").with_last_apply(LastApply::Same);
        let judged = |live: &Value| judge(&pod, live, us, &BuiltIn, &DiffOptions::default());
        let mut without = applied.clone();
        without["spec"].as_object_mut().unwrap().remove("resources");
        // The server stores no such field, and leaves the managed fields as they are.
        let verdict = judged(&without);
        assert!(matches!(verdict, Verdict::Overruled(_)), "{verdict:?}");
        // Somebody removes it.
        let options = WriteOptions::new("them");
        let removed = update(Some(&applied), &without, &BuiltIn, &options).unwrap().object.into_owned();
        assert_eq!(causes(judged(&removed)), [(".spec.resources".to_owned(), Cause::Missing)]);
    }

    #[test]
    fn a_map_of_which_all_is_ignored_is_not_taken() {
        let mut git = config(&json!({"a": "1"}));
        git["metadata"]["labels"] = json!({"team": "x"});
        let live = apply(None, &git, &BuiltIn, &WriteOptions::new("us")).unwrap().object.into_owned();
        let drifted = edited(&live, "a", "9");
        let rules = IgnoreRules::new([IgnoreRule::new([".data.a".parse().unwrap()])]);
        let us = Applier::new("us").with_last_apply(LastApply::Same).with_taken_reported(true);
        let judged = |options: &DiffOptions| judge(&git, &drifted, us, &BuiltIn, options);
        assert_eq!(judged(&DiffOptions::default().with_rules(rules)), Verdict::InSync);
        assert_eq!(causes(judged(&DiffOptions::default())), [(".data.a".to_owned(), Cause::Written)]);
    }

    #[test]
    fn each_cause_is_told() {
        let one = |path: &str, cause| vec![(path.to_owned(), cause)];
        let data = json!({"a": "1", "b": "2"});
        let live = applied(&data);
        assert_eq!(decide(&data, &live, LastApply::Unknown), Verdict::InSync);
        assert_eq!(decide(&data, &live, LastApply::Same), Verdict::InSync);
        assert_eq!(decide(&data, &live, LastApply::Other), Verdict::Unsure);

        let drifted = edited(&live, "a", "9");
        assert_eq!(causes(decide(&data, &drifted, LastApply::Same)), one(".data.a", Cause::Written));
        let put_back = edited(&drifted, "a", "1");
        assert_eq!(causes(decide(&data, &put_back, LastApply::Same)), one(".data.a", Cause::Taken));
        assert_eq!(
            causes(decide(&json!({"a": "1"}), &live, LastApply::Other)),
            one(".data.b", Cause::GivenUp)
        );
        assert_eq!(causes(decide(&json!({}), &live, LastApply::Other)).len(), 2);
        let more = json!({"a": "1", "b": "2", "c": "3"});
        assert_eq!(causes(decide(&more, &live, LastApply::Other)), one(".data.c", Cause::Missing));
        assert_eq!(
            causes(decide(&json!({"a": "5", "b": "2"}), &live, LastApply::Other)),
            one(".data.a", Cause::Applied)
        );
        let mut forced = live.clone();
        forced["data"]["a"] = "forced".into();
        let verdict = decide(&data, &forced, LastApply::Same);
        assert!(matches!(verdict, Verdict::Overruled(_)));
        assert_eq!(causes(verdict), one(".data.a", Cause::Overruled));
    }

    #[test]
    fn without_our_entry_it_is_lost_as_a_whole() {
        let data = json!({"a": "1"});
        for entries in [
            json!(null),
            json!([]),
            json!("broken"),
            json!([{"manager": "us", "operation": "Apply", "fieldsV1": 3}]),
        ] {
            let mut live = config(&data);
            live["metadata"]["managedFields"] = entries;
            let lost = causes(decide(&data, &live, LastApply::Same));
            assert_eq!(lost, [(".metadata.managedFields".to_owned(), Cause::Taken)]);
            let verdict = judge(&config(&data), &live, Applier::new("us"), &BuiltIn, &DiffOptions::default());
            assert_eq!(verdict, Verdict::Unsure);
        }
    }

    #[test]
    fn what_is_left_to_others_is_neither_different_nor_given_up() {
        let live = edited(&applied(&json!({"a": "1", "b": "2"})), "a", "9");
        let rules = IgnoreRules::new([IgnoreRule::default().with_pointer("/data/a".parse().unwrap())]);
        let options = DiffOptions::default().with_rules(rules);
        for data in [json!({"a": "1", "b": "2"}), json!({"b": "2"})] {
            let verdict = judge(&config(&data), &live, Applier::new("us"), &BuiltIn, &options);
            assert_eq!(verdict, Verdict::InSync, "{data}");
        }
    }

    #[test]
    fn marks_are_not_given_up() {
        let mut marked = config(&json!({"a": "1"}));
        marked["metadata"]["labels"] = json!({"mark": "us"});
        let live = apply(None, &marked, &BuiltIn, &WriteOptions::new("us")).unwrap().object;
        let is_mark = |path: &FieldPath| path == &FieldPath::of_fields(["metadata", "labels", "mark"]);
        let us = Applier::new("us").with_marks(&is_mark);
        assert_eq!(
            judge(&config(&json!({"a": "1"})), &live, us, &BuiltIn, &DiffOptions::default()),
            Verdict::InSync
        );
    }
}
