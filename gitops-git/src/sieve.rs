//! What of a tree counts: includes, excludes, and `.sourceignore` files.
//!
//! All three are patterns as in a `.gitignore` (gitignore(5)), matched as Git matches them. A `.sourceignore` is for its
//! directory and what is below it; a deeper one goes before those above, and excludes that the program gives before all. What
//! is below a directory that is left out cannot be taken in again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gitops_core::{Class, Entry, EntryKind, Fault, RepoPath, Revision, Snapshot, TreeId};
use gix::bstr::BStr;
use gix::glob::pattern::Case;
use gix_ignore::Search;
use gix_ignore::search::Ignore;
use sha2::{Digest as _, Sha256};

use crate::GitError;
use crate::stop::lock;
use crate::submodules::Mounted;

/// The file that says what does not count, as Flux reads it.
const FILE: &str = ".sourceignore";
/// A larger one is an error.
const MAX_BYTES: u64 = 64 * 1024;

/// What the program says that counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sieve {
    includes: Vec<String>,
    excludes: Vec<String>,
}

impl Sieve {
    pub(crate) fn include(&mut self, pattern: String) {
        self.includes.push(pattern);
    }

    pub(crate) fn exclude(&mut self, pattern: String) {
        self.excludes.push(pattern);
    }
}

/// A snapshot of which only a part counts.
pub(crate) struct Sifted {
    inner: Mounted,
    sieve: Sieve,
    includes: Search,
    excludes: Search,
    /// The files that were looked for, by directory.
    files: Mutex<HashMap<RepoPath, Option<Arc<IgnoreFile>>>>,
}

struct IgnoreFile {
    patterns: Search,
    id: TreeId,
}

impl Sifted {
    pub(crate) fn new(inner: Mounted, sieve: &Sieve) -> Self {
        let search = |patterns: &[String]| {
            let mut search = Search::default();
            // Each its own list: a line break in a pattern would make two of it.
            for pattern in patterns {
                add(&mut search, pattern.as_bytes(), &RepoPath::root());
            }
            search
        };
        Self {
            includes: search(&sieve.includes),
            excludes: search(&sieve.excludes),
            sieve: sieve.clone(),
            files: Mutex::default(),
            inner,
        }
    }

    /// The patterns of a directory.
    fn file(&self, dir: &RepoPath) -> Result<Option<Arc<IgnoreFile>>, Fault> {
        if let Some(known) = lock(&self.files).get(dir) {
            return Ok(known.clone());
        }
        let path = dir.join(FILE).map_err(|error| Fault::new(Class::Bug, error))?;
        let found = match self.inner.id(&path)?.filter(|id| !is_directory(id)) {
            None => None,
            Some(id) => {
                let text = self.inner.read(&path, MAX_BYTES)?;
                let mut patterns = Search::default();
                add(&mut patterns, &text, dir);
                Some(Arc::new(IgnoreFile { patterns, id }))
            }
        };
        lock(&self.files).insert(dir.clone(), found.clone());
        Ok(found)
    }

    /// Whether something does not count.
    fn is_out(&self, path: &RepoPath, is_dir: bool) -> Result<bool, Fault> {
        let mut above = RepoPath::root();
        let mut files: Vec<Arc<IgnoreFile>> = Vec::new();
        let depth = path.parts().count();
        let mut is_included = self.sieve.includes.is_empty();
        for (at, part) in path.parts().enumerate() {
            files.extend(self.file(&above)?);
            above = above.join(part).map_err(|error| Fault::new(Class::Bug, error))?;
            let is_dir = is_dir || at + 1 < depth;
            let matched = |search: &Search| {
                let found = search.pattern_matching_relative_path(
                    BStr::new(above.as_str()),
                    Some(is_dir),
                    Case::Sensitive,
                );
                found.map(|found| !found.pattern.is_negative())
            };
            let decided = matched(&self.excludes)
                .or_else(|| files.iter().rev().find_map(|file| matched(&file.patterns)));
            if decided == Some(true) {
                return Ok(true);
            }
            is_included = matched(&self.includes).unwrap_or(is_included);
        }
        // A directory may hold what is included.
        Ok(!is_dir && !is_included)
    }

    fn nothing_at(&self, path: &RepoPath) -> Fault {
        let commit = self.inner.revision().short().to_owned();
        let error = GitError::PathNotFound { path: path.to_string(), commit };
        error.at(format_args!("{path} (left out by a pattern)"))
    }
}

impl Snapshot for Sifted {
    fn revision(&self) -> &Revision {
        self.inner.revision()
    }

    /// With a digest after it where patterns from outside of the path have a say.
    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        let Some(id) = self.inner.id(path)? else { return Ok(None) };
        if self.is_out(path, is_directory(&id))? {
            return Ok(None);
        }
        if !is_directory(&id) {
            return Ok(Some(id));
        }
        let mut hash = Sha256::new();
        let mut has_a_say = false;
        for (kind, patterns) in [("in", &self.sieve.includes), ("out", &self.sieve.excludes)] {
            for pattern in patterns {
                has_a_say = true;
                hash.update(format!("{kind} {} {pattern}", pattern.len()));
            }
        }
        let mut above = path.parent();
        while let Some(dir) = above {
            if let Some(file) = self.file(&dir)? {
                has_a_say = true;
                hash.update(format!("{} {dir} {}", dir.as_str().len(), file.id.as_str()));
            }
            above = dir.parent();
        }
        if !has_a_say {
            return Ok(Some(id));
        }
        // The same patterns mean something else to another place.
        hash.update(path.as_str());
        let digest = gitops_core::Digest::of(&hash.finalize());
        Ok(Some(TreeId::new(format!("{}+{digest}", id.as_str()))))
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        if self.is_out(dir, true)? {
            return Err(self.nothing_at(dir));
        }
        let mut entries = Vec::new();
        for entry in self.inner.list(dir)? {
            let path = dir.join(&entry.name).map_err(|error| Fault::new(Class::Invalid, error))?;
            if !self.is_out(&path, entry.kind == EntryKind::Directory)? {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        if self.is_out(file, false)? {
            return Err(self.nothing_at(file));
        }
        self.inner.read(file, max_bytes)
    }
}

/// By how [`crate::GitSnapshot`] spells ids.
fn is_directory(id: &TreeId) -> bool {
    id.as_str().starts_with("tree:")
}

fn add(search: &mut Search, text: &[u8], dir: &RepoPath) {
    let source = Path::new(dir.as_str()).join(FILE);
    // It fails only where the file is not below the root.
    let _ = search.add_patterns_buffer(text, source, Some(Path::new("")), Ignore { support_precious: false });
}
