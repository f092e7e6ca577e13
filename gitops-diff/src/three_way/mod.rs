//! Three-way merge of what was last applied, what is desired and what is live, with an account of every field.
//!
//! - [`as_kubectl`] chooses the merge as `kubectl apply` does: strategic for the kinds that the schema knows, JSON merge for
//!   all others.
//! - [`strategic`] and [`json`] are the two, for those who choose themselves.
//! - [`structured`] has the API server remember what was last applied, and needs no copy of it.
//! - [`patch_from_json`] makes the patch alone, from JSON texts.
//!
//! What was last applied is the memory of this merge: what others put into the live object stays, what was applied and is
//! desired no more goes.
//!
//! ```
//! use gitops_diff::schema::Deduced;
//! use gitops_diff::three_way::{self, ThreeWayCause, ThreeWayOptions};
//! use serde_json::json;
//!
//! let kind = |spec| json!({"apiVersion": "example.com/v1", "kind": "Gadget", "spec": spec});
//! let last_applied = kind(json!({"size": 1, "colour": "red", "mode": "a"}));
//! let desired = kind(json!({"size": 2, "mode": "a"}));
//! let live = kind(json!({"size": 1, "colour": "red", "mode": "b", "weight": 3}));
//!
//! let merge = three_way::as_kubectl(&last_applied, &desired, &live, &Deduced, &ThreeWayOptions::default())?;
//! assert_eq!(merge.patch, json!({"spec": {"size": 2, "colour": null, "mode": "a"}}));
//! assert_eq!(merge.merged, kind(json!({"size": 2, "mode": "a", "weight": 3})));
//!
//! let told: Vec<_> = merge.fields.iter().map(|field| field.to_string()).collect();
//! assert_eq!(told, [
//!     r#".spec.colour  last applied "red", Git absent, live "red": given up in Git"#,
//!     r#".spec.mode  last applied "a", Git "a", live "b": changed in the live object"#,
//!     r#".spec.size  last applied 1, Git 2, live 1: changed in Git"#,
//! ]);
//! assert_eq!(merge.fields[1].cause, ThreeWayCause::Drifted);
//! assert_eq!(merge.conflicts[0].to_string(), ".spec.mode");
//! # Ok::<(), three_way::ThreeWayError>(())
//! ```
//!
//! A null in place of an object is an object that is not there: the patch is then all of the desired one, and there are no
//! preconditions.
//!
//! Sources: `k8s.io/kubectl/pkg/cmd/apply/patcher.go` for the choice; see [`strategic`](crate::strategic) and
//! [`merge_patch`] for the merges.

mod fields;
mod from_json;
mod partial;
mod structured;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::fields::{Fields, Walk};
pub use self::from_json::patch_from_json;
pub use self::structured::structured;
use crate::merge_patch::{self, MergePatchError};
use crate::redact::Masker;
use crate::schema::{Schema, Type};
use crate::strategic::{self as strategic_merge, StrategicError, StrategicOptions, TypeSource};
use crate::text::{Brush, Style};
use crate::{FieldPath, Redaction, Shown, TypeRef};

/// The outcome of a three-way merge.
///
/// `patch` and `merged` hold the values themselves, those of Secrets included: they are for the API server. What `fields`
/// holds, and what `Debug` prints, may be shown.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ThreeWay {
    /// The patch for the live object; an empty map if nothing is to be done.
    ///
    /// A patch that is not empty need not change anything: see [`changes_live`](Self::changes_live).
    pub patch: Value,
    /// How the API server is to read the patch.
    pub patch_type: PatchType,
    /// The live object with the patch applied.
    pub merged: Value,
    /// Whether [`merged`](Self::merged) differs from the live object.
    pub changes_live: bool,
    /// The fields that somebody changed in the live object since the last time, and that the patch changes back or otherwise:
    /// what `kubectl apply --overwrite=false` refuses to do, and what it overlooks in lists that have the same values in
    /// another order. Values of sets, such as finalizers, never are.
    pub conflicts: Vec<FieldPath>,
    /// The fields whose live value is not the desired one, and those that were given up, by path.
    pub fields: Vec<ThreeWayField>,
}

