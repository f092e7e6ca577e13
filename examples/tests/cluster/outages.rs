//! Things that end in the middle: the API server, and the engine.

use gitops_kube::testing::ControlPlane;
use serde_json::{Value, json};

use crate::common::Repo;
use crate::support::manifests::config_map;
use crate::support::{App, Cluster, core};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn drift_is_healed_after_the_api_server_was_away() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut plane = ControlPlane::builder().api_only().start().await.unwrap();
    let maps = format!("{}{}", config_map("away", "one", "v"), config_map("away", "two", "v"));
    let repo = Repo::with(&[("apps/shop/maps.yaml", &maps)]);
    let kubeconfig = plane.kubeconfig();
    Cluster::of(&plane).await.namespace("away").await;
    let app = App::new("away", &repo, kubeconfig);
    let mut running = app.run(&["--interval", "1h"]);
    assert_eq!(running.event("sync_finished").await["counts"]["created"], 2);

    for (name, value) in [("one", "by hand"), ("two", "by hand too")] {
        plane.stop_api();
        plane.start_api().await.unwrap();
        // Before the watch is back, as far as that can be: nobody else tells the engine.
        let cluster = Cluster::of(&plane).await;
        let uri = core("configmaps", "away", name);
        cluster.change("kubectl-edit", &uri, json!({"data": {"key": value}})).await;
        cluster.until(&uri, |object| object.is_some_and(|object| object["data"]["key"] == "v")).await;
        let drift = running.event("drift").await;
        assert_eq!(
            (&drift["id"]["name"], &drift["differences"][0]["writer"]),
            (&json!(name), &json!("kubectl-edit"))
        );
    }
    let (code, _) = running.terminate().await;
    assert_eq!(code, Some(0));
}

/// A generator of numbers that are the same in every run (`SplitMix64`, Steele et al. 2014).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

const MAPS: u64 = 30;

/// The objects from a number on: each commit is smaller than the one before, by so few that no prune needs approval.
fn maps(namespace: &str, from: u64) -> String {
    (from..MAPS).map(|n| config_map(namespace, &format!("map-{n}"), "v")).collect()
}

/// Kills a `gitops run` after it has told of so many objects, and a moment later.
async fn crash(app: &App<'_>, random: &mut Seeded) {
    let (mut left, moment) = (random.below(MAPS - 5), random.below(8_000));
    let mut running = app.run(&["--interval", "1h", "--prune"]);
    running
        .until("enough objects, or the end", |line| {
            left = left.saturating_sub(u64::from(line["type"] == "object"));
            (left == 0 && line["type"] == "object" || line["type"] == "sync_finished").then_some(())
        })
        .await;
    tokio::time::sleep(std::time::Duration::from_micros(moment)).await;
    running.kill().await;
}

async fn survive(cluster: &Cluster<'_>, name: &str, seed: u64) {
    let mut random = Seeded(seed);
    cluster.namespace(name).await;
    let repo = Repo::with(&[("apps/shop/maps.yaml", &maps(name, 0))]);
    let app = App::new(name, &repo, cluster.plane.kubeconfig());
    crash(&app, &mut random).await;
    // What the first crash left is there when the next one happens, in the middle of a prune.
    repo.commit("smaller", &[("apps/shop/maps.yaml", &maps(name, 5))]);
    crash(&app, &mut random).await;
    let head = repo.commit("smaller still", &[("apps/shop/maps.yaml", &maps(name, 10))]);
    let mut running = app.run(&["--interval", "1h", "--prune"]);
    let finished = running
        .until("a sync without a failure", |line| {
            let counts = &line["counts"];
            let is_good = line["type"] == "sync_finished" && counts["failed"] == 0 && counts["blocked"] == 0;
            (is_good && line["revision"]["id"] == head.as_str()).then(|| line.clone())
        })
        .await;
    assert_eq!(running.terminate().await.0, Some(0));
    let label = "applyset.kubernetes.io%2Fpart-of";
    let left = cluster.list(&format!("/api/v1/namespaces/{name}/configmaps?labelSelector={label}")).await;
    let mut names: Vec<&str> = left.iter().filter_map(|object| object["metadata"]["name"].as_str()).collect();
    names.sort_unstable();
    let mut wanted: Vec<String> = (10..MAPS).map(|n| format!("map-{n}")).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "seed {seed}: {finished}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_crash_at_any_moment_leaves_no_orphan() {
    let cluster = Cluster::shared().await;
    // Together, because each has to wait for the locks that the crashes leave.
    let lives = ["crash-1", "crash-2", "crash-3", "crash-4"];
    let lives = lives.iter().zip(20_260_701..).map(|(name, seed)| survive(&cluster, name, seed));
    futures_util::future::join_all(lives).await;
    let left = cluster.list("/api/v1/namespaces/gitops-system/secrets").await;
    let records = left.iter().filter(|secret| name_of(secret).starts_with("gitops-app-crash-")).count();
    assert_eq!(records, 4);
}

fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
