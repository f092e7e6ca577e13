//! `KubeTarget` on a real API server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says with them what it expects"
)]

mod access;
mod cases;
mod contract;
mod drift;
mod driver;
mod membership;
mod story;
mod support;
mod watch;
mod wire;
