//! Changes are seen without asking.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gitops_core::{Cx, Dirty, Events, Observe, Target};
use gitops_kube::PART_OF;
use serde_json::json;

use crate::support::{Cluster, app, cluster, config_map, cx};

const URI: &str = "/api/v1/namespaces/watched/configmaps/settings";

async fn next(events: &mut Events<Dirty>) -> Option<Dirty> {
    tokio::time::timeout(Duration::from_secs(5), events.next()).await.ok().flatten()
}

/// Waits until the watches see: then what is in sync is answered from memory.
async fn until_watched(
    cluster: &Cluster,
    events: &mut Events<Dirty>,
    name: &str,
    id: &gitops_core::ResourceId,
) {
    // Not long as a rule; on a busy machine, the server takes its time.
    for _ in 0..1_000 {
        let _ = tokio::time::timeout(Duration::from_millis(30), events.next()).await;
        let cx = Cx::with_timeout(Duration::from_secs(5));
        cluster.target.observe(&cx, &app(name), &Observe::Objects(vec![id.clone()])).await.unwrap();
        if cx.requests() == 0 {
            return;
        }
    }
    panic!("the watch does not start");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn drift_is_told_in_milliseconds_and_the_rest_is_not() {
    let (cluster, name) = (cluster().await, app("watched"));
    cluster.namespace("watched").await;
    let mut events = cluster.target.watch(&name);
    let live = cluster.create(&name, &[config_map("watched", "settings", "v")]).await.remove(0).live.unwrap();
    until_watched(&cluster, &mut events, "watched", &live.id).await;

    // Changes that matter to nobody here are not told.
    cluster
        .merge_as("ada", URI, &json!({"metadata": {"annotations": {"a": "b"}}, "data": {"theirs": "x"}}))
        .await;
    assert!(tokio::time::timeout(Duration::from_millis(500), events.next()).await.is_err());

    let changed = Instant::now();
    cluster.merge_as("ada", URI, &json!({"data": {"k": "hand"}})).await;
    let told = next(&mut events).await;
    let took = changed.elapsed();
    assert!(matches!(&told, Some(Dirty::Objects(ids)) if *ids == [live.id.clone()]), "{told:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    println!("a change by hand was told after {took:?}, its own request included");

    // Our own write is no news.
    let desired = cluster.place(&[config_map("watched", "settings", "v")]).await.remove(0);
    let drifted = cluster.look(&name, &live.id).await.unwrap();
    cluster.update(&name, &desired, &drifted).await.unwrap();
    until_watched(&cluster, &mut events, "watched", &live.id).await;

    // A label that was taken away looks like a deletion; the object is still there.
    cluster.merge_as("ada", URI, &json!({"metadata": {"labels": {PART_OF: null}}})).await;
    let told = next(&mut events).await;
    assert!(matches!(&told, Some(Dirty::Objects(ids)) if *ids == [live.id.clone()]), "{told:?}");
    assert!(cluster.look(&name, &live.id).await.is_some());
    let drifted = cluster.look(&name, &live.id).await.unwrap();
    assert_eq!(drifted.owner, gitops_core::Owner::This);
    let comparison = cluster.compare(&name, &desired).await;
    assert!(crate::support::paths(&comparison)[0].contains(PART_OF), "{comparison:?}");
    cluster.update(&name, &desired, &drifted).await.unwrap();
    assert_eq!(cluster.compare(&name, &desired).await, gitops_core::Comparison::InSync);
    until_watched(&cluster, &mut events, "watched", &live.id).await;

    cluster.delete(URI).await;
    let told = next(&mut events).await;
    assert!(matches!(&told, Some(Dirty::Objects(ids)) if *ids == [live.id.clone()]), "{told:?}");
    assert!(cluster.look(&name, &live.id).await.is_none());

    // A target that is started later finds by itself what to watch.
    let later = gitops_kube::KubeTarget::new(cluster.client.clone());
    let mut events = later.watch(&name);
    assert!(tokio::time::timeout(Duration::from_secs(1), events.next()).await.is_err());
    cluster.create(&name, &[config_map("watched", "settings", "v")]).await;
    let told = next(&mut events).await;
    assert!(matches!(&told, Some(Dirty::Objects(ids)) if *ids == [live.id.clone()]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn where_the_cluster_may_not_be_listed_namespaces_are() {
    let (cluster, name) = (cluster().await, app("bounded"));
    cluster.namespace("bounded").await;
    cluster.create(&name, &[config_map("bounded", "settings", "v")]).await;
    let path = |namespace: &str| format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    for (namespace, resource) in [("bounded", "configmaps"), ("gitops-system", "secrets")] {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "bounded", "namespace": namespace},
            "rules": [{"apiGroups": [""], "resources": [resource], "verbs": ["*"]}]});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "bounded", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "bounded"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bounded"}]});
        cluster.apply_as("test", &format!("{}/roles", path(namespace)), "bounded", &role).await.unwrap();
        cluster
            .apply_as("test", &format!("{}/rolebindings", path(namespace)), "bounded", &binding)
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut config = cluster.plane.client_config().unwrap();
    config.auth_info.impersonate = Some("bounded".into());
    let client = gitops_kube::connect(config, &gitops_kube::ConnectOptions::default()).unwrap();
    let bounded = gitops_kube::KubeTarget::new(client);
    bounded.observe(&cx(), &name, &Observe::Everything { also: Vec::new() }).await.unwrap();
    let mut events = bounded.watch(&name);
    let uri = "/api/v1/namespaces/bounded/configmaps/settings";
    let mut told = None;
    for value in 0..50 {
        cluster.merge_as("ada", uri, &json!({"data": {"k": format!("hand-{value}")}})).await;
        if let Ok(dirty) = tokio::time::timeout(Duration::from_millis(200), events.next()).await {
            told = dirty;
            break;
        }
    }
    assert!(matches!(told, Some(Dirty::Objects(_))), "{told:?}");
}
