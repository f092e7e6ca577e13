//! The manifests of files that differ.

use std::sync::Arc;

use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::{Manifest, RepoPath};
use gix::ObjectId;

use super::node::Reader;
use crate::GitError;
use crate::snapshot::{Content, blob};

/// A file's manifests, or why there are none.
pub(super) type Read = Result<Arc<[Manifest]>, String>;

/// Reads one side of a file. What cannot be read is an answer; an error is a matter of the mirror.
pub(super) fn read(reader: &Reader, path: &RepoPath, content: &Content) -> Result<Read, GitError> {
    match content {
        Content::File(id) => read_file(reader, path, *id),
        Content::Unreadable(why) => Ok(Err(why.clone())),
    }
}

fn read_file(reader: &Reader, path: &RepoPath, id: ObjectId) -> Result<Read, GitError> {
    let limits = DecodeLimits::default();
    let text = match blob(reader, path, id, limits.max_bytes) {
        Ok(text) => text,
        Err(
            error @ (GitError::FileTooLarge { .. }
            | GitError::LfsPointer { .. }
            | GitError::ObjectTooLarge { .. }),
        ) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error),
    };
    Ok(match decode(path, &text, &limits) {
        Ok(manifests) => Ok(manifests.into()),
        Err(errors) => {
            let lines: Vec<String> = errors.errors().iter().take(20).map(ToString::to_string).collect();
            Err(lines.join("; "))
        }
    })
}
