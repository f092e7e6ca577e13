//! From an empty namespace to a healthy Deployment, and back to nothing.

use std::time::Duration;

use gitops_core::{Action, Comparison, Expect, Health, IgnoreRules, Owner, Reach, Step, Target};
use serde_json::{Value, json};

use crate::support::{app, cluster, config_map, cx, deployment, end, reach};

fn backup_definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "backups.story.example.com"}, "spec": {"group": "story.example.com", "scope": "Namespaced",
            "names": {"kind": "Backup", "plural": "backups", "singular": "backup", "listKind": "BackupList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": {"every": {"type": "string"}}}}}}}]}})
}

fn objects() -> Vec<Value> {
    vec![
        deployment("story", 2),
        config_map("story", "settings", "v"),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "story"},
            "stringData": {"password": "hunter2"}}),
        json!({"apiVersion": "story.example.com/v1", "kind": "Backup", "metadata": {"name": "daily", "namespace": "story"},
            "spec": {"every": "24h"}}),
        backup_definition(),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "story"}}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_application_comes_and_goes() {
    let (cluster, shop) = (cluster().await, app("story"));
    let placed = cluster.place(&objects()).await;
    let ids: Vec<_> = placed.iter().map(|placed| placed.id.clone()).collect();

    // Before anything is there, everything is absent, and certainly so: also the kind that is not defined yet.
    let before = cluster.everything(&shop, &ids).await;
    assert!(before.live.is_empty() && before.unseen.is_empty(), "{before:?}");
    assert!(cluster.target.recall(&cx(), &shop).await.unwrap().is_none());

    let done = cluster.create(&shop, &objects()).await;
    assert!(done.iter().all(|done| done.wrote && done.overruled.is_empty()), "{done:?}");
    let record = cluster.target.recall(&cx(), &shop).await.unwrap().unwrap();
    assert_eq!((record.reach, record.applied.unwrap().id), (reach(&placed), "c0ffee".to_owned()));

    // What was created is a member and in sync, also for a target that remembers nothing.
    let fresh = gitops_kube::KubeTarget::new(cluster.client.clone());
    for target in [&cluster.target, &fresh] {
        let seen = target
            .observe(&cx(), &shop, &gitops_core::Observe::Everything { also: ids.clone() })
            .await
            .unwrap();
        assert!(seen.unseen.is_empty() && seen.live.len() == ids.len(), "{seen:?}");
        for live in &seen.live {
            assert_eq!(live.owner, Owner::This, "{live:?}");
            let desired = placed.iter().find(|placed| placed.id == live.id).unwrap();
            let comparison = target.compare(desired, live, &IgnoreRules::default());
            assert_eq!(comparison, Comparison::InSync, "{:#}", live.id);
            assert_eq!(live.precious, ["Namespace", "CustomResourceDefinition"].contains(&&*live.id.kind));
        }
    }

    // Applying again writes nothing.
    let web = &placed[0];
    let live = cluster.look(&shop, &web.id).await.unwrap();
    let again = cluster.update(&shop, web, &live).await.unwrap();
    assert!(!again.wrote, "{again:?}");

    // The Deployment becomes available.
    tokio::time::timeout(Duration::from_secs(30), async {
        while cluster.look(&shop, &web.id).await.unwrap().health.health != Health::Healthy {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();

    // Everything goes, in reverse.
    let session = cluster.begin(&shop, Reach::default()).await.unwrap();
    let mut reversed: Vec<_> = placed.iter().collect();
    reversed.sort_by_key(|placed| std::cmp::Reverse(placed.rank));
    for placed in reversed {
        let live = cluster.look(&shop, &placed.id).await.unwrap();
        let step = Step::new(placed.id.clone(), Action::Prune, Expect::Exactly(live.token), None);
        let done = match session.run(&cx(), &step).await {
            // Its controller wrote to the object meanwhile: look again, as a driver would.
            Err(fault) if fault.class == gitops_core::Class::Precondition => {
                let live = cluster.look(&shop, &placed.id).await.unwrap();
                let step = Step::new(placed.id.clone(), Action::Prune, Expect::Exactly(live.token), None);
                session.run(&cx(), &step).await.unwrap()
            }
            other => other.unwrap(),
        };
        assert!(done.wrote);
        assert!(done.live.is_none_or(|live| live.terminating), "{:#}", placed.id);
    }
    let mut end = end(Some(Reach::default()));
    end.forget = true;
    session.finish(&cx(), &end).await.unwrap();
    assert!(cluster.target.recall(&cx(), &shop).await.unwrap().is_none());
    assert!(cluster.get("/apis/apps/v1/namespaces/story/deployments/web").await.is_none());
}
