//! [`GitWriter`]: commits on a branch, without a checkout.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gitops_core::{Backoff, Clock, Cx, Dice, Fault, RepoPath, Revision, SystemClock};

use super::attempt::descends;
use super::base::{Needed, Role};
use super::files::{Edit, FileLimits};
use super::outcome::Outcome;
use super::request::{CommitRequest, Target};
use super::restore::Restore;
use super::revert::Revert;
use super::run::Run;
use super::search::Silent;
use super::work::{Job, Work};
use super::{Identity, WriteError};
use crate::GitSource;
use crate::mirror::Depth;
use crate::reference::commit_id;
use crate::stop;

/// Makes commits on the branches of a [`GitSource`]'s repository, and pushes them, with that source's credentials and limits.
///
/// # What lands
/// A commit is made in memory, on the tip that the server names, and pushed with that tip as the expected one: if somebody
/// else was faster, the server refuses, and the *change* is made again on the new tip, after a wait that grows and is partly
/// left to chance. So nothing that others pushed is ever undone, and no merge is made. Whether a commit landed is known also
/// when the connection breaks after it was sent: then the server is asked, until the answer is certain or the attempts are
/// used up ([`WriteError::OutcomeUnknown`]).
///
/// Each commit has a mark of its own, in a header `gitops-mark`: a writer takes nobody else's commit for its own, were it of the same
/// change in the same second. Only what was written is sent; objects of attempts that failed are kept nowhere.
///
/// # Cancellation
/// With the context's deadline or cancellation, an operation ends soon: with [`WriteError::OutcomeUnknown`] if a commit was
/// sent by then and its fate is open, and else nothing has landed. When the future is dropped in the middle, a commit may
/// land unseen.
///
/// # Errors
/// All operations fail with a [`Fault`] that holds a [`WriteError`] or, where the reading part failed, a [`GitError`](crate::GitError).
#[derive(Clone)]
pub struct GitWriter {
    pub(super) source: GitSource,
    author: Identity,
    committer: Option<Identity>,
    pub(super) attempts: u32,
    pub(super) backoff: Backoff,
    limits: FileLimits,
    silent: Silent,
    #[cfg(feature = "sign")]
    signing: Option<super::SigningKey>,
    clock: Arc<dyn Clock>,
    pub(super) dice: Arc<Dice>,
}

impl fmt::Debug for GitWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitWriter")
            .field("source", &self.source)
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}

impl GitSource {
    /// What commits to this repository, as `author`. It has the source's mirror, credentials and limits. Where the source
    /// verifies the commits of branches, nothing is built upon one that may not be trusted.
    pub fn writer(&self, author: Identity) -> GitWriter {
        let mut backoff = Backoff::default();
        // Half of a wait at least is left to chance: who lost the same race must not meet again.
        (backoff.base, backoff.max, backoff.jitter) =
            (Duration::from_millis(100), Duration::from_secs(5), 0.9);
        GitWriter {
            source: self.clone(),
            author,
            committer: None,
            attempts: 10,
            backoff,
            limits: FileLimits { file: 16 * 1024 * 1024, written: 256 * 1024 * 1024 },
            silent: Silent::default(),
            #[cfg(feature = "sign")]
            signing: None,
            clock: Arc::new(SystemClock),
            dice: Arc::new(Dice::random()),
        }
    }
}

impl GitWriter {
    /// Another committer than the author, who is it otherwise.
    #[must_use]
    pub fn with_committer(mut self, committer: Identity) -> Self {
        self.committer = Some(committer);
        self
    }

    /// Signs each commit.
    #[cfg(feature = "sign")]
    #[must_use]
    pub fn with_signing_key(mut self, key: super::SigningKey) -> Self {
        self.signing = Some(key);
        self
    }

