//! From a plan to a changed target, with a record of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::time::Duration;

use super::cell::{Cell, PassEnd, PassResult, Recorded, State, Stops};
use super::heal::drift;
use super::pass::{Aim, Pass, Synced};
use super::standing::Standing;
use crate::execute::is_gone;
use crate::{
    Action, Assessment, Change, Class, Counts, Cx, Decision, Done, Drift, End, EventKind, Execution, Fault,
    Health, Intent, Item, Outcome, Plan, Reach, ReachEntry, ResourceId, Revision, Session, Step, SyncReport,
    Trigger, Verdict, execute,
};

/// What a session left behind.
struct Written {
    outcomes: Vec<Outcome>,
    live: BTreeMap<ResourceId, Option<Assessment>>,
    /// The revision that was recorded as wholly in force, if it is.
    applied: Option<Revision>,
    /// Whether it was recorded as Healthy.
    healthy: bool,
    recorded: Result<(), Fault>,
}

/// What is known of a plan's revision before it is carried out.
#[derive(Clone, Copy)]
struct Before<'a> {
    /// What differs is drift, unless it could not be written before.
    is_kept: bool,
    /// All of it was in force already.
    is_reached: bool,
    standing: &'a Standing,
}

/// What is recorded is small, and says what was done: it gets its own time when that of the pass is up.
pub(super) const RECORDING: Duration = Duration::from_secs(30);

/// Health is not assessed again earlier than after this, whatever a rule asks for.
const SOONEST: Duration = Duration::from_secs(1);

impl Cell {
    /// Carries out a plan and records how it ended. A plan with nothing to do and nothing new to record costs no request.
    /// `is_kept` says that its revision was in force before, so that what differs is drift.
    pub(super) async fn carry_out(
        &self,
        state: &mut State,
        pass: &Pass<'_>,
        plan: &Plan,
        is_kept: bool,
        trigger: Trigger,
        aim: Aim,
    ) -> Result<Synced, Fault> {
        let steps = plan.steps().count();
        // To remove an application is to remove its record, whatever is in it.
        let is_new = plan.complete
            && (plan.revision.is_none() || {
                let recorded = self.recorded(state, &pass.cx).await?;
                recorded.applied != plan.revision || recorded.attempted != plan.revision
            });
        let is_worth_telling = (plan.complete && aim != Aim::KeepQuietly) || steps > 0;
        if is_worth_telling {
            let (revision, digest) = (plan.revision.clone(), plan.digest());
            self.emit(EventKind::SyncStarted { revision, trigger, digest, steps });
        }
        let cx = Self::writing(&pass.cx, pass.stops);
        let mut is_newly_healthy = false;
        let written = if steps > 0 || is_new {
            // What comes in between may end this at any instant: then it must be read again.
            let recorded = state.recorded.take();
            let was_applied = |known: &Recorded| known.applied.is_some() && known.applied == plan.revision;
            let before = Before {
                // Another process may have brought it in force.
                is_kept: is_kept || recorded.as_ref().is_some_and(was_applied),
                is_reached: plan.revision.is_some() && state.reached == plan.revision,
                standing: &state.standing,
            };
            let written = self.write(&cx, pass.stops, plan, before, trigger).await?;
            state.carried_from = None;
            if written.recorded.is_ok() {
                let is_its = |known: &Recorded| known.healthy && known.attempted == plan.revision;
                let was_healthy = recorded.as_ref().is_some_and(is_its);
                is_newly_healthy = written.healthy && !was_healthy;
                // Of an application that is removed, nothing is left.
                state.recorded = recorded.filter(|_| plan.revision.is_some()).map(|known| Recorded {
                    healthy: written.healthy || was_healthy,
                    attempted: plan.revision.clone().or(known.attempted),
                    applied: written.applied.clone().or(known.applied),
                });
            }
            written
        } else {
            self.write_nothing(&cx, plan, trigger).await
        };
        let counts = Counts::of(&written.outcomes);
        state.standing.note(plan, &written.outcomes);
        plan.items
            .iter()
            .filter(|item| item.decision == Decision::Drifted)
            .for_each(|item| state.standing.drifted(&item.id));
        let mut end = settle(plan, &written.outcomes, pass.stops);
        if let Err(fault) = &written.recorded {
            self.emit(EventKind::SyncFailed { revision: plan.revision.clone(), fault: fault.note() });
            state.standing.failed(fault.note(), false);
            end = PassEnd {
                result: PassResult::of(fault.class, pass.stops),
                not_before: fault.class.retry_after().max(end.not_before),
                unrecorded: Some(fault.note()),
                ..end
            };
        }
        if plan.saw_all_members {
            let mut others =
                plan.items.iter().zip(&written.outcomes).filter(|(item, _)| item.desired.is_none());
            state.only_desired = others.all(|(_, outcome)| is_gone(outcome));
        }
        if end.result == PassResult::Good && plan.complete {
            state.reached.clone_from(&plan.revision);
        }
        self.tell_health(state, plan, &written.live);
        if plan.complete {
            self.update_status(|status| status.synced_at = Some(self.emitter.now()));
        }
        self.publish(state);
        let report = SyncReport {
            revision: plan.revision.clone(),
            trigger,
            digest: plan.digest(),
            counts,
            requests: cx.requests(),
            duration: pass.started.elapsed(),
            health: self.status.borrow().health,
        };
        if is_worth_telling {
            self.emit(EventKind::SyncFinished { report: report.clone() });
        }
        if let Some(revision) = plan.revision.clone().filter(|_| is_newly_healthy) {
            self.emit(EventKind::RevisionHealthy { revision });
        }
        let again = plan.items.iter().filter_map(|item| {
            let wait = state.health.get(&item.id)?.recheck_after?;
            Some((item.id.clone(), wait.max(SOONEST)))
        });
        end.look_again = again.collect();
        Ok(Synced::Done(report, end))
    }

