//! The pack that is sent: what the new tree has and that of the commit before it has not, and the commit.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use gix::objs::tree::EntryKind as Mode;
use gix::odb::pack::{self, data::output};
use gix::progress::Discard;

use super::WriteError;
use super::differing::Differences;
use super::error::damaged;
use crate::GitError;
use crate::stop::Stop;

/// The most that is sent in one push, before compression: it is made in memory.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// The objects that the server may lack. It has the commit before, and all of that one's tree; whatever else it has, a few
/// objects more cost less than asking.
pub(super) fn of(
    repo: &gix::Repository,
    commit: gix::ObjectId,
    differences: &Differences,
    stop: &Stop,
) -> Result<Vec<u8>, WriteError> {
    let blobs = differences.files.iter().filter_map(|file| file.new);
    let blobs = blobs.filter(|(_, mode)| *mode != Mode::Commit).map(|(id, _)| id);
    let mut seen = HashSet::new();
    let mut bytes = 0_u64;
    let mut entries = Vec::new();
    for id in [commit].into_iter().chain(differences.new_trees.iter().copied()).chain(blobs) {
        if !seen.insert(id) {
            continue;
        }
        stop.check()?;
        let object = repo.find_object(id).map_err(|error| damaged(&error))?;
        bytes = bytes.saturating_add(object.data.len() as u64);
        if bytes > MAX_BYTES {
            let reason = format!("the commit has more than {MAX_BYTES} bytes that are new");
            return Err(WriteError::InvalidCommit { reason });
        }
        let data = gix::objs::Data { kind: object.kind, object_hash: id.kind(), data: &object.data };
        let count = output::Count::from_data(id, None);
        let entry = output::Entry::from_data(&count, &data, gix::zlib::Compression::DEFAULT);
        entries.push(entry.map_err(|error| damaged(&error))?);
    }
    let count = u32::try_from(entries.len()).map_err(|_| GitError::Bug("too many objects".into()))?;
    let mut packed = Vec::new();
    let input = std::iter::once(Ok(entries));
    let kind = gix::hash::Kind::Sha1;
    for written in
        output::bytes::FromEntriesIter::new(input, &mut packed, count, pack::data::Version::V2, kind)
    {
        written.map_err(|error| damaged(&error))?;
    }
    Ok(packed)
}

/// Keeps a pack in a repository, so that what was pushed need not be fetched.
pub(super) fn keep(packed: &[u8], repository: &Path, stop: &Stop) -> gix::Result<()> {
    let mut packed = packed;
    let written = pack::Bundle::write_to_directory(
        &mut packed,
        Some(&repository.join("objects/pack")),
        &mut Discard,
        stop.flag(),
        None::<gix::OdbHandle>,
        gix::hash::Kind::Sha1,
        pack::bundle::write::Options::default(),
    )?;
    if let Some(keep) = written.keep_path {
        fs::remove_file(keep).map_err(gix::Error::from_error)?;
    }
    Ok(())
}
