//! What to do next, and when: a value that is told what happened and answers what is due. No clock, no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::feed::{Fresh, Tick};
use crate::cx::after;
use crate::{ResourceId, Trigger};

/// Named objects above this number count as everything.
const MAX_DIRTY: usize = 10_000;

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// Ask the source; sync if it has something new.
    Poll(Fresh),
    /// Ask the source, then compare everything.
    Sync(Trigger, Fresh),
    /// Compare everything with what is in force, without asking the source.
    Resync(Trigger),
    /// Look at these objects.
    Heal(BTreeSet<ResourceId>),
}

/// What is known to need attention, for one application.
#[derive(Debug)]
pub(super) struct Agenda {
    poll_at: Instant,
    /// Since when there may be news, if somebody said so.
    news_since: Option<Tick>,
    resync_at: Option<Instant>,
    retry_at: Option<Instant>,
    manual: bool,
    everything_dirty: bool,
    dirty: BTreeSet<ResourceId>,
    later: BTreeMap<ResourceId, Instant>,
    /// Objects that are left alone until a time, even if they change.
    resting: BTreeMap<ResourceId, Instant>,
    pub(super) failures: u32,
    poll_failures: u32,
    suspended: bool,
}

impl Agenda {
    /// Everything is due: nothing is known yet.
    pub(super) fn new(now: Instant, begun: Tick) -> Self {
        Self {
            poll_at: now,
            news_since: Some(begun),
            resync_at: None,
            retry_at: None,
            manual: false,
            everything_dirty: false,
            dirty: BTreeSet::new(),
            later: BTreeMap::new(),
            resting: BTreeMap::new(),
            failures: 0,
            poll_failures: 0,
            suspended: false,
        }
    }

    pub(super) fn poll_at(&mut self, at: Instant) {
        self.poll_at = at;
    }

    pub(super) fn resync_at(&mut self, at: Option<Instant>) {
        self.resync_at = at;
    }

    pub(super) fn has_resync(&self) -> bool {
        self.resync_at.is_some()
    }

    /// Notes that the source may have news since then.
    pub(super) fn hint(&mut self, now: Instant, since: Tick) {
        self.poll_at = self.poll_at.min(now);
        self.news_since = self.news_since.max(Some(since));
    }

    /// Notes that somebody asked for a sync.
    pub(super) fn ask(&mut self, at: Tick) {
        self.news_since = self.news_since.max(Some(at));
        self.manual = true;
    }

    pub(super) fn objects_changed(&mut self, ids: impl IntoIterator<Item = ResourceId>) {
        if self.everything_dirty {
            return;
        }
        self.dirty.extend(ids);
        if self.dirty.len() > MAX_DIRTY {
            self.everything_changed();
        }
    }

    pub(super) fn everything_changed(&mut self) {
        self.everything_dirty = true;
        self.dirty.clear();
    }

    /// Look at an object again at a time, whether or not it changes.
    pub(super) fn look_again(&mut self, id: ResourceId, at: Instant) {
        let due = self.later.entry(id).or_insert(at);
        *due = (*due).min(at);
    }

    /// Do not look at an object before a time, even if it changes.
    pub(super) fn leave_alone(&mut self, id: &ResourceId, until: Instant) {
        self.resting.insert(id.clone(), until);
        self.dirty.insert(id.clone());
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// Notes a failed attempt. `wait` says how long to wait, from the number of failures in a row.
    pub(super) fn failed(&mut self, now: Instant, wait: impl FnOnce(u32) -> Duration) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let wait = wait(self.failures);
        self.retry_at = Some(after(now, wait));
        wait
    }

    /// Notes that the source could not be asked, and asks it again earlier than at the next interval. `wait` says how
    /// much earlier, from the number of failures in a row.
    pub(super) fn poll_failed(&mut self, now: Instant, wait: impl FnOnce(u32) -> Duration) {
        self.poll_failures = self.poll_failures.saturating_add(1);
        self.poll_at = self.poll_at.min(after(now, wait(self.poll_failures)));
    }

