//! A repository that a mirror has, or had, or may have.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::damaged;
use super::files::open_with;
use crate::GitError;

/// A bare repository in the mirror. Removed once it is not in use, or no more, and no snapshot reads it.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(super) path: PathBuf,
    pub(super) in_use: AtomicBool,
    /// Something that should be in it is not.
    pub(super) damaged: AtomicBool,
    _lock: Arc<File>,
}

/// How many packs there are, and how many bytes they have.
#[derive(Debug, Default)]
pub(super) struct Packs {
    pub(super) count: usize,
    pub(super) bytes: u64,
}

impl Repository {
    pub(super) fn new(path: PathBuf, in_use: bool, lock: &Arc<File>) -> Arc<Self> {
        let in_use = AtomicBool::new(in_use);
        Arc::new(Self { path, in_use, damaged: AtomicBool::new(false), _lock: lock.clone() })
    }

    /// Opens it. A handle serves one sync: it has room for few more packs.
    pub(crate) fn open(&self, object_bytes: u64) -> Result<gix::Repository, GitError> {
        open_with(&self.path, [format!("gitoxide.objects.allocLimit={object_bytes}")])
            .map_err(|error| damaged(&error))
    }

    /// Whether it is made anew at the next fetch.
    #[cfg(feature = "write")]
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    #[cfg(feature = "write")]
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Has it made anew at the next fetch.
    pub(crate) fn mark_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    pub(super) fn packs(&self) -> Packs {
        let entries = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "pack")).fold(
            Packs::default(),
            |packs, pack| Packs {
                count: packs.count + 1,
                bytes: packs.bytes + pack.metadata().map_or(0, |metadata| metadata.len()),
            },
        )
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        if !*self.in_use.get_mut() {
            // What remains is removed when the mirror is opened the next time.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
