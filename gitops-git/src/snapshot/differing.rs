//! The manifest files in which two trees differ, seen through their links.

use std::collections::BTreeMap;

use gitops_core::{PlainManifests, RepoPath};
use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::EntryKind as Mode;

use super::walk::{self, Found, RawEntry, RealPath, Seen, Tree};
use crate::GitError;
use crate::explain::Reader;
use crate::stop::Stop;

/// Files and directories in which two trees may differ: links may make a small tree endless.
const MAX_ENTRIES: usize = 50_000;

/// Directories are not nested deeper in anything that is meant well. Each level takes stack.
const MAX_DEPTH: usize = 256;

/// A commit and its tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root {
    pub(crate) commit: ObjectId,
    pub(crate) tree: ObjectId,
}

/// A file that is not the same in two trees.
#[derive(Debug)]
pub(crate) struct Differing {
    pub(crate) path: RepoPath,
    pub(crate) old: Option<Content>,
    pub(crate) new: Option<Content>,
}

/// What is at the path of a file.
#[derive(Debug)]
pub(crate) enum Content {
    File(ObjectId),
    /// A link that cannot be followed, a submodule, a name that no path can spell.
    Unreadable(String),
}

/// The content of a file, if it is not larger than allowed, and no pointer to something else.
pub(crate) fn blob(
    reader: &Reader,
    path: &RepoPath,
    id: ObjectId,
    max_bytes: u64,
) -> Result<Vec<u8>, GitError> {
    // Only the blob is read: which tree it is in does not matter.
    tree(reader, Root { commit: id, tree: id }).content(path, id, max_bytes)
}

/// The entries of a directory, in Git's order.
pub(crate) fn entries(reader: &Reader, dir: ObjectId) -> Result<Vec<RawEntry>, GitError> {
    tree(reader, Root { commit: dir, tree: dir }).entries(dir)
}

/// One entry of a directory.
pub(crate) fn entry(reader: &Reader, dir: ObjectId, name: &[u8]) -> Result<Option<RawEntry>, GitError> {
    tree(reader, Root { commit: dir, tree: dir }).entry(dir, name)
}

/// The manifest files at and below a path that two trees do not both have with the same content, by path; `None` if
/// neither has anything at the path. What is the same in both is not read. As in rendering, only names that end in
/// `.yaml`, `.yml` or `.json` and do not begin with a dot count, and links are followed.
pub(crate) fn differing(
    reader: &Reader,
    old: Option<Root>,
    new: Option<Root>,
    path: &RepoPath,
    stop: &Stop,
) -> Result<Option<Vec<Differing>>, GitError> {
    let [old, new] = [old, new].map(|root| root.map(|root| tree(reader, root)));
    let things = [thing_at(old.as_ref(), path)?, thing_at(new.as_ref(), path)?];
    if matches!(things, [Thing::Nothing, Thing::Nothing]) {
        return Ok(None);
    }
    let mut search = Search { reader, old, new, root: path, stop, visited: 0, found: Vec::new() };
    search.compare(path, &things, 0)?;
    search.found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Some(search.found))
}

fn tree(reader: &Reader, root: Root) -> Tree<'_> {
    Tree { repo: &reader.repo, root: root.tree, commit: root.commit, limits: reader.limits }
}

/// What is at a path, links followed.
#[derive(Clone)]
enum Thing {
    Nothing,
    File(ObjectId, Mode),
    Directory(ObjectId, RealPath, Seen),
    Broken(String),
}

fn followed(found: Result<(Found, Seen), GitError>) -> Result<Thing, GitError> {
    Ok(match found {
        Ok((Found::Directory(id, real), mut seen)) => {
            if seen.last() != Some(&real) {
                seen.push(real.clone());
            }
            Thing::Directory(id, real, seen)
        }
        Ok((Found::File(id, mode), _)) => Thing::File(id, mode),
        Ok((Found::Submodule(id), _)) => Thing::Broken(format!("submodules are not read, as that at {id}")),
        Ok((Found::Nothing, _)) => Thing::Nothing,
        Err(error @ GitError::BrokenLink { .. }) => Thing::Broken(error.to_string()),
        Err(error) => return Err(error),
    })
}

fn thing_at(tree: Option<&Tree<'_>>, path: &RepoPath) -> Result<Thing, GitError> {
    tree.map_or(Ok(Thing::Nothing), |tree| followed(tree.find(path)))
}

