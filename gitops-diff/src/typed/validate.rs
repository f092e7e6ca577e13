//! Does a value fit its type? (`typed/validate.go`)

use std::fmt;

use serde_json::Value;

use super::items::Items;
use super::{Hidden, Shape, Shapes, associative, is_scalar};
use crate::redact::Masker;
use crate::schema::{ListKind, MapType, Scalar, Type, UnknownFields};
use crate::{FieldPath, PathElement, Redaction};

/// How strictly to [`validate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidateOptions {
    /// What to do about fields that the type does not have.
    pub unknown_fields: UnknownFields,
    /// Whether keyed lists and sets may hold items twice. Live objects may, configurations that are applied may not.
    pub allow_duplicates: bool,
}

impl ValidateOptions {
    /// Refuses fields that the type does not have, or takes them for values of any kind.
    #[must_use]
    pub fn with_unknown_fields(mut self, unknown_fields: UnknownFields) -> Self {
        self.unknown_fields = unknown_fields;
        self
    }

    /// Lets keyed lists and sets hold items twice.
    #[must_use]
    pub fn with_duplicates(mut self, allowed: bool) -> Self {
        self.allow_duplicates = allowed;
        self
    }
}

/// A value that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(.violations))]
pub struct Invalid {
    /// Everything that does not fit; at least one thing.
    pub violations: Vec<Violation>,
}

/// One thing that does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Where.
    pub path: FieldPath,
    /// What.
    pub kind: ViolationKind,
}

/// What does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The type has no such field.
    UnknownField,
    /// The value has another shape than the named one.
    Expected(&'static str),
    /// The list's item at this position cannot be told from others.
    Item {
        /// The position, counted from zero.
        index: usize,
        /// Why.
        problem: &'static str,
    },
    /// The list holds this item twice.
    Duplicate(PathElement),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.kind {
            ViolationKind::UnknownField => f.write_str("the schema has no such field"),
            ViolationKind::Expected(what) => write!(f, "expected {what}"),
            ViolationKind::Item { index, problem } => write!(f, "item {index}: {problem}"),
            ViolationKind::Duplicate(element) => write!(f, "the item {element} is there twice"),
        }
    }
}

fn list(violations: &[Violation]) -> String {
    let shown: Vec<_> = violations.iter().take(5).map(ToString::to_string).collect();
    let more = if violations.len() > shown.len() { "; …" } else { "" };
    format!("{}{more}", shown.join("; "))
}

impl Invalid {
    /// The same, without what a redaction masks in the value. That of Secrets is masked already.
    #[must_use]
    pub fn redacted(self, redact: &Redaction, value: &Value) -> Self {
        self.masked(&Masker::new(redact, &[value]))
    }

    pub(crate) fn masked(mut self, masker: &Masker<'_>) -> Self {
        for violation in &mut self.violations {
            if let ViolationKind::Duplicate(item) = &mut violation.kind {
                *item = masker.item_of(&violation.path, item.clone());
            }
            violation.path = masker.way_to(std::mem::take(&mut violation.path));
        }
        self.violations.dedup();
        self
    }

    pub(super) fn unless_empty(violations: Vec<Violation>) -> Result<(), Self> {
        if violations.is_empty() { Ok(()) } else { Err(Self { violations }) }
    }
}

/// Whether a value fits its type; the error lists what does not.
///
/// `null` fits every type. See `typed/validate.go` of structured-merge-diff.
pub fn validate(value: &Value, ty: Type<'_>, options: ValidateOptions) -> Result<(), Invalid> {
    validate_hiding(value, ty, options, Hidden::default())
        .map_err(|invalid| invalid.redacted(&Redaction::default(), value))
}

pub(crate) fn validate_hiding(
    value: &Value,
    ty: Type<'_>,
    options: ValidateOptions,
    hidden: Hidden<'_>,
) -> Result<(), Invalid> {
    let mut walk = Walk { options, hidden, path: Vec::new(), violations: Vec::new() };
    walk.value(value, ty);
    Invalid::unless_empty(walk.violations)
}

/// A step on the way to the value that is looked at.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    Item(&'a Value, ListKind<'a>),
}

impl Step<'_> {
    fn element(self) -> PathElement {
        match self {
            Self::Field(name) => PathElement::field(name),
            Self::Index(index) => PathElement::Index(index),
            Self::Item(item, kind) => super::items::Id::of(item, kind)
                .map_or_else(|_| PathElement::Value(item.clone()), |id| id.element(kind)),
        }
    }
}

struct Walk<'a> {
    options: ValidateOptions,
    hidden: Hidden<'a>,
    path: Vec<Step<'a>>,
    violations: Vec<Violation>,
}

impl<'a> Walk<'a> {
    fn report(&mut self, kind: ViolationKind) {
        let path = self.path.iter().map(|step| step.element()).collect();
        self.violations.push(Violation { path, kind });
    }

    fn value(&mut self, value: &'a Value, ty: Type<'a>) {
        if value.is_null() {
            return;
        }
        match (Shapes::of(ty, value).handled(), value) {
            (Shape::Map, Value::Object(map)) => {
                if let Some(ty) = ty.map() {
                    self.map(map, ty);
                }
            }
            (Shape::Map, _) => self.report(ViolationKind::Expected("a map")),
            (Shape::List, Value::Array(items)) => self.list(items, ty),
            (Shape::List, _) => self.report(ViolationKind::Expected("a list")),
            (Shape::Scalar, value) => {
                let scalar = ty.scalar().unwrap_or(Scalar::Untyped);
                if !is_scalar(scalar, value) {
                    self.report(ViolationKind::Expected(match scalar {
                        Scalar::String => "a text",
                        Scalar::Number => "a number",
                        Scalar::Boolean => "true or false",
                        Scalar::Untyped => "a scalar",
                    }));
                }
            }
        }
    }

    fn map(&mut self, map: &'a serde_json::Map<String, Value>, ty: MapType<'a>) {
        for (name, child) in map {
            let child_type = match ty.child(name) {
                Some(child_type) => child_type,
                None if self.hidden.is(child) => continue,
                None if self.options.unknown_fields == UnknownFields::Refuse => {
                    self.path.push(Step::Field(name));
                    self.report(ViolationKind::UnknownField);
                    self.path.pop();
                    continue;
                }
                // Any value fits.
                None => continue,
            };
            // Nothing to go into, and nearly half of all fields.
            if matches!((child, child_type.scalar()), (Value::String(_), Some(Scalar::String)))
                || self.hidden.is(child)
            {
                continue;
            }
            self.path.push(Step::Field(name));
            self.value(child, child_type);
            self.path.pop();
        }
    }

    fn list(&mut self, items: &'a [Value], ty: Type<'a>) {
        let item_type = ty.item_or_deduced();
        let Some(kind) = associative(ty) else {
            for (index, item) in items.iter().enumerate() {
                self.path.push(Step::Index(index));
                self.value(item, item_type);
                self.path.pop();
            }
            return;
        };
        match Items::of(items, kind) {
            Err((index, why)) => return self.report(ViolationKind::Item { index, problem: why.text() }),
            Ok(named) if named.has_duplicates && !self.options.allow_duplicates => {
                for (at, id) in named.ids.iter().enumerate() {
                    if named.find(id, at) != Some(at) {
                        self.report(ViolationKind::Duplicate(id.element(kind)));
                    }
                }
            }
            Ok(_) => {}
        }
        for item in items {
            self.path.push(Step::Item(item, kind));
            self.value(item, item_type);
            self.path.pop();
        }
    }
}
