//! All packs of a mirror as one, without the network.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Write as _};
use std::path::Path;

use gix::odb::pack::{self, data::output};
use gix::parallel::InOrderIter;
use gix::progress::Discard;

use crate::GitError;
use crate::error::chain;
use crate::mirror::damaged;
use crate::stop::Stop;

/// Copies all objects below `from` (an `objects` directory) into one pack below `to`. Deltas stay deltas where both
/// parts were in one pack.
pub(crate) fn repack(from: &Path, to: &Path, stop: &Stop) -> Result<(), GitError> {
    let pack_dir = to.join("pack");
    // Named so that it is cleared like anything else that a killed process leaves.
    let staged = pack_dir.join("repack.tmp");
    let written = write(from, &staged, stop).and_then(|()| index(&staged, &pack_dir, stop));
    let _ = fs::remove_file(&staged);
    written.map_err(|error| {
        if let Err(stopped) = stop.check() {
            stopped
        } else if has_no_room(&error) {
            GitError::MirrorDir { path: to.to_owned(), reason: chain(&error) }
        } else {
            damaged(&error)
        }
    })
}

/// Whether it could not be written: then nothing is wrong with what was read.
fn has_no_room(error: &gix::Error) -> bool {
    let mut kinds = error.iter_errors().filter_map(|error| Some(error.downcast_ref::<io::Error>()?.kind()));
    kinds.any(|kind| {
        matches!(
            kind,
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::FileTooLarge
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::PermissionDenied
        )
    })
}

fn write(from: &Path, staged: &Path, stop: &Stop) -> gix::Result<()> {
    let hash = gix::hash::Kind::Sha1;
    let mut objects =
        gix::odb::at(from, hash).and_then(gix::odb::Handle::into_arc).map_err(gix::Error::from_error)?;
    // Entries are copied by their place in a pack, so that packs must stay where they are.
    objects.prevent_pack_unload();
    let mut seen = HashSet::new();
    // An object may be in several packs.
    let mut ids = objects
        .iter()?
        .filter(|id| id.as_ref().map_or(true, |id| seen.insert(*id)))
        .map(|id| id.map_err(gix::Error::from_error));
    let (counts, _) = output::count::objects_unthreaded(
        &objects,
        &mut ids,
        &Discard,
        stop.flag(),
        output::count::objects::ObjectExpansion::AsIs,
    )?;
    let total = u32::try_from(counts.len())
        .map_err(|_| gix::Error::from_error(io::Error::other("no pack holds that many objects")))?;
    let entries = output::entry::iter_from_counts(
        counts,
        objects,
        Box::new(Discard),
        output::entry::iter_from_counts::Options { thread_limit: Some(1), ..Default::default() },
    )?;
    let file = BufWriter::new(File::create(staged).map_err(gix::Error::from_error)?);
    let mut bytes = output::bytes::FromEntriesIter::new(
        InOrderIter::from(entries),
        file,
        total,
        pack::data::Version::V2,
        hash,
    );
    for written in bytes.by_ref() {
        written?;
        stop.check().map_err(|error| gix::Error::from_error(io::Error::other(error)))?;
    }
    bytes.into_write().flush().map_err(gix::Error::from_error)
}

/// Checks the pack, and puts it and its index in place.
fn index(staged: &Path, pack_dir: &Path, stop: &Stop) -> gix::Result<()> {
    let mut pack = BufReader::new(File::open(staged).map_err(gix::Error::from_error)?);
    let written = pack::Bundle::write_to_directory(
        &mut pack,
        Some(pack_dir),
        &mut Discard,
        stop.flag(),
        None::<gix::OdbHandle>,
        gix::hash::Kind::Sha1,
        pack::bundle::write::Options::default(),
    )?;
    written.keep_path.map_or(Ok(()), fs::remove_file).map_err(gix::Error::from_error)
}
