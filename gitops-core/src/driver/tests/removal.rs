//! Giving an application up.

use super::*;
use crate::GroupKind;

#[tokio::test(start_paused = true)]
async fn the_record_stays_while_a_member_is_left() {
    let world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    let SyncError::NeedsApproval { plan, .. } =
        world.reconciler.remove("shop", Removal::Destroy, None).await.unwrap_err()
    else {
        panic!()
    };
    world.reconciler.remove("shop", Removal::Destroy, Some(plan.approve("ada"))).await.unwrap();
    assert_eq!(world.cluster.ids().len(), 1, "the namespace is kept");
    assert!(world.reconciler.recall("shop").await.unwrap().is_some(), "and so it is still known");
    world.reconciler.remove("shop", Removal::Release, None).await.unwrap();
    assert!(world.reconciler.recall("shop").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_record_stays_while_a_deletion_is_not_confirmed() {
    let world =
        World::new(|app| app.with_prune(Prune::Unguarded).with_prune_kind(GroupKind::new("", "Namespace")));
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    world.cluster.update("x", &id("web"), |o| o["metadata"]["finalizers"] = json!(["example/slow"])).unwrap();
    world.reconciler.remove("shop", Removal::Destroy, None).await.unwrap();
    assert!(world.reconciler.recall("shop").await.unwrap().is_some());
    world.cluster.update("x", &id("web"), |o| o["metadata"]["finalizers"] = json!([])).unwrap();
    world.reconciler.remove("shop", Removal::Destroy, None).await.unwrap();
    assert!(world.cluster.ids().is_empty());
    assert!(world.reconciler.recall("shop").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_application_that_never_got_anywhere_can_be_removed() {
    let world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Apply));
    world.reconciler.sync("shop").await.unwrap();
    assert!(world.reconciler.recall("shop").await.unwrap().is_some());
    world.reconciler.remove("shop", Removal::Release, None).await.unwrap();
    assert!(world.reconciler.recall("shop").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_approved_and_is_another_by_now_does_nothing() {
    let world = World::new(|app| app.with_prune(Prune::Unguarded));
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    let plan = world.reconciler.plan_removal("shop", Removal::Destroy).await.unwrap();
    world.cluster.delete("x", &id("api")).unwrap();
    let error =
        world.reconciler.remove("shop", Removal::Destroy, Some(plan.approve("ada"))).await.unwrap_err();
    assert!(matches!(&error, SyncError::Stale { moved, .. } if moved.contains("api")), "{error}");
    assert!(world.value("web").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_the_recorded_one_is_refused() {
    let world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    let other = World::with(MemorySource::new("other"), world.cluster.clone(), |app| app);
    other.commit("first", &[("web", Some("two"))]);
    let error = other.reconciler.sync("shop").await.unwrap_err();
    assert!(error.to_string().contains("memory:config"), "{error}");
    assert_eq!(world.value("web").as_deref(), Some("one"));
}
