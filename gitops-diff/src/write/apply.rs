//! Server-side apply.

use std::borrow::Cow;

use serde_json::Value;

use super::owners::{Expected, Owners, writer};
use super::prune::{prune, without_residue};
use super::{Applied, ApplyError, WriteOptions, managed_fields, set_managed_fields, without_managed_fields};
use crate::nulls::{drop_nulls, has_nulls};
use crate::schema::{Schema, Type, UnknownFields};
use crate::typed::{
    Comparison, Hidden, Merged, ValidateOptions, compare_hiding, equal, everything, field_set, merge_hiding,
    validate_hiding,
};
use crate::{FieldSet, Operation, TypeRef};

/// The name of the manager that owns what was there before fields were tracked
/// (`managedfields/internal/skipnonapplied.go`).
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Applies a configuration for a field manager, as server-side apply does: `PATCH` with `application/apply-patch+yaml`.
///
/// What the configuration states is laid over the live object. Fields that the manager applied before and no longer
/// states are removed, unless somebody else owns them. Fields that somebody else owns with another value are conflicts,
/// unless [`force`](WriteOptions::force) takes them over. Entries of managers at another API version than the
/// configuration's are dropped: nothing here converts between versions. A configuration that does not say its kind and
/// version, which an API server refuses, has the live object's.
///
/// Applying the same configuration again changes nothing at all. The rules are those of structured-merge-diff
/// (`merge/update.go`, `Updater.Apply`) inside the managers of `managedfields/internal`.
///
/// ```
/// use gitops_diff::{WriteOptions, apply, schema::Deduced, update};
/// use serde_json::json;
///
/// let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
/// let gitops = WriteOptions::new("gitops").with_time("2026-01-01T00:00:00Z");
/// let live = apply(None, &config, &Deduced, &gitops)?.object;
///
/// let mut edited = live.clone().into_owned();
/// edited["data"]["a"] = json!("2");
/// let edited = update(Some(&live), &edited, &Deduced, &WriteOptions::new("kubectl-edit"))?.object;
/// assert!(apply(Some(&edited), &config, &Deduced, &gitops).is_err());
///
/// let healed = apply(Some(&edited), &config, &Deduced, &gitops.with_force(true))?;
/// assert_eq!(healed.object["data"], json!({"a": "1"}));
/// # Ok::<(), gitops_diff::ApplyError>(())
/// ```
pub fn apply<'l>(
    live: Option<&'l Value>,
    config: &Value,
    schema: &(impl Schema + ?Sized),
    options: &WriteOptions,
) -> Result<Applied<'l>, ApplyError> {
    merged(live, config, schema, options).map_err(|error| error.redacted(&options.redact, live, config))
}

fn merged<'l>(
    live: Option<&'l Value>,
    config: &Value,
    schema: &(impl Schema + ?Sized),
    options: &WriteOptions,
) -> Result<Applied<'l>, ApplyError> {
    let config = checked(config, options)?;
    let named = named(&config, live);
    let ty = schema.type_or_deduced(&TypeRef::of(named));
    let rules = ValidateOptions::default().with_unknown_fields(options.unknown_fields);
    validate_hiding(&config, ty, rules, Hidden::default()).map_err(ApplyError::Invalid)?;
    let stated = field_set(&config, ty);
    let version = api_version(named);

    let Some(live) = live else {
        let mut owners = Owners::none();
        owners.list.push(writer(options, Operation::Apply, version, without_identity(stated)));
        let mut object = config.clone().into_owned();
        set_managed_fields(&mut object, owners.into_entries().unwrap_or_default());
        return Ok(Applied { object: Cow::Owned(object), changed: true, values_changed: true });
    };
    let hidden = Hidden(managed_fields(live));
    if options.unknown_fields == UnknownFields::Refuse {
        let rules = rules.with_duplicates(true);
        validate_hiding(live, ty, rules, hidden).map_err(ApplyError::LiveInvalid)?;
    }
    let fields = without_identity(stated.clone());
    let mut ours = writer(options, Operation::Apply, version, FieldSet::new());
    let expected = Expected { writer: &ours, fields: &fields };
    let mut owners = Owners::read(hidden.0, version, ty, Some(expected))?;
    if options.before_first_apply && owners.read == 0 {
        own_what_is_there(&mut owners, live, version, ty, options);
    }
    owners.keep_version(version);

    let known = owners.find(&ours);
    let (merged, has_idle) = merge_hiding(live, &config, ty, hidden);
    let merged = match merged {
        Merged::New(object) => Some(object),
        _ => None,
    };
    let given_up = known.filter(|at| has_idle || owners.gives_up(*at, &stated)).map(|at| owners.owned(at));
    let pruned = given_up.and_then(|(last, others)| {
        let copy = merged.is_none().then(|| without_managed_fields(live));
        let merged = merged.as_ref().or(copy.as_ref())?;
        let mut pruned = prune(merged, &last, &stated, &others, ty);
        if options.clean {
            without_residue(&mut pruned, merged);
        }
        Some(pruned)
    });
    let object = pruned.or(merged);

    let change = match &object {
        Some(object) if owners.list.len() > usize::from(known.is_some()) => {
            compare_hiding(live, object, ty, hidden)
        }
        _ => Comparison::default(),
    };
    if !options.force {
        let conflicts = owners.conflicts(&change, known);
        if !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(conflicts));
        }
    }
    owners.take(&change, known);

    // A result that says the same in other words is the live object.
    let object = object.filter(|object| !equal_hiding(live, object, hidden));
    if let Some(owner) = known.and_then(|at| owners.list.get_mut(at)) {
        if !owner.is_as_expected {
            owner.set_fields(fields);
        }
        if object.is_some() {
            owner.time = ours.time;
            owner.source = None;
        }
    } else {
        ours.set_fields(fields);
        // As upstream has it: the time says when values were written.
        ours.time = ours.time.filter(|_| object.is_some());
        owners.list.push(ours);
    }
    Ok(finish(live, object, owners))
}

