//! Commits that are made and pushed, against real servers.
#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, unreachable_pub, reason = "a test program")]

#[path = "../common/mod.rs"]
mod common;

mod branches;
mod edits;
mod lost;
mod scene;
mod servers;
