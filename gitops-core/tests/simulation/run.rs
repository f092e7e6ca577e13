//! Runs of worlds: one seed after the other, on as many threads as there are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::gate::Gate;
use crate::process;
use crate::world::{Plan, World};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) counts: BTreeMap<String, u64>,
}

/// Runs something in a runtime whose time is paused, in which work on other threads happens at the same instant in every
/// run.
pub(crate) fn paused<T>(run: impl AsyncFnOnce(Arc<Gate>) -> T) -> T {
    process::hide_panics_on_purpose();
    let gate = Arc::new(Gate::default());
    let parks = gate.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .on_thread_park(move || parks.parks())
        .build()
        .unwrap();
    let ended = runtime.block_on(run(gate.clone()));
    gate.open();
    drop(runtime);
    ended
}

pub(crate) fn run(plan: Plan) -> Ended {
    paused(async |gate| {
        let mut world = World::new(plan, gate);
        world.be_restless(plan.length).await;
        world.come_to_rest().await;
        let shared = &world.shared;
        Ended { violations: shared.violations(), trace: shared.trace(), counts: shared.counts() }
    })
}

/// What came of many runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: BTreeMap<String, u64>,
    /// The runs that failed, by seed.
    pub(crate) failed: BTreeMap<u64, Ended>,
}

/// Runs many, until `enough` have failed.
pub(crate) fn many(plans: &[Plan], enough: usize) -> Tally {
    let next = AtomicUsize::new(0);
    let tally: Mutex<Tally> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ended = run(*plan);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    for (what, count) in &ended.counts {
                        *tally.counts.entry(what.clone()).or_default() += count;
                    }
                    if let Some(first) = ended.violations.first() {
                        println!("seed {}: {first}", plan.seed);
                        tally.failed.insert(plan.seed, ended);
                        if tally.failed.len() >= enough {
                            next.store(plans.len(), Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}
