//! What a commit is to change, and the commit that comes of it on a tip.

use std::sync::Arc;

use gitops_core::{Clock, Dice, one_line};

use super::differing::differences;
use super::error::damaged;
use super::files::{Edit, FileLimits, Files};
use super::message::Message;
use super::outcome::ChangedFile;
use super::request::{Base, CommitRequest};
use super::restore::Restore;
use super::revert::Revert;
use super::search::Silent;
use super::{Identity, WriteError, diff, pack};
use crate::stop::Stop;

/// The header that makes each commit one of a kind. Git keeps headers that it does not know.
const MARK: &str = "gitops-mark";

/// What is to be changed.
pub(super) enum Work {
    Edit(Box<dyn Edit>),
    Revert(Revert),
    Restore(Restore),
}

/// The tree that comes of it.
pub(super) struct Made {
    pub(super) tree: gix::ObjectId,
    /// What it says of what it did.
    pub(super) notes: Vec<String>,
    /// Its own message, where a request has none.
    pub(super) message: Option<String>,
}

/// All that is needed to make a commit, on whatever tip.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) request: CommitRequest,
    /// The reference that is moved, and the one that a new branch comes after.
    pub(super) reference: String,
    pub(super) onto: Option<String>,
    pub(super) author: Identity,
    pub(super) committer: Identity,
    #[cfg(feature = "sign")]
    pub(super) signing: Option<super::SigningKey>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dice: Arc<Dice>,
    pub(super) limits: FileLimits,
    pub(super) silent: Silent,
}

/// A commit that was made in memory.
#[derive(Debug, Clone)]
pub(super) struct Built {
    pub(super) commit: gix::ObjectId,
    pub(super) base: Base,
    pub(super) changed: Vec<ChangedFile>,
    pub(super) message: String,
    pub(super) pack: Arc<Vec<u8>>,
    pub(super) diff: Option<String>,
}

impl Work {
    /// Commits that must be in the mirror beside the one that is built upon.
    pub(super) fn needs(&self) -> Vec<gix::ObjectId> {
        match self {
            Self::Edit(_) => Vec::new(),
            Self::Revert(revert) => revert.needs().collect(),
            Self::Restore(restore) => vec![restore.from],
        }
    }

    /// Whether it reads history.
    pub(super) fn needs_history(&self) -> bool {
        match self {
            Self::Edit(_) | Self::Restore(_) => false,
            Self::Revert(_) => true,
        }
    }

    fn make(
        &self,
        repo: &gix::Repository,
        tree: gix::ObjectId,
        (limits, silent): (FileLimits, &Silent),
        stop: &Stop,
    ) -> Result<Made, WriteError> {
        match self {
            Self::Edit(edit) => {
                let mut files = Files::new(repo, tree, limits, silent.clone(), stop.flag());
                edit.apply(&mut files).map_err(WriteError::Edit)?;
                let (tree, notes) = files.finish()?;
                let with_notes = |subject: String| format!("{}\n\n{}", one_line(&subject), notes.join("\n"));
                let message = edit.subject().map(with_notes);
                Ok(Made { tree, notes, message })
            }
            Self::Revert(revert) => revert.make(repo, tree, stop),
            Self::Restore(restore) => restore.make(repo, tree),
        }
    }
}

impl Job {
    /// Makes the commit on a tip, in the memory of `repo`; `None` if nothing is to change there.
    pub(super) fn build(
        &self,
        repo: &gix::Repository,
        base: Base,
        stop: &Stop,
    ) -> Result<Option<Built>, WriteError> {
        let parent = tree_of(repo, base.parent)?;
        let made = self.work.make(repo, parent, (self.limits, &self.silent), stop)?;
        stop.check()?;
        if made.tree == parent {
            return Ok(None);
        }
        let differences = differences(repo, parent, made.tree, stop)?;
        let changed: Vec<ChangedFile> = differences.files.iter().map(ChangedFile::from).collect();
        let message = self.message(&made, &changed)?;
        let commit = self.commit(repo, made.tree, base.parent, message.clone())?;
        let diff = self.request.dry_run.then(|| diff::unified(repo, &differences.files)).transpose()?;
        let pack =
            if self.request.dry_run { Vec::new() } else { pack::of(repo, commit, &differences, stop)? };
        Ok(Some(Built { commit, base, changed, message, pack: Arc::new(pack), diff }))
    }

    fn message(&self, made: &Made, changed: &[ChangedFile]) -> Result<String, WriteError> {
        let lines: Vec<String> = match &*made.notes {
            [] => changed.iter().map(ToString::to_string).collect(),
            notes => notes.to_vec(),
        };
        let own = made.message.clone().unwrap_or_else(|| usual_message(&made.notes, changed));
        let message = self.request.message.clone().unwrap_or_else(|| Message::plain(own));
        let mut text = message.fill(&self.request.values, &lines)?;
        self.request.trailers.append(&mut text);
        Ok(text)
    }

    fn commit(
        &self,
        repo: &gix::Repository,
        tree: gix::ObjectId,
        parent: gix::ObjectId,
        message: String,
    ) -> Result<gix::ObjectId, WriteError> {
        let now = self.clock.now();
        // Somebody else's commit of the same change in the same second must not be taken for this one.
        let mark = (MARK.into(), format!("{:016x}", self.dice.roll()).into());
        #[cfg_attr(not(feature = "sign"), expect(unused_mut, reason = "a signature is added to it"))]
        let mut commit = gix::objs::Commit {
            tree,
            parents: [parent].into_iter().collect(),
            author: self.author.at(now),
            committer: self.committer.at(now),
            encoding: None,
            message: message.into(),
            extra_headers: vec![mark],
        };
        #[cfg(feature = "sign")]
        if let Some(key) = &self.signing {
            let mut payload = Vec::new();
            let written = gix::objs::WriteTo::write_to(&commit, &mut payload);
            written.map_err(|error| crate::GitError::Bug(format!("a commit cannot be written: {error}")))?;
            let signature = key.sign(&payload, now)?;
            commit.extra_headers.push(("gpgsig".into(), signature.into()));
        }
        repo.write_object(&commit).map(gix::Id::detach).map_err(|error| damaged(&error))
    }
}

/// What a commit says where nobody gave it a message.
fn usual_message(notes: &[String], changed: &[ChangedFile]) -> String {
    match (notes, changed) {
        ([note], _) => note.clone(),
        (_, [file]) => format!("Change {}", file.path),
        (_, files) => {
            let lines: Vec<String> = match notes {
                [] => files.iter().map(ToString::to_string).collect(),
                notes => notes.to_vec(),
            };
            format!("Change {} files\n\n{}", files.len(), lines.join("\n"))
        }
    }
}

/// The tree of a commit.
pub(super) fn tree_of(repo: &gix::Repository, commit: gix::ObjectId) -> Result<gix::ObjectId, WriteError> {
    let commit = repo.find_commit(commit).map_err(|error| damaged(&error))?;
    commit.tree_id().map(gix::Id::detach).map_err(|error| damaged(&error))
}
