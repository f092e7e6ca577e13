//! The engine on a real cluster: a commit becomes objects, drift heals by the watch alone, a restart writes nothing.

use std::time::{Duration, Instant};

use gitops_core::{Application, EventKind, EventStream, Health, MemorySource, Prune, Reconciler, SyncReport};
use gitops_kube::KubeTarget;
use serde_json::json;

use crate::support::{Cluster, cluster, deployment};

async fn until<T>(events: &mut EventStream, what: &str, pick: impl Fn(&EventKind) -> Option<T>) -> T {
    let search = async {
        loop {
            let event = events.next().await.unwrap();
            println!("{event}");
            if let Some(found) = pick(&event.kind) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), search).await.unwrap_or_else(|_| panic!("never saw {what}"))
}

async fn finished(events: &mut EventStream) -> SyncReport {
    until(events, "the end of a sync", |kind| match kind {
        EventKind::SyncFinished { report } => Some(report.clone()),
        _ => None,
    })
    .await
}

fn reconciler(cluster: &Cluster, source: &MemorySource) -> Reconciler {
    let target = KubeTarget::new(cluster.client.clone());
    let app = Application::builder("driven", source.clone(), target)
        .with_path("driven")
        .with_prune(Prune::GUARDED)
        .build()
        .unwrap();
    // Only the watch can heal within the time of this test.
    Reconciler::builder().with_application(app).with_interval(Duration::from_secs(3600)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn the_engine_keeps_a_cluster_as_git_says() {
    let cluster = cluster().await;
    let source = MemorySource::new("driven");
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: driven}\n";
    let settings =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: driven}\ndata: {k: v}\n";
    let web = deployment("driven", 2).to_string();
    let files = [
        ("driven/ns.yaml", Some(namespace)),
        ("driven/settings.yaml", Some(settings)),
        ("driven/web.json", Some(&*web)),
    ];
    source.commit("Ada", "first", files).unwrap();

    let first = reconciler(&cluster, &source);
    let mut events = first.subscribe();
    let handle = first.handle();
    let run = tokio::spawn(async move { first.run().await });
    let report = finished(&mut events).await;
    assert_eq!((report.counts.created, report.counts.failed), (3, 0), "{report:?}");
    until(&mut events, "health", |kind| match kind {
        EventKind::Health { id: None, to, .. } if to.health == Health::Healthy => Some(()),
        _ => None,
    })
    .await;

    // By hand, and back: by the watch.
    let uri = "/api/v1/namespaces/driven/configmaps/settings";
    let changed = Instant::now();
    cluster.merge_as("ada", uri, &json!({"data": {"k": "hand"}})).await;
    let report = finished(&mut events).await;
    println!("healed {:?} after the change was sent", changed.elapsed());
    assert_eq!((report.counts.changed, report.counts.failed), (1, 0), "{report:?}");
    assert_eq!(cluster.get(uri).await.unwrap()["data"]["k"], "v");
    cluster.delete("/apis/apps/v1/namespaces/driven/deployments/web").await;
    let report = finished(&mut events).await;
    assert_eq!(report.counts.created, 1, "{report:?}");

    handle.stop();
    run.await.unwrap().unwrap();
    let version = async || cluster.get(uri).await.unwrap()["metadata"]["resourceVersion"].clone();
    let before = version().await;

    // A restart finds everything as it is, and writes no object.
    let second = reconciler(&cluster, &source);
    let mut events = second.subscribe();
    let handle = second.handle();
    let run = tokio::spawn(async move { second.run().await });
    let report = finished(&mut events).await;
    assert_eq!(
        (report.counts.unchanged, report.counts.changed, report.counts.created),
        (3, 0, 0),
        "{report:?}"
    );
    assert_eq!(version().await, before);

    // What is removed from Git is removed from the cluster.
    source.commit("Ada", "no settings", [("driven/settings.yaml", None::<&str>)]).unwrap();
    let report = finished(&mut events).await;
    assert_eq!((report.counts.pruned, report.counts.failed), (1, 0), "{report:?}");
    assert!(cluster.get(uri).await.is_none());
    handle.stop();
    run.await.unwrap().unwrap();
}
