//! What the clauses do again and again: one application on a target, and the steps of a driver.

use std::sync::Arc;
use std::time::Duration;

use super::TargetHarness;
pub(super) use crate::testing::clause::refused;
use crate::testing::{Checked, Failure, cx};
use crate::{
    Action, AppId, AppRecord, Comparison, Done, End, Expect, Fault, IgnoreRules, Intent, Live, Manifest,
    Observation, Observe, Owner, Placed, Reach, ReachEntry, ResourceId, Revision, Session, Step, Target,
    Timestamp, Token,
};

/// Which source the suite's applications come from.
pub(super) const SOURCE: &str = "contract:source";

/// One application on one target.
pub(super) struct Bench<'h> {
    pub(super) harness: &'h dyn TargetHarness,
    pub(super) target: Arc<dyn Target>,
    pub(super) app: AppId,
}

/// An object that was created.
pub(super) struct Member {
    pub(super) placed: Arc<Placed>,
    pub(super) done: Done,
    pub(super) live: Live,
}

impl Member {
    pub(super) fn id(&self) -> &ResourceId {
        &self.placed.id
    }

    pub(super) fn token(&self) -> &Token {
        &self.live.token
    }
}

impl<'h> Bench<'h> {
    /// A target that was just started, and the first application.
    pub(super) async fn new(harness: &'h dyn TargetHarness) -> Self {
        Self { harness, target: harness.open().await, app: harness.app("one") }
    }

    /// Another application on the same target.
    pub(super) fn other(&self) -> Self {
        Self { harness: self.harness, target: self.target.clone(), app: self.harness.app("two") }
    }

    /// The same application, on a target that was started after.
    pub(super) async fn restarted(&self) -> Self {
        Self { harness: self.harness, target: self.harness.open().await, app: self.app.clone() }
    }

    pub(super) async fn place(&self, manifest: Manifest) -> Result<Arc<Placed>, Failure> {
        let mut placed = self.target.place(&cx(), vec![manifest]).await?;
        match (placed.pop(), placed.is_empty()) {
            (Some(one), true) => {
                ensure!(one.unresolved.is_none(), "the suite's own kind is not known: {one:?}");
                Ok(Arc::new(one))
            }
            _ => Err(Failure::violated("one manifest was placed, and the answer is not one")),
        }
    }

    pub(super) async fn desired(&self, name: &str, value: &str) -> Result<Arc<Placed>, Failure> {
        self.place(self.harness.manifest(name, value)).await
    }

    pub(super) fn intent(reach: Reach) -> Intent {
        Intent::new(Timestamp::UNIX_EPOCH, SOURCE, Some(Revision::new("c0ffee")), reach)
    }

    pub(super) async fn begin(&self, placed: &[&Arc<Placed>]) -> Result<Box<dyn Session>, Fault> {
        self.target.begin(&cx(), &self.app, &Self::intent(reach(placed))).await
    }

    /// One step in a session of its own.
    pub(super) async fn step(&self, step: Step) -> Result<Done, Fault> {
        let placed: Vec<&Arc<Placed>> = step.desired.iter().collect();
        let session = self.begin(&placed).await?;
        let done = session.run(&cx(), &step).await;
        session.finish(&cx(), &end()).await?;
        done
    }

    pub(super) async fn create(&self, name: &str, value: &str) -> Result<Member, Failure> {
        self.create_from(self.harness.manifest(name, value)).await
    }

    pub(super) async fn create_from(&self, manifest: Manifest) -> Result<Member, Failure> {
        let placed = self.place(manifest).await?;
        let done = self.step(create(&placed)).await?;
        let live = done.live.clone();
        let live = live.ok_or_else(|| Failure::violated("a create did not tell of the object"))?;
        Ok(Member { placed, done, live })
    }

    /// An object of that name, made by hand, and the manifest for it.
    pub(super) async fn foreign(&self, name: &str, value: &str) -> Result<(Arc<Placed>, Live), Failure> {
        let placed = self.desired(name, value).await?;
        self.harness.put(&placed.id, value).await;
        let live = self.seen(&placed.id).await?;
        Ok((placed, live))
    }

    pub(super) async fn observe(&self, what: &Observe) -> Result<Observation, Failure> {
        let seen = self.target.observe(&cx(), &self.app, what).await?;
        ensure!(seen.unseen.is_empty(), "something could not be read: {:?}", seen.unseen);
        Ok(seen)
    }

