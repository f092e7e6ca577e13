//! A fresh API server with an audit log, and the hand that changes objects.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gitops_kube::testing::ControlPlane;
use http::Request;
use serde_json::{Value, json};

use crate::audit::Log;

pub(crate) struct Cluster {
    plane: ControlPlane,
    hand: kube::Client,
}

impl Cluster {
    /// Starts one; the whole control plane with `controllers`, else the API alone.
    pub(crate) async fn start(controllers: bool) -> Result<Self> {
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sync-figures/audit-policy.yaml");
        let mut builder = ControlPlane::builder()
            .with_api_argument(format!("--audit-policy-file={policy}"))
            .with_api_argument("--audit-log-path=audit.log")
            // Written before the answer is sent: what somebody has seen happen is there.
            .with_api_argument("--audit-log-mode=blocking-strict");
        if !controllers {
            builder = builder.api_only();
        }
        for user in ["engine", "floor", "hand"] {
            builder = builder.with_user(format!("token-of-{user}"), user, ["system:masters"]);
        }
        let plane = builder.start().await?;
        let hand = kube::Client::try_from(plane.client_config_of("hand")?)?;
        let cluster = Self { plane, hand };
        let state = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gitops-system"}});
        let create = Request::post("/api/v1/namespaces").header("content-type", "application/json");
        cluster.hand.request_text(create.body(serde_json::to_vec(&state)?)?).await?;
        Ok(cluster)
    }

    pub(crate) fn kubeconfig(&self, user: &str) -> Result<PathBuf> {
        Ok(self.plane.kubeconfig_of(user)?)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.plane.directory()
    }

    /// What was written down so far and from now on.
    pub(crate) fn log(&self) -> Log {
        Log::of(self.directory().join("audit.log"))
    }

    /// Changes an object by hand.
    pub(crate) async fn change(&self, uri: &str, patch: &Value) -> Result<()> {
        let request = Request::patch(uri).header("content-type", "application/merge-patch+json");
        self.hand.request_text(request.body(serde_json::to_vec(patch)?)?).await?;
        Ok(())
    }
}
