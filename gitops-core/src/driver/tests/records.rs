//! What is recorded of deployments: what was attempted, applied and Healthy, and what was healed.

use super::*;
use crate::{AppRecord, Assessment, DriftPolicy, HealthRule, Timestamp};

/// A ConfigMap is as healthy as its `status` says, and Progressing without one.
#[derive(Debug)]
struct ByStatus;

impl HealthRule for ByStatus {
    fn assess(&self, object: &serde_json::Value, _: Timestamp) -> Option<Assessment> {
        (object["kind"] == "ConfigMap").then(|| {
            Assessment::new(match object["status"]["health"].as_str() {
                Some("good") => Health::Healthy,
                Some("bad") => Health::Degraded,
                _ => Health::Progressing,
            })
        })
    }
}

fn world(source: MemorySource, cluster: MemoryCluster) -> World {
    let target = MemoryTarget::new(cluster.clone()).with_health_rule(ByStatus);
    World::of(source.clone(), source, cluster, target, |app| app, |builder| builder)
}

fn new_world() -> World {
    world(MemorySource::new("config"), MemoryCluster::new())
}

impl World {
    /// A controller says how an object is doing.
    fn health(&self, name: &str, health: &str) {
        self.cluster.update_status("controller", &id(name), json!({"health": health})).unwrap();
    }

    /// What is recorded, as another process reads it.
    async fn record(&self) -> AppRecord {
        let other = World::with(self.source.clone(), self.cluster.clone(), |app| app);
        other.reconciler.recall("shop").await.unwrap().unwrap()
    }

