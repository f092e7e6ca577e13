//! Each fault on order, and what it selects.

use super::*;

async fn try_create(target: &MemoryTarget, name: &str) -> Result<Done, Fault> {
    let placed = place(target, vec![config(name, json!({}))]).await.remove(0);
    let session = begin(target, "shop").await?;
    session
        .run(&Cx::with_timeout(Duration::from_secs(10)), &step(Action::Create, Expect::Absent, &placed))
        .await
}

#[tokio::test(start_paused = true)]
async fn each_effect_fails_as_it_says_and_writes_or_not() {
    let seconds = Duration::from_secs(7);
    let cases = [
        (Effect::Deny, Class::Denied, false),
        (Effect::Throttle(seconds), Class::Retry { after: Some(seconds) }, false),
        (Effect::Conflict, Class::Precondition, false),
        (Effect::TimeOut, Class::OutcomeUnknown, false),
        (Effect::TimeOutAfter, Class::OutcomeUnknown, true),
        // A process that goes on living sees a call that never returns end by its deadline.
        (Effect::CrashBefore, Class::RETRY, false),
        (Effect::CrashAfter, Class::OutcomeUnknown, true),
    ];
    for (effect, class, lands) in cases {
        let target = MemoryTarget::new(cluster());
        target.cluster().faults().inject(FaultRule::new(effect).on(Operation::Apply).times(1));
        let fault = try_create(&target, "a").await.unwrap_err();
        assert_eq!((fault.class, target.cluster().get(&id("a")).is_some()), (class, lands), "{effect:?}");
        assert_eq!(try_create(&target, "a").await.is_ok(), !lands, "{effect:?}");
    }
}

#[tokio::test]
async fn rules_select_by_request_kind_name_and_number() {
    let target = MemoryTarget::new(cluster());
    let faults = target.cluster().faults();
    faults.inject(FaultRule::new(Effect::Deny).on(Operation::Delete));
    faults.inject(FaultRule::new(Effect::Deny).of_kind("apps", "Deployment"));
    faults.inject(FaultRule::new(Effect::Deny).named("b"));
    faults.inject(FaultRule::new(Effect::Conflict).on(Operation::Apply).after(1).times(1));
    assert!(try_create(&target, "a").await.is_ok());
    assert_eq!(try_create(&target, "b").await.unwrap_err().class, Class::Denied);
    assert_eq!(try_create(&target, "c").await.unwrap_err().class, Class::Precondition);
    assert!(try_create(&target, "c").await.is_ok());
    faults.clear();
    assert!(try_create(&target, "b").await.is_ok());
}

#[tokio::test]
async fn a_kind_that_cannot_be_read_is_unseen() {
    for (effect, class) in [
        (Effect::Deny, Class::Denied),
        (Effect::TimeOut, Class::RETRY),
        (Effect::TimeOutAfter, Class::RETRY),
        (Effect::Throttle(Duration::from_secs(1)), Class::Retry { after: Some(Duration::from_secs(1)) }),
    ] {
        let target = MemoryTarget::new(cluster());
        create(&target, "shop", config("a", json!({}))).await;
        target.cluster().faults().inject(FaultRule::new(effect).on(Operation::Read).of_kind("", "ConfigMap"));
        let namespace = ResourceId::global("", "Namespace", "shop");
        let what = Observe::Everything { also: vec![namespace.clone()] };
        let seen = target.observe(&cx(), &app("shop"), &what).await.unwrap();
        assert_eq!(seen.live.iter().map(|live| &live.id).collect::<Vec<_>>(), [&namespace]);
        assert_eq!(seen.unseen.len(), 1);
        assert!(seen.unseen[0].covers(&id("a")) && seen.unseen[0].fault.class == class, "{effect:?}");
    }
}

#[tokio::test]
async fn requests_are_counted() {
    let target = MemoryTarget::new(cluster());
    let cx = cx();
    target.recall(&cx, &app("shop")).await.unwrap();
    target.observe(&cx, &app("shop"), &Observe::Objects(vec![id("a"), id("b")])).await.unwrap();
    assert_eq!((cx.requests(), target.cluster().requests()), (2, 2));
}
