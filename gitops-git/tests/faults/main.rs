//! What goes wrong between a server and a mirror, and on the mirror's disk: the last good state stays, what failed says of
//! what kind it was, and once it is over all is as if nothing had happened.
//!
//! Where and when things go wrong follows from seeds. `GITOPS_FAULT_SEEDS` says how many, `GITOPS_FAULT_FIRST` with which
//! to begin, and `GITOPS_FAULT_SEED` runs one again.
#![cfg(feature = "https")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

mod cancelled;
#[path = "../common/mod.rs"]
mod common;
mod damage;
mod full_disk;
mod kills;
mod mirror;
mod proxy;
mod scene;
mod statuses;
mod transfers;

/// The seeds of this run.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    common::dice::seeds("GITOPS_FAULT", usual)
}
