//! Servers of Git: those that the tests of the Git source have.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    reason = "shared with the tests of another crate"
)]

#[path = "../../../gitops-git/tests/common/acceptor.rs"]
pub mod acceptor;
#[path = "../../../gitops-git/tests/common/cgi.rs"]
pub mod cgi;
#[path = "../../../gitops-git/tests/common/forge/mod.rs"]
pub mod forge;
#[path = "../../../gitops-git/tests/common/github.rs"]
pub mod github;
#[path = "../../../gitops-git/tests/common/proxy.rs"]
pub mod proxy;
#[path = "../../../gitops-git/tests/common/repo.rs"]
pub mod repo;
#[path = "../../../gitops-git/tests/common/server.rs"]
pub mod server;
#[path = "../../../gitops-git/tests/common/ssh.rs"]
pub mod ssh;
#[path = "../../../gitops-git/tests/common/tls.rs"]
pub mod tls;

pub use repo::Repo;
pub use server::Server;
