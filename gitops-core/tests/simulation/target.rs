//! A memory target between the engine and a simulated cluster: things go wrong on the way, and every step is checked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use gitops_core::{
    AppId, AppRecord, Capabilities, Comparison, Cx, Dirty, Done, End, Events, Fault, IgnoreRules, Intent,
    Live, Manifest, MemoryTarget, Observation, Observe, Owner, Placed, Session, Step, Target, async_trait,
};

use crate::chance::Chance;
use crate::faults::{self, Call};
use crate::invariants::{self, SessionBook};
use crate::mutants::Mutant;
use crate::shared::Shared;

#[derive(Debug, Clone)]
pub(crate) struct SimTarget {
    pub(crate) inner: MemoryTarget,
    pub(crate) shared: Arc<Shared>,
    pub(crate) app: String,
    pub(crate) cluster: usize,
    pub(crate) repo: usize,
    /// How much goes wrong with the watch.
    pub(crate) watching: Arc<Chance>,
    /// Of a thousand hints of the watch, so many go wrong.
    pub(crate) watch_rate: u64,
}

impl SimTarget {
    fn request(&self) {
        let minute = self.shared.minute();
        self.shared.ledger().request(&self.app, minute);
    }
}

#[async_trait]
impl Target for SimTarget {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault> {
        let trouble = self.shared.faults.roll(&self.shared, Call::Place);
        faults::before(&self.shared, Call::Place, trouble).await?;
        let placed = self.inner.place(cx, set).await?;
        faults::after(&self.shared, trouble).await?;
        Ok(placed)
    }

    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        self.request();
        let trouble = self.shared.faults.roll(&self.shared, Call::Observe);
        faults::before(&self.shared, Call::Observe, trouble).await?;
        let mut observed = self.inner.observe(cx, app, what).await?;
        invariants::note_told(&mut self.shared.ledger().app(&self.app).told, what, &observed);
        if matches!(what, Observe::Everything { .. }) {
            let members = || observed.live.iter().filter(|live| live.owner == Owner::This);
            let mut ledger = self.shared.ledger();
            let book = ledger.app(&self.app);
            book.members = members().count();
            book.marked = members().filter(|live| live.keep).map(|live| live.id.clone()).collect();
        }
        if self.shared.mutant == Some(Mutant::EverythingIsOurs) {
            observed.live.iter_mut().for_each(|live| live.owner = Owner::This);
        }
        if self.shared.mutant == Some(Mutant::HoldsNothing) {
            observed.live.iter_mut().for_each(|live| live.holds = None);
        }
        faults::after(&self.shared, trouble).await?;
        Ok(observed)
    }

    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        if self.shared.mutant == Some(Mutant::AlwaysInSync) {
            return Comparison::InSync;
        }
        self.inner.compare(desired, live, rules)
    }

    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault> {
        self.request();
        let trouble = self.shared.faults.roll(&self.shared, Call::Begin);
        faults::before(&self.shared, Call::Begin, trouble).await?;
        let mut intent = intent.clone();
        if self.shared.mutant == Some(Mutant::NeverWidens) {
            intent.reach.0.clear();
        }
        let attempted = self.inner.recall(cx, app).await?.and_then(|record| record.attempted);
        let inner = self.inner.begin(cx, app, &intent).await?;
        self.shared.count("session");
        faults::after(&self.shared, trouble).await?;
        let revision = intent.revision.map(|revision| revision.id);
        // What was attempted last may be older than what is in force: a session for the newer one may have been lost before
        // it was recorded.
        let newer = {
            let mut ledger = self.shared.ledger();
            let book = ledger.app(&self.app);
            let is_fallback = revision != book.resolved;
            let is_newer = |newer: &String| revision.as_ref().is_none_or(|id| book.is_newer(newer, id));
            let attempted = attempted.map(|revision| revision.id);
            attempted.filter(|newer| is_fallback && is_newer(newer)).into_iter().collect()
        };
        let book = SessionBook {
            app: self.app.clone(),
            cluster: self.cluster,
            repo: self.repo,
            revision,
            newer,
            failed: None,
            pruned: std::collections::BTreeSet::new(),
        };
        Ok(Box::new(SimSession { inner, target: self.clone(), book: Mutex::new(book) }))
    }

    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        self.request();
        let trouble = self.shared.faults.roll(&self.shared, Call::Recall);
        faults::before(&self.shared, Call::Recall, trouble).await?;
        let record = self.inner.recall(cx, app).await?;
        faults::after(&self.shared, trouble).await?;
        Ok(record)
    }

    fn watch(&self, app: &AppId) -> Events<Dirty> {
        self.shared.count("watch");
        let watch = Watch { inner: self.inner.watch(app), target: self.clone(), queue: VecDeque::new() };
        stream::unfold(watch, Watch::next).boxed()
    }
}

