//! Manifests as they are written, without a template tool.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::read;
use super::search::{Directories, Search};
use crate::decode::{DecodeErrors, DecodeLimits};
use crate::{Class, Cx, Digest, Fault, Manifest, Render, RepoPath, Snapshot};

/// Reads every `.yaml`, `.yml` and `.json` file at and below the application's path, in the order of their paths.
/// Names that begin with a dot are skipped.
///
/// It remembers what it read last: a file that is still the same in the next revision is not read again, and a directory
/// that is the same is not looked into. The manifests are shared with those that it handed out. Up to four files are read
/// and decoded at once.
#[derive(Default)]
pub struct PlainManifests {
    limits: DecodeLimits,
    /// What the last rendering at each path read.
    known: Mutex<HashMap<RepoPath, Directories>>,
}

impl fmt::Debug for PlainManifests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainManifests").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Clone for PlainManifests {
    /// With the same limits. What is remembered is not shared: another source may mean another content by the same id.
    fn clone(&self) -> Self {
        Self { limits: self.limits, known: Mutex::default() }
    }
}

/// Bytes of all files of one application, far above what clusters hold of one.
pub(super) const MAX_TOTAL: usize = 64 << 20;

impl PlainManifests {
    /// With the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// With other limits for each file.
    #[must_use]
    pub fn with_limits(self, limits: DecodeLimits) -> Self {
        Self { limits, known: Mutex::default() }
    }

    /// Whether a file of this name holds manifests.
    pub fn is_manifest(name: &str) -> bool {
        name.rsplit_once('.').is_some_and(|(_, end)| matches!(end, "yaml" | "yml" | "json"))
    }
}

pub(super) fn too_much(file: &RepoPath) -> Fault {
    Fault::invalid(format!("more than {MAX_TOTAL} bytes of manifests in one application: split it")).at(file)
}

impl Render for PlainManifests {
    fn key(&self) -> Digest {
        Digest::of(format!("plain manifests 1 {:?}", self.limits).as_bytes())
    }

    fn render(&self, cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault> {
        let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        let now = Search { cx, tree, before: before.unwrap_or_default(), seen: 0 }.run(path)?;
        let mut files: Vec<_> = now.values().flat_map(|directory| &directory.files).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let missing: Vec<_> = files.iter().copied().filter(|file| file.content.get().is_none()).collect();
        read::all(cx, tree, &self.limits, &missing)?;

        let (mut manifests, mut errors, mut left) = (Vec::new(), Vec::new(), MAX_TOTAL);
        for file in files {
            match file.content.get() {
                Some(Ok(content)) => {
                    left = left.checked_sub(content.bytes).ok_or_else(|| too_much(&file.path))?;
                    manifests.extend(content.manifests.iter().cloned());
                }
                Some(Err(wrong)) => errors.extend(wrong.errors().iter().cloned()),
                None => return Err(Fault::new(Class::Bug, "a file was not read").at(&file.path)),
            }
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), now);
        DecodeErrors::new(errors).map_or(Ok(manifests), |errors| Err(errors.into_fault()))
    }
}
