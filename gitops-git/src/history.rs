//! Who made a commit, and what it follows.

use gitops_core::{Person, Provenance, Timestamp};
use gix::bstr::ByteSlice as _;

use crate::GitError;
use crate::mirror::damaged;
use crate::stop::Stop;

/// How many commits are looked at to tell whether one descends from another. A history that is longer than this since the
/// last fetch is no longer searched: then nothing is said about force-pushes.
const MAX_WALK: usize = 200_000;

/// Author, committer, time and message of a commit. The names are what the commit claims.
pub(crate) fn provenance(repo: &gix::Repository, id: gix::ObjectId) -> Result<Provenance, GitError> {
    let commit = repo.find_commit(id).map_err(|error| damaged(&error))?;
    let decoded = commit.decode().map_err(|error| damaged(&error))?;
    let author = decoded.author().ok();
    let committer = decoded.committer().ok();
    let mut provenance = Provenance::default();
    provenance.author = author.map(person);
    provenance.committer = committer.map(person);
    provenance.time = committer
        .and_then(|signature| signature.time().ok())
        .and_then(|time| Timestamp::from_second(time.seconds).ok());
    provenance.message = decoded.message.to_str_lossy().into_owned();
    Ok(provenance)
}

fn person(signature: gix::actor::SignatureRef<'_>) -> Person {
    Person {
        name: signature.name.trim().to_str_lossy().into_owned(),
        email: signature.email.trim().to_str_lossy().into_owned(),
    }
}

/// The commit that a reference pointed to before, if `id` does not descend from it.
pub(crate) fn rewritten(
    repo: &gix::Repository,
    previous: Option<gix::ObjectId>,
    id: gix::ObjectId,
    stop: &Stop,
) -> Result<Option<gix::ObjectId>, GitError> {
    match previous {
        Some(previous) if descends(repo, id, previous, stop)? == Some(false) => Ok(Some(previous)),
        _ => Ok(None),
    }
}

/// Whether `id` is `ancestor` or comes after it; None if that would take too long to tell.
fn descends(
    repo: &gix::Repository,
    id: gix::ObjectId,
    ancestor: gix::ObjectId,
    stop: &Stop,
) -> Result<Option<bool>, GitError> {
    let order = gix::revision::walk::Sorting::ByCommitTime(
        gix::traverse::commit::simple::CommitTimeOrder::NewestFirst,
    );
    let walk = repo.rev_walk([id]).sorting(order).all().map_err(|error| damaged(&error))?;
    for (seen, commit) in walk.enumerate() {
        if seen >= MAX_WALK {
            return Ok(None);
        }
        if seen % 256 == 0 {
            stop.check()?;
        }
        if commit.map_err(|error| damaged(&error))?.id == ancestor {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}
