//! The memory backends with things that go wrong on order, for what a cluster's own faults cannot do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::{
    AppId, AppRecord, Capabilities, Comparison, Cx, Dirty, Done, End, Events, IgnoreRules, Intent, Live,
    Manifest, Observation, Observe, Placed, RefSpec, Revision, Session, Snapshot, Step,
};

/// What happens in place of a call.
#[derive(Debug, Clone)]
pub(super) enum Hook {
    /// It never returns.
    Hang,
    /// It fails with this.
    Fail(Class),
    /// It takes so long.
    Slow(Duration),
    /// It panics.
    Panic,
}

/// Orders by the name of the call, each for so many calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Hooks(
    Arc<Mutex<BTreeMap<&'static str, (Hook, u32)>>>,
    Arc<Mutex<BTreeMap<&'static str, u32>>>,
);

impl Hooks {
    pub(super) fn on(&self, call: &'static str, hook: Hook, times: u32) {
        self.0.lock().unwrap().insert(call, (hook, times));
    }

    pub(super) fn calls(&self, call: &'static str) -> u32 {
        self.1.lock().unwrap().get(call).copied().unwrap_or_default()
    }

    fn next(&self, call: &'static str) -> Option<Hook> {
        *self.1.lock().unwrap().entry(call).or_default() += 1;
        let mut orders = self.0.lock().unwrap();
        let (hook, times) = orders.get_mut(call).filter(|(_, times)| *times > 0)?;
        *times -= 1;
        Some(hook.clone())
    }

    async fn hit(&self, call: &'static str) -> Result<(), Fault> {
        match self.next(call) {
            None => Ok(()),
            Some(Hook::Hang) => std::future::pending().await,
            Some(Hook::Fail(class)) => Err(Fault::new(class, "on order").at(call)),
            Some(Hook::Slow(time)) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Some(Hook::Panic) => panic!("on order"),
        }
    }
}

/// A memory target with hooks.
#[derive(Debug, Clone)]
pub(super) struct HookedTarget {
    pub(super) inner: MemoryTarget,
    pub(super) hooks: Hooks,
    /// Whether it watches; without, its watch is a stream that has ended.
    pub(super) watches: bool,
}

impl HookedTarget {
    pub(super) fn new(cluster: &MemoryCluster, hooks: &Hooks) -> Self {
        Self { inner: MemoryTarget::new(cluster.clone()), hooks: hooks.clone(), watches: true }
    }
}

#[async_trait]
impl Target for HookedTarget {
    fn capabilities(&self) -> Capabilities {
        if self.watches { self.inner.capabilities() } else { Capabilities::new() }
    }

    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault> {
        self.hooks.hit("place").await?;
        self.inner.place(cx, set).await
    }

    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        if matches!(what, Observe::Everything { .. }) {
            self.hooks.hit("observe").await?;
        }
        self.hooks.hit("look").await?;
        self.inner.observe(cx, app, what).await
    }

    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        self.inner.compare(desired, live, rules)
    }

    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault> {
        self.hooks.hit("begin").await?;
        let session = self.inner.begin(cx, app, intent).await?;
        Ok(Box::new(HookedSession { session, hooks: self.hooks.clone() }))
    }

    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        self.hooks.hit("recall").await?;
        self.inner.recall(cx, app).await
    }

    fn watch(&self, app: &AppId) -> Events<Dirty> {
        let _ = self.hooks.next("watch");
        if self.watches { self.inner.watch(app) } else { Box::pin(futures_util::stream::empty()) }
    }
}

struct HookedSession {
    session: Box<dyn Session>,
    hooks: Hooks,
}

#[async_trait]
impl Session for HookedSession {
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        self.hooks.hit("run").await?;
        self.session.run(cx, step).await
    }

    async fn finish(self: Box<Self>, cx: &Cx, end: &End) -> Result<(), Fault> {
        self.hooks.hit("finish").await?;
        cx.check()?;
        self.session.finish(cx, end).await
    }
}

/// A memory source with hooks.
#[derive(Debug, Clone)]
pub(super) struct HookedSource {
    pub(super) inner: MemorySource,
    pub(super) hooks: Hooks,
}

#[async_trait]
impl Source for HookedSource {
    fn identity(&self) -> String {
        self.inner.identity()
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        self.hooks.hit("resolve").await?;
        self.inner.resolve(cx, want).await
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        self.hooks.hit("fetch").await?;
        self.inner.fetch(cx, revision).await
    }

    fn hints(&self) -> Option<Events<()>> {
        self.inner.hints()
    }
}

impl World {
    /// A world in which calls go wrong on order.
    pub(super) fn hooked(
        tune: impl FnOnce(ReconcilerBuilder) -> ReconcilerBuilder,
        shape: impl FnOnce(&mut HookedTarget),
    ) -> (Self, Hooks) {
        let (source, cluster, hooks) = (MemorySource::new("config"), MemoryCluster::new(), Hooks::default());
        let world = Self::hooked_on(source, cluster, &hooks, tune, shape);
        (world, hooks)
    }

    pub(super) fn hooked_on(
        source: MemorySource,
        cluster: MemoryCluster,
        hooks: &Hooks,
        tune: impl FnOnce(ReconcilerBuilder) -> ReconcilerBuilder,
        shape: impl FnOnce(&mut HookedTarget),
    ) -> Self {
        let mut target = HookedTarget::new(&cluster, hooks);
        shape(&mut target);
        let uses = HookedSource { inner: source.clone(), hooks: hooks.clone() };
        Self::of(uses, source, cluster, target, |app| app, tune)
    }
}
