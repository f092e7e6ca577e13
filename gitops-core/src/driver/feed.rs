//! What a reference points to, asked once for all applications that follow it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

use super::backoff::shorten;
use super::settings::Settings;
use crate::cx::after;
use crate::{Application, Class, Cx, Fault, FaultNote, Revision};

/// For asking a source what it has: no content moves.
const RESOLVING: Duration = Duration::from_secs(60);

/// Which of two things came first, whatever clocks say. All that a reconciler does is in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

#[derive(Debug, Default)]
pub(super) struct Order(AtomicU64);

impl Order {
    pub(super) fn next(&self) -> Tick {
        Tick(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// How new an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fresh {
    /// As new as the interval asks for.
    Scheduled,
    /// Asked after this: somebody says that there is news.
    Since(Tick),
}

/// What a source answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    asked: Tick,
    /// When to ask again. It is the same for all who share the answer, so that they go on sharing.
    pub(super) again_at: Instant,
    pub(super) revision: Result<Revision, FaultNote>,
}

/// One reference of one source. Applications that follow it share this.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) order: Arc<Order>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    answer: Option<Answer>,
    /// In a row.
    failures: u32,
}

impl Known {
    fn serves(&self, fresh: Fresh, now: Instant) -> Option<&Answer> {
        self.answer.as_ref().filter(|answer| match fresh {
            Fresh::Scheduled => now < answer.again_at,
            Fresh::Since(since) => answer.asked > since,
        })
    }

    /// When to ask again after an answer.
    fn again_at(
        &mut self,
        asked: Instant,
        answer: &Result<Revision, FaultNote>,
        settings: &Settings,
    ) -> Instant {
        let interval = shorten(settings.interval, settings.jitter, settings.dice.roll());
        let passing = answer.as_ref().err().filter(|note| note.class.is_transient());
        let Some(note) = passing else {
            self.failures = 0;
            return after(asked, interval);
        };
        self.failures = self.failures.saturating_add(1);
        let wait = settings.backoff.after(self.failures, settings.dice.roll()).min(interval);
        // Whoever asks to be left alone is, for however long.
        after(Instant::now(), wait.max(note.class.retry_after().unwrap_or_default()))
    }
}

impl Feed {
    pub(super) fn new(order: Arc<Order>) -> Self {
        Self { order, known: Mutex::default() }
    }

    /// What the source has. Asks it, unless somebody else has its answer already, or is about to get it.
    pub(super) async fn poll(&self, cx: &Cx, app: &Application, settings: &Settings, fresh: Fresh) -> Answer {
        const WHAT: &str = "asking the source";
        let cx = cx.within(RESOLVING);
        let failed = |fault: &Fault| Answer {
            asked: self.order.next(),
            again_at: after(Instant::now(), settings.backoff.after(1, settings.dice.roll())),
            revision: Err(fault.note()),
        };
        let mut known = match cx.bound(WHAT, self.known.lock()).await {
            Ok(known) => known,
            Err(fault) => return failed(&fault),
        };
        let (asked, now) = (self.order.next(), Instant::now());
        if let Some(answer) = known.serves(fresh, now) {
            return answer.clone();
        }
        let asking = cx.bound(WHAT, app.source.resolve(&cx, &app.want)).await;
        let revision = match asking.and_then(|answer| answer) {
            Ok(revision) => Ok(revision),
            // It says nothing about the source.
            Err(fault) if fault.class == Class::Cancelled => return failed(&fault),
            Err(fault) => Err(fault.note()),
        };
        let again_at = known.again_at(now, &revision, settings);
        known.answer.insert(Answer { asked, again_at, revision }).clone()
    }
}
