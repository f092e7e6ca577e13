//! What is wrong with a document that should say what kinds are.

use std::borrow::Cow;
use std::fmt;

/// A schema that cannot be read: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The steps to the place, the last one first.
    steps: Vec<String>,
    problem: SchemaProblem,
}

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaProblem {
    /// A value of another JSON type is expected.
    #[error("this is not {0}")]
    Not(&'static str),
    /// A `type` that JSON Schema does not have.
    #[error("there is no type {0:?}: expected array, boolean, integer, number, object or string")]
    UnknownType(String),
    /// An array without `items`.
    #[error("an array needs `items`")]
    NoItems,
    /// A list with keys that names none.
    #[error("x-kubernetes-list-type `map` needs x-kubernetes-list-map-keys")]
    NoMapKeys,
    /// An unknown `x-kubernetes-list-type`.
    #[error("there is no x-kubernetes-list-type {0:?}: expected atomic, set or map")]
    UnknownListType(String),
    /// An unknown `x-kubernetes-map-type`.
    #[error("there is no x-kubernetes-map-type {0:?}: expected atomic or granular")]
    UnknownMapType(String),
    /// An unknown `x-kubernetes-patch-strategy`.
    #[error("there is no x-kubernetes-patch-strategy {0:?}: expected merge, replace or retainKeys")]
    UnknownPatchStrategy(String),
    /// A reference to what is not in the documents.
    #[error("{0} is in none of the documents")]
    DanglingReference(String),
    /// References that lead to nothing but each other.
    #[error("references lead in a circle")]
    ReferenceCycle,
    /// Schemas in schemas without end.
    #[error("schemas are nested too deep")]
    TooDeep,
}

impl SchemaError {
    /// Where it is: a JSON Pointer (RFC 6901) into the document.
    pub fn place(&self) -> String {
        let escaped = |step: &str| step.replace('~', "~0").replace('/', "~1");
        self.steps.iter().rev().flat_map(|step| ["/".to_owned(), escaped(step)]).collect()
    }

    /// What is wrong.
    pub fn problem(&self) -> &SchemaProblem {
        &self.problem
    }

    /// The same, seen from one step further out.
    pub(super) fn within<'s>(mut self, step: impl Into<Cow<'s, str>>) -> Self {
        self.steps.push(step.into().into_owned());
        self
    }
}

impl From<SchemaProblem> for SchemaError {
    fn from(problem: SchemaProblem) -> Self {
        Self { steps: Vec::new(), problem }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        write!(f, "{}: {}", if place.is_empty() { "the document" } else { &place }, self.problem)
    }
}

impl std::error::Error for SchemaError {}
