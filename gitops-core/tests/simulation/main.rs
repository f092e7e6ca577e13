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
mod source;
mod target;
mod world;

use std::time::Duration;

use mutants::Mutant;
use world::Plan;

/// How many seeds run if nobody says it.
const USUAL: u64 = 16;

fn plan(seed: u64) -> Plan {
    let length = Duration::from_secs(number("GITOPS_SIM_MINUTES").unwrap_or(120) * 60);
    Plan { seed, length, mutant: None, trace_limit: 1_000_000 }
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

fn broken(plan: Plan, mutant: Mutant) -> Plan {
    Plan { mutant: Some(mutant), ..plan }
}

#[test]
fn seeds() {
    let plans: Vec<Plan> = match number("GITOPS_SIM_SEED") {
        Some(seed) => vec![plan(seed)],
        None => {
            let first = number("GITOPS_SIM_FIRST").unwrap_or(0);
            (first..first + number("GITOPS_SIM_SEEDS").unwrap_or(USUAL)).map(plan).collect()
        }
    };
    let (counts, failed) = run::many(&plans);
    if let Some((plan, ended)) = failed {
        let seed = plan.seed;
        println!("{}", ended.trace.join("\n"));
        println!("\nseed {seed} breaks a promise:\n  {}", ended.violations.join("\n  "));
        println!("\nto see it again:");
        println!(
            "  GITOPS_SIM_SEED={seed} cargo test -p gitops-core --test simulation seeds -- --nocapture\n"
        );
        panic!("seed {seed}: {}", ended.violations[0]);
    }
    println!("{} seeds, in which there were", plans.len());
    for (what, count) in counts {
        println!("{count:>10}  {what}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 2, 3] {
        let (first, second) = (run::run(plan(seed)).trace, run::run(plan(seed)).trace);
        let same = first.iter().zip(&second).take_while(|(a, b)| a == b).count();
        assert_eq!(first.get(same), second.get(same), "seed {seed}, after {same} lines");
    }
}

/// A simulation that cannot fail proves nothing.
#[test]
fn every_broken_engine_is_noticed() {
    for mutant in mutants::ALL {
        let plans: Vec<Plan> = (0..20).map(|seed| broken(plan(seed), mutant)).collect();
        let (_, failed) = run::many(&plans);
        match failed {
            Some((plan, ended)) => println!("{mutant:?}: seed {}: {}", plan.seed, ended.violations[0]),
            None => panic!("{mutant:?} was not noticed"),
        }
    }
}
