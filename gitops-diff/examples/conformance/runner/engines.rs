//! The engines of the crate, in the terms of the vectors.

use std::borrow::Cow;

use gitops_diff::merge_patch::{self, MergePatchError};
use gitops_diff::schema::{Schema, Type, UnknownFields};
use gitops_diff::strategic::{self, StrategicError, StrategicOptions, TypeSource};
use gitops_diff::typed::{self, ValidateOptions};
use gitops_diff::{ApplyError, Conflict, FieldPath, FieldSet, PathElement, TypeRef, WriteOptions};
use serde_json::{Value, json};

use super::compare::as_go_writes;

/// An error, with the class that the vectors know it by.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) class: &'static str,
    pub(crate) message: String,
}

impl From<StrategicError> for Failure {
    fn from(error: StrategicError) -> Self {
        Self { class: error.reason.class(), message: error.to_string() }
    }
}

impl From<MergePatchError> for Failure {
    fn from(error: MergePatchError) -> Self {
        Self { class: error.class(), message: error.to_string() }
    }
}

/// What does not fit its schema.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn invalid(error: impl ToString) -> Failure {
    Failure { class: "invalid", message: error.to_string() }
}

/// RFC 7386.
pub(crate) fn json_merge(original: &Value, patch: &Value) -> Value {
    merge_patch::apply(original, patch)
}

/// What kube-apiserver makes of a JSON merge patch.
pub(crate) fn kubernetes_json_merge(original: &Value, patch: &Value) -> Result<Value, Failure> {
    Ok(merge_patch::apply_as_kubernetes(original, patch)?)
}

/// The JSON merge patch that kubectl makes.
pub(crate) fn create_json_merge(original: &Value, modified: &Value) -> Result<Value, Failure> {
    Ok(merge_patch::create_as_kubernetes(original, modified)?)
}

/// Unknown fields are errors, as in the reference.
fn strict(source: TypeSource) -> StrategicOptions {
    StrategicOptions::default().with_unknown_fields(UnknownFields::Refuse).with_type_source(source)
}

/// Kubernetes' strategic merge patch.
pub(crate) fn strategic_merge(
    ty: Type<'_>,
    source: TypeSource,
    original: &Value,
    patch: &Value,
) -> Result<Value, Failure> {
    Ok(strategic::apply(original, patch, ty, &strict(source))?)
}

/// The strategic merge patch between two objects.
pub(crate) fn two_way(ty: Type<'_>, original: &Value, modified: &Value) -> Result<Value, Failure> {
    Ok(strategic::create(original, modified, ty, &strict(TypeSource::GoTypes))?)
}

/// A three-way merge: the patch, and what becomes of the live object.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) patch: Value,
    pub(crate) result: Result<Value, Failure>,
}

/// What a three-way merge is made of.
#[derive(Clone, Debug)]
pub(crate) struct ThreeWay {
    pub(crate) original: Value,
    pub(crate) modified: Value,
    pub(crate) current: Value,
    pub(crate) overwrite: bool,
    pub(crate) preconditions: Vec<FieldPath>,
}

/// The strategic three-way merge.
pub(crate) fn three_way(ty: Type<'_>, input: &ThreeWay) -> Result<Merged, Failure> {
    let mut options = strict(TypeSource::GoTypes).with_overwrite(input.overwrite);
    options.preconditions.clone_from(&input.preconditions);
    let patch = strategic::three_way(&input.original, &input.modified, &input.current, ty, &options)?;
    let result = strategic_merge(ty, TypeSource::GoTypes, &input.current, &as_go_writes(&patch));
    Ok(Merged { patch, result })
}

/// The three-way merge for custom kinds.
pub(crate) fn three_way_json(input: &ThreeWay) -> Result<Merged, Failure> {
    let ThreeWay { original, modified, current, preconditions, .. } = input;
    let patch = merge_patch::three_way(original, modified, current, preconditions)?;
    let result = kubernetes_json_merge(current, &patch);
    Ok(Merged { patch, result })
}

/// A write with server-side apply's bookkeeping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) live: &'a Value,
    pub(crate) object: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) subresource: Option<&'a str>,
    pub(crate) force: bool,
    /// Objects without managed fields as the API server has them, not as structured-merge-diff alone.
    pub(crate) before_first_apply: bool,
}

