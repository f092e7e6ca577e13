//! The loop of one application: wait until something is due, do it, note how it ended.

use std::sync::Arc;

use futures_util::stream::StreamExt as _;
use futures_util::{FutureExt as _, future};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep_until};

use super::agenda::{Agenda, Work};
use super::backoff::shorten;
use super::cell::{Cell, PassEnd, PassResult, SourceTrouble, Stops};
use crate::{Dirty, EventKind, Events};

/// Before a watch that ended is begun again.
const REWATCH: Duration = Duration::from_secs(1);

pub(super) async fn work(cell: Arc<Cell>, stops: Stops, gate: Arc<Semaphore>) {
    Worker::new(cell, stops).run(gate).await;
}

struct Worker {
    cell: Arc<Cell>,
    stops: Stops,
    agenda: Agenda,
    // Subscribed before the first observation, so that nothing falls between the two.
    live: Option<Events<Dirty>>,
    rewatch_at: Instant,
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
    fn new(cell: Arc<Cell>, stops: Stops) -> Self {
        let live = Some(cell.app.target.watch(&cell.app.id));
        let hints = cell.app.source.hints();
        let now = Instant::now();
        Self { cell, stops, agenda: Agenda::new(now), live, rewatch_at: now, hints }
    }

    async fn run(mut self, gate: Arc<Semaphore>) {
        while !self.stops.soft.is_cancelled() {
            self.hear_wishes();
            if let Some(work) = self.agenda.take(Instant::now()) {
                let permit = tokio::select! {
                    biased;
                    () = self.stops.soft.cancelled() => break,
                    permit = gate.acquire() => permit,
                };
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
                Woken::Hint(Some(())) => self.agenda.hint(Instant::now()),
                Woken::Hint(None) => self.hints = None,
            }
        }
        self.cell.emit(EventKind::Stopped);
    }

    async fn wait(&mut self) -> Woken {
        let Self { cell, stops, agenda, live, rewatch_at, hints } = self;
        let rewatch_at = live.is_none().then_some(*rewatch_at);
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
                    self.agenda.everything_changed();
                }
                Woken::Time
            }
        }
    }

    /// Takes in one hint about live objects, and all others that are ready: one pass serves them together.
    fn hear_live(&mut self, first: Option<Dirty>) {
        let mut next = Some(first);
        while let Some(dirty) = next {
            match dirty {
                Some(Dirty::Objects(ids)) => self.agenda.objects_changed(ids),
                Some(Dirty::Everything) => self.agenda.everything_changed(),
                Some(Dirty::Blind(fault)) => self.cell.emit(EventKind::Blind { fault: fault.note() }),
                None => {
                    self.live = None;
                    self.rewatch_at = Instant::now() + REWATCH;
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
                self.agenda.resume();
                self.cell.update_status(|status| status.suspended = false);
                self.cell.emit(EventKind::Resumed);
            }
            _ => {}
        }
        if wanted.refresh {
            self.agenda.hint(Instant::now());
        }
        if let Some(approval) = wanted.approval {
            // The state is free: this worker's passes are the only long holders, and none runs now.
            if let Ok(mut state) = self.cell.state.try_lock() {
                state.approval = Some(approval);
                self.agenda.ask();
            } else {
                self.cell.wishes.add(|wanted| wanted.approval = Some(approval));
            }
        }
        if wanted.sync {
            self.agenda.ask();
        }
    }

    /// What is scheduled before a pass, so that not even a pass that fails at once comes back at once.
    fn begin(&mut self, work: &Work) {
        let settings = &self.cell.settings;
        let now = Instant::now();
        if matches!(work, Work::Poll | Work::Sync(_)) {
            self.agenda.poll_at(now + shorten(settings.interval, settings.jitter, settings.dice.roll()));
        }
        if matches!(work, Work::Sync(_) | Work::Resync(_)) || !self.agenda.has_resync() {
            let jitter = settings.jitter;
            let roll = settings.dice.roll();
            self.agenda.resync_at(settings.resync.map(|every| now + shorten(every, jitter, roll)));
        }
    }

    fn note(&mut self, work: &Work, end: PassEnd) {
        let now = Instant::now();
        for (id, after) in end.look_again {
            self.agenda.look_again(id, now + after);
        }
        for (id, pause) in end.leave_alone {
            self.agenda.leave_alone(&id, now + pause);
        }
        let backoff = self.cell.settings.backoff;
        let roll = self.cell.settings.dice.roll();
        match end.source {
            Some(SourceTrouble::Passing) => {
                self.agenda.poll_failed(now, |failures| backoff.after(failures, roll))
            }
            None if matches!(work, Work::Poll | Work::Sync(_)) => self.agenda.polled(),
            _ => {}
        }
        let wait = match end.result {
            PassResult::Nothing | PassResult::Stopped => return,
            // Healing says nothing about why an earlier sync failed.
            PassResult::Good if matches!(work, Work::Heal(_)) => return,
            PassResult::Good => return self.agenda.succeeded(),
            PassResult::Transient => self.agenda.failed(now, |failures| backoff.after(failures, roll)),
            PassResult::Permanent => self.agenda.failed(now, |_| backoff.after(u32::MAX, roll)),
        };
        self.cell.emit(EventKind::RetryScheduled { after: wait, attempt: self.agenda.failures });
    }
}
