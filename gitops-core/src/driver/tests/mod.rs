//! The reconciler on the memory backends. Time is paused: waits cost nothing, and an hour passes at once when nothing
//! else can happen.

mod approval;
mod drift;
mod events;
mod failure;
mod hooks;
#[cfg(feature = "jq")]
mod ignore;
mod limits;
mod line_15_prune;
mod line_18_annotations;
mod pace;
mod records;
mod refresh;
mod removal;
mod rendering;
mod secrets;
mod sharing;
mod source;
mod status;
mod sync;
mod verifying;

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    Application, ApplicationBuilder, Approval, Class, DriftPolicy, Effect, Event, EventKind, EventStream,
    Fault, FaultRule, Health, MemoryCluster, MemorySource, MemoryTarget, Operation, Prune, ResourceId,
    Source, Status, SyncReport, SyncState, Target, Trigger, Verdict,
};

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

fn config(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{key: {value}}}\n"
    )
}

fn id(name: &str) -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", "shop", name)
}

struct World {
    source: MemorySource,
    cluster: MemoryCluster,
    reconciler: Reconciler,
    events: EventStream,
}

impl World {
    fn new(change: impl FnOnce(ApplicationBuilder) -> ApplicationBuilder) -> Self {
        Self::with(MemorySource::new("config"), MemoryCluster::new(), change)
    }

    fn with(
        source: MemorySource,
        cluster: MemoryCluster,
        change: impl FnOnce(ApplicationBuilder) -> ApplicationBuilder,
    ) -> Self {
        let target = MemoryTarget::new(cluster.clone());
        Self::of(source.clone(), source, cluster, target, change, |builder| builder)
    }

    /// A world whose application uses another source and target than those that the test works with by hand.
    fn of(
        uses: impl Source,
        source: MemorySource,
        cluster: MemoryCluster,
        target: impl Target,
        change: impl FnOnce(ApplicationBuilder) -> ApplicationBuilder,
        tune: impl FnOnce(ReconcilerBuilder) -> ReconcilerBuilder,
    ) -> Self {
        let app = Application::builder("shop", uses, target).with_path("shop").with_prune(Prune::GUARDED);
        let builder = Reconciler::builder()
            .with_application(change(app).build().unwrap())
            .with_interval(Duration::from_secs(3600))
            .with_seed(1);
        let reconciler = tune(builder).build().unwrap();
        let events = reconciler.subscribe();
        Self { source, cluster, reconciler, events }
    }

    /// The same source and cluster, seen by a new process.
    fn restarted(self) -> Self {
        Self::with(self.source, self.cluster, |app| app)
    }

    /// Commits the namespace and some `ConfigMap`s with their values.
    fn commit(&self, message: &str, configs: &[(&str, Option<&str>)]) -> crate::Revision {
        let files: Vec<(String, Option<String>)> = configs
            .iter()
            .map(|(name, value)| (format!("shop/{name}.yaml"), value.map(|value| config(name, value))))
            .chain([("shop/ns.yaml".to_owned(), Some(NAMESPACE.to_owned()))])
            .collect();
        let files = files.iter().map(|(path, content)| (path.as_str(), content.as_deref()));
        self.source.commit("Ada", message, files).unwrap()
    }

    /// Somebody edits a ConfigMap.
    fn edit(&self, who: &str, name: &str, value: &str) {
        self.cluster.update(who, &id(name), |object| object["data"]["key"] = json!(value)).unwrap();
    }

    fn value(&self, name: &str) -> Option<String> {
        Some(self.cluster.get(&id(name))?["data"]["key"].as_str()?.to_owned())
    }

    /// The next event for which `pick` has an answer, within two hours.
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&EventKind) -> Option<T>) -> T {
        let search = async {
            loop {
                let event: Event = self.events.next().await.unwrap();
                if let Some(found) = pick(&event.kind) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(7200), search)
            .await
            .unwrap_or_else(|_| panic!("never saw {what}"))
    }

    async fn finished(&mut self) -> SyncReport {
        self.until("the end of a sync", |kind| match kind {
            EventKind::SyncFinished { report } => Some(report.clone()),
            _ => None,
        })
        .await
    }

    async fn approval_needed(&mut self) -> crate::Digest {
        self.until("a request for approval", |kind| match kind {
            EventKind::ApprovalNeeded { digest, .. } => Some(*digest),
            _ => None,
        })
        .await
    }

    /// Lets so much time pass, and answers with all that happened in it.
    async fn over(&mut self, time: Duration) -> Vec<EventKind> {
        let mut seen = Vec::new();
        let end = tokio::time::Instant::now() + time;
        while let Ok(Some(event)) = tokio::time::timeout_at(end, self.events.next()).await {
            seen.push(event.kind);
        }
        seen
    }
}

fn approval(digest: crate::Digest) -> Approval {
    Approval::new("shop".parse().unwrap(), digest, "ada")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs the reconciler beside a test, and stops it.
macro_rules! beside {
    ($world:ident, $body:block) => {{
        let handle = $world.reconciler.handle();
        let (source, cluster) = ($world.source.clone(), $world.cluster.clone());
        let reconciler =
            std::mem::replace(&mut $world.reconciler, World::with(source, cluster, |app| app).reconciler);
        let run = tokio::spawn(async move { reconciler.run().await });
        let outcome = $body;
        handle.stop();
        run.await.unwrap().unwrap();
        outcome
    }};
}
use beside;
