//! What can go wrong with pull requests, and what to do about it.

use std::time::Duration;

use gitops_core::{Class, Fault};

use crate::GitError;

/// An error of a host of pull requests. [`Self::class`] says what to do about it.
///
/// None holds a credential. What a server says is shown as one short line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullRequestError {
    /// No host could open what is wanted.
    #[error("the pull request cannot be made: {reason}")]
    InvalidRequest {
        /// What is wrong with it.
        reason: String,
    },
    /// The settings, the connection or the credential provider.
    #[error(transparent)]
    Connection(#[from] GitError),
    /// The host wants a credential, does not take this one, or does not allow it to do this.
    #[error("access was denied: {detail}; may the token write pull requests of this repository?")]
    Denied {
        /// What the host said.
        detail: String,
    },
    /// The host knows no such thing, or does not show it to this credential.
    #[error(
        "nothing was found: {detail}; there is no such repository or branch, or the token has no rights to see it"
    )]
    NotFound {
        /// What the host said.
        detail: String,
    },
    /// The host does not take what is wanted: there is no such branch, there are no commits between the two, ….
    #[error("the pull request was refused: {detail}")]
    Refused {
        /// What the host said.
        detail: String,
    },
    /// The host says that one is open already, and does not list it, however often it is asked.
    #[error("the host says that it is open already, and does not list it: {detail}")]
    AlreadyOpen {
        /// What the host said.
        detail: String,
    },
    /// It was closed while it was updated, and so was its successor.
    #[error("pull request {number} was closed while it was updated, and others before it")]
    ClosedMeanwhile {
        /// The last of them.
        number: u64,
    },
    /// The host points to another place.
    #[error("a redirect to {to} was refused: if the repository was renamed or moved, use its new URL")]
    RedirectRefused {
        /// Where to, without user information and query.
        to: String,
    },
    /// The host has trouble, or asks to come back later.
    #[error("the host answered with {detail}")]
    ServerTrouble {
        /// What the host said.
        detail: String,
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
    },
    /// A request that changes something was sent, and its answer was lost, or the caller's time was over before the whole was done:
    /// it may have been carried out. Calling again finds out.
    #[error("{doing} was sent and not answered in time: it may have happened ({reason})")]
    OutcomeUnknown {
        /// What was asked for.
        doing: &'static str,
        /// Why there is no answer.
        reason: String,
    },
    /// What answers is no such API.
    #[error("the answer is not one of {api}: {detail}; is its URL right?")]
    NotTheApi {
        /// Which API was expected.
        api: &'static str,
        /// What came instead.
        detail: String,
    },
    /// The host lists more than is read.
    #[error("the host lists more than {limit} pages of {what}")]
    TooManyPages {
        /// What it lists.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl PullRequestError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::InvalidRequest { .. }
            | Self::Refused { .. }
            | Self::RedirectRefused { .. }
            | Self::NotTheApi { .. }
            | Self::TooManyPages { .. } => Class::Invalid,
            Self::Connection(error) => error.class(),
            Self::Denied { .. } => Class::Denied,
            Self::NotFound { .. } => Class::NotFound,
            Self::AlreadyOpen { .. } | Self::ClosedMeanwhile { .. } => Class::RETRY,
            Self::ServerTrouble { retry_after, .. } => Class::Retry { after: *retry_after },
            Self::OutcomeUnknown { .. } => Class::OutcomeUnknown,
        }
    }

    pub(super) fn at(self, place: &str) -> Fault {
        Fault::new(self.class(), self).at(place)
    }

    /// The same after a request that changes something was sent, if it is not known whether that was carried out.
    pub(super) fn of_write(self, doing: &'static str) -> Self {
        let lost = matches!(
            &self,
            Self::Connection(
                GitError::Unreachable { .. }
                    | GitError::Silent { .. }
                    | GitError::Protocol { .. }
                    | GitError::Deadline
                    | GitError::Cancelled,
            )
        );
        if lost { Self::OutcomeUnknown { doing, reason: self.to_string() } } else { self }
    }
}
