//! What is recorded of an application, and who may write.

use std::time::Duration;

use super::TargetHarness;
use super::bench::{Bench, SOURCE, create, end, reach, refused};
use crate::testing::{Checked, Failure, cx};
use crate::{Class, Cx, End, Intent, Outcome, Reach, ReachEntry, Revision, Timestamp, Verdict};

pub(super) async fn what_was_never_deployed_is_not_recalled(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    bench.other().create("theirs", "v").await?;
    let recorded = bench.target.recall(&cx(), &bench.app).await?;
    ensure!(recorded.is_none(), "never deployed, and recorded: {recorded:?}");
    Ok(())
}

pub(super) async fn beginning_records_the_intent(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    // Another process sees it before anything is written, and while the session lives.
    for bench in [&bench, &bench.restarted().await] {
        let record = bench.recall().await?;
        ensure!(record.source == SOURCE, "the source is recorded as {:?}", record.source);
        ensure!(
            record.attempted == Some(Revision::new("c0ffee")) && record.applied.is_none(),
            "a revision is attempted and none applied yet: {record:?}"
        );
        ensure!(record.reach == reach(&[&placed]), "the reach is recorded as {:?}", record.reach);
    }
    drop(session);
    Ok(())
}

/// Somewhere else, for the reach: nothing is written there.
fn elsewhere(placed: &crate::Placed) -> ReachEntry {
    let mut entry = ReachEntry::of(placed);
    entry.namespace = Some("elsewhere".to_owned());
    entry
}

pub(super) async fn beginning_only_widens_the_reach(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let (here, there) = (ReachEntry::of(&member.placed), elsewhere(&member.placed));
    let session =
        bench.target.begin(&cx(), &bench.app, &Bench::intent(Reach([there.clone()].into()))).await?;
    let want = Reach([here.clone(), there.clone()].into());
    let now = bench.recall().await?.reach;
    ensure!(now == want, "{here:?} was recorded, {there:?} intended, and now it is {now:?}");
    drop(session);
    let session = bench.target.begin(&cx(), &bench.app, &Bench::intent(Reach::default())).await?;
    let now = bench.recall().await?.reach;
    ensure!(now == want, "an intent without a reach made it {now:?}");
    let source_only = Intent::new(Timestamp::UNIX_EPOCH, SOURCE, None, Reach::default());
    drop(session);
    drop(bench.target.begin(&cx(), &bench.app, &source_only).await?);
    let record = bench.restarted().await.recall().await?;
    ensure!(record.reach == want, "after a restart it is {:?}", record.reach);
    ensure!(record.attempted.is_some(), "an intent without a revision made the one before forgotten");
    Ok(())
}

pub(super) async fn another_source_is_denied(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    bench.create("a", "v").await?;
    let before = bench.recall().await?;
    let intent =
        Intent::new(Timestamp::UNIX_EPOCH, "contract:another", Some(Revision::new("bad")), Reach::default());
    for bench in [&bench, &bench.restarted().await] {
        let begun = bench.target.begin(&cx(), &bench.app, &intent).await;
        refused(begun.map(drop), Class::Denied, "beginning for another source")?;
        let now = bench.recall().await?;
        ensure!(now == before, "a source that was denied changed the record: {now:?}");
    }
    // It does not keep the rightful source out.
    bench.create("b", "v").await?;
    Ok(())
}

pub(super) async fn a_session_that_is_dropped_leaves_the_reach_wide(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    session.run(&cx(), &create(&placed)).await?;
    drop(session);
    let now = bench.recall().await?.reach;
    ensure!(now == reach(&[&placed]), "a session was dropped, and the reach is {now:?}");
    ensure!(bench.members().await? == [placed.id.clone()], "a session was dropped, and its member is none");
    // The same target can go on.
    bench.create("b", "v").await?;
    ensure!(bench.members().await?.len() == 2, "after a session that was dropped, a second member is none");
    Ok(())
}

pub(super) async fn a_crash_loses_no_member(h: &dyn TargetHarness) -> Checked {
    let mut ids = Vec::new();
    {
        let bench = Bench::new(h).await;
        let placed = [bench.desired("a", "v").await?, bench.desired("b", "v").await?];
        let session = bench.begin(&[&placed[0], &placed[1]]).await?;
        for placed in &placed {
            session.run(&cx(), &create(placed)).await?;
            ids.push(placed.id.clone());
        }
        // The process ends here: nobody finishes, and no destructor runs.
        std::mem::forget(session);
        let after = bench.restarted().await;
        let members = after.members().await?;
        ensure!(members == ids, "{ids:?} were created before a crash, and after it there are {members:?}");
        std::mem::forget(bench.target);
    }
    Ok(())
}

