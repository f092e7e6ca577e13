//! One pass over an application: what the worker, and people who ask for a single sync, have in common.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::agenda::Work;
use super::cell::{Cell, Held, PassEnd, PassResult, SourceTrouble, State, Stops};
use super::desire::NotDesired;
use crate::{
    Class, Counts, Cx, Decision, Desired, EventKind, Fault, FaultNote, Goal, Inputs, Item, Observation,
    Observe, Plan, ResourceId, Revision, SyncReport, SyncState, Trigger, Verdict, plan,
};

/// How a sync ended that could begin.
#[derive(Debug)]
pub(super) enum Synced {
    /// It was carried out.
    Done(SyncReport, PassEnd),
    /// It waits for approval.
    Held(Plan),
}

impl Cell {
    /// Does what is due. Everything that happens is told by events.
    pub(super) async fn pass(&self, work: Work, stops: &Stops) -> PassEnd {
        let mut state = self.state.lock().await;
        let cx = self.reading(stops);
        let started = Instant::now();
        let ended = match work {
            Work::Poll => self.follow(&mut state, &cx, stops, None, started).await,
            Work::Sync(trigger) => self.follow(&mut state, &cx, stops, Some(trigger), started).await,
            Work::Resync(trigger) => match self.restore(&mut state, &cx).await {
                Some(desired) => self.bring(&mut state, &cx, stops, desired, trigger, started).await,
                None => Ok(PassEnd::default()),
            },
            Work::Heal(ids) => match state.in_force.clone() {
                Some(desired) => self.heal(&mut state, &cx, stops, &desired, ids, started).await,
                None => Ok(PassEnd::default()),
            },
        };
        ended.unwrap_or_else(|fault| {
            let result = PassResult::of(&fault);
            if result != PassResult::Stopped {
                self.update_status(|status| status.error = Some(fault.note()));
                self.emit(EventKind::SyncFailed {
                    revision: self.status.borrow().attempted.clone(),
                    fault: fault.note(),
                });
            }
            PassEnd { result, ..PassEnd::default() }
        })
    }

    /// Follows the source. Without a trigger, only if it has something that was not attempted yet.
    async fn follow(
        &self,
        state: &mut State,
        cx: &Cx,
        stops: &Stops,
        trigger: Option<Trigger>,
        started: Instant,
    ) -> Result<PassEnd, Fault> {
        let revision = match self.poll(state, cx).await {
            Ok(revision) => revision,
            Err(fault) => {
                return Ok(self.source_failed(state, cx, stops, None, &fault, trigger, started).await);
            }
        };
        if trigger.is_none() {
            let is_refused = state.refused.as_ref().is_some_and(|(refused, _)| *refused == revision.id);
            let is_held = state.held.as_ref().is_some_and(|held| held.revision == revision.id);
            let is_in_force = state.in_force.as_ref().is_some_and(|desired| *desired.revision() == revision);
            if is_refused || is_held || is_in_force {
                let watches = self.app.target.capabilities().watches;
                return match state.in_force.clone() {
                    // A target without a watch is looked at with every poll.
                    Some(desired) if !watches => {
                        self.bring(state, cx, stops, desired, Trigger::Interval, started).await
                    }
                    _ => Ok(PassEnd::default()),
                };
            }
        }
        match self.desire(state, cx, &revision).await {
            Ok(desired) => {
                state.refused = None;
                self.bring(state, cx, stops, desired, trigger.unwrap_or(Trigger::Revision), started).await
            }
            Err(NotDesired::Target(fault)) => Err(fault),
            Err(NotDesired::Source(fault)) => {
                Ok(self.source_failed(state, cx, stops, Some(revision), &fault, trigger, started).await)
            }
        }
    }

