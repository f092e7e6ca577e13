//! The loop of one application: wait until something is due, do it, note how it ended.

use std::sync::Arc;

use futures_util::stream::StreamExt as _;
use futures_util::{FutureExt as _, future};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep_until};

use super::agenda::{Agenda, Work};
use super::backoff::shorten;
use super::cell::{Cell, PassEnd, PassResult, SourceTrouble, Stops};
use super::feed::Tick;
use crate::cx::after;
use crate::{Dirty, EventKind, Events};

/// Before a watch that ended is begun again; doubled each time until it tells something.
const REWATCH: Duration = Duration::from_secs(1);
const LONGEST_REWATCH: Duration = Duration::from_secs(60);
/// Hints that are taken in at once: a stream that never pauses must not keep the worker from its work.
const MOST_HINTS: usize = 1_000;

/// What the source has counts as unknown since `begun`.
pub(super) async fn work(cell: Arc<Cell>, stops: Stops, gate: Arc<Semaphore>, begun: Tick) {
    Worker::new(cell, stops, begun).run(gate).await;
}

struct Worker {
    cell: Arc<Cell>,
    stops: Stops,
    agenda: Agenda,
    // Subscribed before the first observation, so that nothing falls between the two.
    live: Option<Events<Dirty>>,
    /// When to watch again, if the watch has ended; never for a target that does not watch.
    rewatch_at: Option<Instant>,
    rewatch_after: Duration,
    hints: Option<Events<()>>,
}

/// What the loop woke up for.
enum Woken {
    Stop,
    Wish,
    Time,
    Live(Option<Dirty>),
    Hint(Option<()>),
}

impl Worker {
    fn new(cell: Arc<Cell>, stops: Stops, begun: Tick) -> Self {
        let watches = cell.app.target.capabilities().watches;
        let live = watches.then(|| cell.app.target.watch(&cell.app.id));
        let hints = cell.app.source.hints();
        let mut agenda = Agenda::new(Instant::now(), begun);
        let status = cell.status.borrow().clone();
        // Another worker was here before; what happened since it ended, nobody saw.
        if status.attempted.is_some() {
            agenda.everything_changed();
        }
        if status.suspended {
            agenda.suspend();
        }
        Self { cell, stops, agenda, live, rewatch_at: None, rewatch_after: REWATCH, hints }
    }

    async fn run(mut self, gate: Arc<Semaphore>) {
        while !self.stops.soft.is_cancelled() {
            self.hear_wishes();
            if self.agenda.is_due(Instant::now()) {
                let permit = tokio::select! {
                    biased;
                    () = self.stops.soft.cancelled() => break,
                    permit = gate.acquire() => permit,
                };
                // Much may have been asked for while others had their turn.
                self.hear_wishes();
                let Some(work) = self.agenda.take(Instant::now()) else { continue };
                self.begin(&work);
                let end = self.cell.pass(work.clone(), &self.stops).await;
                drop(permit);
                self.note(&work, end);
                continue;
            }
            match self.wait().await {
                Woken::Stop => break,
                Woken::Wish | Woken::Time => {}
                Woken::Live(dirty) => self.hear_live(dirty),
                Woken::Hint(Some(())) => self.agenda.hint(Instant::now(), self.cell.feed.order.next()),
                Woken::Hint(None) => self.hints = None,
            }
        }
        self.cell.emit(EventKind::Stopped);
    }

