//! Finding the manifests that mention something. What does not is remembered, so that a search costs what is new.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::{Arc, Mutex};

use gitops_core::{Fault, PlainManifests, RepoPath};
use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::objs::tree::EntryKind as Mode;

use super::WriteError;
use super::error::damaged;
use super::files::{FileLimits, Files, invalid, is_name};
use crate::stop::lock;

/// Files and directories that one search looks into: whoever needs more has the wrong path.
const MAX_LOOKS: usize = 100_000;

/// Objects of which it is remembered that they mention nothing: about eight megabytes.
const MAX_REMEMBERED: usize = 200_000;

/// Files that are worth a thread.
const FILES_PER_THREAD: usize = 500;

/// The files that do not mention something, and the trees in which no manifest does. A writer keeps them from edit to edit.
#[derive(Debug, Clone, Default)]
pub(super) struct Silent(Arc<Mutex<HashMap<String, HashSet<ObjectId>>>>);

impl Silent {
    fn has(&self, texts: &str, id: ObjectId) -> bool {
        lock(&self.0).get(texts).is_some_and(|silent| silent.contains(&id))
    }

    fn remember(&self, texts: &str, ids: impl IntoIterator<Item = ObjectId>) {
        let mut all = lock(&self.0);
        let ids: Vec<_> = ids.into_iter().collect();
        if ids.len() + all.values().map(HashSet::len).sum::<usize>() > MAX_REMEMBERED {
            all.clear();
        }
        all.entry(texts.to_owned()).or_default().extend(ids.into_iter().take(MAX_REMEMBERED));
    }
}

/// A directory that was looked into.
struct Directory {
    id: ObjectId,
    above: Option<usize>,
    /// Nothing below it mentions what is searched for.
    is_silent: bool,
}

/// A file to look into, in one of the directories.
struct Candidate {
    path: RepoPath,
    id: ObjectId,
    directory: usize,
}

/// What there is to look into below a directory.
#[derive(Default)]
struct Found {
    directories: Vec<Directory>,
    candidates: Vec<Candidate>,
}

impl Found {
    /// Notes that a directory, and so all above it, may mention what is searched for.
    fn speaks(&mut self, directory: usize) {
        let mut at = Some(directory);
        while let Some(directory) = at.and_then(|at| self.directories.get_mut(at)) {
            directory.is_silent = false;
            at = directory.above;
        }
    }
}

impl Files<'_> {
    /// The manifests (YAML and JSON files) at and below a path in which all of these texts are, with their content, in the order
    /// of their paths. As with manifests, what has a name that begins with a dot is left out.
    pub(super) fn mentioning(
        &self,
        path: &RepoPath,
        texts: &[&str],
    ) -> Result<Vec<(RepoPath, Vec<u8>)>, Fault> {
        let mut found = match self.entry(path).map_err(|error| error.at(path))? {
            Some((id, Mode::Tree)) => self.search(id, path, texts).map_err(|error| error.at(path))?,
            _ if self.is_changed(path) => Vec::new(),
            // Whatever it is called: somebody named it.
            _ => self.read(path)?.into_iter().map(|content| (path.clone(), content)).collect(),
        };
        for changed in self.changed_within(path).filter(|changed| is_looked_into(changed, path)) {
            found.extend(self.read(changed)?.map(|content| (changed.clone(), content)));
        }
        found.retain(|(_, content)| mentions(content, texts));
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// Those of the tree that have not been changed.
    fn search(
        &self,
        tree: ObjectId,
        path: &RepoPath,
        texts: &[&str],
    ) -> Result<Vec<(RepoPath, Vec<u8>)>, WriteError> {
        let key = texts.join("\0");
        let mut found = self.collect(tree, path, &key)?;
        let contents = look_into_all(self.repo, &found.candidates, texts, self.limits)?;
        let (mut silent, mut mentioning) = (Vec::new(), Vec::new());
        for (candidate, content) in std::mem::take(&mut found.candidates).into_iter().zip(contents) {
            match content {
                None => silent.push(candidate.id),
                Some(content) => {
                    found.speaks(candidate.directory);
                    mentioning.push((candidate.path, content));
                }
            }
        }
        silent.extend(found.directories.iter().filter(|directory| directory.is_silent).map(|dir| dir.id));
        self.silent.remember(&key, silent);
        Ok(mentioning)
    }

    /// What has to be looked into, as it is not known to be silent.
    fn collect(&self, tree: ObjectId, path: &RepoPath, key: &str) -> Result<Found, WriteError> {
        let mut found = Found::default();
        let mut ahead = vec![(None, tree, path.clone())];
        while let Some((above, id, path)) = ahead.pop() {
            if self.silent.has(key, id) {
                continue;
            }
            self.check_wanted()?;
            let here = found.directories.len();
            found.directories.push(Directory { id, above, is_silent: true });
            let tree = self.repo.find_tree(id).map_err(|error| damaged(&error))?;
            for entry in tree.iter() {
                let entry = entry.map_err(|error| damaged(&error))?;
                let name = entry.filename().to_str().ok().filter(|name| is_name(name));
                let Some(name) = name.filter(|name| !name.starts_with('.')) else { continue };
                let (id, mode) = (entry.object_id(), entry.mode().kind());
                let is_file = matches!(mode, Mode::Blob | Mode::BlobExecutable);
                if mode != Mode::Tree && !(is_file && PlainManifests::is_manifest(name)) {
                    continue;
                }
                let path = path.join(name).map_err(|error| invalid(&path, &error.to_string()))?;
                if mode == Mode::Tree {
                    ahead.push((Some(here), id, path));
                } else if self.is_changed(&path) {
                    // It was not looked into, so nothing is known of this tree.
                    found.speaks(here);
                } else if !self.silent.has(key, id) {
                    found.candidates.push(Candidate { path, id, directory: here });
                }
            }
            if found.candidates.len() + found.directories.len() > MAX_LOOKS {
                let reason = format!(
                    "it has more than {MAX_LOOKS} manifests and directories: choose one further down"
                );
                return Err(invalid(&path, &reason));
            }
        }
        Ok(found)
    }
}

