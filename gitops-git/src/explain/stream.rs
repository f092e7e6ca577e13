//! The walk from a commit back to the beginning, one commit after the other.
//!
//! Kept are the commits that wait for their turn, and the id of each commit that was met, since a later one may lead to it
//! again: some 50 bytes for each. With first parents only, nothing is kept.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use gix::ObjectId;

use super::history::Limits;
use super::node::{Node, Reader};
use super::simplify::{Same, simplify};
use crate::GitError;
use crate::stop::Stop;

/// A walk that excludes no commit by another one.
pub(super) struct Stream {
    /// The newest first; those of one time in the order in which they were met.
    queue: BTreeMap<(Reverse<i64>, u64), Node>,
    met: u64,
    seen: HashSet<ObjectId>,
    walked: usize,
}

impl Stream {
    pub(super) fn new(tip: Node) -> Self {
        let mut stream = Self { queue: BTreeMap::new(), met: 0, seen: HashSet::default(), walked: 0 };
        stream.push(tip);
        stream
    }

    fn push(&mut self, node: Node) {
        self.queue.insert((Reverse(node.date), self.met), node);
        self.met += 1;
    }

    /// How many commits were looked at.
    pub(super) fn walked(&self) -> usize {
        self.walked
    }

    /// Looks at one commit. `Some(None)` if it is not shown, `None` at the end. After an error it can be tried again.
    pub(super) fn step(
        &mut self,
        reader: &Reader,
        same: Option<&mut (dyn Same + 'static)>,
        limits: &Limits,
        stop: &Stop,
    ) -> Result<Option<(Node, bool)>, GitError> {
        let Some(first) = self.queue.first_entry() else { return Ok(None) };
        stop.check()?;
        limits.check(self.walked)?;
        let mut node = first.get().clone();
        if limits.since.is_some_and(|since| node.date < since) {
            first.remove();
            self.walked += 1;
            return Ok(Some((node, false)));
        }
        let most = if limits.first_parent { 1 } else { usize::MAX };
        let parents = reader.parents(&mut node, most)?;
        let all: Vec<(&Node, bool)> = parents.iter().map(|parent| (parent, true)).collect();
        let (treesame, only) = match same {
            None => (false, None),
            Some(same) => {
                let simplified = simplify(same, reader, &node, &all, limits.first_parent, stop)?;
                (simplified.treesame, simplified.only)
            }
        };
        self.queue.pop_first();
        self.walked += 1;
        for (nth, parent) in parents.into_iter().enumerate() {
            if only.is_none_or(|only| only == nth) && (limits.first_parent || self.seen.insert(parent.id)) {
                self.push(parent);
            }
        }
        let shown = !treesame && limits.until.is_none_or(|until| node.date <= until);
        Ok(Some((node, shown)))
    }
}
