//! A Git server over HTTPS: the one that the tests of the Git source have.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    reason = "shared with the tests of another crate"
)]

#[path = "../../../gitops-git/tests/common/acceptor.rs"]
mod acceptor;
#[path = "../../../gitops-git/tests/common/cgi.rs"]
mod cgi;
#[path = "../../../gitops-git/tests/common/repo.rs"]
mod repo;
#[path = "../../../gitops-git/tests/common/server.rs"]
mod server;
#[path = "../../../gitops-git/tests/common/tls.rs"]
mod tls;

use std::path::PathBuf;

pub(crate) use repo::Repo;
use repo::git;

/// A repository and its server.
pub(crate) struct Remote {
    server: server::Server,
    authority: PathBuf,
    repo: std::sync::Arc<Repo>,
}

impl Remote {
    /// Serves a repository, with a certificate for `localhost` from an authority of its own.
    pub(crate) fn serve(repo: Repo) -> Self {
        let authority = tls::Authority::new();
        let file = repo.root().join("authority.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        let server = server::Server::start_tls(repo.root(), authority.server("localhost", false));
        Self { server, authority: file, repo: repo.into() }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/repo.git", self.server.port())
    }

    /// The file with the certificate of the authority.
    pub(crate) fn authority(&self) -> &PathBuf {
        &self.authority
    }

    pub(crate) fn repo(&self) -> &std::sync::Arc<Repo> {
        &self.repo
    }

    /// How many requests came since this was asked the last time.
    pub(crate) fn requests(&self) -> usize {
        self.server.take_requests().len()
    }

    /// Where a clone made now is.
    pub(crate) fn fresh_clone(&self) -> PathBuf {
        let root = self.repo.root();
        git(root, &["clone", "--quiet", "--bare", "--no-local", "--template=", "repo.git", "clone.git"]);
        root.join("clone.git")
    }
}
