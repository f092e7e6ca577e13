//! What the start of a control plane asks of the API server.

use std::time::Duration;

use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::ControlPlaneError;

/// The Node that kwok plays.
const NODE: &str = "node-0";

/// How long one question may take: it is asked again anyway.
const QUESTION: Duration = Duration::from_secs(5);

/// A client of the administrator.
pub(super) struct Api(kube::Client);

impl Api {
    pub(super) fn new(mut config: kube::Config) -> Result<Self, ControlPlaneError> {
        // Whoever waits asks again, and wants to know why.
        config.default_retry = false;
        Ok(Self(kube::Client::try_from(config)?))
    }

    /// Whether the API server serves, and has made the namespace that everybody expects.
    pub(super) async fn serves(&self) -> Result<(), String> {
        self.ask(self.0.request_text(get("/readyz"))).await?;
        self.object("/api/v1/namespaces/default").await.map(drop)
    }

    /// Whether the controllers work: each namespace gets a service account.
    pub(super) async fn has_account(&self) -> Result<(), String> {
        self.object("/api/v1/namespaces/default/serviceaccounts/default").await.map(drop)
    }

    /// Whether the Node is ready and takes Pods.
    pub(super) async fn has_node(&self) -> Result<(), String> {
        let node = self.object(&format!("/api/v1/nodes/{NODE}")).await?;
        let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
        let is_ready =
            conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True");
        let is_tainted =
            node.pointer("/spec/taints").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
        if is_ready && !is_tainted {
            Ok(())
        } else {
            Err("the Node is there, and takes no Pods yet".to_owned())
        }
    }

    /// Creates the Node, if it is not there.
    pub(super) async fn create_node(&self) -> Result<(), String> {
        let resources = json!({ "cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "2000" });
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": NODE,
                "labels": { "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "type": "kwok" },
            },
            "status": { "capacity": resources, "allocatable": resources },
        });
        let request = Request::post("/api/v1/nodes")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(node.to_string().into_bytes())
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(QUESTION, self.0.request::<Value>(request)).await {
            Ok(Err(kube::Error::Api(status))) if status.code == StatusCode::CONFLICT.as_u16() => Ok(()),
            Ok(answer) => answer.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {QUESTION:?}")),
        }
    }

    async fn object(&self, path: &str) -> Result<Value, String> {
        self.ask(self.0.request::<Value>(get(path))).await
    }

    async fn ask<T>(&self, question: impl Future<Output = Result<T, kube::Error>>) -> Result<T, String> {
        match tokio::time::timeout(QUESTION, question).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {QUESTION:?}")),
        }
    }
}

fn get(path: &str) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    // The paths are written above: one that is none would ask for `/`, which is not what is waited for.
    *request.uri_mut() = path.parse().unwrap_or_default();
    request
}
