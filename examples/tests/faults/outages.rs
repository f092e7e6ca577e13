//! What lies between an engine and the objects fails, and comes back. The engine recovers by itself, asks little meanwhile,
//! and heals what happened in the meantime.

use std::time::Duration;

use gitops_kube::testing::ControlPlane;
use gitops_kube::{ConnectOptions, KubeTarget, connect};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::common::Repo;
use crate::crash::cluster;
use crate::faulty::life::ENGINE;
use crate::faulty::proxy::{Mode, Proxy};
use crate::support::manifests::config_map;
use crate::support::{Cluster, Engine, application, builder, core};

/// An engine that watches an application of two objects through a proxy.
struct Watched {
    name: &'static str,
    proxy: Proxy,
    engine: Engine,
    repo: Repo,
}

fn client(plane: &ControlPlane) -> kube::Client {
    connect(plane.client_config().unwrap(), &ConnectOptions::default()).unwrap()
}

impl Watched {
    async fn start(cluster: &Cluster<'_>, name: &'static str, client: kube::Client) -> Self {
        cluster.namespace(name).await;
        let proxy = Proxy::start(client, Mode::Pass).await;
        let maps = format!("{}{}", config_map(name, "one", "v"), config_map(name, "two", "v"));
        let repo = Repo::with(&[("apps/shop/maps.yaml", &maps)]);
        let target = KubeTarget::new(connect(proxy.config(), &ConnectOptions::default()).unwrap());
        let mut engine = Engine::start(application(name, &repo, target));
        let report = engine.synced("the first sync").await;
        assert_eq!((report.counts.created, report.counts.failed), (2, 0), "{report}");
        let watched = Self { name, proxy, engine, repo };
        // Drift that is healed shows that the watch is there.
        watched.drift(cluster, "one").await;
        watched.healed(cluster, "one").await;
        watched
    }

    fn path(&self, map: &str) -> String {
        core("configmaps", self.name, map)
    }

    async fn drift(&self, cluster: &Cluster<'_>, map: &str) {
        cluster.change("kubectl-edit", &self.path(map), json!({"data": {"key": "by hand"}})).await;
    }

    async fn healed(&self, cluster: &Cluster<'_>, map: &str) {
        let is_healed =
            |object: Option<&serde_json::Value>| object.is_some_and(|it| it["data"]["key"] == "v");
        cluster.until(&self.path(map), is_healed).await;
    }

    /// Drift of one object that is changed and of one that is deleted, and the end of both.
    async fn heals_all(&self, cluster: &Cluster<'_>) {
        self.drift(cluster, "one").await;
        cluster.delete(&self.path("two")).await;
        self.healed(cluster, "one").await;
        self.healed(cluster, "two").await;
    }

    /// Checks how much was asked since some request.
    #[track_caller]
    fn asked_at_most(&self, most: usize, since: usize) {
        let asked = &self.proxy.sent()[since..];
        println!("{}: {} requests", self.name, asked.len());
        assert!(asked.len() <= most, "{} requests: {asked:#?}", asked.len());
    }
}

