//! The reconciler on the memory backends. Time is paused: waits cost nothing, and an hour passes at once when nothing
//! else can happen.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    Application, Class, DriftPolicy, Effect, Event, EventKind, EventStream, Fault, FaultRule, Health,
    MemoryCluster, MemorySource, MemoryTarget, Operation, Prune, ResourceId, SyncReport, SyncState, Trigger,
    Verdict,
};

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

fn config(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{key: {value}}}\n"
    )
}

fn id(name: &str) -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", "shop", name)
}

struct World {
    source: MemorySource,
    cluster: MemoryCluster,
    reconciler: Reconciler,
    events: EventStream,
}

impl World {
    fn new(change: impl FnOnce(crate::ApplicationBuilder) -> crate::ApplicationBuilder) -> Self {
        let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
        Self::with(source, cluster, change)
    }

    fn with(
        source: MemorySource,
        cluster: MemoryCluster,
        change: impl FnOnce(crate::ApplicationBuilder) -> crate::ApplicationBuilder,
    ) -> Self {
        let target = MemoryTarget::new(cluster.clone());
        let app =
            Application::builder("shop", source.clone(), target).with_path("shop").with_prune(Prune::GUARDED);
        let reconciler = Reconciler::builder()
            .with_application(change(app).build().unwrap())
            .with_interval(Duration::from_secs(3600))
            .with_seed(1)
            .build()
            .unwrap();
        let events = reconciler.subscribe();
        Self { source, cluster, reconciler, events }
    }

    /// Commits the namespace and some ConfigMaps with their values.
    fn commit(&self, message: &str, configs: &[(&str, Option<&str>)]) -> crate::Revision {
        let files: Vec<(String, Option<String>)> = configs
            .iter()
            .map(|(name, value)| (format!("shop/{name}.yaml"), value.map(|value| config(name, value))))
            .chain([("shop/ns.yaml".to_owned(), Some(NAMESPACE.to_owned()))])
            .collect();
        let files = files.iter().map(|(path, content)| (path.as_str(), content.as_deref()));
        self.source.commit("Ada", message, files).unwrap()
    }

    fn value(&self, name: &str) -> Option<String> {
        Some(self.cluster.get(&id(name))?["data"]["key"].as_str()?.to_owned())
    }

    /// The next event for which `pick` has an answer, within two hours.
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&EventKind) -> Option<T>) -> T {
        let search = async {
            loop {
                let event: Event = self.events.next().await.unwrap();
                if let Some(found) = pick(&event.kind) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(7200), search)
            .await
            .unwrap_or_else(|_| panic!("never saw {what}"))
    }

    async fn finished(&mut self) -> SyncReport {
        self.until("the end of a sync", |kind| match kind {
            EventKind::SyncFinished { report } => Some(report.clone()),
            _ => None,
        })
        .await
    }
}

/// Runs the reconciler beside a test, and stops it.
macro_rules! beside {
    ($world:ident, $body:block) => {{
        let handle = $world.reconciler.handle();
        let (source, cluster) = ($world.source.clone(), $world.cluster.clone());
        let reconciler =
            std::mem::replace(&mut $world.reconciler, World::with(source, cluster, |app| app).reconciler);
        let run = tokio::spawn(async move { reconciler.run().await });
        let outcome = $body;
        handle.stop();
        run.await.unwrap().unwrap();
        outcome
    }};
}

#[tokio::test(start_paused = true)]
async fn a_commit_becomes_objects_and_a_revert_takes_it_back() {
    let mut world = World::new(|app| app);
    let first = world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        let report = world.finished().await;
        assert_eq!((report.counts.created, report.trigger), (2, Trigger::Revision));
        assert_eq!(report.revision, Some(first.clone()));
        world.commit("second", &[("web", Some("two"))]);
        assert_eq!(world.finished().await.counts.changed, 1);
        assert_eq!(world.value("web").as_deref(), Some("two"));
        world.source.revert_to("Ben", "back", &first.id).unwrap();
        assert_eq!(world.finished().await.counts.changed, 1);
        assert_eq!(world.value("web").as_deref(), Some("one"));
    });
}

