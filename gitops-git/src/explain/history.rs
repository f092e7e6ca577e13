//! [`History`]: commits, newest first, as many as are asked for.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use gitops_core::{Cx, Fault, Progress};

use super::commit::Commit;
use super::limited;
use super::node::{Node, Reader};
use super::object::Object;
use super::options::HistoryOptions;
use super::paths::Paths;
use super::simplify::Same;
use super::stream::Stream;
use crate::GitError;
use crate::reference::commit_id;
use crate::snapshot::GitSnapshot;
use crate::stop::{self, Stop, lock};

/// How many commits are read ahead, and of how many bytes.
const AHEAD: usize = 64;
const AHEAD_BYTES: usize = 1 << 20;

/// After this many commits that are not shown, those that were found are handed out.
const WITHOUT_ANY: usize = 4096;

/// The commits that [`HistoryOptions`] ask for, newest first: those of `git log`, in its order, made as they are asked
/// for. [`GitSource::history`](crate::GitSource::history) begins one.
///
/// # Order
/// Of the commits that wait for their turn, the one with the latest committer's time comes next, and of several with the
/// same time the one that was met first. So a child comes before its parents, unless a clock was wrong.
///
/// # Which commits
/// With paths, Git's default simplification: a commit is shown if it differs there from all its parents; from a merge that
/// is the same there as one of its parents, only that parent is followed. Git calls this "the simplest history
/// explaining the final state of the tree".
///
/// # Memory
/// Kept are some commits that are read ahead, those that wait for their turn (about as many as there are branches side by
/// side), and 20 bytes, with overhead some 50, for each commit that was looked at: where clocks are wrong, a commit can be
/// met again at any time. With [first parents](HistoryOptions::with_first_parent) only, there is nothing of the latter.
/// With [a beginning](HistoryOptions::with_from), all commits between the two, without their messages, are kept.
///
/// # The end of a shallow mirror
/// A commit whose parents the mirror does not have says so in [`Commit::boundary`], and makes
/// [`is_complete`](Self::is_complete) false. As in Git, it is shown if it has something at the paths.
pub struct History {
    place: String,
    walk: Arc<Mutex<Walk>>,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Limits of a walk, as it uses them.
pub(super) struct Limits {
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) first_parent: bool,
    max_commits: usize,
}

impl Limits {
    pub(super) fn of(options: &HistoryOptions) -> Self {
        Self {
            // Git's dates are whole seconds.
            since: options.since.map(|since| since.as_second() + i64::from(since.subsec_nanosecond() > 0)),
            until: options.until.map(gitops_core::Timestamp::as_second),
            first_parent: options.first_parent,
            max_commits: options.max_commits,
        }
    }

    pub(super) fn check(&self, walked: usize) -> Result<(), GitError> {
        if walked >= self.max_commits {
            return Err(GitError::HistoryTooLong { limit: self.max_commits });
        }
        Ok(())
    }
}

/// The state of a history, on whatever thread it is.
struct Walk {
    reader: Reader,
    limits: Limits,
    same: Option<Box<dyn Same>>,
    stage: Stage,
    ready: VecDeque<Commit>,
    complete: bool,
    /// Keeps the objects.
    snapshot: GitSnapshot,
}

enum Stage {
    Streaming(Stream),
    /// From, to: nothing was done yet.
    Between(gix::ObjectId, gix::ObjectId),
    Found(std::vec::IntoIter<Node>),
}

impl History {
    /// Begins at the snapshot's commit.
    pub(super) fn new(snapshot: GitSnapshot, options: HistoryOptions) -> Result<Self, GitError> {
        let reader = snapshot.reader()?;
        let place = snapshot.place();
        let tip = snapshot.commit();
        let limits = Limits::of(&options);
        let everything = options.paths.is_empty() || options.paths.iter().any(gitops_core::RepoPath::is_root);
        let same: Option<Box<dyn Same>> = match options.object {
            Some((path, id, field)) => Some(Box::new(Object::new(path, id, field))),
            None if everything => None,
            None => Some(Box::new(Paths::new(options.paths))),
        };
        let stage = match &options.from {
            Some(from) => {
                let from = commit_id(from)?;
                if !reader.repo.has_object(from) {
                    return Err(GitError::RevisionNotFound { id: from.to_string() });
                }
                Stage::Between(from, tip)
            }
            None => Stage::Streaming(Stream::new(reader.node(tip)?)),
        };
        let ready = VecDeque::new();
        let walk = Walk { reader, limits, same, stage, ready, complete: true, snapshot };
        Ok(Self { place, walk: Arc::new(Mutex::new(walk)) })
    }

    /// The next commit; none at the end.
    ///
    /// It blocks no thread of the runtime. After the context's end, or when this future is dropped, the same call may be
    /// made again: nothing is lost.
    pub async fn next(&mut self, cx: &Cx) -> Result<Option<Commit>, Fault> {
        // Between two calls nobody else has it, but for work that is about to stop.
        if let Ok(mut walk) = self.walk.try_lock()
            && let Some(commit) = walk.ready.pop_front()
        {
            return Ok(Some(commit));
        }
        let (walk, progress) = (self.walk.clone(), cx.progress.clone());
        let next = stop::run(cx, move |stop| {
            let mut walk = lock(&walk);
            if walk.ready.is_empty() {
                let filled = walk.fill(&*progress, stop);
                filled.inspect_err(|error| walk.snapshot.suspect(error))?;
            }
            Ok(walk.ready.pop_front())
        });
        next.await.map_err(|error| error.at(&self.place))
    }

    /// Whether all that was looked at so far had its parents in the mirror. It is false where a shallow mirror ends.
    pub fn is_complete(&self) -> bool {
        lock(&self.walk).complete
    }
}

impl Walk {
    /// Looks for commits, until there are some, or no more.
    fn fill(&mut self, progress: &dyn Progress, stop: &Stop) -> Result<(), GitError> {
        if let Stage::Between(from, to) = self.stage {
            let same = self.same.as_deref_mut();
            let (found, complete) = limited::between(&self.reader, from, to, same, &self.limits, stop)?;
            self.complete = complete;
            self.stage = Stage::Found(found.into_iter());
        }
        let (mut looked, mut bytes) = (0, 0);
        while self.ready.len() < AHEAD
            && bytes < AHEAD_BYTES
            && (looked < WITHOUT_ANY || self.ready.is_empty())
        {
            let (node, shown) = match &mut self.stage {
                Stage::Streaming(stream) => {
                    if looked % 256 == 0 {
                        progress.report("read commits", stream.walked() as u64, None);
                    }
                    let same = self.same.as_deref_mut();
                    let Some(next) = stream.step(&self.reader, same, &self.limits, stop)? else { break };
                    next
                }
                Stage::Found(nodes) => {
                    stop.check()?;
                    let Some(node) = nodes.next() else { break };
                    (node, true)
                }
                Stage::Between(..) => break,
            };
            looked += 1;
            self.complete &= !node.boundary;
            if shown {
                let commit = Commit::read(&self.reader.repo, node.id, node.boundary)?;
                bytes += commit.message.len();
                self.ready.push_back(commit);
            }
        }
        Ok(())
    }
}
