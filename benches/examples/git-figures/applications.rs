//! A thousand applications in one repository.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use gitops_core::{Application, EventKind, MemoryCluster, MemoryTarget, Reconciler, SyncState};
use gitops_git::GitSource;

use crate::counted::{Counted, Counts};
use crate::report::Report;
use crate::server::{Repo, Server};

const APPLICATIONS: usize = 1_000;

fn name(n: usize) -> String {
    format!("app-{n}")
}

fn write(repo: &Repo, n: usize, version: usize) -> Result<()> {
    let directory = repo.work().join(name(n));
    fs::create_dir_all(&directory)?;
    for part in ["a", "b", "c"] {
        let version = if part == "a" { version } else { 0 };
        let text = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}-{part}, labels: {{v: v{version}}}}}\n",
            name(n)
        );
        fs::write(directory.join(format!("{part}.yaml")), text)?;
    }
    Ok(())
}

pub(crate) async fn applications(report: &mut Report) -> Result<()> {
    let repo = Repo::new();
    (0..APPLICATIONS).try_for_each(|n| write(&repo, n, 0))?;
    repo.commit_all("all");
    let server = Server::start(repo.root());
    let git = GitSource::builder(server.url())
        .allow_http()
        .allow_loopback()
        .with_mirror_dir(repo.mirrors())
        .with_branch("main")
        .build()?;
    let counts = Arc::new(Counts::default());
    let source = Counted { source: git, counts: counts.clone() };
    let target = MemoryTarget::new(MemoryCluster::new());
    let mut builder =
        Reconciler::builder().with_interval(Duration::from_secs(3600)).with_event_capacity(60_000);
    for n in 0..APPLICATIONS {
        let app = Application::builder(name(n), source.clone(), target.clone()).with_path(name(n));
        builder = builder.with_application(app.build()?);
    }
    let reconciler = builder.build()?;
    let (handle, mut events) = (reconciler.handle(), reconciler.subscribe());
    let run = tokio::spawn(async move { reconciler.run().await });
    let all = |revision: &str| {
        (0..APPLICATIONS).all(|n| {
            handle.status(&name(n)).is_some_and(|status| {
                status.sync == SyncState::Synced
                    && status.applied.is_some_and(|applied| applied.id == revision)
            })
        })
    };
    let head = repo.head();
    wait(|| all(&head)).await?;
    let asked = Asked::of(&server);
    report.limited(format!("{APPLICATIONS} applications begin: polls, fetches"), asked.polls as f64, "", 1.0);
    report.limited("their fetches", asked.fetches as f64, "", 1.0);
    report.limited("their mirrors", fs::read_dir(repo.mirrors())?.count() as f64, "", 1.0);

    // One of them changes, and somebody says so.
    while let Ok(Some(_)) = tokio::time::timeout(Duration::ZERO, events.next()).await {}
    counts.take();
    write(&repo, 500, 1)?;
    let head = repo.commit_all("change");
    let begun = Instant::now();
    handle.refresh_where(|_| true);
    let changed = loop {
        let event = events.next().await.context("the reconciler ended")?;
        if let EventKind::SyncFinished { report } = event.kind
            && report.counts.changed > 0
        {
            break begun.elapsed();
        }
    };
    wait(|| all(&head)).await?;
    let everybody = begun.elapsed();
    let asked = Asked::of(&server);
    let (files, directories) = counts.take();
    report.limited("a commit that touches one of them: polls", asked.polls as f64, "", 1.0);
    report.limited("fetches", asked.fetches as f64, "", 1.0);
    report.limited("directories listed", directories as f64, "", 1.0);
    report.limited("files read", files as f64, "", 1.0);
    report.told("until it is written", changed.as_secs_f64() * 1e3, "ms");
    report.told("until all know that they are up to date", everybody.as_secs_f64() * 1e3, "ms");
    handle.stop();
    Ok(run.await??)
}

async fn wait(mut done: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !done() {
        ensure!(begun.elapsed() < Duration::from_secs(300), "it takes too long");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// What a server was asked since the last time.
struct Asked {
    polls: usize,
    fetches: usize,
}

impl Asked {
    fn of(server: &Server) -> Self {
        let requests = server.take_requests();
        let commands = |name: &str| {
            let command = format!("command={name}");
            let has = |body: &[u8]| body.windows(command.len()).any(|part| part == command.as_bytes());
            requests.iter().filter(|request| request.method == "POST" && has(&request.body)).count()
        };
        Self { polls: commands("ls-refs"), fetches: commands("fetch") }
    }
}
