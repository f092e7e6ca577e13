//! One pass over an application: what the worker, and people who ask for a single sync, have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::agenda::Work;
use super::cell::{Cell, Held, PassEnd, PassResult, Released, SourceTrouble, State, Stops};
use super::desire::NotDesired;
use super::feed::{Answer, Fresh};
use crate::{
    Class, Counts, Cx, Decision, Desired, DriftPolicy, EventKind, Expect, Fault, Goal, Inputs, Observation,
    Observe, Placed, Plan, ResourceId, Revision, SyncReport, Trigger, plan,
};

/// What a pass is given.
#[derive(Clone)]
pub(super) struct Pass<'a> {
    pub(super) cx: Cx,
    pub(super) stops: &'a Stops,
    pub(super) started: Instant,
}

/// What a desired state is to a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// It is what the source has.
    Follow,
    /// It is what is in force, whatever the source has.
    Keep,
    /// The same; nothing is told if nothing differs.
    KeepQuietly,
}

/// How a sync ended that could begin.
#[derive(Debug)]
pub(super) enum Synced {
    /// It was carried out.
    Done(SyncReport, PassEnd),
    /// It waits for approval.
    Held(Plan),
}

impl Cell {
    pub(super) fn begin_pass<'a>(&self, stops: &'a Stops) -> Pass<'a> {
        Pass { cx: self.reading(stops), stops, started: Instant::now() }
    }

    /// Does what is due. Everything that happens is told by events.
    pub(super) async fn pass(&self, work: Work, stops: &Stops) -> PassEnd {
        let mut state = self.state.lock().await;
        let pass = self.begin_pass(stops);
        let mut poll_at = None;
        let ended = match work {
            Work::Poll(fresh) => {
                let answer = self.poll(&state, &pass.cx, fresh).await;
                poll_at = Some(answer.again_at);
                self.follow(&mut state, &pass, answer, None).await
            }
            Work::Sync(trigger, fresh) => {
                let answer = self.poll(&state, &pass.cx, fresh).await;
                poll_at = Some(answer.again_at);
                self.follow(&mut state, &pass, answer, Some(trigger)).await
            }
            Work::Resync(trigger) => self.keep(&mut state, &pass, trigger, Aim::Keep).await,
            Work::Heal(ids) => match state.in_force.clone() {
                Some(desired) => self.heal(&mut state, &pass, &desired, ids).await,
                // Nothing is known of the objects yet, so the hint counts for all of them.
                None => self.keep(&mut state, &pass, Trigger::Live, Aim::KeepQuietly).await,
            },
        };
        let end = ended.unwrap_or_else(|fault| self.failed(&mut state, &fault, stops));
        self.publish(&state);
        self.note_health(&mut state, &pass).await;
        PassEnd { poll_at, ..end }
    }

    /// A pass that could not be made.
    pub(super) fn failed(&self, state: &mut State, fault: &Fault, stops: &Stops) -> PassEnd {
        let result = PassResult::of(fault.class, stops);
        if result != PassResult::Stopped {
            state.standing.failed(fault.note(), true);
            let revision = self.status.borrow().attempted.clone();
            self.emit(EventKind::SyncFailed { revision, fault: fault.note() });
        }
        PassEnd { result, not_before: fault.class.retry_after(), ..PassEnd::default() }
    }

    /// Follows the source. Without a trigger, only if it has something that was not attempted yet.
    async fn follow(
        &self,
        state: &mut State,
        pass: &Pass<'_>,
        answer: Answer,
        trigger: Option<Trigger>,
    ) -> Result<PassEnd, Fault> {
        let revision = match answer.revision {
            Ok(revision) => revision,
            Err(note) => return Ok(self.source_failed(state, pass, None, &note.to_fault(), trigger).await),
        };
        if state.held.as_ref().is_some_and(|held| held.revision != revision.id) {
            state.held = None;
        }
        let is_refused = state.refused.as_ref().is_some_and(|(refused, _)| refused.is_same_proof(&revision));
        let is_in_force = state.in_force.as_ref().is_some_and(|desired| *desired.revision() == revision);
        if !is_refused && (is_in_force || state.held.is_some()) {
            state.standing.source_works();
        }
        let waits = state.held.is_some() && self.approval().is_none();
        if trigger.is_none() && (is_refused || is_in_force || waits) {
            // A target without a watch is looked at with every poll.
            let watches = self.app.target.capabilities().watches;
            return match state.in_force {
                Some(_) if watches => Ok(PassEnd::default()),
                Some(_) => self.keep(state, pass, Trigger::Interval, Aim::Keep).await,
                None => self.keep(state, pass, Trigger::Interval, Aim::KeepQuietly).await,
            };
        }
        match self.desire(state, &pass.cx, &revision).await {
            Ok(desired) => {
                state.refused = None;
                state.standing.source_works();
                if trigger.is_none() && self.is_same_as_in_force(state, &desired) {
                    return Ok(self.carry_over(state, pass, desired));
                }
                let end = self
                    .bring(state, pass, desired, trigger.unwrap_or(Trigger::Revision), Aim::Follow)
                    .await?;
                // What waits for approval must not keep what is in force from being looked at.
                if state.held.is_some() && (trigger.is_some() || state.in_force.is_none()) {
                    return self.keep(state, pass, Trigger::Retry, Aim::KeepQuietly).await;
                }
                Ok(end)
            }
            Err(NotDesired::Target(fault)) => Err(fault),
            Err(NotDesired::Source(fault)) => {
                Ok(self.source_failed(state, pass, Some(revision), &fault, trigger).await)
            }
        }
    }

    /// Nothing of the revision is used, and what was in force stays in force: it is still healed.
    async fn source_failed(
        &self,
        state: &mut State,
        pass: &Pass<'_>,
        revision: Option<Revision>,
        fault: &Fault,
        trigger: Option<Trigger>,
    ) -> PassEnd {
        let result = PassResult::of(fault.class, pass.stops);
        if result == PassResult::Stopped {
            return PassEnd { result, ..PassEnd::default() };
        }
        // Only another revision can mend what is wrong with this one's content.
        if let (Some(revision), Class::Invalid | Class::Unsupported) = (&revision, fault.class) {
            state.refused = Some((revision.clone(), fault.note()));
        }
        state.standing.source_failed(fault.note(), revision.is_some());
        if let Some(revision) = &revision {
            self.update_status(|status| status.attempted = Some(revision.clone()));
        }
        // The source may have used up the time of the pass; what is in force has its own.
        let pass = Pass { cx: pass.cx.renewed(self.settings.timeout), ..*pass };
        let was_found = revision.is_some();
        let was_known = state.in_force.is_some();
        let restored = self.restore(state, &pass.cx).await;
        let in_force = state.in_force.as_ref().map(|desired| desired.revision().clone());
        self.emit(EventKind::SourceFailed { revision, fault: fault.note(), in_force });
        let end = match restored {
            Ok(Some(_)) if was_known && trigger.is_none() => Ok(PassEnd::default()),
            Ok(Some(desired)) => self.bring(state, &pass, desired, Trigger::Retry, Aim::KeepQuietly).await,
            Ok(None) => Ok(PassEnd::default()),
            Err(fault) => Err(fault),
        };
        let end = end.unwrap_or_else(|fault| self.failed(state, &fault, pass.stops));
        let trouble = match result {
            // When to ask again was said with the answer.
            _ if !was_found => None,
            PassResult::Transient => Some(SourceTrouble::Passing(fault.class.retry_after())),
            _ => Some(SourceTrouble::Lasting),
        };
        PassEnd { source: trouble, ..end }
    }

    /// Compares everything with what is in force, whatever the source has.
    async fn keep(
        &self,
        state: &mut State,
        pass: &Pass<'_>,
        trigger: Trigger,
        aim: Aim,
    ) -> Result<PassEnd, Fault> {
        match self.restore(state, &pass.cx).await? {
            Some(desired) => self.bring(state, pass, desired, trigger, aim).await,
            None => Ok(PassEnd::default()),
        }
    }

    /// Brings a desired state in force, and says how the pass ended.
    async fn bring(
        &self,
        state: &mut State,
        pass: &Pass<'_>,
        desired: Arc<Desired>,
        trigger: Trigger,
        aim: Aim,
    ) -> Result<PassEnd, Fault> {
        let plan = self.plan_for(state, &pass.cx, &desired, trigger).await?;
        match self.sync(state, pass, desired, plan, trigger, aim).await? {
            Synced::Done(_, end) => Ok(end),
            // Nothing can be done before somebody approves.
            Synced::Held(_) => Ok(PassEnd { result: PassResult::Good, ..PassEnd::default() }),
        }
    }

    /// Carries out a plan, if nobody has to approve it first.
    pub(super) async fn sync(
        &self,
        state: &mut State,
        pass: &Pass<'_>,
        desired: Arc<Desired>,
        plan: Plan,
        trigger: Trigger,
        aim: Aim,
    ) -> Result<Synced, Fault> {
        let revision = desired.revision().clone();
        if aim == Aim::Follow {
            self.update_status(|status| status.attempted = Some(revision.clone()));
        }
        if let Some(guard) = plan.guard
            && !self.is_approved(state, &plan, &revision)
        {
            let digest = plan.digest();
            state.held = Some(Held { digest, revision: revision.id.clone() });
            self.emit(EventKind::ApprovalNeeded { revision: Some(revision), digest, guard });
            return Ok(Synced::Held(plan));
        }
        if aim == Aim::Follow {
            state.held = None;
            *self.approval() = None;
        }
        let is_kept = state.in_force.as_ref().is_some_and(|known| *known.revision() == revision);
        if is_kept {
            self.tell_drift(state, &plan, &revision);
        } else {
            state.standing.begin();
        }
        state.in_force = Some(desired);
        state.carried_from = None;
        let synced = self.carry_out(state, pass, &plan, is_kept, trigger, aim).await?;
        if matches!(&synced, Synced::Done(_, end) if end.result == PassResult::Good) {
            state.released = None;
        }
        Ok(synced)
    }

    /// Whether somebody approved this plan, or what is left of one whose carrying out did not wholly succeed. An approval
    /// of another plan is spent.
    fn is_approved(&self, state: &mut State, plan: &Plan, revision: &Revision) -> bool {
        let doomed = || {
            plan.steps().filter(|item| item.decision == Decision::Prune).filter_map(|item| {
                match &item.expect {
                    Some(Expect::Exactly(token)) => Some((item.id.clone(), token.incarnation.clone())),
                    _ => None,
                }
            })
        };
        if self.approval().take().is_some_and(|approval| approval.digest == plan.digest()) {
            state.released = Some(Released { revision: revision.id.clone(), objects: doomed().collect() });
            return true;
        }
        state.released.as_ref().is_some_and(|released| {
            released.revision == revision.id && doomed().all(|object| released.objects.contains(&object))
        })
    }

    /// Whether a desired state is what is in force, at another revision, and all of it is there.
    fn is_same_as_in_force(&self, state: &State, desired: &Desired) -> bool {
        self.is_settled(state) && state.in_force.as_ref().is_some_and(|known| known.is_same(desired))
    }

    /// Whether what is in force is wholly there, and a watch would have told if it were not.
    fn is_settled(&self, state: &State) -> bool {
        self.app.target.capabilities().watches
            && state.held.is_none()
            && state.standing.is_settled()
            && state.reached.is_some()
    }

    /// A revision in which nothing of the application changed is in force without a look at the target: what a commit
    /// costs follows from what it touched. The target's record is brought up to it with the next session.
    fn carry_over(&self, state: &mut State, pass: &Pass<'_>, desired: Arc<Desired>) -> PassEnd {
        let (revision, trigger) = (desired.revision().clone(), Trigger::Revision);
        let nothing = self.plan_goal(Goal::Heal(&desired, &BTreeSet::new()), &Observation::default());
        let digest = nothing.digest();
        let counts = Counts { unchanged: desired.objects().len(), ..Counts::default() };
        self.emit(EventKind::SyncStarted { revision: Some(revision.clone()), trigger, digest, steps: 0 });
        let before = state.in_force.replace(desired);
        state.carried_from =
            state.carried_from.take().or_else(|| before.map(|before| before.revision().clone()));
        state.reached = Some(revision.clone());
        self.update_status(|status| {
            status.attempted = Some(revision.clone());
            status.synced_at = Some(self.emitter.now());
        });
        let report = SyncReport {
            revision: Some(revision),
            trigger,
            digest,
            counts,
            requests: pass.cx.requests(),
            duration: pass.started.elapsed(),
            health: self.status.borrow().health,
        };
        self.publish(state);
        self.emit(EventKind::SyncFinished { report });
        PassEnd { result: PassResult::Good, ..PassEnd::default() }
    }

    /// Reads what is live, and plans: writes nothing.
    pub(super) async fn plan_for(
        &self,
        state: &mut State,
        cx: &Cx,
        desired: &Desired,
        trigger: Trigger,
    ) -> Result<Plan, Fault> {
        let touched = self.touched(state, desired, trigger);
        let saw_all_members = touched.is_none();
        let observed = if let Some(touched) = touched {
            self.look_at(cx, desired, touched).await?
        } else {
            let placed = desired.objects().values().filter(|placed| placed.unresolved.is_none());
            let what = Observe::Everything { also: placed.map(|placed| placed.id.clone()).collect() };
            let mut observed = self.observe(cx, &what).await?;
            if let (None, Some(record)) = (&state.recorded, observed.record.take()) {
                state.recall(Some(record));
            }
            observed
        };
        // What differs from the revision in force is drift, unless somebody asks for it to be put back.
        let may_leave = self.app.policy.drift == DriftPolicy::Report && trigger != Trigger::Manual;
        let goal = if may_leave && self.reached(state, cx).await?.as_ref() == Some(desired.revision()) {
            Goal::Check(desired)
        } else {
            Goal::Sync(desired)
        };
        let mut plan = self.plan_goal(goal, &observed);
        plan.saw_all_members = saw_all_members;
        Ok(plan)
    }

    /// The objects that another revision changes or adds, if all others are known to be as desired and nothing is taken
    /// away: then a commit costs what it touched. To prune takes a look at all members.
    fn touched(&self, state: &State, desired: &Desired, trigger: Trigger) -> Option<BTreeSet<ResourceId>> {
        let known = state.in_force.as_ref().filter(|known| {
            trigger == Trigger::Revision
                && self.is_settled(state)
                && state.only_desired
                && state.reached.as_ref() == Some(known.revision())
        })?;
        let objects = desired.objects();
        if known.objects().keys().any(|id| !objects.contains_key(id)) {
            return None;
        }
        let is_same = |placed: &Placed| {
            let before = known.objects().get(&placed.id);
            before.is_some_and(|before| {
                before.digest == placed.digest && before.manifest.version == placed.manifest.version
            })
        };
        let touched = objects.values().filter(|placed| placed.unresolved.is_none() && !is_same(placed));
        Some(touched.map(|placed| placed.id.clone()).collect())
    }

    /// Reads some objects, and asks for the others from memory.
    async fn look_at(
        &self,
        cx: &Cx,
        desired: &Desired,
        touched: BTreeSet<ResourceId>,
    ) -> Result<Observation, Fault> {
        let placed = desired.objects().values().filter(|placed| placed.unresolved.is_none());
        let others = placed.map(|placed| &placed.id).filter(|id| !touched.contains(id)).cloned().collect();
        let mut observed = self.observe(cx, &Observe::Objects(others)).await?;
        let read = self.observe(cx, &Observe::Anew(touched.into_iter().collect())).await?;
        observed.live.extend(read.live);
        observed.unseen.extend(read.unseen);
        Ok(observed)
    }

    pub(super) async fn observe(&self, cx: &Cx, what: &Observe) -> Result<Observation, Fault> {
        cx.bound("reading the target", self.app.target.observe(cx, &self.app.id, what)).await?
    }

    pub(super) fn plan_goal(&self, goal: Goal<'_>, observed: &Observation) -> Plan {
        let inputs = Inputs { app: &self.app.id, goal, observed, policy: &self.app.policy };
        plan(inputs, &|placed, live| self.app.target.compare(placed, live, &self.app.policy.ignore))
    }

    /// Asks the source what is wanted now.
    pub(super) async fn poll(&self, state: &State, cx: &Cx, fresh: Fresh) -> Answer {
        let answer = self.feed.poll(cx, &self.app, &self.settings, fresh).await;
        let Ok(revision) = &answer.revision else { return answer };
        let attempted = self.status.borrow().attempted.as_ref().map(|attempted| attempted.id.clone());
        let is_refused = state.refused.as_ref().is_some_and(|(refused, _)| refused.is_same_proof(revision));
        let changed = attempted.as_deref() != Some(&revision.id) && !is_refused;
        self.emit(EventKind::Polled { revision: revision.clone(), changed });
        answer
    }
}
