//! Reading and decoding files, several at once.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::plain::{MAX_TOTAL, too_much};
use super::search::{Content, File};
use crate::decode::{DecodeLimits, decode};
use crate::{Cx, Fault, Snapshot};

/// Files that are read at once. Each may take [`DecodeLimits::max_memory`] while it is decoded.
const MAX_READERS: usize = 4;

/// A thread is not worth its while for fewer.
const FILES_EACH: usize = 16;

/// Reads files that nobody has read yet. Of several that cannot be read, the first one is told.
pub(super) fn all(
    cx: &Cx,
    tree: &dyn Snapshot,
    limits: &DecodeLimits,
    files: &[&Arc<File>],
) -> Result<(), Fault> {
    let readers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let readers = readers.min(MAX_READERS).min(files.len().div_ceil(FILES_EACH));
    let work = Work {
        cx,
        tree,
        limits,
        files,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        has_failed: AtomicBool::new(false),
        failure: Mutex::default(),
    };
    thread::scope(|scope| {
        for _ in 1..readers {
            // Without a thread, the others do its share.
            let _ = thread::Builder::new().spawn_scoped(scope, || work.run());
        }
        work.run();
    });
    let failure = work.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), |(_, fault)| Err(fault))
}

/// What the readers share. Each takes the next file, so that whatever comes before a file that failed was taken too.
struct Work<'a> {
    cx: &'a Cx,
    tree: &'a dyn Snapshot,
    limits: &'a DecodeLimits,
    files: &'a [&'a Arc<File>],
    next: AtomicUsize,
    done: AtomicUsize,
    bytes: AtomicUsize,
    has_failed: AtomicBool,
    failure: Mutex<Option<(usize, Fault)>>,
}

impl Work<'_> {
    fn run(&self) {
        while !self.has_failed.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(index) else { return };
            if let Err(fault) = self.read(file) {
                self.has_failed.store(true, Ordering::Relaxed);
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                if failure.as_ref().is_none_or(|(other, _)| index < *other) {
                    *failure = Some((index, fault));
                }
                return;
            }
            let done = self.done.fetch_add(1, Ordering::Relaxed);
            self.cx.progress.report("read manifests", done as u64, Some(self.files.len() as u64));
        }
    }

    fn read(&self, file: &File) -> Result<(), Fault> {
        self.cx.check()?;
        let text = self.tree.read(&file.path, self.limits.max_bytes)?;
        // Before it is decoded: what is too much is not kept either.
        if self.bytes.fetch_add(text.len(), Ordering::Relaxed) + text.len() > MAX_TOTAL {
            return Err(too_much(&file.path));
        }
        let content =
            decode(&file.path, &text, self.limits).map(|manifests| Content { bytes: text.len(), manifests });
        // Nobody else reads it.
        let _ = file.content.set(content);
        Ok(())
    }
}
