//! How each object of a sync ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Action, FaultNote, ResourceId};

/// How one object ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The object.
    pub id: ResourceId,
    /// What was to be done; none where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// How it ended.
    pub verdict: Verdict,
}

/// How an object ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Written.
    Changed,
    /// Right already; nothing was written.
    Unchanged,
    /// Written, but the target stores some stated fields otherwise.
    Overruled {
        /// The fields.
        fields: Vec<String>,
    },
    /// The step failed.
    Failed {
        /// Why.
        fault: FaultNote,
    },
    /// Not tried, because of something else.
    Blocked {
        /// What it waits for, and why that is not there.
        cause: String,
    },
    /// Left as it is, on purpose.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// Whether the object is as Git wants it, as far as that is ours to decide.
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::Blocked { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.id)?;
        if let Some(action) = self.action {
            write!(f, "{action} ")?;
        }
        match &self.verdict {
            Verdict::Changed => f.write_str("done"),
            Verdict::Unchanged => f.write_str("unchanged"),
            Verdict::Overruled { fields } => write!(f, "overruled in {}", fields.join(", ")),
            Verdict::Failed { fault } => write!(f, "failed: {fault}"),
            Verdict::Blocked { cause } => write!(f, "blocked: {cause}"),
            Verdict::Skipped { reason } => write!(f, "left alone: {reason}"),
        }
    }
}
