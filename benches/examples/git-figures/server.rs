//! The Git server and the repositories of the tests of gitops-git.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "they are of tests, and this uses a part of them"
)]

#[path = "../../../gitops-git/tests/common/acceptor.rs"]
pub mod acceptor;
#[path = "../../../gitops-git/tests/common/cgi.rs"]
pub mod cgi;
#[path = "../../../gitops-git/tests/common/repo.rs"]
pub mod repo;
#[path = "../../../gitops-git/tests/common/server.rs"]
#[allow(clippy::module_inception, reason = "so it is called there")]
pub mod server;

pub use repo::Repo;
pub use server::Server;
