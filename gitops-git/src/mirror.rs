//! The local copy of a repository: a bare repository that only this source writes.
//!
//! ```text
//! <root>/<hash of URL, credential and depth>-<slot>/   one process at a time (`lock`)
//!     current                                   names the repository in use
//!     notes                                     what is remembered beside objects
//!     repo-<n>.git/                             replaced when it is damaged or has too many packs
//! ```

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gix::bstr::ByteSlice as _;
use gix::refs::transaction::PreviousValue;
use sha2::{Digest as _, Sha256};

use crate::GitError;
use crate::notes::Notes;
use crate::remote::Remote;
use crate::repack::repack;
use crate::stop::Stop;

/// How many processes may hold a mirror of the same repository; each has its own.
const SLOTS: usize = 32;

/// How long the lock of one of them is waited for. A program that is being started holds all that we hold until it runs,
/// and who has just ended may not have let go yet; neither is worth another mirror.
const PATIENCE: Duration = Duration::from_millis(100);

/// A commit that cannot be read has everything fetched anew, but no sooner than this after the last time.
const AGAIN: Duration = Duration::from_secs(3600);

/// A mirror that holds more than so many times what one operation may receive is made anew: histories that were forced
/// away would else stay for ever. One that is new never holds so much.
const MOST_CLONES: u64 = 2;

const TIPS: &str = "refs/gitops/tips/";

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

/// A bare repository in the mirror. Removed once it is not in use, or no more, and no snapshot reads it.
#[derive(Debug)]
pub(crate) struct Repository {
    path: PathBuf,
    in_use: AtomicBool,
    /// Something that should be in it is not.
    damaged: AtomicBool,
    _lock: Arc<File>,
}

#[derive(Debug, Default)]
struct Packs {
    count: usize,
    bytes: u64,
}

impl Repository {
    fn new(path: PathBuf, in_use: bool, lock: &Arc<File>) -> Arc<Self> {
        let in_use = AtomicBool::new(in_use);
        Arc::new(Self { path, in_use, damaged: AtomicBool::new(false), _lock: lock.clone() })
    }

    /// Opens it. A handle serves one sync: it has room for few more packs.
    pub(crate) fn open(&self, object_bytes: u64) -> Result<gix::Repository, GitError> {
        open_with(&self.path, [format!("gitoxide.objects.allocLimit={object_bytes}")])
            .map_err(|error| damaged(&error))
    }

    /// Has it made anew at the next fetch.
    pub(crate) fn mark_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    fn packs(&self) -> Packs {
        let entries = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "pack")).fold(
            Packs::default(),
            |packs, pack| Packs {
                count: packs.count + 1,
                bytes: packs.bytes + pack.metadata().map_or(0, |metadata| metadata.len()),
            },
        )
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        if !*self.in_use.get_mut() {
            // What remains is removed when the mirror is opened the next time.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
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
            fs::write(new.path().join("shallow"), shallow).map_err(|error| self.unusable(&error))?;
        }
        self.put_in_use(repacked)
    }

    /// An empty repository beside the current one. It is removed again unless it is put in use.
    fn beside(&self) -> Result<Arc<Repository>, GitError> {
        let last = self.repository.path.file_name().and_then(|name| number(&name.to_string_lossy()));
        let name = format!("repo-{}.git", last.map_or(0, |n| n.wrapping_add(1)));
        let path = make_repository(&self.dir, &name).map_err(|error| self.unusable(&error))?;
        Ok(Repository::new(path, false, &self.lock))
    }

    /// Puts a repository in the place of the current one, which lives until its last reader ends.
    fn put_in_use(&mut self, new: Arc<Repository>) -> Result<(), GitError> {
        let name = new.path.file_name().unwrap_or_default().to_string_lossy();
        put_in_use(&self.dir, &name).map_err(|error| self.unusable(&error))?;
        new.in_use.store(true, Ordering::Relaxed);
        self.repository.in_use.store(false, Ordering::Relaxed);
        self.repository = new;
        Ok(())
    }

    fn unusable(&self, error: &std::io::Error) -> GitError {
        GitError::MirrorDir { path: self.dir.clone(), reason: error.to_string() }
    }
}

/// Locks it, if nobody holds it for long.
fn patient_lock(file: &File) -> Result<(), TryLockError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
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

fn number(name: &str) -> Option<u32> {
    name.strip_prefix("repo-")?.strip_suffix(".git")?.parse().ok()
}

/// Whether a crash left something that Git would not take for a repository.
fn looks_whole(repo: &Path) -> bool {
    SETTINGS.iter().all(|(name, _)| repo.join(name).is_file()) && has_content(repo)
}

fn has_content(repo: &Path) -> bool {
    repo.join("objects/pack").is_dir() && repo.join("refs").is_dir()
}

/// What is the same in each repository of ours.
const SETTINGS: [(&str, &str); 2] = [
    ("config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"),
    ("HEAD", "ref: refs/heads/none\n"),
];

