//! How the driver works.

use std::sync::Arc;
use std::time::Duration;

use super::Backoff;
use crate::{Clock, Dice, NoProgress, Progress, SystemClock};

pub(super) struct Settings {
    /// Between two polls of a source.
    pub(super) interval: Duration,
    /// The share of an interval that is left to chance.
    pub(super) jitter: f64,
    /// Between two looks at everything, whatever the watch says.
    pub(super) resync: Option<Duration>,
    /// For one pass.
    pub(super) timeout: Duration,
    /// For running steps after a stop.
    pub(super) grace: Duration,
    pub(super) backoff: Backoff,
    /// Steps at once, in one application.
    pub(super) concurrency: usize,
    /// Passes at once, of all applications.
    pub(super) passes: usize,
    pub(super) events: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dice: Dice,
    pub(super) progress: Arc<dyn Progress>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            jitter: 0.05,
            resync: None,
            timeout: Duration::from_secs(600),
            grace: Duration::from_secs(30),
            backoff: Backoff::default(),
            concurrency: 16,
            passes: 4,
            events: 1024,
            clock: Arc::new(SystemClock),
            dice: Dice::random(),
            progress: Arc::new(NoProgress),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("interval", &self.interval)
            .field("resync", &self.resync)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
