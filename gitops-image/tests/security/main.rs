//! What a registry must not be able to do: see docs/security.md.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

#[path = "../common/mod.rs"]
mod common;

mod line_02_destination;
mod line_04_protocols;
mod line_05_addresses;
mod line_07_tls;
