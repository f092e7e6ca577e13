//! Which commits are new: reachable from one, and not from others.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::ObjectId;

use crate::GitError;
use crate::mirror::damaged;
use crate::refusal::Refusal;
use crate::stop::Stop;

/// How many commits are looked at.
pub(super) const MAX_WALK: usize = 200_000;

const NEW: u8 = 1;
const KNOWN: u8 = 2;

/// What is reachable from a commit and was not seen to be reachable from those that are known.
#[derive(Debug)]
pub(super) struct New {
    /// The newest first, by the times that commits state.
    pub(super) commits: Vec<ObjectId>,
    parents: HashSet<ObjectId>,
}

impl New {
    /// Whether the walk arrived at a commit. On the way there is none that comes before it, so this holds for known ones.
    pub(super) fn reached(&self, id: ObjectId) -> bool {
        self.parents.contains(&id)
    }
}

/// Walks from `tip`, the newest commit first, until all that is left is known.
///
/// Commits that state wrong times may be new here although they are known; never the other way round, since only what a known
/// commit names as its parent is known. [`all`] says the last word.
pub(super) fn new_commits(
    repo: &gix::Repository,
    tip: ObjectId,
    known: &[ObjectId],
    stop: &Stop,
) -> Result<New, Failed> {
    let mut walk = Walk::new(repo, stop);
    let mut new = New { commits: Vec::new(), parents: HashSet::from([tip]) };
    for id in known {
        walk.mark(*id, KNOWN)?;
    }
    walk.mark(tip, NEW)?;
    while walk.news > 0
        && let Some((id, flags)) = walk.next()
    {
        let parents = walk.parents(id)?;
        if flags == NEW {
            new.commits.push(id);
            new.parents.extend(&parents);
        }
        for parent in parents {
            walk.mark(parent, flags)?;
        }
    }
    new.commits.retain(|id| walk.flags.get(id) == Some(&NEW));
    Ok(new)
}

/// Everything that is reachable from some commits, themselves included.
pub(super) fn all(
    repo: &gix::Repository,
    tips: &[ObjectId],
    stop: &Stop,
) -> Result<HashSet<ObjectId>, Failed> {
    let mut walk = Walk::new(repo, stop);
    for id in tips {
        walk.mark(*id, KNOWN)?;
    }
    while let Some((id, _)) = walk.next() {
        for parent in walk.parents(id)? {
            walk.mark(parent, KNOWN)?;
        }
    }
    Ok(walk.flags.into_keys().collect())
}

/// Why a walk did not come to its end.
#[derive(Debug)]
pub(super) enum Failed {
    Refused(Refusal),
    Other(GitError),
}

impl From<GitError> for Failed {
    fn from(error: GitError) -> Self {
        Self::Other(error)
    }
}

impl Failed {
    pub(super) fn refusal(self) -> Result<Refusal, GitError> {
        match self {
            Self::Refused(why) => Ok(why),
            Self::Other(error) => Err(error),
        }
    }
}

/// The parents of a commit. One that cannot be read as a whole has none that could be believed.
pub(super) fn parents_of(commit: &gix::Commit<'_>) -> Result<Vec<ObjectId>, Refusal> {
    match commit.decode() {
        Ok(decoded) => Ok(decoded.parents().collect()),
        Err(error) => {
            let reason = format!("commit {}: {}", commit.id, crate::error::chain(&error));
            Err(Refusal::MalformedObject { reason })
        }
    }
}

struct Walk<'a> {
    repo: &'a gix::Repository,
    stop: &'a Stop,
    flags: HashMap<ObjectId, u8>,
    /// By time; a commit is here again when its flags grow.
    queue: BinaryHeap<(i64, ObjectId)>,
    queued: HashSet<ObjectId>,
    /// How many of the queue are new only.
    news: usize,
    seen: usize,
}

impl<'a> Walk<'a> {
    fn new(repo: &'a gix::Repository, stop: &'a Stop) -> Self {
        let (flags, queue, queued) = (HashMap::new(), BinaryHeap::new(), HashSet::new());
        Self { repo, stop, flags, queue, queued, news: 0, seen: 0 }
    }

    /// Gives a commit flags; if it did not have them all, it is looked at (again).
    fn mark(&mut self, id: ObjectId, flags: u8) -> Result<(), Failed> {
        let before = self.flags.get(&id).copied().unwrap_or(0);
        let after = before | flags;
        if after == before {
            return Ok(());
        }
        self.flags.insert(id, after);
        if self.queued.insert(id) {
            self.queue.push((self.time(id)?, id));
            self.news += usize::from(after == NEW);
        } else if before == NEW {
            self.news -= 1;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<(ObjectId, u8)> {
        let (_, id) = self.queue.pop()?;
        self.queued.remove(&id);
        let flags = self.flags.get(&id).copied().unwrap_or(0);
        self.news -= usize::from(flags == NEW);
        Some((id, flags))
    }

    fn parents(&mut self, id: ObjectId) -> Result<Vec<ObjectId>, Failed> {
        self.seen += 1;
        // Each commit is looked at once for each of two flags at most.
        if self.seen > 2 * MAX_WALK || self.flags.len() > MAX_WALK {
            return Err(Failed::Refused(Refusal::TooManyCommits { limit: MAX_WALK }));
        }
        if self.seen.is_multiple_of(256) {
            self.stop.check()?;
        }
        let commit = self.repo.find_commit(id).map_err(|error| damaged(&error))?;
        parents_of(&commit).map_err(Failed::Refused)
    }

    fn time(&self, id: ObjectId) -> Result<i64, Failed> {
        let commit = self.repo.find_commit(id).map_err(|error| damaged(&error))?;
        Ok(commit.time().map_or(0, |time| time.seconds))
    }
}
