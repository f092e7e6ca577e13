use super::*;

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
