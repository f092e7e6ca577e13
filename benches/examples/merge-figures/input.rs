//! A pair with what a program has at hand before it starts: the bytes and the trees.

use anyhow::Result;
use gitops_benches::pairs::Pair;
use serde_json::Value;

/// The parts of one pair.
pub(crate) struct Input {
    pub(crate) last_applied: Vec<u8>,
    pub(crate) desired: Vec<u8>,
    pub(crate) live: Vec<u8>,
    pub(crate) trees: Trees,
    /// The live object without its managed fields.
    pub(crate) bare_live: Value,
}

/// The same, parsed.
pub(crate) struct Trees {
    pub(crate) last_applied: Value,
    pub(crate) desired: Value,
    pub(crate) live: Value,
}

impl Input {
    pub(crate) fn prepare(pairs: &[Pair]) -> Result<Vec<Self>> {
        pairs.iter().map(Self::of).collect()
    }

    pub(crate) fn of(pair: &Pair) -> Result<Self> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let mut input = Self {
            last_applied: bytes(&pair.last_applied),
            desired: bytes(&pair.desired),
            live: bytes(&pair.live),
            trees: Trees { last_applied: Value::Null, desired: Value::Null, live: Value::Null },
            bare_live: Value::Null,
        };
        input.trees = input.parse()?;
        input.bare_live = input.trees.live.clone();
        if let Some(metadata) = input.bare_live.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        Ok(input)
    }

    /// Parses the three documents.
    pub(crate) fn parse(&self) -> Result<Trees> {
        Ok(Trees {
            last_applied: serde_json::from_slice(&self.last_applied)?,
            desired: serde_json::from_slice(&self.desired)?,
            live: serde_json::from_slice(&self.live)?,
        })
    }
}