#[tokio::test(start_paused = true)]
async fn idle_costs_no_request() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        let (requests, fetches) = (world.cluster.requests(), world.source.fetches());
        for _ in 0..3 {
            handle.refresh("shop").unwrap();
            let changed = world.until("a poll", |kind| match kind {
                EventKind::Polled { changed, .. } => Some(*changed),
                _ => None,
            });
            assert!(!changed.await);
        }
        assert_eq!((world.cluster.requests(), world.source.fetches()), (requests, fetches));
    });
}

#[tokio::test(start_paused = true)]
async fn drift_is_put_back_by_the_watch_and_what_git_does_not_state_is_left() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        world.cluster.update("kubectl-edit", &id("web"), |o| o["data"]["key"] = json!("by hand")).unwrap();
        let (writer, live) = world
            .until("drift", |kind| match kind {
                EventKind::Drift { differences, .. } => {
                    Some((differences[0].writer.clone(), differences[0].live.clone()))
                }
                _ => None,
            })
            .await;
        assert_eq!(writer.as_deref(), Some("kubectl-edit"));
        assert_eq!(live, gitops_diff::Shown::Value(json!("by hand")));
        assert_eq!(world.finished().await.trigger, Trigger::Live);
        assert_eq!(world.value("web").as_deref(), Some("one"));

        world.cluster.delete("kubectl-delete", &id("web")).unwrap();
        assert_eq!(world.finished().await.counts.created, 1);

        let noted = world.cluster.update("kubectl", &id("web"), |o| o["data"]["other"] = json!("x")).unwrap();
        let after = world.until("nothing", |kind| match kind {
            EventKind::Object { .. } | EventKind::Drift { .. } => Some(()),
            _ => None,
        });
        assert!(tokio::time::timeout(Duration::from_secs(600), after).await.is_err());
        assert_eq!(world.cluster.get(&id("web")), Some(noted));
    });
}

#[tokio::test(start_paused = true)]
async fn drift_can_be_reported_only() {
    let mut world = World::new(|app| app.with_drift(DriftPolicy::Report));
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        world.cluster.update("kubectl-edit", &id("web"), |o| o["data"]["key"] = json!("by hand")).unwrap();
        world.until("drift", |kind| matches!(kind, EventKind::Drift { .. }).then_some(())).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.value("web").as_deref(), Some("by hand"));
        assert_eq!(handle.status("shop").unwrap().sync, SyncState::OutOfSync);
    });
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_cannot_be_read_changes_nothing_and_the_last_good_one_is_still_healed() {
    let mut world = World::new(|app| app);
    let good = world.commit("first", &[("web", Some("one")), ("old", Some("kept"))]);
    beside!(world, {
        world.finished().await;
        let bad = world
            .source
            .commit("Ben", "oops", [("shop/web.yaml", Some("a: [")), ("shop/old.yaml", None)])
            .unwrap();
        let (fault, in_force) = world
            .until("an error", |kind| match kind {
                EventKind::SourceFailed { fault, in_force, revision } if *revision == Some(bad.clone()) => {
                    Some((fault.clone(), in_force.clone()))
                }
                _ => None,
            })
            .await;
        assert!(fault.at.as_deref().unwrap().starts_with("shop/web.yaml:1"), "{fault:?}");
        assert_eq!((fault.class, in_force), (Class::Invalid, Some(good)));
        assert_eq!(world.value("old").as_deref(), Some("kept"));
        world.cluster.delete("somebody", &id("web")).unwrap();
        assert_eq!(world.finished().await.counts.created, 1);
        assert_eq!(world.value("web").as_deref(), Some("one"));
    });
}

#[tokio::test(start_paused = true)]
async fn a_restart_heals_towards_the_recorded_revision_when_the_new_one_is_broken() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
    });
    world.source.commit("Ben", "oops", [("shop/web.yaml", Some("a: ["))]).unwrap();
    world.cluster.delete("somebody", &id("web")).unwrap();
    let mut world = World::with(world.source, world.cluster, |app| app);
    beside!(world, {
        assert_eq!(world.finished().await.counts.created, 1);
    });
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_sync_writes_nothing() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
    });
    let before: Vec<_> = world.cluster.ids().iter().map(|id| world.cluster.get(id)).collect();
    let mut world = World::with(world.source, world.cluster, |app| app);
    beside!(world, {
        let report = world.finished().await;
        assert_eq!((report.counts.unchanged, report.counts.changed), (2, 0));
    });
    let after: Vec<_> = world.cluster.ids().iter().map(|id| world.cluster.get(id)).collect();
    assert_eq!(before, after);
}

