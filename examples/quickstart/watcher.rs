//! Waiting for events, and keeping them.

use std::time::{Duration, Instant};

use gitops_core::{Event, EventStream};

use crate::screen::Screen;

/// What was waited for and did not come.
#[derive(Debug)]
pub(crate) struct Unseen {
    pub(crate) step: u32,
    pub(crate) what: String,
}

/// Reads the engine's events.
#[derive(Debug)]
pub(crate) struct Watcher {
    events: EventStream,
    screen: Screen,
    patience: Duration,
    pub(crate) history: Vec<Event>,
    pub(crate) step: u32,
}

impl Watcher {
    pub(crate) fn new(events: EventStream, screen: Screen, patience: Duration) -> Self {
        Self { events, screen, patience, history: Vec::new(), step: 0 }
    }

    /// Waits for the first event from now on for which `pick` has an answer.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, Unseen> {
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(Some(event)) = tokio::time::timeout(left, self.events.next()).await else {
                return Err(self.unseen(what));
            };
            self.screen.event(&event);
            let picked = pick(&event);
            self.history.push(event);
            if let Some(picked) = picked {
                return Ok(picked);
            }
        }
    }

    /// Fails the step unless something is true.
    pub(crate) fn ensure(&self, what: &str, is_true: bool) -> Result<(), Unseen> {
        if is_true { Ok(()) } else { Err(self.unseen(what)) }
    }

    pub(crate) fn unseen(&self, what: &str) -> Unseen {
        Unseen { step: self.step, what: what.to_owned() }
    }
}
