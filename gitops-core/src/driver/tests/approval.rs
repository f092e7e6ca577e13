use super::*;

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

const CLEAN_UP: [(&str, Option<&str>); 4] = [
    ("shop/ns.yaml", None),
    ("shop/web.yaml", None),
    ("shop/api.yaml", None),
    ("shop/README", Some("empty")),
];

fn two(world: &World) -> crate::Revision {
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))])
}

/// Cluster status that says what waits.
fn held(world: &World, handle: &Handle) -> Option<crate::Digest> {
    assert!(world.value("web").is_some());
    handle.status("shop").unwrap().needs_approval
}

#[tokio::test(start_paused = true)]
async fn drift_is_healed_while_a_plan_waits_and_the_plan_still_waits() {
    let mut world = World::new(|app| app);
    let first = two(&world);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        let second = world.source.commit("Cleo", "clean up", CLEAN_UP).unwrap();
        let digest = world.approval_needed().await;
        // A watch that must start anew makes the engine compare everything.
        world.cluster.interrupt_watches();
        world.until("blindness", |kind| matches!(kind, EventKind::Blind { .. }).then_some(())).await;
        world.edit("x", "web", "by hand");
        world.cluster.expire_watches();
        world.cluster.resume_watches();
        let report = world.finished().await;
        assert_eq!((report.counts.changed, report.revision), (1, Some(first)));
        assert_eq!(held(&world, &handle), Some(digest));
        let status = handle.status("shop").unwrap();
        assert_eq!((status.sync, status.attempted), (SyncState::OutOfSync, Some(second)));
        // It is not asked for again at the next poll.
        let again = world.over(seconds(7200)).await;
        assert!(!again.iter().any(|kind| matches!(kind, EventKind::ApprovalNeeded { .. })), "{again:?}");
        handle.approve(approval(digest)).unwrap();
        assert_eq!(world.finished().await.counts.pruned, 2);
        assert_eq!(handle.status("shop").unwrap().needs_approval, None);
    });
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_plan_waits_again_and_what_was_in_force_is_healed() {
    let mut world = World::new(|app| app);
    two(&world);
    beside!(world, {
        world.finished().await;
    });
    world.source.commit("Cleo", "clean up", CLEAN_UP).unwrap();
    world.edit("x", "web", "by hand");
    let mut world = world.restarted();
    let handle = world.reconciler.handle();
    beside!(world, {
        let digest = world.approval_needed().await;
        assert_eq!(world.finished().await.counts.changed, 1);
        assert_eq!(world.value("web").as_deref(), Some("one"));
        world.edit("x", "web", "again");
        assert_eq!(world.finished().await.trigger, Trigger::Live);
        assert_eq!(held(&world, &handle), Some(digest));
    });
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_not_lost_when_the_source_or_the_target_stumbles() {
    for call in ["resolve", "begin", "observe"] {
        let (mut world, hooks) = World::hooked(|builder| builder, |_| ());
        two(&world);
        let handle = world.reconciler.handle();
        beside!(world, {
            world.finished().await;
            world.source.commit("Cleo", "clean up", CLEAN_UP).unwrap();
            let digest = world.approval_needed().await;
            hooks.on(call, hooks::Hook::Fail(Class::RETRY), 1);
            handle.approve(approval(digest)).unwrap();
            loop {
                let report = world.finished().await;
                if report.counts.pruned > 0 {
                    assert_eq!(report.counts.pruned, 2, "{call}");
                    break;
                }
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_approved_is_finished_after_a_partial_failure() {
    let mut world = World::new(|app| app);
    let names: Vec<String> = (0..30).map(|n| format!("c{n:02}")).collect();
    let all: Vec<(&str, Option<&str>)> = names.iter().map(|name| (name.as_str(), Some("x"))).collect();
    world.commit("many", &all);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        let gone: Vec<(&str, Option<&str>)> = names[1..].iter().map(|name| (name.as_str(), None)).collect();
        world.commit("few", &gone);
        let digest = world.approval_needed().await;
        // Most deletions fail at first; what is left of them is still more than needs no approval.
        let throttle = FaultRule::new(Effect::Throttle(seconds(1))).on(Operation::Delete);
        world.cluster.faults().inject(throttle.times(20));
        handle.approve(approval(digest)).unwrap();
        let report = world.finished().await;
        assert_eq!((report.counts.pruned, report.counts.failed), (9, 20));
        let next = world
            .until("the end", |kind| match kind {
                EventKind::SyncFinished { report } => Some(Some(report.counts.pruned)),
                EventKind::ApprovalNeeded { .. } => Some(None),
                _ => None,
            })
            .await;
        assert_eq!(next, Some(20));
    });
}

#[tokio::test(start_paused = true)]
async fn an_approval_does_not_release_more_than_was_seen() {
    let mut world = World::new(|app| app);
    two(&world);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        world.source.commit("Cleo", "clean up", CLEAN_UP).unwrap();
        let digest = world.approval_needed().await;
        // The object that was seen is gone; another one has its name.
        handle.suspend("shop").unwrap();
        world.until("suspension", |kind| (*kind == EventKind::Suspended).then_some(())).await;
        let object = world.cluster.get(&id("web")).unwrap();
        world.cluster.delete("x", &id("web")).unwrap();
        world.cluster.apply("gitops/shop", &object_without_server_fields(object), true).unwrap();
        handle.approve(approval(digest)).unwrap();
        handle.resume("shop").unwrap();
        assert_ne!(world.approval_needed().await, digest);
        assert!(world.value("web").is_some() && world.value("api").is_some());
    });
}

fn object_without_server_fields(mut object: serde_json::Value) -> serde_json::Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|name, _| ["name", "namespace", "labels"].contains(&name.as_str()));
    object
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_waits_is_forgotten_when_the_branch_goes_back() {
    let mut world = World::new(|app| app);
    let first = two(&world);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        world.source.commit("Cleo", "clean up", CLEAN_UP).unwrap();
        world.approval_needed().await;
        world.source.reset(Some(&first.id));
        world.over(seconds(10)).await;
        let status = handle.status("shop").unwrap();
        assert_eq!((status.needs_approval, status.sync), (None, SyncState::Synced), "{status}");
    });
}