#[tokio::test(start_paused = true)]
async fn too_large_a_prune_waits_for_exactly_its_approval() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        let nothing = [
            ("shop/ns.yaml", None),
            ("shop/web.yaml", None),
            ("shop/api.yaml", None),
            ("shop/README", Some("empty")),
        ];
        world.source.commit("Cleo", "clean up", nothing).unwrap();
        let digest = world
            .until("a request for approval", |kind| match kind {
                EventKind::ApprovalNeeded { digest, .. } => Some(*digest),
                _ => None,
            })
            .await;
        assert_eq!(world.cluster.ids().len(), 3);
        assert_eq!(handle.status("shop").unwrap().needs_approval, Some(digest));
        let wrong = crate::Approval::new("shop".parse().unwrap(), crate::Digest::of(b"other"), "ada");
        handle.approve(wrong).unwrap();
        world
            .until("another request", |kind| matches!(kind, EventKind::ApprovalNeeded { .. }).then_some(()))
            .await;
        assert_eq!(world.cluster.ids().len(), 3);
        handle.approve(crate::Approval::new("shop".parse().unwrap(), digest, "ada")).unwrap();
        assert_eq!(world.finished().await.counts.pruned, 2);
        // The policy does not name namespaces.
        assert_eq!(world.cluster.ids(), [ResourceId::global("", "Namespace", "shop")]);
    });
}

#[tokio::test(start_paused = true)]
async fn one_bad_object_stops_only_itself_and_is_tried_again() {
    let mut world = World::new(|app| app);
    world.cluster.faults().inject(
        FaultRule::new(Effect::Throttle(Duration::from_secs(1))).on(Operation::Apply).named("web").times(2),
    );
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    beside!(world, {
        let report = world.finished().await;
        assert_eq!((report.counts.created, report.counts.failed), (2, 1));
        let attempt = |kind: &EventKind| match kind {
            EventKind::RetryScheduled { attempt, .. } => Some(*attempt),
            _ => None,
        };
        assert_eq!(world.until("a retry", attempt).await, 1);
        assert_eq!(world.until("a retry", attempt).await, 2);
        let report = world.finished().await;
        assert_eq!((report.counts.created, report.counts.unchanged, report.trigger), (1, 2, Trigger::Retry));
    });
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_failure_is_blocked_and_nothing_is_pruned_before_it_is_mended() {
    let mut world = World::new(|app| app);
    world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Apply).of_kind("", "Namespace"));
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        let cause = world
            .until("a blocked object", |kind| match kind {
                EventKind::Object { outcome, .. } => match &outcome.verdict {
                    Verdict::Blocked { cause } => Some(cause.clone()),
                    _ => None,
                },
                _ => None,
            })
            .await;
        assert!(cause.contains("Namespace/shop") && cause.contains("forbidden"), "{cause}");
        world.cluster.faults().clear();
        assert_eq!(world.finished().await.counts.failed, 1);
        assert_eq!(world.finished().await.counts.created, 2);
    });
}

#[tokio::test(start_paused = true)]
async fn foreign_objects_are_conflicts() {
    let mut world = World::new(|app| app);
    let text = [NAMESPACE, &config("web", "theirs")];
    for object in text {
        let object: serde_json::Value = serde_saphyr::from_str(object).unwrap();
        world.cluster.create("kubectl", &object).unwrap();
    }
    world.commit("first", &[("web", Some("ours"))]);
    beside!(world, {
        let report = world.finished().await;
        assert_eq!(report.counts.failed, 2);
        assert_eq!(world.value("web").as_deref(), Some("theirs"));
    });
}

#[tokio::test(start_paused = true)]
async fn suspended_applications_drift_and_resumed_ones_are_healed() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        handle.suspend("shop").unwrap();
        world.until("suspension", |kind| (*kind == EventKind::Suspended).then_some(())).await;
        world.cluster.update("x", &id("web"), |o| o["data"]["key"] = json!("by hand")).unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(world.value("web").as_deref(), Some("by hand"));
        handle.resume("shop").unwrap();
        world.finished().await;
        assert_eq!(world.value("web").as_deref(), Some("one"));
        assert!(handle.suspend("nobody").is_err());
    });
}

