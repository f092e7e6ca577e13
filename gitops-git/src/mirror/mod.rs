//! The local copy of a repository: a bare repository that only this source writes.
//!
//! ```text
//! <root>/<hash of URL, credential and depth>-<slot>/   one process at a time (`lock`)
//!     current                                   names the repository in use
//!     notes                                     what is remembered beside objects
//!     repo-<n>.git/                             replaced when it is damaged or has too many packs
//! ```

mod files;
mod names;
mod repository;

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gix::bstr::ByteSlice as _;
use sha2::{Digest as _, Sha256};

pub(crate) use files::private_dir;
use files::{
    has_content, looks_whole, make_private_dir, make_repository, number, open, patient_lock, put_in_use,
    remove_leftovers, write_settings,
};
use names::TIPS;
#[cfg(feature = "verify")]
pub(crate) use names::tag_name;
pub(crate) use names::{commit_name, keep, tip_name, try_to_keep};
pub(crate) use repository::Repository;

use crate::GitError;
use crate::notes::Notes;
use crate::remote::Remote;
use crate::repack::repack;
use crate::stop::Stop;

/// How many processes may hold a mirror of the same repository; each has its own.
const SLOTS: usize = 32;

/// A commit that cannot be read has everything fetched anew, but no sooner than this after the last time.
const AGAIN: Duration = Duration::from_secs(3600);

/// A mirror that holds more than so many times what one operation may receive is made anew: histories that were forced
/// away would else stay for ever. One that is new never holds so much.
const MOST_CLONES: u64 = 2;

/// With more packs than this, lookups slow down, and gix runs out of slots for indices in the end.
pub(crate) const MAX_PACKS: usize = 50;

/// How much of a history a mirror holds. One that may end anywhere is apart from whole ones: a server that is told that a
/// commit is there takes what came before it for known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// All that came before its commits.
    Whole,
    /// The commits alone, as far as the server is able to leave out the rest.
    Commit,
}

/// A directory that holds the mirror, locked for this process.
#[derive(Debug)]
pub(crate) struct Mirror {
    dir: PathBuf,
    repository: Arc<Repository>,
    /// Made anew, and filled by what is being asked for; nobody knows yet whether that comes.
    fresh: Option<Fresh>,
    pub(crate) notes: Notes,
    /// Held, never read: the lock ends with it. Snapshots keep it too, by way of [`Repository`].
    lock: Arc<File>,
    depth: Depth,
    max_packs: usize,
    max_bytes: u64,
    /// The commit for which it was last made anew, and when.
    renewed_for: Option<(gix::ObjectId, Instant)>,
}

/// A repository that is to take the place of the current one.
#[derive(Debug)]
struct Fresh {
    repository: Arc<Repository>,
    /// The commit that could not be read, if that is why.
    unreadable: Option<gix::ObjectId>,
}
impl Mirror {
    /// Whether there was ever one.
    pub(crate) fn is_there(root: &Path, remote: &Remote, depth: Depth) -> bool {
        root.join(format!("{}-0", dir_name(remote, depth))).is_dir()
    }

    /// Opens the mirror of a remote, or makes an empty one.
    pub(crate) fn open(
        root: &Path,
        remote: &Remote,
        depth: Depth,
        max_packs: usize,
    ) -> Result<Self, GitError> {
        make_private_dir(root).map_err(fail(root))?;
        let name = dir_name(remote, depth);
        for slot in 0..SLOTS {
            let dir = root.join(format!("{name}-{slot}"));
            private_dir(&dir).map_err(fail(&dir))?;
            let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock"));
            let lock = Arc::new(lock.map_err(fail(&dir))?);
            match patient_lock(&lock) {
                Ok(()) => {
                    let repository = Self::current(&dir, &lock).map_err(fail(&dir))?;
                    return Ok(Self {
                        notes: Notes::open(&dir),
                        dir,
                        repository,
                        fresh: None,
                        lock,
                        depth,
                        max_packs,
                        max_bytes: remote.limits.received_bytes.saturating_mul(MOST_CLONES),
                        renewed_for: None,
                    });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(fail(&dir)(error)),
            }
        }
        Err(GitError::MirrorDir {
            path: root.to_owned(),
            reason: format!("{SLOTS} sources hold a mirror of this repository already: share one source"),
        })
    }

    /// The repository in use. Leftovers of others are removed: nobody reads them, since the lock is ours.
    fn current(dir: &Path, lock: &Arc<File>) -> std::io::Result<Arc<Repository>> {
        let named = fs::read_to_string(dir.join("current")).unwrap_or_default();
        let mut found = None;
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if number(&name).is_none() {
                continue;
            }
            if name == named && has_content(&dir.join(&name)) {
                found = Some(dir.join(name));
            } else {
                fs::remove_dir_all(dir.join(name))?;
            }
        }
        let path = if let Some(path) = found {
            write_settings(&path)?;
            remove_leftovers(&path);
            path
        } else {
            let name = "repo-0.git";
            let path = make_repository(dir, name)?;
            put_in_use(dir, name)?;
            path
        };
        Ok(Repository::new(path, true, lock))
    }