    /// How many commits are made, one after the other, until one lands; 10 by default, at least 1.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How long to wait after a lost race: by default 100 ms, doubling up to 5 s, of which nine tenths are left to chance.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The largest file that an edit may read or write; 16 MiB by default.
    #[must_use]
    pub fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.limits.file = bytes;
        self
    }

    /// Where the times of commits come from.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where the chance in waits and in the marks of commits comes from. Writers of one branch must not have the same.
    #[must_use]
    pub fn with_dice(mut self, dice: Dice) -> Self {
        self.dice = Arc::new(dice);
        self
    }

    /// Makes an edit, and commits it. The edit is made again for each attempt.
    pub async fn commit(
        &self,
        cx: &Cx,
        request: &CommitRequest,
        edit: impl Edit + 'static,
    ) -> Result<Outcome, Fault> {
        self.run(cx, request, Work::Edit(Box::new(edit))).await
    }

    /// Undoes what commits changed, and keeps what came after them: a three-way merge for each, as by `git revert`, and one
    /// commit for all. Without a message of the request, it has Git's.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] names the files in which what was changed has been changed again.
    /// [`WriteError::CannotRevert`] asks for the parent to go back to, if a commit is a merge.
    pub async fn revert(&self, cx: &Cx, request: &CommitRequest, revert: &Revert) -> Result<Outcome, Fault> {
        self.run(cx, request, Work::Revert(revert.clone())).await
    }

    /// Puts a file, or a directory with all that is in it, back to what it was at a revision; what is there beside it goes away.
    ///
    /// # Errors
    /// [`GitError::PathNotFound`](crate::GitError::PathNotFound) if there was nothing at the path.
    pub async fn restore(
        &self,
        cx: &Cx,
        request: &CommitRequest,
        path: &RepoPath,
        revision: &Revision,
    ) -> Result<Outcome, Fault> {
        self.put_back(cx, request, path, revision, "Restore").await
    }

    /// Puts all of an application's path back to what it was at a revision: the last good one, as a rule. It differs from
    /// [`restore`](Self::restore) in the message only.
    ///
    /// # Errors
    /// As for [`restore`](Self::restore).
    pub async fn rollback_to(
        &self,
        cx: &Cx,
        request: &CommitRequest,
        path: &RepoPath,
        revision: &Revision,
    ) -> Result<Outcome, Fault> {
        self.put_back(cx, request, path, revision, "Roll back").await
    }

    async fn put_back(
        &self,
        cx: &Cx,
        request: &CommitRequest,
        path: &RepoPath,
        revision: &Revision,
        verb: &'static str,
    ) -> Result<Outcome, Fault> {
        let from = commit_id(&revision.id).map_err(|error| error.at(self.source.place(&revision.id)))?;
        self.run(cx, request, Work::Restore(Restore { path: path.clone(), from, verb })).await
    }

    /// Whether a commit is on a branch of the server's, as its tip or before that: for one of which that was not known
    /// ([`WriteError::OutcomeUnknown`]). A commit that has not landed yet may still do so while the server is at work.
    pub async fn has_landed(&self, cx: &Cx, branch: &str, commit: &Revision) -> Result<bool, Fault> {
        let source = &self.source;
        let (reference, _) =
            Target::branch(branch).references().map_err(|error| error.at(&source.remote().identity))?;
        let asked = async {
            let id = commit_id(&commit.id)?;
            let Some(tip) = source.tips(cx, vec![reference.clone()]).await?.remove(&reference) else {
                return Ok(false);
            };
            if tip == id {
                return Ok(true);
            }
            let needed = Needed { id: tip, role: Role::Seen };
            source
                .obtain_for_writing(cx, needed, Depth::Whole, &reference)
                .await
                .map_err(WriteError::Edit)?;
            let repository = source.repository(cx, Depth::Whole).await.map_err(WriteError::Edit)?;
            let object_bytes = source.remote().limits.object_bytes;
            let found = stop::run(cx, move |stop| {
                let repo = repository.open(object_bytes)?;
                Ok(descends(&repo, tip, id, [], stop))
            });
            found.await?
        };
        asked.await.map_err(|error: WriteError| error.at(source.place(&reference)))
    }

    pub(super) async fn run(&self, cx: &Cx, request: &CommitRequest, work: Work) -> Result<Outcome, Fault> {
        let (reference, onto) =
            request.target.references().map_err(|error| error.at(&self.source.remote().identity))?;
        let place = self.source.place(&reference);
        let author = request.author.clone().unwrap_or_else(|| self.author.clone());
        let job = Arc::new(Job {
            work,
            request: request.clone(),
            reference,
            onto,
            committer: self.committer.clone().unwrap_or_else(|| self.author.clone()),
            author,
            #[cfg(feature = "sign")]
            signing: self.signing.clone(),
            clock: self.clock.clone(),
            dice: self.dice.clone(),
            limits: self.limits,
            silent: self.silent.clone(),
        });
        let mut run = Run::new(self, cx, job);
        run.run().await.map_err(|error| error.at(place))
    }
}
