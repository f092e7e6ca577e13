//! What reading from Git and writing to it cost, beside gix and `git` themselves, on a server on loopback.
//!
//! `benches/git` starts this. What is compared alternates in one run, and the median counts. It fails if a promise is
//! broken.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "it is a program, and prints three digits"
)]

mod applications;
mod change;
mod counted;
mod poll;
mod reading;
#[path = "../sync-figures/report.rs"]
mod report;
mod server;
mod updating;
mod workload;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};

use self::report::Report;

#[derive(Parser)]
struct Args {
    /// How often each thing is done.
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<What>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Asking a server with 10,000 references whether a branch has moved.
    Poll,
    /// One changed file in 10,000.
    Change,
    /// A thousand applications in one repository.
    Applications,
    /// All of 5,000 manifests.
    Reading,
    /// One image update in 10,000 files.
    Updating,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Somebody else's choice stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    let wanted = |what| args.only.is_empty() || args.only.contains(&what);
    let mut report = Report::default();
    if wanted(What::Poll) {
        poll::poll(args.rounds, &mut report).await?;
    }
    if wanted(What::Change) {
        change::change(args.rounds, &mut report).await?;
    }
    if wanted(What::Applications) {
        applications::applications(&mut report).await?;
    }
    if wanted(What::Reading) {
        reading::reading(args.rounds, &mut report).await?;
    }
    if wanted(What::Updating) {
        updating::updating(args.rounds, &mut report).await?;
    }
    println!("{report}");
    match report.misses() {
        0 => Ok(()),
        misses => bail!("{misses} limits are missed"),
    }
}

/// The middle of some measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
