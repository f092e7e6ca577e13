//! Ten minutes of the real program on a real control plane, with commits and drift all the time: what it takes of the
//! machine must not grow. `GITOPS_SOAK_SECONDS` sets another time.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod commits;
#[path = "../common/mod.rs"]
mod common;
mod drift;
mod heard;
mod objects;
mod remote;
#[path = "../cluster/support/mod.rs"]
mod support;
mod trend;
mod vitals;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, interval, sleep};

use crate::commits::{Team, commit};
use crate::heard::Heard;
use crate::objects::{Change, NAMESPACE, Object, Objects};
use crate::remote::{Remote, Repo};
use crate::support::{App, Cluster, PART_OF};
use crate::trend::{Bound, climb, leak};
use crate::vitals::{Disk, Patient, Vitals};

const SEED: u64 = 20_261_121;
/// Of the time, this share is for getting warm.
const WARM: u32 = 4;
/// What memory may grow by, in KiB.
const MEMORY: Bound = Bound { share: 0.1, most: 8192.0 };
/// The mirror packs anew beyond 50; a repository that is being replaced is there for a moment, too.
const PACKS: f64 = 55.0;
/// How long the end may take: what was left alone is looked at again within five minutes.
const SETTLING: Duration = Duration::from_secs(400);

fn length() -> Duration {
    let seconds = std::env::var("GITOPS_SOAK_SECONDS").map_or(600, |text| text.parse().expect("seconds"));
    Duration::from_secs(seconds)
}

#[expect(clippy::print_stdout, reason = "what is measured is of interest in itself")]
fn say(line: &str) {
    println!("{line}");
}

/// Measures once a second until a time.
async fn measure_until(
    begun: Instant,
    end: Instant,
    patient: &Patient,
    remote: &Remote,
    heard: &Heard,
) -> Vec<Vitals> {
    let (mut series, mut requests) = (Vec::new(), 0);
    let mut tick = interval(Duration::from_secs(1));
    while tick.tick().await < end {
        let vitals = patient.measure(begun.elapsed());
        requests += remote.requests();
        if series.len() % 30 == 0 {
            let syncs = heard.counts().of("sync_finished");
            say(&format!("{vitals}; {syncs} syncs, {requests} requests to Git"));
        }
        series.push(vitals);
    }
    series
}

