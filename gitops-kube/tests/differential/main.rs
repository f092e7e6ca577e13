//! The cluster in memory beside a real API server: random sequences of operations do the same to both.
//!
//! After every operation the class of the outcome must be the same, whether anything changed, the conflicts with their
//! managers and fields, the object with its generation, and who owns which field; a watch must tell the same events with
//! the same objects, and the target's own watch must hint at what those events concern. What is set aside is named in
//! [`compare`] and in [`kinds`].
//!
//! `GITOPS_DIFFERENTIAL_SEED` repeats a run, and `GITOPS_DIFFERENTIAL_SEQUENCES` says how many sequences there are. A
//! sequence that differs is made shorter as long as it still differs, and printed with what repeats it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says with them what it expects"
)]

mod compare;
mod kinds;
mod memory_side;
mod operations;
mod outcome;
mod sequence;
mod server_side;

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use gitops_core::Dice;
use gitops_kube::testing::ControlPlane;
use gitops_kube::{ConnectOptions, connect};

use crate::operations::Chooser;
use crate::sequence::{REWRITTEN, run, shrunk};

/// How many sequences there are, if nobody says otherwise.
const SEQUENCES: u64 = 2_000;
/// How many of them run at a time.
const AT_ONCE: usize = 16;
/// How many that differ are made short and shown.
const SHOWN: usize = 5;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text:?}")))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn memory_does_what_an_api_server_does() {
    let seed = number("GITOPS_DIFFERENTIAL_SEED").unwrap_or_else(|| Dice::random().roll() % 1_000_000_000);
    let count = number("GITOPS_DIFFERENTIAL_SEQUENCES").unwrap_or(SEQUENCES);
    println!("GITOPS_DIFFERENTIAL_SEED={seed} GITOPS_DIFFERENTIAL_SEQUENCES={count}");
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Without controllers: what happens to an object is what is done to it here.
    let mut plane = ControlPlane::builder().api_only().start().await.unwrap();
    // A server that was restarted remembers nothing from before: a watch that begins at version 1 is told that it is gone.
    plane.stop_api();
    plane.start_api().await.unwrap();
    let client = connect(plane.client_config().unwrap(), &ConnectOptions::default()).unwrap();
    let kinds = kinds::kinds();
    server_side::prepare(&client, &kinds).await;

    let start = Instant::now();
    let one = async |seed: u64| {
        let (kind, operations) = Chooser::sequence(seed, &kinds);
        (seed, run(kind, &operations, &client).await)
    };
    let done: Vec<_> = stream::iter(seed..seed + count).map(one).buffer_unordered(AT_ONCE).collect().await;
    let took = start.elapsed();

    let mut counts = BTreeMap::<(String, &str), usize>::new();
    let mut failed = Vec::new();
    for (seed, result) in done {
        match result {
            Ok(counted) => counted.into_iter().for_each(|it| *counts.entry(it).or_default() += 1),
            Err(_) => failed.push(seed),
        }
    }
    let all: usize = counts.values().sum();
    println!("{count} sequences, {all} outcomes in {took:?}");
    for ((what, outcome), count) in &counts {
        println!("{what:>28}  {outcome:<20} {count:>6}");
    }
    failed.sort_unstable();
    for seed in failed.iter().take(SHOWN) {
        let (kind, operations) = Chooser::sequence(*seed, &kinds);
        let (operations, failure) = shrunk(kind, operations, &client).await;
        println!(
            "\nGITOPS_DIFFERENTIAL_SEED={seed} GITOPS_DIFFERENTIAL_SEQUENCES=1 cargo test -p gitops-kube --test differential -- --ignored --nocapture"
        );
        println!("{}:", kind.name);
        for operation in &operations {
            println!("  {operation}");
        }
        println!("{failure}");
    }
    let ended_by = |word: &str| -> usize {
        counts.iter().filter(|((_, outcome), _)| *outcome == word).map(|(_, count)| count).sum()
    };
    for (word, one_in) in [("incomplete", 50), (REWRITTEN, 500)] {
        let ended = ended_by(word);
        assert!(
            u64::try_from(ended).unwrap() <= (count / one_in).max(1),
            "{ended} of {count} sequences were left off: {word}"
        );
    }
    assert!(failed.is_empty(), "{} of {count} sequences differ: {failed:?}", failed.len());
    assert!(count < SEQUENCES || counts.len() > 50, "the choice is too narrow: {counts:?}");
}
