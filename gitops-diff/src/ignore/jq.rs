//! jq path expressions, within bounds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Budget;
use crate::nodes::Nodes;

/// The longest expression, in bytes, and the deepest nesting of its brackets.
#[cfg(feature = "jq")]
const LONGEST: usize = 1024;
#[cfg(feature = "jq")]
const DEEPEST: usize = 32;

/// A jq expression that leads to fields: `.spec.containers[] | select(.name == "proxy") | .resources`.
///
/// Needs the feature `jq`; without it, every expression is an [error](JqError::NotBuiltIn).
///
/// # Bounds
///
/// Expressions come from users, so they cannot take as long as they like: each step costs fuel, by the
/// [budget](Budget) that is given, and an expression that has spent it selects nothing. Therefore the language is that part of jq
/// whose steps can be counted: paths, `..`, pipes, `,`, `//`, `and`, `or`, comparisons, `if`, `try`, `?`, variables, arrays, objects, and
/// the functions `all any arrays ascii_downcase ascii_upcase booleans contains empty endswith error first has isempty
/// iterables keys keys_unsorted last length limit ltrimstr map not nulls numbers objects recurse rtrimstr scalars select
/// startswith strings test to_entries type values`. Left out are definitions, arithmetic, assignments, slices, computed indices,
/// `reduce`, and all that reads from outside. The regular expression of `test` is written out, without `{n}`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JqPath {
    text: Arc<str>,
    #[cfg(feature = "jq")]
    filter: Arc<super::run::Program>,
}

/// A text that is no jq path expression, as far as this crate knows them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JqError {
    /// It cannot be read.
    #[error("{0:?} is no jq expression")]
    Syntax(String),
    /// It is too long, or nested too deep.
    #[error("the jq expression is longer than 1024 bytes, or has too many steps within each other")]
    TooLarge,
    /// It uses what has no bound.
    #[error("a jq path expression may not use {0}: it could take arbitrarily long")]
    NotAllowed(String),
    /// jq knows no such variable or label.
    #[error("the jq expression uses {0}, which is not defined")]
    Undefined(String),
    /// This crate was built without its feature `jq`.
    #[error("jq expressions need the feature `jq` of gitops-diff")]
    NotBuiltIn,
}

/// What helps against an expression that does too much.
const ADVICE: &str = "begin it with the path of the field, without \"..\" and without lists within lists, \
    limit its rule to a kind, or allow it more";

/// Why an expression could not be followed to its end in an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JqRunError {
    /// It took more steps than the budget allows, or was interrupted.
    #[error("the jq expression {0} was stopped: it took too many steps, or was interrupted; {ADVICE}")]
    Stopped(String),
    /// It took longer than the budget allows.
    #[error("the jq expression {expression} was stopped: it took longer than {limit:?}; {ADVICE}")]
    #[non_exhaustive]
    TimedOut {
        /// The expression.
        expression: String,
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// It does not fit the object: a text has no fields.
    #[error(
        "the jq expression {0} does not fit the object: it needs a \"?\" where a field may be of another type"
    )]
    Mismatch(String),
    /// It leads to something that is no field of the object.
    #[error("the jq expression {0} is no path: it makes values of its own")]
    NoPath(String),
}

impl JqRunError {
    /// Whether the expression did more than it may. It does not in another object, or with more time.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped(_) | Self::TimedOut { .. })
    }
}

impl JqPath {
    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[cfg(not(feature = "jq"))]
    fn read(_: &str) -> Result<Self, JqError> {
        Err(JqError::NotBuiltIn)
    }

    #[cfg(feature = "jq")]
    fn read(text: &str) -> Result<Self, JqError> {
        if text.len() > LONGEST || nesting(text) > DEEPEST {
            return Err(JqError::TooLarge);
        }
        let filter = Arc::new(super::run::Program::new(text)?);
        Ok(Self { text: text.into(), filter })
    }

    /// Finds the fields of an object that the expression leads to.
    #[cfg(feature = "jq")]
    pub(crate) fn select<'v>(
        &self,
        object: &'v Value,
        budget: &Budget,
        nodes: &mut Nodes<'v>,
    ) -> Result<(), JqRunError> {
        self.filter.select(object, budget, nodes).map_err(|stop| stop.of(&self.text, budget))
    }

    #[cfg(not(feature = "jq"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(crate) fn select<'v>(&self, _: &'v Value, _: &Budget, _: &mut Nodes<'v>) -> Result<(), JqRunError> {
        // No expression can be read without the feature.
        Ok(())
    }
}

/// How many brackets are within each other. Those in texts count too, and so do the words that open a block.
#[cfg(feature = "jq")]
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let blocks = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| matches!(*word, "if" | "try" | "label" | "reduce" | "foreach" | "def" | "as" | "not"));
    deepest + blocks.count()
}

impl FromStr for JqPath {
    type Err = JqError;

    fn from_str(text: &str) -> Result<Self, JqError> {
        Self::read(text)
    }
}

impl TryFrom<String> for JqPath {
    type Error = JqError;

    fn try_from(text: String) -> Result<Self, JqError> {
        Self::read(&text)
    }
}

impl From<JqPath> for String {
    fn from(path: JqPath) -> Self {
        path.text.to_string()
    }
}

impl fmt::Display for JqPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for JqPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JqPath").field(&self.text).finish()
    }
}

impl PartialEq for JqPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JqPath {}
