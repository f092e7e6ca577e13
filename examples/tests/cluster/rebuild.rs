//! An empty cluster rebuilt from a revision equals the one before.

use serde_json::{Value, json};

use crate::common::Repo;
use crate::support::manifests::{base, config_map, debug, web};
use crate::support::{App, Cluster, apps, core, plane};

const NS: &str = "equal";
const COLLECTIONS: [&str; 9] = [
    "/api/v1/namespaces/equal/configmaps",
    "/api/v1/namespaces/equal/secrets",
    "/api/v1/namespaces/equal/services",
    "/api/v1/namespaces/equal/serviceaccounts",
    "/api/v1/namespaces/equal/pods",
    "/apis/apps/v1/namespaces/equal/deployments",
    "/apis/apps/v1/namespaces/equal/replicasets",
    "/apis/discovery.k8s.io/v1/namespaces/equal/endpointslices",
    "/apis/batch/v1/namespaces/equal/jobs",
];

/// Everything in the namespace, and the namespace, without what each cluster chooses by itself.
async fn everything(cluster: &Cluster<'_>) -> Vec<Value> {
    let mut all = vec![cluster.get("/api/v1/namespaces/equal").await.unwrap()];
    for uri in COLLECTIONS {
        let kind = uri.rsplit('/').next().unwrap();
        for mut object in cluster.list(uri).await {
            object["kind"] = json!(kind);
            // It holds the certificate of the cluster.
            if object["metadata"]["name"] != "kube-root-ca.crt" {
                all.push(object);
            }
        }
    }
    all.iter_mut().for_each(forget_chosen);
    all.sort_by_key(Value::to_string);
    all
}

fn forget_chosen(object: &mut Value) {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        assert!(metadata.remove(field).is_some(), "{field}");
    }
    // In how many steps somebody came there.
    metadata.remove("generation");
    // Whose it is stays; when it was written, and in how many steps the controllers did, does not.
    let entries = metadata.remove("managedFields").unwrap_or_default();
    let ours = entries.as_array().into_iter().flatten().find(|entry| entry["manager"] == "gitops/equal");
    metadata.insert("ours".into(), ours.map(|entry| entry["fieldsV1"].clone()).unwrap_or_default());
    if let Some(prefix) = metadata.get("generateName").cloned() {
        metadata.insert("name".into(), prefix);
    }
    // Signed with a key that each cluster has for itself.
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("gitops.io/state");
        annotations.remove("endpoints.kubernetes.io/last-change-trigger-time");
    }
    for owner in metadata.get_mut("ownerReferences").and_then(Value::as_array_mut).into_iter().flatten() {
        owner["uid"] = Value::Null;
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    // Addresses and times.
    if object["kind"] == "pods" {
        object["status"] = object["status"]["phase"].clone();
    }
    if let Some(status) = object["status"].as_object_mut() {
        status.remove("observedGeneration");
    }
    for endpoint in object["endpoints"].as_array_mut().into_iter().flatten() {
        endpoint["addresses"] = Value::Null;
        endpoint["targetRef"] = endpoint["targetRef"]["kind"].clone();
    }
    for condition in
        object.pointer_mut("/status/conditions").and_then(Value::as_array_mut).into_iter().flatten()
    {
        for field in ["lastTransitionTime", "lastUpdateTime"] {
            condition[field] = Value::Null;
        }
    }
}

/// Waits until nothing moves any more: all endpoints are known.
async fn settled(cluster: &Cluster<'_>) {
    let uri = apps("deployments", NS, "web");
    cluster
        .until(&uri, |object| object.is_some_and(|object| object["status"]["availableReplicas"] == 3))
        .await;
    let account = core("serviceaccounts", NS, "default");
    cluster.until(&account, |object| object.is_some()).await;
    let begun = std::time::Instant::now();
    loop {
        let slices = cluster.list(COLLECTIONS[7]).await;
        let ready = |endpoint: &Value| endpoint["conditions"]["ready"] == true;
        let endpoints =
            slices.first().and_then(|slice| slice["endpoints"].as_array().cloned()).unwrap_or_default();
        if endpoints.len() == 3 && endpoints.iter().all(ready) {
            return;
        }
        assert!(begun.elapsed() < crate::support::PATIENCE, "{slices:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_empty_cluster_becomes_the_one_before() {
    // One cluster has a history: an object that went, another that was changed by hand and put back.
    let cluster = Cluster::shared().await;
    let repo = Repo::with(&[
        ("apps/shop/base.yaml", &base(NS)),
        ("apps/shop/debug.yaml", &debug(NS)),
        ("apps/shop/web.yaml", &web(NS, "1.4.1")),
        ("apps/shop/extra.yaml", &config_map(NS, "extra", "v")),
    ]);
    let app = App::new(NS, &repo, cluster.plane.kubeconfig());
    app.gitops("sync", &["--wait"]).await.with(0);
    repo.remove("no extra", &["apps/shop/extra.yaml"]);
    let uri = core("configmaps", NS, "web");
    cluster.change("kubectl-edit", &uri, json!({"data": {"LOG_LEVEL": "debug", "CURRENCY": null}})).await;
    app.gitops("sync", &["--prune", "--wait"]).await.with(0);
    settled(&cluster).await;

    // The other is empty, and gets the revision.
    let empty = plane().await;
    let rebuilt = Cluster::of(&empty).await;
    App::new(NS, &repo, empty.kubeconfig()).gitops("sync", &["--wait"]).await.with(0);
    settled(&rebuilt).await;

    let (before, after) = (everything(&cluster).await, everything(&rebuilt).await);
    assert!(before.len() >= 12, "{before:#?}");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());
}