fn told(bench: &Bench<'_>, placed: &crate::Placed) -> End {
    let outcome = Outcome { id: placed.id.clone(), action: None, verdict: Verdict::Unchanged };
    let at = Timestamp::from_second(1_700_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut end = End::new(at, vec![outcome]);
    end.applied = Some(Revision::new(format!("applied-{}", bench.app)));
    end
}

pub(super) async fn finishing_records_the_end(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    session.run(&cx(), &create(&placed)).await?;
    let end = told(&bench, &placed);
    session.finish(&cx(), &end).await?;
    for bench in [&bench, &bench.restarted().await] {
        let record = bench.recall().await?;
        ensure!(
            record.applied == end.applied,
            "{:?} is applied, and {:?} recorded",
            end.applied,
            record.applied
        );
        ensure!(
            Some(&record.outcomes) == end.outcomes.as_ref(),
            "the outcomes are recorded as {:?}",
            record.outcomes
        );
        ensure!(record.finished == Some(end.at), "the time is recorded as {:?}", record.finished);
        ensure!(record.source == SOURCE, "the source is recorded as {:?}", record.source);
    }
    Ok(())
}

pub(super) async fn finishing_narrows_only_when_told(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let there = elsewhere(&placed);
    let mut wide = reach(&[&placed]);
    wide.0.insert(there);
    let session = bench.target.begin(&cx(), &bench.app, &Bench::intent(wide.clone())).await?;
    session.run(&cx(), &create(&placed)).await?;
    session.finish(&cx(), &end()).await?;
    let now = bench.restarted().await.recall().await?.reach;
    ensure!(now == wide, "nobody said where members may be from now on, and it became {now:?}");
    let session = bench.begin(&[]).await?;
    let mut narrow = end();
    narrow.reach = Some(reach(&[&placed]));
    session.finish(&cx(), &narrow).await?;
    for bench in [&bench, &bench.restarted().await] {
        let now = bench.recall().await?.reach;
        ensure!(now == reach(&[&placed]), "narrowed, it is {now:?}");
        ensure!(bench.members().await? == [placed.id.clone()], "narrowed to where the member is, it is none");
    }
    Ok(())
}

pub(super) async fn finishing_without_a_revision_keeps_the_last(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let applied = told(&bench, &placed);
    bench.begin(&[&placed]).await?.finish(&cx(), &applied).await?;
    bench.begin(&[&placed]).await?.finish(&cx(), &end()).await?;
    let record = bench.recall().await?;
    ensure!(
        record.applied == applied.applied,
        "no revision came in force since, and it is {:?}",
        record.applied
    );
    ensure!(record.outcomes.is_empty(), "the outcomes of an older session are kept: {:?}", record.outcomes);
    Ok(())
}

pub(super) async fn finishing_can_forget(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let other = bench.other();
    let theirs = other.create("theirs", "v").await?;
    let session = bench.begin(&[]).await?;
    let mut forget = end();
    forget.forget = true;
    session.finish(&cx(), &forget).await?;
    for bench in [&bench, &bench.restarted().await] {
        let recorded = bench.target.recall(&cx(), &bench.app).await?;
        ensure!(recorded.is_none(), "it was to be forgotten, and is recorded: {recorded:?}");
    }
    ensure!(other.members().await? == [theirs.id().clone()], "another application was forgotten too");
    // What was forgotten can belong to another source.
    let intent = Intent::new(Timestamp::UNIX_EPOCH, "contract:another", None, Reach::default());
    drop(bench.target.begin(&cx(), &bench.app, &intent).await?);
    Ok(())
}

/// Long enough for a lock to be asked for.
const SHORT: Duration = Duration::from_millis(300);

pub(super) async fn one_session_at_a_time(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    let restarted = bench.restarted().await;
    for second in [&bench, &restarted] {
        let intent = Bench::intent(Reach::default());
        match second.target.begin(&Cx::with_timeout(SHORT), &bench.app, &intent).await {
            Ok(_) => return Err(Failure::violated("two sessions write for one application")),
            Err(fault) => {
                ensure!(fault.is_transient(), "a lock that is held may be free later, and it is {fault:?}");
            }
        }
    }
    // Whoever was kept out took nothing away from who holds it.
    session.run(&cx(), &create(&placed)).await?;
    session.finish(&cx(), &end()).await?;
    Ok(())
}

pub(super) async fn sessions_of_two_applications_do_not_meet(h: &dyn TargetHarness) -> Checked {
    let one = Bench::new(h).await;
    let two = one.other();
    let (a, b) = (one.desired("a", "v").await?, two.desired("b", "v").await?);
    let first = one.begin(&[&a]).await?;
    let second = two.begin(&[&b]).await?;
    let (cx, steps) = (cx(), [create(&a), create(&b)]);
    let (done, also) = tokio::join!(first.run(&cx, &steps[0]), second.run(&cx, &steps[1]));
    done?;
    also?;
    second.finish(&cx, &end()).await?;
    first.finish(&cx, &end()).await?;
    ensure!(
        one.members().await? == [a.id.clone()] && two.members().await? == [b.id.clone()],
        "each has one member: {:?}, {:?}",
        one.members().await?,
        two.members().await?
    );
    Ok(())
}

pub(super) async fn finishing_releases_the_lock(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    bench.begin(&[]).await?.finish(&cx(), &end()).await?;
    let restarted = bench.restarted().await;
    for next in [&restarted, &bench, &restarted] {
        let (patient, intent) = (Cx::with_timeout(h.patience()), Bench::intent(Reach::default()));
        let session = next.target.begin(&patient, &bench.app, &intent).await?;
        session.finish(&cx(), &end()).await?;
    }
    Ok(())
}
