//! What must hold when somebody means harm. Each module is named after its line in `docs/security.md`.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

#[path = "../common/mod.rs"]
mod common;

mod line_02_destination;
mod line_04_protocols;
mod line_05_addresses;
mod line_07_tls;
mod line_08_git_configuration;
mod line_10_paths;
mod line_12_packs;
mod line_14_mirrors;
mod real_server;
