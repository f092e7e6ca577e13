//! The contract of `Target`, on a real API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gitops_core::diff::FieldPath;
use gitops_core::testing::target::{Able, SecondField, TargetHarness, Trouble};
use gitops_core::{AppId, Manifest, Place, RepoPath, ResourceId, Target, async_trait};
use gitops_kube::{KEEP_ANNOTATION, KubeTarget};
use serde_json::{Value, json};

use crate::support::{Cluster, cluster};
use crate::wire::Weather;

gitops_core::target_contract! {
    crate::contract::Kube::new().await;
    attributes { #[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"] }
}

const HAND: &str = "somebody";

/// A namespace of the control plane that the tests share, and connections to it that can be disturbed.
struct Kube {
    cluster: Cluster,
    namespace: String,
    weather: Weather,
}

impl Kube {
    async fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let cluster = cluster().await;
        let namespace = format!("contract-{}", NEXT.fetch_add(1, Ordering::SeqCst));
        cluster.namespace(&namespace).await;
        Self { cluster, namespace, weather: Weather::calm() }
    }

    fn object(&self, kind: &str, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": self.namespace}})
    }

    fn uri(&self, id: &ResourceId) -> String {
        let plural = if id.kind == "Secret" { "secrets" } else { "configmaps" };
        format!("/api/v1/namespaces/{}/{plural}/{}", self.namespace, id.name)
    }

    async fn merge(&self, id: &ResourceId, patch: Value) {
        self.cluster.merge_as(HAND, &self.uri(id), &patch).await;
    }
}

fn manifest(object: &Value) -> Manifest {
    Manifest::new(object, Place::file(RepoPath::new("suite.yaml").unwrap())).unwrap()
}

#[async_trait]
impl TargetHarness for Kube {
    async fn open(&self) -> Arc<dyn Target> {
        Arc::new(KubeTarget::new(self.weather.over(self.cluster.client.clone())))
    }

    fn manifest(&self, name: &str, value: &str) -> Manifest {
        let mut object = self.object("ConfigMap", name);
        object["data"] = json!({"value": value});
        manifest(&object)
    }

    fn value_path(&self) -> FieldPath {
        ".data.value".parse().unwrap()
    }

    async fn read(&self, id: &ResourceId) -> Option<String> {
        Some(self.cluster.get(&self.uri(id)).await?["data"]["value"].as_str().unwrap().to_owned())
    }

    async fn put(&self, id: &ResourceId, value: &str) {
        let data = if id.kind == "Secret" { "stringData" } else { "data" };
        let mut patch = json!({});
        patch[data]["value"] = value.into();
        if self.cluster.get(&self.uri(id)).await.is_some() {
            return self.merge(id, patch).await;
        }
        let mut object = self.object(&id.kind, &id.name);
        object[data] = patch[data].take();
        let all = self.uri(id);
        let (all, _) = all.rsplit_once('/').unwrap();
        let uri = format!("{all}?fieldManager={HAND}");
        self.cluster.request("POST", &uri, "application/json", &object).await.unwrap();
    }

    async fn delete(&self, id: &ResourceId) {
        self.cluster.delete(&self.uri(id)).await;
    }

    fn app(&self, name: &str) -> AppId {
        AppId::new(&format!("{}-{name}", self.namespace)).unwrap()
    }

    /// A watch that fails comes back after a wait that grows.
    fn patience(&self) -> Duration {
        Duration::from_secs(25)
    }

    async fn trouble(&self, trouble: Trouble) -> Able {
        self.weather.set(Some(trouble));
        Ok(())
    }

    async fn calm(&self) {
        self.weather.set(None);
    }

    fn requests(&self) -> Able<u64> {
        Ok(self.weather.requests())
    }

    fn secret(&self, name: &str, value: &str) -> Able<Manifest> {
        let mut object = self.object("Secret", name);
        object["stringData"] = json!({"value": value});
        Ok(manifest(&object))
    }

    fn second(&self) -> Able<&dyn SecondField> {
        Ok(self)
    }

    fn dependents(&self) -> Able<[Manifest; 2]> {
        let later = format!("{}-later", self.namespace);
        let mut dependent = self.object("ConfigMap", "inside");
        dependent["metadata"]["namespace"] = later.clone().into();
        Ok([
            manifest(&dependent),
            manifest(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": later}})),
        ])
    }

    async fn overrule(&self) -> Able<String> {
        let (name, admission) = (&self.namespace, "/apis/admissionregistration.k8s.io/v1");
        let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name}, "spec": {"reinvocationPolicy": "Never", "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}},
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration":
                    {"expression": "Object{data: {\"value\": \"insisted\"}}"}}]}});
        let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": {"policyName": name}});
        for (kind, object) in
            [("mutatingadmissionpolicies", policy), ("mutatingadmissionpolicybindings", binding)]
        {
            self.cluster.apply_as(HAND, &format!("{admission}/{kind}"), name, &object).await.unwrap();
        }
        // The policy takes effect a moment after it is stored.
        let probe = ResourceId::namespaced("", "ConfigMap", name, "probe");
        for round in 0..200 {
            TargetHarness::put(self, &probe, &format!("round {round}")).await;
            if TargetHarness::read(self, &probe).await.as_deref() == Some("insisted") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok("insisted".to_owned())
    }

    async fn hold(&self, id: &ResourceId, hold: bool) -> Able {
        let finalizers = if hold { json!(["suite.example/hold"]) } else { Value::Null };
        self.merge(id, json!({"metadata": {"finalizers": finalizers}})).await;
        Ok(())
    }

    async fn keep(&self, id: &ResourceId) -> Able {
        self.merge(id, json!({"metadata": {"annotations": {KEEP_ANNOTATION: "disabled"}}})).await;
        Ok(())
    }
}

#[async_trait]
impl SecondField for Kube {
    fn manifest(&self, name: &str, value: &str, second: &str) -> Manifest {
        let mut object = self.object("ConfigMap", name);
        object["data"] = json!({"value": value, "second": second});
        manifest(&object)
    }

    fn samples(&self) -> [&'static str; 2] {
        ["one", "two"]
    }

    fn path(&self) -> FieldPath {
        ".data.second".parse().unwrap()
    }

    async fn read(&self, id: &ResourceId) -> Option<String> {
        let object = self.cluster.get(&self.uri(id)).await?;
        Some(object["data"].get("second")?.as_str().unwrap().to_owned())
    }

    async fn put(&self, id: &ResourceId, second: &str) {
        self.merge(id, json!({"data": {"second": second}})).await;
    }
}
