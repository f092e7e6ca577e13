//! A world comes to rest: everything must come right, and stay so.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gitops_core::diff::schema::BuiltIn;
use gitops_core::diff::{DiffOptions, compare};
use gitops_core::{Adoption, DriftPolicy, MemoryCluster, Prune, ResourceId, SyncState};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::World;
use crate::hands;
use crate::history;
use crate::ledger::{contents, holds, is_kept, is_precious, member_of, uid};
use crate::objects;
use crate::process::{self, App};
use crate::repo::Repo;

/// The longest that everything may take to come right once nothing is wrong any more.
const CONVERGENCE: Duration = Duration::from_secs(3600);

impl World {
    /// Nothing goes wrong any more and nobody disturbs: everything must come right, and then nothing more happen.
    pub(crate) async fn come_to_rest(&mut self) {
        self.settle_down().await;
        if self.shared.violations().is_empty() {
            self.idle().await;
            self.wake_up_in_sync().await;
        }
        if let Some(process) = self.process.take() {
            process.stop(&self.shared).await;
        }
    }

    /// Nothing goes wrong any more and nobody disturbs: everything must come right.
    pub(crate) async fn settle_down(&mut self) {
        if !self.shared.violations().is_empty() {
            return;
        }
        self.sweep().await;
        self.calm().await;
        let end = Instant::now() + CONVERGENCE;
        let mut wrong = vec!["nobody looked yet".to_owned()];
        let mut looks = 0;
        while Instant::now() < end && !wrong.is_empty() && self.shared.violations().is_empty() {
            tokio::time::sleep(Duration::from_secs(20)).await;
            for app in self.apps.clone() {
                self.approve_one(&app).await;
            }
            looks += 1;
            wrong = self.what_is_wrong();
            if looks % 6 == 5 {
                self.press_for_drift();
            }
        }
        self.shared.tell(format_args!("at rest after {looks} looks"));
        for what in wrong {
            self.shared.violation(format!("it did not come right: {what}"));
        }
        if self.shared.violations().is_empty() {
            self.sweep().await;
        }
    }

    /// An administrator cleans up, history is forgotten, and things may go wrong again: for worlds that go on for long.
    pub(crate) fn tidy(&mut self) {
        let shared = self.shared.clone();
        for (index, cluster) in shared.clusters.iter().enumerate() {
            for id in contents(cluster).into_keys().filter(|id| id.kind != "Namespace") {
                let stated = self.apps.iter().any(|app| {
                    let repo = &shared.repos[app.repo];
                    let head = repo.head().unwrap_or_default();
                    app.cluster == index
                        && repo.stated(&head, &app.name).is_some_and(|stated| stated.contains_key(&id))
                });
                if !stated && !id.name.starts_with("foreign") {
                    let _ = cluster.delete("admin", &id);
                }
            }
            hands::settle(&shared, index);
        }
        shared.repos.iter().for_each(|repo| repo.forget(100));
        shared.ledger().additions.clear();
        shared.faults.begin(self.rate);
    }

    /// Whatever keeps the engine from its work is put right.
    async fn calm(&mut self) {
        let shared = self.shared.clone();
        shared.tell("calm: nothing goes wrong any more");
        shared.faults.end();
        if shared.is_crashing.load(Ordering::Relaxed) {
            self.recover().await;
        }
        shared.repos.iter().for_each(|repo| repo.source.fail_with(None));
        for (index, cluster) in shared.clusters.iter().enumerate() {
            cluster.faults().clear();
            cluster.resume_watches();
            for id in contents(cluster).into_keys() {
                if cluster.get(&id).is_some_and(|object| object["metadata"].get("finalizers").is_some()) {
                    hands::let_go(cluster, &id);
                }
            }
            if cluster.create("admin", &objects::namespace("shared")).is_ok() {
                shared.tell("calm: the shared namespace is there again");
            }
            hands::settle(&shared, index);
        }
        for (index, repo) in shared.repos.iter().enumerate() {
            self.mend(index, repo);
        }
        for app in &self.apps {
            if let Some(process) = &self.process {
                process.handle.resume(&app.name).unwrap();
            }
        }
    }

    /// What a repository holds can be brought in force.
    fn mend(&self, index: usize, repo: &Repo) {
        let before = repo.tree();
        let mut tree = before.clone();
        for app in self.apps.iter().filter(|app| app.repo == index) {
            let files = tree.entry(app.name.clone()).or_default();
            history::mend(&app.name, files);
            // An object that is somebody else's is in the way: either side gives way.
            let mirror = self.shared.ledger().mirrors[app.cluster].clone();
            for content in files.values_mut() {
                let crate::repo::Content::Objects(objects) = content else { continue };
                objects.retain(|object| {
                    let id = objects::id_of(object);
                    let Some(live) = mirror.get(&id) else { return true };
                    if !is_in_the_way(app, live) {
                        return true;
                    }
                    let gives_way = self.people.percent(50) || id.kind == "Namespace";
                    if gives_way {
                        let _ = self.shared.clusters[app.cluster].delete("kubectl", &id);
                        hands::settle(&self.shared, app.cluster);
                        self.shared.tell(format_args!("calm: {id} is out of the way"));
                    }
                    gives_way
                });
            }
        }
        if tree != before || repo.head().is_none() || self.people.percent(50) {
            let id = repo.commit("all is well", tree);
            self.shared.tell(format_args!("calm: {id:.7} is well"));
            repo.hint();
        }
    }