    pub(super) fn polled(&mut self) {
        self.poll_failures = 0;
    }

    pub(super) fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Goes on. What happened in between is not known in detail, so everything is looked at.
    pub(super) fn resume(&mut self, at: Tick) {
        self.suspended = false;
        self.ask(at);
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Takes the most pressing work that is due. Larger work takes smaller work with it.
    pub(super) fn take(&mut self, now: Instant) -> Option<Work> {
        if self.suspended {
            return None;
        }
        if self.manual {
            self.seen_everything();
            return Some(Work::Sync(Trigger::Manual, self.fresh()));
        }
        if is_due(self.retry_at, now) {
            self.seen_everything();
            return Some(Work::Sync(Trigger::Retry, self.fresh()));
        }
        // A new revision comes before healing towards the old one.
        if self.poll_at <= now {
            return Some(Work::Poll(self.fresh()));
        }
        if self.everything_dirty || is_due(self.resync_at, now) {
            let trigger = if self.everything_dirty { Trigger::Live } else { Trigger::Interval };
            self.seen_everything();
            return Some(Work::Resync(trigger));
        }
        self.resting.retain(|_, until| *until > now);
        let (later, dirty) = (&mut self.later, &mut self.dirty);
        later.retain(|id, at| {
            let is_due = *at <= now;
            if is_due {
                dirty.insert(id.clone());
            }
            !is_due
        });
        for (id, until) in &self.resting {
            if dirty.remove(id) {
                later.insert(id.clone(), *until);
            }
        }
        if self.dirty.is_empty() { None } else { Some(Work::Heal(std::mem::take(&mut self.dirty))) }
    }

    /// Whether [`take`](Self::take) may have something, without taking it.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.suspended
            && (self.manual
                || self.everything_dirty
                || self.dirty.iter().any(|id| self.resting.get(id).is_none_or(|until| *until <= now))
                || self.wake_at().is_some_and(|at| at <= now))
    }

    /// When to look again if nothing happens before; never while suspended.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        if self.suspended {
            return None;
        }
        let later = self.later.values().min().copied();
        [Some(self.poll_at), self.resync_at, self.retry_at, later].into_iter().flatten().min()
    }

    fn fresh(&mut self) -> Fresh {
        self.news_since.take().map_or(Fresh::Scheduled, Fresh::Since)
    }

    fn seen_everything(&mut self) {
        self.manual = false;
        self.everything_dirty = false;
        self.dirty.clear();
        self.retry_at = None;
        self.resync_at = None;
    }
}

fn is_due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}

#[cfg(test)]
mod tests {
    use super::super::feed::Order;
    use super::*;
    use proptest::prelude::*;

    fn tick() -> Tick {
        Order::default().next()
    }

    fn id(n: usize) -> ResourceId {
        ResourceId::global("", "Node", format!("n{n}"))
    }

    const MINUTE: Duration = Duration::from_secs(60);

    fn polled(now: Instant) -> Agenda {
        let mut agenda = Agenda::new(now, tick());
        assert_eq!(agenda.take(now), Some(Work::Poll(Fresh::Since(tick()))));
        agenda.poll_at(now + MINUTE);
        agenda
    }

    #[test]
    fn nothing_is_due_until_something_happens() {
        let now = Instant::now();
        let mut agenda = polled(now);
        assert_eq!(agenda.take(now), None);
        assert_eq!(agenda.wake_at(), Some(now + MINUTE));
        agenda.objects_changed([id(1), id(1), id(2)]);
        assert_eq!(agenda.take(now), Some(Work::Heal([id(1), id(2)].into())));
        assert_eq!(agenda.take(now), None);
        agenda.hint(now, tick());
        assert_eq!(agenda.take(now), Some(Work::Poll(Fresh::Since(tick()))));
    }

