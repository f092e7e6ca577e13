//! The engines of the crate, in the terms of the vectors.

use gitops_diff::schema::Type;
use serde_json::Value;

/// An error, with the class that the vectors know it by.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) class: &'static str,
    pub(crate) message: String,
}

fn missing<T>() -> Result<T, Failure> {
    Err(Failure { class: "missing", message: "this engine is not there yet".to_owned() })
}

/// RFC 7386.
pub(crate) fn json_merge(_original: &Value, _patch: &Value) -> Value {
    Value::Null
}

/// What kube-apiserver makes of a JSON merge patch, and which patch it makes.
pub(crate) fn kubernetes_json_merge(_original: &Value, _patch: &Value) -> Result<Value, Failure> {
    missing()
}

pub(crate) fn create_json_merge(_original: &Value, _modified: &Value) -> Result<Value, Failure> {
    missing()
}

pub(crate) fn strategic_merge(
    _ty: Type<'_>,
    _source: Source,
    _original: &Value,
    _patch: &Value,
) -> Result<Value, Failure> {
    missing()
}

pub(crate) fn two_way(_ty: Type<'_>, _original: &Value, _modified: &Value) -> Result<Value, Failure> {
    missing()
}

/// Where a reference looks fields up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    GoTypes,
    OpenApi,
}

/// A three-way merge: the patch, and what becomes of the live object.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) patch: Value,
    pub(crate) result: Result<Value, Failure>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreeWay<'a> {
    pub(crate) original: &'a Value,
    pub(crate) modified: &'a Value,
    pub(crate) current: &'a Value,
    pub(crate) overwrite: bool,
    /// Kubectl's: apiVersion, kind and name stay.
    pub(crate) preconditions: bool,
}

pub(crate) fn three_way(_ty: Type<'_>, _input: &ThreeWay<'_>) -> Result<Merged, Failure> {
    missing()
}

pub(crate) fn three_way_json(_input: &ThreeWay<'_>) -> Result<Merged, Failure> {
    missing()
}

/// A write with server-side apply's bookkeeping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) live: &'a Value,
    pub(crate) object: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) subresource: Option<&'a str>,
    pub(crate) force: bool,
}

/// What a write leaves: the object without its managed fields, and those.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) object: Value,
    pub(crate) managed_fields: Value,
    pub(crate) no_op: bool,
}

pub(crate) enum Applied {
    Written(Written),
    /// As in the vectors: manager, operation, apiVersion?, subresource?, path and path_elements.
    Conflicts(Vec<Value>),
}

pub(crate) fn apply(_ty: Type<'_>, _write: &Write<'_>) -> Result<Applied, Failure> {
    missing()
}

pub(crate) fn update(_ty: Type<'_>, _write: &Write<'_>) -> Result<Written, Failure> {
    missing()
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

pub(crate) fn typed(_ty: Type<'_>, _lhs: &Value, _rhs: &Value) -> Result<Typed, Failure> {
    missing()
}