#[tokio::test(start_paused = true)]
async fn interrupted_and_expired_watches_catch_up() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    beside!(world, {
        world.finished().await;
        for expire in [false, true] {
            world.cluster.interrupt_watches();
            world.until("blindness", |kind| matches!(kind, EventKind::Blind { .. }).then_some(())).await;
            world.cluster.update("x", &id("web"), |o| o["data"]["key"] = json!("by hand")).unwrap();
            if expire {
                world.cluster.expire_watches();
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(world.value("web").as_deref(), Some("by hand"));
            world.cluster.resume_watches();
            let report = world.finished().await;
            assert_eq!((report.counts.changed, report.trigger), (1, Trigger::Live));
            assert_eq!(report.counts.unchanged, if expire { 2 } else { 0 });
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_fight_is_noticed_and_slowed_down() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        let mut corrections = 0;
        let writer = loop {
            world.cluster.update("other-tool", &id("web"), |o| o["data"]["key"] = json!("theirs")).unwrap();
            let fight = world
                .until("a correction or a fight", |kind| match kind {
                    EventKind::Fight { writer, .. } => Some(writer.clone()),
                    EventKind::SyncFinished { .. } => Some(None),
                    _ => None,
                })
                .await;
            match fight {
                Some(writer) => break writer,
                None => corrections += 1,
            }
            assert!(corrections < 50);
        };
        assert_eq!(writer, "other-tool");
        // It is not given up.
        assert_eq!(world.finished().await.counts.changed, 1);
        assert_eq!(world.value("web").as_deref(), Some("one"));
    });
}

#[tokio::test(start_paused = true)]
async fn the_source_may_fail_and_come_back() {
    let mut world = World::new(|app| app);
    world.source.fail_with(Some(Fault::retry("connection refused")));
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        for _ in 0..3 {
            world
                .until("a failure", |kind| matches!(kind, EventKind::SourceFailed { .. }).then_some(()))
                .await;
        }
        world.source.fail_with(None);
        assert_eq!(world.finished().await.counts.created, 2);
    });
}