struct Search<'a> {
    reader: &'a Reader,
    old: Option<Tree<'a>>,
    new: Option<Tree<'a>>,
    root: &'a RepoPath,
    stop: &'a Stop,
    visited: usize,
    found: Vec<Differing>,
}

impl Search<'_> {
    fn compare(&mut self, path: &RepoPath, things: &[Thing; 2], depth: usize) -> Result<(), GitError> {
        let [old, new] = things;
        if id(self.reader, self.old.as_ref(), old)? == id(self.reader, self.new.as_ref(), new)? {
            return Ok(());
        }
        self.stop.check()?;
        self.visited += 1;
        if self.visited > MAX_ENTRIES || depth > MAX_DEPTH {
            return Err(GitError::TooManyFiles { dir: self.root.to_string(), limit: MAX_ENTRIES });
        }
        let [old_file, new_file] = [content(path, old), content(path, new)];
        if old_file.is_some() || new_file.is_some() {
            self.found.push(Differing { path: path.clone(), old: old_file, new: new_file });
        }
        let mut below: BTreeMap<BString, [Thing; 2]> = BTreeMap::new();
        let nothing = || [Thing::Nothing, Thing::Nothing];
        for (name, thing) in children(self.old.as_ref(), old)? {
            below.entry(name).or_insert_with(nothing)[0] = thing;
        }
        for (name, thing) in children(self.new.as_ref(), new)? {
            below.entry(name).or_insert_with(nothing)[1] = thing;
        }
        for (name, things) in below {
            match walk::usable_name(path, &name).ok().and_then(|name| path.join(&name).ok()) {
                Some(path) => self.compare(&path, &things, depth + 1)?,
                None => self.unspeakable(path, &name, &things)?,
            }
        }
        Ok(())
    }

    /// Notes an entry whose name no path can spell.
    fn unspeakable(&mut self, dir: &RepoPath, name: &BString, things: &[Thing; 2]) -> Result<(), GitError> {
        let [old, new] = things;
        if id(self.reader, self.old.as_ref(), old)? == id(self.reader, self.new.as_ref(), new)? {
            return Ok(());
        }
        let content = |thing: &Thing| {
            let counts = match thing {
                Thing::Nothing => false,
                Thing::File(..) => PlainManifests::is_manifest(&name.to_str_lossy()),
                Thing::Directory(..) | Thing::Broken(_) => true,
            };
            let error = || walk::usable_name(dir, name).unwrap_or_else(|error| error.to_string());
            counts.then(|| Content::Unreadable(error()))
        };
        let (old, new) = (content(old), content(new));
        if old.is_some() || new.is_some() {
            self.found.push(Differing { path: dir.clone(), old, new });
        }
        Ok(())
    }
}

/// What tells one thing from another.
fn id(reader: &Reader, tree: Option<&Tree<'_>>, thing: &Thing) -> Result<String, GitError> {
    Ok(match (thing, tree) {
        (Thing::Directory(id, real, _), Some(tree)) => reader.links.directory_id(tree, *id, real)?,
        (Thing::Directory(id, ..), None) => format!("tree:{id}"),
        (Thing::File(id, mode), _) => walk::file_id(*id, *mode),
        (Thing::Broken(why), _) => format!("broken:{why}"),
        (Thing::Nothing, _) => String::new(),
    })
}

fn content(path: &RepoPath, thing: &Thing) -> Option<Content> {
    match thing {
        Thing::File(id, _) if path.name().is_some_and(PlainManifests::is_manifest) => {
            Some(Content::File(*id))
        }
        Thing::Broken(why) => Some(Content::Unreadable(why.clone())),
        _ => None,
    }
}

/// The entries of a directory, less those whose names begin with a dot.
fn children(tree: Option<&Tree<'_>>, thing: &Thing) -> Result<Vec<(BString, Thing)>, GitError> {
    let (Some(tree), Thing::Directory(id, real, seen)) = (tree, thing) else { return Ok(Vec::new()) };
    let mut below = Vec::new();
    for entry in tree.entries(*id)? {
        if entry.name.starts_with(b".") {
            continue;
        }
        let thing = match entry.mode {
            Mode::Blob | Mode::BlobExecutable => Thing::File(entry.id, entry.mode),
            _ => match followed(tree.follow(real, &entry, seen))? {
                Thing::Nothing => Thing::Broken("the link leads to nothing".into()),
                other => other,
            },
        };
        below.push((entry.name, thing));
    }
    Ok(below)
}
