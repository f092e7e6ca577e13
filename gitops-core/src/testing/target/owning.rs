//! Whose objects are.

use super::TargetHarness;
use super::bench::{Bench, adopt, end, prune, refused, release};
use crate::testing::{Checked, cx};
use crate::{Action, Class, Expect, Owner, Step};

pub(super) async fn what_is_created_is_a_member(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    ensure!(member.live.owner == Owner::This, "created, and told as {:?}", member.live.owner);
    let seen = bench.seen(member.id()).await?.owner;
    ensure!(seen == Owner::This, "created, and observed as {seen:?}");
    ensure!(bench.members().await? == [member.id().clone()], "created, and not among the members");
    Ok(())
}

pub(super) async fn a_member_of_another_application_is_theirs(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let other = bench.other();
    let theirs = other.create("theirs", "v").await?;
    for bench in [&bench, &bench.restarted().await] {
        let owner = bench.seen(theirs.id()).await?.owner;
        ensure!(owner == Owner::Other(other.app.clone()), "{} created it, and it is {owner:?}", other.app);
    }
    Ok(())
}

pub(super) async fn an_object_of_nobody_is_nobodys(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (nobodys, live) = bench.foreign("nobodys", "v").await?;
    ensure!(live.owner == Owner::Nobody, "made by hand, and {:?}", live.owner);
    let seen = bench.everything(std::slice::from_ref(&nobodys.id)).await?.live;
    ensure!(seen.iter().all(|live| live.owner == Owner::Nobody), "made by hand, and {seen:?}");
    Ok(())
}

pub(super) async fn members_survive_a_restart(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let restarted = bench.restarted().await;
    ensure!(
        restarted.members().await? == [a.id().clone(), b.id().clone()],
        "two members before the restart, after it {:?}",
        restarted.members().await?
    );
    for member in [&a, &b] {
        let live = restarted.seen(member.id()).await?;
        ensure!(live.owner == Owner::This, "after a restart {} is {:?}", live.id, live.owner);
        let before = bench.seen(member.id()).await?.token;
        ensure!(live.token == before, "a restart changed {before:?} to {:?}", live.token);
    }
    Ok(())
}

pub(super) async fn a_member_that_drifted_is_still_a_member(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    h.put(member.id(), "by hand").await;
    for bench in [&bench, &bench.restarted().await] {
        let owner = bench.seen(member.id()).await?.owner;
        ensure!(owner == Owner::This, "changed by hand, and {owner:?}");
        ensure!(
            bench.members().await? == [member.id().clone()],
            "changed by hand, and not among the members"
        );
    }
    Ok(())
}

pub(super) async fn adopting_takes_an_object_over(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (_, live) = bench.foreign("a", "theirs").await?;
    let placed = bench.desired("a", "ours").await?;
    let done = bench.step(adopt(&placed, &live)).await?;
    ensure!(done.wrote, "an adoption says that it wrote nothing");
    bench.stored(&placed.id, Some("ours"), "after an adoption").await?;
    for bench in [&bench, &bench.restarted().await] {
        ensure!(bench.members().await? == [placed.id.clone()], "adopted, and not among the members");
    }
    let now = bench.seen(&placed.id).await?;
    ensure!(now.token.incarnation == live.token.incarnation, "an adoption made another object of it");
    bench.in_sync(&placed, "after an adoption").await
}

pub(super) async fn adopting_takes_an_object_from_another_application(h: &dyn TargetHarness) -> Checked {
    let (bench, placed) = {
        let bench = Bench::new(h).await;
        bench.other().create("a", "theirs").await?;
        let placed = bench.desired("a", "ours").await?;
        (bench, placed)
    };
    let live = bench.seen(&placed.id).await?;
    bench.step(adopt(&placed, &live)).await?;
    bench.stored(&placed.id, Some("ours"), "after an adoption").await?;
    ensure!(bench.members().await? == [placed.id.clone()], "adopted, and not among the members");
    for other in [bench.other(), bench.restarted().await.other()] {
        let left = other.members().await?;
        ensure!(left.is_empty(), "another application took it over, and it is still a member: {left:?}");
        let owner = other.seen(&placed.id).await?.owner;
        ensure!(owner == Owner::Other(bench.app.clone()), "{} took it over, and it is {owner:?}", bench.app);
    }
    Ok(())
}

pub(super) async fn releasing_leaves_the_object_to_nobody(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let done = bench.step(release(a.id(), a.token())).await?;
    ensure!(done.wrote, "a release says that it wrote nothing");
    bench.stored(a.id(), Some("v"), "after a release").await?;
    for bench in [&bench, &bench.restarted().await] {
        let owner = bench.seen(a.id()).await?.owner;
        ensure!(owner == Owner::Nobody, "released, and {owner:?}");
        ensure!(bench.members().await? == [b.id().clone()], "of two members one was released");
    }
    // What is nobody's can be adopted again.
    let live = bench.seen(a.id()).await?;
    bench.step(adopt(&a.placed, &live)).await?;
    ensure!(bench.members().await?.len() == 2, "released and adopted again, and no member");
    Ok(())
}

pub(super) async fn pruning_by_incarnation_deletes_only_members(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let ours = bench.create("ours", "v").await?;
    let theirs = bench.other().create("theirs", "v").await?;
    let (nobodys, foreign) = bench.foreign("nobodys", "v").await?;
    let released = bench.create("released", "v").await?;
    bench.step(release(released.id(), released.token())).await?;
    let released_now = bench.seen(released.id()).await?;
    let session = bench.begin(&[&ours.placed]).await?;
    for (id, token) in
        [(theirs.id(), theirs.token()), (&nobodys.id, &foreign.token), (released.id(), &released_now.token)]
    {
        let expect = Expect::Same(token.incarnation.clone());
        let step = Step::new(id.clone(), Action::Prune, expect, None);
        refused(
            session.run(&cx(), &step).await,
            Class::Precondition,
            &format!("pruning {id}, which is no member"),
        )?;
        bench.stored(id, Some("v"), "after a prune of what is no member").await?;
    }
    let expect = Expect::Same(ours.token().incarnation.clone());
    session.run(&cx(), &Step::new(ours.id().clone(), Action::Prune, expect, None)).await?;
    session.finish(&cx(), &end()).await?;
    let gone =
        super::bench::until(h.patience(), || async { Ok(h.read(ours.id()).await.is_none().then_some(())) });
    ensure!(gone.await?.is_some(), "a member was pruned by its incarnation, and is there");
    // The same step on the condition of the state that was looked at says whose the object was, and needs no look.
    let member = bench.create("a", "v").await?;
    bench.step(prune(member.id(), member.token())).await?;
    Ok(())
}