    /// Nothing of the revision is used, and what was in force stays in force: it is still healed.
    #[expect(clippy::too_many_arguments, reason = "the parts of one pass")]
    async fn source_failed(
        &self,
        state: &mut State,
        cx: &Cx,
        stops: &Stops,
        revision: Option<Revision>,
        fault: &Fault,
        trigger: Option<Trigger>,
        started: Instant,
    ) -> PassEnd {
        let result = PassResult::of(fault);
        if result == PassResult::Stopped {
            return PassEnd { result, ..PassEnd::default() };
        }
        let restored = state.in_force.is_none();
        let in_force = self.restore(state, cx).await;
        // Only another revision can mend what is wrong with this one's content.
        if let (Some(revision), Class::Invalid | Class::Unsupported) = (&revision, fault.class) {
            state.refused = Some((revision.id.clone(), fault.note()));
        }
        self.update_status(|status| {
            status.attempted = revision.clone().or(status.attempted.take());
            status.sync = SyncState::OutOfSync;
            status.error = Some(fault.note());
        });
        let stays = in_force.as_ref().map(|desired| desired.revision().clone());
        self.emit(EventKind::SourceFailed { revision, fault: fault.note(), in_force: stays });
        let trouble =
            if result == PassResult::Transient { SourceTrouble::Passing } else { SourceTrouble::Lasting };
        let mut end = PassEnd { source: Some(trouble), ..PassEnd::default() };
        if let Some(desired) = in_force
            && (restored || trigger.is_some())
        {
            match self.bring(state, cx, stops, desired, Trigger::Retry, started).await {
                Ok(brought) => end = PassEnd { source: end.source, ..brought },
                Err(fault) => self.emit(EventKind::SyncFailed { revision: None, fault: fault.note() }),
            }
            // The revision that was asked for is still not in force.
            self.update_status(|status| {
                status.sync = SyncState::OutOfSync;
                status.error = Some(fault.note());
            });
        }
        end
    }

    /// Brings a desired state in force, and says how the pass ended.
    async fn bring(
        &self,
        state: &mut State,
        cx: &Cx,
        stops: &Stops,
        desired: Arc<Desired>,
        trigger: Trigger,
        started: Instant,
    ) -> Result<PassEnd, Fault> {
        match self.sync(state, cx, stops, desired, trigger, started).await? {
            Synced::Done(_, end) => Ok(end),
            // Nothing can be done before somebody approves.
            Synced::Held(_) => Ok(PassEnd { result: PassResult::Good, ..PassEnd::default() }),
        }
    }

    /// Compares everything, and carries out what differs.
    pub(super) async fn sync(
        &self,
        state: &mut State,
        cx: &Cx,
        stops: &Stops,
        desired: Arc<Desired>,
        trigger: Trigger,
        started: Instant,
    ) -> Result<Synced, Fault> {
        let revision = desired.revision().clone();
        self.update_status(|status| status.attempted = Some(revision.clone()));
        let plan = self.plan_for(cx, &desired).await?;
        if let Some(guard) = plan.guard
            && !state.approval.as_ref().is_some_and(|approval| approval.digest == plan.digest())
        {
            state.held = Some(Held { digest: plan.digest(), revision: revision.id.clone() });
            self.update_status(|status| {
                status.sync = SyncState::OutOfSync;
                status.needs_approval = Some(plan.digest());
                status.error = None;
            });
            self.emit(EventKind::ApprovalNeeded { revision: Some(revision), digest: plan.digest(), guard });
            return Ok(Synced::Held(plan));
        }
        (state.held, state.approval) = (None, None);
        let is_drift = state.in_force.as_ref().is_some_and(|known| *known.revision() == revision);
        if is_drift {
            self.tell_drift(&plan, &revision);
        }
        state.in_force = Some(desired);
        self.carry_out(state, cx, stops, &plan, trigger, started).await
    }

    /// Reads what is live, and plans: writes nothing.
    pub(super) async fn plan_for(&self, cx: &Cx, desired: &Desired) -> Result<Plan, Fault> {
        let also =
            desired.objects().values().filter(|p| p.unresolved.is_none()).map(|p| p.id.clone()).collect();
        let observed = self.app.target.observe(cx, &self.app.id, &Observe::Everything { also }).await?;
        Ok(self.plan_goal(Goal::Sync(desired), &observed))
    }

