//! Commits that are made and pushed, against real servers.
#![cfg(all(feature = "write", feature = "https"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test program"
)]

#[path = "../common/mod.rs"]
mod common;

mod branches;
mod edits;
mod faults;
mod hand;
mod lost;
mod manifests;
mod mirror;
mod picks;
#[path = "../faults/proxy.rs"]
#[allow(dead_code, reason = "the tests of faults use all of it")]
mod proxy;
mod races;
mod reverts;
mod scene;
mod secrets;
mod servers;
#[cfg(all(feature = "sign", feature = "verify"))]
mod signing;
mod ssh;
mod world;
