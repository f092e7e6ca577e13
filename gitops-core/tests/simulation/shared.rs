//! What all parts of a simulated world see: the time, the trace, the counts, and what went wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gitops_core::{Clock, MemoryCluster, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::faults::Faults;
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::mutants::Mutant;
use crate::repo::Repo;

/// The clock of a world: it moves with the runtime's paused time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimClock(pub(crate) Instant);

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let past = i64::try_from(self.0.elapsed().as_millis()).unwrap();
        // 2026-01-01T00:00:00Z
        Timestamp::from_millisecond(1_767_225_600_000 + past).unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: SimClock,
    pub(crate) gate: Arc<Gate>,
    /// Held while something is fetched and rendered, so that work on other threads never overlaps.
    pub(crate) rendering: Arc<tokio::sync::Mutex<()>>,
    pub(crate) faults: Faults,
    pub(crate) clusters: Vec<MemoryCluster>,
    pub(crate) repos: Vec<Arc<Repo>>,
    /// For each cluster: something in it changed.
    pub(crate) changed: Vec<Notify>,
    /// The engine's process must die now.
    pub(crate) crash: Notify,
    pub(crate) is_crashing: AtomicBool,
    /// Whether the engine looks at everything again from time to time: only then may hints be lost.
    pub(crate) has_resync: bool,
    pub(crate) mutant: Option<Mutant>,
    trace_limit: usize,
    trace: Mutex<VecDeque<String>>,
    counts: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<String>>,
    ledger: Mutex<Ledger>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "a world has many parts")]
    pub(crate) fn new(
        clock: SimClock,
        gate: Arc<Gate>,
        faults: Faults,
        clusters: Vec<MemoryCluster>,
        repos: Vec<Arc<Repo>>,
        has_resync: bool,
        mutant: Option<Mutant>,
        trace_limit: usize,
    ) -> Self {
        Self {
            clock,
            gate,
            rendering: Arc::default(),
            faults,
            changed: clusters.iter().map(|_| Notify::new()).collect(),
            ledger: Mutex::new(Ledger::new(clusters.len())),
            clusters,
            repos,
            crash: Notify::new(),
            is_crashing: AtomicBool::new(false),
            has_resync,
            mutant,
            trace_limit,
            trace: Mutex::default(),
            counts: Mutex::default(),
            violations: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.0.elapsed()
    }

    /// The simulated minute that it is.
    pub(crate) fn minute(&self) -> u64 {
        self.now().as_secs() / 60
    }

    pub(crate) fn tell(&self, line: impl std::fmt::Display) {
        let mut trace = self.lock(&self.trace);
        if trace.len() >= self.trace_limit {
            trace.pop_front();
        }
        trace.push_back(format!("{:>10.3} {line}", self.now().as_secs_f64()));
    }

    pub(crate) fn count(&self, what: &str) {
        *self.lock(&self.counts).entry(what.to_owned()).or_default() += 1;
    }

    /// A promise was broken.
    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(format_args!("VIOLATION {what}"));
        self.lock(&self.violations).push(what);
    }

    /// Kills the engine's process; what called this never goes on.
    pub(crate) async fn die(&self) -> ! {
        self.is_crashing.store(true, Ordering::Relaxed);
        self.crash.notify_one();
        std::future::pending().await
    }

    /// Something in a cluster changed.
    pub(crate) fn changed(&self, cluster: usize) {
        self.changed[cluster].notify_waiters();
    }

    /// Something happened outside of the engine that it may react to.
    pub(crate) fn stir(&self) {
        let minute = self.minute();
        self.ledger().stir(minute);
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.lock(&self.ledger)
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.lock(&self.trace).iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.lock(&self.counts).clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock(&self.violations).clone()
    }

    #[expect(clippy::unused_self, reason = "it reads better at the calls")]
    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