/// The contents of files, where they have the texts in them; on several threads if there are many.
fn look_into_all(
    repo: &gix::Repository,
    files: &[Candidate],
    texts: &[&str],
    limits: FileLimits,
) -> Result<Vec<Option<Vec<u8>>>, WriteError> {
    let look_into = |repo: &gix::Repository, files: &[Candidate]| -> Vec<_> {
        files.iter().map(|file| content_if(repo, file, texts, limits)).collect()
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut parts = files.chunks(files.len().div_ceil(threads).max(FILES_PER_THREAD));
    std::thread::scope(|scope| {
        let first = parts.next().unwrap_or_default();
        let others = parts.map(|part| {
            let repo = repo.clone();
            scope.spawn(move || look_into(&repo, part))
        });
        // All begin before the first is waited for.
        let others: Vec<_> = others.collect();
        let mut looked = look_into(repo, first);
        for other in others {
            looked.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        looked.into_iter().collect()
    })
}

fn content_if(
    repo: &gix::Repository,
    file: &Candidate,
    texts: &[&str],
    limits: FileLimits,
) -> Result<Option<Vec<u8>>, WriteError> {
    let mut blob = repo.find_blob(file.id).map_err(|error| damaged(&error))?;
    limits.check(&file.path, &blob.data)?;
    Ok(mentions(&blob.data, texts).then(|| blob.take_data()))
}

/// Whether a search that begins at a path looks into a file.
fn is_looked_into(file: &RepoPath, path: &RepoPath) -> bool {
    let mut below = file.parts().skip(path.parts().count()).peekable();
    // Whatever the file is called at which it begins: somebody named it.
    below.peek().is_none()
        || below.all(|part| !part.starts_with('.')) && PlainManifests::is_manifest(file.as_str())
}

fn mentions(content: &[u8], texts: &[&str]) -> bool {
    texts.iter().all(|text| content.contains_str(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    use gitops_core::Class;

    use proptest::prelude::*;

    use super::*;

    const FILES: [&str; 9] = [
        "a.yaml",
        ".b.yaml",
        "x/a.yaml",
        "x/b.yml",
        "x/readme.md",
        "x/.hidden/c.yaml",
        "x/y/d.json",
        "x/y/z/e.yaml",
        "z/f.yaml",
    ];
    const PATHS: [&str; 7] = ["", "x", "x/y", "x/.hidden", "x/b.yml", "x/readme.md", "none"];
    const CONTENTS: [&str; 4] = ["", "one", "two: one", "two"];
    static GO_ON: AtomicBool = AtomicBool::new(false);
    const LIMITS: FileLimits = FileLimits { file: 64, written: 1 << 20 };

    /// What a search has to find, by what is said of it.
    fn expected(model: &BTreeMap<&str, &str>, path: &str, texts: &[&str]) -> Vec<(String, String)> {
        let is_sought = |name: &str| {
            let below = if path.is_empty() { Some(name) } else { name.strip_prefix(&format!("{path}/")) };
            let is_manifest = |end: &str| std::path::Path::new(name).extension().is_some_and(|is| is == end);
            name == path
                || below.is_some_and(|below| !below.split('/').any(|part| part.starts_with('.')))
                    && ["yaml", "yml", "json"].iter().any(|end| is_manifest(end))
        };
        let found = model.iter().filter(|(name, content)| {
            is_sought(name) && texts.iter().all(|text| content.split(": ").any(|word| word == *text))
        });
        found.map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
    }

    fn compare(files: &Files<'_>, model: &BTreeMap<&str, &str>) {
        for path in PATHS {
            for texts in [&["one"][..], &["one", "two"]] {
                let found = files.mentioning(&RepoPath::new(path).unwrap(), texts).unwrap();
                let found: Vec<_> = found
                    .into_iter()
                    .map(|(path, content)| (path.to_string(), String::from_utf8(content).unwrap()))
                    .collect();
                assert_eq!(found, expected(model, path, texts), "{path} {texts:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Whatever is remembered from the trees before, and whatever has been changed since.
        #[test]
        fn what_mentions_something_is_found(
            commits in prop::collection::vec(
                prop::collection::vec((0..FILES.len(), prop::option::of(0..CONTENTS.len())), 0..5),
                1..6,
            )
        ) {
            let dir = tempfile::tempdir().unwrap();
            let repo = gix::init_bare(dir.path()).unwrap();
            let mut root = repo.empty_tree().id;
            let (silent, mut model) = (Silent::default(), BTreeMap::new());
            for changes in commits {
                let mut files = Files::new(&repo, root, LIMITS, silent.clone(), &GO_ON);
                compare(&files, &model);
                for (file, content) in changes {
                    let (name, path) = (FILES[file], RepoPath::new(FILES[file]).unwrap());
                    if let Some(content) = content {
                        model.insert(name, CONTENTS[content]);
                        files.write(&path, CONTENTS[content]).unwrap();
                    } else {
                        model.remove(name);
                        files.remove(&path).unwrap();
                    }
                }
                compare(&files, &model);
                root = files.finish().unwrap().0;
            }
        }
    }

    #[test]
    fn what_is_known_is_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let repo = gix::init_bare(dir.path()).unwrap();
        let silent = Silent::default();
        let mut files = Files::new(&repo, repo.empty_tree().id, LIMITS, silent.clone(), &GO_ON);
        for n in 0..1_200 {
            let content = if n == 700 { "one" } else { "two" };
            files.write(&RepoPath::new(&format!("d{}/{n}.yaml", n % 40)).unwrap(), content).unwrap();
        }
        let (root, _) = files.finish().unwrap();
        let files = Files::new(&repo, root, LIMITS, silent, &GO_ON);
        let candidates = || files.collect(root, &RepoPath::root(), "one").unwrap().candidates.len();
        assert_eq!(candidates(), 1_200);
        assert_eq!(files.mentioning(&RepoPath::root(), &["one"]).unwrap().len(), 1);
        assert_eq!(candidates(), 1);
    }

    #[test]
    fn too_much_is_refused_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let repo = gix::init_bare(dir.path()).unwrap();
        let large = repo.write_blob([b'a'; 65]).unwrap();
        let mut editor = repo.edit_tree(repo.empty_tree().id).unwrap();
        editor.upsert("x/a.yaml", Mode::Blob, large).unwrap();
        let files = Files::new(&repo, editor.write().unwrap().detach(), LIMITS, Silent::default(), &GO_ON);
        for _ in 0..2 {
            let fault = files.mentioning(&RepoPath::root(), &["one"]).unwrap_err();
            assert!(fault.to_string().contains("x/a.yaml"), "{fault}");
        }
    }

    #[test]
    fn few_trees_that_unfold_to_many_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let repo = gix::init_bare(dir.path()).unwrap();
        let mut tree = repo.empty_tree().id;
        for _ in 0..10 {
            let mut editor = repo.edit_tree(repo.empty_tree().id).unwrap();
            for n in 0..10 {
                editor.upsert(n.to_string(), Mode::Tree, tree).unwrap();
            }
            tree = editor.write().unwrap().detach();
        }
        let files = Files::new(&repo, tree, LIMITS, Silent::default(), &GO_ON);
        let fault = files.mentioning(&RepoPath::root(), &["one"]).unwrap_err();
        assert!(fault.to_string().contains("directories"), "{fault}");
        let stop = AtomicBool::new(true);
        let files = Files::new(&repo, tree, LIMITS, Silent::default(), &stop);
        assert_eq!(files.mentioning(&RepoPath::root(), &["one"]).unwrap_err().class, Class::Cancelled);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let silent = Silent::default();
        let id = |n: usize| {
            let mut bytes = [0; 20];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            ObjectId::from_bytes_or_panic(&bytes)
        };
        for part in 0..5 {
            let ids = part * MAX_REMEMBERED / 4..(part + 1) * MAX_REMEMBERED / 4;
            silent.remember(&part.to_string(), ids.map(id));
            assert!(lock(&silent.0).values().map(HashSet::len).sum::<usize>() <= MAX_REMEMBERED);
        }
        assert!(silent.has("4", id(MAX_REMEMBERED)));
    }
}
