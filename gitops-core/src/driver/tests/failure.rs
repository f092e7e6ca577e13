use super::*;

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
async fn a_server_that_asks_for_time_gets_it() {
    let mut world = World::new(|app| app);
    let throttle = FaultRule::new(Effect::Throttle(seconds(90))).on(Operation::Apply).named("web");
    world.cluster.faults().inject(throttle.times(1));
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        let (after, attempt) = world
            .until("a retry", |kind| match kind {
                EventKind::RetryScheduled { after, attempt } => Some((*after, *attempt)),
                _ => None,
            })
            .await;
        assert!(after >= seconds(90) && attempt == 1, "{after:?}");
        let begun = tokio::time::Instant::now();
        world.finished().await;
        assert!(begun.elapsed() >= seconds(90));
    });
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_written_is_told_and_written_later() {
    let (mut world, hooks) = World::hooked(|builder| builder, |_| ());
    let revision = world.commit("first", &[("web", Some("one"))]);
    hooks.on("finish", hooks::Hook::Fail(Class::OutcomeUnknown), 1);
    let handle = world.reconciler.handle();
    beside!(world, {
        let fault = world
            .until("the failure", |kind| match kind {
                EventKind::SyncFailed { fault, .. } => Some(fault.clone()),
                _ => None,
            })
            .await;
        assert_eq!(fault.class, Class::OutcomeUnknown);
        world.finished().await;
        assert!(handle.status("shop").unwrap().error.is_some());
        assert_eq!(handle.status("shop").unwrap().applied, None);
        assert_eq!(world.finished().await.trigger, Trigger::Retry);
        let status = handle.status("shop").unwrap();
        assert_eq!((status.applied, status.error, status.sync), (Some(revision), None, SyncState::Synced));
    });
    let (world, hooks) = World::hooked(|builder| builder, |_| ());
    world.commit("first", &[("web", Some("one"))]);
    hooks.on("finish", hooks::Hook::Fail(Class::Denied), 1);
    let error = world.reconciler.sync("shop").await.unwrap_err();
    assert!(matches!(&error, SyncError::Fault(fault) if fault.class == Class::Denied), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_ran_out_of_time_still_records_what_it_did() {
    let (world, hooks) =
        World::hooked(|builder| builder.with_timeout(seconds(60)).with_concurrency(1), |_| ());
    world.commit("first", &[("api", Some("one")), ("web", Some("one"))]);
    hooks.on("run", hooks::Hook::Slow(seconds(59)), 3);
    let report = world.reconciler.sync("shop").await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed), (1, 2), "{report}");
    let record = world.reconciler.recall("shop").await.unwrap().unwrap();
    assert_eq!((record.outcomes.len(), record.applied), (3, None));
}