impl fmt::Debug for ThreeWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreeWay")
            .field("patch_type", &self.patch_type)
            .field("changes_live", &self.changes_live)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

/// How a patch is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PatchType {
    /// As a strategic merge patch.
    Strategic,
    /// As a JSON merge patch.
    JsonMerge,
}

impl PatchType {
    /// The content type of a request with such a patch.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::JsonMerge => "application/merge-patch+json",
        }
    }
}

/// A field that is to be changed, with its three values.
///
/// Made from redacted values: no value of a Secret is in it. Its `Display` is one line without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ThreeWayField {
    /// Where.
    pub path: FieldPath,
    /// The value that was last applied.
    pub last_applied: Shown,
    /// The desired value.
    pub desired: Shown,
    /// The live value.
    pub live: Shown,
    /// Who changed it.
    pub cause: ThreeWayCause,
}

impl ThreeWayField {
    /// The one line, in colour if that is asked for.
    pub fn display(&self) -> ThreeWayDisplay<'_> {
        ThreeWayDisplay { field: self, brush: Brush { colour: false } }
    }
}

impl fmt::Display for ThreeWayField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display().fmt(f)
    }
}

/// A [`ThreeWayField`] as one line.
#[derive(Clone, Copy, Debug)]
pub struct ThreeWayDisplay<'a> {
    field: &'a ThreeWayField,
    brush: Brush,
}

impl ThreeWayDisplay<'_> {
    /// Writes ANSI colour sequences, as in a unified difference: what Git states is green, what is live is red.
    #[must_use]
    pub fn with_colour(mut self, colour: bool) -> Self {
        self.brush.colour = colour;
        self
    }
}

impl fmt::Display for ThreeWayDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field: ThreeWayField { path, last_applied, desired, live, cause }, brush } = self;
        let path = brush.paint(Style::Heading, path);
        let (git, now) = (brush.paint(Style::Git, desired), brush.paint(Style::Live, live));
        write!(f, "{path}  last applied {last_applied}, Git {git}, live {now}: {cause}")
    }
}

/// Who changed a field since it was last applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ThreeWayCause {
    /// Git changed or added it; the live object still has what was last applied.
    Stated,
    /// Git has it no more; the live object still has what was last applied, whatever others added to it.
    Removed,
    /// The live object was changed; Git still has what was last applied.
    Drifted,
    /// Both were changed, and not to the same value.
    Both,
}

impl fmt::Display for ThreeWayCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stated => "changed in Git",
            Self::Removed => "given up in Git",
            Self::Drifted => "changed in the live object",
            Self::Both => "changed in Git and in the live object",
        })
    }
}

