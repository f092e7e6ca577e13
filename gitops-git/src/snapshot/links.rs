//! Ids of directories whose links lead out of them.
//!
//! The id of a tree says nothing about what its links lead to. Where a link leads to something beside the directory, the
//! directory's id gets a digest of that too: else a change there would go unseen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::EntryKind as Mode;
use sha2::{Digest as _, Sha256};

use super::walk::{Found, RawEntry, RealPath, Seen, Tree, file_id};
use crate::GitError;
use crate::mirror::hex;
use crate::stop::lock;

/// Trees whose links are remembered; the index is emptied when it has more.
const MAX_REMEMBERED: usize = 200_000;

/// Directories are not nested deeper than this, nor do they lead on to each other by links, in anything that is meant
/// well. Each level takes stack.
const MAX_DEPTH: usize = 256;

/// Links and directories that one id may take. A few small trees that hold each other, or link to each other, have paths
/// without number.
const MAX_VISITED: usize = 100_000;

/// Where links are in each tree, by the tree's id; so a commit costs only what it changed.
#[derive(Debug, Default)]
pub(crate) struct LinkIndex(Mutex<HashMap<ObjectId, Arc<[RawEntry]>>>);

/// The making of one id.
struct Visit<'a> {
    tree: &'a Tree<'a>,
    left: usize,
    depth: usize,
    /// The directories whose ids are being made, each linked to by the one before.
    outer: Vec<RealPath>,
}

/// The directory whose id is being made.
struct Directory<'a> {
    real: &'a RealPath,
    digest: Sha256,
    /// Whether a link leads out of it.
    any: bool,
}

impl LinkIndex {
    /// The id of a directory: the same id means the same content, seen through all links.
    pub(super) fn directory_id(
        &self,
        tree: &Tree<'_>,
        id: ObjectId,
        real: &RealPath,
    ) -> Result<String, GitError> {
        let mut visit = Visit { tree, left: MAX_VISITED, depth: 0, outer: Vec::new() };
        self.id_inside(&mut visit, id, real)
    }

    fn id_inside(&self, visit: &mut Visit<'_>, id: ObjectId, real: &RealPath) -> Result<String, GitError> {
        let plain = format!("tree:{id}");
        let links = self.links(visit.tree, id, 0)?;
        // Directories that link to each other: what is inside the outer one is in its id already.
        if links.is_empty() || visit.outer.contains(real) {
            return Ok(plain);
        }
        visit.outer.push(real.clone());
        let mut directory = Directory { real, digest: Sha256::new(), any: false };
        self.visit(visit, &mut directory, &links, &mut RealPath::new())?;
        visit.outer.pop();
        let Directory { digest, any, .. } = directory;
        Ok(if any { format!("{plain}+{}", hex(&digest.finalize()[..16])) } else { plain })
    }

    /// Follows the links of a tree that is at `dir`, seen from the directory.
    fn visit(
        &self,
        visit: &mut Visit<'_>,
        directory: &mut Directory<'_>,
        links: &[RawEntry],
        dir: &mut RealPath,
    ) -> Result<(), GitError> {
        visit.depth += 1;
        if visit.depth > MAX_DEPTH {
            return Err(too_many(directory.real, MAX_DEPTH));
        }
        for entry in links {
            visit.left = visit.left.checked_sub(1).ok_or_else(|| too_many(directory.real, MAX_VISITED))?;
            if entry.mode == Mode::Tree {
                let below = self.links(visit.tree, entry.id, dir.len())?;
                dir.push(entry.name.clone());
                self.visit(visit, directory, &below, dir)?;
                dir.pop();
            } else {
                self.follow(visit, directory, entry, dir)?;
            }
        }
        visit.depth -= 1;
        Ok(())
    }

    fn follow(
        &self,
        visit: &mut Visit<'_>,
        directory: &mut Directory<'_>,
        link: &RawEntry,
        dir: &RealPath,
    ) -> Result<(), GitError> {
        let real = directory.real;
        let at = [&real[..], &dir[..]].concat();
        let leads_to = match visit.tree.follow(&at, link, &Seen::new()) {
            Ok((Found::Directory(_, target), _)) if target.starts_with(real) => return Ok(()),
            Ok((Found::Directory(id, target), _)) => self.id_inside(visit, id, &target)?,
            Ok((Found::File(id, mode), _)) => file_id(id, mode),
            Ok((Found::Submodule(id), _)) => format!("160000:{id}"),
            Ok((Found::Nothing, _)) => "nothing".into(),
            Err(GitError::BrokenLink { reason, .. }) => reason.into(),
            Err(error) => return Err(error),
        };
        directory.any = true;
        for part in dir.iter().chain([&link.name, &BString::from(leads_to)]) {
            directory.digest.update(part.len().to_le_bytes());
            directory.digest.update(part);
        }
        Ok(())
    }

    /// The links right in a tree, and those of its directories that have links somewhere below.
    fn links(&self, tree: &Tree<'_>, id: ObjectId, depth: usize) -> Result<Arc<[RawEntry]>, GitError> {
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
            let leads_on = match entry.mode {
                Mode::Link => true,
                Mode::Tree => !self.links(tree, entry.id, depth + 1)?.is_empty(),
                _ => false,
            };
            if leads_on {
                links.push(entry);
            }
        }
        let links: Arc<[RawEntry]> = links.into();
        let mut known = lock(&self.0);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(id, links.clone());
        Ok(links)
    }
}

fn too_many(dir: &RealPath, limit: usize) -> GitError {
    GitError::TooManyLinks { dir: gix::bstr::join("/", dir).to_str_lossy().into_owned(), limit }
}
