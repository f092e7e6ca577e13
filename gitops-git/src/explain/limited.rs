//! The walk that leaves out what another commit descends from: `git log FROM..TO`.
//!
//! Which commits are left out shows only after more of them were looked at, so all is done before the first commit is
//! shown; kept is what is between the two, and the part of what is left out that is not older. The rules, their few more
//! steps at the end included, are those of `limit_list` in Git's `revision.c`, so that the result is Git's also where
//! clocks were wrong.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use gix::ObjectId;

use super::history::Limits;
use super::node::{Node, Reader};
use super::simplify::{Same, simplify};
use crate::GitError;
use crate::stop::Stop;

/// How many commits that are left out are looked at after the last that is not.
const SLOP: u32 = 5;

/// A commit that was met.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing, independent of the others")]
struct Met {
    /// None as long as only its id is known.
    node: Option<Node>,
    /// Left out.
    excluded: bool,
    /// The commit that was given to be left out: what it has still tells what changed.
    bottom: bool,
    /// It was put into the queue at some time.
    seen: bool,
    /// It is in the queue.
    queued: bool,
    treesame: bool,
}

struct Walk<'a> {
    reader: &'a Reader,
    limits: &'a Limits,
    stop: &'a Stop,
    met: HashMap<ObjectId, Met>,
    queue: BTreeSet<(Reverse<i64>, u64, ObjectId)>,
    order: u64,
    /// Commits in the queue that are not left out.
    wanted: usize,
}

