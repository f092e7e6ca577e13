//! What every test needs: a cluster, a target, and the steps that a driver would take.

use std::sync::Arc;
use std::time::Duration;

use gitops_core::{
    Action, AppId, Comparison, Cx, Done, End, Expect, Fault, IgnoreRules, Intent, Live, Manifest,
    Observation, Observe, Place, Placed, Reach, ReachEntry, RepoPath, ResourceId, Revision, Session, Step,
    Target, Timestamp,
};
use gitops_kube::KubeTarget;
use gitops_kube::testing::ControlPlane;
use serde_json::{Value, json};

pub(crate) const SOURCE: &str = "https://git.example/config";
pub(crate) const STATE: &str = "gitops-system";

pub(crate) fn cx() -> Cx {
    Cx::with_timeout(Duration::from_secs(60))
}

pub(crate) fn app(name: &str) -> AppId {
    AppId::new(name).unwrap()
}

pub(crate) struct Cluster {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) client: kube::Client,
    pub(crate) target: KubeTarget,
}

/// The control plane that the tests of this binary share, with a target of its own for each.
pub(crate) async fn cluster() -> Cluster {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plane = ControlPlane::shared().await.unwrap();
    let client =
        gitops_kube::connect(plane.client_config().unwrap(), &gitops_kube::ConnectOptions::default())
            .unwrap();
    let cluster = Cluster { plane, target: KubeTarget::new(client.clone()), client };
    cluster.namespace(STATE).await;
    cluster
}

impl Cluster {
    /// Makes a namespace, if it is not there.
    pub(crate) async fn namespace(&self, name: &str) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.apply_as("test", "/api/v1/namespaces", name, &body).await.unwrap();
    }

    /// Applies as another field manager, by force.
    pub(crate) async fn apply_as(
        &self,
        manager: &str,
        path: &str,
        name: &str,
        body: &Value,
    ) -> kube::Result<Value> {
        let uri = format!("{path}/{name}?fieldManager={manager}&force=true");
        self.request("PATCH", &uri, "application/apply-patch+yaml", body).await
    }

    /// Changes an object as a person with kubectl would.
    pub(crate) async fn merge_as(&self, manager: &str, uri: &str, body: &Value) -> Value {
        let uri = format!("{uri}?fieldManager={manager}");
        self.request("PATCH", &uri, "application/merge-patch+json", body).await.unwrap()
    }

    pub(crate) async fn get(&self, uri: &str) -> Option<Value> {
        self.request("GET", uri, "application/json", &Value::Null).await.ok()
    }

    pub(crate) async fn delete(&self, uri: &str) {
        self.request("DELETE", uri, "application/json", &json!({})).await.unwrap();
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        uri: &str,
        kind: &str,
        body: &Value,
    ) -> kube::Result<Value> {
        let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let request = http::Request::builder().method(method).uri(uri).header("content-type", kind);
        self.client.request(request.body(bytes).unwrap()).await
    }

    pub(crate) async fn place(&self, objects: &[Value]) -> Vec<Arc<Placed>> {
        let manifest = |object: &Value| {
            Manifest::new(&object.clone(), Place::file(RepoPath::new("a.yaml").unwrap())).unwrap()
        };
        let placed = self.target.place(&cx(), objects.iter().map(manifest).collect()).await.unwrap();
        for placed in &placed {
            assert_eq!(placed.unresolved, None, "{placed:?}");
        }
        placed.into_iter().map(Arc::new).collect()
    }

    pub(crate) async fn begin(&self, app: &AppId, reach: Reach) -> Result<Box<dyn Session>, Fault> {
        let intent = Intent::new(Timestamp::UNIX_EPOCH, SOURCE, Some(Revision::new("c0ffee")), reach);
        self.target.begin(&cx(), app, &intent).await
    }

    /// Creates objects in their order, and ends the session.
    pub(crate) async fn create(&self, app: &AppId, objects: &[Value]) -> Vec<Done> {
        let placed = self.place(objects).await;
        let session = self.begin(app, reach(&placed)).await.unwrap();
        let mut sorted: Vec<_> = placed.iter().collect();
        sorted.sort_by_key(|placed| placed.rank);
        let mut done = Vec::new();
        for placed in sorted {
            let step = Step::new(placed.id.clone(), Action::Create, Expect::Absent, Some(placed.clone()));
            done.push(session.run(&cx(), &step).await.unwrap());
        }
        session.finish(&cx(), &end(Some(reach(&placed)))).await.unwrap();
        done
    }

    pub(crate) async fn step(&self, app: &AppId, step: Step) -> Result<Done, Fault> {
        let reach = step.desired.iter().map(|placed| ReachEntry::of(placed)).collect();
        let session = self.begin(app, Reach(reach)).await?;
        let done = session.run(&cx(), &step).await;
        session.finish(&cx(), &end(None)).await.unwrap();
        done
    }

    pub(crate) async fn update(
        &self,
        app: &AppId,
        desired: &Arc<Placed>,
        live: &Live,
    ) -> Result<Done, Fault> {
        let expect = Expect::Same(live.token.incarnation.clone());
        self.step(app, Step::new(desired.id.clone(), Action::Update, expect, Some(desired.clone()))).await
    }

    pub(crate) async fn everything(&self, app: &AppId, also: &[ResourceId]) -> Observation {
        self.target.observe(&cx(), app, &Observe::Everything { also: also.to_vec() }).await.unwrap()
    }

    pub(crate) async fn look(&self, app: &AppId, id: &ResourceId) -> Option<Live> {
        let mut found = self.target.observe(&cx(), app, &Observe::Objects(vec![id.clone()])).await.unwrap();
        assert!(found.unseen.is_empty(), "{:?}", found.unseen);
        found.live.pop()
    }

    pub(crate) async fn compare(&self, app: &AppId, desired: &Placed) -> Comparison {
        let live = self.look(app, &desired.id).await.expect("the object exists");
        self.target.compare(desired, &live, &IgnoreRules::default())
    }
}

pub(crate) fn reach(placed: &[Arc<Placed>]) -> Reach {
    Reach(placed.iter().map(|placed| ReachEntry::of(placed)).collect())
}

pub(crate) fn end(reach: Option<Reach>) -> End {
    let mut end = End::new(Timestamp::now(), Vec::new());
    end.applied = Some(Revision::new("c0ffee"));
    end.reach = reach;
    end
}

/// The differing paths, as text.
pub(crate) fn paths(comparison: &Comparison) -> Vec<String> {
    match comparison {
        Comparison::Differs(all) | Comparison::Overruled(all) => {
            all.iter().map(|d| d.path.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn config_map(namespace: &str, name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace},
        "data": {"k": value}})
}

pub(crate) fn deployment(namespace: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web",
                "image": "registry.example/web:1", "env": [{"name": "A", "value": "1"}],
                "ports": [{"containerPort": 8080}],
                "resources": {"limits": {"memory": "0.5Gi", "cpu": "1000m"}}}],
                "volumes": [{"name": "tmp", "emptyDir": {}}]}}}})
}
