//! Pull requests at Git hosts: opened once for a change, and kept as they are wanted to be.
//!
//! Push a branch, say what its pull request is to be with a [`PullRequest`], and hand that to [`GitHub`] (github.com, GitHub
//! Enterprise and what speaks its API) or to [`Gitea`] (Gitea, Forgejo). Calling it again, for the next commit on that branch or
//! because the last answer was lost, updates the one that is open.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gitops_core::Cx;
//! use gitops_git::TokenFile;
//! use gitops_git::pull_request::{GitHub, PullRequest, PullRequests as _};
//! use std::time::Duration;
//!
//! let host = GitHub::builder("https://github.com/platform/config")
//!     .with_credentials(TokenFile::new("/run/secrets/github-token"))
//!     .build()?;
//! let wanted = PullRequest::new("shop: web 1.8.2", "update-shop", "main")
//!     .with_body("Built from commit 4f2c1ab.")
//!     .with_label("image-update");
//! let opened = host.open_or_update(&Cx::with_timeout(Duration::from_secs(60)), &wanted).await?;
//! println!("{:?}: {}", opened.outcome, opened.url);
//! # Ok(()) }
//! ```
//!
//! # Which one is updated
//! The open one from the same head to the same base; there can be one. One that was closed or merged is left alone: a new one is
//! opened, as somebody who pushes to that branch again would do. When two programs open one at the same moment, the host refuses
//! the second (HTTP status 422 or 409), which then looks again, and updates the first's.
//!
//! # What belongs to whom
//! - The title and the body are the program's: they are written when they differ from what is wanted, also if a person has
//!   changed them. (Other ends of line, and white space around, are no difference.) People say what they have to say in
//!   comments.
//! - Labels are added and never removed, whoever set them. One that the repository does not know is made.
//! - Whether it is a draft is said when it is opened, and left to people from then on.
//! - Everything else (reviewers, milestones, comments, the branch) is not touched.
//!
//! A label that cannot be added is an error, and the pull request is open by then; the next call adds it.
//!
//! # Credentials
//! What a [`crate::CredentialProvider`] gives is sent as a token, to the API's host alone: a password works nowhere, not even as
//! [`crate::Basic`]. A fine-grained token of GitHub needs the permission "Pull requests: write", and so does the App of a
//! `GitHubApp`, by `GitHubApp::with_permission("pull_requests", "write")`; one of Gitea needs `write:repository` and, for labels,
//! `write:issue`. Redirects are refused: after a repository was renamed, its new URL is needed.
//!
//! # Limits
//! An answer of more than 32 MiB and a list of more than 200 pages are errors. Each wait is bounded by [`Builder::with_timeout`], and
//! the whole by the context. Nothing is tried again but the look for the one that is open, three times, after a host has said
//! that there is one: what may pass is the caller's to try again.
//!
//! # Where the rules come from
//! GitHub: "REST API endpoints for pull requests", "… for labels", "Using pagination in the REST API", "Rate limits for the REST
//! API" and "Troubleshooting the REST API" (docs.github.com/rest, API version 2022-11-28). Gitea: the Swagger document that each
//! server has at `/api/swagger` (`repoListPullRequests`, `repoCreatePullRequest`, `repoEditPullRequest`, `issueListLabels`,
//! `orgListLabels`, `issueCreateLabel`, `issueAddLabel`) and "API Usage" (docs.gitea.com). Gitea's `/pulls/{base}/{head}` is not used:
//! it finds those that are closed, too.

mod answer;
mod api;
mod builder;
mod error;
mod gitea;
mod github;
mod link;
mod open;
mod place;
mod request;

use std::fmt;

use async_trait::async_trait;
use gitops_core::{Cx, Fault};

pub use self::builder::Builder;
pub use self::error::PullRequestError;
pub use self::gitea::Gitea;
pub use self::github::GitHub;
pub use self::request::PullRequest;

/// A host of pull requests: one repository at [`GitHub`] or [`Gitea`], or one of your own.
///
/// Share it: clones and callers share its connections.
#[async_trait]
pub trait PullRequests: fmt::Debug + Send + Sync + 'static {
    /// Sees to it that there is an open pull request as it is wanted: opens it, or updates the open one with the same head and
    /// base. However often it is called, and whatever fails in between, there is no second one.
    ///
    /// # Errors
    /// The fault's cause is a [`PullRequestError`]; its class says what to do. [`gitops_core::Class::OutcomeUnknown`] means that a
    /// request to open or change it was sent and its answer was lost. Calling again, after any error that may pass, is safe.
    ///
    /// # Cancellation
    /// It ends with the context's deadline or cancellation, or when the future is dropped. What was sent by then may have been
    /// carried out.
    async fn open_or_update(&self, cx: &Cx, wanted: &PullRequest) -> Result<Opened, Fault>;
}

/// An open pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Its number in the repository.
    pub number: u64,
    /// Its page for people.
    pub url: String,
    /// What was done.
    pub outcome: Outcome,
}

impl Opened {
    /// An answer of a host of your own.
    pub fn new(number: u64, url: impl Into<String>, outcome: Outcome) -> Self {
        Self { number, url: url.into(), outcome }
    }
}

/// What was done about a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// There was none, and now there is.
    Created,
    /// It was open, and something of it was changed.
    Updated,
    /// It was open, and already as it is wanted.
    Unchanged,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        })
    }
}
