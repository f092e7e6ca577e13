//! The engine's process: started, stopped, killed, and started again with nothing in its memory.

use std::sync::Arc;
use std::time::Duration;

use gitops_core::{
    AppId, Application, Backoff, Event, EventKind, Handle, MemoryTarget, PlainManifests, Policy, Prune,
    Reconciler,
};
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::faults::PANIC;
use crate::mutants::{Mutant, Telltale};
use crate::objects::{PLANTED, PLANTED_BASE64};
use crate::shared::Shared;
use crate::source::{SimRender, SimSource};
use crate::target::SimTarget;

/// An application of a world.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) repo: usize,
    pub(crate) cluster: usize,
    pub(crate) policy: Policy,
}

/// How the engine is set up in a world.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) concurrency: usize,
    pub(crate) parallel: usize,
    pub(crate) timeout: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) resync: Option<Duration>,
    pub(crate) watch_rate: u64,
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) reconciler: Arc<Reconciler>,
    pub(crate) handle: Handle,
    tasks: JoinSet<()>,
}

/// A target in front of each cluster, as a new process has them.
pub(crate) fn targets(shared: &Shared) -> Vec<MemoryTarget> {
    let target = |cluster: &gitops_core::MemoryCluster| MemoryTarget::new(cluster.clone());
    let targets = shared.clusters.iter().map(target);
    if shared.mutant == Some(Mutant::TellsSecrets) {
        targets.map(|target| target.with_health_rule(Telltale)).collect()
    } else {
        targets.collect()
    }
}

impl Process {
    /// Starts a process.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        apps: &[App],
        setup: &Setup,
        targets: &[MemoryTarget],
        chance: &Chance,
    ) -> Self {
        shared.ledger().restarted();
        let mut builder = Reconciler::builder()
            .with_seed(chance.roll())
            .with_clock(shared.clock)
            .with_concurrency(setup.concurrency)
            .with_parallel_applications(setup.parallel)
            .with_timeout(setup.timeout)
            .with_event_capacity(65_536)
            .with_backoff(backoff(setup));
        if let Some(every) = setup.resync {
            builder = builder.with_resync(every);
        }
        let watching = Arc::new(chance.split());
        for app in apps {
            shared.ledger().app(&app.name).policy = app.policy.clone();
            let mut policy = app.policy.clone();
            if shared.mutant == Some(Mutant::NoGuard) {
                policy.prune = Prune::Unguarded;
            }
            let source = SimSource { shared: shared.clone(), app: app.name.clone(), repo: app.repo };
            let target = SimTarget {
                inner: targets[app.cluster].clone(),
                shared: shared.clone(),
                app: app.name.clone(),
                cluster: app.cluster,
                repo: app.repo,
                watching: watching.clone(),
                watch_rate: setup.watch_rate,
            };
            let app = Application::builder(&app.name, source, target)
                .with_path(format!("apps/{}", app.name))
                .with_render(SimRender(shared.clone(), PlainManifests::new()))
                .with_policy(policy)
                .build()
                .unwrap();
            builder = builder.with_application(app);
        }
        let reconciler = Arc::new(builder.build().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(shared.clone(), reconciler.subscribe()));
        let running = reconciler.clone();
        tasks.spawn(async move { running.run().await.unwrap() });
        shared.tell("process: it starts");
        shared.stir();
        Self { handle: reconciler.handle(), reconciler, tasks }
    }

    /// Kills it at once.
    pub(crate) async fn kill(mut self, shared: &Shared) {
        shared.tell("process: it is killed");
        self.tasks.shutdown().await;
        drop(self);
        // What it had spawned ends too, before anything else happens.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        shared.stir();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self, shared: &Shared) {
        shared.tell("process: it is asked to stop");
        self.handle.stop();
        let Self { tasks, reconciler, handle } = &mut self;
        // It may hang in a call for as long as the grace period and what a step may overrun it.
        if tokio::time::timeout(Duration::from_secs(120), tasks.join_next()).await.is_err() {
            shared.violation("it does not stop");
        }
        let _ = (reconciler, handle);
        self.kill(shared).await;
    }
}

fn backoff(setup: &Setup) -> Backoff {
    let mut backoff = Backoff::default();
    backoff.max = setup.longest_wait;
    backoff
}

/// Reads all events: they are part of the trace, and must hold no secret.
async fn listen(shared: Arc<Shared>, mut events: gitops_core::EventStream) {
    let mut last: Option<u64> = None;
    while let Some(event) = events.next().await {
        let Event { seq, app, kind, .. } = &event;
        if last.is_some_and(|last| last + 1 != *seq) {
            shared.violation(format!("event {seq} came after {last:?}"));
        }
        last = Some(*seq);
        let line = event.to_string();
        let json = serde_json::to_string(&event).unwrap();
        let debug = format!("{event:?}");
        for text in [&line, &json, &debug] {
            if text.contains(PLANTED) || text.contains(PLANTED_BASE64) {
                shared.violation(format!("a secret is told: {line}"));
                break;
            }
        }
        if line.contains('\n') {
            shared.violation(format!("an event is more than a line: {line:?}"));
        }
        judge(&shared, app, kind);
        if !matches!(kind, EventKind::Polled { changed: false, .. }) {
            shared.tell(format_args!("event: {line}"));
        }
    }
}

fn judge(shared: &Shared, app: &AppId, kind: &EventKind) {
    let name = serde_json::to_value(kind).unwrap()["type"].as_str().unwrap_or_default().to_owned();
    shared.count(&format!("event: {name}"));
    match kind {
        EventKind::SyncFailed { fault, .. } | EventKind::SourceFailed { fault, .. }
            if fault.class == gitops_core::Class::Bug
                && !fault.message.contains("injected")
                && !fault.message.contains("panicked") =>
        {
            shared.violation(format!("{app}: a bug: {fault}"));
        }
        EventKind::Lagged { missed } => shared.violation(format!("{missed} events were missed")),
        _ => {}
    }
}

/// Panics on purpose are not printed.
pub(crate) fn hide_panics_on_purpose() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref::<&str>() != Some(&PANIC) {
                usual(panic);
            }
        }));
    });
}