/// What a write leaves: the object without its managed fields, and those.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) object: Value,
    pub(crate) managed_fields: Value,
    pub(crate) no_op: bool,
}

/// What comes of an apply that is possible.
#[derive(Debug)]
pub(crate) enum Applied {
    Written(Written),
    /// As in the vectors: manager, operation, `apiVersion`?, subresource? and `path_elements`.
    Conflicts(Vec<Value>),
}

/// One type for every object.
#[derive(Debug)]
struct Only<'s>(Type<'s>);

impl Schema for Only<'_> {
    fn type_of(&self, _: &TypeRef<'_>) -> Option<Type<'_>> {
        Some(self.0)
    }
}

/// Server-side apply.
pub(crate) fn apply(ty: Type<'_>, write: &Write<'_>) -> Result<Applied, Failure> {
    match gitops_diff::apply(Some(write.live), write.object, &Only(ty), &write.options()) {
        Ok(applied) => Ok(Applied::Written(Write::written(&applied))),
        Err(ApplyError::Conflicts(all)) => Ok(Applied::Conflicts(all.iter().map(conflict).collect())),
        Err(error) => Err(invalid(error)),
    }
}

/// The bookkeeping of an update.
pub(crate) fn update(ty: Type<'_>, write: &Write<'_>) -> Result<Written, Failure> {
    let applied = gitops_diff::update(Some(write.live), write.object, &Only(ty), &write.options());
    applied.map(|applied| Write::written(&applied)).map_err(invalid)
}

impl Write<'_> {
    fn options(&self) -> WriteOptions {
        WriteOptions::new(self.manager)
            .with_before_first_apply(true)
            .with_subresource(self.subresource.unwrap_or_default())
            .with_force(self.force)
            .with_before_first_apply(self.before_first_apply)
            .with_unknown_fields(UnknownFields::Refuse)
    }

    fn written(applied: &gitops_diff::Applied<'_>) -> Written {
        let mut object = applied.object.clone().into_owned();
        let mut managed_fields = json!([]);
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            managed_fields = metadata.remove("managedFields").unwrap_or(managed_fields);
        }
        for entry in managed_fields.as_array_mut().into_iter().flatten() {
            entry.as_object_mut().map(|entry| entry.remove("time"));
        }
        Written { object, managed_fields, no_op: !applied.values_changed }
    }
}

fn conflict(conflict: &Conflict) -> Value {
    let elements: Vec<_> = conflict.path.elements().iter().map(PathElement::to_managed).collect();
    let mut found = json!({
        "manager": conflict.manager, "operation": conflict.operation.as_str(),
        "path_elements": elements,
    });
    if let Some(version) = &conflict.api_version {
        found["apiVersion"] = json!(version);
    }
    if !conflict.subresource.is_empty() {
        found["subresource"] = json!(conflict.subresource);
    }
    found
}

/// The operations of structured-merge-diff; sets are in the form of managedFields.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) added: Value,
    pub(crate) modified: Value,
    pub(crate) removed: Value,
    pub(crate) merged: Result<Value, Failure>,
    pub(crate) field_set: Value,
    pub(crate) without: Value,
    pub(crate) extracted: Value,
}

/// All operations on two objects.
pub(crate) fn typed(ty: Type<'_>, lhs: &Value, rhs: &Value) -> Result<Typed, Failure> {
    let options = ValidateOptions::default().with_duplicates(true).with_unknown_fields(UnknownFields::Refuse);
    typed::validate(lhs, ty, options).map_err(invalid)?;
    typed::validate(rhs, ty, options).map_err(invalid)?;
    let change = typed::compare(lhs, rhs, ty).map_err(invalid)?;
    let stated = typed::field_set(rhs, ty);
    let fields = |set: &FieldSet| set.to_fields_v1();
    Ok(Typed {
        added: fields(&change.added),
        modified: fields(&change.modified),
        removed: fields(&change.removed),
        merged: typed::merge(lhs, rhs, ty).map(Cow::into_owned).map_err(invalid),
        field_set: fields(&stated),
        without: typed::remove(lhs, &stated, ty),
        extracted: typed::extract(lhs, &stated.leaves(), ty, true),
    })
}
