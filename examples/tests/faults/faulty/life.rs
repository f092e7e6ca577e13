//! One application's life: it is deployed, its engine dies in the middle of a sync, and another engine goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gitops_core::{
    Application, ApplicationBuilder, Clock, Prune, RefSpec, SyncReport, SystemClock, Timestamp,
};
use gitops_git::GitSource;
use gitops_kube::{ConnectOptions, KubeTarget, connect};
use tempfile::TempDir;

use super::proxy::{Mode, Point, Proxy, Sent};
use super::scenario::{Scenario, Stated};
use super::stage::Stage;
use crate::common::Repo;
use crate::support::{Cluster, Engine};

/// The user as whom engines work that die.
pub(crate) const DOOMED: &str = "doomed";
/// The user as whom all other engines work.
pub(crate) const ENGINE: &str = "engine";

/// An application's repository, and what engines keep on their disk.
struct Configuration {
    repo: Repo,
    /// Before, the sync, and after it.
    commits: [String; 3],
    disk: TempDir,
}

impl Configuration {
    fn of(scenario: &Scenario) -> Self {
        let repo = Repo::new();
        let commit = |message: &str, state: &[Stated]| repo.commit(message, &[(FILE, &documents(state))]);
        let commits = [
            commit("before", &scenario.before()),
            commit("the sync", &scenario.sync()),
            commit("after", &scenario.after()),
        ];
        Self { repo, commits, disk: tempfile::tempdir().unwrap() }
    }

    /// The application at a commit, for an engine that has nothing on its disk but what it calls its own.
    fn application(&self, name: &str, commit: &str, disk: &str, target: KubeTarget) -> ApplicationBuilder {
        let disk: PathBuf = self.disk.path().join(disk);
        assert!(!disk.exists(), "this engine is to begin with nothing");
        let source = GitSource::builder(self.repo.url()).with_mirror_dir(disk).allow_local();
        Application::builder(name, source.build().unwrap(), target)
            .with_ref(RefSpec::Commit(commit.to_owned()))
            .with_path("apps/shop")
            .with_prune(Prune::GUARDED)
    }
}

/// The file with all manifests.
pub(crate) const FILE: &str = "apps/shop/all.yaml";

/// A YAML file of these objects.
pub(crate) fn documents(objects: &[Stated]) -> String {
    let objects: Vec<String> = objects.iter().map(|stated| stated.object.to_string()).collect();
    objects.join("\n---\n")
}

/// How long the engines that die lock: they never come to renew it, which would be one more write.
const LOCK: Duration = Duration::from_secs(1800);

/// The clock of a machine on which the lock of the engine that died has run out.
#[derive(Debug)]
struct MuchLater;

impl Clock for MuchLater {
    fn now(&self) -> Timestamp {
        SystemClock.now() + 2 * LOCK
    }
}

/// How the engine that was to die ended.
pub(crate) struct Death {
    /// All that it has sent.
    pub(crate) sent: Vec<Sent>,
    /// The whole sync, if the engine never came to where it was to die.
    pub(crate) survived: Option<SyncReport>,
}

/// A life of engines inside the test.
pub(crate) struct Life<'a> {
    pub(crate) stage: Stage<'a>,
    configuration: Configuration,
}

impl<'a> Life<'a> {
    pub(crate) fn new(cluster: &'a Cluster<'static>, name: impl Into<String>) -> Self {
        let scenario = Scenario::new(name);
        Self { configuration: Configuration::of(&scenario), stage: Stage { cluster, scenario } }
    }

    /// The third commit.
    pub(crate) fn head(&self) -> &str {
        &self.configuration.commits[2]
    }

    fn application(&self, commit: usize, disk: &str, target: KubeTarget) -> ApplicationBuilder {
        let commit = &self.configuration.commits[commit];
        self.configuration.application(&self.stage.scenario.name, commit, disk, target)
    }

    /// Deploys the first commit.
    pub(crate) async fn deploy(&self) {
        let target = self.stage.cluster.target_of(ENGINE);
        let mut engine = Engine::start(self.application(0, "first", target));
        let report = engine.synced("the first commit").await;
        assert!(report.counts.all_good(), "{report}");
        engine.stop().await;
    }

    /// Runs an engine on the second commit until it dies. One write at a time, so that their numbers mean the same in
    /// every life.
    pub(crate) async fn die(&self, point: Option<Point>) -> Death {
        let mode = point.map_or(Mode::Pass, Mode::CrashAt);
        let proxy = Proxy::start(self.stage.cluster.client_of(DOOMED), mode).await;
        let client = connect(proxy.config(), &ConnectOptions::default()).unwrap();
        let target = KubeTarget::builder(client).with_lock_ttl(LOCK).build();
        let application = self.application(1, "second", target);
        let mut engine = Engine::start_with(application, |builder| builder.with_concurrency(1));
        let survived = tokio::select! {
            biased;
            () = proxy.crashed() => None,
            report = engine.synced("the second commit") => Some(report),
        };
        let survived = survived.filter(|_| !proxy.is_dead());
        let sent = proxy.sent();
        engine.crash().await;
        proxy.bury().await;
        Death { sent, survived }
    }

    /// Starts another engine, on another machine, on the third commit.
    pub(crate) async fn restart(&self) {
        let client = self.stage.cluster.client_of(ENGINE);
        let target = KubeTarget::builder(client).with_clock(Arc::new(MuchLater)).build();
        let mut engine = Engine::start(self.application(2, "third", target));
        // What a definition declares may not be served yet when the engine is back at once: then it tries again.
        while !engine.synced("the commit after the crash").await.counts.all_good() {}
        engine.stop().await;
    }
}
