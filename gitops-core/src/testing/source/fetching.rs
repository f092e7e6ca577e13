//! What `fetch` answers, and how calls end.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::bench::{Bench, Tree, holds, id, refused};
use super::{SourceHarness, Trouble};
use crate::testing::{CALL, Checked, Failure, cx};
use crate::{Class, Cx, Fault, RefSpec, Revision};

pub(super) async fn what_is_fetched_is_what_was_asked_for(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let old = h.commit("old", &[("a", Some("old")), ("gone", Some("x"))]).await;
    let new = h.commit("new", &[("a", Some("new")), ("gone", None), ("added", Some("y"))]).await;
    ensure!(old != new, "two revisions have one id");
    for bench in [&bench, &bench.restarted().await] {
        for (revision, content) in [(&new, "new"), (&old, "old"), (&new, "new")] {
            let tree = bench.fetch(revision).await?;
            ensure!(
                tree.revision().id == **revision,
                "{revision} was asked for, {} answered",
                tree.revision().id
            );
            holds(&tree, "a", content, revision).await?;
            let there = (id(&tree, "gone").await?.is_some(), id(&tree, "added").await?.is_some());
            ensure!(
                there == (content == "old", content == "new"),
                "{revision} has files of another revision"
            );
        }
    }
    Ok(())
}

pub(super) async fn a_revision_that_does_not_exist_is_not_found(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = h.commit("first", &[("a", Some("1"))]).await;
    bench.fetch(&first).await?;
    let missing = bench.source.fetch(&cx(), &Revision::new(h.no_revision())).await;
    refused(missing, Class::NotFound, "fetching a revision that does not exist")?;
    holds(&bench.fetch(&first).await?, "a", "1", "after that").await
}

pub(super) async fn a_revision_never_changes(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = h.commit("first", &[("dir/a", Some("1")), ("b", Some("1"))]).await;
    let before = bench.fetch(&first).await?;
    let ids = [id(&before, "").await?, id(&before, "dir").await?, id(&before, "b").await?];
    h.commit("second", &[("dir/a", Some("2")), ("b", None), ("c", Some("2"))]).await;
    bench.newest().await?;
    for bench in [&bench, &bench.restarted().await] {
        let after = bench.fetch(&first).await?;
        let now = [id(&after, "").await?, id(&after, "dir").await?, id(&after, "b").await?];
        ensure!(now == ids, "fetched again, its ids are {now:?}, and were {ids:?}");
        holds(&after, "dir/a", "1", "fetched again").await?;
        ensure!(id(&after, "c").await?.is_none(), "fetched again, it has a file of the next one");
    }
    Ok(())
}

pub(super) async fn an_older_snapshot_goes_on_reading(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = bench.commit(&[("a", Some("first")), ("dir/b", Some("first"))]).await?;
    for round in 0..5 {
        let content = round.to_string();
        let b = if round == 0 { None } else { Some(content.as_str()) };
        let next = bench.commit(&[("a", Some(&content)), ("dir/b", b), (&content, Some("x"))]).await?;
        holds(&next, "a", &content, "the newest").await?;
    }
    drop(bench);
    holds(&first, "a", "first", "after five more").await?;
    holds(&first, "dir/b", "first", "after five more").await
}

pub(super) async fn fetches_at_once_show_the_same(h: &dyn SourceHarness) -> Checked {
    let mut revisions = Vec::new();
    for round in 0..3 {
        let content = round.to_string();
        revisions.push((h.commit("next", &[("a", Some(&content))]).await, content));
    }
    let bench = Bench::new(h).await;
    let twice: Vec<_> = revisions.iter().chain(&revisions).chain(&revisions).collect();
    let trees = join_all(twice.iter().map(|(revision, _)| bench.fetch(revision))).await;
    for ((revision, content), tree) in twice.into_iter().zip(trees) {
        let tree = tree?;
        ensure!(tree.revision().id == *revision, "{revision} was asked for, {} answered", tree.revision().id);
        holds(&tree, "a", content, revision).await?;
    }
    Ok(())
}

