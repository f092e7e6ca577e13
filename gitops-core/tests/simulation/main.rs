//! The engine in simulated worlds: random histories in Git, other hands in the cluster, faults on every way, restarts at
//! any instant. Time is paused, and everything that happens follows from a seed.
//!
//! ```text
//! GITOPS_SIM_SEEDS=2000 cargo test --release -p gitops-core --test simulation -- --nocapture
//! GITOPS_SIM_SEED=17 cargo test -p gitops-core --test simulation seeds -- --nocapture
//! ```
//!
//! The first runs so many seeds; the second repeats one, and prints all that happened in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says with them what it expects"
)]

mod chance;
mod crash;
mod faults;
mod gate;
mod hands;
mod history;
mod invariants;
mod ledger;
mod mutants;
mod objects;
mod process;
mod repo;
mod run;
mod shared;
mod soak;
mod source;
mod target;
mod world;

use std::time::Duration;

use mutants::Mutant;
use world::Plan;

/// How many seeds run if nobody says it.
const USUAL: u64 = 8;
/// After so many that fail, no other begins.
const ENOUGH: usize = 10;

fn plan(seed: u64) -> Plan {
    let length = Duration::from_secs(number("GITOPS_SIM_MINUTES").unwrap_or(60) * 60);
    Plan { seed, length, mutant: None, trace_limit: 1_000_000 }
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

fn broken(plan: Plan, mutant: Mutant) -> Plan {
    Plan { mutant: Some(mutant), ..plan }
}

/// Held alone by who measures memory.
static MEMORY: std::sync::RwLock<()> = std::sync::RwLock::new(());

#[test]
fn seeds() {
    let _others_may_run = MEMORY.read();
    let seeds = number("GITOPS_SIM_SEED").map_or_else(
        || {
            let first = number("GITOPS_SIM_FIRST").unwrap_or(0);
            first..first + number("GITOPS_SIM_SEEDS").unwrap_or(USUAL)
        },
        |seed| seed..seed + 1,
    );
    let plans: Vec<Plan> = seeds.map(plan).collect();
    let tally = run::many(&plans, ENOUGH);
    if let Some((seed, ended)) = tally.failed.first_key_value() {
        println!("{}", ended.trace.join("\n"));
        for (seed, ended) in &tally.failed {
            println!("\nseed {seed} breaks a promise: {}", ended.violations.join("\n  "));
        }
        println!("\nAbove is what happened with seed {seed}. To see it again:");
        println!(
            "  GITOPS_SIM_SEED={seed} cargo test -p gitops-core --test simulation seeds -- --nocapture\n"
        );
        panic!("seed {seed}: {}", ended.violations[0]);
    }
    println!("{} seeds, in which there were", plans.len());
    for (what, count) in tally.counts {
        println!("{count:>10}  {what}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let _others_may_run = MEMORY.read();
    for seed in [1, 2] {
        let (first, second) = (run::run(plan(seed)).trace, run::run(plan(seed)).trace);
        let same = first.iter().zip(&second).take_while(|(a, b)| a == b).count();
        assert_eq!(first.get(same), second.get(same), "seed {seed}, after {same} lines");
    }
}

/// A simulation that cannot fail proves nothing.
#[test]
fn every_broken_engine_is_noticed() {
    let _others_may_run = MEMORY.read();
    for mutant in mutants::ALL {
        let plans: Vec<Plan> = (0..20).map(|seed| broken(plan(seed), mutant)).collect();
        let tally = run::many(&plans, 1);
        match tally.failed.first_key_value() {
            Some((seed, ended)) => println!("{mutant:?}: seed {seed}: {}", ended.violations[0]),
            None => panic!("{mutant:?} was not noticed"),
        }
    }
}

/// `GITOPS_SIM_SOAK` says for how many seconds: an hour of simulated months, where somebody waits for it.
#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat() {
    let _alone = MEMORY.write();
    let time = Duration::from_secs(number("GITOPS_SIM_SOAK").unwrap_or(5));
    println!("{}", soak::soak(number("GITOPS_SIM_SEED").unwrap_or(7), time));
}