/// A three-way merge that is not possible.
///
/// The paths in it have masks for what [`ThreeWayOptions::redact`] masks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThreeWayError {
    /// The strategic merge is not.
    #[error(transparent)]
    Strategic(#[from] StrategicError),
    /// The JSON merge is not.
    #[error(transparent)]
    Json(#[from] MergePatchError),
    /// A text cannot be read.
    #[error("{document} is no JSON: {message}")]
    Unread {
        /// Which of the three.
        document: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

impl ThreeWayError {
    /// The same, without what must not be told of the objects.
    fn redacted(mut self, redact: &Redaction, sides: [&Value; 3]) -> Self {
        if let Self::Strategic(StrategicError { path, .. })
        | Self::Json(MergePatchError::Precondition(path) | MergePatchError::Conflict(path)) = &mut self
        {
            *path = Masker::new(redact, &sides).way_to(std::mem::take(path));
        }
        self
    }
}

/// How to merge, and what to show.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ThreeWayOptions {
    /// How to merge; a JSON merge has the preconditions only.
    pub merge: StrategicOptions,
    /// What not to show; the values of Secrets by default.
    pub redact: Redaction,
}

impl ThreeWayOptions {
    /// Merges otherwise.
    #[must_use]
    pub fn with_merge(mut self, merge: StrategicOptions) -> Self {
        self.merge = merge;
        self
    }

    /// Redacts otherwise.
    #[must_use]
    pub fn with_redaction(mut self, redact: Redaction) -> Self {
        self.redact = redact;
        self
    }
}

/// The three-way merge that `kubectl apply` 1.36 does.
///
/// Kinds that the schema knows have a strategic merge without preconditions, by the types of OpenAPI. All others have a JSON
/// merge, which fails if `apiVersion`, `kind` or `metadata.name` would change. So the schema must be one of built-in kinds:
/// the API server refuses strategic merge for custom ones.
///
/// Unlike `kubectl`, which falls back to other sources of types when one does not know a field, this follows
/// [`unknown_fields`](StrategicOptions::unknown_fields).
pub fn as_kubectl(
    last_applied: &Value,
    desired: &Value,
    live: &Value,
    schema: &dyn Schema,
    options: &ThreeWayOptions,
) -> Result<ThreeWay, ThreeWayError> {
    let (ty, merge) = choose(desired, schema, &options.merge);
    let options = options.clone().with_merge(merge);
    match ty {
        Some(ty) => strategic(last_applied, desired, live, ty, &options),
        None => json(last_applied, desired, live, &options),
    }
}

/// The type for a strategic merge; none for a JSON merge. With what `kubectl` says about either.
fn choose<'s>(
    desired: &Value,
    schema: &'s dyn Schema,
    options: &StrategicOptions,
) -> (Option<Type<'s>>, StrategicOptions) {
    let ty = schema.type_of(&TypeRef::of(desired));
    let mut options = options.clone();
    if ty.is_some() {
        options.type_source = TypeSource::OpenApi;
        options.preconditions.clear();
    } else {
        let paths: [&[&str]; 3] = [&["apiVersion"], &["kind"], &["metadata", "name"]];
        options.preconditions =
            paths.into_iter().map(|path| FieldPath::of_fields(path.iter().copied())).collect();
    }
    (ty, options)
}

/// A strategic three-way merge.
pub fn strategic(
    last_applied: &Value,
    desired: &Value,
    live: &Value,
    ty: Type<'_>,
    options: &ThreeWayOptions,
) -> Result<ThreeWay, ThreeWayError> {
    let mut merge = options.merge.clone();
    if live.is_null() {
        merge.preconditions.clear();
    }
    let sides = [last_applied, desired, live];
    let hide = |error: StrategicError| ThreeWayError::from(error).redacted(&options.redact, sides);
    let patch = strategic_merge::three_way(last_applied, desired, live, ty, &merge).map_err(hide)?;
    let merged = strategic_merge::apply(live, &patch, ty, &options.merge).map_err(hide)?;
    let fields = Walk::strategic(&options.merge).fields(sides, ty, &options.redact);
    Ok(outcome(patch, PatchType::Strategic, merged, live, fields))
}

/// A three-way merge of JSON, in which lists are one value: for custom kinds.
pub fn json(
    last_applied: &Value,
    desired: &Value,
    live: &Value,
    options: &ThreeWayOptions,
) -> Result<ThreeWay, ThreeWayError> {
    let nothing = Value::Object(Map::new());
    let (from, preconditions) =
        if live.is_null() { (&nothing, &[][..]) } else { (live, &*options.merge.preconditions) };
    let sides = [last_applied, desired, live];
    let hide = |error: MergePatchError| ThreeWayError::from(error).redacted(&options.redact, sides);
    let patch = merge_patch::three_way(last_applied, desired, from, preconditions).map_err(hide)?;
    let merged = merge_patch::apply_as_kubernetes(from, &patch).map_err(hide)?;
    let fields = Walk::json().fields(sides, Type::deduced(), &options.redact);
    Ok(outcome(patch, PatchType::JsonMerge, merged, live, fields))
}

fn outcome(patch: Value, patch_type: PatchType, merged: Value, live: &Value, fields: Fields) -> ThreeWay {
    let changes_live = !strategic_merge::go::deep_equal(&merged, live);
    ThreeWay { patch, patch_type, merged, changes_live, conflicts: fields.conflicts, fields: fields.all }
}

#[cfg(test)]
mod tests;
