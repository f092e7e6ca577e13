//! Pull requests at a server that plays GitHub and Gitea.
#![cfg(feature = "pull-request")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail so")]

#[path = "../common/mod.rs"]
mod common;
mod failures;
mod line_01_credentials;
mod line_02_destination;
mod lost;
mod opening;
mod settings;

use std::time::Duration;

use common::forge::{Forge, Kind, NAME, OWNER, TOKEN};
use common::{Server, cx};
use gitops_core::Fault;
use gitops_git::pull_request::{Builder, GitHub, Gitea, Opened, PullRequest, PullRequestError, PullRequests};
use gitops_git::{Credentials, Token};
use tempfile::TempDir;

const KINDS: [Kind; 2] = [Kind::GitHub, Kind::Gitea];

/// A server and its repository.
struct Stage {
    root: TempDir,
    server: Server,
    forge: Forge,
    kind: Kind,
}

/// What both builders have in common.
struct Settings {
    timeout: Duration,
    credentials: Option<Credentials>,
}

impl Stage {
    fn new(kind: Kind) -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = Server::start(root.path());
        let forge = Forge::teach(&server, kind);
        Self { root, server, forge, kind }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{OWNER}/{NAME}.git", self.server.port())
    }

    fn host(&self) -> Box<dyn PullRequests> {
        self.host_with(Token::new(TOKEN), Duration::from_secs(30))
    }

    fn host_with(&self, credentials: impl Into<Credentials>, timeout: Duration) -> Box<dyn PullRequests> {
        let settings = Settings { timeout, credentials: Some(credentials.into()) };
        match self.kind {
            Kind::GitHub => Box::new(settings.of(GitHub::builder(self.url())).build().unwrap()),
            Kind::Gitea => Box::new(settings.of(Gitea::builder(self.url())).build().unwrap()),
        }
    }

    async fn open(&self, wanted: &PullRequest) -> Result<Opened, Fault> {
        self.host().open_or_update(&cx(), wanted).await
    }

    /// The requests so far, by their methods and what they were for.
    fn requests(&self) -> Vec<String> {
        let requests = self.server.take_requests();
        requests.iter().map(|r| format!("{} {}", r.method, r.target.split('?').next().unwrap())).collect()
    }
}

impl Settings {
    fn of<H>(self, builder: Builder<H>) -> Builder<H> {
        common::provider();
        let builder =
            builder.allow_http().allow_credentials_over_http().allow_loopback().with_timeout(self.timeout);
        match self.credentials {
            Some(credentials) => builder.with_credentials(credentials),
            None => builder,
        }
    }
}

fn wanted() -> PullRequest {
    PullRequest::new("shop: web 1.8.2", "update-shop", "main")
        .with_body("Built from 4f2c1ab.\n\nBy CI.")
        .with_labels(["image-update", "bug"])
}

/// The error of a fault.
fn error(fault: &Fault) -> &PullRequestError {
    fault.source.downcast_ref().unwrap_or_else(|| panic!("{fault:?}"))
}
