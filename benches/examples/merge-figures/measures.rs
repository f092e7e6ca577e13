//! Our side of what is measured.

use anyhow::Result;
use serde_json::{Value, json};

use crate::input::{Input, Trees};

/// Something that both sides do.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    /// What it is compared with.
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Input) -> Result<Outcome>,
    /// The peer's measure of the same results.
    pub(crate) peer: &'static str,
    /// The peer's measure whose time is taken off.
    pub(crate) less: Option<&'static str>,
    /// How many times faster it has to be.
    pub(crate) at_least: Option<f64>,
}

/// A result, from which the peer's form of it is made outside the time.
pub(crate) enum Outcome {
    Trees(Trees),
}

impl Outcome {
    pub(crate) fn into_tree(self) -> Result<Value> {
        Ok(match self {
            Self::Trees(trees) => json!([trees.last_applied, trees.desired, trees.live]),
        })
    }
}

pub(crate) const MEASURES: &[Measure] = &[Measure {
    name: "parse",
    what: "apimachinery's JSON",
    run: |input| Ok(Outcome::Trees(input.parse()?)),
    peer: "parse",
    less: None,
    at_least: None,
}];
