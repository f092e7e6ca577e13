//! Whether a revision was signed by somebody who is trusted.

mod allowed_signers;
mod ancestry;
mod armor;
mod certificate;
mod check;
mod keys;
mod openpgp;
mod signed;
mod ssh;
#[cfg(test)]
mod tests;

use gix::ObjectId;

pub use keys::TrustedKeys;

use crate::GitError;
use crate::reference::commit_id;

pub(crate) use check::{Candidate, InForce};

/// What must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyMode {
    /// The commit that is deployed. Its signer vouches for all that it contains, also for what came in by a merge.
    Head,
    /// The annotated tag that is followed. What is not followed by a tag, or by one without a signature, is refused.
    Tag,
    /// Both.
    TagAndHead,
    /// Every commit that is new: reachable from the one that is deployed, also by a merge, and not from the last trusted one.
    ///
    /// Trusted is the revision in force, if it was verified itself when it was deployed, and what
    /// [`Verification::with_trusted_since`] names. Without either, that is every commit of the history, which must be verified
    /// within the deadline of one fetch, and have at most 200,000 commits.
    EveryCommit,
}

impl VerifyMode {
    pub(crate) fn needs_tag(self) -> bool {
        matches!(self, Self::Tag | Self::TagAndHead)
    }
}

/// What a source verifies before it hands out a revision. See [`crate::GitSourceBuilder::with_verification`].
///
/// A revision that fails is refused with [`GitError::Refused`], which names the key and lasts for that revision: what is in
/// force stays in force. So does one that does not descend from what is in force, signed or not: whoever can write to the
/// repository cannot bring back what was signed once.
///
/// The times in a signature, a commit and a tag are what the signer wrote there. The end of a key's validity therefore keeps
/// honest people from using an old key; to shut out a key that was stolen, take it out of the trusted keys, or revoke it.
///
/// ```no_run
/// # fn example() -> Result<(), gitops_git::GitError> {
/// use gitops_git::{GitSource, TrustedKeys, Verification, VerifyMode};
///
/// let keys = TrustedKeys::new().with_allowed_signers_file("/etc/gitops/allowed_signers")?;
/// let source = GitSource::builder("https://git.example/platform/config")
///     .with_branch("main")
///     .with_verification(Verification::new(VerifyMode::Head, keys))
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Verification {
    pub(crate) mode: VerifyMode,
    pub(crate) keys: TrustedKeys,
    pub(crate) since: Option<ObjectId>,
    pub(crate) allow_other_history: bool,
}

impl Verification {
    /// Verifies by a mode, against keys.
    pub fn new(mode: VerifyMode, keys: TrustedKeys) -> Self {
        Self { mode, keys, since: None, allow_other_history: false }
    }

    /// Trusts a commit and all that comes before it, given by its full id: where to begin in a history that was not always
    /// signed. Revisions must descend from it. What it is worth is what the id was compared with when it was written down.
    ///
    /// # Errors
    /// [`GitError::InvalidReference`] if that is no full commit id.
    pub fn with_trusted_since(mut self, commit: &str) -> Result<Self, GitError> {
        self.since = Some(commit_id(commit)?);
        Ok(self)
    }

    /// Lets a revision follow that does not descend from the one in force: for going back by the repository's reference
    /// itself, where `git revert` is not wanted, and for histories that are rewritten. Signatures are needed as before.
    #[must_use]
    pub fn allow_other_history(mut self) -> Self {
        self.allow_other_history = true;
        self
    }
}