    #[test]
    fn too_many_objects_are_everything() {
        let now = Instant::now();
        let mut agenda = polled(now);
        agenda.objects_changed((0..=MAX_DIRTY).map(id));
        assert_eq!(agenda.take(now), Some(Work::Resync(Trigger::Live)));
        assert_eq!(agenda.take(now), None);
    }

    #[test]
    fn suspended_means_nothing_happens_and_resumed_looks_at_everything() {
        let now = Instant::now();
        let mut agenda = polled(now);
        agenda.suspend();
        agenda.ask(tick());
        agenda.everything_changed();
        assert_eq!((agenda.take(now + MINUTE), agenda.wake_at()), (None, None));
        agenda.resume(tick());
        assert_eq!(agenda.take(now), Some(Work::Sync(Trigger::Manual, Fresh::Since(tick()))));
        assert_eq!(agenda.take(now), None);
    }

    #[test]
    fn failures_add_up_until_a_success() {
        let now = Instant::now();
        let mut agenda = polled(now);
        assert_eq!(agenda.failed(now, |n| Duration::from_secs(n.into())), Duration::from_secs(1));
        assert_eq!(agenda.take(now), None);
        assert_eq!(
            agenda.take(now + Duration::from_secs(1)),
            Some(Work::Sync(Trigger::Retry, Fresh::Scheduled))
        );
        assert_eq!(agenda.failed(now, |n| Duration::from_secs(n.into())), Duration::from_secs(2));
        agenda.succeeded();
        assert_eq!(agenda.wake_at(), Some(now + MINUTE));
    }

    #[test]
    fn an_object_left_alone_comes_back_later() {
        let now = Instant::now();
        let mut agenda = polled(now);
        agenda.objects_changed([id(1)]);
        agenda.leave_alone(&id(1), now + Duration::from_secs(10));
        assert_eq!(agenda.take(now), None);
        assert_eq!(agenda.wake_at(), Some(now + Duration::from_secs(10)));
        // Neither a change nor an earlier date shortens the rest.
        agenda.objects_changed([id(1), id(2)]);
        agenda.look_again(id(1), now + Duration::from_secs(1));
        assert!(agenda.is_due(now));
        assert_eq!(agenda.take(now), Some(Work::Heal([id(2)].into())));
        assert!(!agenda.is_due(now));
        assert_eq!(agenda.take(now + Duration::from_secs(1)), None);
        assert_eq!(agenda.wake_at(), Some(now + Duration::from_secs(10)));
        assert_eq!(agenda.take(now + Duration::from_secs(10)), Some(Work::Heal([id(1)].into())));
        assert_eq!(agenda.take(now + Duration::from_secs(10)), None);
    }

    proptest! {
        /// Whatever happens, what is due is taken, and taking ends: no hot loop.
        #[test]
        fn work_runs_out(events in prop::collection::vec((0_u8..7, 0_usize..5, 0_u64..100), 0..40)) {
            let start = Instant::now();
            let mut agenda = polled(start);
            let mut now = start;
            for (kind, n, seconds) in events {
                now += Duration::from_secs(seconds);
                match kind {
                    0 => agenda.objects_changed([id(n)]),
                    1 => agenda.everything_changed(),
                    2 => agenda.ask(tick()),
                    3 => agenda.look_again(id(n), now + Duration::from_secs(seconds)),
                    5 => agenda.leave_alone(&id(n), now + Duration::from_secs(seconds)),
                    4 => { agenda.failed(now, |n| Duration::from_secs(n.into())); }
                    _ => agenda.hint(now, tick()),
                }
            }
            let mut taken = 0;
            while agenda.is_due(now) {
                let Some(work) = agenda.take(now) else { break };
                if matches!(work, Work::Poll(_)) {
                    agenda.poll_at(now + MINUTE);
                }
                taken += 1;
                prop_assert!(taken <= 4);
            }
            prop_assert_eq!(agenda.take(now), None);
            prop_assert!(agenda.wake_at().is_some_and(|at| at > now));
        }
    }
}
