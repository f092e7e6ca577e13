use super::*;

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

/// A revision of which one object cannot be applied.
fn commit_half(world: &World) -> crate::Revision {
    let denied = FaultRule::new(Effect::Deny).on(Operation::Apply).named("denied");
    world.cluster.faults().inject(denied);
    world.commit("second", &[("new", Some("two")), ("denied", Some("two"))])
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_nothing_away_that_came_with_a_revision_which_is_only_half_in_force() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        commit_half(&world);
        assert_eq!(world.finished().await.counts.created, 1);
    });
    world.source.commit("Ben", "oops", [("shop/web.yaml", Some("a: ["))]).unwrap();
    world.edit("x", "new", "by hand");
    let mut world = world.restarted();
    beside!(world, {
        assert_eq!(world.finished().await.counts.pruned, 0);
        assert_eq!(world.value("new").as_deref(), Some("two"), "it is healed too");
    });
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_was_withdrawn_does_not_come_back_with_a_restart() {
    let mut world = World::new(|app| app);
    let first = world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        // Nothing of the second can be applied, so that going back takes no step.
        world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Apply));
        world.commit("second", &[("new", Some("two"))]);
        assert_eq!(world.finished().await.counts.failed, 1);
        world.source.reset(Some(&first.id));
        world.finished().await;
        world.cluster.faults().clear();
    });
    world.source.commit("Ben", "oops", [("shop/web.yaml", Some("a: ["))]).unwrap();
    let mut world = world.restarted();
    beside!(world, {
        world.over(seconds(600)).await;
        assert_eq!(world.value("new"), None);
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
async fn a_rewrite_is_told_to_every_application_of_the_source() {
    let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
    let app = |name: &str| {
        let target = MemoryTarget::new(cluster.clone());
        Application::builder(name, source.clone(), target).with_path(name).build().unwrap()
    };
    let reconciler =
        Reconciler::builder().with_application(app("one")).with_application(app("two")).build().unwrap();
    let both = |text: &'static str| [("one/x.yaml", Some(text)), ("two/x.yaml", Some(text))];
    let first = source.commit("Ada", "first", both("# 1")).unwrap();
    source.commit("Ada", "second", both("# 2")).unwrap();
    for name in ["one", "two"] {
        reconciler.sync(name).await.unwrap();
    }
    source.reset(Some(&first.id));
    source.commit("Ada", "third", both("# 3")).unwrap();
    let mut events = reconciler.subscribe();
    for name in ["one", "two"] {
        reconciler.sync(name).await.unwrap();
    }
    drop(reconciler);
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        if matches!(event.kind, EventKind::HistoryRewritten { .. }) {
            told.push(event.app.to_string());
        }
    }
    assert_eq!(told, ["one", "two"]);
}
