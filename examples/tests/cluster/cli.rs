//! The command line from end to end, as processes.

use serde_json::{Value, json};

use crate::common::{Repo, json_lines};
use crate::support::manifests::{base, broken, config_map, debug, web};
use crate::support::{App, Cluster, apps, core};

const RECORD: &str = "/api/v1/namespaces/gitops-system/secrets/gitops-app-";

fn shop(namespace: &str) -> Repo {
    Repo::with(&[
        ("apps/shop/base.yaml", &base(namespace)),
        ("apps/shop/debug.yaml", &debug(namespace)),
        ("apps/shop/web.yaml", &web(namespace, "1.4.1")),
    ])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn run_heals_until_it_is_asked_to_end() {
    let cluster = Cluster::shared().await;
    let repo = shop("cli-run");
    let app = App::new("cli-run", &repo, cluster.plane.kubeconfig());
    let mut running = app.run(&["--interval", "1h", "--prune"]);
    let finished = running.event("sync_finished").await;
    assert_eq!((&finished["counts"]["created"], &finished["trigger"]), (&json!(6), &json!("revision")));

    let uri = apps("deployments", "cli-run", "web");
    cluster.change("kubectl-scale", &uri, json!({"spec": {"replicas": 1}})).await;
    let drift = running.event("drift").await;
    assert_eq!(
        (&drift["id"]["name"], &drift["differences"][0]["writer"]),
        (&json!("web"), &json!("kubectl-scale"))
    );
    running.event("object").await;
    assert_eq!(cluster.field(&uri, "/spec/replicas").await, 3);

    let (code, last) = running.terminate().await;
    assert_eq!((code, &last["type"]), (Some(0), &json!("stopped")), "{last}");
    // It has left no lock behind: the next one need not wait for it.
    let again = app.gitops("sync", &["--output", "json"]).await.with(0);
    assert_eq!(again.line("sync_finished")["counts"]["unchanged"], 6);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn sync_waits_for_health_and_asks_for_approval() {
    let cluster = Cluster::shared().await;
    let repo = shop("cli-sync");
    repo.commit("not deployed", &[("apps/shop/README.md", "The shop.\n")]);
    let app = App::new("cli-sync", &repo, cluster.plane.kubeconfig());
    // No Node takes its Pods: what is applied is told, and that it is not healthy in time.
    let stuck = web("cli-sync", "1.4.1")
        .replace("      containers:", "      nodeSelector:\n        is: nowhere\n      containers:");
    repo.commit("nowhere", &[("apps/shop/web.yaml", &stuck)]);
    let hasty = app.gitops("sync", &["--wait", "--timeout", "3s", "--output", "json"]).await.with(1);
    assert_eq!(hasty.line("sync_finished")["counts"]["created"], 6);
    assert_eq!(hasty.line("waited")["health"]["health"], "Progressing");
    repo.commit("somewhere", &[("apps/shop/web.yaml", &web("cli-sync", "1.4.1"))]);

    let synced =
        app.gitops("sync", &["--prune", "--wait", "--timeout", "50s", "--output", "json"]).await.with(0);
    let finished = synced.line("sync_finished");
    let revision = &finished["revision"];
    assert_eq!(
        (revision["id"].as_str().unwrap().len(), &revision["provenance"]["author"]["name"]),
        (40, &json!("Ada"))
    );
    let counts = &finished["counts"];
    assert_eq!(counts["failed"], 0);
    let all: u64 = counts.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(all, 6, "{counts}");
    assert!(finished["requests"].as_u64().unwrap() > 0 && finished["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(synced.line("waited")["health"]["health"], "Healthy");
    assert_eq!(cluster.field(&apps("deployments", "cli-sync", "web"), "/status/availableReplicas").await, 3);
    let types: Vec<Value> = json_lines(&synced.out).into_iter().map(|line| line["type"].clone()).collect();
    assert_eq!(types.first(), Some(&json!("polled")), "{types:?}");

    // A revision that would delete everything waits for somebody's word, and does exactly what was approved.
    repo.remove("clean up", &["apps/shop/base.yaml", "apps/shop/debug.yaml", "apps/shop/web.yaml"]);
    let held = app.gitops("sync", &["--prune", "--output", "json"]).await.with(3);
    let digest = held.line("approval_needed")["digest"].as_str().unwrap().to_owned();
    assert!(held.err.contains(&format!("--approve {digest}")), "{held:#?}");
    assert!(cluster.get(&core("configmaps", "cli-sync", "web")).await.is_some());
    let other = "0".repeat(64);
    let stale = app.gitops("sync", &["--prune", "--approve", &other]).await.with(2);
    assert!(stale.err.contains("the approved plan is stale"), "{stale:#?}");
    assert!(cluster.get(&core("configmaps", "cli-sync", "web")).await.is_some());
    let planned = app.gitops("plan", &["--prune"]).await.with(0);
    assert!(planned.out.contains(&format!("plan {digest}")), "{planned:#?}");
    let approved = app.gitops("sync", &["--prune", "--approve", &digest, "--output", "json"]).await.with(0);
    let counts = approved.line("sync_finished")["counts"].clone();
    // The Namespace stays: deleting it would destroy more than itself.
    assert_eq!((&counts["pruned"], &counts["skipped"]), (&json!(5), &json!(1)));
    cluster.until_gone(&core("configmaps", "cli-sync", "web")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn plan_and_diff_need_only_to_read() {
    let cluster = Cluster::shared().await;
    let read = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]);
    cluster.grant("reader", "test-read-everything", read).await;
    cluster.until_may("reader", "list", "apps", "deployments").await;
    let repo = shop("cli-plan");
    let admin = App::new("cli-plan", &repo, cluster.plane.kubeconfig());
    let reader = App::new("cli-plan", &repo, cluster.plane.kubeconfig_of("reader").unwrap());

    // Before anything is there, a plan creates everything; and nobody but a writer can do it.
    let planned = reader.gitops("plan", &["--output", "json"]).await.with(0);
    let plan = json_lines(&planned.out).remove(0);
    assert_eq!((&plan["type"], plan["items"].as_array().unwrap().len()), (&json!("plan"), 6));
    let text = reader.gitops("plan", &[]).await.with(0).out;
    assert!(text.contains("+ Deployment/cli-plan/web"), "{text}");
    assert!(text.contains(plan["digest"].as_str().unwrap()), "{text}");
    assert!(!text.contains("correct horse"), "{text}");
    reader.gitops("diff", &[]).await.with(1);
    let denied = reader.gitops("sync", &[]).await.with(2);
    assert!(denied.err.contains("forbidden"), "{denied:#?}");
    assert!(cluster.get("/api/v1/namespaces/cli-plan").await.is_none());

    admin.gitops("sync", &["--wait"]).await.with(0);
    reader.gitops("diff", &[]).await.with(0);
    let uri = core("configmaps", "cli-plan", "web");
    cluster.change("kubectl-edit", &uri, json!({"data": {"LOG_LEVEL": "debug"}})).await;
    let diff = reader.gitops("diff", &[]).await.with(1);
    assert!(
        diff.out.contains("-  LOG_LEVEL: debug") && diff.out.contains("+  LOG_LEVEL: info"),
        "{}",
        diff.out
    );
    let plan = reader.gitops("plan", &[]).await.with(0);
    assert!(plan.out.contains("kubectl-edit"), "{}", plan.out);
    assert_eq!(cluster.field(&uri, "/data/LOG_LEVEL").await, "debug", "a plan changes nothing");
    repo.commit("a mistake", &[("apps/shop/web.yaml", &broken("cli-plan", "1.4.1"))]);
    let error = reader.gitops("diff", &[]).await.with(2);
    assert!(error.err.contains("apps/shop/web.yaml:"), "{error:#?}");
    // The one write that was tried is the record of the sync that was denied.
    let writes: Vec<String> = cluster.writes_of("reader").into_iter().map(|request| request.uri).collect();
    assert!(writes.iter().all(|uri| uri.contains("/namespaces/gitops-system/secrets")), "{writes:?}");
    assert_eq!(writes.len(), 1, "{writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn status_tells_what_the_cluster_has_recorded() {
    let cluster = Cluster::shared().await;
    let repo = shop("cli-status");
    let app = App::new("cli-status", &repo, cluster.plane.kubeconfig());
    let before = app.gitops("status", &[]).await.with(0);
    assert_eq!(before.out, "cli-status was never deployed here\n");

    app.gitops("sync", &["--wait"]).await.with(0);
    let text = app.gitops("status", &[]).await.with(0).out;
    for expected in ["application  cli-status", "applied      ", "\"first\" Ada", "health       Healthy"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(text.contains("Deployment/cli-status/web"), "{text}");
    let status = app.gitops("status", &["--output", "json"]).await.with(0).line("status");
    let record = &status["record"];
    assert_eq!(record["attempted"]["id"], record["applied"]["id"]);
    assert_eq!(
        (&status["health"]["health"], record["outcomes"].as_array().unwrap().len()),
        (&json!("Healthy"), 6)
    );

    // A revision that is not wholly applied is attempted, and the last one stays the applied one.
    let refused = config_map("cli-status", "extra", "v").replace("\ndata:", "\nspec:");
    let bad = repo.commit("an object that is refused", &[("apps/shop/extra.yaml", &refused)]);
    app.gitops("sync", &[]).await.with(1);
    let status = app.gitops("status", &["--output", "json"]).await.with(0).line("status");
    assert_eq!(status["record"]["attempted"]["id"], bad.as_str());
    assert_eq!(status["record"]["applied"]["id"], record["applied"]["id"]);
    let text = app.gitops("status", &[]).await.with(0).out;
    assert!(text.contains("ConfigMap/cli-status/extra") && text.contains("failed"), "{text}");
    assert!(!text.contains("correct horse"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn remove_gives_up_and_only_deletes_when_asked_to() {
    let cluster = Cluster::shared().await;
    let repo = shop("cli-remove");
    let app = App::new("cli-remove", &repo, cluster.plane.kubeconfig());
    app.gitops("sync", &["--wait"]).await.with(0);
    let members = [
        "/api/v1/namespaces/cli-remove".to_owned(),
        core("secrets", "cli-remove", "db"),
        core("configmaps", "cli-remove", "web"),
        core("configmaps", "cli-remove", "debug"),
        core("services", "cli-remove", "web"),
        apps("deployments", "cli-remove", "web"),
    ];
    let mut before = Vec::new();
    for uri in &members {
        before.push(cluster.get(uri).await.unwrap());
    }

    let removed = app.gitops("remove", &["--output", "json"]).await.with(0);
    assert_eq!(removed.line("sync_finished")["counts"]["released"], 6);
    for (uri, before) in members.iter().zip(&before) {
        let now = cluster.get(uri).await.unwrap();
        assert_eq!(
            (&now["metadata"]["uid"], &now["spec"]),
            (&before["metadata"]["uid"], &before["spec"]),
            "{uri}"
        );
        assert_eq!(now["data"], before["data"], "{uri}");
        let text = now["metadata"].to_string();
        for mark in ["applyset.kubernetes.io/part-of", "gitops.io/state", "gitops/cli-remove"] {
            assert!(before["metadata"].to_string().contains(mark) && !text.contains(mark), "{mark}: {now:#}");
        }
    }
    let record = cluster.get(&format!("{RECORD}cli-remove")).await;
    assert!(record.is_none(), "the record is still there: {removed:#?}");
    let gone = app.gitops("remove", &[]).await.with(2);
    assert!(gone.err.contains("was never deployed here"), "{gone:#?}");

    // Nobody's objects are taken over only when that is asked for; then they can be deleted.
    let conflict = app.gitops("sync", &[]).await.with(1);
    assert!(conflict.out.contains("it exists, and belongs to nobody"), "{conflict:#?}");
    app.gitops("sync", &["--adopt"]).await.with(0);
    let held = app.gitops("remove", &["--delete"]).await.with(3);
    assert!(held.out.contains("- Deployment/cli-remove/web"), "{held:#?}");
    let digest = held.err.split("--approve ").nth(1).unwrap().trim().to_owned();
    let deleted = app.gitops("remove", &["--delete", "--approve", &digest]).await.with(0);
    assert!(deleted.out.contains("5 pruned"), "{deleted:#?}");
    for uri in &members[1..] {
        cluster.until_gone(uri).await;
    }
    // A Namespace may hold what is not ours.
    assert!(cluster.get(&members[0]).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_is_missing_is_named_with_the_way_to_get_it() {
    let cluster = Cluster::shared().await;
    let repo = Repo::with(&[("apps/shop/a.yaml", &config_map("default", "cli-missing", "v"))]);
    let app = App::new("cli-missing", &repo, cluster.plane.kubeconfig());
    let error = app.gitops("sync", &["--state-namespace", "nowhere"]).await.with(2);
    assert!(error.err.contains("kubectl create namespace nowhere"), "{error:#?}");
    assert!(cluster.get(&core("configmaps", "default", "cli-missing")).await.is_none());
}
