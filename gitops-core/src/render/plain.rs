//! Manifests as they are written, without a template tool.

use crate::decode::{DecodeErrors, DecodeLimits, decode};
use crate::{Class, Cx, Digest, EntryKind, Fault, Manifest, Render, RepoPath, Snapshot};

/// Reads every `.yaml`, `.yml` and `.json` file at and below the application's path, in the order of their paths.
/// Names that begin with a dot are skipped.
#[derive(Debug, Clone, Default)]
pub struct PlainManifests {
    limits: DecodeLimits,
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
    pub fn with_limits(mut self, limits: DecodeLimits) -> Self {
        self.limits = limits;
        self
    }
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
        let (mut manifests, mut errors, mut left) = (Vec::new(), Vec::new(), MAX_TOTAL);
        for (index, file) in files.iter().enumerate() {
            cx.check()?;
            cx.progress.report("read manifests", index as u64, Some(files.len() as u64));
            let text = tree.read(file, self.limits.max_bytes)?;
            left = left.checked_sub(text.len()).ok_or_else(|| {
                Fault::invalid(format!(
                    "more than {MAX_TOTAL} bytes of manifests in one application: split it"
                ))
                .at(file)
            })?;
            match decode(file, &text, &self.limits) {
                Ok(read) => manifests.extend(read),
                Err(read) => errors.extend(read.errors().iter().cloned()),
            }
        }
        DecodeErrors::new(errors).map_or(Ok(manifests), |errors| Err(errors.into_fault()))
    }
}

fn is_manifest(path: &RepoPath) -> bool {
    path.name()
        .and_then(|name| name.rsplit_once('.'))
        .is_some_and(|(_, end)| matches!(end, "yaml" | "yml" | "json"))
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
