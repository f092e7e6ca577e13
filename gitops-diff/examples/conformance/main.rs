//! Runs vector files against the engines of this crate.
//!
//! ```text
//! cargo run --release -p gitops-diff --example conformance -- [-v] FILE…
//! ```
//!
//! For each file it prints `NAME: passed N, failed M` and the names of the cases that failed; with `-v` also why. It exits
//! with 0 only if no case failed and every file could be read.
#![allow(clippy::print_stderr)] // It is a program.

mod runner;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use runner::{Folder, Outcome, VectorFile};

fn main() -> ExitCode {
    let (flags, files): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument == "-v");
    if files.is_empty() {
        eprintln!("usage: conformance [-v] FILE…");
        return ExitCode::from(2);
    }
    let mut good = true;
    for file in &files {
        match check(Path::new(file), !flags.is_empty()) {
            Ok(all_passed) => good &= all_passed,
            Err(error) => {
                eprintln!("{file}: {error:#}");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one file; whether all its cases passed.
fn check(path: &Path, verbose: bool) -> Result<bool> {
    let file = VectorFile::read(path)?;
    ensure!(!file.cases.is_empty(), "the file has no cases");
    let folder = Folder::beside(path);
    let (mut passed, mut failed) = (0_usize, Vec::new());
    for case in &file.cases {
        match runner::run(case, &file.name, &folder) {
            Outcome::Passed => passed += 1,
            Outcome::Skipped => {}
            Outcome::Failed(why) => failed.push((&case.name, why)),
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: passed {passed}, failed {}", file.name, failed.len())?;
    for (name, why) in &failed {
        if verbose {
            writeln!(out, "  {name}: {why}")?;
        } else {
            writeln!(out, "  {name}")?;
        }
    }
    Ok(failed.is_empty())
}
