//! What costs nothing, or little, once everything is deployed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gitops_core::Timestamp;

use crate::Bench;
use crate::audit::Request;
use crate::first::{Deployed, arguments, median};
use crate::process::Process;
use crate::report::Report;

/// How many objects are changed by hand, and how many by commits.
const HANDS: usize = 50;
const COMMITS: usize = 10;
/// How many intervals with nothing to do.
const INTERVALS: u32 = 20;
/// For what should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until everything that was set off has come to rest.
const REST: Duration = Duration::from_millis(1500);

/// Objects are changed by hand, one after another.
pub(crate) async fn drift(deployed: &Deployed, report: &mut Report) -> Result<()> {
    tokio::time::sleep(REST).await;
    let mut log = deployed.cluster.log();
    log.more()?;
    let candidates: Vec<_> = deployed.objects.iter().filter(|object| !object.is_namespace()).collect();
    let mut times = Vec::new();
    // The distance has no divisor in common with the cycle of kinds.
    let distance = (candidates.len() / HANDS).max(1) | 1;
    for (number, object) in candidates.iter().cycle().step_by(distance).take(HANDS).enumerate() {
        deployed.cluster.change(&object.uri, &object.change(number)).await?;
        let mut by_hand = None;
        let healed = log.wait(PATIENCE, |request| {
            let is_write = request.has_written() && request.path() == object.uri;
            if is_write && request.user == "hand" {
                by_hand = Some(request.at);
            }
            is_write && request.user == "engine"
        });
        let healed = healed.await.with_context(|| format!("{} was not put back", object.uri))?;
        let by_hand = by_hand.context("the hand's write is not in the audit log")?;
        times.push(healed.at.duration_since(by_hand).as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    report.limited("a field changed by hand is back: median", median(times.iter().copied()), "ms", 50.0);
    report.limited("a field changed by hand is back: worst", worst, "ms", 150.0);
    Ok(())
}

/// How the requests of the engine divide.
#[derive(Debug, Default)]
struct Requests {
    writes: usize,
    parent: usize,
    discovery: usize,
    /// Lists, by kind alone and by kind and scope.
    kinds: BTreeMap<String, usize>,
    scopes: BTreeMap<String, usize>,
    watches: usize,
    others: Vec<String>,
}

impl Requests {
    fn of(requests: &[Request]) -> Self {
        let mut all = Self::default();
        for request in requests.iter().filter(|request| request.user == "engine") {
            let path = request.path();
            match request.verb.as_str() {
                _ if request.is_write() => all.writes += 1,
                "get" if request.is_record() => all.parent += 1,
                "get" if matches!(path, "/api" | "/apis") => all.discovery += 1,
                "watch" => all.watches += 1,
                "list" => {
                    // `/apis/apps/v1/namespaces/a/deployments`: the kind is the last part, whatever the namespace.
                    let (root, kind) = path.rsplit_once('/').unwrap_or_default();
                    let group = root.split("/namespaces/").next().unwrap_or_default();
                    *all.kinds.entry(format!("{group}/{kind}")).or_default() += 1;
                    *all.scopes.entry(path.to_owned()).or_default() += 1;
                }
                _ => all.others.push(format!("{} {}", request.verb, request.uri)),
            }
        }
        all
    }

    fn lists(&self) -> usize {
        self.kinds.values().sum()
    }
}

fn most(counts: &BTreeMap<String, usize>) -> f64 {
    counts.values().copied().max().unwrap_or_default() as f64
}

/// One-shot, with nothing changed.
pub(crate) async fn one_shot(bench: &Bench, deployed: &Deployed, report: &mut Report) -> Result<()> {
    let mut log = deployed.cluster.log();
    log.more()?;
    let paths = deployed.paths()?;
    let args = arguments("sync", (&paths.0, &paths.1), &[]);
    let kubeconfig = deployed.cluster.kubeconfig("engine")?;
    let taken = Process::start(&bench.gitops, &args, &kubeconfig, deployed.home.path())?.end().await?;
    let requests = Requests::of(&log.more()?);
    report.told("sync, nothing changed: CPU", taken.cpu.as_secs_f64(), "s");
    report.told("sync, nothing changed: lists", requests.lists() as f64, "");
    report.limited("sync, nothing changed: lists of one kind and scope", most(&requests.scopes), "", 1.0);
    report.limited("sync, nothing changed: reads of the parent", requests.parent as f64, "", 1.0);
    report.limited("sync, nothing changed: discovery", requests.discovery as f64, "", 2.0);
    report.limited(
        "sync, nothing changed: other reads",
        (requests.others.len() + requests.watches) as f64,
        "",
        0.0,
    );
    report.limited("sync, nothing changed: writes", requests.writes as f64, "", 0.0);
    requests.others.iter().for_each(|other| eprintln!("  {other}"));
    Ok(())
}

/// The reconciler starts again over objects that are in sync; then nothing happens.
pub(crate) async fn restart_and_idle(bench: &Bench, deployed: &Deployed, report: &mut Report) -> Result<()> {
    let mut log = deployed.cluster.log();
    log.more()?;
    let paths = deployed.paths()?;
    let args = arguments("run", (&paths.0, &paths.1), &["--interval", "1s"]);
    let kubeconfig = deployed.cluster.kubeconfig("engine")?;
    let mut engine = Process::start(&bench.gitops, &args, &kubeconfig, deployed.home.path())?;
    engine.event("sync_finished").await?;
    tokio::time::sleep(REST).await;
    let taken = engine.taken()?;
    let requests = Requests::of(&log.more()?);
    report.told("restart in sync: CPU", taken.cpu.as_secs_f64(), "s");
    report.limited("restart in sync: lists of one kind", most(&requests.kinds), "", 1.0);
    report.limited("restart in sync: writes", requests.writes as f64, "", 0.0);

    let before = engine.cpu_of_threads()?;
    let began = Timestamp::now();
    tokio::time::sleep(Duration::from_secs(1) * INTERVALS).await;
    let spent = engine.cpu_of_threads()?.saturating_sub(before);
    let requests = Requests::of(&log.more()?);
    let polls = engine.count_since("polled", began);
    ensure!(polls >= INTERVALS as usize / 2, "the engine polled {polls} times in {INTERVALS} s");
    let spent = spent.as_secs_f64() * 1e3 / polls as f64;
    report.limited("run, nothing changed: CPU for each interval", spent, "ms", 5.0);
    let all =
        requests.writes + requests.parent + requests.discovery + requests.lists() + requests.others.len();
    report.limited("run, nothing changed: requests besides watches", all as f64, "", 0.0);
    engine.kill().await
}

/// One field of one manifest is changed by a commit, and a webhook tells so.
pub(crate) async fn commits(bench: &Bench, deployed: &Deployed, report: &mut Report) -> Result<()> {
    let paths = deployed.paths()?;
    let kubeconfig = deployed.cluster.kubeconfig("engine")?;
    let mut engine =
        Process::start(&bench.own, &["follow", &paths.0, &paths.1], &kubeconfig, deployed.home.path())?;
    engine.event("sync_finished").await?;
    tokio::time::sleep(REST).await;
    let mut log = deployed.cluster.log();
    log.more()?;
    let (mut times, mut most_objects, mut most_records) = (Vec::new(), 0, 0);
    let maps = deployed.objects.iter().filter(|object| object.content["kind"] == "ConfigMap");
    for (number, object) in maps.enumerate().take(COMMITS) {
        let mut object = object.clone();
        object.content["data"]["LOG_LEVEL"] = format!("level-{number}").into();
        deployed.repository.write(&object)?;
        deployed.repository.commit()?;
        let pushed = Timestamp::now();
        engine.tell().await?;
        engine.event("sync_finished").await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let requests = log.more()?;
        let writes = |is_record| {
            requests
                .iter()
                .filter(move |it| it.user == "engine" && it.is_write() && it.is_record() == is_record)
        };
        let written = writes(false).find(|it| it.has_written() && it.path() == object.uri);
        let written = written.with_context(|| format!("{} was not written", object.uri))?;
        times.push(written.at.duration_since(pushed).as_secs_f64() * 1e3);
        most_objects = most_objects.max(writes(false).count());
        most_records = most_records.max(writes(true).count());
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    report.told("a commit, from push to write: median", median(times.iter().copied()), "ms");
    report.limited("a commit, from push to write: worst", worst, "ms", 300.0);
    report.limited("a commit: writes of objects", most_objects as f64, "", 1.0);
    report.told("a commit: writes of the application's record", most_records as f64, "");
    engine.kill().await
}
