//! What the design says can happen between Git, the engine and everybody else on a cluster: each case is one test, with a
//! whole engine that remembers nothing of the sync before.

mod drift;
mod membership;
mod sharing;

use std::collections::BTreeMap;

use gitops_core::{
    Application, ApplicationBuilder, Decision, EventKind, MemorySource, Outcome, Plan, Prune, Reconciler,
    ResourceId, SyncReport, Verdict,
};
use gitops_kube::KubeTarget;
use serde_json::Value;

use crate::support::Cluster;

/// An application that is synced once at a time.
struct App<'a> {
    cluster: &'a Cluster,
    name: &'static str,
    source: MemorySource,
    policy: fn(ApplicationBuilder) -> ApplicationBuilder,
}

/// What came of one sync.
struct Synced {
    report: SyncReport,
    outcomes: BTreeMap<ResourceId, Outcome>,
}

impl Synced {
    /// What became of an object; none if nothing did.
    fn verdict(&self, id: &ResourceId) -> Option<&Verdict> {
        self.outcomes.get(id).map(|outcome| &outcome.verdict)
    }

    /// Why an object failed.
    #[track_caller]
    fn fault(&self, id: &ResourceId) -> String {
        match self.verdict(id) {
            Some(Verdict::Failed { fault }) => fault.to_string(),
            other => panic!("{id} did not fail: {other:?}"),
        }
    }
}

impl<'a> App<'a> {
    /// An application that prunes, from a repository of its own.
    fn new(cluster: &'a Cluster, name: &'static str) -> Self {
        Self {
            cluster,
            name,
            source: MemorySource::new(format!("https://git.example/{name}")),
            policy: |app| app,
        }
    }

    /// The same name, from another place or under another policy.
    fn with_policy(self, policy: fn(ApplicationBuilder) -> ApplicationBuilder) -> Self {
        Self { policy, ..self }
    }

    /// Commits objects, and nothing else.
    fn commit(&self, objects: &[Value]) {
        let text =
            serde_json::to_string(&serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}));
        self.source.commit("Ada", "a change", [("app/all.json", Some(&*text.unwrap()))]).unwrap();
    }

    /// An engine that has just been started.
    fn engine(&self) -> Reconciler {
        self.engine_on(KubeTarget::new(self.cluster.client.clone()))
    }

    fn engine_on(&self, target: KubeTarget) -> Reconciler {
        let app = Application::builder(self.name, self.source.clone(), target).with_path("app");
        let app = (self.policy)(app.with_prune(Prune::GUARDED)).build().unwrap();
        let hour = std::time::Duration::from_secs(3600);
        Reconciler::builder().with_application(app).with_interval(hour).build().unwrap()
    }

    async fn sync(&self) -> Synced {
        self.sync_by(&self.engine()).await
    }

    async fn sync_by(&self, engine: &Reconciler) -> Synced {
        let mut events = engine.subscribe();
        let report = engine.sync(self.name).await.unwrap();
        let mut outcomes = BTreeMap::new();
        loop {
            match events.next().await.unwrap().kind {
                EventKind::Object { outcome, .. } => outcomes.insert(outcome.id.clone(), outcome),
                EventKind::SyncFinished { .. } => return Synced { report, outcomes },
                _ => None,
            };
        }
    }

    async fn plan(&self) -> Plan {
        self.engine().plan(self.name).await.unwrap()
    }

    /// What would be done with an object now, by an engine that has just been started.
    async fn decision(&self, id: &ResourceId) -> Decision {
        let plan = self.plan().await;
        let item = plan.items.iter().find(|item| item.id == *id);
        item.unwrap_or_else(|| panic!("{id} is not in {plan:?}")).decision.clone()
    }
}

/// An object in a namespace.
fn object(api_version: &str, kind: &str, namespace: &str, name: &str, rest: &Value) -> Value {
    let mut object = serde_json::json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": namespace}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}
