//! What can go wrong when a commit is made and pushed.

use gitops_core::{Class, Fault};

use crate::GitError;

/// Why a commit did not land, or why nobody knows whether it did. [`Self::class`] says what to do about it.
///
/// It is the [source](Fault::source) of the faults of [`crate::write::GitWriter`], where the reading part did not fail
/// ([`GitError`]), nor the edit itself, whose fault is handed on as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The reading part failed, or the conversation with the server.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The edit failed.
    #[error(transparent)]
    Edit(Fault),
    /// An identity, a message or a trailer cannot be part of a commit.
    #[error("no commit can be made: {reason}")]
    InvalidCommit {
        /// What is wrong with it.
        reason: String,
    },
    /// The key that is to sign commits cannot be used.
    #[error("the signing key cannot be used: {reason}")]
    SigningKey {
        /// What is wrong, without the key.
        reason: String,
    },
    /// An edit wants to change something that is no file of the tree, or more than allowed.
    #[error("{path:?} cannot be changed: {reason}")]
    InvalidEdit {
        /// The path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A branch that was to be new is there already.
    #[error(
        "the branch {branch} is there already: choose another name, or allow it to be added to or replaced"
    )]
    BranchExists {
        /// The branch.
        branch: String,
    },
    /// A commit cannot be reverted, because what it changed was changed again.
    #[error("reverting {commit} conflicts in {}: revert what came after it first, or edit the files", paths.join(", "))]
    Conflict {
        /// The commit.
        commit: String,
        /// The files in which it conflicts.
        paths: Vec<String>,
    },
    /// What is to be reverted cannot be.
    #[error("{commit} cannot be reverted: {reason}")]
    CannotRevert {
        /// The commit.
        commit: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The server does not take the push: a rule of its own forbids it.
    #[error("the server refused to update {reference}: {reason}")]
    PushRefused {
        /// The reference.
        reference: String,
        /// What the server said.
        reason: String,
    },
    /// Others were faster, each time; nothing has landed.
    #[error("the commit has not landed on {reference} in {attempts} attempts: {last}")]
    NotLanded {
        /// The reference.
        reference: String,
        /// How many attempts there were.
        attempts: u32,
        /// Why the last one failed.
        last: String,
    },
    /// The connection was lost, or the caller stopped waiting, after a commit was sent. Ask later with
    /// [`crate::write::GitWriter::has_landed`].
    #[error("it is not known whether commit {commit} has landed on {reference}: {reason}")]
    OutcomeUnknown {
        /// The commit.
        commit: String,
        /// The reference.
        reference: String,
        /// What happened.
        reason: String,
    },
}

impl WriteError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Git(error) => error.class(),
            Self::Edit(fault) => fault.class,
            Self::InvalidCommit { .. }
            | Self::SigningKey { .. }
            | Self::InvalidEdit { .. }
            | Self::BranchExists { .. }
            | Self::Conflict { .. }
            | Self::CannotRevert { .. } => Class::Invalid,
            Self::PushRefused { .. } => Class::Denied,
            Self::NotLanded { .. } => Class::RETRY,
            Self::OutcomeUnknown { .. } => Class::OutcomeUnknown,
        }
    }

    /// Whether it is the mirror that is at fault, also where an edit came upon it.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Git(error) => matches!(error, GitError::Damaged { .. }),
            Self::Edit(fault) => matches!(fault.source.downcast_ref(), Some(GitError::Damaged { .. })),
            _ => false,
        }
    }

    /// Whether the server does not have what it named, or has it no more.
    pub(super) fn is_not_found(&self) -> bool {
        match self {
            Self::Edit(fault) => {
                matches!(fault.source.downcast_ref(), Some(GitError::RevisionNotFound { .. }))
            }
            _ => false,
        }
    }

    /// As callers get it.
    pub(super) fn at(self, place: impl std::fmt::Display) -> Fault {
        match self {
            Self::Git(error) => error.at(place),
            Self::Edit(fault) if fault.at.is_some() => fault,
            Self::Edit(fault) => fault.at(place.to_string()),
            other => Fault::new(other.class(), other).at(place.to_string()),
        }
    }
}

/// An error of the object database: what was there is not, or cannot be read.
pub(super) fn damaged(error: &gix::Error) -> WriteError {
    WriteError::Git(crate::mirror::damaged(error))
}
