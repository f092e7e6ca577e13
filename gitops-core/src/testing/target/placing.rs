//! What `place` answers.

use std::sync::Arc;

use serde_json::json;

use super::TargetHarness;
use super::bench::{Bench, create};
use crate::testing::{Checked, cx};
use crate::{Manifest, Place, RepoPath};

const NAMES: [&str; 4] = ["d", "a", "c", "b"];

pub(super) async fn placing_answers_in_the_order_of_the_set(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let set: Vec<Manifest> = NAMES.iter().map(|name| h.manifest(name, "v")).collect();
    let placed = bench.target.place(&cx(), set.clone()).await?;
    ensure!(placed.len() == set.len(), "{} manifests, {} answers", set.len(), placed.len());
    for (manifest, placed) in set.iter().zip(&placed) {
        ensure!(
            placed.manifest.id == manifest.id,
            "the answer to {} stands where that to {} belongs",
            placed.manifest.id,
            manifest.id
        );
    }
    Ok(())
}

pub(super) async fn placing_is_canonical(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = bench.desired("a", "v").await?;
    bench.create("a", "v").await?;
    let live = bench.seen(&first.id).await?;
    ensure!(live.id == first.id, "placed as {:#}, observed as {:#}", first.id, live.id);
    for again in [bench.desired("a", "v").await?, bench.restarted().await.desired("a", "v").await?] {
        ensure!(
            (&again.id, again.rank, again.digest) == (&first.id, first.rank, first.digest),
            "placed once as {first:?}, and once as {again:?}"
        );
    }
    let other = bench.desired("b", "v").await?;
    ensure!(other.id != first.id, "two names are one object: {}", other.id);
    Ok(())
}

pub(super) async fn the_digest_tells_desired_states_apart(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let (one, two) = (bench.desired("a", "one").await?, bench.desired("a", "two").await?);
    ensure!(one.digest != two.digest, "two values have one digest");
    ensure!(one.digest == bench.desired("a", "one").await?.digest, "one value has two digests");
    Ok(())
}

/// A manifest of a kind that nobody serves.
fn unknown() -> Option<Manifest> {
    let object = json!({"apiVersion": "contract.invalid/v1", "kind": "NobodyServesThis",
        "metadata": {"name": "x"}, "spec": {"value": "v"}});
    Manifest::new(&object, Place::file(RepoPath::root())).ok()
}

pub(super) async fn an_unknown_kind_is_an_answer(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let set = [h.manifest("a", "v")].into_iter().chain(unknown()).chain([h.manifest("b", "v")]).collect();
    let placed = bench.target.place(&cx(), set).await?;
    let unresolved: Vec<bool> = placed.iter().map(|placed| placed.unresolved.is_some()).collect();
    ensure!(
        unresolved == [false, true, false],
        "of known, unknown, known these are unresolved: {unresolved:?}"
    );
    Ok(())
}

pub(super) async fn what_is_not_placed_is_not_applied(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let placed = bench.target.place(&cx(), unknown().into_iter().collect()).await?;
    let session = bench.begin(&[]).await?;
    for placed in placed {
        let id = placed.id.clone();
        let done = session.run(&cx(), &create(&Arc::new(placed))).await;
        ensure!(done.is_err(), "{id}, of a kind that is not known, was applied: {done:?}");
    }
    Ok(())
}

pub(super) async fn requirements_go_first(h: &dyn TargetHarness) -> Checked {
    let [dependent, required] = h.dependents()?;
    let bench = Bench::new(h).await;
    let placed = bench.target.place(&cx(), vec![dependent, required]).await?;
    let [dependent, required] = placed.as_slice() else {
        return Err(crate::testing::Failure::violated(format!("two manifests, {} answers", placed.len())));
    };
    ensure!(
        dependent.requires.contains(&required.id) || dependent.rank > required.rank,
        "nothing says that {} comes before {}",
        required.id,
        dependent.id
    );
    ensure!(
        dependent.rank >= required.rank && !required.requires.contains(&dependent.id),
        "{} is required by {}, and goes after it: {} and {}",
        required.id,
        dependent.id,
        required.rank,
        dependent.rank
    );
    Ok(())
}
