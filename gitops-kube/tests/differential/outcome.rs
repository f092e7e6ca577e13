//! What came of an operation, in words that both sides have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::operations::Which;

/// An incarnation that never was.
const FOREIGN: &str = "ffffffff-ffff-4fff-bfff-ffffffffffff";

/// What came of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It was done, and the object is another, or gone.
    Changed,
    /// It was done, and nothing changed.
    NoOp,
    /// Fields belong to others: who, and which.
    Conflict(BTreeSet<(String, String)>),
    /// It is not what was expected.
    Precondition,
    /// It exists already.
    Exists,
    /// It does not exist.
    NotFound,
    /// The request is wrong.
    Invalid,
    /// The result would lack what its kind requires. A cluster in memory knows types, and not that.
    Incomplete,
    /// It is not allowed.
    Denied,
    /// What a watch told, and what a watch of the target hinted at.
    Events(Vec<Told>, Hints),
    /// A watch was told that what it asks for is forgotten; what a list told then, and what the target's watch hinted at.
    Expired(Vec<Value>, Hints),
    /// Something that should not happen.
    Odd(String),
}

/// What a watch tells about an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) word: String,
    pub(crate) object: Value,
}

/// What a target's watch told since it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hints {
    /// These objects.
    Objects(BTreeSet<String>),
    /// All of them may have changed.
    Everything,
}

impl Outcome {
    /// The word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::NoOp => "no-op",
            Self::Conflict(_) => "conflict",
            Self::Precondition => "precondition failed",
            Self::Exists => "exists",
            Self::NotFound => "not found",
            Self::Invalid => "invalid",
            Self::Incomplete => "incomplete",
            Self::Denied => "denied",
            Self::Events(..) => "events",
            Self::Expired(..) => "expired",
            Self::Odd(_) => "odd",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Conflict(all) => write!(f, " {all:?}"),
            Self::Events(told, hints) => {
                told.iter().try_for_each(|told| {
                    write!(f, "\n    {} {}", told.word, told.object["metadata"]["name"])
                })?;
                write!(f, "\n    hints: {hints:?}")
            }
            Self::Expired(listed, hints) => write!(f, ", {} listed, hints: {hints:?}", listed.len()),
            Self::Odd(why) => write!(f, ": {why}"),
            _ => Ok(()),
        }
    }
}

/// The states that one side's objects had.
#[derive(Debug, Default)]
pub(crate) struct History {
    live: BTreeMap<String, Value>,
    versions: BTreeMap<String, Vec<String>>,
    uids: BTreeMap<String, Vec<String>>,
}

impl History {
    /// The object as it is.
    pub(crate) fn live(&self, name: &str) -> Option<&Value> {
        self.live.get(name)
    }

    /// Remembers how an object is now; whether that is another state than before.
    pub(crate) fn note(&mut self, name: &str, now: Option<&Value>) -> bool {
        let text = |object: &Value, field: &str| object["metadata"][field].as_str().unwrap().to_owned();
        let Some(now) = now else { return self.live.remove(name).is_some() };
        let (version, uid) = (text(now, "resourceVersion"), text(now, "uid"));
        let versions = self.versions.entry(name.to_owned()).or_default();
        let is_new = !self.live.contains_key(name) || versions.last() != Some(&version);
        if is_new {
            versions.push(version);
        }
        let uids = self.uids.entry(name.to_owned()).or_default();
        if uids.last() != Some(&uid) {
            uids.push(uid);
        }
        self.live.insert(name.to_owned(), now.clone());
        is_new
    }

    /// A resource version of an object.
    pub(crate) fn version(&self, name: &str, which: Which) -> String {
        choose(self.versions.get(name), which, "1")
    }

    /// A UID of an object.
    pub(crate) fn uid(&self, name: &str, which: Which) -> String {
        choose(self.uids.get(name), which, FOREIGN)
    }
}

fn choose(all: Option<&Vec<String>>, which: Which, none: &str) -> String {
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let found = match which {
        Which::Current => all.last(),
        Which::Stale => all.len().checked_sub(2).and_then(|at| all.get(at)),
    };
    found.map_or_else(|| none.to_owned(), Clone::clone)
}
