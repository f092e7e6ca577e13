//! What is recorded of deployments.

use super::TargetHarness;
use super::bench::{Bench, SOURCE, create, end, reach};
use crate::testing::{Checked, cx};
use crate::{
    Action, AppRecord, Change, Deployments, Drift, End, Intent, Outcome, Reach, Revision, Timestamp, Verdict,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// One deployment, wholly in force at its end; `tell` says more of the end.
async fn deploy(bench: &Bench<'_>, revision: &str, at: Timestamp, tell: impl FnOnce(&mut End)) -> Checked {
    let revision = Revision::new(revision);
    let intent = Intent::new(at, SOURCE, Some(revision.clone()), Reach::default());
    let session = bench.target.begin(&cx(), &bench.app, &intent).await?;
    let mut end = End::new(at, Vec::new());
    end.applied = Some(revision);
    tell(&mut end);
    session.finish(&cx(), &end).await?;
    Ok(())
}

/// Notes that a revision is Healthy.
async fn note(bench: &Bench<'_>, revision: &str, at: Timestamp) -> Checked {
    let session = bench.target.begin(&cx(), &bench.app, &Intent::to_note(at, SOURCE)).await?;
    let mut end = End::noting(at);
    end.healthy = Some(Revision::new(revision));
    session.finish(&cx(), &end).await?;
    Ok(())
}

pub(super) async fn an_attempt_is_recorded_before_it_writes(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let revision = Revision::new("c0ffee");
    let intent = Intent::new(at(0), SOURCE, Some(revision.clone()), reach(&[&placed]));
    let session = bench.target.begin(&cx(), &bench.app, &intent).await?;
    for bench in [&bench, &bench.restarted().await] {
        let deployments = bench.recall().await?.deployments;
        let current = deployments.current();
        let is_attempted = current.is_some_and(|now| now.revision == revision && now.attempted == at(0));
        ensure!(is_attempted, "{revision} is attempted, and recorded is {current:?}");
        let is_more = current.is_some_and(|now| now.applied.is_some() || now.healthy.is_some());
        ensure!(!is_more, "it has only begun, and recorded is {current:?}");
    }
    // A crash here leaves the attempt recorded.
    drop(session);
    let session = bench.target.begin(&cx(), &bench.app, &intent).await?;
    session.run(&cx(), &create(&placed)).await?;
    session.finish(&cx(), &end()).await?;
    let recent = bench.restarted().await.recall().await?.deployments.recent;
    ensure!(
        recent.len() == 1,
        "a second attempt of the same revision is recorded as another one: {recent:?}"
    );
    Ok(())
}

pub(super) async fn deployments_are_recalled(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (made, gone) = (bench.desired("a", "v").await?, bench.desired("b", "v").await?);
    let changes = [Change::new(made.id.clone(), Action::Create), Change::new(gone.id.clone(), Action::Prune)];
    let drift = Drift::new(made.id.clone(), Some("somebody".to_owned()), vec![h.value_path().to_string()]);
    deploy(&bench, "first", at(0), |end| end.changes = changes.to_vec()).await?;
    deploy(&bench, "first", at(10), |end| end.healed = vec![drift.clone()]).await?;
    deploy(&bench, "second", at(20), |end| end.healthy = end.applied.clone()).await?;
    deploy(&bench, "first", at(30), |_| ()).await?;
    for bench in [&bench, &bench.restarted().await] {
        let kept = bench.recall().await?.deployments;
        let all: Vec<_> =
            kept.recent.iter().map(|one| (&*one.revision.id, one.applied, one.healthy)).collect();
        let want = [
            ("first", Some(at(0)), None),
            ("second", Some(at(20)), Some(at(20))),
            ("first", Some(at(30)), None),
        ];
        ensure!(all == want, "{want:?} were deployed, and recorded are {all:?}");
        let first = &kept.recent[0];
        ensure!(first.changes == changes, "{changes:?} were made, and recorded are {:?}", first.changes);
        ensure!(
            (first.counts.created, first.counts.pruned) == (1, 1),
            "one created and one pruned, and counted is {}",
            first.counts
        );
        let is_healed = matches!(&*kept.healed, [one] if one.drift == drift && one.last == at(10));
        ensure!(is_healed, "{drift:?} was healed, and recorded is {:?}", kept.healed);
        let good = kept.last_good();
        ensure!(
            good == Some((&Revision::new("second"), at(20))),
            "second was good, and the last good is {good:?}"
        );
    }
    Ok(())
}

pub(super) async fn noting_health_leaves_the_rest(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.desired("a", "v").await?;
    let outcome = Outcome { id: placed.id.clone(), action: None, verdict: Verdict::Unchanged };
    let session = bench.begin(&[&placed]).await?;
    session.finish(&cx(), &end()).await?;
    deploy(&bench, "first", at(0), |end| end.outcomes = Some(vec![outcome])).await?;
    let before = bench.recall().await?;
    note(&bench, "first", at(60)).await?;
    for bench in [&bench, &bench.restarted().await] {
        let now = bench.recall().await?;
        let good = now.deployments.last_good();
        ensure!(
            good == Some((&Revision::new("first"), at(60))),
            "first is Healthy, and the last good is {good:?}"
        );
        let rest = |record: &AppRecord| AppRecord { deployments: Deployments::default(), ..record.clone() };
        ensure!(
            rest(&now) == rest(&before),
            "only its health was noted, and it was {before:?} and is {now:?}"
        );
    }
    Ok(())
}

pub(super) async fn only_what_is_in_force_is_healthy(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    deploy(&bench, "first", at(0), |_| ()).await?;
    // It was attempted, and not all of it came in force.
    deploy(&bench, "second", at(10), |end| end.healthy = end.applied.take()).await?;
    note(&bench, "second", at(20)).await?;
    // It is not in force any more.
    note(&bench, "first", at(30)).await?;
    let kept = bench.restarted().await.recall().await?.deployments;
    ensure!(kept.last_good().is_none(), "none was in force and Healthy, and recorded is {:?}", kept.recent);
    Ok(())
}

pub(super) async fn many_deployments_are_summed_up(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    deploy(&bench, "good", at(0), |end| end.healthy = end.applied.clone()).await?;
    let more = i64::try_from(Deployments::RECENT).unwrap_or(0) + 3;
    for n in 1..=more {
        deploy(&bench, &format!("bad-{n}"), at(n), |_| ()).await?;
    }
    for bench in [&bench, &bench.restarted().await] {
        let kept = bench.recall().await?.deployments;
        let (recent, older) = (kept.recent.len(), kept.older.deployments);
        ensure!(
            (recent, older) == (Deployments::RECENT, 4),
            "{} deployments are {recent} recent and {older} older ones",
            more + 1
        );
        ensure!(kept.older.since == Some(at(0)), "they began at {:?}", kept.older.since);
        let last = kept.current().map(|current| current.attempted);
        ensure!(last == Some(at(more)), "the last was attempted at {last:?}");
        let good = kept.last_good();
        ensure!(good == Some((&Revision::new("good"), at(0))), "the last good is {good:?}");
    }
    Ok(())
}
