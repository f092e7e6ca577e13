//! The manifests of files that differ.

use std::sync::Arc;

use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::{Manifest, RepoPath};
use gix::ObjectId;

use super::node::Reader;
use crate::GitError;
use crate::mirror::damaged;
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

/// How many bytes reading it takes.
pub(super) fn size(reader: &Reader, content: &Content) -> Result<u64, GitError> {
    let Content::File(id) = content else { return Ok(0) };
    let size = reader.repo.find_header(*id).map_err(|error| damaged(&error))?.size();
    // A larger file is not read.
    Ok(if size > DecodeLimits::default().max_bytes { 0 } else { size })
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
