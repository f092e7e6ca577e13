//! The client of registries, beside a real HTTP server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod digests;
mod hostile;
mod listing;
mod pushing;
mod statuses;
mod time;
