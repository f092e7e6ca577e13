//! Putting back what drifted, object by object.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant};

use super::cell::{Cell, PassEnd, State};
use super::pass::{Aim, Pass, Synced};
use crate::{Decision, Desired, EventKind, Fault, Goal, Item, Observe, Plan, ResourceId, Revision, Trigger};

impl Cell {
    /// Looks at some objects of what is in force, and puts back what drifted.
    pub(super) async fn heal(
        &self,
        state: &mut State,
        pass: &Pass<'_>,
        desired: &Desired,
        mut ids: BTreeSet<ResourceId>,
    ) -> Result<PassEnd, Fault> {
        ids.retain(|id| desired.objects().contains_key(id));
        if ids.is_empty() {
            return Ok(PassEnd::default());
        }
        let observed = self.observe(&pass.cx, &Observe::Objects(ids.iter().cloned().collect())).await?;
        let first = self.plan_goal(Goal::Heal(desired, &ids), &observed);
        self.tell_drift(state, &first, desired.revision());
        let fought = self.fought_over(state, &first);
        ids.retain(|id| !fought.iter().any(|(other, _)| other == id));
        let plan =
            if fought.is_empty() { first } else { self.plan_goal(Goal::Heal(desired, &ids), &observed) };
        let mut end = match self.carry_out(state, pass, &plan, true, Trigger::Live, Aim::KeepQuietly).await? {
            Synced::Done(_, end) => end,
            Synced::Held(_) => PassEnd::default(),
        };
        for (id, _) in &fought {
            state.standing.drifted(id);
        }
        end.leave_alone = fought;
        Ok(end)
    }

    /// Objects that somebody keeps changing back, with how long to leave each alone.
    fn fought_over(&self, state: &mut State, plan: &Plan) -> Vec<(ResourceId, Duration)> {
        let now = Instant::now();
        state.fights.fade(now);
        let mut fought = Vec::new();
        for item in plan.steps() {
            if let Some(rest) = state.fights.resting(&item.id, now) {
                fought.push((item.id.clone(), rest));
            } else if let Some(pause) = state.fights.note(&item.id, now) {
                let writer = item.differences.iter().find_map(|difference| difference.writer.clone());
                self.emit(EventKind::Fight { id: item.id.clone(), writer, pause });
                fought.push((item.id.clone(), pause));
            }
        }
        fought
    }

    /// Tells what differs from the revision in force. What could not be written before differs for that reason, and drift
    /// that is left by policy is told once for each change of it.
    pub(super) fn tell_drift(&self, state: &State, plan: &Plan, revision: &Revision) {
        for item in &plan.items {
            let is_known = state.standing.is_failed(&item.id)
                || (plan.complete
                    && item.decision == Decision::Drifted
                    && state.standing.is_drifted(&item.id));
            if let Some(missing) = drift(item).filter(|_| !is_known) {
                self.emit(EventKind::Drift {
                    id: item.id.clone(),
                    differences: item.differences.clone(),
                    missing,
                    revision: revision.clone(),
                });
            }
        }
    }
}

/// Whether an item of a plan for the revision in force is drift: an object that is gone (true), or that differs (false).
pub(super) fn drift(item: &Item) -> Option<bool> {
    let missing = item.decision == Decision::Create
        || (item.decision == Decision::Drifted && item.differences.is_empty());
    let differs =
        matches!(item.decision, Decision::Update | Decision::Drifted) && !item.differences.is_empty();
    (missing || differs).then_some(missing)
}