#[tokio::test(start_paused = true)]
async fn the_history_may_be_rewritten() {
    let mut world = World::new(|app| app);
    let first = world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        let second = world.commit("second", &[("web", Some("two"))]);
        world.finished().await;
        world.source.reset(Some(&first.id));
        world.commit("third", &[("web", Some("three"))]);
        let from = world.until("a rewrite", |kind| match kind {
            EventKind::HistoryRewritten { from, .. } => Some(from.clone()),
            _ => None,
        });
        assert_eq!(from.await, second.id);
        world.finished().await;
        assert_eq!(world.value("web").as_deref(), Some("three"));
        world.source.reset(None);
        let fault = world.until("a missing branch", |kind| match kind {
            EventKind::SourceFailed { fault, .. } => Some(fault.clone()),
            _ => None,
        });
        assert_eq!(fault.await.class, Class::NotFound);
        assert_eq!(world.value("web").as_deref(), Some("three"));
    });
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_and_the_engine_goes_on() {
    let source = MemorySource::new("config");
    let cluster = MemoryCluster::new();
    let app =
        Application::builder("shop", source.clone(), MemoryTarget::new(cluster.clone())).with_path("shop");
    let reconciler =
        Reconciler::builder().with_application(app.build().unwrap()).with_event_capacity(4).build().unwrap();
    let mut events = reconciler.subscribe();
    let names: Vec<(String, String)> =
        (0..50).map(|n| (format!("shop/{n}.yaml"), config(&format!("c{n}"), "x"))).collect();
    source.commit("Ada", "many", names.iter().map(|(p, c)| (p.as_str(), Some(c.as_str())))).unwrap();
    source.commit("Ada", "ns", [("shop/ns.yaml", Some(NAMESPACE))]).unwrap();
    let report = reconciler.sync("shop").await.unwrap();
    assert_eq!(report.counts.created, 51);
    let first = events.next().await.unwrap();
    assert!(matches!(first.kind, EventKind::Lagged { missed } if missed > 40), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn single_actions_plan_apply_and_remove() {
    let world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let plan = world.reconciler.plan("shop").await.unwrap();
    assert_eq!((plan.steps().count(), world.cluster.ids().len()), (2, 0));
    let report = world.reconciler.apply(plan.approve("ada")).await.unwrap();
    assert_eq!(report.counts.created, 2);
    let stale = world.reconciler.apply(plan.approve("ada")).await.unwrap_err();
    assert!(
        matches!(&stale, SyncError::Stale { moved, .. } if moved.contains("no longer: create ConfigMap/shop/web")),
        "{stale}"
    );
    assert!(world.reconciler.plan("shop").await.unwrap().in_sync());
    assert_eq!(
        world.reconciler.wait_healthy("shop", Duration::from_secs(1)).await.unwrap().health,
        Health::Healthy
    );
    assert!(world.reconciler.recall("shop").await.unwrap().is_some());

    let removed = world.reconciler.remove("shop", Removal::Release, None).await.unwrap();
    assert_eq!(removed.counts.released, 2);
    let left = world.cluster.get(&id("web")).unwrap();
    assert_eq!(left["metadata"]["labels"], json!({}));
    assert_eq!(left["metadata"].get("managedFields"), None);
    assert!(world.reconciler.recall("shop").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn destroying_is_guarded() {
    let world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    let refused = world.reconciler.remove("shop", Removal::Destroy, None).await.unwrap_err();
    let SyncError::NeedsApproval { plan, .. } = refused else { panic!("{refused}") };
    let report = world.reconciler.remove("shop", Removal::Destroy, Some(plan.approve("ada"))).await.unwrap();
    assert_eq!(report.counts.pruned, 1);
    assert_eq!(world.cluster.ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_write_leaves_no_orphan() {
    for effect in [Effect::CrashBefore, Effect::CrashAfter] {
        for nth in 0..6 {
            let world = World::new(|app| app.with_prune_kind(crate::GroupKind::new("", "Namespace")));
            world.commit("first", &[("web", Some("one")), ("old", Some("kept"))]);
            world.cluster.faults().inject(FaultRule::new(effect).on(Operation::Apply).after(nth).times(1));
            let crash = tokio::time::timeout(Duration::from_secs(5), world.reconciler.sync("shop")).await;
            assert_eq!(crash.is_err(), nth < 3, "{effect:?} {nth}");
            // The next process has another desired state, and still finds what the dead one left.
            world.cluster.faults().clear();
            world.commit("second", &[("web", Some("two")), ("old", None)]);
            let next = World::with(world.source.clone(), world.cluster.clone(), |app| app);
            next.reconciler.sync("shop").await.unwrap();
            assert_eq!(next.value("web").as_deref(), Some("two"));
            assert_eq!(next.value("old"), None, "{effect:?} {nth}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_running_steps_end() {
    let world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    handle.stop();
    tokio::time::timeout(Duration::from_secs(1), world.reconciler.run()).await.unwrap().unwrap();
    assert!(world.cluster.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn admission_that_insists_is_overruled_and_not_fought() {
    let mut world = World::new(|app| app);
    world.cluster.set_admission(|object| {
        if object["kind"] == "ConfigMap" {
            object["data"]["key"] = json!("policy");
        }
    });
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        let fields = world
            .until("an overruled field", |kind| match kind {
                EventKind::Object { outcome, .. } => match &outcome.verdict {
                    Verdict::Overruled { fields } => Some(fields.clone()),
                    _ => None,
                },
                _ => None,
            })
            .await;
        assert_eq!(fields, [".data.key"]);
        world.finished().await;
        let written = world.cluster.get(&id("web")).unwrap();
        handle.sync("shop").unwrap();
        let report = world.finished().await;
        assert_eq!(report.counts.changed, 0, "{report:?}");
        assert_eq!(world.cluster.get(&id("web")), Some(written));
    });
}

#[test]
fn builders_refuse_what_cannot_work() {
    let app =
        || Application::builder("shop", MemorySource::new("a"), MemoryTarget::new(MemoryCluster::new()));
    assert!(matches!(Reconciler::builder().build(), Err(BuildError::NoApplication)));
    let twice = Reconciler::builder()
        .with_application(app().build().unwrap())
        .with_application(app().build().unwrap());
    assert!(matches!(twice.build(), Err(BuildError::Twice(_))));
    let zero = Reconciler::builder().with_application(app().build().unwrap()).with_interval(Duration::ZERO);
    assert!(matches!(zero.build(), Err(BuildError::Zero(_))));
    assert!(app().with_path("../up").build().is_err());
    assert!(app().with_prune(Prune::Guarded { max_percent: 101 }).build().is_err());
}
