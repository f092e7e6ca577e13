//! What changed last night, and what was the last working version: as another process tells it.

use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::common::Repo;
use crate::support::manifests::{base, debug, web};
use crate::support::{App, Cluster, PATIENCE, apps};

const NS: &str = "deployments";
const RECORD: &str = "/api/v1/namespaces/gitops-system/secrets/gitops-app-deployments";

/// A Deployment whose new Pods no Node takes.
fn stuck(version: &str) -> String {
    web(NS, version)
        .replace("      containers:", "      nodeSelector:\n        is: nowhere\n      containers:")
}

async fn status(app: &App<'_>) -> Value {
    app.gitops("status", &["--output", "json"]).await.with(0).line("status")
}

/// The status, as soon as it is as wanted.
async fn status_when(app: &App<'_>, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = status(app).await;
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "not observed: {what}: {status:#}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn the_record_tells_what_was_deployed_and_what_worked() {
    let cluster = Cluster::shared().await;
    let repo = Repo::with(&[
        ("apps/shop/base.yaml", &base(NS)),
        ("apps/shop/debug.yaml", &debug(NS)),
        ("apps/shop/web.yaml", &web(NS, "1.4.1")),
    ]);
    let app = App::new(NS, &repo, cluster.plane.kubeconfig());

    // Applied, and not Healthy yet when it is applied; whoever waits records it.
    app.gitops("sync", &["--wait"]).await.with(0);
    let first = status(&app).await;
    let good = &first["last_good"]["revision"];
    assert_eq!(good["id"], first["record"]["applied"]["id"], "{first:#}");
    let deployment = &first["record"]["deployments"]["recent"][0];
    assert_eq!(
        (&deployment["counts"]["created"], &deployment["healthy"]),
        (&json!(6), &first["last_good"]["healthy"])
    );
    assert!(deployment["changes"].as_array().unwrap().iter().any(|change| {
        change["action"] == "create" && change["id"]["kind"] == "Deployment" && change["id"]["name"] == "web"
    }));

    // Nothing changed, and Healthy is recorded: nothing is written.
    let version = cluster.field(RECORD, "/metadata/resourceVersion").await;
    app.gitops("sync", &["--wait"]).await.with(0);
    assert_eq!(cluster.field(RECORD, "/metadata/resourceVersion").await, version);

    // A version that never gets well is applied, and not good.
    let bad = repo.commit("web 1.4.2", &[("apps/shop/web.yaml", &stuck("1.4.2"))]);
    let mut running = app.run(&["--interval", "1s", "--prune"]);
    running.event("sync_finished").await;
    let second = status(&app).await;
    assert_eq!(
        (&second["record"]["applied"]["id"], &second["last_good"]["revision"]["id"]),
        (&json!(bad), &good["id"])
    );
    let recent = second["record"]["deployments"]["recent"].as_array().unwrap();
    assert_eq!(recent.len(), 2, "{second:#}");
    assert_eq!((&recent[1]["revision"]["id"], recent[1].get("healthy")), (&json!(bad), None));
    assert_eq!(recent[1]["changes"].as_array().unwrap().len(), 1, "{second:#}");
    assert_ne!(second["health"]["health"], "Healthy");

    // What somebody changed is put back, and recorded with their name.
    let uri = apps("deployments", NS, "web");
    cluster.change("kubectl-scale", &uri, json!({"spec": {"replicas": 1}})).await;
    let healed = |status: &Value| status["record"]["deployments"].get("healed").is_some();
    let third = status_when(&app, "healed drift", healed).await;
    let healed = &third["record"]["deployments"]["healed"][0];
    assert_eq!(
        (&healed["by"], &healed["fields"], &healed["id"]["name"], &healed["times"]),
        (&json!("kubectl-scale"), &json!([".spec.replicas"]), &json!("web"), &json!(1))
    );
    assert_eq!(cluster.field(&uri, "/spec/replicas").await, 3);
    assert_eq!(third["record"]["deployments"]["recent"].as_array().unwrap().len(), 2, "{third:#}");

    // The next one becomes Healthy after it was applied, seen by the process that watches.
    let fixed = repo.commit("web 1.4.3", &[("apps/shop/web.yaml", &web(NS, "1.4.3"))]);
    let is_good = |status: &Value| status["last_good"]["revision"]["id"] == fixed.as_str();
    let last = status_when(&app, "the fixed one is good", is_good).await;
    let newest = last["record"]["deployments"]["recent"].as_array().unwrap().last().unwrap().clone();
    let time = |field: &str| newest[field].as_str().unwrap().parse::<gitops_core::Timestamp>().unwrap();
    assert!(time("attempted") < time("applied") && time("applied") < time("healthy"), "{newest:#}");
    assert_eq!(last["record"]["outcomes"].as_array().unwrap().len(), 6);
    running.terminate().await;

    let text = app.gitops("status", &[]).await.with(0).out;
    let short = &fixed[..7];
    for expected in [
        &format!("last good    {short} \"web 1.4.3\""),
        "kubectl-scale",
        ".spec.replicas",
        "1 changed: update Deployment/deployments/web",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("correct horse") && !last.to_string().contains("correct horse"), "{text}");
}
