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
    common::dice::seeds("GITOPS_HISTORY", usual)
}