/// The watch of a memory target, which is looked at in the same order in every run, with things that go wrong.
struct Watch {
    inner: Events<Dirty>,
    target: SimTarget,
    queue: VecDeque<Dirty>,
}

impl Watch {
    async fn next(mut self) -> Option<(Dirty, Self)> {
        let shared = self.target.shared.clone();
        if shared.mutant == Some(Mutant::SpinningWatch) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            return Some((Dirty::Everything, self));
        }
        loop {
            if let Some(dirty) = self.queue.pop_front() {
                return Some((dirty, self));
            }
            let changed = shared.changed[self.target.cluster].notified();
            match self.inner.next().now_or_never() {
                Some(None) => return None,
                Some(Some(_)) if shared.mutant == Some(Mutant::SilentWatch) => {}
                Some(Some(dirty)) => {
                    if let Some(dirty) = self.meddle(dirty).await? {
                        return Some((dirty, self));
                    }
                }
                None => changed.await,
            }
        }
    }

    /// None ends the watch.
    async fn meddle(&mut self, dirty: Dirty) -> Option<Option<Dirty>> {
        let (shared, chance) = (&self.target.shared, &self.target.watching);
        if shared.faults.has_ended() || !chance.permille(self.target.watch_rate) {
            return Some(Some(dirty));
        }
        shared.stir();
        match chance.below(5) {
            0 if shared.has_resync => {
                shared.count("watch: a hint is lost");
                return Some(None);
            }
            0 | 1 => {
                shared.count("watch: a hint comes late");
                tokio::time::sleep(chance.time(Duration::from_secs(30))).await;
            }
            2 => {
                shared.count("watch: it ends");
                return None;
            }
            3 => {
                shared.count("watch: a hint about everything");
                self.queue.push_back(Dirty::Everything);
            }
            _ => {
                if let Dirty::Objects(ids) = &dirty {
                    shared.count("watch: a hint comes twice");
                    self.queue.push_back(Dirty::Objects(ids.clone()));
                }
            }
        }
        Some(Some(dirty))
    }
}

struct SimSession {
    inner: Box<dyn Session>,
    target: SimTarget,
    book: Mutex<SessionBook>,
}

#[async_trait]
impl Session for SimSession {
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let (target, shared) = (&self.target, &self.target.shared);
        target.request();
        let step = shared.mutant.map_or_else(|| step.clone(), |mutant| mutant.step(step));
        let trouble = shared.faults.roll(shared, Call::Run);
        // The book holds no lock across this.
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let early = faults::before(shared, Call::Run, trouble).await;
        if early.is_err() {
            invariants::check_written(shared, &mut self.book(), &step, true);
        }
        early?;
        invariants::check_reach(shared, &book, &target.inner, &step).await;
        let done = self.inner.run(cx, &step).await;
        if shared.mutant == Some(Mutant::DeletesMore) && step.action == gitops_core::Action::Prune {
            crate::mutants::delete_another(&shared.clusters[target.cluster], &step.id);
        }
        let is_lost = trouble == Some(faults::Trouble::Lost);
        invariants::check_written(shared, &mut self.book(), &step, done.is_err() || is_lost);
        shared.tell(format_args!(
            "{}: sent {} {}: {}",
            target.app,
            step.action,
            step.id,
            done.as_ref().map_or_else(ToString::to_string, |_| "done".to_owned())
        ));
        let done = done?;
        let now = done.live.as_ref().map(|live| live.health.health);
        shared.ledger().app(&target.app).told.insert(step.id.clone(), now);
        faults::after(shared, trouble).await?;
        Ok(done)
    }

    async fn finish(self: Box<Self>, cx: &Cx, end: &End) -> Result<(), Fault> {
        let shared = self.target.shared.clone();
        self.target.request();
        let mut end = end.clone();
        if shared.mutant == Some(Mutant::NarrowsTooMuch) {
            end.reach = Some(gitops_core::Reach::default());
        }
        if shared.mutant == Some(Mutant::AlwaysHealthy) {
            let revision = self.book().revision.clone().map(gitops_core::Revision::new);
            (end.applied, end.healthy) = (revision.clone(), revision);
        }
        invariants::check_healthy(&shared, &self.book(), &end);
        let trouble = shared.faults.roll(&shared, Call::Finish);
        faults::before(&shared, Call::Finish, trouble).await?;
        self.inner.finish(cx, &end).await?;
        faults::after(&shared, trouble).await
    }
}

impl SimSession {
    fn book(&self) -> std::sync::MutexGuard<'_, SessionBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
