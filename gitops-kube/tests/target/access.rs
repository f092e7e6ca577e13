//! The published permissions suffice, and interruptions pass.

use std::time::Duration;

use futures_util::StreamExt;
use gitops_core::{
    Action, Class, Comparison, Dirty, Expect, IgnoreRules, Intent, Observe, Reach, Step, Target, Timestamp,
};
use gitops_kube::testing::ControlPlane;
use gitops_kube::{ConnectOptions, KubeTarget, connect};
use serde_json::Value;

use crate::support::{Cluster, SOURCE, app, cluster, config_map, cx, deployment, end, reach};

/// The rules as they are published.
const RBAC: &str = include_str!("../../rbac.yaml");

fn as_account(cluster: &Cluster, account: &str) -> Cluster {
    let mut config = cluster.plane.client_config().unwrap();
    config.auth_info.impersonate = Some(format!("system:serviceaccount:gitops-system:{account}"));
    config.auth_info.impersonate_groups = Some(vec!["system:authenticated".into()]);
    let client = connect(config, &ConnectOptions::default()).unwrap();
    Cluster { plane: cluster.plane, target: KubeTarget::new(client.clone()), client }
}

async fn grant(cluster: &Cluster) {
    cluster.namespace("shop").await;
    for document in RBAC.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        assert!(!object.to_string().contains("\"*\""), "{object}");
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap();
        let namespace = text("/metadata/namespace");
        let path = match text("/kind") {
            "ServiceAccount" => format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
            "Role" => format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles"),
            _ => format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"),
        };
        cluster.apply_as("test", &path, text("/metadata/name"), &object).await.unwrap();
    }
    // The authorizer sees new roles a moment later.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn the_published_permissions_suffice() {
    let (cluster, name) = (cluster().await, app("shop"));
    grant(&cluster).await;
    let (writer, planner) = (as_account(&cluster, "gitops"), as_account(&cluster, "gitops-planner"));
    let git = [config_map("shop", "settings", "v"), deployment("shop", 1)];
    writer.create(&name, &git).await;

    // The planner sees what it needs, and may change nothing.
    let placed = planner.place(&git).await;
    let also = placed.iter().map(|placed| placed.id.clone()).collect();
    let seen = planner.target.observe(&cx(), &name, &Observe::Everything { also }).await.unwrap();
    assert!(seen.unseen.is_empty() && seen.live.len() == 2, "{seen:?}");
    for live in &seen.live {
        let desired = placed.iter().find(|placed| placed.id == live.id).unwrap();
        assert_eq!(planner.target.compare(desired, live, &IgnoreRules::default()), Comparison::InSync);
    }
    let fault = planner.begin(&name, Reach::default()).await.err().unwrap();
    assert_eq!(fault.class, Class::Denied, "{fault}");

    // A kind that was not granted fails by itself, with the reason.
    let service = serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "robot", "namespace": "shop"}});
    let denied = writer.place(&[service]).await.remove(0);
    let create = Step::new(denied.id.clone(), Action::Create, Expect::Absent, Some(denied));
    let fault = writer.step(&name, create).await.unwrap_err();
    assert_eq!(fault.class, Class::Denied);
    assert!(fault.to_string().contains("cannot patch resource \"serviceaccounts\""), "{fault}");
    // The reach had been widened for it; a driver that knows that nothing was created narrows it again.
    let session = writer.begin(&name, Reach::default()).await.unwrap();
    session.finish(&cx(), &end(Some(reach(&placed)))).await.unwrap();

    // Drift is watched and put back, and everything can be deleted.
    let mut events = writer.target.watch(&name);
    let _ = tokio::time::timeout(Duration::from_secs(2), events.next()).await;
    let uri = "/api/v1/namespaces/shop/configmaps/settings";
    cluster.merge_as("ada", uri, &serde_json::json!({"data": {"k": "hand"}})).await;
    let told = tokio::time::timeout(Duration::from_secs(5), events.next()).await.unwrap();
    assert!(matches!(told, Some(Dirty::Objects(_))), "{told:?}");
    let live = writer.look(&name, &placed[0].id).await.unwrap();
    assert!(writer.update(&name, &placed[0], &live).await.unwrap().wrote);
    for placed in &placed {
        let live = writer.look(&name, &placed.id).await.unwrap();
        let prune = Step::new(placed.id.clone(), Action::Prune, Expect::Same(live.token.incarnation), None);
        assert!(writer.step(&name, prune).await.unwrap().wrote);
    }
    let session = writer.begin(&name, Reach::default()).await.unwrap();
    let mut forget = end(None);
    forget.forget = true;
    session.finish(&cx(), &forget).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_api_server_may_go_and_come_back() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut plane = ControlPlane::builder().api_only().start().await.unwrap();
    let client = connect(plane.client_config().unwrap(), &ConnectOptions::default()).unwrap();
    let target = KubeTarget::builder(client.clone()).with_request_timeout(Duration::from_secs(5)).build();
    let shared: &'static ControlPlane = ControlPlane::shared().await.unwrap();
    let cluster = Cluster { plane: shared, client, target };
    let name = app("restart");
    for namespace in ["gitops-system", "restart"] {
        cluster.namespace(namespace).await;
    }
    cluster.create(&name, &[config_map("restart", "settings", "v")]).await;
    let mut events = cluster.target.watch(&name);
    let _ = tokio::time::timeout(Duration::from_secs(1), events.next()).await;

    plane.stop_api();
    // A definite failure to reach it, for reads and for writes: nothing was sent.
    let fault = cluster.target.recall(&cx(), &name).await.unwrap_err();
    assert!(matches!(fault.class, Class::Retry { .. }), "{fault:?}");
    let fault = cluster
        .target
        .begin(&cx(), &name, &Intent::new(Timestamp::UNIX_EPOCH, SOURCE, None, Reach::default()))
        .await
        .err()
        .unwrap();
    assert!(matches!(fault.class, Class::Retry { .. }), "{fault:?}");
    let told = tokio::time::timeout(Duration::from_secs(30), events.next()).await.unwrap();
    assert!(matches!(told, Some(Dirty::Blind(_))), "{told:?}");

    plane.start_api().await.unwrap();
    let uri = "/api/v1/namespaces/restart/configmaps/settings";
    cluster.merge_as("ada", uri, &serde_json::json!({"data": {"k": "hand"}})).await;
    let mut seen = Vec::new();
    while let Ok(Some(dirty)) = tokio::time::timeout(Duration::from_secs(10), events.next()).await {
        seen.push(format!("{dirty:?}"));
        if matches!(dirty, Dirty::Everything | Dirty::Objects(_)) && seen.len() >= 2 {
            break;
        }
    }
    assert!(seen.iter().any(|dirty| dirty == "Everything"), "{seen:?}");
    let placed = cluster.place(&[config_map("restart", "settings", "v")]).await;
    assert!(matches!(cluster.compare(&name, &placed[0]).await, Comparison::Differs(_)));
    let session = cluster.begin(&name, reach(&placed)).await.unwrap();
    session.finish(&cx(), &end(None)).await.unwrap();
}