    async fn last_good(&self) -> Option<crate::Revision> {
        self.record().await.deployments.last_good().map(|(revision, _)| revision.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn what_becomes_healthy_later_is_recorded_once() {
    let mut world = new_world();
    let first = world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    beside!(world, {
        world.finished().await;
        world.over(seconds(10)).await;
        let record = world.record().await;
        let current = record.deployments.current().unwrap();
        assert_eq!((&current.revision, current.healthy), (&first, None));
        assert!(current.applied.is_some());
        assert_eq!((current.counts.created, current.changes.len()), (3, 3));
        assert_eq!(record.deployments.last_good(), None, "applied is not Healthy");

        world.health("web", "good");
        world.over(seconds(10)).await;
        assert_eq!(world.last_good().await, None, "one of two is not all");
        world.health("api", "bad");
        world.over(seconds(10)).await;
        assert_eq!(world.last_good().await, None);
        world.health("api", "good");
        let told = world.over(seconds(10)).await;
        let good = EventKind::RevisionHealthy { revision: first.clone() };
        assert_eq!(told.iter().filter(|kind| **kind == good).count(), 1, "{told:?}");
        let healthy = world.record().await;
        assert_eq!(world.last_good().await, Some(first.clone()));
        assert_eq!((healthy.outcomes, healthy.finished), (record.outcomes, record.finished));

        // Whatever happens later to its health, it was Healthy; and nothing more is asked or written.
        let (version, requests) = (world.cluster.version(), world.cluster.requests());
        let told = world.over(seconds(36_000)).await;
        assert!(!told.contains(&good));
        assert_eq!((world.cluster.version(), world.cluster.requests()), (version, requests));
        world.health("api", "bad");
        world.over(seconds(10)).await;
        let requests = world.cluster.requests();
        world.health("api", "good");
        world.over(seconds(10)).await;
        // One look each at what changed, and no session.
        assert_eq!(world.cluster.requests(), requests + 1);
        assert_eq!(world.record().await.deployments, healthy.deployments);
    });
}

#[tokio::test(start_paused = true)]
async fn the_last_good_is_not_the_last_applied_and_a_restart_knows_it() {
    let mut first_process = new_world();
    let good = first_process.commit("good", &[("web", Some("one"))]);
    let bad = beside!(first_process, {
        first_process.finished().await;
        first_process.health("web", "good");
        first_process.over(seconds(10)).await;
        first_process.health("web", "bad");
        let bad = first_process.commit("bad", &[("web", Some("two"))]);
        first_process.over(seconds(7200)).await;
        bad
    });
    let mut world = world(first_process.source, first_process.cluster);
    beside!(world, {
        world.over(seconds(7200)).await;
        let record = world.record().await;
        assert_eq!((record.applied.as_ref(), world.last_good().await), (Some(&bad), Some(good.clone())));
        let recent = &record.deployments.recent;
        let summary: Vec<_> = recent.iter().map(|one| (&one.revision, one.healthy.is_some())).collect();
        assert_eq!(summary, [(&good, true), (&bad, false)]);
        // It gets well, seen by a process that did not deploy it.
        world.health("web", "good");
        world.over(seconds(10)).await;
        assert_eq!(world.last_good().await, Some(bad));
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_not_wholly_applied_or_read_is_never_healthy() {
    let mut world = new_world();
    world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Apply).named("api"));
    let first = world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    beside!(world, {
        world.finished().await;
        world.health("web", "good");
        world.over(seconds(7200)).await;
        let record = world.record().await;
        let current = record.deployments.current().unwrap();
        assert_eq!((current.applied, current.healthy), (None, None));
        assert_eq!(record.deployments.recent.len(), 1, "each attempt is the same deployment");

        // Now it is applied; but what was Healthy cannot be seen any more.
        let unreadable = FaultRule::new(Effect::Deny).on(Operation::Read).of_kind("", "ConfigMap");
        world.cluster.faults().clear();
        world.over(seconds(7200)).await;
        world.cluster.faults().inject(unreadable);
        world.health("api", "good");
        world.over(seconds(7200)).await;
        assert_eq!(world.last_good().await, None);
        world.cluster.faults().clear();
    });
    let mut world = self::world(world.source, world.cluster);
    beside!(world, {
        world.over(seconds(60)).await;
        assert_eq!(world.last_good().await, Some(first));
    });
}

#[tokio::test(start_paused = true)]
async fn drift_that_is_left_keeps_a_revision_from_being_healthy() {
    let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
    let target = MemoryTarget::new(cluster.clone()).with_health_rule(ByStatus);
    let report = |app: ApplicationBuilder| app.with_drift(DriftPolicy::Report);
    let mut world = World::of(source.clone(), source, cluster, target, report, |builder| builder);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        world.edit("kubectl", "web", "by hand");
        world.over(seconds(10)).await;
        world.health("web", "good");
        world.over(seconds(10)).await;
        let record = world.record().await;
        assert_eq!((record.deployments.last_good(), record.deployments.healed.len()), (None, 0));
        world.edit("kubectl", "web", "one");
        world.over(seconds(10)).await;
        assert!(world.last_good().await.is_some());
    });
}

#[tokio::test(start_paused = true)]
async fn healed_drift_names_the_manager() {
    let mut world = new_world();
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    beside!(world, {
        world.finished().await;
        for _ in 0..2 {
            world.edit("kubectl", "web", "by hand");
            world.finished().await;
        }
        world.cluster.delete("somebody", &id("api")).unwrap();
        world.finished().await;
        let deployments = world.record().await.deployments;
        let healed: Vec<_> = deployments
            .healed
            .iter()
            .map(|one| (&one.drift.id, one.drift.by.as_deref(), one.drift.fields.join(" "), one.times))
            .collect();
        let field = ".data.key".to_owned();
        assert_eq!(healed, [(&id("web"), Some("kubectl"), field, 2), (&id("api"), None, String::new(), 1)]);
        assert!(!serde_json::to_string(&deployments.healed).unwrap().contains("by hand"));
        // What was put back is not what the revision changed.
        let current = deployments.current().unwrap();
        assert_eq!((current.counts.created, current.counts.changed, current.changes.len()), (3, 0, 3));
    });
    // Nobody was there to see it: the next process heals it, and knows from the record that it is drift.
    world.edit("k9s", "web", "at night");
    let mut world = self::world(world.source, world.cluster);
    beside!(world, {
        world.finished().await;
        let healed = world.record().await.deployments.healed;
        assert_eq!(healed.last().unwrap().drift.by.as_deref(), Some("k9s"));
    });
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_recorded_is_tried_again_later_and_not_at_once() {
    let mut world = new_world();
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Record));
        world.health("web", "good");
        let requests = world.cluster.requests();
        let seen = world.over(seconds(1800)).await;
        assert!(!seen.iter().any(|kind| matches!(kind, EventKind::SyncFailed { .. })), "{seen:?}");
        // A look, and one attempt of two requests.
        assert_eq!(world.cluster.requests(), requests + 3);
        for n in 0..20 {
            world.cluster.update("x", &id("web"), |object| object["data"]["more"] = json!(n)).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.over(seconds(10)).await;
        // Many looks in a moment are one more attempt.
        assert_eq!(world.cluster.requests(), requests + 3 + 20 + 2);
        assert_eq!(world.last_good().await, None);
        world.cluster.faults().clear();
        // The next poll is the next pass.
        world.over(seconds(3600)).await;
        assert!(world.last_good().await.is_some());
    });
}