    /// The repository to use now for a commit. One that is damaged is replaced by an empty one, once [`Self::settle`] has
    /// heard that this helped; one that has too many packs, by one with a single pack.
    pub(crate) fn repository(&mut self, id: gix::ObjectId, stop: &Stop) -> Result<Arc<Repository>, GitError> {
        if self.fresh.is_some() {
            // It was made for this.
        } else if !looks_whole(&self.repository.path) {
            self.renew(None)?;
        } else if self.repository.damaged.load(Ordering::Relaxed) {
            self.renew_for(id, "it could not be read before")?;
        } else if self.repository.packs().count > self.max_packs {
            match self.repack(stop) {
                // No room for both, as a rule. What is there can be read as it is; for more, there must be room first.
                Err(error) if stop.check().is_ok() && self.has(id) => {
                    tracing::warn!(%error, "the mirror cannot be repacked now");
                }
                Err(GitError::Damaged { detail }) => {
                    tracing::warn!(%detail, "the mirror cannot be repacked and is made anew");
                    self.renew(None)?;
                }
                done => done?,
            }
        }
        Ok(self.in_work().clone())
    }

    /// Makes it anew because a commit cannot be read. If that has just been tried in vain, it is the server that has it so:
    /// whoever can push such a commit could otherwise have everything fetched again with each sync.
    pub(crate) fn renew_for(&mut self, id: gix::ObjectId, detail: &str) -> Result<(), GitError> {
        let was_tried = self.renewed_for.is_some_and(|(other, at)| other == id && at.elapsed() < AGAIN);
        if self.fresh.is_some() || was_tried {
            return Err(malformed(id, detail));
        }
        tracing::warn!(commit = %id, %detail, "the mirror is damaged and is made anew");
        self.renew(Some(id))
    }

    /// Has an empty repository filled from now on. The current one stays in use until that is done: what can still be read
    /// of it is better than nothing, should the server be gone, or have nothing that is whole.
    fn renew(&mut self, unreadable: Option<gix::ObjectId>) -> Result<(), GitError> {
        self.fresh = Some(Fresh { repository: self.beside()?, unreadable });
        Ok(())
    }

    /// Ends what making it anew has begun, with what came of it.
    pub(crate) fn settle<T>(&mut self, done: &Result<T, GitError>) -> Result<(), GitError> {
        let Some(Fresh { repository, unreadable }) = self.fresh.take() else { return Ok(()) };
        if matches!(done, Ok(_) | Err(GitError::Refused { .. } | GitError::Malformed { .. })) {
            self.renewed_for = unreadable.map(|id| (id, Instant::now())).or(self.renewed_for);
        }
        match done {
            Ok(_) | Err(GitError::Refused { .. }) => self.put_in_use(repository),
            Err(_) => Ok(()),
        }
    }

    /// Makes one pack of many, if nothing else is to be done.
    #[cfg(feature = "write")]
    pub(crate) fn tidy(&mut self, stop: &Stop) -> Result<(), GitError> {
        let is_whole = self.fresh.is_none() && !self.repository.damaged.load(Ordering::Relaxed);
        if is_whole && self.repository.packs().count > self.max_packs {
            self.repack(stop)?;
        }
        Ok(())
    }

    /// The repository as it is, to read what may be in it.
    #[cfg(feature = "write")]
    pub(crate) fn as_it_is(&self) -> Arc<Repository> {
        self.repository.clone()
    }

    /// Whether an object is there.
    pub(crate) fn has(&self, id: gix::ObjectId) -> bool {
        open(&self.repository.path).is_ok_and(|repo| repo.has_object(id))
    }

