//! What `observe` answers.

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;

use super::bench::{Bench, prune};
use super::{TargetHarness, Trouble};
use crate::testing::{Checked, Failure, cx};
use crate::{Action, Class, Expect, Live, Observe, Owner, ResourceId, Step};

fn ids(live: &[Live]) -> Vec<&ResourceId> {
    let mut ids: Vec<_> = live.iter().map(|live| &live.id).collect();
    ids.sort();
    ids
}

pub(super) async fn reading_writes_nothing(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let absent = bench.desired("b", "v").await?;
    let mut changes = bench.target.watch(&bench.app);
    let _ = changes.next().now_or_never();
    bench.objects(std::slice::from_ref(&absent.id)).await?;
    bench.everything(std::slice::from_ref(&absent.id)).await?;
    let recorded = bench.target.recall(&cx(), &bench.app).await?;
    ensure!(recorded.is_none(), "reading made a record: {recorded:?}");
    bench.stored(&absent.id, None, "after reading an object that does not exist").await?;
    let restarted = bench.restarted().await;
    let recorded = restarted.target.recall(&cx(), &bench.app).await?;
    ensure!(recorded.is_none(), "reading made a record: {recorded:?}");

    let member = bench.create("a", "v").await?;
    let record = bench.recall().await?;
    h.put(member.id(), "by hand").await;
    let before = bench.seen(member.id()).await?;
    bench.compare(&member.placed, &before);
    bench.everything(&[member.id().clone(), absent.id.clone()]).await?;
    let _ = changes.next().now_or_never();
    let after = bench.restarted().await.seen(member.id()).await?;
    ensure!(after.token == before.token, "reading wrote to an object: {:?}, {:?}", before.token, after.token);
    bench.stored(member.id(), Some("by hand"), "after reading").await?;
    let now = bench.recall().await?;
    ensure!(now == record, "reading changed the record: {record:?}, {now:?}");
    Ok(())
}

pub(super) async fn what_does_not_exist_is_not_observed(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let absent = bench.desired("absent", "v").await?;
    for seen in [
        bench.objects(std::slice::from_ref(&absent.id)).await?,
        bench.everything(std::slice::from_ref(&absent.id)).await?,
    ] {
        ensure!(seen.live.is_empty(), "{:?} of an object that does not exist", seen.live);
    }
    Ok(())
}

pub(super) async fn objects_are_those_that_were_asked_for(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, _b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let theirs = bench.other().create("theirs", "v").await?;
    let (nobodys, _) = bench.foreign("nobodys", "v").await?;
    let asked = [a.id().clone(), theirs.id().clone(), nobodys.id.clone()];
    let seen = bench.objects(&asked).await?;
    let asked: BTreeSet<_> = asked.iter().collect();
    ensure!(
        ids(&seen.live) == asked.iter().copied().collect::<Vec<_>>(),
        "{asked:?} were asked for, {:?} answered",
        ids(&seen.live)
    );
    Ok(())
}

pub(super) async fn everything_is_all_members_and_what_is_asked_for(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let (nobodys, _) = bench.foreign("nobodys", "v").await?;
    for bench in [&bench, &bench.restarted().await] {
        let seen = bench.everything(&[a.id().clone(), nobodys.id.clone()]).await?;
        let want: BTreeSet<_> = [a.id(), b.id(), &nobodys.id].into();
        ensure!(
            ids(&seen.live) == want.iter().copied().collect::<Vec<_>>(),
            "members {} and {}, asked for {}, and seen {:?}",
            a.id(),
            b.id(),
            nobodys.id,
            ids(&seen.live)
        );
    }
    Ok(())
}

pub(super) async fn members_of_others_are_not_in_everything(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let ours = bench.create("ours", "v").await?;
    bench.other().create("theirs", "v").await?;
    bench.foreign("nobodys", "v").await?;
    let seen = bench.everything(&[]).await?;
    ensure!(ids(&seen.live) == [ours.id()], "{} is ours, and seen is {:?}", ours.id(), ids(&seen.live));
    Ok(())
}