/// Writes the files that are the same in each repository where they are not.
fn write_settings(repo: &Path) -> std::io::Result<()> {
    for (name, content) in SETTINGS {
        let path = repo.join(name);
        if fs::read(&path).ok().as_deref() != Some(content.as_bytes()) {
            fs::write(path, content)?;
        }
    }
    Ok(())
}

/// Makes an empty bare repository, without the hooks and templates of the machine's Git.
fn make_repository(dir: &Path, name: &str) -> std::io::Result<PathBuf> {
    let path = dir.join(name);
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    make_private_dir(&path)?;
    fs::create_dir_all(path.join("objects/pack"))?;
    fs::create_dir_all(path.join("refs"))?;
    write_settings(&path)?;
    Ok(path)
}

fn put_in_use(dir: &Path, name: &str) -> std::io::Result<()> {
    let staged = dir.join("current.new");
    let mut file = File::create(&staged)?;
    file.write_all(name.as_bytes())?;
    file.sync_all()?;
    fs::rename(staged, dir.join("current"))
}

/// Opens a repository with nothing of the machine's configuration.
fn open(path: &Path) -> gix::Result<gix::Repository> {
    open_with(path, None::<String>)
}

fn open_with(path: &Path, config: impl IntoIterator<Item = String>) -> gix::Result<gix::Repository> {
    let options = gix::open::Options::isolated().open_path_as_is(true).config_overrides(config);
    options.open(path).map(|repo| repo.to_thread_local())
}

/// Packs that a killed process did not finish, and locks that it held.
fn remove_leftovers(repo: &Path) {
    remove_files(&repo.join("objects/pack"), |path| {
        let is_ours = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"pack-"));
        match path.extension().and_then(|extension| extension.to_str()) {
            // The index is what comes last.
            Some("pack") => !(is_ours && path.with_extension("idx").exists()),
            Some("idx") => !is_ours,
            _ => true,
        }
    });
    for dir in ["", "refs/gitops/tips", "refs/gitops/commits", "refs/gitops/tags"] {
        remove_files(&repo.join(dir), |path| path.extension().is_some_and(|ext| ext == "lock"));
    }
}

fn remove_files(dir: &Path, which: impl Fn(&Path) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if which(&entry.path()) {
            // If it stays, the operation that it stands in the way of says so.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a directory that only its owner can enter, or closes it to others.
pub(crate) fn private_dir(path: &Path) -> std::io::Result<()> {
    make_private_dir(path).and_then(|()| shut(path))
}

/// Makes a directory that only its owner can enter.
fn make_private_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes everybody else's access to a directory of ours that was made before, by whomever: where it is not ours, that is
/// an error.
#[cfg(unix)]
fn shut(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path)?.permissions().mode() & 0o777 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn shut(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Keeps a commit or tag from being asked for again: what references lead to is what we tell the server that we have.
pub(crate) fn keep(repo: &gix::Repository, name: &str, id: gix::ObjectId) -> Result<(), GitError> {
    let known = repo.try_find_reference(name).map_err(|error| damaged(&error))?;
    if known.is_some_and(|reference| reference.target().try_id() == Some(&id)) {
        return Ok(());
    }
    repo.reference(name, id, PreviousValue::Any, "").map(drop).map_err(|error| GitError::MirrorDir {
        path: repo.path().to_owned(),
        reason: crate::error::chain(&error),
    })
}

/// The same as far as there is room for it: without, the server sends again what is there, and nothing else is lost.
pub(crate) fn try_to_keep(repo: &gix::Repository, name: &str, id: gix::ObjectId) -> Result<(), GitError> {
    match keep(repo, name, id) {
        Err(error @ GitError::MirrorDir { .. }) => {
            tracing::warn!(%error, "a commit is not noted in the mirror");
            Ok(())
        }
        done => done,
    }
}

/// The mirror's own name for a reference of the remote; by a hash, since `a` may become `a/b`.
pub(crate) fn tip_name(reference: &str) -> String {
    format!("{TIPS}{}", hash_name(reference))
}

/// The mirror's own name for the annotated tag that a reference of the remote points to.
#[cfg(feature = "verify")]
pub(crate) fn tag_name(reference: &str) -> String {
    format!("refs/gitops/tags/{}", hash_name(reference))
}

fn hash_name(reference: &str) -> String {
    hex(&Sha256::digest(reference.as_bytes())[..20])
}

/// The mirror's own name for a commit that was asked for by its id.
pub(crate) fn commit_name(id: gix::ObjectId) -> String {
    format!("refs/gitops/commits/{id}")
}

pub(crate) fn malformed(id: gix::ObjectId, detail: &str) -> GitError {
    GitError::Malformed { id: id.to_string(), detail: detail.to_owned() }
}

pub(crate) fn damaged(error: &gix::Error) -> GitError {
    GitError::Damaged { detail: crate::error::chain(error) }
}
