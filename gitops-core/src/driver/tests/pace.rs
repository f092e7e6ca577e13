//! When the engine looks, and how often: not too seldom, and never in a hot loop.

use super::*;
use crate::{Assessment, HealthRule, ManualClock, Timestamp};

#[tokio::test(start_paused = true)]
async fn a_target_without_a_watch_is_looked_at_with_every_poll_and_no_oftener() {
    let (mut world, hooks) =
        World::hooked(|builder| builder.with_interval(seconds(60)), |target| target.watches = false);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        let looks = hooks.calls("observe");
        world.over(seconds(600)).await;
        let looks = hooks.calls("observe") - looks;
        assert!((9..=12).contains(&looks), "{looks} looks in ten minutes");
        assert!(hooks.calls("watch") <= 1);
        world.edit("x", "web", "by hand");
        world.over(seconds(61)).await;
        assert_eq!(world.value("web").as_deref(), Some("one"));
    });
}

/// Says that it wants to be asked again at once.
#[derive(Debug)]
struct Impatient;

impl HealthRule for Impatient {
    fn assess(&self, object: &serde_json::Value, _now: Timestamp) -> Option<Assessment> {
        (object["kind"] == "ConfigMap")
            .then(|| Assessment::new(Health::Progressing).recheck_after(Duration::ZERO))
    }
}

#[tokio::test(start_paused = true)]
async fn a_health_rule_cannot_make_a_hot_loop() {
    let (mut world, hooks) = World::hooked(
        |builder| builder,
        |target| target.inner = target.inner.clone().with_health_rule(Impatient),
    );
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        let looks = hooks.calls("look");
        world.over(seconds(100)).await;
        let looks = hooks.calls("look") - looks;
        assert!((50..=110).contains(&looks), "{looks} looks in 100 s");
    });
}

/// Progressing for a minute after it was created, then degraded.
#[derive(Debug)]
struct Grace;

impl HealthRule for Grace {
    fn assess(&self, object: &serde_json::Value, now: Timestamp) -> Option<Assessment> {
        if object["kind"] != "ConfigMap" {
            return None;
        }
        let created: Timestamp = object["metadata"]["creationTimestamp"].as_str()?.parse().ok()?;
        let age = now.as_second() - created.as_second();
        Some(if age < 60 {
            let left = u64::try_from(60 - age).unwrap();
            Assessment::new(Health::Progressing)
                .because("Waiting", "for a minute")
                .recheck_after(seconds(left))
        } else {
            Assessment::new(Health::Degraded).because("TooLate", "nothing happened")
        })
    }
}

#[derive(Debug)]
struct Shared(std::sync::Arc<ManualClock>);
impl crate::Clock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

#[tokio::test(start_paused = true)]
async fn health_that_changes_by_time_alone_is_seen() {
    let clock = std::sync::Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let cluster = MemoryCluster::with_clock(Shared(clock.clone()));
    let source = MemorySource::new("config");
    let target = MemoryTarget::new(cluster.clone()).with_health_rule(Grace);
    let mut world = World::of(
        source.clone(),
        source,
        cluster,
        target,
        |app| app,
        |builder| builder.with_clock(Shared(clock.clone())),
    );
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        assert_eq!(handle.status("shop").unwrap().health, Health::Progressing);
        let requests = world.cluster.requests();
        world.over(seconds(30)).await;
        assert_eq!(world.cluster.requests(), requests, "nothing is looked at before it is time");
        clock.advance(seconds(60));
        let (of, from, to) = world
            .until("another health", |kind| match kind {
                EventKind::Health { id, from, to } if to.health == Health::Degraded => {
                    Some((id.clone(), *from, to.clone()))
                }
                _ => None,
            })
            .await;
        assert_eq!((of, from), (Some(id("web")), Health::Progressing));
        assert_eq!(to.reason, "TooLate");
        world.over(seconds(1)).await;
        assert_eq!(handle.status("shop").unwrap().health, Health::Degraded);
    });
}

#[tokio::test(start_paused = true)]
async fn waiting_for_health_ends_in_time_and_tells_what_is_unknown() {
    let (world, _) = World::hooked(
        |builder| builder,
        |target| target.inner = target.inner.clone().with_health_rule(Impatient),
    );
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    let begun = tokio::time::Instant::now();
    let health = world.reconciler.wait_healthy("shop", seconds(30)).await.unwrap();
    assert_eq!(health.health, Health::Progressing);
    assert!(begun.elapsed() < seconds(35));
    world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Read).of_kind("", "ConfigMap"));
    let health = world.reconciler.wait_healthy("shop", seconds(3)).await.unwrap();
    assert_eq!(health.health, Health::Unknown, "{health}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_health_does_not_wait_for_a_target_that_hangs() {
    let (world, hooks) = World::hooked(|builder| builder, |_| ());
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    hooks.on("look", hooks::Hook::Hang, 100);
    let waited = tokio::time::timeout(seconds(60), world.reconciler.wait_healthy("shop", seconds(30))).await;
    assert!(waited.is_ok_and(|health| health.is_err()));
}

#[tokio::test(start_paused = true)]
async fn the_interval_and_the_resync_come_with_jitter() {
    let (mut world, hooks) = World::hooked(
        |builder| builder.with_interval(seconds(100)).with_jitter(0.5).with_resync(seconds(1000)),
        |_| (),
    );
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        let (polls, looks) = (world.source.polls(), hooks.calls("observe"));
        world.over(seconds(10_000)).await;
        let (polls, looks) = (world.source.polls() - polls, hooks.calls("observe") - looks);
        assert!((105..200).contains(&polls), "{polls}");
        assert!((10..20).contains(&looks), "{looks}");
    });
}

#[tokio::test(start_paused = true)]
async fn a_commit_looks_at_all_members_only_to_take_something_away() {
    let (mut world, hooks) = World::hooked(|builder| builder, |_| ());
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    beside!(world, {
        world.finished().await;
        let looks = hooks.calls("observe");
        let second = world.commit("second", &[("web", Some("two")), ("new", Some("one"))]);
        let report = world.finished().await;
        let counts = report.counts;
        assert_eq!((counts.created, counts.changed, counts.unchanged), (1, 1, 2));
        assert_eq!((report.revision, hooks.calls("observe")), (Some(second), looks));
        // Drift is seen all the same, and so is what was changed by hand while nobody had told of it yet.
        world.edit("x", "api", "by hand");
        world.commit("third", &[("web", Some("three"))]);
        world.finished().await;
        world.over(seconds(1)).await;
        assert_eq!(world.value("api").as_deref(), Some("one"));
        let looks = hooks.calls("observe");
        world.commit("fourth", &[("new", None)]);
        assert_eq!(world.finished().await.counts.pruned, 1);
        assert_eq!(hooks.calls("observe"), looks + 1);
    });
}
