//! The files of a repository as manifests.

use gitops_core::{Class, Cx, Digest, EntryKind, Fault, Manifest, Place, Render, RepoPath, Snapshot};

use crate::file;

/// Renders every file at and below the application's path as itself: what is `config/nginx/site.conf` in the repository
/// is `nginx/site.conf` in the directory of an application whose path is `config`. Nobody writes a manifest.
///
/// Whether a file may be executed is not stated, and so left as it is: a source does not tell.
#[derive(Debug, Clone)]
pub struct PlainFiles {
    max_bytes: u64,
}

/// Links may make a small tree endless.
const MAX_FILES: usize = 100_000;

impl PlainFiles {
    /// Files of at most 16 MiB each.
    pub fn new() -> Self {
        Self { max_bytes: 16 << 20 }
    }

    /// Files of at most so many bytes each.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }
}

impl Default for PlainFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl Render for PlainFiles {
    fn key(&self) -> Digest {
        Digest::of(format!("plain files 1 {}", self.max_bytes).as_bytes())
    }

    fn render(&self, cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault> {
        let mut manifests = Vec::new();
        let mut directories = vec![(path.clone(), RepoPath::root())];
        while let Some((from, to)) = directories.pop() {
            cx.check()?;
            for entry in tree.list(&from)? {
                let from = from.join(&entry.name).map_err(|error| Fault::invalid(error).at(&from))?;
                let to = to.join(&entry.name).map_err(|error| Fault::invalid(error).at(&from))?;
                match entry.kind {
                    EntryKind::Directory => directories.push((from, to)),
                    EntryKind::File => {
                        let object = file::object(&to, &tree.read(&from, self.max_bytes)?, None);
                        let place = Place::file(from.clone());
                        manifests.push(
                            Manifest::new(&object, place).map_err(|e| Fault::new(Class::Bug, e).at(&from))?,
                        );
                    }
                    // Leaving it out would delete what it was before.
                    other => return Err(Fault::invalid(format!("it is no file but a {other:?}")).at(&from)),
                }
                if manifests.len() > MAX_FILES {
                    let text = format!("more than {MAX_FILES} files: is a link circular?");
                    return Err(Fault::invalid(text).at(path));
                }
            }
        }
        Ok(manifests)
    }
}