pub(super) async fn each_object_is_observed_once(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let a = bench.create("a", "v").await?;
    let (nobodys, _) = bench.foreign("nobodys", "v").await?;
    let twice = [a.id().clone(), nobodys.id.clone(), a.id().clone(), nobodys.id.clone()];
    for seen in [bench.objects(&twice).await?, bench.everything(&twice).await?] {
        let unique: BTreeSet<_> = seen.live.iter().map(|live| &live.id).collect();
        ensure!(
            seen.live.len() == 2 && unique.len() == 2,
            "two objects were asked for twice: {:?}",
            ids(&seen.live)
        );
    }
    Ok(())
}

pub(super) async fn what_is_observed_is_not_stale(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let (nobodys, _) = bench.foreign("nobodys", "v").await?;
    let asked = [member.id().clone(), nobodys.id.clone()];
    let mut last = Vec::new();
    for round in ["one", "two"] {
        h.put(member.id(), round).await;
        h.put(&nobodys.id, round).await;
        for seen in [bench.everything(&asked).await?, bench.objects(&asked).await?] {
            let tokens: Vec<_> = seen.live.iter().map(|live| live.token.clone()).collect();
            let is_new = tokens.len() == 2 && !tokens.iter().any(|token| last.contains(token));
            ensure!(is_new, "both were changed by hand, and the answer is as before: {:?}", seen.live);
        }
        last = bench.everything(&asked).await?.live.into_iter().map(|live| live.token).collect();
    }
    for id in &asked {
        h.delete(id).await;
    }
    for seen in [bench.everything(&asked).await?, bench.objects(&asked).await?] {
        ensure!(seen.live.is_empty(), "both were deleted by hand, and are observed: {:?}", seen.live);
    }
    h.put(&nobodys.id, "again").await;
    bench.seen(&nobodys.id).await?;
    Ok(())
}

pub(super) async fn what_is_read_anew_is_as_it_is_stored(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    // With a watch, and after a look at everything, a target may know its members by heart.
    let mut changes = bench.target.watch(&bench.app);
    let _ = changes.next().now_or_never();
    let member = bench.create("a", "v").await?;
    let _other = bench.create("b", "v").await?;
    let (nobodys, _) = bench.foreign("nobodys", "v").await?;
    let absent = bench.desired("absent", "v").await?;
    let asked = vec![member.id().clone(), nobodys.id.clone(), absent.id.clone()];
    let shows = bench.everything(&asked).await?.live.iter().any(|live| live.object.is_some());
    let anew = Observe::Anew(asked.clone());
    let mut last = Vec::new();
    for value in ["v", "one", "two"] {
        if value != "v" {
            h.put(member.id(), value).await;
            h.put(&nobodys.id, value).await;
        }
        let seen = bench.observe(&anew).await?.live;
        ensure!(
            ids(&seen) == [member.id(), &nobodys.id],
            "{asked:?} were asked for, the last of which does not exist, and seen is {:?}",
            ids(&seen)
        );
        ensure!(
            !shows || seen.iter().all(|live| live.object.is_some()),
            "objects are read, and answered without their content: {seen:?}"
        );
        let tokens: Vec<_> = seen.iter().map(|live| live.token.clone()).collect();
        let is_new = !tokens.iter().any(|token| last.contains(token));
        ensure!(is_new, "both were changed by hand, and the answer is as before: {seen:?}");
        last = tokens;
    }
    for id in [member.id(), &nobodys.id] {
        h.delete(id).await;
    }
    let seen = bench.observe(&anew).await?.live;
    ensure!(seen.is_empty(), "both were deleted by hand, and are observed: {seen:?}");
    Ok(())
}

pub(super) async fn what_cannot_be_read_is_named(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let absent = bench.desired("absent", "v").await?;
    h.trouble(Trouble::Unreadable).await?;
    let asked = vec![member.id().clone(), absent.id.clone()];
    for what in [
        Observe::Everything { also: asked.clone() },
        Observe::Everything { also: Vec::new() },
        Observe::Objects(asked.clone()),
    ] {
        let seen = bench.target.observe(&cx(), &bench.app, &what).await?;
        for id in &asked {
            let named = seen.unseen.iter().any(|unseen| unseen.covers(id));
            let is_there = seen.live.iter().any(|live| live.id == *id);
            ensure!(!is_there, "{id} cannot be read, and was");
            // Of an object that is no member only those who asked for it must be told.
            let counts =
                *id == *member.id() || !matches!(&what, Observe::Everything { also } if also.is_empty());
            ensure!(named || !counts, "{id} cannot be read, and {what:?} says nothing of it");
        }
    }
    h.calm().await;
    ensure!(bench.members().await? == [member.id().clone()], "it can be read again, and is not");
    ensure!(bench.look(&absent.id).await?.is_none(), "it can be read again, and does not exist");
    Ok(())
}

