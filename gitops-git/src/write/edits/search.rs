//! The files of manifests below a path.

use gitops_core::{EntryKind, Fault, PlainManifests, RepoPath};
use gitops_edit::{EditError, Edited};

use crate::write::Files;

/// Files below one path: whoever looks through more has the wrong path.
const MAX_FILES: usize = 100_000;

/// The YAML and JSON files at and below a path, in the order of their paths. As with manifests, what has a name that begins
/// with a dot is left out.
pub(super) fn manifest_files(files: &Files<'_>, path: &RepoPath) -> Result<Vec<RepoPath>, Fault> {
    let mut found = Vec::new();
    let mut dirs = vec![path.clone()];
    while let Some(dir) = dirs.pop() {
        let mut below = Vec::new();
        for entry in files.list(&dir)?.into_iter().filter(|entry| !entry.name.starts_with('.')) {
            let path = dir.join(&entry.name).map_err(Fault::invalid)?;
            match entry.kind {
                EntryKind::Directory => below.push(path),
                EntryKind::File if PlainManifests::is_manifest(&entry.name) => found.push(path),
                _ => {}
            }
        }
        // The first is the next.
        dirs.extend(below.into_iter().rev());
        if found.len() > MAX_FILES {
            let problem = format!("there are more than {MAX_FILES} files: choose a path further down");
            return Err(Fault::invalid(problem).at(path));
        }
    }
    // The path may be that of a file.
    if found.is_empty() && !path.is_root() && files.read(path)?.is_some() {
        found.push(path.clone());
    }
    found.sort();
    Ok(found)
}

/// Whether a file may be about something that is written with these letters. Cheaper than to parse it.
pub(super) fn mentions(content: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    text.is_empty() || content.windows(text.len()).any(|part| part == text)
}

/// Puts an edited file in the place of the old one, and notes what changed.
pub(super) fn put(files: &mut Files<'_>, path: &RepoPath, edited: Edited) -> Result<(), Fault> {
    if edited.is_unchanged() {
        return Ok(());
    }
    for change in &edited.changes {
        files.note(change.to_string());
    }
    files.write(path, edited.bytes)
}

/// An error of the editor, which says where it is.
pub(super) fn failed(error: EditError) -> Fault {
    Fault::new(error.class(), error)
}