#[tokio::test(start_paused = true)]
async fn a_revision_in_which_nothing_changed_is_healthy_with_the_one_before() {
    let mut world = new_world();
    let first = world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        let second = world.source.commit("Ben", "docs", [("README.md", Some("words"))]).unwrap();
        while world.finished().await.revision.as_ref() != Some(&second) {}
        world.health("web", "good");
        world.over(seconds(10)).await;
        assert_eq!(world.last_good().await, Some(first));
        // Healing towards the second makes it a deployment of its own, which changed nothing.
        world.edit("kubectl", "web", "by hand");
        world.over(seconds(10)).await;
        let record = world.record().await;
        let current = record.deployments.current().unwrap();
        assert_eq!((&current.revision, current.counts.changed), (&second, 0));
        assert!(current.applied.is_some() && record.applied == Some(second.clone()));
        assert_eq!(world.last_good().await, Some(second));
    });
}

#[tokio::test(start_paused = true)]
async fn another_process_that_moved_on_is_not_overwritten() {
    let world = new_world();
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    let second = world.commit("second", &[("web", Some("two"))]);
    let other = self::world(world.source.clone(), world.cluster.clone());
    other.reconciler.sync("shop").await.unwrap();
    let late = self::world(world.source.clone(), world.cluster.clone());
    late.reconciler.sync("shop").await.unwrap();
    world.health("web", "good");
    let health = world.reconciler.wait_healthy("shop", seconds(60)).await.unwrap();
    assert_eq!(health.health, Health::Healthy);
    let record = world.record().await;
    assert_eq!((record.attempted.as_ref(), record.deployments.last_good()), (Some(&second), None));
    assert_eq!(record.deployments.recent.len(), 2);
    // The other one knows what it deployed; and what it removed does not come back.
    other.reconciler.wait_healthy("shop", seconds(60)).await.unwrap();
    assert_eq!(world.last_good().await, Some(second));
    other.reconciler.remove("shop", Removal::Release, None).await.unwrap();
    assert_eq!(late.reconciler.wait_healthy("shop", seconds(60)).await.unwrap().health, Health::Healthy);
    assert_eq!(late.reconciler.recall("shop").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_single_sync_records_it_when_it_waits_or_when_it_looks_again() {
    let world = new_world();
    let first = world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    let not_yet = world.reconciler.wait_healthy("shop", seconds(5)).await.unwrap();
    assert_eq!((not_yet.health, world.last_good().await), (Health::Progressing, None));

    // Not Healthy, nothing changed: nothing is written.
    let version = world.record().await;
    world.reconciler.sync("shop").await.unwrap();
    assert_eq!(world.record().await, version);

    let waiting = world.reconciler.wait_healthy("shop", seconds(60));
    let controller = async {
        tokio::time::sleep(seconds(3)).await;
        world.health("web", "good");
    };
    let (health, ()) = tokio::join!(waiting, controller);
    assert_eq!((health.unwrap().health, world.last_good().await), (Health::Healthy, Some(first.clone())));

    // Recorded: nothing is written, by this process or another.
    let recorded = world.record().await;
    for process in [&world.reconciler, &self::world(world.source.clone(), world.cluster.clone()).reconciler] {
        process.sync("shop").await.unwrap();
        process.wait_healthy("shop", seconds(60)).await.unwrap();
        assert_eq!(world.record().await, recorded);
    }

    // Nobody waited for the second; whoever looks later records it.
    let second = world.commit("second", &[("web", Some("two"))]);
    world.health("web", "on its way");
    world.reconciler.sync("shop").await.unwrap();
    world.health("web", "good");
    assert_eq!(world.last_good().await, Some(first));
    world.reconciler.sync("shop").await.unwrap();
    assert_eq!(world.last_good().await, Some(second));
}
