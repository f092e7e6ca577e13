//! What every call into a source, renderer or target carries: cancellation, a deadline, progress, a meter.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Class, Fault};

/// Told how far long work has come. Implementations return at once; they are called from hot loops.
pub trait Progress: Send + Sync {
    /// `done` of `total` units (if known) of the named step.
    fn report(&self, step: &str, done: u64, total: Option<u64>);
}

/// Progress that nobody looks at.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn report(&self, _step: &str, _done: u64, _total: Option<u64>) {}
}

/// The context of a call. Cheap to clone; clones share the cancellation, the progress and the meter.
#[derive(Clone)]
#[non_exhaustive]
pub struct Cx {
    /// Cancelled when the work is no longer wanted.
    pub cancel: CancellationToken,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// Where long work tells how far it is.
    pub progress: Arc<dyn Progress>,
    requests: Arc<AtomicU64>,
}

impl Cx {
    /// A context that ends after `timeout`, or when `cancel` is cancelled.
    pub fn new(cancel: CancellationToken, timeout: Duration) -> Self {
        Self {
            cancel,
            deadline: after(Instant::now(), timeout),
            progress: Arc::new(NoProgress),
            requests: Arc::default(),
        }
    }

    /// A context that nobody cancels.
    pub fn with_timeout(timeout: Duration) -> Self {
        Self::new(CancellationToken::new(), timeout)
    }

    /// Reports progress to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// The same context with a deadline that is no later than `timeout` from now.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self { deadline: self.deadline.min(after(Instant::now(), timeout)), ..self.clone() }
    }

    /// The same context with a deadline `timeout` from now, even if its own is earlier: for what must still be done after
    /// time ran out.
    #[must_use]
    pub(crate) fn renewed(&self, timeout: Duration) -> Self {
        Self { deadline: after(Instant::now(), timeout), ..self.clone() }
    }

    /// The same context, ended by another cancellation.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The time left; zero when there is none.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Fails when the work was cancelled or the deadline has passed: for loops of blocking work.
    pub fn check(&self) -> Result<(), Fault> {
        if self.cancel.is_cancelled() {
            return Err(Fault::cancelled());
        }
        if self.remaining().is_zero() {
            return Err(Fault::retry("the deadline has passed"));
        }
        Ok(())
    }

    /// Waits for `work`, but no longer than the deadline or a cancellation; then `work` is dropped.
    ///
    /// Not for writes: a write whose future is dropped may have landed ([`Class::OutcomeUnknown`]).
    pub async fn bound<T>(&self, what: &str, work: impl Future<Output = T>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Fault::cancelled().at(what)),
            done = tokio::time::timeout_at(self.deadline, work) => {
                done.map_err(|_| Fault::new(Class::RETRY, "no answer within the deadline").at(what))
            }
        }
    }

    /// Targets call this once for each request they send, so that a sync can report what it cost.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests were counted with this context and its clones.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Longer waits than this are for ever. Timers cannot hold every duration.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// So long after an instant, or a year after it if that is sooner: any duration will do.
pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    now + wait.min(FOR_EVER)
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("cancelled", &self.cancel.is_cancelled())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_wait_ends() {
        let cx = Cx::with_timeout(Duration::from_secs(5));
        let fault = cx.bound("answer", std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(fault.class, Class::RETRY);
        assert_eq!(cx.check().unwrap_err().class, Class::RETRY);

        let cx = Cx::with_timeout(Duration::from_secs(5));
        cx.cancel.cancel();
        assert_eq!(cx.bound("answer", async { 1 }).await.unwrap_err().class, Class::Cancelled);
        assert_eq!(cx.check().unwrap_err().class, Class::Cancelled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_narrower_deadline_never_grows() {
        let cx = Cx::with_timeout(Duration::from_secs(5));
        assert_eq!(cx.within(Duration::from_secs(1)).remaining(), Duration::from_secs(1));
        assert_eq!(cx.within(Duration::from_secs(60)).remaining(), Duration::from_secs(5));
        cx.within(Duration::from_secs(1)).count_request();
        assert_eq!(cx.requests(), 1);
    }
}