    /// Drift that is only reported is put back when somebody asks for it.
    fn press_for_drift(&self) {
        let Some(process) = &self.process else { return };
        for app in self.apps.iter().filter(|app| app.policy.drift == DriftPolicy::Report) {
            process.handle.sync(&app.name).unwrap();
        }
    }

    /// What is not as it should be.
    fn what_is_wrong(&self) -> Vec<String> {
        let Some(process) = &self.process else { return vec!["no process".to_owned()] };
        let mut wrong = Vec::new();
        for app in &self.apps {
            let repo = &self.shared.repos[app.repo];
            let head = repo.head().unwrap_or_default();
            let status = process.handle.status(&app.name).unwrap();
            let applied = status.applied.as_ref().map(|revision| revision.id.clone());
            if status.sync != SyncState::Synced || applied.as_ref() != Some(&head) || status.error.is_some() {
                wrong.push(format!("{status}; Git has {head:.7}"));
            }
            let Some(stated) = repo.stated(&head, &app.name) else {
                wrong.push(format!("{}: the world's own Git is wrong", app.name));
                continue;
            };
            let ledger = self.shared.ledger();
            let mirror = &ledger.mirrors[app.cluster];
            for (id, desired) in stated.iter() {
                let Some(live) = mirror.get(id) else {
                    wrong.push(format!("{}: {id} is not there", app.name));
                    continue;
                };
                let differences = compare(desired, live, &BuiltIn, &DiffOptions::default());
                if member_of(live) != Some(&app.name) {
                    wrong.push(format!("{}: {id} is no member", app.name));
                } else if let Some(difference) = differences.first() {
                    wrong.push(format!("{}: {id} differs: {difference}", app.name));
                }
            }
            let leftover: Vec<_> = mirror
                .iter()
                .filter(|(id, object)| member_of(object) == Some(&app.name) && !stated.contains_key(*id))
                .collect();
            let may_stay = |id: &ResourceId, object: &Value| {
                is_kept(object)
                    || app.policy.prune == Prune::Never
                    || (is_precious(id) && !app.policy.prune_kinds.contains(&id.group_kind()))
            };
            let staying: Vec<&ResourceId> = leftover
                .iter()
                .filter(|(id, object)| may_stay(id, object))
                .map(|(id, _)| *id)
                .chain(stated.keys())
                .collect();
            for (id, object) in leftover {
                let goes_with_it = |other: &&ResourceId| holds(id, other);
                if !may_stay(id, object) && !staying.iter().any(goes_with_it) {
                    wrong.push(format!("{}: {id} is left over", app.name));
                }
            }
        }
        let ledger = self.shared.ledger();
        for addition in &ledger.additions {
            let Some(object) = ledger.mirrors[addition.cluster].get(&addition.id) else { continue };
            if uid(object) == addition.uid
                && object["metadata"]["labels"][&addition.label] != json!("by-hand")
            {
                wrong.push(format!("{} lost {}, which is not ours", addition.id, addition.label));
            }
        }
        wrong
    }

    /// In an hour in which nothing happens, nothing is asked of a cluster and nothing written.
    async fn idle(&self) {
        // A fight that is over may be remembered for a while.
        tokio::time::sleep(Duration::from_secs(900)).await;
        let requests = || self.shared.clusters.iter().map(MemoryCluster::requests).sum::<u64>();
        let versions = || -> Vec<_> { self.shared.clusters.iter().map(contents).collect() };
        let (asked, was) = (requests(), versions());
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let asked = requests() - asked;
        if asked > 0 && self.setup.resync.is_none() {
            self.shared.violation(format!("{asked} requests in an hour in which nothing happened"));
        }
        if versions() != was {
            self.shared.violation("something was written in an hour in which nothing happened");
        }
    }

    /// A new process that finds everything right leaves it as it is.
    async fn wake_up_in_sync(&mut self) {
        let was: Vec<_> = self.shared.clusters.iter().map(contents).collect();
        if let Some(process) = self.process.take() {
            process.kill(&self.shared).await;
        }
        self.targets = process::targets(&self.shared);
        self.start();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let versions: Vec<_> = self.shared.clusters.iter().map(contents).collect();
        if versions != was {
            self.shared.violation("a restart in sync wrote something");
        }
        for what in self.what_is_wrong() {
            self.shared.violation(format!("after a restart in sync: {what}"));
        }
    }
}

fn is_in_the_way(app: &App, live: &serde_json::Value) -> bool {
    let is_ours = member_of(live) == Some(&app.name)
        || (member_of(live).is_none() && crate::ledger::is_applied_by(live, &app.name));
    let is_marked = live["metadata"]["labels"].get(crate::ledger::LABEL).is_some();
    !is_ours
        && match app.policy.adoption {
            Adoption::Any => false,
            Adoption::Unowned => is_marked,
            _ => true,
        }
}
