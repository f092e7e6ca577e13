//! How an object is doing.

use std::fmt::{self, Debug};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ResourceId, Timestamp};

/// How an object, or an application, is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Health {
    /// It does what it should.
    Healthy,
    /// Somebody paused it.
    Suspended,
    /// It is on its way, and may get there by itself.
    Progressing,
    /// It should exist and does not.
    Missing,
    /// It failed, and will not get well by itself.
    Degraded,
    /// Nobody can tell.
    #[default]
    Unknown,
}

impl Health {
    /// How bad it is, for the worst of several: `Healthy` 0, `Suspended`, `Progressing`, `Missing`, `Degraded`,
    /// `Unknown` 5.
    pub fn severity(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Suspended => 1,
            Self::Progressing => 2,
            Self::Missing => 3,
            Self::Degraded => 4,
            Self::Unknown => 5,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

/// A health with its reason, and when to look again although nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// How it is doing.
    pub health: Health,
    /// Why, in one word of the field (`MinimumReplicasUnavailable`); may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why, in a sentence; may be empty. It never holds values of Secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The health changes by time alone after so long (a grace period): assess again then. In milliseconds where it is
    /// serialised.
    #[serde(
        rename = "recheck_after_ms",
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::report::optional_millis"
    )]
    pub recheck_after: Option<Duration>,
}

impl Assessment {
    /// A health without a reason.
    pub fn new(health: Health) -> Self {
        Self { health, reason: String::new(), message: String::new(), recheck_after: None }
    }

    /// Gives the reason, in one word and in a sentence.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>, message: impl Into<String>) -> Self {
        self.reason = reason.into();
        self.message = message.into();
        self
    }

    /// The same, with the object named in the message: for the health of an application, which is that of its worst.
    #[must_use]
    pub fn about(mut self, id: &ResourceId) -> Self {
        self.message =
            if self.message.is_empty() { id.to_string() } else { format!("{id}: {}", self.message) };
        self
    }

    /// Says when the health will change by time alone.
    #[must_use]
    pub fn recheck_after(mut self, time: Duration) -> Self {
        self.recheck_after = Some(time);
        self
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.health)?;
        match (self.reason.as_str(), self.message.as_str()) {
            ("", "") => Ok(()),
            ("", text) | (text, "") => write!(f, " ({})", crate::one_line(text)),
            (reason, message) => write!(f, " ({}: {})", crate::one_line(reason), crate::one_line(message)),
        }
    }
}

/// Tells the health of some kinds of objects: a pure function of one object and a time. Registered on a target; the
/// first rule that answers wins.
pub trait HealthRule: Debug + Send + Sync {
    /// The health of the object, or none if this rule does not know the kind.
    fn assess(&self, object: &Value, now: Timestamp) -> Option<Assessment>;
}

/// The first answer of several rules; [`Health::Healthy`] when none knows the kind, because existing is all that such
/// an object can do.
pub fn assess(rules: &[std::sync::Arc<dyn HealthRule>], object: &Value, now: Timestamp) -> Assessment {
    rules.iter().find_map(|rule| rule.assess(object, now)).unwrap_or_else(|| Assessment::new(Health::Healthy))
}
