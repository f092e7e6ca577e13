//! Single actions that somebody asks for and waits for.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::time::{Duration, Instant, timeout_at};

use super::cell::{Cell, PassEnd, State};
use super::feed::Fresh;
use super::pass::{Aim, Pass, Synced};
use super::reconciler::Reconciler;
use crate::cx::after;
use crate::{
    AppRecord, Approval, Assessment, Class, Desired, Dirty, EventKind, Fault, Goal, Guard, Health,
    Observation, Observe, Plan, ResourceId, SyncReport, Trigger,
};

/// What becomes of the objects of an application that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Removal {
    /// They stay, and belong to nobody.
    #[default]
    Release,
    /// They are deleted; those marked to stay, and those whose deletion destroys more than themselves, are not.
    Destroy,
}

/// Why a single sync did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// Something failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The plan would delete too much to be carried out without approval.
    #[error("{guard}: look at the plan, and approve its digest {} to go on", .plan.digest())]
    NeedsApproval {
        /// The plan.
        plan: Box<Plan>,
        /// Why.
        guard: Guard,
    },
    /// What was approved is not what would be done now.
    #[error("the approved plan is stale: {moved}")]
    Stale {
        /// What would be done now.
        plan: Box<Plan>,
        /// What is different.
        moved: String,
    },
}

impl Reconciler {
    /// What a sync would do: asks the source, reads the target, writes nothing. Works with read-only permissions.
    pub async fn plan(&self, app: &str) -> Result<Plan, Fault> {
        let cell = self.cell(app)?;
        let mut state = cell.state.lock().await;
        let pass = cell.begin_pass(&self.stops);
        let desired = current(cell, &mut state, &pass).await?;
        cell.plan_for(&mut state, &pass.cx, &desired, Trigger::Manual).await
    }

    /// Syncs once: asks the source, compares everything, and carries out what differs. Objects that fail do not make
    /// this fail: they are in the report.
    pub async fn sync(&self, app: &str) -> Result<SyncReport, SyncError> {
        self.sync_with(app, None).await
    }

    /// Carries out exactly the plan that was approved. If something else would be done by now, nothing is done, and the
    /// error says what moved.
    pub async fn apply(&self, approval: Approval) -> Result<SyncReport, SyncError> {
        let app = approval.app.clone();
        self.sync_with(app.as_str(), Some(approval)).await
    }

    async fn sync_with(&self, app: &str, approval: Option<Approval>) -> Result<SyncReport, SyncError> {
        let cell = self.cell(app)?;
        let mut state = cell.state.lock().await;
        let pass = cell.begin_pass(&self.stops);
        let synced = self.sync_once(cell, &mut state, &pass, approval).await;
        if let Err(SyncError::Fault(fault)) = &synced {
            cell.failed(&mut state, fault, &self.stops);
        }
        cell.publish(&state);
        cell.note_health(&mut state, &pass).await;
        match synced? {
            Synced::Done(report, end) => recorded(report, end),
            Synced::Held(plan) => match plan.guard {
                Some(guard) => Err(SyncError::NeedsApproval { plan: Box::new(plan), guard }),
                None => Err(Fault::new(Class::Bug, "a plan without a guard was held").into()),
            },
        }
    }

    async fn sync_once(
        &self,
        cell: &Cell,
        state: &mut State,
        pass: &Pass<'_>,
        approval: Option<Approval>,
    ) -> Result<Synced, SyncError> {
        let desired = current(cell, state, pass).await?;
        let mut plan = cell.plan_for(state, &pass.cx, &desired, Trigger::Manual).await?;
        if let Some(approval) = approval {
            plan = approved(plan, &approval)?;
            *cell.approval() = Some(approval);
        }
        Ok(cell.sync(state, pass, desired, plan, Trigger::Manual, Aim::Follow).await?)
    }

    /// What removing an application would do.
    pub async fn plan_removal(&self, app: &str, removal: Removal) -> Result<Plan, Fault> {
        let cell = self.cell(app)?;
        removal_plan(cell, &cell.begin_pass(&self.stops), removal).await
    }

    /// Removes an application from its target: its objects are given up or deleted, and its record goes when none is
    /// left. Do not call it while [`run`](Self::run) works on the application: it would be deployed again.
    pub async fn remove(
        &self,
        app: &str,
        removal: Removal,
        approval: Option<Approval>,
    ) -> Result<SyncReport, SyncError> {
        let cell = self.cell(app)?;
        let mut state = cell.state.lock().await;
        let pass = cell.begin_pass(&self.stops);
        let mut plan = removal_plan(cell, &pass, removal).await?;
        if let Some(approval) = approval {
            plan = approved(plan, &approval)?;
        } else if let Some(guard) = plan.guard {
            let (revision, digest) = (None, plan.digest());
            cell.emit(EventKind::ApprovalNeeded { revision, digest, guard });
            return Err(SyncError::NeedsApproval { plan: Box::new(plan), guard });
        }
        *state = State::default();
        *cell.approval() = None;
        let removed = cell.carry_out(&mut state, &pass, &plan, false, Trigger::Manual, Aim::Follow).await;
        if let Err(fault) = &removed {
            cell.failed(&mut state, fault, &self.stops);
        }
        cell.publish(&state);
        match removed? {
            Synced::Done(report, end) => recorded(report, end),
            Synced::Held(_) => Err(Fault::new(Class::Bug, "a removal was held").into()),
        }
    }

