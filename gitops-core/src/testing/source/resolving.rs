//! What a source is called, and what `resolve` answers.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::bench::{Bench, holds, refused};
use super::{SourceHarness, Trouble};
use crate::testing::{Checked, Failure, NotApplicable, cx};
use crate::{Class, RefSpec, Revision};

pub(super) async fn the_identity_is_stable(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = bench.source.identity();
    h.commit("first", &[("a", Some("1"))]).await;
    bench.newest().await?;
    for again in [bench.source.identity(), bench.restarted().await.source.identity()] {
        ensure!(again == first, "it was {first:?}, and is {again:?}");
    }
    ensure!(!first.is_empty(), "it is empty");
    Ok(())
}

pub(super) async fn two_places_have_two_identities(h: &dyn SourceHarness) -> Checked {
    let (one, two) = (h.open().await.identity(), h.elsewhere().await.identity());
    ensure!(one != two, "both are {one:?}");
    Ok(())
}

pub(super) async fn only_one_source_is_the_same_instance(h: &dyn SourceHarness) -> Checked {
    let (one, two) = (h.open().await, h.elsewhere().await);
    let Some(instance) = one.instance() else { return Ok(()) };
    ensure!(one.instance().as_ref() == Some(&instance), "it is another one when asked again");
    ensure!(two.instance() != Some(instance), "another place says that it is the same source");
    Ok(())
}

pub(super) async fn nothing_tells_the_credentials(h: &dyn SourceHarness) -> Checked {
    let secrets = h.credentials()?;
    let bench = Bench::new(h).await;
    let mut told = vec![bench.source.identity(), format!("{:?}", bench.source)];
    let newest = h.commit("first", &[("a", Some("1"))]).await;
    let missing = bench.source.resolve(&cx(), &h.missing()).await;
    told.extend(missing.err().map(|fault| format!("{fault} {fault:?}")));
    let missing = bench.source.fetch(&cx(), &Revision::new(h.no_revision())).await;
    told.extend(missing.err().map(|fault| format!("{fault} {fault:?}")));
    let tree = bench.fetch(&newest).await?;
    told.push(format!("{:?}", tree.revision()));
    // With the credentials refused, faults are about them.
    if h.trouble(Trouble::Denied).await.is_ok() {
        let denied = bench.restarted().await.source.resolve(&cx(), &RefSpec::Default).await;
        told.extend(denied.err().map(|fault| format!("{fault} {fault:?} {:?}", fault.note())));
        h.calm().await;
    }
    for text in &told {
        let hidden = secrets.iter().all(|secret| !text.contains(secret.as_str()));
        ensure!(hidden, "a credential is told: {text}");
    }
    Ok(())
}

pub(super) async fn resolving_finds_the_newest_revision(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    for round in 0..3 {
        let content = round.to_string();
        let id = h.commit("next", &[("a", Some(&content))]).await;
        for bench in [&bench, &bench.restarted().await] {
            let seen = bench.resolve().await?;
            ensure!(seen.id == id, "{id} was made, and {} is resolved", seen.id);
        }
        ensure!(bench.resolve().await?.id == id, "asked again, it is another");
        holds(&bench.newest().await?, "a", &content, "the newest").await?;
    }
    Ok(())
}

pub(super) async fn a_reference_that_does_not_exist_is_not_found(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    h.commit("first", &[("a", Some("1"))]).await;
    let seen = bench.source.resolve(&cx(), &h.missing()).await;
    refused(seen, Class::NotFound, &format!("resolving {}", h.missing()))
}

pub(super) async fn a_source_without_a_revision_is_not_found(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    refused(
        bench.source.resolve(&cx(), &RefSpec::Default).await,
        Class::NotFound,
        "resolving an empty source",
    )?;
    let id = h.commit("first", &[("a", Some("1"))]).await;
    ensure!(bench.resolve().await?.id == id, "the first revision is there, and another is resolved");
    Ok(())
}

pub(super) async fn branches_tags_and_commits_are_followed(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let old = h.commit("old", &[("a", Some("old"))]).await;
    let (branch, tag) = (h.branch("release", &old).await?, h.tag("v1", &old).await?);
    let new = h.commit("new", &[("a", Some("new"))]).await;
    for want in [&branch, &tag, &h.revision(&old)?] {
        let revision = bench.source.resolve(&cx(), want).await?;
        ensure!(revision.id == old, "{want} is {old}, and {} is resolved", revision.id);
        let tree = bench.source.fetch(&cx(), &revision).await?;
        holds(&tree, "a", "old", &want.to_string()).await?;
    }
    let moved = h.branch("release", &new).await?;
    let revision = bench.source.resolve(&cx(), &moved).await?;
    ensure!(revision.id == new, "the branch moved to {new}, and {} is resolved", revision.id);
    ensure!(bench.resolve().await?.id == new, "the default is another");
    Ok(())
}

/// A text that packs badly, so that moving it shows.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(bytes);
    while text.len() < bytes {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend(format!("{state:016x}").chars());
    }
    text
}

/// A file so large that it shows whether it was moved.
const BIG: usize = 400_000;
/// Questions and answers about references are smaller.
const SMALL: u64 = 50_000;

pub(super) async fn resolving_moves_no_content(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    h.moved()?;
    h.commit("first", &[("a", Some("1"))]).await;
    bench.newest().await?;
    h.commit("big", &[("big", Some(&noise(1, BIG)))]).await;
    let before = h.moved()?;
    let revision = bench.resolve().await?;
    let resolved = h.moved()? - before;
    ensure!(resolved < SMALL, "resolving moved {resolved} bytes");
    bench.source.fetch(&cx(), &revision).await?;
    let fetched = h.moved()? - before;
    ensure!(fetched > SMALL, "the harness counts what is moved, and fetching {BIG} bytes moved {fetched}");
    Ok(())
}

pub(super) async fn fetching_moves_only_what_is_missing(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    h.moved()?;
    let big = noise(2, BIG);
    let first = h.commit("big", &[("big", Some(&big))]).await;
    bench.fetch(&first).await?;
    let before = h.moved()?;
    bench.fetch(&first).await?;
    let again = h.moved()? - before;
    ensure!(again < SMALL, "it is there, and fetching it moved {again} bytes");
    h.commit("small", &[("small", Some("1"))]).await;
    holds(&bench.newest().await?, "big", &big, "after a small change").await?;
    let small = h.moved()? - before;
    ensure!(small < SMALL, "a small change moved {small} bytes");
    Ok(())
}

pub(super) async fn hints_do_not_make_a_hot_loop(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let Some(mut hints) = bench.source.hints() else {
        return Err(NotApplicable::because("the source gives no hints").into());
    };
    for round in 0..2 {
        let until = Instant::now() + Duration::from_millis(300);
        let mut count = 0;
        while let Ok(hint) = timeout_at(until, hints.next()).await {
            ensure!(hint.is_some(), "the stream of hints ended");
            count += 1;
            if count > 20 {
                return Err(Failure::violated("nothing changed, and there are hints without end"));
            }
        }
        h.commit("next", &[("a", Some(&round.to_string()))]).await;
    }
    Ok(())
}
