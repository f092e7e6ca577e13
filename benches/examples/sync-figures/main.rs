//! What a whole sync takes beside a bare loop of apply patches, and what it costs when little or nothing changes.
//!
//! `benches/sync` builds the programs and starts this. Each first sync has an API server of its own, fresh and empty; runs
//! of the floor and of ours alternate. What is told of requests and times is what the API server's audit log says; a run
//! begins with its process, and ends with the last successful write. It fails if a promise is broken.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "it is a program, and prints three digits"
)]

mod audit;
mod cluster;
mod first;
mod floor;
mod follow;
mod process;
mod report;
mod repository;
mod steady;
mod workload;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand, ValueEnum};

use self::report::Report;

/// What the application is called.
const APP: &str = "shop";
/// How many objects there are, and how many where it is shown how cost grows.
const SMALL: usize = 1_000;
const BIG: usize = 5_000;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Measures, and prints a table.
    Measure(Measure),
    /// A bare loop: applies the objects of a file. What others are compared with.
    Floor {
        /// Each line a path of the API server, a tabulator, and an object.
        objects: PathBuf,
    },
    /// A reconciler that looks at the repository when a line comes in.
    Follow { repository: PathBuf, mirror: PathBuf },
}

#[derive(clap::Args)]
struct Measure {
    /// The program that is measured: the example `gitops`.
    #[arg(long)]
    gitops: PathBuf,
    /// How many pairs of the floor and ours; the median counts.
    #[arg(long, default_value_t = 7)]
    pairs: usize,
    /// Runs the controllers, too, which make Pods and so have their share of the machine.
    #[arg(long)]
    controllers: bool,
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<What>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// 1,000 objects, beside the floor.
    First,
    /// 5,000 objects, beside the floor and 1,000.
    Growth,
    Drift,
    OneShot,
    Idle,
    Commits,
}

/// How everything is measured.
pub(crate) struct Bench {
    gitops: PathBuf,
    /// This program.
    own: PathBuf,
    pairs: usize,
    controllers: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Somebody else's choice stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Args::parse().part {
        Part::Floor { objects } => floor::apply(&objects).await,
        Part::Follow { repository, mirror } => follow::follow(&repository, &mirror).await,
        Part::Measure(args) => measure(args).await,
    }
}

async fn measure(args: Measure) -> Result<()> {
    let wanted = |what| args.only.is_empty() || args.only.contains(&what);
    let mut report = Report::default();
    let mut bench = Bench {
        gitops: args.gitops.canonicalize()?,
        own: std::env::current_exe()?,
        pairs: args.pairs,
        controllers: args.controllers,
    };
    if !wanted(What::First) && !wanted(What::Growth) {
        // What follows needs a cluster in which everything is deployed, and no comparison.
        bench.pairs = 1;
    }
    let (small, deployed) = first::compare(&bench, SMALL, 40.0, &mut report).await?;
    if wanted(What::Drift) {
        steady::drift(&deployed, &mut report).await?;
    }
    let deployed = deployed.stopped().await?;
    if wanted(What::OneShot) {
        steady::one_shot(&bench, &deployed, &mut report).await?;
    }
    if wanted(What::Idle) {
        steady::restart_and_idle(&bench, &deployed, &mut report).await?;
    }
    if wanted(What::Commits) {
        steady::commits(&bench, &deployed, &mut report).await?;
    }
    drop(deployed);
    if wanted(What::Growth) {
        let (big, _) = first::compare(&bench, BIG, 90.0, &mut report).await?;
        let times = format!("{BIG} objects beside {SMALL}");
        report.limited(format!("{times}: time"), big.time / small.time, "×", 5.5);
        report.limited(format!("{times}: CPU"), big.cpu / small.cpu, "×", 5.5);
    }
    println!("{report}");
    if report.misses() > 0 {
        bail!("{} promises are broken", report.misses());
    }
    Ok(())
}
