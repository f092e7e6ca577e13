//! Everything that can go wrong between an engine and a real API server. The tests share one control plane, each with its
//! own names; those that stop a part of it have one for themselves.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test, which says what it has seen"
)]

#[path = "../common/mod.rs"]
mod common;
mod crash;
mod faulty;
mod kills;
mod outages;
#[path = "../cluster/support/mod.rs"]
mod support;
