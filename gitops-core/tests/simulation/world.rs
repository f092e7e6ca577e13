//! A simulated world: repositories, clusters, people, other hands, and the engine in between.

mod rest;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gitops_core::{
    Adoption, DriftPolicy, Effect, FaultRule, GroupKind, MemoryCluster, MemorySource, MemoryTarget,
    Operation, Policy, Prune, Scope,
};
use tokio::time::{Instant, timeout};

use crate::chance::Chance;
use crate::faults::Faults;
use crate::gate::Gate;
use crate::hands::{self, Hands};
use crate::history;
use crate::invariants;
use crate::mutants::Mutant;
use crate::objects;
use crate::process::{self, App, Process, Setup};
use crate::repo::Repo;
use crate::shared::{Shared, SimClock};

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// How long it is restless.
    pub(crate) length: Duration,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) trace_limit: usize,
}

pub(crate) struct World {
    pub(crate) shared: Arc<Shared>,
    pub(crate) apps: Vec<App>,
    setup: Setup,
    rate: u64,
    targets: Vec<MemoryTarget>,
    process: Option<Process>,
    hands: Hands,
    git: Chance,
    people: Chance,
    chance: Chance,
}

const PRUNES: [Prune; 5] = [Prune::GUARDED, Prune::GUARDED, Prune::GUARDED, Prune::Unguarded, Prune::Never];
const ADOPTIONS: [Adoption; 4] = [Adoption::Never, Adoption::Never, Adoption::Unowned, Adoption::Any];

