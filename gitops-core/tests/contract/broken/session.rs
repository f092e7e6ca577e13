//! The sessions of targets that are broken.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitops_core::{
    Action, AppId, Class, Cx, Done, End, Expect, Fault, Intent, Live, Observe, Reach, ResourceId, Session,
    Step, Target, async_trait,
};

use super::target::{Flaw, precondition};

pub(super) struct BrokenSession {
    target: Arc<dyn Target>,
    /// None for a target that has no lock: each step begins anew.
    inner: Option<Box<dyn Session>>,
    app: AppId,
    intent: Intent,
    flaw: Flaw,
    created: Arc<Mutex<BTreeSet<ResourceId>>>,
    busy: AtomicBool,
}

impl BrokenSession {
    pub(super) fn new(
        target: Arc<dyn Target>,
        inner: Option<Box<dyn Session>>,
        app: AppId,
        intent: Intent,
        flaw: Flaw,
        created: Arc<Mutex<BTreeSet<ResourceId>>>,
    ) -> Self {
        Self { target, inner, app, intent, flaw, created, busy: AtomicBool::new(false) }
    }

    async fn inner(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        if let Some(inner) = &self.inner {
            return inner.run(cx, step).await;
        }
        self.target.begin(cx, &self.app, &self.intent).await?.run(cx, step).await
    }

    async fn look(&self, cx: &Cx, id: &ResourceId) -> Result<Option<Live>, Fault> {
        let what = Observe::Objects(vec![id.clone()]);
        Ok(self.target.observe(cx, &self.app, &what).await?.live.pop())
    }

    /// The same step on the condition of whatever is there now.
    async fn regardless(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let mut step = step.clone();
        match self.look(cx, &step.id).await? {
            Some(live) => {
                step.expect = Expect::Exactly(live.token);
                if step.action == Action::Create {
                    step.action = Action::Adopt;
                }
            }
            None => return Err(precondition("it is gone")),
        }
        self.inner(cx, &step).await
    }

    async fn late(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        // The answer is made up from what is there, and the write follows later.
        let live = self.look(cx, &step.id).await?;
        let (target, app, intent, step) =
            (self.target.clone(), self.app.clone(), self.intent.clone(), step.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let cx = Cx::with_timeout(Duration::from_secs(1));
            if let Ok(session) = target.begin(&cx, &app, &intent).await {
                let _ = session.run(&cx, &step).await;
            }
        });
        Ok(Done::new(live, true))
    }
}

#[async_trait]
impl Session for BrokenSession {
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let waits = Cx::with_timeout(Duration::from_secs(3600));
        let cx = if self.flaw == Flaw::WaitsForEver { &waits } else { cx };
        if self.flaw == Flaw::AnswersBeforeItIsStored {
            return self.late(cx, step).await;
        }
        if self.flaw == Flaw::RunsOneStepOnly && self.busy.swap(true, Ordering::SeqCst) {
            return Err(Fault::retry("another step runs"));
        }
        let mut held = step.clone();
        if let (Flaw::DropsLeftFields, Some(desired)) = (self.flaw, &step.desired) {
            held.desired = Some(Arc::new((**desired).clone().with_left(Vec::new())));
        }
        let done = self.inner(cx, &held).await;
        self.busy.store(false, Ordering::SeqCst);
        let class = done.as_ref().err().map(|fault| fault.class);
        match (self.flaw, class) {
            (Flaw::IgnoresPreconditions, Some(Class::Precondition)) => self.regardless(cx, step).await,
            (Flaw::CreatesWhatIsGone, Some(Class::Precondition))
                if self.look(cx, &step.id).await?.is_none() =>
            {
                let create = Step::new(step.id.clone(), Action::Create, Expect::Absent, step.desired.clone());
                self.inner(cx, &create).await
            }
            (Flaw::DeletesForeignObjects, Some(Class::Precondition)) if step.action == Action::Prune => {
                self.regardless(cx, step).await
            }
            (Flaw::SwallowsDenials, Some(Class::Denied))
            | (Flaw::CallsLostAnswersSuccess, Some(Class::OutcomeUnknown)) => {
                Ok(Done::new(self.look(cx, &step.id).await?, true))
            }
            (Flaw::CallsLostAnswersFailure, Some(Class::OutcomeUnknown)) => Err(Fault::retry("no answer")),
            (Flaw::AlwaysWrites, None) => done.map(|done| Done::new(done.live, true)),
            (Flaw::TellsAnotherState, None) => done.map(|mut done| {
                if let Some(live) = &mut done.live {
                    live.token.version = "0".into();
                }
                done
            }),
            (Flaw::ForgetsMembership, None) => {
                self.created.lock().unwrap().insert(step.id.clone());
                done
            }
            _ => done,
        }
    }

    async fn finish(mut self: Box<Self>, cx: &Cx, end: &End) -> Result<(), Fault> {
        let mut end = end.clone();
        match self.flaw {
            Flaw::KeepsNoEnd => return Ok(()),
            Flaw::KeepsNoDeployments => {
                (end.changes, end.healed, end.healthy) = (Vec::new(), Vec::new(), None);
            }
            Flaw::NotesOverTheOutcomes => end.outcomes = Some(end.outcomes.unwrap_or_default()),
            Flaw::TakesAnyWordForHealth => end.applied = end.applied.or(end.healthy.clone()),
            Flaw::NarrowsUnasked => end.reach = end.reach.or(Some(Reach::default())),
            Flaw::KeepsTheLock => {
                std::mem::forget(self.inner.take());
                return Ok(());
            }
            _ => {}
        }
        match self.inner.take() {
            Some(inner) => inner.finish(cx, &end).await,
            None => self.target.begin(cx, &self.app, &self.intent).await?.finish(cx, &end).await,
        }
    }
}
