//! The whole loop on a real API server. The tests share one control plane, each with its own names.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod cli;
#[path = "../common/mod.rs"]
mod common;
mod deployments;
mod healing;
mod limited_token;
mod neighbours;
mod rebuild;
mod rollback;
mod story;
mod support;
