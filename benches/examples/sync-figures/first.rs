//! The first sync beside the floor, and how both grow.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gitops_core::Timestamp;
use serde_json::Value;

use crate::Bench;
use crate::audit::Request;
use crate::cluster::Cluster;
use crate::process::{Process, Taken};
use crate::report::Report;
use crate::repository::Repository;
use crate::workload::{Object, objects};

/// One run, from the start of the process to its last successful write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) time: Duration,
    pub(crate) taken: Taken,
    pub(crate) requests: usize,
    pub(crate) writes: usize,
}

impl Run {
    fn seconds(&self) -> f64 {
        self.time.as_secs_f64()
    }

    fn cpu(&self) -> f64 {
        self.taken.cpu.as_secs_f64()
    }

    fn mebibytes(&self) -> f64 {
        self.taken.peak as f64 / 1_048_576.0
    }
}

/// A cluster in which everything is deployed, and the engine that keeps it so.
pub(crate) struct Deployed {
    pub(crate) objects: Vec<Object>,
    pub(crate) repository: Repository,
    pub(crate) cluster: Cluster,
    /// None when it was stopped.
    engine: Option<Process>,
    // Last: the others look into it.
    pub(crate) home: tempfile::TempDir,
}

impl Deployed {
    /// The same without the engine.
    pub(crate) async fn stopped(mut self) -> Result<Self> {
        if let Some(engine) = self.engine.take() {
            engine.kill().await?;
        }
        Ok(self)
    }

    /// Where the repository is, and the engine's copy of it.
    pub(crate) fn paths(&self) -> Result<(String, String)> {
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a path is no text");
        Ok((text(self.repository.path())?, text(&self.home.path().join("mirror"))?))
    }
}

/// A run by what the API server wrote down. What is written after `ended` (that all is Healthy by now, for example) is no
/// part of it.
fn measured(
    cluster: &Cluster,
    user: &str,
    started: Timestamp,
    ended: Option<Timestamp>,
    taken: Taken,
) -> Result<Run> {
    let is_late = |request: &Request| request.is_write() && ended.is_some_and(|ended| request.at > ended);
    let all = cluster.log().more()?.into_iter();
    let all: Vec<_> = all.filter(|request| request.user == user && !is_late(request)).collect();
    let last = all.iter().filter(|request| request.has_written()).map(|request| request.at).max();
    let last = last.with_context(|| format!("{user} has written nothing"))?;
    Ok(Run {
        time: Duration::try_from(last.duration_since(started))?,
        taken,
        requests: all.len(),
        writes: all.iter().filter(|request| request.is_write()).count(),
    })
}

async fn floor(bench: &Bench, objects: &[Object]) -> Result<Run> {
    let cluster = Cluster::start(bench.controllers).await?;
    let home = tempfile::tempdir()?;
    let mut lines = String::new();
    for object in objects {
        writeln!(lines, "{}\t{}", object.uri, object.content)?;
    }
    let file = home.path().join("objects");
    fs::write(&file, lines)?;
    let args = ["floor", file.to_str().context("a path is no text")?];
    let floor = Process::start(&bench.own, &args, &cluster.kubeconfig("floor")?, home.path())?;
    let started = floor.started;
    let taken = floor.end().await?;
    let run = measured(&cluster, "floor", started, None, taken)?;
    ensure!(run.writes == objects.len(), "the floor has written {} of {}", run.writes, objects.len());
    Ok(run)
}

/// The arguments of the program that is measured.
pub(crate) fn arguments<'a>(
    command: &'a str,
    (repository, mirror): (&'a str, &'a str),
    more: &[&'a str],
) -> Vec<&'a str> {
    let common = [
        "--name",
        crate::APP,
        "--repo",
        repository,
        "--path",
        "apps",
        "--mirror",
        mirror,
        "--output",
        "json",
    ];
    [command].iter().chain(&common).chain(more).copied().collect()
}

