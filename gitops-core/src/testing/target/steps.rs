//! What a step does.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::TargetHarness;
use super::bench::{Bench, create, end, prune, refused, until, update};
use crate::testing::{Checked, Failure, cx};
use crate::{Action, Class, Expect, Owner, Step};

pub(super) async fn creating_stores_the_object(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    ensure!(member.done.wrote, "a create says that it wrote nothing");
    ensure!(
        member.done.overruled.is_empty(),
        "stored as stated, and told as overruled: {:?}",
        member.done.overruled
    );
    bench.stored(member.id(), Some("v"), "after a create").await
}

pub(super) async fn a_step_is_over_when_it_is_stored(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let changed = bench.desired("a", "changed").await?;
    let session = bench.begin(&[&placed]).await?;
    let done = session.run(&cx(), &create(&placed)).await?;
    // At once, and without asking the target that wrote it.
    bench.stored(&placed.id, Some("v"), "when a create had returned").await?;
    let Some(live) = done.live else { return Err(Failure::violated("a create did not tell of the object")) };
    ensure!(
        bench.restarted().await.seen(&placed.id).await?.owner == Owner::This,
        "another process does not see it"
    );
    let done = session.run(&cx(), &update(&changed, &live)).await?;
    bench.stored(&placed.id, Some("changed"), "when an update had returned").await?;
    let Some(live) = done.live else { return Err(Failure::violated("an update did not tell of the object")) };
    let done = session.run(&cx(), &prune(&placed.id, &live.token)).await?;
    if done.live.is_none() {
        bench.stored(&placed.id, None, "when a prune had returned").await?;
    }
    session.finish(&cx(), &end()).await?;
    Ok(())
}

pub(super) async fn a_step_tells_the_object_as_it_is(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let seen = bench.seen(member.id()).await?;
    ensure!(seen.token == member.live.token, "told as {:?}, observed as {:?}", member.live.token, seen.token);
    h.put(member.id(), "by hand").await;
    let drifted = bench.seen(member.id()).await?;
    let Some(told) = bench.step(update(&member.placed, &drifted)).await?.live else {
        return Err(Failure::violated("an update did not tell of the object"));
    };
    let seen = bench.seen(member.id()).await?;
    ensure!(
        (&seen.token, &seen.owner, seen.id == told.id) == (&told.token, &told.owner, true),
        "told as {told:?}, observed as {seen:?}"
    );
    // The token that a step tells is good for the next step.
    bench.step(prune(member.id(), &told.token)).await?;
    Ok(())
}

pub(super) async fn updating_puts_back_what_differs(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    h.put(member.id(), "by hand").await;
    for bench in [&bench, &bench.restarted().await] {
        h.put(member.id(), "by hand, again").await;
        let drifted = bench.seen(member.id()).await?;
        let done = bench.step(update(&member.placed, &drifted)).await?;
        ensure!(done.wrote, "an update of what differed says that it wrote nothing");
        bench.stored(member.id(), Some("v"), "after an update").await?;
    }
    Ok(())
}

pub(super) async fn an_update_that_changes_nothing_writes_nothing(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let live = bench.seen(member.id()).await?;
    let done = bench.step(update(&member.placed, &live)).await?;
    ensure!(!done.wrote, "an update of what is as stated says that it wrote");
    let after = bench.seen(member.id()).await?;
    ensure!(after.token == live.token, "nothing was to write, and {:?} became {:?}", live.token, after.token);
    Ok(())
}

pub(super) async fn pruning_deletes(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let done = bench.step(prune(a.id(), a.token())).await?;
    ensure!(done.wrote, "a prune says that it wrote nothing");
    if let Some(left) = &done.live {
        ensure!(left.terminating, "after a prune it is there, and not being deleted: {left:?}");
    }
    let gone = until(h.patience(), || async { Ok(h.read(a.id()).await.is_none().then_some(())) });
    ensure!(gone.await?.is_some(), "pruned, and the system still has it");
    for bench in [&bench, &bench.restarted().await] {
        ensure!(bench.members().await? == [b.id().clone()], "of two members one was pruned");
        ensure!(bench.look(a.id()).await?.is_none(), "pruned, and observed");
    }
    Ok(())
}

pub(super) async fn a_step_does_one_thing_to_one_object(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let mut others = BTreeMap::new();
    for name in ["b", "c"] {
        let member = bench.create(name, "v").await?;
        others.insert(member.id().clone(), bench.seen(member.id()).await?.token);
    }
    let theirs = bench.other().create("theirs", "v").await?;
    others.insert(theirs.id().clone(), bench.seen(theirs.id()).await?.token);
    let (nobodys, live) = bench.foreign("nobodys", "v").await?;
    others.insert(nobodys.id.clone(), live.token);
    let a = bench.create("a", "v").await?;
    h.put(a.id(), "by hand").await;
    let drifted = bench.seen(a.id()).await?;
    bench.step(update(&a.placed, &drifted)).await?;
    let live = bench.seen(a.id()).await?;
    bench.step(prune(a.id(), &live.token)).await?;
    for (id, token) in others {
        let now = bench.seen(&id).await?.token;
        ensure!(now == token, "a step on {} changed {id}", a.id());
    }
    Ok(())
}

pub(super) async fn several_steps_run_at_once(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let mut placed = Vec::new();
    for number in 0..8 {
        placed.push(bench.desired(&format!("n{number}"), "v").await?);
    }
    let session = bench.begin(&placed.iter().collect::<Vec<_>>()).await?;
    let (steps, cx) = (placed.iter().map(create).collect::<Vec<_>>(), cx());
    for done in join_all(steps.iter().map(|step| session.run(&cx, step))).await {
        ensure!(done?.wrote, "a create says that it wrote nothing");
    }
    session.finish(&cx, &end()).await?;
    let members = bench.restarted().await.members().await?;
    ensure!(
        members.len() == placed.len(),
        "{} were created at once, and there are {members:?}",
        placed.len()
    );
    Ok(())
}

pub(super) async fn a_step_with_nothing_to_apply_is_a_bug(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    let empty = Step::new(placed.id.clone(), Action::Create, Expect::Absent, None);
    refused(session.run(&cx(), &empty).await, Class::Bug, "creating nothing")?;
    bench.stored(&placed.id, None, "after a create of nothing").await
}
