//! A commit, as a history shows it.

use gitops_core::Timestamp;
use gix::bstr::ByteSlice as _;

use super::message::{self, Trailer};
use crate::GitError;
use crate::mirror::damaged;

/// A commit of a history. What it says of people and times is a claim of whoever made it.
///
/// Texts are UTF-8; what is not is shown with replacement characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The full id, in hexadecimal digits.
    pub id: String,
    /// The ids of the commits that it follows, as they are in the commit.
    pub parents: Vec<String>,
    /// Who made the change.
    pub author: Actor,
    /// Who put it into the history; the time here is what limits and order go by.
    pub committer: Actor,
    /// Why: the whole message.
    pub message: String,
    /// Whether it carries a signature, of whatever kind. Nothing is said about whether that is good.
    pub signed: bool,
    /// Whether the mirror does not have some of its parents, as at the end of a shallow one: what it changed, and what
    /// was before, cannot be told.
    pub boundary: bool,
}

/// Who did something to a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Actor {
    /// The name.
    pub name: String,
    /// The mail address; may be empty.
    pub email: String,
    /// When; none where the commit does not say so in a way that can be read.
    pub time: Option<Timestamp>,
}

impl Commit {
    /// The first paragraph of the message as one line, as `git log --format=%s` shows it.
    pub fn subject(&self) -> String {
        message::subject(&self.message)
    }

    /// What follows the first paragraph, as `git log --format=%b` shows it.
    pub fn body(&self) -> &str {
        message::body(&self.message)
    }

    /// The trailers of the message, in their order, as `git interpret-trailers --parse` finds them.
    pub fn trailers(&self) -> Vec<Trailer> {
        message::trailers(&self.message)
    }

    /// Reads one that is in the repository.
    pub(super) fn read(repo: &gix::Repository, id: gix::ObjectId, boundary: bool) -> Result<Self, GitError> {
        let commit = repo.find_commit(id).map_err(|error| damaged(&error))?;
        let decoded = commit.decode().map_err(|error| damaged(&error))?;
        let signed = decoded.extra_headers().find_pos("gpgsig").is_some()
            || decoded.extra_headers().find_pos("gpgsig-sha256").is_some();
        Ok(Self {
            id: id.to_string(),
            parents: decoded.parents().map(|parent| parent.to_string()).collect(),
            author: decoded.author().map(actor).unwrap_or_default(),
            committer: decoded.committer().map(actor).unwrap_or_default(),
            message: decoded.message.to_str_lossy().into_owned(),
            signed,
            boundary,
        })
    }
}

fn actor(signature: gix::actor::SignatureRef<'_>) -> Actor {
    Actor {
        name: signature.name.trim().to_str_lossy().into_owned(),
        email: signature.email.trim().to_str_lossy().into_owned(),
        time: signature.time().ok().and_then(|time| Timestamp::from_second(time.seconds).ok()),
    }
}
