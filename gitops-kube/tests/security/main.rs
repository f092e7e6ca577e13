//! What must hold when somebody means harm, without a cluster. Each module is named after its line in
//! `docs/security.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod api;

mod line_01_credentials;
mod line_02_destination;
mod line_07_tls;
mod line_16_privileges;
mod line_17_kubeconfig;
