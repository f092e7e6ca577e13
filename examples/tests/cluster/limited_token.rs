//! Tokens that may not do everything.

use gitops_core::{EventKind, Health, SyncState, Verdict};
use serde_json::json;

use crate::common::Repo;
use crate::support::manifests::{base, config_map, web};
use crate::support::{Cluster, Engine, application, apps, core};

const EVERYTHING: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_kind_that_may_not_be_written_fails_alone() {
    let cluster = Cluster::shared().await;
    let rules = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["namespaces", "secrets", "configmaps"], "verbs": EVERYTHING},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": EVERYTHING},
    ]);
    cluster.grant("limited", "test-all-but-services", rules).await;
    cluster.until_may("limited", "create", "apps", "deployments").await;
    let repo = Repo::with(&[
        ("apps/shop/base.yaml", &base("limited")),
        ("apps/shop/web.yaml", &web("limited", "1")),
    ]);
    let mut engine = Engine::start(application("limited", &repo, cluster.target_of("limited")));

    let fault = engine
        .until("the Service that fails", |event| match &event.kind {
            EventKind::Object { outcome, .. } => match &outcome.verdict {
                Verdict::Failed { fault } => {
                    assert_eq!(outcome.id.kind, "Service");
                    Some(fault.clone())
                }
                verdict => {
                    assert_eq!(verdict, &Verdict::Changed, "{}", outcome.id);
                    None
                }
            },
            _ => None,
        })
        .await;
    assert_eq!(fault.at.as_deref(), Some("Service/limited/web"));
    assert!(fault.message.contains("cannot patch resource \"services\""), "{fault}");
    let report = engine.synced("the first sync").await;
    assert_eq!((report.counts.created, report.counts.failed), (4, 1), "{report}");
    cluster
        .until(&apps("deployments", "limited", "web"), |object| {
            object.is_some_and(|object| object["status"]["availableReplicas"] == 3)
        })
        .await;
    let status = engine.handle.status("limited").unwrap();
    assert_eq!(status.sync, SyncState::OutOfSync);
    assert!(status.error.unwrap().message.contains("services"));

    // Once it is granted, the next attempt mends it: nobody has to do anything more.
    let rules = json!([{"apiGroups": [""], "resources": ["services"], "verbs": EVERYTHING}]);
    cluster.grant("limited", "test-services", rules).await;
    engine.becomes(Health::Healthy).await;
    assert!(cluster.get(&core("services", "limited", "web")).await.is_some());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn nothing_is_pruned_of_a_kind_that_cannot_be_listed() {
    let cluster = Cluster::shared().await;
    let repo = Repo::with(&[
        ("apps/shop/base.yaml", &base("blindfold")),
        ("apps/shop/web.yaml", &web("blindfold", "1")),
        ("apps/shop/extra.yaml", &config_map("blindfold", "extra", "v")),
    ]);
    let mut engine = Engine::start(application("blindfold", &repo, cluster.target_of("admin")));
    engine.synced("the first sync").await;
    engine.stop().await;

    let rules = json!([
        {"apiGroups": [""], "resources": ["namespaces", "secrets", "configmaps"], "verbs": EVERYTHING},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": EVERYTHING},
    ]);
    cluster.grant("blindfold", "test-no-sight-of-services", rules).await;
    cluster.until_may("blindfold", "list", "apps", "deployments").await;
    // Git has neither the Service nor a ConfigMap any more.
    let deployment = web("blindfold", "2").split_once("---\n").unwrap().1.to_owned();
    repo.commit("no service", &[("apps/shop/web.yaml", &deployment)]);
    repo.remove("no extra", &["apps/shop/extra.yaml"]);
    let mut engine = Engine::start(application("blindfold", &repo, cluster.target_of("blindfold")));
    let report = engine.synced("a sync that cannot see Services").await;
    assert_eq!((report.counts.pruned, report.counts.changed), (1, 1), "{report}");
    assert!(cluster.get(&core("services", "blindfold", "web")).await.is_some());
    assert!(cluster.get(&core("configmaps", "blindfold", "extra")).await.is_none());
    let status = engine.handle.status("blindfold").unwrap();
    assert_eq!(status.sync, SyncState::Unknown, "{status}");
    assert!(status.error.unwrap().message.contains("services"));

    // Who is allowed to look finds what is left, and it goes: the record was not narrowed.
    let rules = json!([{"apiGroups": [""], "resources": ["services"], "verbs": EVERYTHING}]);
    cluster.grant("blindfold", "test-sight-of-services", rules).await;
    cluster.until_gone(&core("services", "blindfold", "web")).await;
    engine.stop().await;
}
