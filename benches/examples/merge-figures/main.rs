//! What the merges take beside the Go modules of Kubernetes and Argo CD: on the same bytes, on one core, in one run.
//!
//! `benches/compare` builds both sides and starts this. Each measure is first done once by both sides, and the digests of
//! all results are compared; then both are timed in turn, and the best time of each counts. Time is that of the processor,
//! so that whatever else runs on the machine counts little. The table says how the two relate, and what the crate
//! promises. It fails if a result differs or a promise is broken.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it is a program, and prints three digits"
)]

mod clock;
mod input;
mod measures;
mod peer;
mod report;
mod schema;
mod unchanged;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use gitops_benches::pairs::{Pair, canonical, pairs, to_lines};
use sha2::{Digest as _, Sha256};

use self::input::Input;
use self::measures::{MEASURES, Measure};
use self::peer::Peer;
use self::report::{Line, Report};

/// How many pairs are prepared at a time; the peer does the same.
const CHUNK: usize = 250;
/// How many pairs fit into the processor's cache.
const WARM: usize = 8;

/// Times the merges beside those of the Go modules.
#[derive(Parser)]
struct Args {
    /// The Go program (benches/peers).
    #[arg(long, required_unless_present = "write")]
    peer: Option<PathBuf>,
    /// The OpenAPI v2 document of Kubernetes, which the Go program takes its types from.
    #[arg(long, required_unless_present = "write")]
    swagger: Option<PathBuf>,
    /// Writes the workload to this file, one pair a line, and measures nothing.
    #[arg(long)]
    write: Option<PathBuf>,
    /// The programs with and without the built-in schema.
    #[arg(long, num_args = 2, value_names = ["WITH", "WITHOUT"])]
    schema: Vec<PathBuf>,
    /// How many pairs of desired and live objects.
    #[arg(long, default_value_t = 10_000)]
    pairs: usize,
    /// How often each side is timed, where there is a promise.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these measures.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let pairs = pairs(args.pairs);
    if let Some(file) = &args.write {
        return Ok(std::fs::write(file, to_lines(&pairs)?)?);
    }
    let workload = tempfile::NamedTempFile::new()?;
    std::fs::write(workload.path(), to_lines(&pairs)?)?;
    let (program, swagger) = args.peer.zip(args.swagger).context("--peer and --swagger are needed")?;
    let mut peer = Peer::start(&program, workload.path(), &swagger)?;
    let mut report = Report::default();
    let mut wrong = 0;
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    for measure in MEASURES.iter().filter(|measure| wanted(measure.name)) {
        if let Err(error) = compare(measure, &pairs, &mut peer, args.rounds, &mut report) {
            println!("{}: {error:#}", measure.name);
            wrong += 1;
        }
    }
    if wanted("unchanged") {
        unchanged::measure(&pairs, args.rounds, &mut report)?;
    }
    if let [with, without] = args.schema.as_slice()
        && wanted("schema")
    {
        schema::measure(with, without, &mut report)?;
    }
    println!("{report}");
    if wrong + report.misses() > 0 {
        bail!("{wrong} measures are wrong, {} budgets are missed", report.misses());
    }
    Ok(())
}

fn compare(
    measure: &Measure,
    pairs: &[Pair],
    peer: &mut Peer,
    rounds: usize,
    report: &mut Report,
) -> Result<()> {
    agree(measure, pairs, peer)?;
    let (mut best, mut peers) = (Duration::MAX, Duration::MAX);
    let mut less = Duration::MAX;
    // What nothing is promised about is timed once: some of it takes minutes.
    for _ in 0..if measure.at_least.is_some() { rounds } else { 1 } {
        best = best.min(time(measure, pairs)?);
        peers = peers.min(peer.time(measure.peer)?);
        less = less.min(measure.less.map_or(Ok(Duration::ZERO), |less| peer.time(less))?);
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / pairs.len() as f64;
    report.add(Line {
        name: measure.name,
        what: measure.what,
        ours: each(best),
        theirs: each(peers.saturating_sub(less)),
        at_least: measure.at_least,
    });
    Ok(())
}

/// Fails unless all results are the peer's.
fn agree(measure: &Measure, pairs: &[Pair], peer: &mut Peer) -> Result<()> {
    let theirs = peer.digests(measure.peer)?;
    ensure!(theirs.len() == pairs.len(), "the peer has done {} of {} pairs", theirs.len(), pairs.len());
    for (at, (pair, theirs)) in pairs.iter().zip(theirs).enumerate() {
        let input = Input::of(pair)?;
        let ours = canonical(&(measure.run)(&input)?.into_tree()?);
        let digest = Sha256::digest(format!("{ours}\n"));
        if hex(&digest) != theirs {
            let theirs = canonical(&peer.show(measure.peer, at)?);
            bail!("pair {at} differs from the peer's\nours:   {ours}\ntheirs: {theirs}");
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How long it takes for all pairs. Where the peer has just parsed its trees, ours are still warm, too.
fn time(measure: &Measure, pairs: &[Pair]) -> Result<Duration> {
    let (size, times) = if measure.less.is_some() { (WARM, 5) } else { (CHUNK, 1) };
    let mut taken = Duration::ZERO;
    for chunk in pairs.chunks(size) {
        let inputs = Input::prepare(chunk)?;
        let began = clock::now();
        // Looking at the clock must not count beside a few pairs.
        for input in (0..times).flat_map(|_| &inputs) {
            black_box((measure.run)(black_box(input))?);
        }
        taken += clock::since(began) / times;
    }
    Ok(taken)
}
