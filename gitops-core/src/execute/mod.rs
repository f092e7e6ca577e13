//! Carrying out a plan: step by step, as many at once as allowed, and an outcome for every object.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::plan::OwnedBy;
use crate::{
    Action, Class, Cx, Decision, Done, Fault, FaultNote, Item, Outcome, Plan, ResourceId, Session, Verdict,
};

/// How a plan is carried out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Execution {
    /// How many steps run at once; at least one.
    pub concurrency: usize,
    /// Cancelled to begin no further step. Steps that run are waited for.
    pub stop: CancellationToken,
}

impl Default for Execution {
    /// Sixteen steps at once.
    fn default() -> Self {
        Self { concurrency: 16, stop: CancellationToken::new() }
    }
}

/// How much longer than its context a step is waited for.
const OVERDUE: Duration = Duration::from_secs(1);

/// Told of each object as it ends.
pub type OnOutcome<'a> = &'a (dyn Fn(&Item, &Outcome, Option<&Done>) + Sync);

/// Carries out a plan. Every item ends with exactly one outcome, in the order of the plan; `on_outcome` hears of each as
/// it happens.
///
/// Steps of one rank run together; a rank begins when the one before has ended. What requires an object that failed is
/// blocked, and nothing else is. Nothing is pruned while an object that is desired could not be applied: it may be what
/// replaces the pruned one.
///
/// Dropping the future in between leaves steps that were running with an unknown outcome; the session was not finished
/// and its reach stays wide, so the next one finds everything.
pub async fn execute(
    plan: &Plan,
    session: &dyn Session,
    cx: &Cx,
    how: &Execution,
    on_outcome: OnOutcome<'_>,
) -> Vec<Outcome> {
    let mut run = Run { plan, session, cx, how, on_outcome, ended: BTreeMap::new() };
    let (applied, taken): (Vec<&Item>, Vec<&Item>) =
        plan.items.iter().partition(|item| !matches!(item.decision, Decision::Prune | Decision::Release));
    for rank in applied.chunk_by(|a, b| a.rank == b.rank) {
        run.rank(rank).await;
    }
    let missing =
        applied.iter().find(|item| run.ended.get(&item.id).is_some_and(|outcome| !outcome.verdict.is_good()));
    if let Some(missing) = missing {
        let cause = format!("nothing is pruned before {} is applied", missing.id);
        for item in &taken {
            run.end(item, Verdict::Blocked { cause: cause.clone() }, None);
        }
    } else {
        for rank in taken.chunk_by(|a, b| a.rank == b.rank) {
            run.rank(rank).await;
        }
    }
    plan.items.iter().filter_map(|item| run.ended.remove(&item.id)).collect()
}

struct Run<'a> {
    plan: &'a Plan,
    session: &'a dyn Session,
    cx: &'a Cx,
    how: &'a Execution,
    on_outcome: OnOutcome<'a>,
    ended: BTreeMap<ResourceId, Outcome>,
}

