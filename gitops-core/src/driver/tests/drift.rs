use super::*;

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
        assert_eq!(live.value(), Some(&json!("by hand")));
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
async fn reported_drift_is_not_put_back_by_what_nobody_asked_for() {
    let mut world = World::new(|app| app.with_drift(DriftPolicy::Report));
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        world.edit("kubectl-edit", "web", "by hand");
        world.until("drift", |kind| matches!(kind, EventKind::Drift { .. }).then_some(())).await;
        // A watch that expired makes the engine compare everything; and a deleted object is drift as well.
        world.cluster.interrupt_watches();
        world.until("blindness", |kind| matches!(kind, EventKind::Blind { .. }).then_some(())).await;
        world.cluster.delete("x", &id("api")).unwrap();
        world.cluster.expire_watches();
        world.cluster.resume_watches();
        world.over(seconds(600)).await;
        assert_eq!((world.value("web").as_deref(), world.value("api")), (Some("by hand"), None));
        assert_eq!(handle.status("shop").unwrap().sync, SyncState::OutOfSync);
        handle.sync("shop").unwrap();
        world.until("it put back", |kind| matches!(kind, EventKind::Object { .. }).then_some(())).await;
        world.finished().await;
        assert_eq!(
            (world.value("web").as_deref(), world.value("api").as_deref()),
            (Some("one"), Some("one"))
        );
        assert_eq!(handle.status("shop").unwrap().sync, SyncState::Synced);
        world.edit("kubectl-edit", "web", "by hand");
        world.until("drift", |kind| matches!(kind, EventKind::Drift { .. }).then_some(())).await;
    });
    let mut world = World::with(world.source, world.cluster, |app| app.with_drift(DriftPolicy::Report));
    beside!(world, {
        world.finished().await;
        assert_eq!(world.value("web").as_deref(), Some("by hand"), "a restart is no reason");
        // The next revision is.
        world.commit("second", &[("api", Some("two"))]);
        world.until("it put back", |kind| matches!(kind, EventKind::Object { .. }).then_some(())).await;
        world.finished().await;
        assert_eq!(world.value("web").as_deref(), Some("one"));
    });
}

#[tokio::test(start_paused = true)]
async fn reported_drift_of_one_object_is_not_forgotten_over_another() {
    let mut world = World::new(|app| app.with_drift(DriftPolicy::Report));
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        world.edit("kubectl-edit", "web", "by hand");
        world.over(seconds(1)).await;
        world.cluster.update("x", &id("api"), |object| object["data"]["more"] = json!("x")).unwrap();
        world.over(seconds(1)).await;
        assert_eq!(handle.status("shop").unwrap().sync, SyncState::OutOfSync);
        world.edit("kubectl-edit", "web", "one");
        world.over(seconds(1)).await;
        assert_eq!(handle.status("shop").unwrap().sync, SyncState::Synced);
    });
}

#[tokio::test(start_paused = true)]
async fn a_fighter_that_never_rests_is_slowed_down_and_the_status_says_so() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        let cluster = world.cluster.clone();
        // It writes every 100 ms, whether or not it was corrected.
        let fighter = tokio::spawn(async move {
            for n in 0..6_000 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                cluster.update("other", &id("web"), |o| o["data"]["key"] = json!(format!("v{n}"))).unwrap();
            }
        });
        let seen = world.over(seconds(500)).await;
        let corrections = seen.iter().filter(|kind| matches!(kind, EventKind::SyncFinished { .. })).count();
        let told = seen.iter().filter(|kind| matches!(kind, EventKind::Fight { .. })).count();
        assert!((5..40).contains(&corrections), "{corrections} corrections in 500 s");
        assert!((1..40).contains(&told), "told {told} times");
        assert_eq!(handle.status("shop").unwrap().sync, SyncState::OutOfSync);
        fighter.abort();
    });
}

