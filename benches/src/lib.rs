//! Fixed workloads for the benchmarks: the same objects in every run.

pub mod pairs;

use gitops_core::{Manifest, Place, Placed, RepoPath};
use gitops_diff::Redaction;
use serde_json::{Value, json};

/// A Deployment as teams write them.
pub fn deployment(number: usize) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "labels": {"app": "web", "team": "shop"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{
                        "name": "web",
                        "image": format!("registry.example/web:1.{number}.0"),
                        "ports": [{"containerPort": 8080}],
                        "env": [{"name": "LOG", "value": "info"}, {"name": "CURRENCY", "value": "EUR"}],
                        "resources": {"requests": {"cpu": "1000m", "memory": "0.5Gi"}},
                    }],
                },
            },
        },
    })
}

/// The same as one YAML stream.
pub fn yaml(count: usize) -> String {
    let documents: Vec<String> = (0..count)
        .map(|number| gitops_diff::yaml(&Redaction::reveal_everything().redact(&deployment(number))))
        .collect();
    documents.join("---\n")
}

/// The same as placed manifests.
///
/// # Panics
/// If the workload is no manifest, which is a mistake in this file.
#[expect(clippy::expect_used, reason = "the workload is fixed")]
pub fn placed(count: usize) -> Vec<Placed> {
    let place = || Place::file(RepoPath::root());
    (0..count)
        .map(|n| Placed::new(Manifest::new(&deployment(n), place()).expect("it is a manifest")))
        .collect()
}