    /// Carries out what there is to do.
    async fn write(
        &self,
        cx: &Cx,
        stops: &Stops,
        plan: &Plan,
        before: Before<'_>,
        trigger: Trigger,
    ) -> Result<Written, Fault> {
        let reach = reach(plan);
        let now = self.emitter.now();
        let intent = Intent::new(now, self.app.source.identity(), plan.revision.clone(), reach.clone());
        let session =
            cx.bound("beginning to write", self.app.target.begin(cx, &self.app.id, &intent)).await??;
        let how = Execution { concurrency: self.settings.concurrency, stop: stops.soft.clone() };
        let (outcomes, live) = self.run(cx, &*session, plan, trigger, &how).await;
        let all_good = Counts::of(&outcomes).all_good() && plan.unseen.is_empty();
        let nothing_else =
            plan.saw_all_members && plan.unseen.is_empty() && nothing_else_is_left(plan, &outcomes, &live);
        let changed = plan.revision.as_ref().map(|_| what_changed(plan, &outcomes, before));
        let mut end = End::new(self.emitter.now(), outcomes);
        if all_good && (plan.complete || before.is_reached) {
            end.applied.clone_from(&plan.revision);
        }
        if all_good && plan.complete {
            end.healthy = plan.revision.clone().filter(|_| is_healthy(plan, &live));
            end.forget = plan.revision.is_none() && nothing_else;
        }
        (end.changes, end.healed) = changed.unwrap_or_default();
        if nothing_else {
            end.reach = Some(reach);
        }
        let cx = if cx.remaining() < RECORDING { cx.renewed(RECORDING) } else { cx.clone() };
        let finish = session.finish(&cx, &end);
        let recorded = match cx.bound("recording the end", finish).await {
            Ok(recorded) => recorded,
            // The record may have been written.
            Err(fault) if fault.class == Class::RETRY => Err(Fault { class: Class::OutcomeUnknown, ..fault }),
            Err(fault) => Err(fault),
        };
        let outcomes = end.outcomes.unwrap_or_default();
        Ok(Written { applied: end.applied, healthy: end.healthy.is_some(), outcomes, live, recorded })
    }

    async fn write_nothing(&self, cx: &Cx, plan: &Plan, trigger: Trigger) -> Written {
        let (outcomes, live) = self.run(cx, &NothingToWrite, plan, trigger, &Execution::default()).await;
        Written { outcomes, live, applied: None, healthy: false, recorded: Ok(()) }
    }