#[tokio::test(start_paused = true)]
async fn approving_during_a_single_action_does_not_spin() {
    let (mut world, hooks) = World::hooked(|builder| builder, |_| ());
    two(&world);
    let handle = world.reconciler.handle();
    let reconciler = std::mem::replace(&mut world.reconciler, World::new(|app| app).reconciler);
    let reconciler = std::sync::Arc::new(reconciler);
    let run = tokio::spawn({
        let reconciler = reconciler.clone();
        async move { reconciler.run().await }
    });
    world.finished().await;
    hooks.on("observe", hooks::Hook::Slow(seconds(30)), 1);
    let action = tokio::spawn(async move { reconciler.plan("shop").await.map(drop) });
    world.over(seconds(1)).await;
    handle.approve(approval(crate::Digest::of(b"nothing"))).unwrap();
    // With time paused, a task that is always ready would keep the clock from moving at all.
    tokio::time::timeout(seconds(60), action).await.unwrap().unwrap().unwrap();
    handle.stop();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_single_apply_carries_out_the_plan_that_was_approved_and_no_later_one() {
    let (world, hooks) = World::hooked(|builder| builder, |_| ());
    two(&world);
    let plan = world.reconciler.plan("shop").await.unwrap();
    // Between the look that proves the approval and the writes, there is no second look that could see something else.
    let looks = hooks.calls("observe");
    world.reconciler.apply(plan.approve("ada")).await.unwrap();
    assert_eq!(hooks.calls("observe") - looks, 1);
}
