//! Manifests as they are written, without a template tool.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::decode::{DecodeErrors, DecodeLimits, decode};
use crate::{Class, Cx, Digest, EntryKind, Fault, Manifest, Render, RepoPath, Snapshot, TreeId};

/// Reads every `.yaml`, `.yml` and `.json` file at and below the application's path, in the order of their paths.
/// Names that begin with a dot are skipped.
///
/// It remembers what it read last: a file that is still the same in the next revision is not read again. The manifests
/// are shared with those that it handed out.
#[derive(Default)]
pub struct PlainManifests {
    limits: DecodeLimits,
    /// What the last rendering at each path read.
    known: Mutex<HashMap<RepoPath, Files>>,
}

type Files = HashMap<RepoPath, Known>;

/// A file that was read.
struct Known {
    id: TreeId,
    bytes: usize,
    manifests: Vec<Manifest>,
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

/// Files and directories in one application: links may make a small tree endless.
const MAX_ENTRIES: usize = 50_000;

/// Bytes of all files of one application, far above what clusters hold of one.
const MAX_TOTAL: usize = 64 << 20;

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

    /// Reads one file. What is wrong in it is an answer, so that all files are told of at once.
    fn read(
        &self,
        tree: &dyn Snapshot,
        file: &RepoPath,
        id: Option<TreeId>,
    ) -> Result<Result<Known, DecodeErrors>, Fault> {
        let text = tree.read(file, self.limits.max_bytes)?;
        // Reading has told already if nothing is there.
        let id = id.ok_or_else(|| Fault::new(Class::Bug, "a file without an id").at(file))?;
        let read = decode(file, &text, &self.limits);
        Ok(read.map(|manifests| Known { id, bytes: text.len(), manifests }))
    }
}

fn too_much(file: &RepoPath) -> Fault {
    Fault::invalid(format!("more than {MAX_TOTAL} bytes of manifests in one application: split it")).at(file)
}

impl Render for PlainManifests {
    fn key(&self) -> Digest {
        Digest::of(format!("plain manifests 1 {:?}", self.limits).as_bytes())
    }

    fn render(&self, cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault> {
        let files = if is_manifest(path) && tree.id(path)?.is_some() {
            vec![path.clone()]
        } else {
            files(cx, tree, path)?
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        let mut known = known.unwrap_or_default();
        let mut read = Files::with_capacity(files.len());
        let (mut manifests, mut errors, mut left) = (Vec::new(), Vec::new(), MAX_TOTAL);
        for (index, file) in files.iter().enumerate() {
            cx.check()?;
            cx.progress.report("read manifests", index as u64, Some(files.len() as u64));
            let id = tree.id(file)?;
            let same = known.remove(file).filter(|known| Some(&known.id) == id.as_ref());
            let one = match same {
                Some(same) => Ok(same),
                None => self.read(tree, file, id)?,
            };
            match one {
                Ok(one) => {
                    left = left.checked_sub(one.bytes).ok_or_else(|| too_much(file))?;
                    manifests.extend(one.manifests.iter().cloned());
                    read.insert(file.clone(), one);
                }
                Err(wrong) => errors.extend(wrong.errors().iter().cloned()),
            }
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), read);
        DecodeErrors::new(errors).map_or(Ok(manifests), |errors| Err(errors.into_fault()))
    }
}

fn is_manifest(path: &RepoPath) -> bool {
    path.name().is_some_and(PlainManifests::is_manifest)
}

fn files(cx: &Cx, tree: &dyn Snapshot, root: &RepoPath) -> Result<Vec<RepoPath>, Fault> {
    let (mut files, mut seen) = (Vec::new(), 0);
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        cx.check()?;
        let entries = tree.list(&directory).map_err(|fault| match fault.class {
            Class::NotFound if directory == *root => Fault::new(
                Class::NotFound,
                format!(
                    "revision {} has no directory here; check the application's path",
                    tree.revision().short()
                ),
            )
            .at(if root.is_root() { "/".to_owned() } else { root.to_string() }),
            _ => fault,
        })?;
        seen += entries.len();
        if seen > MAX_ENTRIES {
            return Err(Fault::invalid(format!(
                "more than {MAX_ENTRIES} files and directories: is a link circular?"
            ))
            .at(root));
        }
        for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
            let path = directory.join(&entry.name).map_err(|error| Fault::invalid(error).at(&directory))?;
            match entry.kind {
                EntryKind::Directory => directories.push(path),
                EntryKind::File if is_manifest(&path) => files.push(path),
                EntryKind::File => {}
                // What is behind these may be manifests, or directories of them: leaving them out would prune objects.
                EntryKind::BrokenLink => {
                    return Err(Fault::invalid(
                        "the link leads out of the repository, in a circle, or to nothing",
                    )
                    .at(path));
                }
                EntryKind::Submodule => {
                    return Err(Fault::new(
                        Class::Unsupported,
                        "submodules are not read: move it out of the application's path",
                    )
                    .at(path));
                }
            }
        }
    }
    files.sort();
    Ok(files)
}