    pub(super) fn plan_goal(&self, goal: Goal<'_>, observed: &Observation) -> Plan {
        let inputs = Inputs { app: &self.app.id, goal, observed, policy: &self.app.policy };
        plan(inputs, &|placed, live| self.app.target.compare(placed, live, &self.app.policy.ignore))
    }

    /// Looks at some objects of what is in force, and puts back what drifted.
    async fn heal(
        &self,
        state: &mut State,
        cx: &Cx,
        stops: &Stops,
        desired: &Desired,
        mut ids: BTreeSet<ResourceId>,
        started: Instant,
    ) -> Result<PassEnd, Fault> {
        ids.retain(|id| desired.objects().contains_key(id));
        if ids.is_empty() {
            return Ok(PassEnd::default());
        }
        let what = Observe::Objects(ids.iter().cloned().collect());
        let observed = self.app.target.observe(cx, &self.app.id, &what).await?;
        let first = self.plan_goal(Goal::Heal(desired, &ids), &observed);
        self.tell_drift(&first, desired.revision());
        let fought = self.fought_over(state, &first);
        ids.retain(|id| !fought.iter().any(|(other, _)| other == id));
        let plan =
            if fought.is_empty() { first } else { self.plan_goal(Goal::Heal(desired, &ids), &observed) };
        let mut end = match self.carry_out(state, cx, stops, &plan, Trigger::Live, started).await? {
            Synced::Done(_, end) => end,
            Synced::Held(_) => PassEnd::default(),
        };
        end.leave_alone = fought;
        Ok(end)
    }

    /// Objects that somebody keeps changing back, with how long to leave each alone.
    fn fought_over(&self, state: &mut State, plan: &Plan) -> Vec<(ResourceId, Duration)> {
        let now = Instant::now();
        state.fights.fade(now);
        let mut fought = Vec::new();
        for item in plan.steps() {
            if let Some(pause) = state.fights.note(&item.id, now) {
                let writer = item.differences.iter().find_map(|difference| difference.writer.clone());
                self.emit(EventKind::Fight { id: item.id.clone(), writer, pause });
                fought.push((item.id.clone(), pause));
            }
        }
        fought
    }

    fn tell_drift(&self, plan: &Plan, revision: &Revision) {
        for item in &plan.items {
            let missing = item.decision == Decision::Create;
            let differs =
                matches!(item.decision, Decision::Update | Decision::Drifted) && !item.differences.is_empty();
            if missing || differs {
                self.update_status(|status| status.sync = SyncState::OutOfSync);
                self.emit(EventKind::Drift {
                    id: item.id.clone(),
                    differences: item.differences.clone(),
                    missing,
                    revision: revision.clone(),
                });
            }
        }
    }

    /// The end of a pass in which every item has an outcome.
    pub(super) fn settle(
        &self,
        plan: &Plan,
        outcomes: &[crate::Outcome],
        counts: Counts,
    ) -> (PassResult, Option<FaultNote>) {
        let worst = outcomes.iter().filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed { fault } => Some(fault.clone()),
            Verdict::Blocked { cause } => {
                // What it waits for may come by itself.
                let mut note = FaultNote::new(Class::RETRY, cause.clone());
                note.at = Some(outcome.id.to_string());
                Some(note)
            }
            _ => None,
        });
        let unseen = plan.unseen.iter().map(|unseen| unseen.fault.clone());
        let mut notes: Vec<FaultNote> = worst.chain(unseen).collect();
        if notes.is_empty() && counts.all_good() {
            return (PassResult::Good, None);
        }
        // What can pass by itself decides when to try again; what cannot is what people must see.
        let transient = notes.iter().any(|note| note.class.is_transient());
        notes.sort_by_key(|note| note.class.is_transient());
        let result = if transient { PassResult::Transient } else { PassResult::Permanent };
        (result, notes.into_iter().next())
    }

    pub(super) fn look_again(items: &[Item]) -> Vec<(ResourceId, Duration)> {
        items.iter().filter_map(|item| Some((item.id.clone(), item.health.recheck_after?))).collect()
    }
}