impl World {
    pub(crate) fn new(plan: Plan, gate: Arc<Gate>) -> Self {
        let chance = Chance::new(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
        let clock = SimClock(Instant::now());
        let repos: Vec<Arc<Repo>> = (0..=chance.below(2))
            .map(|n| Arc::new(Repo::new(MemorySource::with_clock(format!("config-{n}"), clock))))
            .collect();
        let clusters: Vec<MemoryCluster> =
            (0..=usize::from(chance.percent(25))).map(|_| MemoryCluster::with_clock(clock)).collect();
        let rate = *chance.pick(&[0, 0, 3, 10, 40]);
        let faults = Faults::new(chance.split(), rate);
        let resync = chance.percent(30).then(|| Duration::from_secs(600));
        let has_resync = resync.is_some() && plan.mutant.is_none();
        let setup = Setup {
            concurrency: *chance.pick(&[1, 2, 8]),
            parallel: *chance.pick(&[1, 2, 4]),
            timeout: Duration::from_secs(*chance.pick(&[60, 600])),
            longest_wait: Duration::from_secs(*chance.pick(&[30, 120, 300])),
            resync: resync.filter(|_| has_resync),
            watch_rate: *chance.pick(&[0, 20, 100]),
        };
        let apps: Vec<App> = (0..=chance.below(4))
            .map(|n| App {
                name: format!("app{n}"),
                repo: chance.below(repos.len()),
                cluster: chance.below(clusters.len()),
                policy: policy(&chance),
            })
            .collect();
        let shared =
            Shared::new(clock, gate, faults, clusters, repos, has_resync, plan.mutant, plan.trace_limit);
        let shared = Arc::new(shared);
        shared.tell(format_args!("seed {}: faults {rate}, {setup:?}", plan.seed));
        for app in &apps {
            shared.tell(format_args!(
                "{}: repo {}, cluster {}, {:?}",
                app.name, app.repo, app.cluster, app.policy
            ));
        }
        let targets = process::targets(&shared);
        let (hands, git, people) = (Hands::new(chance.split()), chance.split(), chance.split());
        let mut world =
            Self { shared, apps, setup, rate, targets, process: None, hands, git, people, chance };
        world.found();
        world
    }

    /// What is there before the engine is.
    fn found(&mut self) {
        for (index, cluster) in self.shared.clusters.iter().enumerate() {
            cluster.serve("extensions", "Ingress", Scope::Namespaced);
            for name in ["shared", "others"] {
                cluster.create("admin", &objects::namespace(name)).unwrap();
                let config = objects::Kind::ConfigMap.object("", name, "foreign-0", 1);
                cluster.create("admin", &config).unwrap();
            }
            hands::settle(&self.shared, index);
        }
        for (index, repo) in self.shared.repos.clone().iter().enumerate() {
            let count = 3 + self.git.below(16);
            let here = self.apps.iter().filter(|app| app.repo == index);
            let tree = here
                .map(|app| (app.name.clone(), history::first(&self.git, &app.name, count)))
                .collect::<BTreeMap<_, _>>();
            repo.commit("first", tree);
        }
        self.start();
    }

    fn start(&mut self) {
        let process = Process::start(&self.shared, &self.apps, &self.setup, &self.targets, &self.chance);
        self.process = Some(process);
    }

    /// Everything happens.
    pub(crate) async fn be_restless(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end && self.shared.violations().is_empty() {
            let pause = match self.chance.below(10) {
                0 => self.chance.time(Duration::from_secs(600)),
                1..=3 => self.chance.time(Duration::from_secs(2)),
                _ => self.chance.time(Duration::from_secs(60)),
            };
            let shared = self.shared.clone();
            tokio::select! {
                biased;
                () = shared.crash.notified() => self.recover().await,
                () = tokio::time::sleep(pause) => {
                    self.sweep().await;
                    self.one_thing().await;
                }
            }
        }
    }

    async fn one_thing(&mut self) {
        match self.chance.below(100) {
            0..=44 => {
                let index = self.chance.below(self.shared.clusters.len());
                let apps: Vec<String> = self.apps_on(index);
                self.hands.act(&self.shared, index, &apps);
            }
            45..=47 => self.fight().await,
            48..=69 => {
                let index = self.chance.below(self.shared.repos.len());
                let apps: Vec<String> =
                    self.apps.iter().filter(|app| app.repo == index).map(|app| app.name.clone()).collect();
                history::work(&self.shared, &self.git, &self.shared.repos[index], &apps);
            }
            70..=75 => self.trouble(),
            76..=79 => self.restart().await,
            80..=92 => self.approve().await,
            93..=94 => self.suspend(true),
            95..=97 => self.suspend(false),
            _ => self.press(),
        }
    }

    fn apps_on(&self, cluster: usize) -> Vec<String> {
        self.apps.iter().filter(|app| app.cluster == cluster).map(|app| app.name.clone()).collect()
    }

    pub(crate) async fn sweep(&self) {
        let apps: Vec<(String, usize)> =
            self.apps.iter().map(|app| (app.name.clone(), app.cluster)).collect();
        invariants::sweep(&self.shared, &self.targets, &apps).await;
    }

    /// Somebody keeps changing an object back.
    async fn fight(&mut self) {
        let index = self.chance.below(self.shared.clusters.len());
        let Some(id) = self.hands.member(&self.shared, index) else { return };
        self.shared.count("hand: Fights");
        for _ in 0..3 + self.chance.below(30) {
            self.hands.change(&self.shared, index, &id);
            tokio::time::sleep(Duration::from_millis(100) + self.chance.time(Duration::from_secs(4))).await;
        }
    }

    /// A storm of faults, or something with the watches, the source, or a cluster.
    fn trouble(&mut self) {
        let index = self.chance.below(self.shared.clusters.len());
        let cluster = &self.shared.clusters[index];
        let what = match self.chance.below(10) {
            0..=3 => {
                let storm = self.shared.faults.storm();
                self.shared.tell(format_args!("storm: {storm}"));
                "a storm"
            }
            4 => {
                cluster.interrupt_watches();
                "watches are interrupted"
            }
            5 => {
                cluster.resume_watches();
                "watches go on"
            }
            6 => {
                cluster.expire_watches();
                "watches expire"
            }
            7 => {
                let repo = &self.shared.repos[self.chance.below(self.shared.repos.len())];
                repo.source.fail_with(Some(gitops_core::Fault::retry("no route to the source")));
                "a source is out"
            }
            8 => {
                self.shared.repos.iter().for_each(|repo| repo.source.fail_with(None));
                "sources are back"
            }
            _ => {
                cluster.faults().inject(self.order());
                "faults on order"
            }
        };
        self.shared.count(&format!("trouble: {what}"));
        self.shared.tell(format_args!("trouble: {what}"));
        self.shared.stir();
        self.shared.changed(index);
    }

    fn order(&self) -> FaultRule {
        let effects = [
            Effect::Deny,
            Effect::Deny,
            Effect::Throttle(Duration::from_secs(20)),
            Effect::Conflict,
            Effect::TimeOut,
            Effect::TimeOutAfter,
        ];
        let operations =
            [Operation::Read, Operation::Read, Operation::Apply, Operation::Delete, Operation::Record];
        let operation = *self.chance.pick(&operations);
        let rule = FaultRule::new(*self.chance.pick(&effects)).on(operation);
        let rule = rule.times(u32::try_from(1 + self.chance.below(12)).unwrap());
        let kinds = [("", "ConfigMap"), ("", "Secret"), ("apps", "Deployment"), ("", "Namespace")];
        if operation != Operation::Record && self.chance.percent(60) {
            let (group, kind) = *self.chance.pick(&kinds);
            rule.of_kind(group, kind)
        } else {
            rule
        }
    }

    /// The process ends in one way or another, and begins again; sometimes with other settings.
    async fn restart(&mut self) {
        let Some(process) = self.process.take() else { return };
        if self.chance.percent(40) {
            self.shared.count("process: stopped");
            process.stop(&self.shared).await;
        } else {
            self.shared.count("process: killed");
            process.kill(&self.shared).await;
        }
        self.begin_again().await;
    }

    /// The process died of a fault.
    async fn recover(&mut self) {
        self.shared.count("process: crashed");
        if let Some(process) = self.process.take() {
            process.kill(&self.shared).await;
        }
        self.begin_again().await;
    }

    async fn begin_again(&mut self) {
        let pause = *self.chance.pick(&[0, 1, 30, 200]);
        tokio::time::sleep(self.chance.time(Duration::from_secs(pause + 1))).await;
        self.shared.is_crashing.store(false, Ordering::Relaxed);
        if self.chance.percent(80) {
            self.targets = process::targets(&self.shared);
        } else {
            self.shared.count("process: keeps what its target remembers");
        }
        if self.chance.percent(20) {
            let index = self.chance.below(self.apps.len());
            self.apps[index].policy = policy(&self.chance);
            let app = &self.apps[index];
            self.shared.count("people: another policy");
            self.shared.tell(format_args!("people: {} has {:?}", app.name, app.policy));
        }
        self.start();
    }

    /// Somebody looks at a plan that waits, and approves it.
    async fn approve(&mut self) {
        for app in self.apps.clone() {
            if self.people.percent(70) {
                self.approve_one(&app).await;
            }
        }
    }

    async fn approve_one(&mut self, app: &App) {
        let Some(process) = &self.process else { return };
        let waits = process.handle.status(&app.name).is_some_and(|status| status.needs_approval.is_some());
        if !waits {
            return;
        }
        self.shared.stir();
        let (reconciler, name) = (process.reconciler.clone(), app.name.clone());
        // In a task of its own: what panics there ends only that.
        let looking =
            tokio::spawn(timeout(Duration::from_secs(20), async move { reconciler.plan(&name).await }));
        let Ok(Ok(Ok(plan))) = looking.await else { return };
        let Some(revision) = plan.revision.as_ref().map(|revision| revision.id.clone()) else { return };
        let doomed = plan
            .steps()
            .filter(|item| item.decision == gitops_core::Decision::Prune)
            .filter_map(|item| match &item.expect {
                Some(gitops_core::Expect::Exactly(token)) => {
                    Some((item.id.clone(), token.incarnation.to_string()))
                }
                _ => None,
            })
            .collect();
        let mut ledger = self.shared.ledger();
        let book = ledger.app(&app.name);
        book.approved.push((revision, doomed));
        if book.approved.len() > 50 {
            book.approved.remove(0);
        }
        drop(ledger);
        self.shared.count("people: approved");
        self.shared.tell(format_args!("people: approve {} of {}", plan.digest(), app.name));
        process.handle.approve(plan.approve("ada")).unwrap();
    }

    fn suspend(&mut self, suspend: bool) {
        let app = &self.apps[self.chance.below(self.apps.len())];
        let Some(process) = &self.process else { return };
        let (what, done) = if suspend {
            ("suspend", process.handle.suspend(&app.name))
        } else {
            ("resume", process.handle.resume(&app.name))
        };
        done.unwrap();
        self.shared.count(&format!("people: {what}"));
        self.shared.tell(format_args!("people: {what} {}", app.name));
        self.shared.stir();
    }

    /// Somebody wants it now.
    fn press(&mut self) {
        let app = &self.apps[self.chance.below(self.apps.len())];
        let Some(process) = &self.process else { return };
        if self.chance.percent(50) {
            process.handle.sync(&app.name).unwrap();
        } else {
            process.handle.refresh(&app.name).unwrap();
        }
        self.shared.count("people: sync");
        self.shared.tell(format_args!("people: sync {}", app.name));
        self.shared.stir();
    }
}

fn policy(chance: &Chance) -> Policy {
    let mut policy = Policy::default();
    policy.prune = *chance.pick(&PRUNES);
    policy.adoption = *chance.pick(&ADOPTIONS);
    if chance.percent(15) {
        policy.drift = DriftPolicy::Report;
    }
    if chance.percent(30) {
        policy.prune_kinds.insert(GroupKind::new("", "Namespace"));
    }
    if chance.percent(30) {
        policy.prune_kinds.insert(GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition"));
    }
    policy
}
