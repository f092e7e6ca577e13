//! A team that commits all the time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::heard::Heard;
use crate::objects::{Change, Objects};
use crate::remote::Repo;
use crate::support::manifests::PATH;
use crate::support::{Cluster, PART_OF};

/// Between two commits.
const PAUSE: Duration = Duration::from_millis(500);
/// How many removals may wait for the engine: it would ask for approval before it deleted more than ten objects at once.
const REMOVALS: usize = 8;

/// The team, its repository, and what it knows of the engine.
pub(crate) struct Team<'a> {
    pub(crate) objects: &'a Mutex<Objects>,
    pub(crate) cluster: &'a Cluster<'a>,
    pub(crate) repo: Arc<Repo>,
    pub(crate) heard: &'a Heard,
}

impl Team<'_> {
    /// Commits until a time. Returns how often.
    pub(crate) async fn commit_until(&self, end: Instant) -> u32 {
        let (mut commits, mut tick) = (0, interval(PAUSE));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Which commits the engine may not have seen, and whether they remove something.
        let mut waiting: Vec<(String, bool)> = Vec::new();
        while tick.tick().await < end {
            let revision = self.heard.counts().revision.clone();
            if let Some(seen) = waiting.iter().position(|(commit, _)| *commit == revision) {
                waiting.drain(..=seen);
            }
            let removals = waiting.iter().filter(|(_, removes)| *removes).count();
            let change = self.choose(removals < REMOVALS).await;
            let repo = self.repo.clone();
            let commit = tokio::task::spawn_blocking(move || commit(&repo, &[change])).await.unwrap();
            waiting.push((commit, matches!(change, Change::Remove(_))));
            commits += 1;
        }
        commits
    }

    async fn choose(&self, may_remove: bool) -> Change {
        let mut objects = self.objects.lock().await;
        let mut change = objects.propose();
        if let Change::Remove(object) = change {
            let live = self.cluster.get(&object.uri()).await;
            // What bears no label is nobody's, and stays when Git has it no longer.
            let is_member = live.is_some_and(|live| !live["metadata"]["labels"][PART_OF].is_null());
            if !(may_remove && is_member) {
                change = object.revised();
            }
        }
        objects.carry_out(change);
        change
    }
}

/// Commits changes. Returns the commit's id.
pub(crate) fn commit(repo: &Repo, changes: &[Change]) -> String {
    let directory = repo.work().join(PATH);
    std::fs::create_dir_all(&directory).unwrap();
    for change in changes {
        let (Change::Set(object) | Change::Remove(object)) = change;
        let file = directory.join(format!("{}.yaml", object.name()));
        match change {
            Change::Set(object) => std::fs::write(file, format!("{:#}\n", object.manifest())).unwrap(),
            Change::Remove(_) => std::fs::remove_file(file).unwrap(),
        }
    }
    repo.commit_all(&format!("{changes:?}"))
}
