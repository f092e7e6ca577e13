//! What a vector file is, and what it takes to pass one.

mod compare;
mod defaults;
mod engines;
mod folder;
mod formats;
mod jsonpatch;
mod ownership;
mod patches;
#[path = "../schemas.rs"]
mod schemas;
mod vectors;

pub(crate) use self::folder::Folder;
pub(crate) use self::formats::run;
#[allow(unused_imports, reason = "some users of this module only need one of them")]
pub(crate) use self::vectors::{Case, VectorFile};

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As the reference says.
    Passed,
    /// Not counted: whoever wrote the case does not run it either, and it did not pass.
    Skipped,
    /// Otherwise; says how.
    Failed(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}
