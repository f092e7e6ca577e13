//! Whether a revision may be handed out.

use gitops_core::{Revision, Signer};
use gix::ObjectId;
use gix::objs::Kind;

use super::ancestry::{self, Failed};
use super::signed;
use super::{Verification, VerifyMode};
use crate::GitError;
use crate::mirror::damaged;
use crate::reference::commit_id;
use crate::refusal::Refusal;
use crate::stop::Stop;

/// What is to be verified. All of it is in the repository, but for what is in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) commit: ObjectId,
    /// The annotated tag that was followed to it.
    pub(crate) tag: Option<ObjectId>,
    /// What was followed, in full.
    pub(crate) reference: Option<&'a str>,
    pub(crate) in_force: Option<&'a InForce>,
}

/// What is in force, as the target has recorded it.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    commit: ObjectId,
    /// Who had signed it when it was verified; empty if it was not.
    signers: Vec<Signer>,
}

impl InForce {
    pub(crate) fn new(revision: &Revision) -> Result<Self, GitError> {
        Ok(Self { commit: commit_id(&revision.id)?, signers: revision.signers().to_vec() })
    }

    /// Whether this is the very commit, and was verified before it came in force. It stays there though keys may have changed.
    pub(crate) fn vouches_for(&self, commit: ObjectId) -> bool {
        self.commit == commit && !self.signers.is_empty()
    }
}

impl Verification {
    /// Who signed a revision: its tag first, then its commit. One that may not be trusted is [`GitError::Refused`].
    pub(crate) fn check(
        &self,
        repo: &gix::Repository,
        candidate: Candidate<'_>,
        stop: &Stop,
    ) -> Result<Vec<Signer>, GitError> {
        let Candidate { commit, in_force, .. } = candidate;
        if let Some(in_force) = in_force.filter(|in_force| in_force.vouches_for(commit)) {
            return Ok(in_force.signers.clone());
        }
        let about_commit = |why| refused(format!("commit {commit}"), why);
        readable(repo, commit)?.map_err(about_commit)?;
        self.check_descent(repo, candidate, stop)?.map_err(about_commit)?;
        let mut signers = Vec::new();
        if self.mode.needs_tag() {
            signers.push(self.check_tag(repo, candidate)?);
        }
        if self.mode == VerifyMode::EveryCommit {
            self.check_new(repo, candidate, stop)?;
        }
        // Whoever gave the id of a commit that is to be trusted has vouched for it.
        if self.mode != VerifyMode::Tag && self.since != Some(commit) {
            signers.push(self.check_commit(repo, commit)?.map_err(about_commit)?);
        }
        Ok(signers)
    }

    /// Whether a revision comes after all that it must come after.
    fn check_descent(
        &self,
        repo: &gix::Repository,
        candidate: Candidate<'_>,
        stop: &Stop,
    ) -> Result<Result<(), Refusal>, GitError> {
        let in_force =
            candidate.in_force.filter(|_| !self.allow_other_history).map(|in_force| in_force.commit);
        let ancestors = [(in_force, "in force"), (self.since, "trusted from the start")];
        for (ancestor, what) in ancestors {
            let Some(ancestor) = ancestor else { continue };
            match descends(repo, candidate.commit, ancestor, stop) {
                Ok(true) => {}
                Ok(false) => return Ok(Err(Refusal::NotDescended { ancestor: ancestor.to_string(), what })),
                Err(failed) => return failed.refusal().map(Err),
            }
        }
        Ok(Ok(()))
    }

