//! What a mirror calls the commits and tags that it keeps.

use gix::refs::transaction::PreviousValue;
use sha2::{Digest as _, Sha256};

use super::{damaged, hex};
use crate::GitError;

/// Below this are the tips of references.
pub(super) const TIPS: &str = "refs/gitops/tips/";

/// Keeps a commit or tag from being asked for again: what references lead to is what we tell the server that we have.
pub(crate) fn keep(repo: &gix::Repository, name: &str, id: gix::ObjectId) -> Result<(), GitError> {
    let known = repo.try_find_reference(name).map_err(|error| damaged(&error))?;
    if known.is_some_and(|reference| reference.target().try_id() == Some(&id)) {
        return Ok(());
    }
    repo.reference(name, id, PreviousValue::Any, "").map(drop).map_err(|error| GitError::MirrorDir {
        path: repo.path().to_owned(),
        reason: crate::error::chain(&error),
    })
}

/// The same as far as there is room for it: without, the server sends again what is there, and nothing else is lost.
pub(crate) fn try_to_keep(repo: &gix::Repository, name: &str, id: gix::ObjectId) -> Result<(), GitError> {
    match keep(repo, name, id) {
        Err(error @ GitError::MirrorDir { .. }) => {
            tracing::warn!(%error, "a commit is not noted in the mirror");
            Ok(())
        }
        done => done,
    }
}

/// The mirror's own name for a reference of the remote; by a hash, since `a` may become `a/b`.
pub(crate) fn tip_name(reference: &str) -> String {
    format!("{TIPS}{}", hash_name(reference))
}

/// The mirror's own name for the annotated tag that a reference of the remote points to.
#[cfg(feature = "verify")]
pub(crate) fn tag_name(reference: &str) -> String {
    format!("refs/gitops/tags/{}", hash_name(reference))
}

fn hash_name(reference: &str) -> String {
    hex(&Sha256::digest(reference.as_bytes())[..20])
}

/// The mirror's own name for a commit that was asked for by its id.
pub(crate) fn commit_name(id: gix::ObjectId) -> String {
    format!("refs/gitops/commits/{id}")
}
