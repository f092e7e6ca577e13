//! The whole engine over a source that verifies.

use std::sync::Arc;
use std::time::Duration;

use gitops_core::{
    Application, Event, EventKind, EventStream, MemoryCluster, MemoryTarget, Reconciler, ResourceId,
};
use gitops_git::{GitSource, Verification, VerifyMode};
use serde_json::json;

use crate::common::http;
use crate::hands::{Hand, Ssh, push_tags};
use crate::{World, allowed};

/// A running engine.
struct Engine {
    events: EventStream,
    reconciler: Arc<Reconciler>,
    running: tokio::task::JoinHandle<()>,
}

impl Engine {
    fn start(source: GitSource, cluster: &MemoryCluster) -> Self {
        let target = MemoryTarget::new(cluster.clone());
        let app = Application::builder("shop", source, target).with_path("app").build().unwrap();
        let builder = Reconciler::builder().with_application(app).with_interval(Duration::from_millis(100));
        let reconciler = Arc::new(builder.build().unwrap());
        let events = reconciler.subscribe();
        let running = tokio::spawn({
            let reconciler = reconciler.clone();
            async move { reconciler.run().await.unwrap() }
        });
        Self { events, reconciler, running }
    }

    /// Waits for an event that is told within a minute.
    async fn until<T>(&mut self, what: &str, mut which: impl FnMut(Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let event = self.events.next().await.unwrap();
                if let Some(found) = which(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"))
    }

    async fn synced(&mut self, revision: &str) {
        self.until(revision, |event| match event.kind {
            EventKind::SyncFinished { report } => {
                report.revision.filter(|done| done.id == revision).map(drop)
            }
            _ => None,
        })
        .await;
    }

    /// What the event said that refused a revision, and what stays in force.
    async fn refused(&mut self, revision: &str) -> (String, Option<String>) {
        self.until(revision, |event| match event.kind {
            EventKind::SourceFailed { revision: Some(refused), fault, in_force }
                if refused.id == revision =>
            {
                Some((fault.to_string(), in_force.map(|in_force| in_force.id)))
            }
            _ => None,
        })
        .await
    }

    async fn stop(self) {
        self.reconciler.handle().stop();
        self.running.await.unwrap();
    }
}

fn deploy(hand: &Hand, world: &World, value: &str) -> String {
    let manifest = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "web", "namespace": "shop" },
        "data": { "value": value } });
    std::fs::create_dir_all(world.repo.work().join("app")).unwrap();
    std::fs::write(world.repo.work().join("app/web.json"), manifest.to_string()).unwrap();
    if hand.signs() { hand.commit(&world.repo, value) } else { Hand::unsigned_commit(&world.repo, value) }
}

fn cluster() -> MemoryCluster {
    let cluster = MemoryCluster::new();
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    cluster.create("admin", &namespace).unwrap();
    cluster
}

fn live(cluster: &MemoryCluster) -> Option<String> {
    let id = ResourceId::namespaced("", "ConfigMap", "shop", "web");
    Some(cluster.get(&id)?["data"]["value"].as_str()?.to_owned())
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_revision_that_fails_leaves_the_last_good_one_in_force() {
    let ssh = Ssh::new();
    let (ada, mallory) = (ssh.key("ada", "ed25519"), ssh.key("mallory", "ed25519"));
    let world = World::new();
    let cluster = cluster();
    let verification = Verification::new(VerifyMode::EveryCommit, allowed(&ssh.allowed(&["ada"])));
    let good = deploy(&ada, &world, "good");
    let mut engine = Engine::start(world.source(verification.clone()), &cluster);
    engine.synced(&good).await;
    assert_eq!(live(&cluster).as_deref(), Some("good"));

    let bad = deploy(&mallory, &world, "bad");
    let (told, in_force) = engine.refused(&bad).await;
    let fingerprint = ssh.fingerprint("mallory");
    assert!(told.contains(&fingerprint) && told.contains("not among the trusted keys"), "{told}");
    assert_eq!(in_force, Some(good.clone()));
    // It is not tried again with each poll, and what is in force is still kept in force.
    let mut polls = 0;
    engine
        .until("polls", |event| match event.kind {
            EventKind::Polled { .. } => {
                polls += 1;
                (polls >= 5).then_some(())
            }
            EventKind::SourceFailed { .. } | EventKind::SyncStarted { .. } => panic!("tried again: {event}"),
            _ => None,
        })
        .await;
    let id = ResourceId::namespaced("", "ConfigMap", "shop", "web");
    cluster.update("somebody", &id, |object| object["data"]["value"] = "by hand".into()).unwrap();
    engine.synced(&good).await;
    assert_eq!(live(&cluster).as_deref(), Some("good"));
    let status = engine.reconciler.status("shop").unwrap();
    assert_eq!(status.applied.as_ref().map(|applied| applied.id.clone()), Some(good.clone()));
    assert_eq!(status.applied.unwrap().signers()[0].key, ssh.fingerprint("ada"));
    assert!(status.error.unwrap().to_string().contains(&fingerprint));

    // A restart, with the bad one still there and nothing but the target's record to know the good one from.
    engine.stop().await;
    let fresh = |name: &str| {
        http(&world.server.url(), &world.repo.root().join(name))
            .with_branch("main")
            .with_verification(verification.clone())
            .build()
            .unwrap()
    };
    let mut engine = Engine::start(fresh("second"), &cluster);
    let (_, in_force) = engine.refused(&bad).await;
    assert_eq!(in_force, Some(good.clone()));
    assert_eq!(live(&cluster).as_deref(), Some("good"));

    // Good again: the bad commit is taken out of the history.
    world.repo.git(&["reset", "--quiet", "--hard", &good]);
    let better = deploy(&ada, &world, "better");
    engine.synced(&better).await;
    assert_eq!(live(&cluster).as_deref(), Some("better"));
    engine.stop().await;

    // What was signed once is not brought back, though the engine has forgotten everything but the record.
    world.repo.git(&["push", "--quiet", "--force", "origin", &format!("{good}:refs/heads/main")]);
    let mut engine = Engine::start(fresh("third"), &cluster);
    let (told, _) = engine.refused(&good).await;
    assert!(told.contains(&format!("does not descend from {better}")), "{told}");
    assert_eq!(live(&cluster).as_deref(), Some("better"));
    engine.stop().await;
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_tag_that_is_signed_anew_is_noticed_though_the_commit_is_the_same() {
    let ssh = Ssh::new();
    let ada = ssh.key("ada", "ed25519");
    let world = World::new();
    let cluster = cluster();
    let id = deploy(&Hand::unsigned(), &world, "1");
    world.repo.git(&["tag", "-a", "-m", "plain", "v1"]);
    push_tags(&world.repo);
    let source = http(&world.server.url(), &world.repo.mirrors())
        .with_tag("v1")
        .with_verification(Verification::new(VerifyMode::Tag, allowed(&ssh.allowed(&["ada"]))))
        .build()
        .unwrap();
    let mut engine = Engine::start(source, &cluster);
    let (told, in_force) = engine.refused(&id).await;
    assert!(told.contains("tag v1 is refused: it is not signed") && in_force.is_none(), "{told}");
    assert_eq!(live(&cluster), None);
    ada.tag(&world.repo, "v1");
    engine.synced(&id).await;
    assert_eq!(live(&cluster).as_deref(), Some("1"));
    engine.stop().await;
}