async fn ours(bench: &Bench, objects: &[Object]) -> Result<(Run, Deployed)> {
    let cluster = Cluster::start(bench.controllers).await?;
    let home = tempfile::tempdir()?;
    let repository = Repository::create(&home.path().join("repository"), objects)?;
    let mirror = home.path().join("mirror");
    let paths = (
        repository.path().to_str().context("a path is no text")?,
        mirror.to_str().context("a path is no text")?,
    );
    let args = arguments("run", paths, &["--interval", "1h"]);
    let mut engine = Process::start(&bench.gitops, &args, &cluster.kubeconfig("engine")?, home.path())?;
    let finished = engine.event("sync_finished").await?;
    // The echoes of the writes, in the watches, belong to it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ended = finished["at"].as_str().context("an event without a time")?.parse()?;
    let run = measured(&cluster, "engine", engine.started, Some(ended), engine.taken()?)?;
    let written = finished.pointer("/counts/created").and_then(Value::as_u64);
    ensure!(written == Some(objects.len() as u64), "not everything is deployed: {finished}");
    Ok((run, Deployed { objects: objects.to_vec(), repository, cluster, engine: Some(engine), home }))
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs pairs, and tells how the first sync relates to the floor. Answers with the median of ours, and the last cluster.
pub(crate) async fn compare(
    bench: &Bench,
    count: usize,
    mebibytes: f64,
    report: &mut Report,
) -> Result<(Growing, Deployed)> {
    let objects = objects(count);
    let mut pairs = Vec::new();
    let mut last = None;
    for pair in 0..bench.pairs {
        drop(last.take());
        let floor = floor(bench, &objects).await?;
        let (ours, deployed) = ours(bench, &objects).await?;
        eprintln!("pair {pair}: floor {floor:?}\n        ours  {ours:?}");
        last = Some(deployed);
        pairs.push((floor, ours));
    }
    let (of_floor, of_ours) = (
        |what: fn(&Run) -> f64| median(pairs.iter().map(|(floor, _)| what(floor))),
        |what: fn(&Run) -> f64| median(pairs.iter().map(|(_, ours)| what(ours))),
    );
    let bytes: usize = objects.iter().map(|object| object.yaml().len()).sum();
    report.told(format!("{count} objects: size of the manifests"), bytes as f64 / 1_048_576.0, "MiB");
    report.told(format!("{count} objects, floor: time"), of_floor(Run::seconds), "s");
    report.told(format!("{count} objects, floor: CPU"), of_floor(Run::cpu), "s");
    report.told(format!("{count} objects, floor: peak memory"), of_floor(Run::mebibytes), "MiB");
    report.told(format!("{count} objects, first sync: time"), of_ours(Run::seconds), "s");
    let ratio = median(pairs.iter().map(|(floor, ours)| ours.seconds() / floor.seconds()));
    report.limited(format!("{count} objects, first sync: time beside the floor"), ratio, "×", 1.3);
    let growing = Growing { time: of_ours(Run::seconds), cpu: of_ours(Run::cpu) };
    if count == crate::SMALL {
        report.limited(format!("{count} objects, first sync: CPU"), growing.cpu, "s", 0.6);
    } else {
        report.told(format!("{count} objects, first sync: CPU"), growing.cpu, "s");
    }
    let peak = of_ours(Run::mebibytes);
    report.limited(format!("{count} objects, first sync: peak memory"), peak, "MiB", mebibytes);
    let requests = |what: fn(&Run) -> usize| median(pairs.iter().map(|(_, ours)| what(ours) as f64));
    report.told(format!("{count} objects, first sync: requests"), requests(|run| run.requests), "");
    report.told(format!("{count} objects, first sync: writes"), requests(|run| run.writes), "");
    let deployed = last.context("there must be a pair")?;
    Ok((growing, deployed))
}

/// What must grow no faster than the number of objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing {
    pub(crate) time: f64,
    pub(crate) cpu: f64,
}
