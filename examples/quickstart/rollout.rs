//! What a cluster's own controllers do for a Deployment: Pods come up, and its status says so.

use std::time::Duration;

use futures_util::StreamExt as _;
use gitops_core::MemoryCluster;
use serde_json::{Value, json};

/// How long the Pods take: the cluster's time, not the engine's.
const START: Duration = Duration::from_millis(100);

/// Brings every Deployment's status up to its spec, for as long as the task lives.
pub(crate) async fn run(cluster: MemoryCluster) {
    let mut changes = cluster.changes();
    while let Some(id) = changes.next().await {
        if id.kind != "Deployment" {
            continue;
        }
        let Some(object) = cluster.get(&id) else { continue };
        let generation = &object["metadata"]["generation"];
        if object["status"]["observedGeneration"] == *generation {
            continue;
        }
        tokio::time::sleep(START).await;
        // If it changed or went meanwhile, its next change is on the way.
        let _ = cluster.update_status("deployment-controller", &id, available(&object));
    }
}

fn available(object: &Value) -> Value {
    let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
    json!({
        "observedGeneration": object["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "conditions": [
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    })
}
