//! Describes a reconciler.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::cell::Cell;
use super::feed::{Feed, Order};
use super::reconciler::Reconciler;
use super::settings::Settings;
use super::{Backoff, cell::Stops};
use crate::event::Emitter;
use crate::{AppId, Application, Clock, Dice, Instance, Progress, RefSpec};

/// Describes a [`Reconciler`]. Every setting has a default that suits production.
#[derive(Debug, Default)]
#[must_use]
pub struct ReconcilerBuilder {
    applications: Vec<Application>,
    settings: Settings,
}

/// A reconciler that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is nothing to do.
    #[error("a reconciler needs an application")]
    NoApplication,
    /// Two applications have one name.
    #[error("two applications are called {0}: names are what keeps their objects apart")]
    Twice(AppId),
    /// A time is zero.
    #[error("the {0} must be longer than zero")]
    Zero(&'static str),
}

impl ReconcilerBuilder {
    /// Adds an application.
    pub fn with_application(mut self, application: Application) -> Self {
        self.applications.push(application);
        self
    }

    /// The time between two polls of a source: 60 seconds if not given. Like all times here, more than a year counts as
    /// a year.
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval;
        self
    }

    /// The share of an interval that is left to chance, from 0 to 1: 0.05 if not given.
    pub fn with_jitter(mut self, share: f64) -> Self {
        self.settings.jitter = share;
        self
    }

    /// Compares everything again after so long, whatever the watch says. Off if not given: a target that watches reports
    /// what it may have missed.
    pub fn with_resync(mut self, every: Duration) -> Self {
        self.settings.resync = Some(every);
        self
    }

    /// The longest time that one pass over an application may take: ten minutes if not given.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How long steps that are running may go on after a stop: 30 seconds if not given.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// How long to wait after failures.
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// How many objects of one application are written at once: 16 if not given.
    pub fn with_concurrency(mut self, steps: usize) -> Self {
        self.settings.concurrency = steps;
        self
    }

    /// How many applications are worked on at once: 4 if not given.
    pub fn with_parallel_applications(mut self, applications: usize) -> Self {
        self.settings.passes = applications.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// How many events are kept for a slow reader, from 1 to 65,536: 1,024 if not given.
    pub fn with_event_capacity(mut self, events: usize) -> Self {
        self.settings.events = events.clamp(1, 65_536);
        self
    }

    /// The clock that dates events and records, and that the jq expressions of ignore rules are timed by.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Makes jitter the same in every run.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.settings.dice = Dice::seeded(seed);
        self
    }

    /// Where long work tells how far it is.
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.settings.progress = progress;
        self
    }

    /// Checks what was described. Nothing runs before [`Reconciler::run`].
    pub fn build(self) -> Result<Reconciler, BuildError> {
        let Self { applications, settings } = self;
        let times = [
            (settings.interval, "interval"),
            (settings.timeout, "timeout"),
            (settings.backoff.base, "backoff"),
        ];
        if let Some((_, zero)) = times.iter().find(|(time, _)| time.is_zero()) {
            return Err(BuildError::Zero(zero));
        }
        if settings.resync.is_some_and(|every| every.is_zero()) {
            return Err(BuildError::Zero("resync"));
        }
        let mut cells: Vec<Arc<Cell>> = Vec::new();
        let emitter = Emitter::new(settings.events, settings.clock.clone());
        let settings = Arc::new(settings);
        let order = Arc::new(Order::default());
        let feed = || Arc::new(Feed::new(order.clone()));
        let mut feeds: HashMap<(Instance, RefSpec), Arc<Feed>> = HashMap::new();
        for mut app in applications {
            app.policy.ignore = crate::ignore::timed(app.policy.ignore, settings.clock.clone());
            if cells.iter().any(|cell| cell.app.id == app.id) {
                return Err(BuildError::Twice(app.id));
            }
            let shared = match app.source.instance() {
                Some(source) => feeds.entry((source, app.reference())).or_insert_with(feed).clone(),
                None => feed(),
            };
            cells.push(Arc::new(Cell::new(app, settings.clone(), shared, emitter.clone())));
        }
        if cells.is_empty() {
            return Err(BuildError::NoApplication);
        }
        Ok(Reconciler { cells: cells.into(), settings, emitter, stops: Stops::default() })
    }
}
