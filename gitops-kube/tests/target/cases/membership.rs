//! What is a member, and what becomes of members that Git no longer has.

use std::time::Duration;

use gitops_core::{
    Approval, Decision, GroupKind, KeepReason, Prune, ReachEntry, ResourceId, SyncError, Target, Verdict,
};
use gitops_kube::{ConnectOptions, KubeTarget, PART_OF, connect};
use serde_json::{Value, json};

use super::{App, object};
use crate::support::{Cluster, cluster, config_map, cx};

fn map_id(namespace: &str, name: &str) -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", namespace, name)
}

fn map_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps/{name}")
}

fn service(namespace: &str) -> Value {
    object(
        "v1",
        "Service",
        namespace,
        "web",
        &json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    )
}

/// Asks until something is there.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never seen: {what}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn endpoint_slices_that_carry_copied_labels_are_no_members() {
    const NS: &str = "case-slices";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    let slice = |name: &str| {
        object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            NS,
            name,
            &json!({"addressType": "IPv4", "endpoints": []}),
        )
    };
    // Slices of our own, so that their kind is looked at.
    app.commit(&[service(NS), slice("by-hand-1"), slice("by-hand-2")]);
    assert_eq!(app.sync().await.report.counts.created, 3);
    let label = "applyset.kubernetes.io%2Fpart-of,endpointslice.kubernetes.io%2Fmanaged-by";
    let list = format!("/apis/discovery.k8s.io/v1/namespaces/{NS}/endpointslices?labelSelector={label}");
    let copied = until("a slice with copied labels", async || {
        cluster.get(&list).await?["items"].as_array()?.first().cloned()
    })
    .await;

    app.commit(&[service(NS), slice("by-hand-2")]);
    let pruned = app.sync().await.report.counts;
    assert_eq!((pruned.pruned, pruned.unchanged, pruned.failed), (1, 2, 0), "{pruned:?}");
    let left = cluster.get(&list).await.unwrap()["items"].clone();
    assert_eq!(left[0]["metadata"]["uid"], copied["metadata"]["uid"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_stripped_label_is_put_back_and_a_forged_one_makes_no_member() {
    const NS: &str = "case-labels";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    app.commit(&[config_map(NS, "ours", "v"), config_map(NS, "other", "v")]);
    app.sync().await;
    let ours = cluster.get(&map_path(NS, "ours")).await.unwrap();
    let label = ours["metadata"]["labels"][PART_OF].clone();

    let stripped = json!({"metadata": {"labels": {PART_OF: null}}});
    cluster.merge_as("kubectl-label", &map_path(NS, "ours"), &stripped).await;
    assert_eq!(app.decision(&map_id(NS, "ours")).await, Decision::Update);
    assert_eq!(app.sync().await.verdict(&map_id(NS, "ours")), Some(&Verdict::Changed));
    let back = cluster.get(&map_path(NS, "ours")).await.unwrap();
    assert_eq!(
        (&back["metadata"]["labels"][PART_OF], &back["metadata"]["uid"]),
        (&label, &ours["metadata"]["uid"])
    );

    // Forged: by somebody who creates an object with it, and by somebody who puts it on one.
    let mut forged = config_map(NS, "forged", "theirs");
    forged["metadata"]["labels"] = json!({PART_OF: label});
    let maps = format!("/api/v1/namespaces/{NS}/configmaps");
    let forged = cluster.apply_as("thief", &maps, "forged", &forged).await.unwrap();
    cluster.apply_as("thief", &maps, "labelled", &config_map(NS, "labelled", "theirs")).await.unwrap();
    let labelled = json!({"metadata": {"labels": {PART_OF: label}}});
    let labelled = cluster.merge_as("kubectl-label", &map_path(NS, "labelled"), &labelled).await;
    app.commit(&[config_map(NS, "ours", "v")]);
    let pruned = app.sync().await.report.counts;
    assert_eq!((pruned.pruned, pruned.unchanged, pruned.skipped), (1, 1, 0), "{pruned:?}");
    assert!(cluster.get(&map_path(NS, "other")).await.is_none());
    assert_eq!(cluster.get(&map_path(NS, "forged")).await, Some(forged));
    assert_eq!(cluster.get(&map_path(NS, "labelled")).await, Some(labelled));
}

/// A client that may do everything with these resources in a namespace and with records, and this with Services.
async fn limited(cluster: &Cluster, namespace: &str, services: &[&str]) -> kube::Client {
    let all = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": all},
        {"apiGroups": [""], "resources": ["services"], "verbs": services}]);
    let records = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": all}]);
    for (place, rules) in [(namespace, rules), ("gitops-system", records)] {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": namespace, "namespace": place}, "rules": rules});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": namespace, "namespace": place},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": namespace},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": namespace}]});
        for (kind, object) in [("roles", role), ("rolebindings", binding)] {
            cluster
                .apply_as("test", &format!("{rbac}/namespaces/{place}/{kind}"), namespace, &object)
                .await
                .unwrap();
        }
    }
    let mut config = cluster.plane.client_config().unwrap();
    config.auth_info.impersonate = Some(namespace.into());
    connect(config, &ConnectOptions::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_forbidden_list_prunes_nothing_and_narrows_nothing() {
    const NS: &str = "case-forbidden";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    app.commit(&[config_map(NS, "kept", "v"), config_map(NS, "dropped", "v"), service(NS)]);
    assert_eq!(app.sync().await.report.counts.created, 3);
    let reach = async || cluster.target.recall(&cx(), &crate::support::app(NS)).await.unwrap().unwrap().reach;
    let before = reach().await;

    // Git has neither the Service nor a map any more, and the engine may not list Services.
    app.commit(&[config_map(NS, "kept", "v")]);
    let blind = limited(&cluster, NS, &["get", "patch"]).await;
    let synced = until("the rights to write the record", async || {
        // The authorizer sees new roles a moment later.
        let engine = app.engine_on(KubeTarget::new(blind.clone()));
        let plan = engine.plan(NS).await.ok()?;
        (plan.unseen.len() == 1).then_some(())?;
        Some(app.sync_by(&engine).await)
    })
    .await;
    let counts = &synced.report.counts;
    assert_eq!((counts.pruned, counts.unchanged, counts.failed), (1, 1, 0), "{counts:?}");
    assert!(cluster.get(&format!("/api/v1/namespaces/{NS}/services/web")).await.is_some());
    assert_eq!(reach().await, before, "the kind is still looked for");
    let record = cluster.target.recall(&cx(), &crate::support::app(NS)).await.unwrap().unwrap();
    assert_ne!(record.applied, record.attempted, "what cannot be seen is not applied");

    // Who may look finds the rest.
    assert_eq!(app.sync().await.report.counts.pruned, 1);
    assert!(cluster.get(&format!("/api/v1/namespaces/{NS}/services/web")).await.is_none());
    assert!(reach().await.0.iter().all(|entry| entry.kind == "ConfigMap"));
}

fn definition(group: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("backups.{group}")}, "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": "Backup", "plural": "backups", "singular": "backup", "listKind": "BackupList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": {"every": {"type": "string"}}}}}}}]}})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_definition_that_disappears_takes_only_its_kind_along() {
    const NS: &str = "case-definition";
    const GROUP: &str = "case-definition.example.com";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    // Somebody else's definition.
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let name = format!("backups.{GROUP}");
    cluster.apply_as("them", definitions, &name, &definition(GROUP)).await.unwrap();
    let backups = format!("/apis/{GROUP}/v1/namespaces/{NS}/backups");
    until("the new kind", async || cluster.get(&backups).await).await;
    let app = App::new(&cluster, NS);
    let backup = object(&format!("{GROUP}/v1"), "Backup", NS, "daily", &json!({"spec": {"every": "24h"}}));
    let id = ResourceId::namespaced(GROUP, "Backup", NS, "daily");
    app.commit(&[backup.clone(), config_map(NS, "kept", "v"), config_map(NS, "dropped", "v")]);
    // One engine that was there all the time, and others that are started later.
    let engine = app.engine();
    assert_eq!(app.sync_by(&engine).await.report.counts.created, 3);
    let record = async || cluster.target.recall(&cx(), &crate::support::app(NS)).await.unwrap().unwrap();
    let is_backup = |entry: &ReachEntry| entry.kind == "Backup";

    cluster.delete(&format!("{definitions}/{name}")).await;
    until("the end of the kind", async || cluster.get(&backups).await.is_none().then_some(())).await;
    // Git still wants the object: it waits for its kind, the others are as they should be, and nothing is pruned.
    app.commit(&[backup.clone(), config_map(NS, "kept", "w")]);
    for engine in [&engine, &app.engine()] {
        let synced = app.sync_by(engine).await;
        let why = match synced.verdict(&id) {
            // By an engine that finds the kind gone, and by one that never saw it.
            Some(Verdict::Failed { fault }) => fault.message.clone(),
            Some(Verdict::Blocked { cause }) => cause.clone(),
            other => panic!("{other:?}"),
        };
        assert!(why.contains("the cluster does not") && why.contains(GROUP), "{why}");
        assert!(synced.report.counts.failed <= 1, "{:?}", synced.outcomes);
        assert_eq!(cluster.get(&map_path(NS, "kept")).await.unwrap()["data"]["k"], "w");
        assert!(cluster.get(&map_path(NS, "dropped")).await.is_some());
    }
    assert!(record().await.reach.0.iter().any(is_backup));

    // It comes again, and so does the object.
    cluster.apply_as("them", definitions, &name, &definition(GROUP)).await.unwrap();
    until("the kind again", async || cluster.get(&backups).await).await;
    until("a sync in which all is well", async || {
        let counts = app.sync_by(&engine).await.report.counts;
        counts.all_good().then_some(())
    })
    .await;
    assert_eq!(cluster.get(&format!("{backups}/daily")).await.unwrap()["spec"]["every"], "24h");
    assert!(cluster.get(&map_path(NS, "dropped")).await.is_none());

    // It goes for good, and Git drops the object: a kind that is certainly gone is looked for no more.
    cluster.delete(&format!("{definitions}/{name}")).await;
    until("the end of the kind", async || cluster.get(&backups).await.is_none().then_some(())).await;
    app.commit(&[config_map(NS, "kept", "w")]);
    let counts = app.sync().await.report.counts;
    assert_eq!((counts.unchanged, counts.all_good()), (1, true), "{counts:?}");
    let record = record().await;
    assert!(!record.reach.0.iter().any(is_backup), "{:?}", record.reach);
    assert_eq!(record.applied, record.attempted);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_namespace_that_holds_foreign_objects_goes_only_when_somebody_says_so() {
    const NS: &str = "case-namespace";
    const HELD: &str = "case-namespace-held";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    let held = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HELD}});
    app.commit(&[config_map(NS, "kept", "v"), held, config_map(HELD, "ours", "v")]);
    assert_eq!(app.sync().await.report.counts.created, 3);
    let maps = format!("/api/v1/namespaces/{HELD}/configmaps");
    let theirs = config_map(HELD, "theirs", "v");
    let theirs = cluster.apply_as("them", &maps, "theirs", &theirs).await.unwrap();

    app.commit(&[config_map(NS, "kept", "v")]);
    let id = ResourceId::global("", "Namespace", HELD);
    assert_eq!(app.decision(&id).await, Decision::Kept { reason: KeepReason::Precious });
    let synced = app.sync().await;
    assert!(matches!(synced.verdict(&id), Some(Verdict::Skipped { .. })), "{:?}", synced.outcomes);
    assert_eq!(synced.report.counts.pruned, 1);
    assert!(cluster.get(&map_path(HELD, "ours")).await.is_none());
    assert_eq!(cluster.get(&map_path(HELD, "theirs")).await, Some(theirs));
    let namespace = cluster.get(&format!("/api/v1/namespaces/{HELD}")).await.unwrap();
    assert_eq!(namespace["metadata"]["deletionTimestamp"], Value::Null);

    // Where namespaces may be pruned, somebody still has to say so for this one.
    let app = app.with_policy(|app| app.with_prune_kind(GroupKind::new("", "Namespace")));
    let SyncError::NeedsApproval { plan, guard } = app.engine().sync(NS).await.unwrap_err() else { panic!() };
    assert_eq!((guard.prune, guard.members, guard.precious), (1, 2, 1));
    let namespace = cluster.get(&format!("/api/v1/namespaces/{HELD}")).await.unwrap();
    assert_eq!(namespace["metadata"]["deletionTimestamp"], Value::Null);
    let approval = Approval::new(NS.parse().unwrap(), plan.digest(), "ada");
    assert_eq!(app.engine().apply(approval).await.unwrap().counts.pruned, 1);
    until("the end of the namespace", async || {
        cluster.get(&format!("/api/v1/namespaces/{HELD}")).await.is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_git_states_does_not_go_with_its_namespace_or_its_definition() {
    const NS: &str = "case-holders";
    const HELD: &str = "case-holders-held";
    const GROUP: &str = "holders.example.com";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS).with_policy(|app| {
        app.with_prune(Prune::Unguarded)
            .with_prune_kind(GroupKind::new("", "Namespace"))
            .with_prune_kind(GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition"))
    });
    let held = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HELD}});
    let ours = config_map(HELD, "ours", "v");
    let backup = object(&format!("{GROUP}/v1"), "Backup", NS, "daily", &json!({"spec": {"every": "24h"}}));
    app.commit(&[held, ours.clone(), definition(GROUP), backup.clone()]);
    until("all of it", async || {
        let synced = app.engine().sync(NS).await.ok()?;
        synced.counts.all_good().then_some(())
    })
    .await;

    // Somebody takes the holders out of Git, and leaves what they hold.
    app.commit(&[ours, backup]);
    let namespace = ResourceId::global("", "Namespace", HELD);
    let crd =
        ResourceId::global("apiextensions.k8s.io", "CustomResourceDefinition", format!("backups.{GROUP}"));
    for holder in [&namespace, &crd] {
        assert_eq!(app.decision(holder).await, Decision::Kept { reason: KeepReason::Holding }, "{holder}");
    }
    let counts = app.sync().await.report.counts;
    assert_eq!((counts.pruned, counts.unchanged), (0, 2), "{counts:?}");
    assert!(cluster.get(&map_path(HELD, "ours")).await.is_some());

    // What they hold goes first; with it, they may go.
    app.commit(&[config_map(NS, "kept", "v")]);
    assert_eq!(app.sync().await.report.counts.pruned, 4);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_object_that_moves_between_api_groups_is_not_pruned() {
    const NS: &str = "case-groups";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    // Events are the one kind that is served in two groups still: what is stored is one object.
    let about = json!({"apiVersion": "v1", "kind": "ConfigMap", "namespace": NS, "name": "kept"});
    let old = object(
        "v1",
        "Event",
        NS,
        "release",
        &json!({"involvedObject": about, "reason": "Released", "type": "Normal", "action": "Release",
            "eventTime": "2026-01-01T00:00:00.000000Z", "reportingComponent": "example.com/release",
            "reportingInstance": "release-1"}),
    );
    let new = object(
        "events.k8s.io/v1",
        "Event",
        NS,
        "release",
        &json!({"regarding": about, "reason": "Released", "type": "Normal", "action": "Release",
            "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "example.com/release",
            "reportingInstance": "release-1"}),
    );
    let maps = ["kept", "kept-too"].map(|name| config_map(NS, name, "v"));
    app.commit(&[&maps[..], &[old]].concat());
    assert_eq!(app.sync().await.report.counts.created, 3);
    let path = format!("/api/v1/namespaces/{NS}/events/release");
    let uid = cluster.get(&path).await.unwrap()["metadata"]["uid"].clone();

    app.commit(&[&maps[..], &[new]].concat());
    let moved = ResourceId::namespaced("", "Event", NS, "release");
    assert_eq!(app.decision(&moved).await, Decision::Kept { reason: KeepReason::SameObject });
    for _ in 0..2 {
        let counts = app.sync().await.report.counts;
        assert_eq!((counts.pruned, counts.failed, counts.created), (0, 0, 0), "{counts:?}");
        assert_eq!(cluster.get(&path).await.unwrap()["metadata"]["uid"], uid);
    }
    // It is still ours under its new name: it goes when Git drops it.
    app.commit(&maps);
    app.sync().await;
    assert!(cluster.get(&path).await.is_none());
}
