//! Everything that can go wrong between an engine and a real API server. The tests share one control plane, each with its
//! own names; those that stop a part of it have one for themselves.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

#[path = "../common/mod.rs"]
mod common;
mod crash;
mod faulty;
mod kills;
#[path = "../cluster/support/mod.rs"]
mod support;
