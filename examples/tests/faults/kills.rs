//! The real program, killed at random.

use std::collections::BTreeSet;
use std::time::Duration;

use gitops_core::Dice;
use serde_json::json;

use crate::common::Repo;
use crate::crash::{cluster, neighbour};
use crate::faulty::audit;
use crate::faulty::life::{DOOMED, ENGINE, FILE, documents};
use crate::faulty::scenario::{CHANGED, CREATED, Neighbour, PRUNED, Scenario};
use crate::faulty::stage::Stage;
use crate::support::{App, Cluster};

/// Of `gitops run`: nothing but the first look at the repository, and the watch, makes it do anything.
const RUN: [&str; 3] = ["--interval", "1h", "--prune"];

/// Another machine: nothing of what an engine kept on its disk is there.
fn wipe(repo: &Repo) {
    std::fs::remove_dir_all(repo.mirror()).unwrap();
}

/// Runs `gitops run` and kills it after it has told of so many objects, and a moment later.
async fn kill(app: &App<'_>, dice: &Dice) -> String {
    let steps = (CREATED + CHANGED + PRUNED) as u64;
    let (mut left, moment) = (dice.roll() % steps, Duration::from_micros(dice.roll() % 20_000));
    let told = format!("{left} objects and {moment:?}");
    let mut running = app.run(&RUN);
    running
        .until("enough objects, or the end", |line| {
            left = left.saturating_sub(u64::from(line["type"] == "object"));
            let is_writing = matches!(line["type"].as_str(), Some("sync_started" | "object"));
            ((left == 0 && is_writing) || line["type"] == "sync_finished").then_some(())
        })
        .await;
    tokio::time::sleep(moment).await;
    running.kill().await;
    told
}

/// An application that is deployed, and whose engine is killed twice, each time with nothing left on its disk.
async fn survive(
    cluster: &Cluster<'static>,
    neighbour: &Neighbour,
    seed: u64,
) -> (Scenario, BTreeSet<String>) {
    let dice = Dice::seeded(seed);
    let scenario = Scenario::new(format!("killed-{seed}"));
    let stage = Stage { cluster, scenario: scenario.clone() };
    let repo = Repo::with(&[(FILE, &documents(&scenario.before()))]);
    let engine = App::new(&scenario.name, &repo, cluster.plane.kubeconfig_of(ENGINE).unwrap());
    let doomed = App::new(&scenario.name, &repo, cluster.plane.kubeconfig_of(DOOMED).unwrap());
    engine.gitops("sync", &["--prune"]).await.with(0);
    let before = stage.note(neighbour).await;

    repo.commit("the sync", &[(FILE, &documents(&scenario.sync()))]);
    for _ in 0..2 {
        wipe(&repo);
        let told = kill(&doomed, &dice).await;
        println!("{}: killed after {told}", scenario.name);
    }

    wipe(&repo);
    let head = repo.commit("after", &[(FILE, &documents(&scenario.after()))]);
    let mut running = engine.run(&RUN);
    let finished = running.event("sync_finished").await;
    let counts = &finished["counts"];
    assert_eq!((&counts["failed"], &counts["blocked"]), (&json!(0), &json!(0)), "seed {seed}: {finished}");
    assert_eq!(running.terminate().await.0, Some(0));
    let live = stage.check(&before, &head).await;
    stage.leave().await;
    (scenario, live)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn ten_kills_of_the_program_at_random_leave_no_orphan() {
    let cluster = cluster().await;
    let neighbour = neighbour(&cluster, "killed-neighbour").await;
    // Together, because each has to wait for the locks that the kills leave.
    let lives = (20_260_701..20_260_706).map(|seed| survive(&cluster, &neighbour, seed));
    let lives = futures_util::future::join_all(lives).await;
    audit::check(&cluster, &lives);
}
