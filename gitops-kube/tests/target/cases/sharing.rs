//! Objects that somebody else has, or wants too.

use gitops_core::{Adoption, Class, Decision, MemorySource, Owner, ResourceId, SyncError, Verdict};
use serde_json::{Value, json};

use super::App;
use crate::support::{cluster, config_map};

fn id(namespace: &str, name: &str) -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", namespace, name)
}

fn path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps/{name}")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_foreign_object_of_the_same_name_is_a_conflict() {
    const NS: &str = "case-foreign";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let maps = format!("/api/v1/namespaces/{NS}/configmaps");
    let mut theirs = config_map(NS, "taken", "theirs");
    theirs["data"]["extra"] = "x".into();
    let before = cluster.apply_as("them", &maps, "taken", &theirs).await.unwrap();
    // Even one that is just as Git states it.
    let same = config_map(NS, "same", "v");
    let same = cluster.apply_as("them", &maps, "same", &same).await.unwrap();

    let app = App::new(&cluster, NS);
    app.commit(&[config_map(NS, "free", "v"), config_map(NS, "same", "v"), config_map(NS, "taken", "ours")]);
    let synced = app.sync().await;
    assert_eq!((synced.report.counts.created, synced.report.counts.failed), (1, 2));
    for name in ["same", "taken"] {
        let fault = synced.fault(&id(NS, name));
        assert!(fault.contains("it exists, and belongs to nobody"), "{fault}");
        assert_eq!(app.decision(&id(NS, name)).await, Decision::Conflict { owner: Owner::Nobody });
    }
    assert_eq!(cluster.get(&path(NS, "taken")).await, Some(before.clone()));
    assert_eq!(cluster.get(&path(NS, "same")).await, Some(same.clone()));
    // Nor is it deleted when Git gives the name up.
    app.commit(&[config_map(NS, "free", "v")]);
    assert!(app.sync().await.report.counts.all_good());
    assert_eq!(cluster.get(&path(NS, "taken")).await, Some(before.clone()));

    // Taking over what is nobody's is a policy; what Git does not state stays.
    app.commit(&[config_map(NS, "free", "v"), config_map(NS, "same", "v"), config_map(NS, "taken", "ours")]);
    let app = app.with_policy(|app| app.with_adoption(Adoption::Unowned));
    let synced = app.sync().await;
    assert_eq!((synced.report.counts.changed, synced.report.counts.failed), (2, 0));
    let now = cluster.get(&path(NS, "taken")).await.unwrap();
    assert_eq!(now["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(now["data"], json!({"k": "ours", "extra": "x"}));
}

/// The field managers of an object that are applications of ours.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let names = entries.iter().filter_map(|entry| entry["manager"].as_str());
    names.filter(|name| name.starts_with("gitops/")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn two_applications_stay_apart_and_a_handover_leaves_nothing_of_the_old_one() {
    const NS: &str = "case-handover";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let left = App::new(&cluster, "case-handover-left");
    let mut settings = config_map(NS, "settings", "v");
    settings["data"]["old"] = "x".into();
    left.commit(&[config_map(NS, "left", "v"), settings.clone()]);
    left.sync().await;
    let before = cluster.get(&path(NS, "settings")).await.unwrap();

    // What one has the other does not touch, not even if it takes over what is nobody's.
    let right = App::new(&cluster, "case-handover-right");
    right.commit(&[config_map(NS, "right", "v"), settings.clone()]);
    let right = right.with_policy(|app| app.with_adoption(Adoption::Unowned));
    let fault = right.sync().await.fault(&id(NS, "settings"));
    assert!(fault.contains("belongs to application case-handover-left"), "{fault}");
    assert_eq!(cluster.get(&path(NS, "settings")).await, Some(before.clone()));
    assert_eq!(left.decision(&id(NS, "settings")).await, Decision::InSync);

    // A handover: the new application takes it over, whoever owns it.
    let right = right.with_policy(|app| app.with_adoption(Adoption::Any));
    assert_eq!(right.sync().await.verdict(&id(NS, "settings")), Some(&Verdict::Changed));
    let handed = cluster.get(&path(NS, "settings")).await.unwrap();
    assert_eq!(handed["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(managers(&handed), ["gitops/case-handover-right"]);
    // The old one, which still has it in Git, sees whose it is, and lets it be.
    let fault = left.sync().await.fault(&id(NS, "settings"));
    assert!(fault.contains("belongs to application case-handover-right"), "{fault}");
    left.commit(&[config_map(NS, "left", "v")]);
    assert!(left.sync().await.report.counts.all_good());
    assert_eq!(cluster.get(&path(NS, "settings")).await, Some(handed));

    // The new one alone decides: a field that both stated goes with its manifest.
    right.commit(&[config_map(NS, "right", "v"), config_map(NS, "settings", "v")]);
    assert_eq!(right.sync().await.verdict(&id(NS, "settings")), Some(&Verdict::Changed));
    assert_eq!(cluster.get(&path(NS, "settings")).await.unwrap()["data"], json!({"k": "v"}));
    right.commit(&[config_map(NS, "right", "v")]);
    assert_eq!(right.sync().await.report.counts.pruned, 1);
    assert!(cluster.get(&path(NS, "settings")).await.is_none());
    assert_eq!(left.decision(&id(NS, "left")).await, Decision::InSync);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn two_repositories_under_one_name_are_refused() {
    const NS: &str = "case-repositories";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let first = App::new(&cluster, NS);
    first.commit(&[config_map(NS, "kept", "first"), config_map(NS, "settings", "first")]);
    first.sync().await;
    let before = cluster.get(&path(NS, "settings")).await;

    let elsewhere = MemorySource::new("https://git.example/elsewhere");
    let second = App { source: elsewhere, ..App::new(&cluster, NS) };
    let second = second.with_policy(|app| app.with_adoption(Adoption::Any));
    second.commit(&[config_map(NS, "kept", "second")]);
    let refused = second.engine().sync(NS).await.unwrap_err();
    let SyncError::Fault(fault) = refused else { panic!("{refused}") };
    assert_eq!(fault.class, Class::Denied);
    assert!(fault.to_string().contains("https://git.example/case-repositories"), "{fault}");
    assert_eq!(cluster.get(&path(NS, "settings")).await, before);
    assert_eq!(cluster.get(&path(NS, "kept")).await.unwrap()["data"]["k"], "first");
    assert_eq!(first.decision(&id(NS, "settings")).await, Decision::InSync);
}
