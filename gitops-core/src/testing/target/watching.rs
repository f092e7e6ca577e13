//! What `watch` tells.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use super::bench::{Bench, Member};
use super::{TargetHarness, Trouble};
use crate::testing::{Checked, Failure, NotApplicable};
use crate::{Dirty, Events, ResourceId};

/// Without an item for so long, there is none to come.
const QUIET: Duration = Duration::from_millis(300);

fn watches(bench: &Bench<'_>) -> Result<(), NotApplicable> {
    if bench.target.capabilities().watches {
        return Ok(());
    }
    Err(NotApplicable::because("the target does not watch"))
}

fn names(dirty: &Dirty, id: &ResourceId) -> bool {
    match dirty {
        Dirty::Objects(ids) => ids.contains(id),
        Dirty::Everything => true,
        Dirty::Blind(_) => false,
    }
}

/// The next item, until a time.
async fn next(changes: &mut Events<Dirty>, deadline: Instant) -> Result<Option<Dirty>, Failure> {
    match timeout_at(deadline, changes.next()).await {
        Ok(Some(dirty)) => Ok(Some(dirty)),
        Ok(None) => Err(Failure::violated("the stream of changes ended")),
        Err(_) => Ok(None),
    }
}

/// Reads the stream until it names the object.
async fn told(changes: &mut Events<Dirty>, id: &ResourceId, patience: Duration, what: &str) -> Checked {
    let deadline = Instant::now() + patience;
    let mut seen = Vec::new();
    while let Some(dirty) = next(changes, deadline).await? {
        if names(&dirty, id) {
            return Ok(());
        }
        seen.push(format!("{dirty:?}"));
    }
    Err(Failure::violated(format!("{what} was not told within {patience:?}; what was: {seen:?}")))
}

/// How many items there are until none come any more.
async fn drain(changes: &mut Events<Dirty>) -> Result<usize, Failure> {
    let mut items = 0;
    while next(changes, Instant::now() + QUIET).await?.is_some() {
        items += 1;
    }
    Ok(items)
}

/// Puts a member back, as whoever was told does: only then the next change is news.
async fn heal(bench: &Bench<'_>, member: &Member) -> Checked {
    let drifted = bench.seen(member.id()).await?;
    bench.step(super::bench::update(&member.placed, &drifted)).await?;
    Ok(())
}

/// A watch of a member that is known to see: it has told of a change, which was put back.
async fn watched(bench: &Bench<'_>, member: &Member) -> Result<Events<Dirty>, Failure> {
    watches(bench)?;
    let mut changes = bench.target.watch(&bench.app);
    let deadline = Instant::now() + bench.harness.patience();
    for round in 0.. {
        bench.harness.put(member.id(), &format!("probe {round}")).await;
        let soon = (Instant::now() + QUIET).min(deadline);
        match next(&mut changes, soon).await? {
            Some(dirty) if names(&dirty, member.id()) => break,
            _ if Instant::now() >= deadline => {
                let text = format!("within {:?} no change was told", bench.harness.patience());
                return Err(Failure::violated(text));
            }
            _ => {}
        }
        heal(bench, member).await?;
    }
    heal(bench, member).await?;
    drain(&mut changes).await?;
    Ok(changes)
}

pub(super) async fn the_stream_does_not_end(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let mut changes = bench.target.watch(&bench.app);
    drain(&mut changes).await?;
    let member = bench.create("a", "v").await?;
    h.put(member.id(), "by hand").await;
    drain(&mut changes).await?;
    let session = bench.begin(&[]).await?;
    let mut forget = super::bench::end();
    forget.forget = true;
    session.finish(&crate::testing::cx(), &forget).await?;
    drain(&mut changes).await?;
    // One more reader, of an application that nobody knows.
    drain(&mut bench.target.watch(&h.app("nobody"))).await?;
    Ok(())
}

pub(super) async fn a_change_by_others_is_told(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let mut changes = watched(&bench, &a).await?;
    for (member, value) in [(&b, "one"), (&a, "two"), (&b, "three")] {
        h.put(member.id(), value).await;
        told(&mut changes, member.id(), h.patience(), &format!("a change of {}", member.id())).await?;
        heal(&bench, member).await?;
        drain(&mut changes).await?;
    }
    Ok(())
}

pub(super) async fn a_deletion_by_others_is_told(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let mut changes = watched(&bench, &a).await?;
    for member in [&b, &a] {
        h.delete(member.id()).await;
        told(&mut changes, member.id(), h.patience(), &format!("a deletion of {}", member.id())).await?;
        drain(&mut changes).await?;
    }
    Ok(())
}

pub(super) async fn what_is_deployed_after_the_watch_began_is_told(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    watches(&bench)?;
    let mut changes = bench.target.watch(&bench.app);
    drain(&mut changes).await?;
    let member = bench.create("a", "v").await?;
    let deadline = Instant::now() + h.patience();
    for round in 0.. {
        if round > 0 {
            heal(&bench, &member).await?;
        }
        h.put(member.id(), &format!("by hand {round}")).await;
        let soon = (Instant::now() + QUIET).min(deadline);
        match next(&mut changes, soon).await? {
            Some(dirty) if names(&dirty, member.id()) => return Ok(()),
            _ if Instant::now() >= deadline => break,
            _ => {}
        }
    }
    Err(Failure::violated("the watch is older than the application, and tells nothing of it"))
}

pub(super) async fn unread_changes_are_one_hint(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let mut changes = watched(&bench, &a).await?;
    let mut last = 0;
    // On a machine that is busy an item may be on its way for longer than we wait before we read.
    for attempt in 0..3_u32 {
        for round in 0..10 {
            for member in [&a, &b] {
                h.put(member.id(), &format!("round {attempt}-{round}")).await;
            }
        }
        sleep(QUIET * (1 + attempt)).await;
        last = drain(&mut changes).await?;
        if last == 1 {
            return Ok(());
        }
    }
    Err(Failure::violated(format!("20 changes that nobody had read of were {last} hints")))
}

pub(super) async fn a_gap_is_told_and_what_changed_in_it(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (a, b) = (bench.create("a", "v").await?, bench.create("b", "v").await?);
    let mut changes = watched(&bench, &a).await?;
    h.trouble(Trouble::WatchesDown).await?;
    let deadline = Instant::now() + h.patience();
    loop {
        match next(&mut changes, deadline).await? {
            Some(Dirty::Blind(_)) => break,
            Some(_) => {}
            None => return Err(Failure::violated("changes could not be seen, and nobody was told")),
        }
    }
    h.put(b.id(), "in the gap").await;
    h.delete(a.id()).await;
    h.calm().await;
    // It may be told in one item or in several, and may be told once more that it was blind.
    let deadline = Instant::now() + h.patience();
    let (mut of_a, mut of_b) = (false, false);
    while !(of_a && of_b) {
        let Some(dirty) = next(&mut changes, deadline).await? else {
            let text = format!("after the gap: a deletion in it told: {of_a}, a change in it told: {of_b}");
            return Err(Failure::violated(text));
        };
        of_a |= names(&dirty, a.id());
        of_b |= names(&dirty, b.id());
    }
    heal(&bench, &b).await?;
    drain(&mut changes).await?;
    h.put(b.id(), "after the gap").await;
    told(&mut changes, b.id(), h.patience(), "a change after the gap").await
}