#[tokio::test(start_paused = true)]
async fn a_source_or_target_that_hangs_costs_time_and_nothing_else() {
    for call in ["resolve", "fetch", "place", "observe", "recall", "begin", "run", "finish"] {
        let (mut world, hooks) = World::hooked(|builder| builder.with_timeout(seconds(120)), |_| ());
        world.commit("first", &[("web", Some("one"))]);
        hooks.on(call, hooks::Hook::Hang, 1);
        let handle = world.reconciler.handle();
        beside!(world, {
            let begun = tokio::time::Instant::now();
            let is_done = |status: &Status| {
                status.sync == SyncState::Synced && status.applied.is_some() && status.error.is_none()
            };
            while !is_done(&handle.status("shop").unwrap()) {
                let seen = world.over(seconds(5)).await;
                assert!(begun.elapsed() < seconds(200), "{call}: {seen:?}");
            }
            let passes = hooks.calls(call);
            assert!(passes >= 2, "{call} was called {passes} times");
            assert_eq!(world.value("web").as_deref(), Some("one"), "{call}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_calls_that_hang() {
    for call in ["resolve", "fetch", "place", "observe", "recall", "begin", "run", "finish"] {
        let (world, hooks) = World::hooked(|builder| builder.with_grace(seconds(5)), |_| ());
        world.commit("first", &[("web", Some("one"))]);
        hooks.on(call, hooks::Hook::Hang, 10);
        let handle = world.reconciler.handle();
        let run = tokio::spawn(async move { world.reconciler.run().await });
        tokio::time::sleep(seconds(1)).await;
        handle.stop();
        tokio::time::timeout(seconds(10), run).await.unwrap_or_else(|_| panic!("{call}")).unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_waits_for_running_steps_and_begins_no_other() {
    let (mut world, hooks) = World::hooked(|builder| builder.with_concurrency(1), |_| ());
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    hooks.on("run", hooks::Hook::Slow(seconds(10)), 1);
    let handle = world.reconciler.handle();
    let reconciler = std::mem::replace(&mut world.reconciler, World::new(|app| app).reconciler);
    let run = tokio::spawn(async move { reconciler.run().await });
    world.until("a start", |kind| matches!(kind, EventKind::SyncStarted { .. }).then_some(())).await;
    tokio::time::sleep(seconds(1)).await;
    handle.stop();
    run.await.unwrap().unwrap();
    assert_eq!(world.cluster.ids(), [ResourceId::global("", "Namespace", "shop")]);
    let last = world.over(seconds(1)).await.pop();
    assert_eq!(last, Some(EventKind::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_says_cancelled_without_a_stop_is_tried_again() {
    for call in ["resolve", "fetch", "observe", "run", "begin"] {
        let (mut world, hooks) = World::hooked(|builder| builder, |_| ());
        world.commit("first", &[("web", Some("one"))]);
        hooks.on(call, hooks::Hook::Fail(Class::Cancelled), 1);
        beside!(world, {
            world.over(seconds(60)).await;
            assert_eq!(world.value("web").as_deref(), Some("one"), "{call}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_in_force_is_restored_even_if_the_target_stumbles_meanwhile() {
    for call in ["recall", "place", "observe"] {
        let mut world = World::new(|app| app);
        world.commit("first", &[("web", Some("one"))]);
        beside!(world, {
            world.finished().await;
        });
        world.source.commit("Ben", "oops", [("shop/web.yaml", Some("a: ["))]).unwrap();
        world.cluster.delete("somebody", &id("web")).unwrap();
        let hooks = hooks::Hooks::default();
        let mut world = World::hooked_on(world.source, world.cluster, &hooks, |builder| builder, |_| ());
        hooks.on(call, hooks::Hook::Fail(Class::RETRY), 1);
        beside!(world, {
            world.over(seconds(60)).await;
            assert_eq!(world.value("web").as_deref(), Some("one"), "{call}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_not_lost_when_the_source_fails_at_the_same_time() {
    let (mut world, hooks) = World::hooked(|builder| builder, |_| ());
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    let throttle = FaultRule::new(Effect::Throttle(seconds(1))).on(Operation::Apply).named("web");
    world.cluster.faults().inject(throttle.times(1));
    beside!(world, {
        assert_eq!(world.finished().await.counts.failed, 1);
        hooks.on("resolve", hooks::Hook::Fail(Class::Denied), 1);
        hooks.on("observe", hooks::Hook::Fail(Class::RETRY), 1);
        world.over(seconds(120)).await;
        assert_eq!(world.value("web").as_deref(), Some("one"));
    });
}

#[tokio::test(start_paused = true)]
async fn healing_does_not_wait_for_a_source_that_hangs_for_ever() {
    let (mut world, hooks) = World::hooked(|builder| builder.with_timeout(seconds(60)), |_| ());
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
    });
    let mut world = World::hooked_on(
        world.source,
        world.cluster,
        &hooks,
        |builder| builder.with_timeout(seconds(60)),
        |_| (),
    );
    world.edit("x", "web", "by hand");
    world.source.commit("Ben", "oops", [("shop/web.yaml", Some("a: ["))]).unwrap();
    // The fetch uses up all the time that the pass has; the healing has its own.
    hooks.on("fetch", hooks::Hook::Slow(seconds(59)), 1);
    beside!(world, {
        world.over(seconds(180)).await;
        assert_eq!(world.value("web").as_deref(), Some("one"));
    });
}
