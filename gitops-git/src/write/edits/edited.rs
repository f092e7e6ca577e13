//! What the edits of manifests have in common.

use gitops_core::{Fault, RepoPath};
use gitops_edit::{EditError, Edited};

use crate::write::Files;

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