    pub(super) async fn everything(&self, also: &[ResourceId]) -> Result<Observation, Failure> {
        self.observe(&Observe::Everything { also: also.to_vec() }).await
    }

    pub(super) async fn objects(&self, ids: &[ResourceId]) -> Result<Observation, Failure> {
        self.observe(&Observe::Objects(ids.to_vec())).await
    }

    /// One object, if it exists.
    pub(super) async fn look(&self, id: &ResourceId) -> Result<Option<Live>, Failure> {
        Ok(self.objects(std::slice::from_ref(id)).await?.live.into_iter().find(|live| live.id == *id))
    }

    /// One object, which exists.
    pub(super) async fn seen(&self, id: &ResourceId) -> Result<Live, Failure> {
        self.look(id).await?.ok_or_else(|| Failure::violated(format!("{id} exists and is not observed")))
    }

    /// The ids of all members, in order.
    pub(super) async fn members(&self) -> Result<Vec<ResourceId>, Failure> {
        let seen = self.everything(&[]).await?.live;
        let mut ids: Vec<_> =
            seen.into_iter().filter(|live| live.owner == Owner::This).map(|live| live.id).collect();
        ids.sort();
        Ok(ids)
    }

    pub(super) async fn recall(&self) -> Result<AppRecord, Failure> {
        let record = self.target.recall(&cx(), &self.app).await?;
        record.ok_or_else(|| Failure::violated("nothing is recorded of an application that was deployed"))
    }

    pub(super) fn compare(&self, placed: &Placed, live: &Live) -> Comparison {
        self.target.compare(placed, live, &IgnoreRules::default())
    }

    /// Fails unless the object has this value, asked of the system and not of the target.
    pub(super) async fn stored(&self, id: &ResourceId, value: Option<&str>, when: &str) -> Checked {
        let stored = self.harness.read(id).await;
        ensure!(stored.as_deref() == value, "{when}: the system has {stored:?}, and not {value:?}");
        Ok(())
    }

    /// Fails unless a target that was just started finds the object's value in sync or asks for an update that writes
    /// nothing; and so does this one.
    pub(super) async fn in_sync(&self, placed: &Arc<Placed>, when: &str) -> Checked {
        for bench in [self, &self.restarted().await] {
            // A target may take what it knows of an application from its record.
            let live = bench.everything(std::slice::from_ref(&placed.id)).await?.live;
            let Some(live) = live.into_iter().find(|live| live.id == placed.id) else {
                return Err(Failure::violated(format!("{when}: {} is not observed", placed.id)));
            };
            match bench.compare(placed, &live) {
                Comparison::InSync => {}
                Comparison::Unsure => {
                    let done = bench.step(update(placed, &live)).await?;
                    ensure!(!done.wrote, "{when}: the target was unsure, and an update wrote something");
                }
                other => return Err(Failure::violated(format!("{when}: {other:?}"))),
            }
        }
        Ok(())
    }
}

pub(super) fn reach(placed: &[&Arc<Placed>]) -> Reach {
    Reach(placed.iter().map(|placed| ReachEntry::of(placed)).collect())
}

/// An end that records nothing but that it ended.
pub(super) fn end() -> End {
    End::new(Timestamp::UNIX_EPOCH, Vec::new())
}

pub(super) fn create(placed: &Arc<Placed>) -> Step {
    Step::new(placed.id.clone(), Action::Create, Expect::Absent, Some(placed.clone()))
}

pub(super) fn update(placed: &Arc<Placed>, live: &Live) -> Step {
    let expect = Expect::Same(live.token.incarnation.clone());
    Step::new(placed.id.clone(), Action::Update, expect, Some(placed.clone()))
}

pub(super) fn adopt(placed: &Arc<Placed>, live: &Live) -> Step {
    Step::new(placed.id.clone(), Action::Adopt, Expect::Exactly(live.token.clone()), Some(placed.clone()))
}

pub(super) fn prune(id: &ResourceId, token: &Token) -> Step {
    Step::new(id.clone(), Action::Prune, Expect::Exactly(token.clone()), None)
}

pub(super) fn release(id: &ResourceId, token: &Token) -> Step {
    Step::new(id.clone(), Action::Release, Expect::Exactly(token.clone()), None)
}

/// Asks again until there is an answer, for as long as the harness's patience lasts.
pub(super) async fn until<T, F>(patience: Duration, mut ask: impl FnMut() -> F) -> Result<Option<T>, Failure>
where
    F: Future<Output = Result<Option<T>, Failure>>,
{
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(Some(answer));
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
