//! Following writes that are no applies (`merge/update.go`, `Updater.Update`;
//! `managedfields/internal/managedfieldsupdater.go`).

use std::borrow::Cow;

use serde_json::Value;

use super::apply::{api_version, equal_hiding, named};
use super::owners::{Owner, Owners, writer};
use super::time::seconds;
use super::{Applied, ApplyError, WriteOptions, managed_fields, set_managed_fields, without_managed_fields};
use crate::schema::{Schema, Type, UnknownFields};
use crate::typed::{Comparison, Hidden, ValidateOptions, compare_hiding, everything, validate_hiding};
use crate::{Operation, TypeRef};

/// More entries of updates than this are joined, the oldest first (`managedfields/internal/fieldmanager.go`).
const MAX_UPDATERS: usize = 10;

/// The manager of joined entries (`managedfields/internal/capmanagers.go`).
const ANCIENT: &str = "ancient-changes";

/// Follows a write that is no apply (`PUT`, `PATCH` of another type, `POST`): the manager now owns what it changed or
/// added, the others no longer own what changed, and nobody owns what is gone.
///
/// The result is `new` with its `metadata.managedFields` brought up to date. The owners of the object itself are those
/// that `new` names in its own `metadata.managedFields`, if they can be read, else those of the live object; an empty
/// list forgets all of them.
pub fn update<'l>(
    live: Option<&'l Value>,
    new: &Value,
    schema: &(impl Schema + ?Sized),
    options: &WriteOptions,
) -> Result<Applied<'l>, ApplyError> {
    followed(live, new, schema, options).map_err(|error| error.redacted(&options.redact, live, new))
}

fn followed<'l>(
    live: Option<&'l Value>,
    new: &Value,
    schema: &(impl Schema + ?Sized),
    options: &WriteOptions,
) -> Result<Applied<'l>, ApplyError> {
    if !new.is_object() {
        return Err(ApplyError::NotAnObject);
    }
    let named = named(new, live);
    let ty = schema.type_or_deduced(&TypeRef::of(named));
    let (old_hidden, hidden) = (Hidden(live.and_then(managed_fields)), Hidden(managed_fields(new)));
    if options.unknown_fields == UnknownFields::Refuse {
        let rules =
            ValidateOptions::default().with_unknown_fields(options.unknown_fields).with_duplicates(true);
        validate_hiding(new, ty, rules, hidden).map_err(ApplyError::Invalid)?;
        if let Some(live) = live {
            validate_hiding(live, ty, rules, old_hidden).map_err(ApplyError::LiveInvalid)?;
        }
    }
    let version = api_version(named);
    let mut owners = owners_of(old_hidden.0, hidden.0, version, ty, options);
    let is_untracked = options.before_first_apply && owners.read == 0 && live.is_some_and(has_uid);
    let object = without_managed_fields(new);
    if is_untracked {
        owners = Owners::none();
    } else {
        owners.keep_version(version);
        let change = match live {
            Some(live) => compare_hiding(live, &object, ty, old_hidden),
            None => Comparison { added: everything(&object, ty, Hidden::default()), ..Comparison::default() },
        };
        owners.take(&change, None);
        let mut fields = change.modified.union(&change.added);
        fields.strip_identity();
        if !fields.is_empty() {
            record(&mut owners, writer(options, Operation::Update, version, fields));
        }
        cap(&mut owners);
    }
    let values_changed = live.is_none_or(|live| !equal_hiding(live, &object, old_hidden));
    Ok(finish(live, object, values_changed, owners))
}

/// The written object with its owners, or the live one if it is that to the letter.
fn finish<'l>(
    live: Option<&'l Value>,
    mut object: Value,
    values_changed: bool,
    owners: Owners<'_>,
) -> Applied<'l> {
    let mut owners = owners;
    // Whether these are the live object's owners is seen when they are written.
    owners.read = usize::MAX;
    set_managed_fields(&mut object, owners.into_entries().unwrap_or_default());
    match live {
        Some(live) if !values_changed && *live == object => {
            Applied { object: Cow::Borrowed(live), changed: false, values_changed }
        }
        _ => Applied { object: Cow::Owned(object), changed: true, values_changed },
    }
}

/// Whose fields the object had so far (`managedfields/internal/fieldmanager.go`, `decodeLiveOrNew`).
fn owners_of<'a>(
    live: Option<&'a Value>,
    new: Option<&'a Value>,
    version: &str,
    ty: Type<'_>,
    options: &WriteOptions,
) -> Owners<'a> {
    if options.subresource.is_empty() {
        if new.is_some_and(is_reset) {
            return Owners::none();
        }
        if let Ok(owners) = Owners::read(new, version, ty, None)
            && owners.read > 0
        {
            return owners;
        }
    }
    Owners::read(live, version, ty, None).unwrap_or_else(|_| Owners::none())
}

/// Whether entries say that all owners are to be forgotten: there are none, or one that says nothing.
fn is_reset(entries: &Value) -> bool {
    match entries.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([only]) => only.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    }
}

fn has_uid(object: &Value) -> bool {
    let uid = object.get("metadata").and_then(|metadata| metadata.get("uid"));
    uid.and_then(Value::as_str).is_some_and(|uid| !uid.is_empty())
}

/// Adds what was written to what the writer has written before.
fn record<'a>(owners: &mut Owners<'a>, mut writer: Owner<'a>) {
    match owners.find(&writer).and_then(|at| owners.list.get_mut(at)) {
        Some(known) => {
            let fields = writer.fields().union(known.fields());
            writer.set_fields(fields);
            *known = writer;
        }
        None => owners.list.push(writer),
    }
}

/// Joins the oldest entries of updates where there are too many of them
/// (`managedfields/internal/capmanagers.go`, `capUpdateManagers`).
fn cap(owners: &mut Owners<'_>) {
    let is_updater = |owner: &Owner<'_>| owner.operation == Operation::Update;
    let mut count = owners.list.iter().filter(|owner| is_updater(owner)).count();
    if count <= MAX_UPDATERS {
        return;
    }
    let (mut updaters, appliers) =
        std::mem::take(&mut owners.list).into_iter().partition::<Vec<_>, _>(is_updater);
    owners.list = appliers;
    updaters.sort_by(|a, b| {
        let time = |owner: &Owner<'_>| owner.time.as_deref().map_or(0, seconds);
        let name = |owner: &Owner<'_>| {
            (owner.manager.to_string(), owner.api_version.to_string(), owner.subresource.to_string())
        };
        time(a).cmp(&time(b)).then_with(|| name(a).cmp(&name(b)))
    });
    let mut joined: Vec<Owner<'_>> = Vec::new();
    for mut owner in updaters {
        let bucket = joined.iter_mut().find(|other| other.api_version == owner.api_version);
        match bucket {
            Some(bucket) if count > MAX_UPDATERS => {
                let fields = bucket.fields().union(owner.fields());
                bucket.set_fields(fields);
                bucket.manager = ANCIENT.into();
                bucket.subresource = "".into();
                bucket.time = owner.time;
                bucket.source = None;
                count -= 1;
            }
            None if count > MAX_UPDATERS => joined.push(owner),
            _ => owners.list.push(owner),
        }
    }
    owners.list.append(&mut joined);
}
