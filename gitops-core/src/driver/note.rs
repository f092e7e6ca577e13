//! Recording that what is in force is Healthy: mostly it becomes so after the session that applied it.

use std::sync::Arc;

use tokio::time::Instant;

use super::carry_out::RECORDING;
use super::cell::{Cell, State, Stops};
use super::pass::Pass;
use crate::cx::after;
use crate::{Cx, Desired, End, EventKind, Fault, Health, Intent, Revision};

impl State {
    /// The revision that is recorded as wholly in force and not as Healthy, if all that is known says that it is as
    /// desired. Its health is another question.
    ///
    /// It is older than what is in force where nothing differs between the two.
    fn not_noted(&self) -> Option<Revision> {
        let in_force = self.in_force.as_ref()?.revision();
        let revision = self.carried_from.as_ref().unwrap_or(in_force);
        let recorded = self.recorded.as_ref()?;
        let is_recorded = [&recorded.attempted, &recorded.applied].map(Option::as_ref) == [Some(revision); 2];
        let is_due = is_recorded
            && !recorded.healthy
            && self.reached.as_ref() == Some(in_force)
            && self.standing.is_settled();
        is_due.then(|| revision.clone())
    }

    /// Whether every object of what is in force was Healthy when it was last looked at.
    fn is_healthy(&self) -> bool {
        let count = self.in_force.as_ref().map_or(0, |desired| desired.objects().len());
        self.health.len() == count && self.health.values().all(|now| now.health == Health::Healthy)
    }
}

impl Cell {
    /// After a pass: records that what is in force is Healthy, if it is, and that is new. A failure fails nothing else; a
    /// later pass tries again. Costs no request once it is recorded.
    pub(super) async fn note_health(&self, state: &mut State, pass: &Pass<'_>) {
        if pass.stops.soft.is_cancelled()
            || state.unnoted.1.is_some_and(|not_before| Instant::now() < not_before)
            || !state.is_healthy()
        {
            return;
        }
        let Some(revision) = state.not_noted() else { return };
        let cx = Self::writing(&pass.cx, pass.stops).renewed(RECORDING);
        match self.note(state, &cx, &revision).await {
            Ok(()) => state.unnoted = (0, None),
            Err(fault) => {
                let failures = state.unnoted.0.saturating_add(1);
                let wait = self.settings.backoff.after(failures, self.settings.dice.roll());
                state.unnoted = (failures, Some(after(Instant::now(), wait)));
                tracing::warn!(app = %self.app.id, %fault, "it is healthy, which could not be recorded");
            }
        }
    }

    /// The same for somebody who waited until all objects of a desired state were Healthy. Whoever works on the
    /// application meanwhile sees it as well.
    pub(super) async fn note_waited(&self, desired: &Arc<Desired>, stops: &Stops) {
        let Ok(mut state) = self.state.try_lock() else { return };
        if !state.in_force.as_ref().is_some_and(|now| Arc::ptr_eq(now, desired)) {
            return;
        }
        let Some(revision) = state.not_noted() else { return };
        let cx = Self::writing(&self.reading(stops).within(RECORDING), stops);
        if let Err(fault) = self.note(&mut state, &cx, &revision).await {
            tracing::warn!(app = %self.app.id, %fault, "it is healthy, which could not be recorded");
        }
    }

    /// A session without a step. What others recorded meanwhile is left as it is.
    async fn note(&self, state: &mut State, cx: &Cx, revision: &Revision) -> Result<(), Fault> {
        let target = &self.app.target;
        state.recall(cx.bound("reading the record", target.recall(cx, &self.app.id)).await??);
        if state.not_noted().as_ref() != Some(revision) {
            return Ok(());
        }
        let intent = Intent::to_note(self.emitter.now(), self.app.source.identity());
        let session = cx.bound("beginning to note", target.begin(cx, &self.app.id, &intent)).await??;
        let mut end = End::noting(self.emitter.now());
        end.healthy = Some(revision.clone());
        cx.bound("recording the health", session.finish(cx, &end)).await??;
        if let Some(recorded) = &mut state.recorded {
            recorded.healthy = true;
        }
        self.emit(EventKind::RevisionHealthy { revision: revision.clone() });
        Ok(())
    }
}
