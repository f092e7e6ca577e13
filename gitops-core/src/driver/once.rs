//! Single actions that somebody asks for and waits for.

use tokio::time::{Duration, Instant, timeout_at};

use super::cell::State;
use super::pass::Synced;
use super::reconciler::Reconciler;
use crate::{
    AppRecord, Approval, Assessment, Class, Desired, Dirty, EventKind, Fault, Goal, Guard, Health, Observe,
    Plan, SyncReport, Trigger,
};
use futures_util::StreamExt as _;

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
        let cx = cell.reading(&self.stops);
        let desired = self.current(app, &mut state).await?;
        cell.plan_for(&cx, &desired).await
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
        let cx = cell.reading(&self.stops);
        let started = Instant::now();
        let desired = self.current(app, &mut state).await?;
        if let Some(approval) = approval {
            let plan = cell.plan_for(&cx, &desired).await?;
            if plan.digest() != approval.digest {
                return Err(SyncError::Stale { moved: approval.moved(&plan), plan: Box::new(plan) });
            }
            state.approval = Some(approval);
        }
        match cell.sync(&mut state, &cx, &self.stops, desired, Trigger::Manual, started).await? {
            Synced::Done(report, _) => Ok(report),
            Synced::Held(plan) => match plan.guard {
                Some(guard) => Err(SyncError::NeedsApproval { plan: Box::new(plan), guard }),
                None => Err(Fault::new(Class::Bug, "a plan without a guard was held").into()),
            },
        }
    }

    async fn current(&self, app: &str, state: &mut State) -> Result<std::sync::Arc<Desired>, Fault> {
        let cell = self.cell(app)?;
        let cx = cell.reading(&self.stops);
        let revision = cell.poll(state, &cx).await?;
        Ok(cell.desire(state, &cx, &revision).await?)
    }

    /// What removing an application would do.
    pub async fn plan_removal(&self, app: &str, removal: Removal) -> Result<Plan, Fault> {
        let cell = self.cell(app)?;
        let cx = cell.reading(&self.stops);
        let goal = if removal == Removal::Destroy { Goal::Destroy } else { Goal::Release };
        let observed =
            cell.app.target.observe(&cx, &cell.app.id, &Observe::Everything { also: Vec::new() }).await?;
        Ok(cell.plan_goal(goal, &observed))
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
        let started = Instant::now();
        let plan = self.plan_removal(app, removal).await?;
        let approved = approval.as_ref().map(|approval| approval.digest);
        if let (Some(guard), true) = (plan.guard, approved != Some(plan.digest())) {
            let (revision, digest) = (None, plan.digest());
            cell.emit(EventKind::ApprovalNeeded { revision, digest, guard });
            return Err(SyncError::NeedsApproval { plan: Box::new(plan), guard });
        }
        *state = State { applied: state.applied.take(), ..State::default() };
        let cx = cell.reading(&self.stops);
        // The record is there until it is forgotten, whatever it says of a revision.
        if state.applied.is_none() {
            cell.applied(&mut state, &cx).await?;
        }
        match cell.carry_out(&mut state, &cx, &self.stops, &plan, Trigger::Manual, started).await? {
            Synced::Done(report, _) => Ok(report),
            Synced::Held(_) => Err(Fault::new(Class::Bug, "a removal was held").into()),
        }
    }

    /// What the target has recorded of an application; none if it was never deployed there.
    pub async fn recall(&self, app: &str) -> Result<Option<AppRecord>, Fault> {
        let cell = self.cell(app)?;
        cell.app.target.recall(&cell.reading(&self.stops), &cell.app.id).await
    }

    /// After a [`sync`](Self::sync), waits until the application is healthy, or for `timeout`, and says how it is then.
    /// Writes nothing. It follows the target's watch; a target without one is read every two seconds.
    pub async fn wait_healthy(&self, app: &str, timeout: Duration) -> Result<Assessment, Fault> {
        const POLL: Duration = Duration::from_secs(2);
        let cell = self.cell(app)?;
        let deadline = Instant::now() + timeout;
        let mut changes = cell.app.target.watch(&cell.app.id);
        let Some(desired) = cell.state.lock().await.in_force.clone() else {
            return Err(Fault::new(Class::NotFound, "nothing was synced yet").at(app));
        };
        let ids: Vec<_> = desired.objects().keys().cloned().collect();
        loop {
            let cx = cell.reading(&self.stops);
            let observed = cell.app.target.observe(&cx, &cell.app.id, &Observe::Objects(ids.clone())).await?;
            let worst = worst(&ids, &observed);
            if worst.health == Health::Healthy || Instant::now() >= deadline {
                return Ok(worst);
            }
            let watches = cell.app.target.capabilities().watches;
            let pause = worst.recheck_after.unwrap_or(if watches { Duration::from_secs(15) } else { POLL });
            let wake = deadline.min(Instant::now() + pause);
            tokio::select! {
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

fn worst(ids: &[crate::ResourceId], observed: &crate::Observation) -> Assessment {
    let missing = |id: &crate::ResourceId| {
        Assessment::new(Health::Missing).because("Missing", format!("{id} does not exist"))
    };
    let of = |id: &crate::ResourceId| {
        observed.live.iter().find(|live| live.id == *id).map_or_else(
            || missing(id),
            |live| {
                let message = format!("{id}: {}", live.health.message);
                live.health.clone().because(live.health.reason.clone(), message)
            },
        )
    };
    ids.iter()
        .map(of)
        .max_by_key(|health| health.health.severity())
        .unwrap_or_else(|| Assessment::new(Health::Healthy))
}