/// What became of a live object: its new values, if they are others, and its owners.
pub(super) fn finish<'l>(live: &'l Value, object: Option<Value>, owners: Owners<'_>) -> Applied<'l> {
    let values_changed = object.is_some();
    let entries = owners.into_entries();
    let object = match (object, entries) {
        (None, None) => return Applied { object: Cow::Borrowed(live), changed: false, values_changed },
        (Some(mut object), None) => {
            // The owners are as they were.
            let entries = managed_fields(live).and_then(Value::as_array).cloned();
            set_managed_fields(&mut object, entries.unwrap_or_default());
            object
        }
        (object, Some(entries)) => {
            let mut object = object.unwrap_or_else(|| without_managed_fields(live));
            set_managed_fields(&mut object, entries);
            object
        }
    };
    Applied { object: Cow::Owned(object), changed: true, values_changed }
}

/// The configuration as it is applied.
fn checked<'c>(config: &'c Value, options: &WriteOptions) -> Result<Cow<'c, Value>, ApplyError> {
    if !config.is_object() {
        return Err(ApplyError::NotAnObject);
    }
    if managed_fields(config).is_some_and(|entries| !entries.is_null()) {
        return Err(ApplyError::StatesManagedFields);
    }
    if options.clean && has_nulls(config) {
        let mut config = config.clone();
        drop_nulls(&mut config);
        return Ok(Cow::Owned(config));
    }
    Ok(Cow::Borrowed(config))
}

/// The object that says of which kind both are: the live one, if the other does not say it.
pub(super) fn named<'a>(object: &'a Value, live: Option<&'a Value>) -> &'a Value {
    let says = |field: &str| object.get(field).is_some_and(Value::is_string);
    live.filter(|_| !(says("apiVersion") && says("kind"))).unwrap_or(object)
}

pub(super) fn api_version(object: &Value) -> &str {
    object.get("apiVersion").and_then(Value::as_str).unwrap_or_default()
}

fn without_identity(mut fields: FieldSet) -> FieldSet {
    fields.strip_identity();
    fields
}

/// Gives all fields of a live object of which no owner is known to one of their own.
fn own_what_is_there<'a>(
    owners: &mut Owners<'a>,
    live: &Value,
    version: &'a str,
    ty: Type<'_>,
    options: &'a WriteOptions,
) {
    let fields = without_identity(everything(live, ty, Hidden(managed_fields(live))));
    if !fields.is_empty() {
        let mut owner = writer(options, Operation::Update, version, fields);
        owner.manager = BEFORE_FIRST_APPLY.into();
        owners.list.push(owner);
    }
}

/// Whether an object is the live one but for what is hidden in that.
pub(super) fn equal_hiding(live: &Value, object: &Value, hidden: Hidden<'_>) -> bool {
    let (Value::Object(live), Value::Object(object), Some(_)) = (live, object, hidden.0) else {
        return equal(live, object);
    };
    live.len() == object.len()
        && live.iter().all(|(name, old)| {
            object.get(name).is_some_and(|new| match (old, new) {
                (Value::Object(old), Value::Object(new)) if name == "metadata" => {
                    // The merge leaves them in where the configuration has no metadata.
                    let is_kept = |name: &String| *name != "managedFields";
                    let mut kept = old.iter().filter(|(name, _)| is_kept(name));
                    old.keys().filter(|name| is_kept(name)).count()
                        == new.keys().filter(|name| is_kept(name)).count()
                        && kept.all(|(name, old)| new.get(name).is_some_and(|new| equal(old, new)))
                }
                _ => equal(old, new),
            })
        })
}
