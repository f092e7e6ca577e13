//! A source that counts what is read of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gitops_core::{
    Cx, Entry, Fault, Instance, RefSpec, RepoPath, Revision, Snapshot, Source, TreeId, async_trait,
};
use gitops_git::GitSource;

/// How much was read.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) files: AtomicUsize,
    pub(crate) directories: AtomicUsize,
}

impl Counts {
    /// Files and directories, which are forgotten with that.
    pub(crate) fn take(&self) -> (usize, usize) {
        (self.files.swap(0, Ordering::Relaxed), self.directories.swap(0, Ordering::Relaxed))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) source: GitSource,
    pub(crate) counts: Arc<Counts>,
}

#[async_trait]
impl Source for Counted {
    fn identity(&self) -> String {
        self.source.identity()
    }

    fn default_ref(&self) -> RefSpec {
        self.source.default_ref()
    }

    fn instance(&self) -> Option<Instance> {
        self.source.instance()
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        self.source.resolve(cx, want).await
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        let tree = self.source.fetch(cx, revision).await?;
        Ok(Arc::new(CountedTree { tree, counts: self.counts.clone() }))
    }
}

struct CountedTree {
    tree: Arc<dyn Snapshot>,
    counts: Arc<Counts>,
}

impl Snapshot for CountedTree {
    fn revision(&self) -> &Revision {
        self.tree.revision()
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        self.tree.id(path)
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        self.counts.directories.fetch_add(1, Ordering::Relaxed);
        self.tree.list(dir)
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        self.counts.files.fetch_add(1, Ordering::Relaxed);
        self.tree.read(file, max_bytes)
    }
}
