//! A tree with other trees mounted in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use gitops_core::{Class, Entry, EntryKind, Fault, RepoPath, Revision, Snapshot, TreeId};

use crate::snapshot::GitSnapshot;

/// A snapshot with the submodules that were fetched for it. The id of a directory above one tells which commit it is, since
/// its tree does.
pub(crate) struct Mounted {
    tree: GitSnapshot,
    mounts: BTreeMap<RepoPath, Arc<dyn Snapshot>>,
}

impl Mounted {
    pub(crate) fn new(tree: GitSnapshot, mounts: BTreeMap<RepoPath, Arc<dyn Snapshot>>) -> Self {
        Self { tree, mounts }
    }

    /// The tree that has a path, and the path in it.
    fn at(&self, path: &RepoPath) -> Result<(&dyn Snapshot, RepoPath), Fault> {
        // None lies below another: behind a submodule there is no tree of ours.
        let mount = self.mounts.iter().find(|(mount, _)| path.is_within(mount));
        let Some((mount, tree)) = mount else { return Ok((&self.tree, path.clone())) };
        let below = path.as_str().get(mount.as_str().len()..).unwrap_or_default();
        let below =
            RepoPath::new(below.trim_start_matches('/')).map_err(|error| Fault::new(Class::Bug, error))?;
        Ok((&**tree, below))
    }
}

impl Snapshot for Mounted {
    fn revision(&self) -> &Revision {
        self.tree.revision()
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        let (tree, path) = self.at(path)?;
        tree.id(&path)
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        let (tree, below) = self.at(dir)?;
        let mut entries = tree.list(&below)?;
        for entry in entries.iter_mut().filter(|entry| entry.kind == EntryKind::Submodule) {
            // What is mounted in a submodule is its own affair.
            if dir.join(&entry.name).is_ok_and(|path| self.mounts.contains_key(&path)) {
                entry.kind = EntryKind::Directory;
            }
        }
        Ok(entries)
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        let (tree, path) = self.at(file)?;
        tree.read(&path, max_bytes)
    }
}
