//! The conditions of steps.

use std::sync::Arc;

use super::TargetHarness;
use super::bench::{Bench, adopt, create, end, prune, refused, release, update};
use crate::testing::{Checked, cx};
use crate::{Action, Class, Expect, Live, Placed, Step, Token};

fn with(action: Action, expect: Expect, placed: &Arc<Placed>) -> Step {
    let desired = (!matches!(action, Action::Prune | Action::Release)).then(|| placed.clone());
    Step::new(placed.id.clone(), action, expect, desired)
}

/// Runs steps that must all be refused, and looks after each whether something was written.
async fn all_refused(bench: &Bench<'_>, live: &Live, value: &str, steps: Vec<Step>) -> Checked {
    let session = bench.begin(&[]).await?;
    for step in steps {
        let what = format!("{} on the condition {:?}", step.action, step.expect);
        refused(session.run(&cx(), &step).await, Class::Precondition, &what)?;
        bench.stored(&step.id, Some(value), &what).await?;
        let now = bench.seen(&step.id).await?;
        ensure!(now.token == live.token, "{what}: {:?} became {:?}", live.token, now.token);
        ensure!(now.owner == live.owner, "{what}: {:?} became {:?}", live.owner, now.owner);
    }
    session.finish(&cx(), &end()).await?;
    Ok(())
}

pub(super) async fn creating_what_exists_is_refused(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let ours = bench.create("ours", "v").await?;
    all_refused(&bench, &bench.seen(ours.id()).await?, "v", vec![create(&bench.desired("ours", "w").await?)])
        .await?;
    let theirs = bench.other().create("theirs", "v").await?;
    let step = create(&bench.desired("theirs", "w").await?);
    all_refused(&bench, &bench.seen(theirs.id()).await?, "v", vec![step]).await?;
    let (_, live) = bench.foreign("nobodys", "v").await?;
    all_refused(&bench, &live, "v", vec![create(&bench.desired("nobodys", "w").await?)]).await
}

pub(super) async fn updating_what_is_gone_is_refused(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    h.delete(member.id()).await;
    let session = bench.begin(&[&member.placed]).await?;
    for (action, expect) in [
        (Action::Update, Expect::Same(member.token().incarnation.clone())),
        (Action::Update, Expect::Exactly(member.token().clone())),
        (Action::Adopt, Expect::Exactly(member.token().clone())),
    ] {
        let what = format!("{action} of what is gone, on the condition {expect:?}");
        refused(session.run(&cx(), &with(action, expect, &member.placed)).await, Class::Precondition, &what)?;
        bench.stored(member.id(), None, &what).await?;
    }
    session.finish(&cx(), &end()).await?;
    // What was deleted by hand is created again.
    bench.step(create(&member.placed)).await?;
    Ok(())
}

pub(super) async fn another_incarnation_is_refused(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let before = bench.create("a", "v").await?;
    h.delete(before.id()).await;
    h.put(before.id(), "made anew").await;
    let (live, old) = (bench.seen(before.id()).await?, before.token());
    let same = || Expect::Same(old.incarnation.clone());
    // The version of today does not make it the object of yesterday.
    let mixed = Expect::Exactly(Token { version: live.token.version.clone(), ..old.clone() });
    let mut steps: Vec<Step> = [Action::Update, Action::Adopt, Action::Prune, Action::Release]
        .into_iter()
        .flat_map(|action| {
            [with(action, same(), &before.placed), with(action, mixed.clone(), &before.placed)]
        })
        .collect();
    steps.push(with(Action::Update, Expect::Same("no incarnation of anything".into()), &before.placed));
    all_refused(&bench, &live, "made anew", steps).await
}

pub(super) async fn a_version_that_has_passed_is_refused(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let before = bench.seen(member.id()).await?;
    h.put(member.id(), "by hand").await;
    let live = bench.seen(member.id()).await?;
    let passed = || Expect::Exactly(before.token.clone());
    let steps = [Action::Update, Action::Adopt, Action::Prune, Action::Release]
        .map(|action| with(action, passed(), &member.placed))
        .into();
    all_refused(&bench, &live, "by hand", steps).await
}

pub(super) async fn an_incarnation_may_have_changed(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let before = bench.seen(member.id()).await?;
    h.put(member.id(), "by hand").await;
    h.put(member.id(), "by hand, again").await;
    bench.step(update(&member.placed, &before)).await?;
    bench.stored(member.id(), Some("v"), "after an update on the condition of the incarnation").await
}

pub(super) async fn what_is_gone_is_not_deleted_again(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    h.delete(member.id()).await;
    let same = Expect::Same(member.token().incarnation.clone());
    let steps = [
        prune(member.id(), member.token()),
        with(Action::Prune, same, &member.placed),
        release(member.id(), member.token()),
    ];
    for step in steps {
        match bench.step(step.clone()).await {
            Ok(done) => ensure!(
                !done.wrote && done.live.is_none(),
                "{} of what is gone: it says that it wrote, or that the object is there: {done:?}",
                step.action
            ),
            other => refused(other, Class::Precondition, &format!("{} of what is gone", step.action))?,
        }
        bench.stored(member.id(), None, "after it").await?;
    }
    ensure!(bench.members().await?.is_empty(), "its only member is gone, and it has one");
    Ok(())
}

pub(super) async fn only_one_of_two_creations_succeeds(h: &dyn TargetHarness) -> Checked {
    let one = Bench::new(h).await;
    let two = Bench { app: h.app("two"), ..one.restarted().await };
    for round in 0..4 {
        let name = format!("contested{round}");
        let (ours, theirs) = (one.desired(&name, "one").await?, two.desired(&name, "two").await?);
        let (first, second) = (one.begin(&[&ours]).await?, two.begin(&[&theirs]).await?);
        let (cx, steps) = (cx(), [create(&ours), create(&theirs)]);
        let (a, b) = tokio::join!(first.run(&cx, &steps[0]), second.run(&cx, &steps[1]));
        first.finish(&cx, &end()).await?;
        second.finish(&cx, &end()).await?;
        let won = if a.is_ok() { "one" } else { "two" };
        ensure!(a.is_ok() != b.is_ok(), "both creations of one object ended alike: {a:?}, {b:?}");
        refused(if a.is_ok() { b } else { a }, Class::Precondition, "the creation that came second")?;
        one.stored(&ours.id, Some(won), "after two creations").await?;
        let lists = [one.members().await?.len(), two.members().await?.len()];
        ensure!(lists[0] + lists[1] == round + 1, "each object is of one application: {lists:?}");
        let live = one.seen(&ours.id).await?;
        ensure!(
            (live.owner == crate::Owner::This) == (won == "one"),
            "{won} won, and it is {:?}",
            live.owner
        );
    }
    // Who came second can still take it over, on the condition of what is there.
    let theirs = two.desired("contested0", "two").await?;
    let live = two.seen(&theirs.id).await?;
    two.step(adopt(&theirs, &live)).await?;
    two.stored(&theirs.id, Some("two"), "after an adoption").await
}