    fn check_tag(&self, repo: &gix::Repository, candidate: Candidate<'_>) -> Result<Signer, GitError> {
        let reference = candidate.reference.unwrap_or("a commit by its id");
        let name = reference.strip_prefix("refs/tags/");
        let about =
            |why| refused(name.map_or_else(|| reference.to_owned(), |name| format!("tag {name}")), why);
        let (Some(id), Some(name)) = (candidate.tag, name) else {
            return Err(about(Refusal::NoTag { reference: reference.to_owned() }));
        };
        let raw = repo.find_object(id).map_err(|error| damaged(&error))?;
        if raw.kind != Kind::Tag {
            return Err(about(Refusal::NoTag { reference: reference.to_owned() }));
        }
        let tag = signed::tag(&raw.data).map_err(about)?;
        let signer = self.keys.verify(&tag.signed).map_err(about)?;
        if tag.name != name.as_bytes() {
            let written = String::from_utf8_lossy(tag.name).chars().take(200).collect();
            return Err(about(Refusal::TagName { signed: written, reference: name.to_owned() }));
        }
        if peel(repo, tag.target)? != Some(candidate.commit) {
            return Err(about(Refusal::TagTarget { tag: id.to_string() }));
        }
        Ok(signer)
    }

    fn check_commit(
        &self,
        repo: &gix::Repository,
        id: ObjectId,
    ) -> Result<Result<Signer, Refusal>, GitError> {
        let raw = repo.find_object(id).map_err(|error| damaged(&error))?;
        Ok(signed::commit(&raw.data).and_then(|signed| self.keys.verify(&signed)))
    }

    /// Whether all commits are signed that are neither trusted nor come before what is.
    fn check_new(
        &self,
        repo: &gix::Repository,
        candidate: Candidate<'_>,
        stop: &Stop,
    ) -> Result<(), GitError> {
        let about = |id: ObjectId, why| refused(format!("commit {id}"), why);
        let failed = |failed: Failed| match failed.refusal() {
            Ok(why) => about(candidate.commit, why),
            Err(error) => error,
        };
        let verified = candidate.in_force.filter(|in_force| !in_force.signers.is_empty());
        let trusted: Vec<_> = verified
            .map(|in_force| in_force.commit)
            .into_iter()
            .chain(self.since)
            .filter(|id| is_commit(repo, *id))
            .collect();
        let mut old = None;
        for id in ancestry::new_commits(repo, candidate.commit, &trusted, stop).map_err(failed)?.commits {
            stop.check()?;
            let Err(why) = self.check_commit(repo, id)? else { continue };
            let old = match &old {
                Some(old) => old,
                None => old.insert(ancestry::all(repo, &trusted, stop).map_err(failed)?),
            };
            if !old.contains(&id) {
                return Err(about(id, why));
            }
        }
        Ok(())
    }
}

fn is_commit(repo: &gix::Repository, id: ObjectId) -> bool {
    repo.find_header(id).is_ok_and(|header| header.kind() == Kind::Commit)
}

/// Whether a commit can be read: what is signed is its bytes, what counts later is what they mean.
fn readable(repo: &gix::Repository, id: ObjectId) -> Result<Result<(), Refusal>, GitError> {
    let commit = repo.find_commit(id).map_err(|error| damaged(&error))?;
    Ok(ancestry::parents_of(&commit).map(drop))
}

fn refused(object: String, why: Refusal) -> GitError {
    GitError::Refused { object, why }
}

/// Whether a commit is another one or comes after it. What is not in the repository is no ancestor: all ancestors are there.
fn descends(repo: &gix::Repository, id: ObjectId, ancestor: ObjectId, stop: &Stop) -> Result<bool, Failed> {
    if id == ancestor {
        return Ok(true);
    }
    if !is_commit(repo, ancestor) {
        return Ok(false);
    }
    Ok(ancestry::new_commits(repo, id, &[ancestor], stop)?.reached(ancestor))
}

/// The commit that a tag is of, through further tags; none if it is of something else.
fn peel(repo: &gix::Repository, mut id: ObjectId) -> Result<Option<ObjectId>, GitError> {
    for _ in 0..10 {
        let object = repo.find_object(id).map_err(|error| damaged(&error))?;
        match object.kind {
            Kind::Commit => return Ok(Some(id)),
            Kind::Tag => match signed::target(&object.data) {
                Some(target) => id = target,
                None => return Ok(None),
            },
            Kind::Tree | Kind::Blob => return Ok(None),
        }
    }
    Ok(None)
}
