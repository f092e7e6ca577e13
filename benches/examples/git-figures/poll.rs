//! Asking whether a branch has moved.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gitops_core::{Cx, RefSpec, Source as _};
use gitops_git::GitSource;
use gix::progress::Discard;
use gix::protocol::LsRefsCommand;
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::transport::client::blocking_io::connect;
use gix::protocol::transport::{Protocol, Service};

use crate::median;
use crate::report::Report;
use crate::server::{Repo, Server, repo};

const REFERENCES: usize = 10_000;

pub(crate) async fn poll(rounds: usize, report: &mut Report) -> Result<()> {
    let repo = Repo::with(&[("a", "1")]);
    let head = repo.head();
    let mut all = String::new();
    for n in 0..REFERENCES - 1 {
        writeln!(all, "create refs/heads/feature/{n} {head}")?;
    }
    repo::git_with(&repo.bare(), &["update-ref", "--stdin"], all.as_bytes());
    repo::git(&repo.bare(), &["pack-refs", "--all"]);
    let server = Server::start(repo.root());
    let source = GitSource::builder(server.url())
        .allow_http()
        .allow_loopback()
        .with_mirror_dir(repo.mirrors())
        .with_branch("main")
        .build()?;
    let (mut ours, mut bare, mut ratios, mut received) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let url = server.url();
        let begun = Instant::now();
        let answer = tokio::task::spawn_blocking(move || ask(&url)).await??;
        let floor = begun.elapsed().as_secs_f64() * 1e3;
        ensure!(answer == head, "the floor says {answer}");

        let before = server.sent_with_heads();
        let begun = Instant::now();
        let revision = source.resolve(&Cx::with_timeout(Duration::from_secs(60)), &RefSpec::Default).await?;
        let time = begun.elapsed().as_secs_f64() * 1e3;
        received = received.max(server.sent_with_heads() - before);
        ensure!(revision.id == head, "ours says {revision}");
        bare.push(floor);
        ours.push(time);
        ratios.push(time / floor);
    }
    report.told(format!("poll, {REFERENCES} references: gix alone"), median(bare), "ms");
    report.told(format!("poll, {REFERENCES} references"), median(ours), "ms");
    report.limited("poll beside gix alone (median of the pairs)", median(ratios), "x", 1.1);
    report.limited("poll: received, with HTTP's heads", received as f64, "B", 2000.0);
    Ok(())
}

/// What gix does when it is asked for one branch, over its own HTTP client.
fn ask(url: &str) -> Result<String> {
    let options = connect::Options { version: Protocol::V2, ..Default::default() };
    let mut transport = connect::connect(url, options)?;
    let hello = gix::protocol::handshake(
        &mut transport,
        Service::UploadPack,
        |_| Ok(None),
        Vec::new(),
        &mut Discard,
    )?;
    let mut prefixes = RefPrefixes::new();
    prefixes.extend(["refs/heads/main".into()]);
    let refs = LsRefsCommand::new(Some(prefixes), &hello.capabilities, ("agent", Some("floor".into())))
        .invoke_blocking(&mut transport, &mut Discard, false)?;
    let main = refs.iter().map(|entry| entry.unpack()).find(|(name, ..)| *name == "refs/heads/main");
    Ok(main.and_then(|(_, target, _)| target).map(|id| id.to_string()).unwrap_or_default())
}
