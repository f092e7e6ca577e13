//! From the bytes of a watch event to the decision that nothing of ours changed.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gitops_benches::pairs::{MANAGER, Pair};
use gitops_diff::Glance;
use gitops_diff::schema::BuiltIn;
use serde_json::Value;

use crate::clock;
use crate::report::{Line, Report};

pub(crate) fn measure(pairs: &[Pair], rounds: usize, report: &mut Report) -> Result<()> {
    let mut applied = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let parsed: Value = serde_json::from_str(&pair.live)?;
        let slow = Glance::of(&parsed, MANAGER, &BuiltIn)?;
        let fast = Glance::of_json(pair.live.as_bytes(), MANAGER, &BuiltIn)?;
        ensure!(slow == fast, "the quick way and the slow one differ: {}", pair.live);
        applied.push(slow.fingerprint.context("nothing was applied")?);
    }
    let (mut glancing, mut parsing, mut slowly) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        let began = clock::now();
        for (pair, applied) in pairs.iter().zip(&applied) {
            let glance = Glance::of_json(black_box(pair.live.as_bytes()), MANAGER, &BuiltIn)?;
            ensure!(glance.fingerprint == Some(*applied), "it is unchanged");
        }
        glancing = glancing.min(clock::since(began));

        let began = clock::now();
        for pair in pairs {
            black_box(serde_json::from_slice::<Value>(black_box(pair.live.as_bytes()))?);
        }
        parsing = parsing.min(clock::since(began));

        let began = clock::now();
        for (pair, applied) in pairs.iter().zip(&applied) {
            let parsed: Value = serde_json::from_slice(black_box(pair.live.as_bytes()))?;
            let glance = Glance::of(&parsed, MANAGER, &BuiltIn)?;
            ensure!(glance.fingerprint == Some(*applied), "it is unchanged");
        }
        slowly = slowly.min(clock::since(began));
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / pairs.len() as f64;
    let lines = [("unchanged", glancing, Some(1.0 / 1.5)), ("unchanged, parsed first", slowly, None)];
    for (name, time, at_least) in lines {
        let what = "serde_json's parsing";
        report.add(Line { name, what, ours: each(time), theirs: each(parsing), at_least });
    }
    Ok(())
}