    async fn wait(&mut self) -> Woken {
        let Self { cell, stops, agenda, live, rewatch_at, hints, .. } = self;
        let rewatch_at = *rewatch_at;
        let wake_at = [agenda.wake_at(), rewatch_at].into_iter().flatten().min();
        let live = async {
            match live {
                Some(live) => live.next().await,
                None => future::pending().await,
            }
        };
        let hint = async {
            match hints {
                Some(hints) => hints.next().await,
                None => future::pending().await,
            }
        };
        let time = async {
            match wake_at {
                Some(at) => sleep_until(at).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stops.soft.cancelled() => Woken::Stop,
            () = cell.wishes.changed.notified() => Woken::Wish,
            dirty = live => Woken::Live(dirty),
            hint = hint => Woken::Hint(hint),
            () = time => {
                if rewatch_at.is_some_and(|at| at <= Instant::now()) {
                    self.live = Some(cell.app.target.watch(&cell.app.id));
                    self.rewatch_at = None;
                    self.agenda.everything_changed();
                }
                Woken::Time
            }
        }
    }

    /// Takes in one hint about live objects, and all others that are ready: one pass serves them together.
    fn hear_live(&mut self, first: Option<Dirty>) {
        let mut next = Some(first);
        for _ in 0..MOST_HINTS {
            let Some(dirty) = next else { return };
            if dirty.is_some() {
                self.rewatch_after = REWATCH;
            }
            match dirty {
                Some(Dirty::Objects(ids)) => self.agenda.objects_changed(ids),
                Some(Dirty::Everything) => self.agenda.everything_changed(),
                Some(Dirty::Blind(fault)) => self.cell.emit(EventKind::Blind { fault: fault.note() }),
                None => {
                    self.live = None;
                    self.rewatch_at = Some(Instant::now() + self.rewatch_after);
                    self.rewatch_after = (self.rewatch_after * 2).min(LONGEST_REWATCH);
                    return;
                }
            }
            next = self.live.as_mut().and_then(|live| live.next().now_or_never());
        }
    }

    fn hear_wishes(&mut self) {
        let wanted = self.cell.wishes.take();
        match wanted.suspend {
            Some(true) if !self.agenda.is_suspended() => {
                self.agenda.suspend();
                self.cell.update_status(|status| status.suspended = true);
                self.cell.emit(EventKind::Suspended);
            }
            Some(false) if self.agenda.is_suspended() => {
                self.agenda.resume(self.cell.feed.order.next());
                self.cell.update_status(|status| status.suspended = false);
                self.cell.emit(EventKind::Resumed);
            }
            _ => {}
        }
        if let Some(at) = wanted.refresh {
            self.agenda.hint(Instant::now(), at);
        }
        if let Some(at) = wanted.sync {
            self.agenda.ask(at);
        }
    }

    /// What is scheduled before a pass, so that not even a pass that fails at once comes back at once.
    fn begin(&mut self, work: &Work) {
        let settings = &self.cell.settings;
        let now = Instant::now();
        if matches!(work, Work::Sync(..) | Work::Resync(_)) || !self.agenda.has_resync() {
            let jitter = settings.jitter;
            let roll = settings.dice.roll();
            self.agenda.resync_at(settings.resync.map(|every| after(now, shorten(every, jitter, roll))));
        }
    }

    fn note(&mut self, work: &Work, end: PassEnd) {
        let now = Instant::now();
        if let Some(at) = end.poll_at {
            self.agenda.poll_at(at);
        }
        for (id, wait) in end.look_again {
            self.agenda.look_again(id, after(now, wait));
        }
        for (id, pause) in end.leave_alone {
            self.agenda.leave_alone(&id, after(now, pause));
        }
        let backoff = self.cell.settings.backoff;
        let roll = self.cell.settings.dice.roll();
        match end.source {
            Some(SourceTrouble::Passing(not_before)) => {
                let wait = |failures| backoff.after(failures, roll).max(not_before.unwrap_or_default());
                self.agenda.poll_failed(now, wait);
            }
            None if matches!(work, Work::Poll(_) | Work::Sync(..)) => self.agenda.polled(),
            _ => {}
        }
        let wait = match end.result {
            PassResult::Nothing | PassResult::Stopped => return,
            // Healing says nothing about why an earlier sync failed.
            PassResult::Good if matches!(work, Work::Heal(_)) => return,
            PassResult::Good => return self.agenda.succeeded(),
            PassResult::Transient => {
                let not_before = end.not_before.unwrap_or_default();
                self.agenda.failed(now, |failures| backoff.after(failures, roll).max(not_before))
            }
            PassResult::Permanent => self.agenda.failed(now, |_| backoff.after(u32::MAX, roll)),
        };
        self.cell.emit(EventKind::RetryScheduled { after: wait, attempt: self.agenda.failures });
    }
}
