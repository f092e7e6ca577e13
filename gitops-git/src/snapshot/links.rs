//! Ids of directories whose links lead out of them.
//!
//! The id of a tree says nothing about what its links lead to. Where a link leads to something beside the directory, the
//! directory's id gets a digest of that too: else a change there would go unseen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryKind as Mode;
use sha2::{Digest as _, Sha256};

use super::walk::{Found, RawEntry, RealPath, Seen, Tree, below, file_id};
use crate::GitError;
use crate::mirror::hex;
use crate::stop::lock;

/// Trees whose links are remembered; the index is emptied when it has more.
const MAX_REMEMBERED: usize = 200_000;

/// Directories are not nested deeper than this in anything that is meant well.
const MAX_DEPTH: usize = 256;

/// The links below each tree, by the tree's id; so a commit costs only what it changed.
#[derive(Debug, Default)]
pub(crate) struct LinkIndex(Mutex<HashMap<ObjectId, Arc<[Link]>>>);

/// A link somewhere below a tree.
#[derive(Debug, Clone)]
struct Link {
    /// The directory that it is in, seen from the tree.
    dir: RealPath,
    entry: RawEntry,
}

impl LinkIndex {
    /// The id of a directory: the same id means the same content, seen through all links.
    pub(super) fn directory_id(
        &self,
        tree: &Tree<'_>,
        id: ObjectId,
        real: &RealPath,
    ) -> Result<String, GitError> {
        self.id_inside(tree, id, real, &mut Vec::new())
    }

    fn id_inside(
        &self,
        tree: &Tree<'_>,
        id: ObjectId,
        real: &RealPath,
        outer: &mut Vec<RealPath>,
    ) -> Result<String, GitError> {
        let plain = format!("tree:{id}");
        let links = self.below(tree, id, 0)?;
        // Directories that link to each other: what is inside the outer one is in its id already.
        if links.is_empty() || outer.contains(real) {
            return Ok(plain);
        }
        outer.push(real.clone());
        let mut digest = Sha256::new();
        let mut any = false;
        for link in links.iter() {
            let mut dir = real.clone();
            dir.extend(link.dir.iter().cloned());
            let leads_to = match tree.follow(&dir, &link.entry, &Seen::new()) {
                Ok((Found::Directory(_, target), _)) if target.starts_with(real) => continue,
                Ok((Found::Directory(id, target), _)) => self.id_inside(tree, id, &target, outer)?,
                Ok((Found::File(id, mode), _)) => file_id(id, mode),
                Ok((Found::Submodule(id), _)) => format!("160000:{id}"),
                Ok((Found::Nothing, _)) => "nothing".into(),
                Err(GitError::BrokenLink { reason, .. }) => reason.into(),
                Err(error) => return Err(error),
            };
            any = true;
            for part in link.dir.iter().chain([&link.entry.name, &BString::from(leads_to)]) {
                digest.update(part.len().to_le_bytes());
                digest.update(part);
            }
        }
        outer.pop();
        Ok(if any { format!("{plain}+{}", hex(&digest.finalize()[..16])) } else { plain })
    }

    /// All links below a tree.
    fn below(&self, tree: &Tree<'_>, id: ObjectId, depth: usize) -> Result<Arc<[Link]>, GitError> {
        if let Some(known) = lock(&self.0).get(&id) {
            return Ok(known.clone());
        }
        if depth > MAX_DEPTH {
            return Err(GitError::UnusableName {
                dir: String::new(),
                name: id.to_string(),
                reason: format!("the tree has more than {MAX_DEPTH} levels"),
            });
        }
        let mut links = Vec::new();
        for entry in tree.entries(id)? {
            match entry.mode {
                Mode::Link => links.push(Link { dir: RealPath::new(), entry }),
                Mode::Tree => links.extend(self.below(tree, entry.id, depth + 1)?.iter().map(|link| {
                    let mut dir = below(&RealPath::new(), &entry.name);
                    dir.extend(link.dir.iter().cloned());
                    Link { dir, entry: link.entry.clone() }
                })),
                _ => {}
            }
        }
        let links: Arc<[Link]> = links.into();
        let mut known = lock(&self.0);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(id, links.clone());
        Ok(links)
    }
}
