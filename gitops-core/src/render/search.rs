//! Finding the files of an application, without looking into directories that are as they were.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use crate::decode::DecodeErrors;
use crate::{Class, Cx, EntryKind, Fault, Manifest, PlainManifests, RepoPath, Snapshot, TreeId};

/// Files and directories in one application: links may make a small tree endless.
const MAX_ENTRIES: usize = 50_000;

/// What was found, by path, so that the files are in their order but for a few.
pub(super) type Directories = BTreeMap<RepoPath, Directory>;

/// A directory as it was found.
#[derive(Debug)]
pub(super) struct Directory {
    id: Option<TreeId>,
    /// Its entries, whatever they are.
    entries: usize,
    pub(super) files: Vec<Arc<File>>,
    directories: Vec<RepoPath>,
}

/// A file that holds manifests.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: RepoPath,
    id: Option<TreeId>,
    /// What is wrong in it is an answer too, so that all files are told of at once.
    pub(super) content: OnceLock<Result<Content, DecodeErrors>>,
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: usize,
    pub(super) manifests: Vec<Manifest>,
}

/// A way through a tree.
pub(super) struct Search<'a> {
    pub(super) cx: &'a Cx,
    pub(super) tree: &'a dyn Snapshot,
    /// What was found the last time.
    pub(super) before: Directories,
    pub(super) seen: usize,
}

impl Search<'_> {
    /// All directories at and below a path, or the file that is there.
    pub(super) fn run(mut self, root: &RepoPath) -> Result<Directories, Fault> {
        let mut found = Directories::new();
        if is_manifest(root) && self.tree.id(root)?.is_some() {
            let before = self.before.remove(root).and_then(|mut before| before.files.pop());
            let files = vec![self.file(root.clone(), before)?];
            found.insert(root.clone(), Directory { id: None, entries: 1, files, directories: Vec::new() });
            return Ok(found);
        }
        let mut left = vec![(root.clone(), false)];
        while let Some((path, is_as_before)) = left.pop() {
            self.cx.check()?;
            let before = self.before.remove(&path);
            let id = if is_as_before { None } else { self.tree.id(&path)? };
            let directory = match before {
                Some(before) if is_as_before || (id.is_some() && before.id == id) => {
                    left.extend(before.directories.iter().map(|path| (path.clone(), true)));
                    before
                }
                before => {
                    let directory = self.directory(&path, id, before, root)?;
                    left.extend(directory.directories.iter().map(|path| (path.clone(), false)));
                    directory
                }
            };
            self.seen += directory.entries;
            if self.seen > MAX_ENTRIES {
                return Err(Fault::invalid(format!(
                    "more than {MAX_ENTRIES} files and directories: is a link circular?"
                ))
                .at(root));
            }
            found.insert(path, directory);
        }
        Ok(found)
    }

    fn directory(
        &self,
        path: &RepoPath,
        id: Option<TreeId>,
        before: Option<Directory>,
        root: &RepoPath,
    ) -> Result<Directory, Fault> {
        let known = before.into_iter().flat_map(|before| before.files);
        let mut known: HashMap<RepoPath, Arc<File>> = known.map(|file| (file.path.clone(), file)).collect();
        let entries = self.tree.list(path).map_err(|fault| match fault.class {
            Class::NotFound if path == root => Fault::new(
                Class::NotFound,
                format!(
                    "revision {} has no directory here; check the application's path",
                    self.tree.revision().short()
                ),
            )
            .at(if root.is_root() { "/".to_owned() } else { root.to_string() }),
            _ => fault,
        })?;
        let mut directory =
            Directory { id, entries: entries.len(), files: Vec::new(), directories: Vec::new() };
        for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
            let path = path.join(&entry.name).map_err(|error| Fault::invalid(error).at(path))?;
            match entry.kind {
                EntryKind::Directory => directory.directories.push(path),
                EntryKind::File if is_manifest(&path) => {
                    let before = known.remove(&path);
                    directory.files.push(self.file(path, before)?);
                }
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
                        "a submodule, which the source does not read: have it do so, or move the submodule out of the application's path",
                    )
                    .at(path));
                }
            }
        }
        Ok(directory)
    }

    fn file(&self, path: RepoPath, before: Option<Arc<File>>) -> Result<Arc<File>, Fault> {
        let id = self.tree.id(&path)?;
        Ok(match before {
            Some(before) if id.is_some() && before.id == id => before,
            _ => Arc::new(File { path, id, content: OnceLock::new() }),
        })
    }
}

fn is_manifest(path: &RepoPath) -> bool {
    path.name().is_some_and(PlainManifests::is_manifest)
}
