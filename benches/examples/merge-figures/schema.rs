//! What the built-in schema adds to a program: its size, and the time of the first question.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::report::{Budget, Report};

/// What it may add to a binary, in kB.
const SIZE: f64 = 200.0;
/// What the first question may take, in milliseconds.
const FIRST_USE: f64 = 1.0;

pub(crate) fn measure(with: &Path, without: &Path, report: &mut Report) -> Result<()> {
    let size = |program: &Path| {
        std::fs::metadata(program).map(|file| file.len()).with_context(|| program.display().to_string())
    };
    let added = size(with)?.saturating_sub(size(without)?);
    let first = (0..20).map(|_| first_use(with)).collect::<Result<Vec<_>>>()?;
    report.budget(Budget { name: "schema: size", unit: "kB", is: added as f64 / 1e3, at_most: SIZE });
    let best = first.into_iter().fold(f64::INFINITY, f64::min) / 1e6;
    report.budget(Budget { name: "schema: first use", unit: "ms", is: best, at_most: FIRST_USE });
    Ok(())
}

/// The nanoseconds that a new process takes to know a kind.
fn first_use(program: &Path) -> Result<f64> {
    let object = r#"{"apiVersion": "apps/v1", "kind": "Deployment"}"#;
    let output = Command::new(program).arg(object).output()?;
    let text = String::from_utf8(output.stdout)?;
    let (nanos, known) = text.trim().split_once(' ').context("it has said nothing")?;
    ensure!(known == "true", "it does not know Deployments");
    Ok(nanos.parse()?)
}