    /// What the target has recorded of an application; none if it was never deployed there.
    pub async fn recall(&self, app: &str) -> Result<Option<AppRecord>, Fault> {
        let cell = self.cell(app)?;
        let cx = cell.reading(&self.stops);
        cx.bound("reading the record", cell.app.target.recall(&cx, &cell.app.id)).await?
    }

    /// After a [`sync`](Self::sync), waits until the application is healthy, or for `timeout`, and says how it is then.
    /// Writes nothing, besides recording (once for a deployment) that it is [healthy](crate::Deployment::healthy); where
    /// that fails, the next sync records it. It follows the target's watch; a target without one is read every two seconds.
    pub async fn wait_healthy(&self, app: &str, timeout: Duration) -> Result<Assessment, Fault> {
        const POLL: Duration = Duration::from_secs(2);
        let cell = self.cell(app)?;
        let deadline = after(Instant::now(), timeout);
        let mut changes = cell.app.target.watch(&cell.app.id);
        let Some(desired) = cell.state.lock().await.in_force.clone() else {
            return Err(Fault::new(Class::NotFound, "nothing was synced yet").at(app));
        };
        let ids: Vec<_> = desired.objects().keys().cloned().collect();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let cx = cell.reading(&self.stops).within(left.max(POLL));
            let observed = cell.observe(&cx, &Observe::Objects(ids.clone())).await?;
            let worst = worst(&ids, &observed);
            if worst.health == Health::Healthy {
                cell.note_waited(&desired, &self.stops).await;
                return Ok(worst);
            }
            if Instant::now() >= deadline {
                return Ok(worst);
            }
            let watches = cell.app.target.capabilities().watches;
            let usual = if watches { Duration::from_secs(15) } else { POLL };
            let pause = worst.recheck_after.map_or(usual, |wanted| wanted.max(Duration::from_secs(1)));
            let wake = deadline.min(after(Instant::now(), pause));
            tokio::select! {
                biased;
                () = self.stops.soft.cancelled() => return Err(Fault::cancelled()),
                next = timeout_at(wake, changes.next()) => {
                    if matches!(next, Ok(None | Some(Dirty::Blind(_)))) {
                        tokio::time::sleep_until(deadline.min(Instant::now() + POLL)).await;
                    }
                }
            }
        }
    }
}

/// The plan, if it is the one that was approved.
fn approved(plan: Plan, approval: &Approval) -> Result<Plan, SyncError> {
    if plan.digest() == approval.digest {
        return Ok(plan);
    }
    Err(SyncError::Stale { moved: approval.moved(&plan), plan: Box::new(plan) })
}

/// What the source has now, rendered.
async fn current(cell: &Cell, state: &mut State, pass: &Pass<'_>) -> Result<Arc<Desired>, Fault> {
    let answer = cell.poll(state, &pass.cx, Fresh::Since(cell.feed.order.next())).await;
    let revision = answer.revision.map_err(|note| note.to_fault())?;
    Ok(cell.desire(state, &pass.cx, &revision).await?)
}

async fn removal_plan(cell: &Cell, pass: &Pass<'_>, removal: Removal) -> Result<Plan, Fault> {
    let goal = if removal == Removal::Destroy { Goal::Destroy } else { Goal::Release };
    let observed = cell.observe(&pass.cx, &Observe::Everything { also: Vec::new() }).await?;
    Ok(cell.plan_goal(goal, &observed))
}

/// A sync whose end could not be recorded is not over.
fn recorded(report: SyncReport, end: PassEnd) -> Result<SyncReport, SyncError> {
    match end.unrecorded {
        Some(note) => Err(note.to_fault().into()),
        None => Ok(report),
    }
}

fn worst(ids: &[ResourceId], observed: &Observation) -> Assessment {
    let absent = |id: &ResourceId| match observed.unseen.iter().find(|unseen| unseen.covers(id)) {
        Some(unseen) => Assessment::new(Health::Unknown)
            .because("Unseen", format!("{id} cannot be read: {}", unseen.fault)),
        None => Assessment::new(Health::Missing).because("Missing", format!("{id} does not exist")),
    };
    let of = |id: &ResourceId| {
        observed
            .live
            .iter()
            .find(|live| live.id == *id)
            .map_or_else(|| absent(id), |live| live.health.clone().about(id))
    };
    ids.iter()
        .map(of)
        .max_by_key(|health| health.health.severity())
        .unwrap_or_else(|| Assessment::new(Health::Healthy))
}
