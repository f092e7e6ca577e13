//! Hints: none lost, none of our own making, and told when they may be.

use super::*;

fn ready(watch: &mut Events<Dirty>) -> Option<Dirty> {
    watch.next().now_or_never().map(Option::unwrap)
}

fn names(dirty: Option<Dirty>) -> Vec<String> {
    match dirty {
        Some(Dirty::Objects(ids)) => ids.into_iter().map(|id| id.name).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn changes_by_others_are_told_once_and_our_own_are_not() {
    let target = MemoryTarget::new(cluster());
    let mut watch = target.watch(&app("shop"));
    create(&target, "shop", config("a", json!({"k": "1"}))).await;
    create(&target, "blog", config("b", json!({"k": "1"}))).await;
    assert!(ready(&mut watch).is_none());
    for n in 0..3 {
        target.cluster().update("x", &id("a"), |o| o["data"]["k"] = json!(n.to_string())).unwrap();
        target.cluster().update("x", &id("b"), |o| o["data"]["k"] = json!(n.to_string())).unwrap();
    }
    assert_eq!(names(ready(&mut watch)), ["a"], "three changes, one hint");
    assert!(ready(&mut watch).is_none());
    // A mark that is taken away is told: it was ours before.
    target.cluster().update("x", &id("a"), |o| o["metadata"]["labels"] = json!({})).unwrap();
    assert_eq!(names(ready(&mut watch)), ["a"]);
    target.cluster().delete("x", &id("b")).unwrap();
    assert!(ready(&mut watch).is_none());
    // A namespace that goes takes ours along.
    create(&target, "shop", config("c", json!({}))).await;
    target.cluster().delete("x", &ResourceId::global("", "Namespace", "shop")).unwrap();
    assert_eq!(names(ready(&mut watch)), ["c"]);
}

#[tokio::test]
async fn an_interruption_is_told_and_so_is_its_end() {
    let target = MemoryTarget::new(cluster());
    create(&target, "shop", config("a", json!({"k": "1"}))).await;
    let mut watch = target.watch(&app("shop"));
    for change in [false, true] {
        target.cluster().interrupt_watches();
        assert!(matches!(ready(&mut watch), Some(Dirty::Blind(_))));
        assert!(ready(&mut watch).is_none(), "told once");
        if change {
            target.cluster().update("x", &id("a"), |o| o["data"]["k"] = json!("2")).unwrap();
        }
        assert!(ready(&mut watch).is_none());
        target.cluster().resume_watches();
        assert_eq!(names(ready(&mut watch)).len(), usize::from(change));
        assert!(ready(&mut watch).is_none());
    }
    target.cluster().interrupt_watches();
    target.cluster().update("x", &id("a"), |o| o["data"]["k"] = json!("3")).unwrap();
    target.cluster().expire_watches();
    target.cluster().resume_watches();
    assert!(matches!(ready(&mut watch), Some(Dirty::Everything)));
}

#[tokio::test]
async fn a_reader_that_is_far_behind_is_told_of_everything() {
    let target = MemoryTarget::new(cluster());
    create(&target, "shop", config("a", json!({"k": "1"}))).await;
    let (mut watch, mut changes) = (target.watch(&app("shop")), target.cluster().changes());
    for n in 0..2_500 {
        target.cluster().update("x", &id("a"), |o| o["data"]["k"] = json!(n.to_string())).unwrap();
    }
    assert!(matches!(ready(&mut watch), Some(Dirty::Everything)));
    assert_eq!(target.cluster().store().log.len(), 2_000, "and what is kept for it is bounded");
    let mut told = Vec::new();
    while let Some(Some(id)) = changes.next().now_or_never() {
        told.push(id);
    }
    assert_eq!(told, target.cluster().ids());
}

#[tokio::test]
async fn a_waiting_reader_is_woken() {
    let target = MemoryTarget::new(cluster());
    create(&target, "shop", config("a", json!({"k": "1"}))).await;
    let mut watch = target.watch(&app("shop"));
    let cluster = target.cluster().clone();
    let waiting = tokio::spawn(async move { watch.next().await });
    tokio::task::yield_now().await;
    cluster.update("x", &id("a"), |o| o["data"]["k"] = json!("2")).unwrap();
    assert_eq!(names(waiting.await.unwrap()), ["a"]);
}
