//! What the status says, through good and bad times.

use super::*;

fn status(handle: &Handle) -> Status {
    handle.status("shop").unwrap()
}

#[tokio::test(start_paused = true)]
async fn from_unknown_to_synced_to_out_of_sync_and_back() {
    let mut world = World::new(|app| app);
    let handle = world.reconciler.handle();
    let mut watched = world.reconciler.watch_status("shop").unwrap();
    assert_eq!((status(&handle).sync, status(&handle).health), (SyncState::Unknown, Health::Unknown));
    let first = world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        world.over(seconds(1)).await;
        let now = status(&handle);
        assert_eq!((now.sync, now.health, now.objects), (SyncState::Synced, Health::Healthy, 2));
        assert_eq!((now.applied.as_ref(), now.attempted.as_ref()), (Some(&first), Some(&first)));
        assert!(now.synced_at.is_some() && now.error.is_none() && watched.has_changed().unwrap());
        watched.borrow_and_update();

        let bad = world.source.commit("Ben", "oops", [("shop/web.yaml", Some("a: ["))]).unwrap();
        world.until("an error", |kind| matches!(kind, EventKind::SourceFailed { .. }).then_some(())).await;
        world.over(seconds(1)).await;
        let now = status(&handle);
        assert_eq!((now.sync, now.applied.as_ref()), (SyncState::OutOfSync, Some(&first)));
        assert_eq!(now.attempted.as_ref(), Some(&bad));
        assert_eq!(now.error.as_ref().map(|error| error.class), Some(Class::Invalid));
        // Healing towards what is in force changes nothing of that; nor does a sync that somebody asks for.
        world.edit("x", "web", "by hand");
        world.finished().await;
        handle.sync("shop").unwrap();
        world.over(seconds(10)).await;
        let now = status(&handle);
        assert_eq!((now.sync, now.attempted.as_ref()), (SyncState::OutOfSync, Some(&bad)), "{now}");
        assert!(now.error.is_some());

        world.source.reset(Some(&first.id));
        world.over(seconds(10)).await;
        let now = status(&handle);
        assert_eq!((now.sync, now.error), (SyncState::Synced, None));
    });
}

#[tokio::test(start_paused = true)]
async fn a_source_that_was_away_leaves_no_trace() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        world.source.fail_with(Some(Fault::retry("connection refused")));
        handle.sync("shop").unwrap();
        world.over(seconds(10)).await;
        let now = status(&handle);
        assert_eq!(
            (now.sync, now.error.is_some()),
            (SyncState::Unknown, true),
            "what Git wants now, nobody knows"
        );
        world.source.fail_with(None);
        world.over(seconds(7200)).await;
        let now = status(&handle);
        assert_eq!((now.sync, now.error), (SyncState::Synced, None));
    });
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_read_is_unknown_and_not_missing() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        world
            .cluster
            .faults()
            .inject(FaultRule::new(Effect::Deny).on(Operation::Read).of_kind("", "ConfigMap"));
        handle.sync("shop").unwrap();
        world.finished().await;
        world.over(seconds(1)).await;
        let now = status(&handle);
        assert_eq!((now.sync, now.health), (SyncState::Unknown, Health::Unknown), "{now}");
        assert_eq!(now.error.map(|error| error.class), Some(Class::Denied));
        world.cluster.faults().clear();
        world.over(seconds(600)).await;
        assert_eq!((status(&handle).sync, status(&handle).health), (SyncState::Synced, Health::Healthy));
    });
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_answer_is_unknown() {
    let (mut world, hooks) = World::hooked(|builder| builder, |_| ());
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        hooks.on("observe", hooks::Hook::Fail(Class::RETRY), 1);
        handle.sync("shop").unwrap();
        world.until("the failure", |kind| matches!(kind, EventKind::SyncFailed { .. }).then_some(())).await;
        assert_eq!(status(&handle).sync, SyncState::Unknown);
        world.over(seconds(60)).await;
        assert_eq!((status(&handle).sync, status(&handle).error), (SyncState::Synced, None));
    });
}

#[tokio::test(start_paused = true)]
async fn one_object_that_fails_is_named_until_it_is_mended() {
    let mut world = World::new(|app| app);
    world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Apply).named("web"));
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        // What happens to another object does not hide it.
        world.edit("x", "api", "by hand");
        world.finished().await;
        world.over(seconds(1)).await;
        let now = status(&handle);
        assert_eq!((now.sync, now.health, now.applied), (SyncState::OutOfSync, Health::Missing, None));
        assert_eq!(now.error.unwrap().at.as_deref(), Some("ConfigMap/shop/web"));
        world.cluster.faults().clear();
        world.over(seconds(600)).await;
        assert_eq!((status(&handle).sync, status(&handle).error), (SyncState::Synced, None));
    });
}