pub(super) async fn a_fetch_that_was_dropped_leaves_nothing_half_done(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let mut pause = Duration::ZERO;
    for round in 0..8 {
        let content = format!("{round}-{}", "x".repeat(20_000));
        let names: Vec<String> = (0..20).map(|n| format!("dir{n}/file")).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), Some(content.as_str()))).collect();
        let revision = h.commit("next", &files).await;
        // Dropped at its first await, and later and later.
        let cx = cx();
        let _ = timeout(pause, bench.source.resolve(&cx, &RefSpec::Default)).await;
        let _ = timeout(pause, bench.source.fetch(&cx, &Revision::new(&revision))).await;
        pause = pause * 2 + Duration::from_micros(200);
        ensure!(
            bench.resolve().await?.id == revision,
            "after calls that were dropped another revision is resolved"
        );
        for bench in [&bench, &bench.restarted().await] {
            let tree = bench.fetch(&revision).await?;
            for name in &names {
                holds(&tree, name, &content, "after a fetch that was dropped").await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn a_revision_tells_where_it_comes_from(h: &dyn SourceHarness) -> Checked {
    let author = h.author()?;
    let bench = Bench::new(h).await;
    h.commit("add a\n\nbecause of b", &[("a", Some("1"))]).await;
    let tree: Tree = bench.newest().await?;
    let told = tree.revision().provenance.as_deref().cloned().unwrap_or_default();
    ensure!(
        told.author.as_ref().is_some_and(|person| person.name == author),
        "the author is {:?}",
        told.author
    );
    ensure!(told.message.trim_end() == "add a\n\nbecause of b", "the message is {:?}", told.message);
    ensure!(told.time.is_some(), "the time is not told");
    ensure!(told.reference.is_some(), "the reference that was followed is not told");
    ensure!(told.rewrote.is_none(), "nothing was rewritten: {:?}", told.rewrote);
    Ok(())
}

pub(super) async fn a_rewritten_history_is_told(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = h.commit("first", &[("a", Some("1"))]).await;
    bench.newest().await?;
    let second = h.commit("second", &[("a", Some("2"))]).await;
    let rewrote = |tree: &Tree| tree.revision().provenance.as_ref().and_then(|told| told.rewrote.clone());
    let told = rewrote(&bench.newest().await?);
    ensure!(told.is_none(), "a revision that follows another rewrote {told:?}");
    h.reset(&first).await?;
    let third = h.commit("third", &[("a", Some("3"))]).await;
    let tree = bench.newest().await?;
    ensure!(tree.revision().id == third, "{third} is the newest, and {} was fetched", tree.revision().id);
    let told = rewrote(&tree);
    ensure!(told.as_deref() == Some(&*second), "{third} rewrote {second}, and {told:?} is told");
    holds(&tree, "a", "3", "after the history was rewritten").await
}

pub(super) async fn a_cancelled_context_is_cancelled(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = h.commit("first", &[("a", Some("1"))]).await;
    let cancelled = cx();
    cancelled.cancel.cancel();
    let resolved = bench.source.resolve(&cancelled, &RefSpec::Default).await;
    refused(resolved, Class::Cancelled, "resolving with a context that is cancelled")?;
    let fetched = bench.source.fetch(&cancelled, &Revision::new(&first)).await;
    refused(fetched, Class::Cancelled, "fetching with a context that is cancelled")?;
    holds(&bench.newest().await?, "a", "1", "after that").await
}

/// When a context ends, and how much later the call may.
const AFTER: Duration = Duration::from_millis(200);
const GRACE: Duration = Duration::from_millis(1500);

async fn ends<T>(call: impl Future<Output = Result<T, Fault>>, class: Class, what: &str) -> Checked {
    let begun = Instant::now();
    match timeout(AFTER + GRACE, call).await {
        Err(_) => {
            let waited = begun.elapsed();
            Err(Failure::violated(format!("{what}: its context ended, and after {waited:?} it still waited")))
        }
        Ok(Err(fault)) if fault.class.retry_after().is_some() && class == Class::RETRY => Ok(()),
        Ok(done) => refused(done, class, &format!("{what}, while nothing answered")),
    }
}

pub(super) async fn every_wait_ends_by_the_deadline(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    bench.commit(&[("a", Some("1"))]).await?;
    let second = h.commit("second", &[("a", Some("2"))]).await;
    h.trouble(Trouble::Silence).await?;
    let brief = Cx::with_timeout(AFTER);
    ends(bench.source.resolve(&brief, &RefSpec::Default), Class::RETRY, "resolve").await?;
    let brief = Cx::with_timeout(AFTER);
    ends(bench.source.fetch(&brief, &Revision::new(&second)), Class::RETRY, "fetch").await?;
    h.calm().await;
    holds(&bench.newest().await?, "a", "2", "after the silence").await
}

pub(super) async fn every_wait_ends_by_cancellation(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    bench.commit(&[("a", Some("1"))]).await?;
    let second = h.commit("second", &[("a", Some("2"))]).await;
    h.trouble(Trouble::Silence).await?;
    let cancelled_soon = || {
        let cx = Cx::with_timeout(CALL);
        let cancel = cx.cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(AFTER).await;
            cancel.cancel();
        });
        cx
    };
    let cx = cancelled_soon();
    ends(bench.source.resolve(&cx, &RefSpec::Default), Class::Cancelled, "resolve").await?;
    let cx = cancelled_soon();
    ends(bench.source.fetch(&cx, &Revision::new(&second)), Class::Cancelled, "fetch").await?;
    h.calm().await;
    holds(&bench.newest().await?, "a", "2", "after the silence").await
}

pub(super) async fn a_refused_credential_is_denied(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    bench.commit(&[("a", Some("1"))]).await?;
    let second = h.commit("second", &[("a", Some("2"))]).await;
    h.trouble(Trouble::Denied).await?;
    for bench in [&bench, &bench.restarted().await] {
        let resolved = bench.source.resolve(&cx(), &RefSpec::Default).await;
        refused(resolved, Class::Denied, "resolving without the permission")?;
        let fetched = bench.source.fetch(&cx(), &Revision::new(&second)).await;
        refused(fetched, Class::Denied, "fetching without the permission")?;
    }
    h.calm().await;
    holds(&bench.newest().await?, "a", "2", "with the permission again").await
}
