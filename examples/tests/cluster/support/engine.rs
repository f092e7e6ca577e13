//! An engine that runs inside the test.

use std::time::Duration;

use gitops_core::{
    Application, ApplicationBuilder, Backoff, Event, EventKind, EventStream, Fault, Handle, Health, Prune,
    Reconciler, ReconcilerBuilder, SyncReport, Target, Trigger,
};
use gitops_git::GitSource;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::PATIENCE;
use super::manifests::PATH;
use crate::common::Repo;

/// An application from a local repository, with guarded pruning.
pub(crate) fn application(name: &str, repo: &Repo, target: impl Target) -> ApplicationBuilder {
    let source =
        GitSource::builder(repo.url()).with_branch("main").with_mirror_dir(repo.mirror()).allow_local();
    Application::builder(name, source.build().unwrap(), target).with_path(PATH).with_prune(Prune::GUARDED)
}

/// A reconciler at work. With an hour between two polls, nothing but the watch can see drift in time, and nothing but
/// [`Handle::refresh`], as a webhook calls it, a commit.
pub(crate) struct Engine {
    pub(crate) handle: Handle,
    app: String,
    events: EventStream,
    history: Vec<Event>,
    running: JoinHandle<Result<(), Fault>>,
}

impl Engine {
    pub(crate) fn start(app: ApplicationBuilder) -> Self {
        Self::start_with(app, |builder| builder)
    }

    pub(crate) fn start_with(
        app: ApplicationBuilder,
        change: impl FnOnce(ReconcilerBuilder) -> ReconcilerBuilder,
    ) -> Self {
        let app = app.build().unwrap();
        let name = app.id().to_string();
        let mut backoff = Backoff::default();
        (backoff.base, backoff.max) = (Duration::from_millis(200), Duration::from_secs(2));
        let builder = Reconciler::builder().with_application(app).with_interval(Duration::from_secs(3600));
        let reconciler = change(builder.with_backoff(backoff)).build().unwrap();
        let (events, handle) = (reconciler.subscribe(), reconciler.handle());
        let running = tokio::spawn(async move { reconciler.run().await });
        Self { handle, app: name, events, history: Vec::new(), running }
    }

    /// Waits for the first event from now on for which `pick` has an answer.
    pub(crate) async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Ok(Some(event)) = timeout_at(deadline, self.events.next()).await else {
                let history: Vec<String> = self.history.iter().map(|e| format!("{} {e}", e.at)).collect();
                let status = self.handle.status(&self.app);
                panic!(
                    "not observed: {what}; the status is {status:?}, and the events were:\n{}",
                    history.join("\n")
                );
            };
            let picked = pick(&event);
            self.history.push(event);
            if let Some(picked) = picked {
                return picked;
            }
        }
    }

    /// Waits for the end of a sync that was not made by live objects.
    pub(crate) async fn synced(&mut self, what: &str) -> SyncReport {
        self.until(what, |event| match &event.kind {
            EventKind::SyncFinished { report } if report.trigger != Trigger::Live => Some(report.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the application to change to a health.
    pub(crate) async fn becomes(&mut self, want: Health) {
        self.until(&format!("{} becomes {want}", self.app.clone()), |event| match &event.kind {
            EventKind::Health { id: None, to, .. } if to.health == want => Some(()),
            _ => None,
        })
        .await;
    }

    /// Waits until the application is healthy, or sees that it is.
    pub(crate) async fn healthy(&mut self) {
        if self.handle.status(&self.app).is_none_or(|status| status.health != Health::Healthy) {
            self.becomes(Health::Healthy).await;
        }
    }

    /// Waits until the application is healthy for the first time with a revision, and that is recorded.
    pub(crate) async fn good(&mut self) {
        self.until("a revision that is Healthy", |event| {
            matches!(event.kind, EventKind::RevisionHealthy { .. }).then_some(())
        })
        .await;
    }

    /// What a Git server does after a push.
    pub(crate) fn call_webhook(&self) {
        self.handle.refresh(&self.app).unwrap();
    }

    pub(crate) fn history(&self) -> &[Event] {
        &self.history
    }

    /// Ends it in the middle of what it does.
    pub(crate) async fn crash(self) {
        self.running.abort();
        let ended = self.running.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it had ended by itself");
    }

    /// Stops, and waits for the end.
    pub(crate) async fn stop(self) {
        self.handle.stop();
        tokio::time::timeout(PATIENCE, self.running).await.expect("it stops").unwrap().unwrap();
    }
}
