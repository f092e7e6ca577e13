//! The cluster as people see it: they read, change and delete objects, and read the audit log.

use std::time::Duration;

use gitops_kube::testing::{Builder, ControlPlane};
use gitops_kube::{ConnectOptions, KubeTarget, connect};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::PATIENCE;

/// Users whose requests are in the audit log, and who may do everything.
const ENGINES: [&str; 3] = ["story", "pods", "restart"];
/// Users who may do what their test grants them.
const LIMITED: [&str; 3] = ["reader", "limited", "blindfold"];

/// A cluster, with the rights of its administrator.
#[derive(Clone)]
pub(crate) struct Cluster<'a> {
    pub(crate) plane: &'a ControlPlane,
    client: kube::Client,
}

/// A request of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) uri: String,
    /// What was answered; 0 for a watch that has not ended.
    pub(crate) code: u64,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// The path of an object of the core group.
pub(crate) fn core(plural: &str, namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{plural}/{name}")
}

/// The path of an object of the group `apps`.
pub(crate) fn apps(plural: &str, namespace: &str, name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/{plural}/{name}")
}

/// A control plane with an audit log and the users of the tests.
pub(crate) fn builder() -> Builder {
    // An error means that another test has done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/support/audit-policy.yaml");
    let mut builder = ControlPlane::builder()
        .with_api_argument(format!("--audit-policy-file={policy}"))
        .with_api_argument("--audit-log-path=audit.log")
        // Written before the answer is sent: what a test has seen happen is there.
        .with_api_argument("--audit-log-mode=blocking-strict");
    for user in ENGINES {
        builder = builder.with_user(format!("token-of-{user}"), user, ["system:masters"]);
    }
    for user in LIMITED {
        builder = builder.with_user(format!("token-of-{user}"), user, ["people"]);
    }
    builder
}

/// Another control plane, which is empty.
pub(crate) async fn plane() -> ControlPlane {
    builder().start().await.unwrap()
}

impl Cluster<'static> {
    /// The control plane that all tests share.
    pub(crate) async fn shared() -> Self {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        let plane = SHARED.get_or_try_init(|| builder().start()).await.unwrap();
        Self::of(plane).await
    }
}

impl<'a> Cluster<'a> {
    pub(crate) async fn of(plane: &'a ControlPlane) -> Self {
        let client = connect(plane.client_config().unwrap(), &ConnectOptions::default()).unwrap();
        let cluster = Self { plane, client };
        cluster.namespace("gitops-system").await;
        cluster
    }

    /// A client that acts as a user.
    pub(crate) fn client_of(&self, user: &str) -> kube::Client {
        connect(self.plane.client_config_of(user).unwrap(), &ConnectOptions::default()).unwrap()
    }

    /// A target that acts as a user.
    pub(crate) fn target_of(&self, user: &str) -> KubeTarget {
        KubeTarget::new(self.client_of(user))
    }

    pub(crate) async fn try_request(
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

    async fn request(&self, method: &str, uri: &str, kind: &str, body: &Value) -> Value {
        let answer = self.try_request(method, uri, kind, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {uri}: {error}"))
    }

    /// An object; none if there is no such object.
    pub(crate) async fn get(&self, uri: &str) -> Option<Value> {
        match self.try_request("GET", uri, "application/json", &Value::Null).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("GET {uri}: {error}"),
        }
    }

    /// A field of an object that is there.
    pub(crate) async fn field(&self, uri: &str, pointer: &str) -> Value {
        let object = self.get(uri).await.unwrap_or_else(|| panic!("{uri} is not there"));
        object.pointer(pointer).cloned().unwrap_or_default()
    }

    /// The objects of a collection, with a query.
    pub(crate) async fn list(&self, uri: &str) -> Vec<Value> {
        let list = self.request("GET", uri, "application/json", &Value::Null).await;
        list["items"].as_array().unwrap().clone()
    }

    /// The objects of a collection; none if there is no such kind.
    pub(crate) async fn list_if_served(&self, uri: &str) -> Vec<Value> {
        match self.get(uri).await {
            Some(list) => list["items"].as_array().unwrap().clone(),
            None => Vec::new(),
        }
    }

    /// Changes an object as a person with kubectl does.
    pub(crate) async fn change(&self, who: &str, uri: &str, change: Value) -> Value {
        self.request("PATCH", &format!("{uri}?fieldManager={who}"), "application/merge-patch+json", &change)
            .await
    }

    /// Creates or changes an object, whatever it was.
    pub(crate) async fn apply(&self, uri: &str, object: &Value) -> Value {
        self.apply_as("somebody", uri, object).await
    }

    /// The same, as somebody who is named.
    pub(crate) async fn apply_as(&self, manager: &str, uri: &str, object: &Value) -> Value {
        let uri = format!("{uri}?fieldManager={manager}&force=true");
        self.request("PATCH", &uri, "application/apply-patch+yaml", object).await
    }

    pub(crate) async fn delete(&self, uri: &str) {
        self.request("DELETE", uri, "application/json", &json!({})).await;
    }

    pub(crate) async fn namespace(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.apply(&format!("/api/v1/namespaces/{name}"), &object).await;
    }

    /// Waits until an object (none if it is not there) is as it should be.
    pub(crate) async fn until(&self, uri: &str, is_so: impl Fn(Option<&Value>) -> bool) -> Option<Value> {
        let start = Instant::now();
        loop {
            let object = self.get(uri).await;
            if is_so(object.as_ref()) {
                return object;
            }
            assert!(start.elapsed() < PATIENCE, "{uri} is still {:#}", object.unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn until_gone(&self, uri: &str) {
        self.until(uri, |object| object.is_none()).await;
    }

    /// Lets a user do something everywhere: a `ClusterRole` with its binding, both of that name.
    pub(crate) async fn grant(&self, user: &str, name: &str, rules: Value) {
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name}, "rules": rules});
        self.apply(&format!("{rbac}/clusterroles/{name}"), &role).await;
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]});
        self.apply(&format!("{rbac}/clusterrolebindings/{name}"), &binding).await;
    }

    /// Waits until the authorizer knows that a user may do something.
    pub(crate) async fn until_may(&self, user: &str, verb: &str, group: &str, resource: &str) {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": ["people", "system:authenticated"],
                "resourceAttributes": {"verb": verb, "group": group, "resource": resource}}});
        let start = Instant::now();
        loop {
            let uri = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
            if self.request("POST", uri, "application/json", &review).await["status"]["allowed"] == true {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{user} may still not {verb} {resource}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a user has asked of the API server, in order.
    pub(crate) fn requests_of(&self, user: &str) -> Vec<Request> {
        let log = std::fs::read_to_string(self.plane.directory().join("audit.log")).unwrap();
        let mut seen = std::collections::HashSet::new();
        // The last line may be half written: by a request of another user, since ours was answered.
        let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries
            // A watch is written down when it begins and when it ends.
            .filter(|entry| entry["user"]["username"] == user && seen.insert(entry["auditID"].to_string()))
            .map(|entry| Request {
                verb: entry["verb"].as_str().unwrap_or_default().to_owned(),
                uri: entry["requestURI"].as_str().unwrap_or_default().to_owned(),
                code: entry["responseStatus"]["code"].as_u64().unwrap_or_default(),
                body: entry["requestObject"].clone(),
            })
            .collect()
    }

    pub(crate) fn writes_of(&self, user: &str) -> Vec<Request> {
        self.requests_of(user).into_iter().filter(Request::is_write).collect()
    }
}