pub(super) async fn a_version_changes_with_every_write(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let mut versions = vec![bench.seen(member.id()).await?.token];
    let again = bench.seen(member.id()).await?.token;
    ensure!(again == versions[0], "nobody wrote, and {:?} became {again:?}", versions[0]);
    h.put(member.id(), "by hand").await;
    versions.push(bench.seen(member.id()).await?.token);
    h.put(member.id(), "by hand, again").await;
    let drifted = bench.seen(member.id()).await?;
    versions.push(drifted.token.clone());
    bench.step(super::bench::update(&member.placed, &drifted)).await?;
    versions.push(bench.seen(member.id()).await?.token);
    let unique: BTreeSet<_> = versions.iter().map(|token| &token.version).collect();
    ensure!(unique.len() == versions.len(), "four states have {} versions: {versions:?}", unique.len());
    let incarnations: BTreeSet<_> = versions.iter().map(|token| &token.incarnation).collect();
    ensure!(incarnations.len() == 1, "one object, changed in place, has several incarnations: {versions:?}");
    Ok(())
}

pub(super) async fn an_object_that_was_made_anew_is_another_incarnation(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (nobodys, first) = bench.foreign("nobodys", "v").await?;
    h.delete(&nobodys.id).await;
    h.put(&nobodys.id, "v").await;
    let second = bench.seen(&nobodys.id).await?;
    let member = bench.create("a", "v").await?;
    bench.step(prune(member.id(), member.token())).await?;
    let again = bench.create("a", "v").await?;
    for (one, two) in [(&first.token, &second.token), (member.token(), again.token())] {
        ensure!(
            one.incarnation != two.incarnation,
            "deleted and created again, it is the same: {one:?}, {two:?}"
        );
    }
    Ok(())
}

pub(super) async fn what_is_being_deleted_says_so(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    h.hold(member.id(), true).await?;
    let live = bench.seen(member.id()).await?;
    ensure!(!live.terminating, "nobody deleted it, and it is being deleted");
    let done = bench.step(prune(member.id(), &live.token)).await?;
    let Some(dying) = done.live else {
        return Err(Failure::violated("a prune that has only begun says that the object is gone"));
    };
    ensure!(dying.terminating, "after a prune that has only begun, it is not being deleted");
    ensure!(
        bench.seen(member.id()).await?.terminating,
        "it is being deleted, and observed as if it were not"
    );
    ensure!(bench.members().await? == [member.id().clone()], "it is being deleted, and no member any more");
    h.hold(member.id(), false).await?;
    let gone = super::bench::until(h.patience(), || async {
        Ok(bench.look(member.id()).await?.is_none().then_some(()))
    });
    ensure!(gone.await?.is_some(), "it was let go, and is still there");
    Ok(())
}

pub(super) async fn what_is_marked_to_stay_says_so(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    ensure!(!bench.seen(member.id()).await?.keep, "nobody marked it to stay, and it is");
    h.keep(member.id()).await?;
    let live = bench.seen(member.id()).await?;
    ensure!(live.keep, "it is marked to stay, and does not say so");
    ensure!(live.owner == Owner::This, "it is marked to stay, and no member any more: {:?}", live.owner);
    let expect = Expect::Same(live.token.incarnation.clone());
    let pruned = bench.step(Step::new(member.id().clone(), Action::Prune, expect, None)).await;
    super::bench::refused(
        pruned,
        Class::Precondition,
        "pruning what is marked to stay, by its incarnation alone",
    )?;
    bench.seen(member.id()).await?;
    Ok(())
}

pub(super) async fn deletions_go_in_the_reverse_order(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let live = bench.seen(member.id()).await?;
    ensure!(
        live.rank == member.placed.rank,
        "placed in rank {}, live in rank {}",
        member.placed.rank,
        live.rank
    );
    Ok(())
}