/// The commits of `from..to` that are shown, newest first, and whether the repository has all parents of what was met.
pub(super) fn between(
    reader: &Reader,
    from: ObjectId,
    to: ObjectId,
    same: Option<&mut (dyn Same + 'static)>,
    limits: &Limits,
    stop: &Stop,
) -> Result<(Vec<Node>, bool), GitError> {
    let mut walk =
        Walk { reader, limits, stop, met: HashMap::new(), queue: BTreeSet::new(), order: 0, wanted: 0 };
    let bottom = walk.met(from);
    (bottom.excluded, bottom.bottom) = (true, true);
    walk.parse(from)?;
    walk.exclude_parents(from);
    walk.enqueue(from);
    walk.parse(to)?;
    if walk.is_excluded(to) {
        walk.exclude_parents(to);
    }
    walk.enqueue(to);
    walk.run(same)
}

impl Walk<'_> {
    fn met(&mut self, id: ObjectId) -> &mut Met {
        self.met.entry(id).or_default()
    }

    fn is_excluded(&self, id: ObjectId) -> bool {
        self.met.get(&id).is_some_and(|met| met.excluded)
    }

    fn parents(&self, id: ObjectId) -> Vec<ObjectId> {
        let node = self.met.get(&id).and_then(|met| met.node.as_ref());
        node.map(|node| node.parents.clone()).unwrap_or_default()
    }

    /// Reads a commit. What is behind the end of a shallow history is left out of its parents.
    fn parse(&mut self, id: ObjectId) -> Result<(), GitError> {
        if self.met.get(&id).is_some_and(|met| met.node.is_some()) {
            return Ok(());
        }
        self.limits.check(self.met.len())?;
        let mut node = self.reader.node(id)?;
        let all = node.parents.len();
        node.parents.retain(|parent| self.met.contains_key(parent) || self.reader.repo.has_object(parent));
        node.boundary |= node.parents.len() < all;
        self.met(id).node = Some(node);
        Ok(())
    }

    fn enqueue(&mut self, id: ObjectId) {
        let order = self.order;
        let met = self.met(id);
        if std::mem::replace(&mut met.seen, true) {
            return;
        }
        met.queued = true;
        let (wanted, date) = (!met.excluded, met.node.as_ref().map_or(0, |node| node.date));
        self.wanted += usize::from(wanted);
        self.queue.insert((Reverse(date), order, id));
        self.order += 1;
    }

    fn exclude(&mut self, id: ObjectId) -> bool {
        let met = self.met(id);
        if std::mem::replace(&mut met.excluded, true) {
            return false;
        }
        let queued = met.queued;
        self.wanted -= usize::from(queued);
        true
    }

    /// Leaves out what a commit descends from, as far as it has been read.
    fn exclude_parents(&mut self, id: ObjectId) {
        let mut pending = self.parents(id);
        while let Some(id) = pending.pop() {
            if self.exclude(id) {
                pending.extend(self.parents(id));
            }
        }
    }

    fn run(mut self, mut same: Option<&mut (dyn Same + 'static)>) -> Result<(Vec<Node>, bool), GitError> {
        let (mut list, mut slop, mut newest) = (Vec::new(), SLOP, i64::MAX);
        while let Some((Reverse(date), _, id)) = self.queue.pop_first() {
            self.stop.check()?;
            let met = self.met(id);
            met.queued = false;
            let excluded = met.excluded;
            self.wanted -= usize::from(!excluded);
            if self.limits.since.is_some_and(|since| date < since) {
                self.exclude(id);
            }
            if self.is_excluded(id) {
                self.pass_exclusion_on(id)?;
                self.exclude_parents(id);
                slop = self.slop(newest, slop);
                if slop == 0 {
                    break;
                }
                continue;
            }
            self.go_on(id, same.as_deref_mut())?;
            if self.limits.until.is_none_or(|until| date <= until) {
                newest = date;
                list.push(id);
            }
        }
        let Self { mut met, .. } = self;
        let ends_early = |met: &Met| !met.excluded && met.node.as_ref().is_some_and(|node| node.boundary);
        let complete = !met.values().any(ends_early);
        let shown = list.into_iter().filter_map(|id| met.remove(&id));
        let shown = shown.filter(|met| !met.excluded && !met.treesame).filter_map(|met| met.node);
        Ok((shown.collect(), complete))
    }

    /// Queues the parents of a commit that is left out.
    fn pass_exclusion_on(&mut self, id: ObjectId) -> Result<(), GitError> {
        for parent in self.parents(id) {
            self.exclude(parent);
            self.parse(parent)?;
            self.exclude_parents(parent);
            self.enqueue(parent);
        }
        Ok(())
    }

    /// Simplifies a commit, and queues the parents that are left.
    fn go_on(&mut self, id: ObjectId, same: Option<&mut (dyn Same + 'static)>) -> Result<(), GitError> {
        if let Some(same) = same {
            self.simplify(id, same)?;
        }
        let most = if self.limits.first_parent { 1 } else { usize::MAX };
        for parent in self.parents(id).into_iter().take(most) {
            self.parse(parent)?;
            self.enqueue(parent);
        }
        Ok(())
    }

    fn simplify(&mut self, id: ObjectId, same: &mut (dyn Same + 'static)) -> Result<(), GitError> {
        let Some(commit) = self.met.get(&id).and_then(|met| met.node.clone()) else { return Ok(()) };
        let relevant = |id: &ObjectId| self.met.get(id).is_none_or(|met| !met.excluded || met.bottom);
        let relevant: Vec<bool> = commit.parents.iter().map(relevant).collect();
        let nodes: Result<Vec<Node>, _> = commit.parents.iter().map(|id| self.reader.node(*id)).collect();
        let nodes = nodes?;
        let parents: Vec<(&Node, bool)> = nodes.iter().zip(relevant).collect();
        let simplified = simplify(same, self.reader, &commit, &parents, self.limits.first_parent, self.stop)?;
        // Whether a commit has been read decides how far exclusion reaches.
        for parent in nodes.iter().take(simplified.compared) {
            self.parse(parent.id)?;
        }
        let met = self.met(id);
        met.treesame = simplified.treesame;
        if let (Some(only), Some(node)) = (simplified.only, &mut met.node) {
            node.parents = node.parents.get(only).copied().into_iter().collect();
        }
        Ok(())
    }

    /// How many more commits to look at that are left out.
    fn slop(&self, newest: i64, slop: u32) -> u32 {
        match self.queue.first() {
            None => 0,
            Some((Reverse(date), ..)) if newest <= *date => SLOP,
            Some(_) if self.wanted > 0 => SLOP,
            Some(_) => slop - 1,
        }
    }
}
