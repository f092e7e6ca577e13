//! A tree of files in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Class, Digest, Entry, EntryKind, Fault, RepoPath, Revision, Snapshot, TreeId};

/// Files by their paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) files: BTreeMap<RepoPath, Arc<[u8]>>,
}

impl Tree {
    fn below<'a>(&'a self, dir: &'a RepoPath) -> impl Iterator<Item = (&'a RepoPath, &'a Arc<[u8]>)> {
        // Other names sort between a directory and what is below it, so this looks a little further than needed.
        self.files
            .range(dir.clone()..)
            .filter(|(path, _)| path.is_within(dir))
            .filter(move |(path, _)| *path != dir)
    }
}

/// One revision of a [`super::MemorySource`].
#[derive(Debug)]
pub(super) struct MemorySnapshot {
    revision: Revision,
    tree: Arc<Tree>,
}

impl MemorySnapshot {
    pub(super) fn new(revision: Revision, tree: Arc<Tree>) -> Self {
        Self { revision, tree }
    }

    fn missing(&self, path: &RepoPath, what: &str) -> Fault {
        Fault::new(Class::NotFound, format!("there is no {what} here at {}", self.revision.short())).at(path)
    }
}

impl Snapshot for MemorySnapshot {
    fn revision(&self) -> &Revision {
        &self.revision
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        if let Some(content) = self.tree.files.get(path) {
            return Ok(Some(TreeId::new(Digest::of(content).to_string())));
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for (file, content) in self.tree.below(path) {
            parts.extend([file.as_str().as_bytes(), content]);
        }
        Ok(if parts.is_empty() && !path.is_root() {
            None
        } else {
            Some(TreeId::new(Digest::of_parts(parts).to_string()))
        })
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        let depth = dir.parts().count();
        let mut entries: BTreeSet<(String, bool)> = BTreeSet::new();
        for (file, _) in self.tree.below(dir) {
            let mut parts = file.parts().skip(depth);
            if let Some(name) = parts.next() {
                entries.insert((name.to_owned(), parts.next().is_some()));
            }
        }
        if entries.is_empty() && !dir.is_root() {
            return Err(self.missing(dir, "directory"));
        }
        let entry = |(name, is_dir)| Entry {
            name,
            kind: if is_dir { EntryKind::Directory } else { EntryKind::File },
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        let content = self.tree.files.get(file).ok_or_else(|| self.missing(file, "file"))?;
        if content.len() as u64 > max_bytes {
            return Err(Fault::invalid(format!(
                "{} bytes are more than the {max_bytes} allowed",
                content.len()
            ))
            .at(file));
        }
        Ok(content.clone())
    }
}
