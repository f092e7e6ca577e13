//! How much a jq expression may do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How much one expression may do in one object.
#[derive(Clone)]
#[non_exhaustive]
pub struct Budget {
    /// The steps, a million by default: some milliseconds. Steps that look through a value count for each node of it.
    pub steps: u64,
    /// Asked every thousand steps; when it says so, the expression stops.
    pub interrupt: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    time: Option<Time>,
}

/// A bound on time, and the clock it is measured by.
#[derive(Clone)]
struct Time {
    limit: Duration,
    #[cfg_attr(not(feature = "jq"), allow(dead_code, reason = "without jq nothing takes long"))]
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: 1_000_000, interrupt: None, time: None }
    }
}

impl Budget {
    /// Allows another number of steps.
    #[must_use]
    pub fn with_steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// Stops when `interrupt` says so.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        self.interrupt = Some(interrupt);
        self
    }

    /// Stops an expression that takes longer than `limit` in one object, by a clock that tells the time since any fixed
    /// moment. This crate reads no clock of its own, so there is no such bound by default.
    ///
    /// The clock is read when an expression begins and every thousand steps: a short one never fails by time, however
    /// slow the machine.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use gitops_diff::Budget;
    ///
    /// let start = Instant::now();
    /// let budget = Budget::default().with_time(Duration::from_millis(100), move || start.elapsed());
    /// assert_eq!(budget.time_limit(), Some(Duration::from_millis(100)));
    /// ```
    #[must_use]
    pub fn with_time(
        mut self,
        limit: Duration,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.time = Some(Time { limit, clock: Arc::new(clock) });
        self
    }

    /// How long an expression may take in one object, if that is bounded.
    pub fn time_limit(&self) -> Option<Duration> {
        self.time.as_ref().map(|time| time.limit)
    }

    /// The time now, if time is bounded.
    #[cfg(feature = "jq")]
    pub(super) fn now(&self) -> Option<Duration> {
        self.time.as_ref().map(|time| (time.clock)())
    }

    /// Whether the time is up for an expression that began at `began`.
    #[cfg(feature = "jq")]
    pub(super) fn is_late(&self, began: Option<Duration>) -> bool {
        // A clock that is set back takes nothing away.
        let late = |time: &Time| Some((time.clock)().saturating_sub(began?) > time.limit);
        self.time.as_ref().and_then(late).unwrap_or(false)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interrupt = self.interrupt.as_ref().map(|_| "fn");
        f.debug_struct("Budget")
            .field("steps", &self.steps)
            .field("interrupt", &interrupt)
            .field("time", &self.time_limit())
            .finish()
    }
}
