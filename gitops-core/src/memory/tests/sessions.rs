//! Preconditions, locks and records.

use super::*;
use crate::{Outcome, Revision, Token};

#[tokio::test]
async fn nothing_is_written_unless_it_is_what_was_expected() {
    let target = MemoryTarget::new(cluster());
    let (placed, done) = create(&target, "shop", config("a", json!({"k": "1"}))).await;
    let token = done.live.unwrap().token;
    let session = begin(&target, "shop").await.unwrap();
    let before = target.cluster().get(&id("a"));
    let stale = Token { version: "1".into(), ..token.clone() };
    for (action, expect) in [
        (Action::Create, Expect::Absent),
        (Action::Update, Expect::Same("other".into())),
        (Action::Adopt, Expect::Exactly(stale.clone())),
        (Action::Prune, Expect::Exactly(stale.clone())),
        (Action::Prune, Expect::Same("other".into())),
        (Action::Release, Expect::Exactly(stale)),
    ] {
        let refused = session.run(&cx(), &step(action, expect.clone(), &placed)).await.unwrap_err();
        assert_eq!(refused.class, Class::Precondition, "{action} {expect:?}");
        assert_eq!(target.cluster().get(&id("a")), before);
    }
    let absent = place(&target, vec![config("b", json!({}))]).await.remove(0);
    let gone = session.run(&cx(), &step(Action::Update, Expect::Same("x".into()), &absent)).await;
    assert_eq!(gone.unwrap_err().class, Class::Precondition);
    let again = session
        .run(&cx(), &step(Action::Update, Expect::Same(token.incarnation.clone()), &placed))
        .await
        .unwrap();
    assert!(!again.wrote, "the same again is no write");
    let pruned = session.run(&cx(), &step(Action::Prune, Expect::Exactly(token), &placed)).await.unwrap();
    assert!(pruned.wrote && pruned.live.is_none());
    let empty = Step::new(id("a"), Action::Create, Expect::Absent, None);
    assert_eq!(session.run(&cx(), &empty).await.unwrap_err().class, Class::Bug);
}

#[tokio::test]
async fn released_objects_are_nobodys_and_otherwise_as_they_were() {
    let target = MemoryTarget::new(cluster());
    let (placed, done) = create(&target, "shop", config("a", json!({"k": "1"}))).await;
    target.cluster().update("x", &id("a"), |o| o["data"]["x"] = json!("2")).unwrap();
    let token = look(&target, "shop", &id("a")).await.unwrap().token;
    assert_ne!(Some(&token), done.live.as_ref().map(|live| &live.token));
    let session = begin(&target, "shop").await.unwrap();
    session.run(&cx(), &step(Action::Release, Expect::Exactly(token), &placed)).await.unwrap();
    let left = look(&target, "shop", &id("a")).await.unwrap();
    assert_eq!(left.owner, Owner::Nobody);
    assert_eq!(left.object.unwrap()["data"], json!({"k": "1", "x": "2"}));
}

#[tokio::test(start_paused = true)]
async fn one_session_at_a_time_for_each_application() {
    let target = MemoryTarget::new(cluster());
    let first = begin(&target, "shop").await.unwrap();
    assert!(begin(&target, "shop").await.err().unwrap().is_transient());
    assert!(begin(&target, "blog").await.is_ok());
    drop(first);
    let second = begin(&target, "shop").await.unwrap();
    second.finish(&cx(), &End::new(Timestamp::UNIX_EPOCH, Vec::new())).await.unwrap();
    assert!(begin(&target, "shop").await.is_ok());
    // A session whose beginning is given up frees the lock as well.
    target.cluster().faults().inject(FaultRule::new(Effect::CrashAfter).on(Operation::Record).times(1));
    let crash = tokio::time::timeout(Duration::from_secs(5), begin(&target, "crash")).await;
    assert!(crash.is_err() && target.recall(&cx(), &app("crash")).await.unwrap().is_some());
    assert!(begin(&target, "crash").await.is_ok());
}

#[tokio::test]
async fn the_record_is_widened_first_and_narrowed_at_the_end() {
    let target = MemoryTarget::new(cluster());
    let recall = async || target.recall(&cx(), &app("shop")).await.unwrap();
    assert_eq!(recall().await, None);
    let revision = Revision::new("r1");
    let intent = Intent::new(Timestamp::UNIX_EPOCH, "memory:config", Some(revision.clone()), reach());
    drop(target.begin(&cx(), &app("shop"), &intent).await.unwrap());
    let record = recall().await.unwrap();
    assert_eq!((record.reach, record.attempted, record.applied), (reach(), Some(revision.clone()), None));
    let other = Intent::new(Timestamp::UNIX_EPOCH, "memory:other", None, Reach::default());
    assert_eq!(target.begin(&cx(), &app("shop"), &other).await.err().unwrap().class, Class::Denied);

    let mut wider = reach();
    wider.0.insert(ReachEntry {
        group: "apps".into(),
        kind: "Deployment".into(),
        version: "v1".into(),
        namespace: None,
    });
    let intent = Intent::new(Timestamp::UNIX_EPOCH, "memory:config", Some(revision.clone()), wider.clone());
    let session = target.begin(&cx(), &app("shop"), &intent).await.unwrap();
    assert_eq!(recall().await.unwrap().reach, wider);
    let mut end = End::new(
        Timestamp::UNIX_EPOCH,
        vec![Outcome { id: id("a"), action: None, verdict: crate::Verdict::Unchanged }],
    );
    end.applied = Some(revision.clone());
    end.reach = Some(reach());
    session.finish(&cx(), &end).await.unwrap();
    let record = recall().await.unwrap();
    assert_eq!((record.reach, record.applied, record.outcomes.len()), (reach(), Some(revision), 1));
    let text = serde_json::to_string(&recall().await).unwrap();
    assert_eq!(serde_json::from_str::<Option<crate::AppRecord>>(&text).unwrap(), recall().await);

    let session = begin(&target, "shop").await.unwrap();
    session
        .finish(&cx(), &{
            let mut end = End::new(Timestamp::UNIX_EPOCH, Vec::new());
            end.forget = true;
            end
        })
        .await
        .unwrap();
    assert_eq!(recall().await, None);
}
