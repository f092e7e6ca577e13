//! What a sync did, in numbers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Action, Digest, Health, Outcome, Revision, Trigger, Verdict};

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// The revision that was brought in force; none when the application was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// What made it happen.
    pub trigger: Trigger,
    /// The digest of the plan.
    pub digest: Digest,
    /// How many objects ended how.
    pub counts: Counts,
    /// How many requests were made to the target.
    pub requests: u64,
    /// How long it took, in milliseconds; of the whole sync, from asking the source to the last write.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// The health of the application at the end.
    pub health: Health,
}

/// How many objects ended how. Each object is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Counts {
    /// Did not exist, and do now.
    pub created: usize,
    /// Were written: updated or adopted.
    pub changed: usize,
    /// Were right already.
    pub unchanged: usize,
    /// Were deleted.
    pub pruned: usize,
    /// Were given up.
    pub released: usize,
    /// Were left alone on purpose.
    pub skipped: usize,
    /// Could not be written.
    pub failed: usize,
    /// Were not tried because of something else.
    pub blocked: usize,
}

impl Counts {
    /// Counts outcomes.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            let wrote = matches!(outcome.verdict, Verdict::Changed | Verdict::Overruled { .. });
            *match (&outcome.verdict, outcome.action) {
                (Verdict::Failed { .. }, _) => &mut counts.failed,
                (Verdict::Blocked { .. }, _) => &mut counts.blocked,
                (Verdict::Skipped { .. }, _) => &mut counts.skipped,
                (_, Some(Action::Prune)) => &mut counts.pruned,
                (_, Some(Action::Release)) => &mut counts.released,
                (_, Some(Action::Create)) if wrote => &mut counts.created,
                (_, Some(_)) if wrote => &mut counts.changed,
                _ => &mut counts.unchanged,
            } += 1;
        }
        counts
    }

    /// Whether every object is as desired, as far as that is ours to decide.
    pub fn all_good(&self) -> bool {
        self.failed == 0 && self.blocked == 0
    }
}

impl fmt::Display for Counts {
    /// `5 created, 1 unchanged`; what is zero is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.created, "created"),
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.pruned, "pruned"),
            (self.released, "released"),
            (self.skipped, "kept"),
            (self.failed, "failed"),
            (self.blocked, "blocked"),
        ];
        let mut said = false;
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            if said {
                f.write_str(", ")?;
            }
            write!(f, "{count} {what}")?;
            said = true;
        }
        if said { Ok(()) } else { f.write_str("nothing to do") }
    }
}

impl fmt::Display for SyncReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}, {} requests, {:?}",
            self.health,
            self.counts,
            self.requests,
            Rounded(self.duration)
        )
    }
}

/// A duration with three digits.
pub(crate) struct Rounded(pub(crate) Duration);

impl fmt::Debug for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.as_micros() {
            10_000..1_000_000 => 0,
            _ => 1,
        };
        write!(f, "{:.*?}", digits, self.0)
    }
}

pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let millis = f64::deserialize(from)?;
        Duration::try_from_secs_f64(millis / 1e3).map_err(serde::de::Error::custom)
    }
}

pub(crate) mod optional_millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes the field")]
    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::millis::serialize(duration, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let millis = Option::<f64>::deserialize(from)?;
        let duration = millis.map(|millis| Duration::try_from_secs_f64(millis / 1e3)).transpose();
        duration.map_err(serde::de::Error::custom)
    }
}
