//! What happens to a cluster while an engine watches it, and while none does.

use gitops_core::{EventKind, Health};

use crate::common::Repo;
use crate::support::manifests::{base, debug, web};
use crate::support::{Cluster, Engine, application, apps, core};

fn shop(namespace: &str) -> Repo {
    Repo::with(&[("apps/shop/base.yaml", &base(namespace)), ("apps/shop/web.yaml", &web(namespace, "1.4.1"))])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_pod_that_is_deleted_comes_back_without_us() {
    let cluster = Cluster::shared().await;
    // A Pod counts after a second only, so that nobody can miss that one does not.
    let patient = web("pods", "1.4.1").replace("  replicas: 3\n", "  replicas: 3\n  minReadySeconds: 1\n");
    let repo = shop("pods");
    repo.commit("patience", &[("apps/shop/web.yaml", &patient)]);
    let mut engine = Engine::start(application("pods", &repo, cluster.target_of("pods")));
    engine.synced("the first sync").await;
    engine.healthy().await;
    engine.good().await;
    let before = cluster.requests_of("pods").len();

    let pods = cluster.list("/api/v1/namespaces/pods/pods?labelSelector=app%3Dweb").await;
    assert_eq!(pods.len(), 3);
    let name = pods[0]["metadata"]["name"].as_str().unwrap();
    cluster.delete(&core("pods", "pods", name)).await;
    engine.becomes(Health::Progressing).await;
    engine.becomes(Health::Healthy).await;
    assert_eq!(cluster.field(&apps("deployments", "pods", "web"), "/status/availableReplicas").await, 3);
    // The watch has told it all: we have asked nothing, and written nothing.
    assert_eq!(cluster.requests_of("pods")[before..], []);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_restart_in_sync_writes_nothing() {
    let cluster = Cluster::shared().await;
    let repo = shop("restart");
    let mut engine = Engine::start(application("restart", &repo, cluster.target_of("restart")));
    engine.synced("the first sync").await;
    engine.healthy().await;
    engine.good().await;
    engine.stop().await;
    let objects = [
        "/api/v1/namespaces/restart".to_owned(),
        core("secrets", "restart", "db"),
        core("configmaps", "restart", "web"),
        core("services", "restart", "web"),
        apps("deployments", "restart", "web"),
        core("secrets", "gitops-system", "gitops-app-restart"),
    ];
    let mut versions = Vec::new();
    for uri in &objects {
        versions.push(cluster.field(uri, "/metadata/resourceVersion").await);
    }
    let before = cluster.writes_of("restart").len();

    let mut engine = Engine::start(application("restart", &repo, cluster.target_of("restart")));
    let report = engine.synced("the sync after the restart").await;
    assert_eq!((report.counts.unchanged, report.health), (5, Health::Healthy), "{report}");
    // A target that remembers nothing sees drift all the same.
    for (uri, version) in objects.iter().zip(versions) {
        assert_eq!(cluster.field(uri, "/metadata/resourceVersion").await, version, "{uri}");
    }
    assert_eq!(cluster.writes_of("restart")[before..], []);
    let scaled = serde_json::json!({"spec": {"replicas": 1}});
    cluster.change("kubectl-scale", &objects[4], scaled).await;
    engine.until("drift", |event| matches!(event.kind, EventKind::Drift { .. }).then_some(())).await;
    cluster.until(&objects[4], |object| object.is_some_and(|object| object["spec"]["replicas"] == 3)).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_namespace_that_is_deleted_is_rebuilt() {
    let cluster = Cluster::shared().await;
    let repo = shop("rebuilt");
    repo.commit("one more", &[("apps/shop/debug.yaml", &debug("rebuilt"))]);
    let mut engine = Engine::start(application("rebuilt", &repo, cluster.target_of("admin")));
    engine.synced("the first sync").await;
    engine.healthy().await;
    let namespace = "/api/v1/namespaces/rebuilt";
    let old = cluster.field(namespace, "/metadata/uid").await;

    cluster.delete(namespace).await;
    cluster.until(namespace, |object| object.is_some_and(|object| object["metadata"]["uid"] != old)).await;
    let uri = apps("deployments", "rebuilt", "web");
    cluster
        .until(&uri, |object| object.is_some_and(|object| object["status"]["availableReplicas"] == 3))
        .await;
    for uri in [
        core("secrets", "rebuilt", "db"),
        core("configmaps", "rebuilt", "debug"),
        core("services", "rebuilt", "web"),
    ] {
        cluster.until(&uri, |object| object.is_some()).await;
    }
    engine.healthy().await;
    engine.stop().await;
}
