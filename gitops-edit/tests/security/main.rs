//! What must hold when somebody means harm. Each module is named after its line in `docs/security.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail so, and say what it saw"
)]

#[path = "../../../gitops-core/tests/security/hostile.rs"]
mod hostile;
mod line_11_yaml;
mod line_20_escaping;
