//! History, changes and blame, beside Git itself.
//!
//! Random histories are made from seeds. `GITOPS_HISTORY_SEEDS` says how many, `GITOPS_HISTORY_FIRST` with which to begin,
//! and `GITOPS_HISTORY_SEED` runs one again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod blame;
mod changes;
#[path = "../common/mod.rs"]
mod common;
mod log;
mod messages;
mod object;
mod shallow;
mod world;

/// The seeds of this run.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let read = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = read("GITOPS_HISTORY_SEED") {
        return seed..seed + 1;
    }
    let first = read("GITOPS_HISTORY_FIRST").unwrap_or(1);
    first..first + read("GITOPS_HISTORY_SEEDS").unwrap_or(usual)
}