impl<'a> Run<'a> {
    /// Within a rank objects may require each other: rounds, until no round gets further.
    async fn rank(&mut self, items: &[&'a Item]) {
        let mut waiting: Vec<&Item> = items.to_vec();
        while !waiting.is_empty() {
            let here: BTreeSet<&ResourceId> = waiting.iter().map(|item| &item.id).collect();
            let is_ready = |item: &&Item| {
                !item.requires.iter().any(|needed| here.contains(needed) && *needed != item.id)
            };
            let (ready, later): (Vec<&Item>, Vec<&Item>) = waiting.iter().copied().partition(is_ready);
            if ready.is_empty() {
                for item in later {
                    self.end(
                        item,
                        Verdict::Blocked { cause: "it requires itself, by way of others".to_owned() },
                        None,
                    );
                }
                return;
            }
            self.round(&ready).await;
            waiting = later;
        }
    }

    async fn round(&mut self, ready: &[&'a Item]) {
        let mut steps = Vec::new();
        for &item in ready {
            match self.verdict_without_step(item) {
                Some(verdict) => self.end(item, verdict, None),
                None => steps.push(item),
            }
        }
        let limit = self.how.concurrency.max(1);
        let mut steps = steps.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < limit
                && let Some(item) = steps.next()
            {
                running.push(run_step(item, self.session, self.cx, &self.how.stop));
            }
            let Some((item, done)) = running.next().await else { return };
            let (verdict, done) = match done {
                Ok(done) => (verdict(&done), Some(done)),
                Err(fault) => (Verdict::Failed { fault: about(fault.note(), &item.id) }, None),
            };
            self.end(item, verdict, done.as_ref());
        }
    }

    fn verdict_without_step(&self, item: &Item) -> Option<Verdict> {
        let skipped = |reason: String| Some(Verdict::Skipped { reason });
        match &item.decision {
            Decision::InSync => return Some(Verdict::Unchanged),
            Decision::Overruled => return Some(Verdict::Overruled { fields: fields(&item.differences) }),
            Decision::Drifted => return skipped("drift is reported only".to_owned()),
            Decision::Kept { reason } => return skipped(reason.to_string()),
            Decision::Blocked { cause } => return Some(Verdict::Blocked { cause: cause.clone() }),
            Decision::Conflict { owner } => {
                let fault = FaultNote::new(Class::Denied, format!("it exists, and {}", OwnedBy(owner)));
                return Some(Verdict::Failed { fault: about(fault, &item.id) });
            }
            _ => {}
        }
        let culprit = item
            .requires
            .iter()
            .find_map(|needed| self.ended.get(needed).filter(|o| !o.verdict.is_good()))?;
        let cause = match &culprit.verdict {
            Verdict::Failed { fault } => fault.message.clone(),
            Verdict::Blocked { cause } => cause.clone(),
            _ => String::new(),
        };
        Some(Verdict::Blocked { cause: format!("{} is not there: {cause}", culprit.id) })
    }

    fn end(&mut self, item: &Item, verdict: Verdict, done: Option<&Done>) {
        // An apply that wrote nothing was no action, even if the target insists on other values.
        let was_idle = done.is_some_and(|done| !done.wrote) && matches!(verdict, Verdict::Overruled { .. });
        let action = item.decision.action().filter(|_| !was_idle);
        let outcome = Outcome { id: item.id.clone(), action, verdict };
        (self.on_outcome)(item, &outcome, done);
        self.ended.insert(item.id.clone(), outcome);
        self.cx.progress.report("sync", self.ended.len() as u64, Some(self.plan.items.len() as u64));
    }
}

async fn run_step<'a>(
    item: &'a Item,
    session: &dyn Session,
    cx: &Cx,
    stop: &CancellationToken,
) -> (&'a Item, Result<Done, Fault>) {
    let done = async {
        if stop.is_cancelled() {
            return Err(Fault::cancelled());
        }
        cx.check()?;
        let task = item
            .step()
            .ok_or_else(|| Fault::new(Class::Bug, "an item without a step was to be carried out"))?;
        // A session keeps to the context by itself; one that does not must not hold everything up.
        tokio::select! {
            biased;
            done = session.run(cx, &task) => done,
            () = overdue(cx) => Err(Fault::new(Class::OutcomeUnknown, "no answer in time: it may have happened")),
        }
    };
    (item, done.await)
}

/// Ends a little after the context did.
async fn overdue(cx: &Cx) {
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => {}
        () = tokio::time::sleep_until(cx.deadline) => {}
    }
    tokio::time::sleep(OVERDUE).await;
}

fn verdict(done: &Done) -> Verdict {
    match (done.overruled.as_slice(), done.wrote) {
        ([], true) => Verdict::Changed,
        ([], false) => Verdict::Unchanged,
        (overruled, _) => Verdict::Overruled { fields: fields(overruled) },
    }
}

fn fields(differences: &[gitops_diff::Difference]) -> Vec<String> {
    differences.iter().map(|difference| difference.path.to_string()).collect()
}

/// The note names the object, if it names nothing yet.
fn about(mut note: FaultNote, id: &ResourceId) -> FaultNote {
    note.at.get_or_insert_with(|| id.to_string());
    note
}

/// Whether a prune or release happened.
pub(crate) fn is_gone(outcome: &Outcome) -> bool {
    matches!(outcome.action, Some(Action::Prune | Action::Release))
        && matches!(outcome.verdict, Verdict::Changed | Verdict::Unchanged)
}

#[cfg(test)]
mod tests;
