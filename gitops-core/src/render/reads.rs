//! What a rendering read, so that the next revision is rendered only if that changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Entry, Fault, RepoPath, Revision, Snapshot, TreeId};

/// The paths that a rendering looked at, and what was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reads(BTreeMap<RepoPath, Option<TreeId>>);

impl Reads {
    /// Whether all of them have the same content in another tree.
    pub(crate) fn unchanged_in(&self, tree: &dyn Snapshot) -> Result<bool, Fault> {
        for (path, id) in &self.0 {
            if tree.id(path)? != *id {
                return Ok(false);
            }
        }
        Ok(!self.0.is_empty())
    }
}

/// A tree that notes what is read of it.
pub(crate) struct Recorder<'a> {
    tree: &'a dyn Snapshot,
    reads: Mutex<BTreeMap<RepoPath, Option<TreeId>>>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(tree: &'a dyn Snapshot) -> Self {
        Self { tree, reads: Mutex::default() }
    }

    /// What was read. A path below a directory that was read too is left out: the directory's id covers it.
    pub(crate) fn into_reads(self) -> Reads {
        let all = self.reads.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut kept: BTreeMap<RepoPath, Option<TreeId>> = BTreeMap::new();
        // Parents sort before what is below them.
        for (path, id) in all {
            let mut above = path.parent();
            while let Some(dir) = &above {
                if kept.get(dir).is_some_and(Option::is_some) {
                    break;
                }
                above = dir.parent();
            }
            if above.is_none() {
                kept.insert(path, id);
            }
        }
        Reads(kept)
    }

    fn reads(&self) -> MutexGuard<'_, BTreeMap<RepoPath, Option<TreeId>>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        if let Some(id) = self.reads().get(path) {
            return Ok(id.clone());
        }
        let id = self.tree.id(path)?;
        self.reads().insert(path.clone(), id.clone());
        Ok(id)
    }
}

impl Snapshot for Recorder<'_> {
    fn revision(&self) -> &Revision {
        self.tree.revision()
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        self.note(path)
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        self.note(dir)?;
        self.tree.list(dir)
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        self.note(file)?;
        self.tree.read(file, max_bytes)
    }
}