#[tokio::test(start_paused = true)]
async fn what_changes_between_two_runs_is_seen() {
    let (mut world, hooks) = World::hooked(|builder| builder.with_backoff(Backoff::default()), |_| ());
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        // A worker that panics loses its watch, and begins again later.
        hooks.on("look", hooks::Hook::Panic, 1);
        world.cluster.update("x", &id("web"), |object| object["data"]["more"] = json!("x")).unwrap();
        world.until("the panic", |kind| matches!(kind, EventKind::SyncFailed { .. }).then_some(())).await;
        world.edit("x", "web", "by hand");
        world.until("it put back", |kind| matches!(kind, EventKind::Object { .. }).then_some(())).await;
        assert_eq!(world.value("web").as_deref(), Some("one"));
        handle.suspend("shop").unwrap();
        world.until("suspension", |kind| (*kind == EventKind::Suspended).then_some(())).await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_suspended_application_stays_so_in_the_next_run() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    handle.suspend("shop").unwrap();
    let first = tokio::time::timeout(seconds(10), world.reconciler.run()).await;
    assert!(first.is_err() && handle.status("shop").unwrap().suspended);
    let second = tokio::time::timeout(seconds(10), world.reconciler.run()).await;
    assert!(second.is_err());
    assert!(world.cluster.ids().is_empty());
    let seen = world.over(seconds(1)).await;
    assert!(seen.contains(&EventKind::Suspended));
}

#[tokio::test(start_paused = true)]
async fn suspending_while_it_waits_for_its_turn_is_in_time() {
    let hooks = hooks::Hooks::default();
    let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
    let app = |name: &str| {
        let target = hooks::HookedTarget::new(&cluster, &hooks);
        Application::builder(name, source.clone(), target).with_path(name).build().unwrap()
    };
    let reconciler = Reconciler::builder()
        .with_application(app("first"))
        .with_application(app("second"))
        .with_parallel_applications(1)
        .build()
        .unwrap();
    source
        .commit("Ada", "x", [("first/ns.yaml", Some(NAMESPACE)), ("second/ns.yaml", Some(NAMESPACE))])
        .unwrap();
    hooks.on("place", hooks::Hook::Slow(seconds(30)), 1);
    let handle = reconciler.handle();
    let mut events = reconciler.subscribe();
    let run = tokio::spawn(async move { reconciler.run().await });
    tokio::time::sleep(seconds(1)).await;
    handle.suspend("second").unwrap();
    tokio::time::sleep(seconds(60)).await;
    handle.stop();
    run.await.unwrap().unwrap();
    let mut polled = 0;
    while let Ok(Some(event)) = tokio::time::timeout(seconds(1), events.next()).await {
        polled += u32::from(event.app.as_str() == "second" && matches!(event.kind, EventKind::Polled { .. }));
    }
    assert_eq!(polled, 0);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_not_told_as_drift() {
    let mut world = World::new(|app| app);
    let throttle = FaultRule::new(Effect::Throttle(seconds(1))).on(Operation::Apply).named("web");
    world.cluster.faults().inject(throttle.times(2));
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        let seen = world.over(seconds(60)).await;
        let finished = seen.iter().filter(|kind| matches!(kind, EventKind::SyncFinished { .. })).count();
        assert_eq!(finished, 3);
        assert!(
            !seen.iter().any(|kind| matches!(kind, EventKind::Drift { .. })),
            "it was never there: {seen:?}"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_stripped_mark_is_put_back_and_its_object_is_not_given_up() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        world
            .cluster
            .update("x", &id("web"), |o| {
                o["metadata"].as_object_mut().unwrap().remove("labels");
            })
            .unwrap();
        assert_eq!(world.finished().await.counts.changed, 1);
        assert_eq!(
            world.cluster.get(&id("web")).unwrap()["metadata"]["labels"]["gitops.memory/part-of"],
            "shop"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_somebody_else_made_is_made_again() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    beside!(world, {
        world.finished().await;
    });
    for labels in [json!({}), json!({"gitops.memory/part-of": "shop"})] {
        world.cluster.update("x", &id("web"), |object| object["metadata"]["labels"] = labels).unwrap();
    }
    let mut world = world.restarted();
    beside!(world, {
        assert_eq!(world.finished().await.counts.changed, 1);
        // Only a member is pruned.
        world.commit("second", &[("web", None)]);
        assert_eq!(world.finished().await.counts.pruned, 1);
    });
}