    async fn run(
        &self,
        cx: &Cx,
        session: &dyn Session,
        plan: &Plan,
        trigger: Trigger,
        how: &Execution,
    ) -> (Vec<Outcome>, BTreeMap<ResourceId, Option<Assessment>>) {
        let live = Mutex::new(BTreeMap::new());
        let on_outcome = |item: &Item, outcome: &Outcome, done: Option<&Done>| {
            if let Some(done) = done {
                let health = done.live.as_ref().map(|live| live.health.clone());
                live.lock().unwrap_or_else(PoisonError::into_inner).insert(item.id.clone(), health);
            }
            if outcome.verdict != Verdict::Unchanged {
                self.emit(EventKind::Object {
                    outcome: outcome.clone(),
                    differences: item.differences.clone(),
                    revision: plan.revision.clone(),
                    trigger,
                    notes: done.map(|done| done.notes.clone()).unwrap_or_default(),
                });
            }
        };
        let outcomes = execute(plan, session, cx, how, &on_outcome).await;
        (outcomes, live.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell_health(
        &self,
        state: &mut State,
        plan: &Plan,
        written: &BTreeMap<ResourceId, Option<Assessment>>,
    ) {
        let desired = || plan.items.iter().filter(|item| item.desired.is_some());
        if plan.complete {
            let ids: BTreeSet<&ResourceId> = desired().map(|item| &item.id).collect();
            state.health.retain(|id, _| ids.contains(id));
        }
        for item in desired() {
            let now = health_of(item, written);
            let known = state.health.get(&item.id).map(|known| known.health);
            if known.is_some_and(|known| known != now.health)
                || (known.is_none() && now.health != Health::Healthy)
            {
                let from = known.unwrap_or_default();
                self.emit(EventKind::Health { id: Some(item.id.clone()), from, to: now.clone() });
            }
            state.health.insert(item.id.clone(), now);
        }
        let worst = state.health.iter().max_by_key(|(_, health)| health.health.severity());
        let now = worst.map_or_else(
            || Assessment::new(Health::Healthy),
            |(id, health)| match health.health {
                Health::Healthy => Assessment::new(Health::Healthy),
                _ => health.clone().about(id),
            },
        );
        let from = self.status.borrow().health;
        if from != now.health {
            self.update_status(|status| status.health = now.health);
            self.emit(EventKind::Health { id: None, from, to: now });
        }
    }
}

/// How the object of an item is doing after a session.
fn health_of(item: &Item, written: &BTreeMap<ResourceId, Option<Assessment>>) -> Assessment {
    match written.get(&item.id) {
        Some(Some(live)) => live.clone(),
        Some(None) => Assessment::new(Health::Missing),
        None => item.health.clone(),
    }
}

/// Whether every object that a plan wants is as desired and Healthy after a session in which nothing failed.
fn is_healthy(plan: &Plan, written: &BTreeMap<ResourceId, Option<Assessment>>) -> bool {
    plan.items
        .iter()
        .filter(|item| item.desired.is_some())
        .all(|item| item.decision != Decision::Drifted && health_of(item, written).health == Health::Healthy)
}

/// What a session changed, apart from what it put back.
fn what_changed(plan: &Plan, outcomes: &[Outcome], before: Before<'_>) -> (Vec<Change>, Vec<Drift>) {
    let (mut changes, mut healed) = (Vec::new(), Vec::new());
    for (item, outcome) in plan.items.iter().zip(outcomes) {
        let Some(change) = Change::of(outcome) else { continue };
        if before.is_kept && drift(item).is_some() && !before.standing.is_failed(&item.id) {
            healed.extend(Drift::of(item));
        } else {
            changes.push(change);
        }
    }
    (changes, healed)
}

/// The end of a pass in which every item has an outcome.
fn settle(plan: &Plan, outcomes: &[Outcome], stops: &Stops) -> PassEnd {
    let objects = outcomes.iter().filter_map(|outcome| match &outcome.verdict {
        Verdict::Failed { fault } => Some(fault.class),
        // What it waits for may come by itself.
        Verdict::Blocked { .. } => Some(Class::RETRY),
        _ => None,
    });
    let classes: Vec<Class> = objects.chain(plan.unseen.iter().map(|unseen| unseen.fault.class)).collect();
    let results: Vec<PassResult> = classes.iter().map(|class| PassResult::of(*class, stops)).collect();
    // What can pass by itself decides when to try again; what cannot is what people must see.
    let order = [PassResult::Stopped, PassResult::Transient, PassResult::Permanent];
    let result = order.into_iter().find(|result| results.contains(result)).unwrap_or(PassResult::Good);
    let not_before = classes.iter().filter_map(|class| class.retry_after()).max();
    PassEnd { result, not_before, ..PassEnd::default() }
}

/// Where the objects of a plan are or will be.
fn reach(plan: &Plan) -> Reach {
    let placed = plan.items.iter().filter_map(|item| item.desired.as_deref());
    Reach(placed.filter(|placed| placed.unresolved.is_none()).map(ReachEntry::of).collect())
}

/// Whether all that is not desired is known to be gone: only then may the recorded reach shrink to what is desired.
fn nothing_else_is_left(
    plan: &Plan,
    outcomes: &[Outcome],
    live: &BTreeMap<ResourceId, Option<Assessment>>,
) -> bool {
    let mut others = plan.items.iter().zip(outcomes).filter(|(item, _)| item.desired.is_none());
    // What was given up stays, and is not ours any more; what was deleted may still wait for its finalizers.
    let is_given_up = |outcome: &Outcome| outcome.action == Some(Action::Release);
    let all_gone = others.all(|(item, outcome)| {
        is_gone(outcome) && (is_given_up(outcome) || matches!(live.get(&item.id), Some(None)))
    });
    let all_placed =
        plan.items.iter().filter_map(|item| item.desired.as_ref()).all(|placed| placed.unresolved.is_none());
    all_gone && all_placed
}

/// The session of a plan that has no steps.
struct NothingToWrite;

#[async_trait]
impl Session for NothingToWrite {
    async fn run(&self, _cx: &Cx, step: &Step) -> Result<Done, Fault> {
        Err(Fault::new(Class::Bug, "a step without a session").at(&step.id))
    }

    async fn finish(self: Box<Self>, _cx: &Cx, _end: &End) -> Result<(), Fault> {
        Ok(())
    }
}