    /// Whether it holds much more than what a clone receives.
    pub(crate) fn is_outgrown(&self) -> bool {
        self.fresh.is_none() && self.repository.packs().bytes > self.max_bytes
    }

    /// Makes it anew because it has outgrown that. If nothing comes of it, what is there stays.
    pub(crate) fn outgrow(&mut self) -> Result<Arc<Repository>, GitError> {
        tracing::info!("the mirror has grown too large and is made anew");
        self.renew(None)?;
        Ok(self.in_work().clone())
    }

    /// The repository that is being filled, or the one in use.
    fn in_work(&self) -> &Arc<Repository> {
        self.fresh.as_ref().map_or(&self.repository, |fresh| &fresh.repository)
    }

    fn repack(&mut self, stop: &Stop) -> Result<(), GitError> {
        let repacked = self.beside()?;
        let (from, to) = (&self.repository.path, &repacked.path);
        repack(&from.join("objects"), &to.join("objects"), stop)?;
        let open = |path: &Path| open(path).map_err(|error| damaged(&error));
        let (old, new) = (open(from)?, open(to)?);
        let cut = old.shallow_commits().map_err(|error| damaged(&error))?;
        let cut: HashSet<_> = cut.iter().flat_map(|commits| commits.iter().copied()).collect();
        let mut shallow = String::new();
        let platform = old.references().map_err(|error| damaged(&error))?;
        for reference in platform.all().map_err(|error| damaged(&error))? {
            let reference = reference.map_err(|error| damaged(&error))?;
            if let Some(id) = reference.target().try_id()
                && let Ok(name) = reference.name().as_bstr().to_str()
                // Each end of a history is told to the server with each fetch: only those that are built upon stay.
                && (self.depth == Depth::Whole || name.starts_with(TIPS))
            {
                if cut.contains(id) {
                    shallow.extend([id.to_string().as_str(), "\n"]);
                }
                keep(&new, name, id.to_owned())?;
            }
        }
        if !shallow.is_empty() {
            fs::write(new.path().join("shallow"), shallow).map_err(fail(&self.dir))?;
        }
        self.put_in_use(repacked)
    }

    /// An empty repository beside the current one. It is removed again unless it is put in use.
    fn beside(&self) -> Result<Arc<Repository>, GitError> {
        let last = self.repository.path.file_name().and_then(|name| number(&name.to_string_lossy()));
        let name = format!("repo-{}.git", last.map_or(0, |n| n.wrapping_add(1)));
        let path = make_repository(&self.dir, &name).map_err(fail(&self.dir))?;
        Ok(Repository::new(path, false, &self.lock))
    }

    /// Puts a repository in the place of the current one, which lives until its last reader ends.
    fn put_in_use(&mut self, new: Arc<Repository>) -> Result<(), GitError> {
        let name = new.path.file_name().unwrap_or_default().to_string_lossy();
        put_in_use(&self.dir, &name).map_err(fail(&self.dir))?;
        new.in_use.store(true, Ordering::Relaxed);
        self.repository.in_use.store(false, Ordering::Relaxed);
        self.repository = new;
        Ok(())
    }
}

fn fail(path: &Path) -> impl FnOnce(std::io::Error) -> GitError {
    let path = path.to_owned();
    move |error| GitError::MirrorDir { path, reason: error.to_string() }
}

/// One name for each repository, credential and depth. The credential itself is only in a hash.
fn dir_name(remote: &Remote, depth: Depth) -> String {
    let mut hash = Sha256::new();
    if depth == Depth::Commit {
        hash.update([0]);
    }
    hash.update(remote.identity.as_bytes());
    hash.update([0]);
    // One user may see what another may not, and paths below a home directory are each user's own.
    #[cfg(feature = "ssh")]
    if let crate::remote::Place::Ssh(place) = &remote.place {
        hash.update(place.user().as_bytes());
        hash.update([0]);
    }
    if let Some(credentials) = &remote.credentials {
        hash.update(credentials.identity());
    }
    #[cfg(feature = "https")]
    if let crate::remote::Place::Http(place) = &remote.place
        && let Some(certificate) = place.certificate()
    {
        hash.update(certificate.identity());
    }
    hex(&hash.finalize()[..16])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn malformed(id: gix::ObjectId, detail: &str) -> GitError {
    GitError::Malformed { id: id.to_string(), detail: detail.to_owned() }
}

pub(crate) fn damaged(error: &gix::Error) -> GitError {
    GitError::Damaged { detail: crate::error::chain(error) }
}