async fn plane(arguments: &[&str]) -> ControlPlane {
    arguments
        .iter()
        .fold(builder().api_only(), |builder, it| builder.with_api_argument(*it))
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_api_server_that_is_killed_twice() {
    let mut plane = plane(&[]).await;
    let watched = Watched::start(&Cluster::of(&plane).await, "api-server", client(&plane)).await;
    for map in ["one", "two"] {
        let since = watched.proxy.count();
        plane.stop_api();
        sleep(Duration::from_secs(5)).await;
        watched.asked_at_most(30, since);
        plane.start_api().await.unwrap();
        // Before the watch is back, as far as that can be: nobody else tells the engine.
        let cluster = Cluster::of(&plane).await;
        watched.drift(&cluster, map).await;
        watched.healed(&cluster, map).await;
        watched.asked_at_most(80, since);
    }
    watched.heals_all(&Cluster::of(&plane).await).await;
    watched.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_storage_that_is_killed_and_comes_back() {
    let mut plane = plane(&[]).await;
    let watched = Watched::start(&Cluster::of(&plane).await, "storage", client(&plane)).await;
    // What drifts a moment before has to be healed while there is no storage.
    watched.drift(&Cluster::of(&plane).await, "one").await;
    let since = watched.proxy.count();
    plane.stop_etcd();
    watched.engine.handle.sync(watched.name).unwrap();
    sleep(Duration::from_secs(10)).await;
    watched.asked_at_most(60, since);
    plane.start_etcd().await.unwrap();
    let cluster = Cluster::of(&plane).await;
    watched.healed(&cluster, "one").await;
    watched.heals_all(&cluster).await;
    watched.asked_at_most(120, since);
    watched.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_watch_whose_place_has_expired() {
    // Without a cache of its own the API server knows no more of the past than the storage, which forgets it soon.
    let plane = plane(&["--watch-cache=false", "--etcd-compaction-interval=1s"]).await;
    let cluster = Cluster::of(&plane).await;
    let watched = Watched::start(&cluster, "expired", client(&plane)).await;
    let version = cluster.field(&watched.path("one"), "/metadata/resourceVersion").await;
    let since = watched.proxy.count();
    watched.proxy.set(Mode::Dead);
    watched.drift(&cluster, "one").await;
    // Of a deletion no list tells.
    cluster.delete(&watched.path("two")).await;
    let maps = core("configmaps", watched.name, "");
    let version = version.as_str().unwrap();
    let resumed =
        format!("{}?watch=true&timeoutSeconds=1&resourceVersion={version}", maps.trim_end_matches('/'));
    let begun = Instant::now();
    while !is_expired(&plane, &resumed).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "the storage forgets nothing");
        // It forgets only as there is something new.
        cluster.namespace(&format!("expired-{}", begun.elapsed().as_millis())).await;
        sleep(Duration::from_millis(200)).await;
    }
    watched.proxy.set(Mode::Pass);
    watched.healed(&cluster, "one").await;
    watched.healed(&cluster, "two").await;
    watched.heals_all(&cluster).await;
    watched.asked_at_most(100, since);
    watched.engine.stop().await;
}

/// Whether a watch cannot be resumed there.
async fn is_expired(plane: &ControlPlane, uri: &str) -> bool {
    let request = http::Request::get(uri).body(Vec::new()).unwrap();
    match client(plane).request_text(request).await {
        Ok(events) => events.contains("\"code\":410"),
        Err(kube::Error::Api(status)) => status.code == 410,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_token_that_is_revoked_and_restored() {
    let cluster = cluster().await;
    let watched = Watched::start(&cluster, "token", cluster.client_of(ENGINE)).await;
    let mut unknown = cluster.plane.client_config_of(ENGINE).unwrap();
    unknown.auth_info.token = Some("a token that nobody knows".to_owned().into());
    let since = watched.proxy.count();
    watched.proxy.become_client(connect(unknown, &ConnectOptions::default()).unwrap());
    // Open watches end, as they do every few minutes.
    watched.proxy.set(Mode::Dead);
    sleep(Duration::from_millis(500)).await;
    watched.proxy.set(Mode::Pass);
    watched.drift(&cluster, "one").await;
    cluster.delete(&watched.path("two")).await;
    watched.engine.handle.sync(watched.name).unwrap();
    sleep(Duration::from_secs(10)).await;
    watched.asked_at_most(60, since);

    watched.proxy.become_client(cluster.client_of(ENGINE));
    watched.healed(&cluster, "one").await;
    watched.healed(&cluster, "two").await;
    let restored = watched.proxy.count();
    watched.heals_all(&cluster).await;
    watched.asked_at_most(30, restored);
    // It watches as before: all namespaces at once.
    let everywhere = |uri: &str| uri.starts_with("/api/v1/configmaps?watch");
    let sent = watched.proxy.sent();
    let last = sent.iter().rev().find(|sent| sent.uri.contains("configmaps?watch")).unwrap();
    assert!(everywhere(&last.uri), "{}", last.uri);
    watched.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_api_server_that_is_too_busy_for_a_minute() {
    const WAIT: u64 = 10;
    let cluster = cluster().await;
    let watched = Watched::start(&cluster, "busy", cluster.client_of(ENGINE)).await;
    let since = watched.proxy.count();
    watched.proxy.set(Mode::Busy(WAIT));
    // The watch, which goes on, tells of it at once.
    watched.drift(&cluster, "one").await;
    cluster.delete(&watched.path("two")).await;
    sleep(Duration::from_secs(60)).await;
    // It was told to wait so long each time.
    let attempts = 60 / usize::try_from(WAIT).unwrap() + 1;
    watched.asked_at_most(attempts * 4, since);
    let last = cluster.field(&watched.path("one"), "/data/key").await;
    assert_eq!(last, "by hand");
    watched.proxy.set(Mode::Pass);
    watched.healed(&cluster, "one").await;
    watched.healed(&cluster, "two").await;
    watched.heals_all(&cluster).await;
    watched.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_network_that_stands_still_for_half_a_minute() {
    let cluster = cluster().await;
    let watched = Watched::start(&cluster, "stalled", cluster.client_of(ENGINE)).await;
    let since = watched.proxy.count();
    watched.proxy.set(Mode::Stalled);
    watched.drift(&cluster, "one").await;
    cluster.delete(&watched.path("two")).await;
    // Nobody can tell the engine; it asks because it is asked.
    watched.engine.handle.sync(watched.name).unwrap();
    sleep(Duration::from_secs(30)).await;
    watched.asked_at_most(30, since);
    watched.proxy.set(Mode::Pass);
    watched.healed(&cluster, "one").await;
    watched.healed(&cluster, "two").await;
    watched.heals_all(&cluster).await;
    watched.asked_at_most(80, since);
    watched.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_drifts_while_no_engine_runs() {
    let cluster = cluster().await;
    let Watched { name, proxy, engine, repo } =
        Watched::start(&cluster, "no-engine", cluster.client_of(ENGINE)).await;
    engine.stop().await;
    let by_hand = json!({"data": {"key": "by hand"}});
    cluster.change("kubectl-edit", &core("configmaps", name, "one"), by_hand).await;
    cluster.delete(&core("configmaps", name, "two")).await;
    let since = proxy.count();
    let target = KubeTarget::new(connect(proxy.config(), &ConnectOptions::default()).unwrap());
    let engine = Engine::start(application(name, &repo, target));
    let mut watched = Watched { name, proxy, engine, repo };
    let report = watched.engine.synced("the first sync of the new engine").await;
    assert_eq!((report.counts.changed, report.counts.created), (1, 1), "{report}");
    watched.healed(&cluster, "one").await;
    watched.healed(&cluster, "two").await;
    watched.asked_at_most(30, since);
    watched.heals_all(&cluster).await;
    watched.engine.stop().await;
}