/// What is not flat in a series.
fn faults(series: &[Vitals]) -> Vec<String> {
    let warm = &series[series.len() / WARM as usize..];
    let of = |what: fn(&Vitals) -> f64| warm.iter().map(what).collect::<Vec<_>>();
    let packs = series.iter().map(|vitals| vitals.mirror.packs).fold(0.0, f64::max);
    [
        leak("resident memory, in KiB,", &of(|vitals| vitals.resident), MEMORY),
        leak("anonymous memory, in KiB,", &of(|vitals| vitals.anonymous), MEMORY),
        climb("the number of open files", &of(|vitals| vitals.open_files), 3.0),
        climb("the number of threads", &of(|vitals| vitals.threads), 3.0),
        (packs > PACKS).then(|| format!("the mirror has {packs} packs")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What in the cluster is not as Git has it.
async fn differences(cluster: &Cluster<'_>, wanted: &BTreeSet<Object>) -> Vec<String> {
    let mut missing: BTreeSet<_> = wanted.iter().map(|object| object.uri()).collect();
    let mut found = Vec::new();
    for collection in Object::collections() {
        for live in cluster.list(&collection).await {
            let uri = format!("{collection}/{}", live["metadata"]["name"].as_str().unwrap());
            match wanted.iter().find(|object| object.uri() == uri) {
                None => found.push(format!("{uri} is not in Git")),
                Some(object) if !object.is(&live) => found.push(format!("{uri} differs: {live}")),
                Some(_) if live["metadata"]["labels"][PART_OF].is_null() => {
                    found.push(format!("{uri} is no member"));
                }
                Some(_) => {}
            }
            missing.remove(&uri);
        }
    }
    found.extend(missing.into_iter().map(|uri| format!("{uri} is missing")));
    found
}

/// Waits until the cluster is as a commit has it. Returns how long that took.
async fn settled(cluster: &Cluster<'_>, wanted: &BTreeSet<Object>, commit: &str, heard: &Heard) -> Duration {
    let begun = Instant::now();
    loop {
        let found = differences(cluster, wanted).await;
        if found.is_empty() && heard.counts().revision == commit {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < SETTLING, "{commit} is not in force: {found:#?}\n{}", heard.counts());
        sleep(Duration::from_millis(250)).await;
    }
}

/// What is wrong with the size of a mirror, if anything. What comes commit by commit is not packed as tightly as what
/// comes at once.
fn bloat(mirror: Disk, clone: Disk) -> Option<String> {
    let limit = 3.0 * clone.bytes + 256.0 * 1024.0;
    let sizes = format!("the mirror has {} bytes, a fresh clone {}", mirror.bytes, clone.bytes);
    say(&sizes);
    (mirror.bytes > limit).then_some(sizes)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server, and ten minutes: see CONTRIBUTING.md"]
async fn memory_handles_and_the_mirror_stay_flat() {
    let objects = Objects::new(SEED);
    let repo = Repo::new();
    let first: Vec<_> = objects.present().iter().copied().map(Change::Set).collect();
    commit(&repo, &first);
    let remote = Remote::serve(repo);
    let plane = support::builder().api_only().start().await.unwrap();
    let cluster = Cluster::of(&plane).await;
    cluster.namespace(NAMESPACE).await;

    let mirror = remote.repo().mirrors();
    let app = App::at("soak", remote.url(), mirror.clone(), plane.kubeconfig())
        .with_env("SSL_CERT_FILE", remote.authority())
        // What is measured is what the program has, not what glibc keeps for each thread and gives back late.
        .with_env("MALLOC_ARENA_MAX", "1")
        .with_env("MALLOC_TRIM_THRESHOLD_", "131072");
    let mut running = app.run(&["--interval", "1s", "--prune", "--allow-http"]);
    let finished = running.event("sync_finished").await;
    assert_eq!(finished["counts"]["created"], first.len(), "{finished}");

    let (heard, objects) = (Heard::default(), Mutex::new(objects));
    let team = Team { objects: &objects, cluster: &cluster, repo: remote.repo().clone(), heard: &heard };
    let patient = Patient { process: running.id(), mirror };
    let begun = Instant::now();
    let end = begun + length();
    let work = async {
        let ((commits, drift), series) = tokio::join!(
            async { tokio::join!(team.commit_until(end), drift::drift_until(end, &cluster, &objects)) },
            measure_until(begun, end, &patient, &remote, &heard)
        );
        say(&format!("{commits} commits, {drift:?}; {}", heard.counts()));
        let wanted = objects.lock().await.present().clone();
        let settled = settled(&cluster, &wanted, &remote.repo().head(), &heard).await;
        say(&format!("settled after {settled:?}; {}", heard.counts()));
        (commits, drift, series)
    };
    let (commits, drift, series) = tokio::select! {
        done = work => done,
        never = heard.listen(&mut running) => match never {},
    };

    let last = patient.measure(begun.elapsed());
    say(&last.to_string());
    let asked = Instant::now();
    let (code, _) = running.terminate().await;
    assert_eq!(code, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?} to end", asked.elapsed());
    app.gitops("diff", &["--allow-http"]).await.with(0);
    assert_eq!(heard.counts().of("approval_needed"), 0);

    let enough = u32::try_from(length().as_secs()).unwrap() / 5;
    let drifted = [drift.edited, drift.deleted, drift.stripped];
    assert!(commits >= enough && drifted.iter().sum::<u32>() >= enough, "{commits} commits, {drift:?}");
    let mut faults = faults(&series);
    faults.extend(bloat(last.mirror, Disk::below(&remote.fresh_clone())));
    assert_eq!(faults, Vec::<String>::new());
}
