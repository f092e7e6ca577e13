//! The reconciler: applications, and what makes them run.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::builder::ReconcilerBuilder;
use super::cell::{Cell, Stops};
use super::feed::Tick;
use super::handle::Handle;
use super::settings::Settings;
use super::worker;
use crate::cx::FOR_EVER;
use crate::event::{Emitter, EventStream};
use crate::{AppId, Class, EventKind, Fault, Status};

/// Keeps applications as Git wants them, for ever: polls their sources, watches their targets, applies what is new, and
/// puts back what drifts.
///
/// Nothing happens in the background: [`run`](Self::run) is the work, and ends when its future is dropped or
/// [`Handle::stop`] is called. Plans and single syncs work without it.
#[derive(Debug)]
pub struct Reconciler {
    pub(super) cells: Arc<[Arc<Cell>]>,
    pub(super) settings: Arc<Settings>,
    pub(super) emitter: Emitter,
    pub(super) stops: Stops,
}

impl Reconciler {
    /// Starts to describe a reconciler.
    pub fn builder() -> ReconcilerBuilder {
        ReconcilerBuilder::default()
    }

    /// The events from now on. Each subscriber sees all of them, or is told how many it missed.
    pub fn subscribe(&self) -> EventStream {
        self.emitter.subscribe(&self.cells[0].app.id)
    }

    /// What other tasks use to steer the reconciler while it runs.
    pub fn handle(&self) -> Handle {
        Handle { cells: self.cells.clone(), stops: self.stops.clone() }
    }

    /// How an application is doing; none if there is no such application.
    pub fn status(&self, app: &str) -> Option<Status> {
        self.cell(app).ok().map(|cell| cell.status.borrow().clone())
    }

    /// The status of an application as it changes.
    pub fn watch_status(&self, app: &str) -> Option<watch::Receiver<Status>> {
        self.cell(app).ok().map(|cell| cell.status.subscribe())
    }

    /// Works until [`Handle::stop`] is called: then no further step begins, running steps end within the grace period,
    /// and this returns. Dropping the future stops everything at once; the next run finds what was left behind.
    ///
    /// A worker that panics is a bug; it is reported as an event and begun again after the longest wait of the backoff, and
    /// the other applications go on. After a stop, a reconciler runs no more.
    pub async fn run(&self) -> Result<(), Fault> {
        let gate = Arc::new(Semaphore::new(self.settings.passes));
        // When this future is dropped, everything below it stops.
        let stops = Stops { soft: self.stops.soft.child_token(), hard: self.stops.hard.child_token() };
        let _stop_when_dropped = stops.hard.clone().drop_guard();
        // The same for all: those who share a source share its first answer.
        let begun = self.cells[0].feed.order.next();
        let mut workers = JoinSet::new();
        for cell in self.cells.iter() {
            let (cell, stops, gate) = (cell.clone(), stops.clone(), gate.clone());
            workers.spawn(supervise(cell, stops, gate, begun));
        }
        let hard = stops.hard.clone();
        let grace = self.settings.grace;
        let soft = stops.soft.clone();
        let end_of_grace = async move {
            soft.cancelled().await;
            tokio::time::sleep(grace.min(FOR_EVER)).await;
            hard.cancel();
        };
        let all = async {
            while let Some(ended) = workers.join_next().await {
                ended.map_err(|error| Fault::new(Class::Bug, error))?;
            }
            Ok(())
        };
        tokio::pin!(all);
        tokio::select! {
            biased;
            ended = &mut all => ended,
            () = end_of_grace => all.await,
        }
    }

    /// Stops when a future ends: a signal, a lost lease.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn shutdown_on(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        let soft = self.stops.soft.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = soft.cancelled() => {}
                () = signal => soft.cancel(),
            }
        });
        self
    }

    /// Stops on an interrupt (Ctrl-C) or, on Unix, a request to terminate.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[cfg(feature = "signal")]
    #[must_use]
    pub fn shutdown_on_signal(self) -> Self {
        self.shutdown_on(crate::signal::asked_to_stop())
    }

    pub(super) fn cell(&self, app: &str) -> Result<&Arc<Cell>, Fault> {
        find(&self.cells, app)
    }
}

pub(super) fn find<'a>(cells: &'a [Arc<Cell>], app: &str) -> Result<&'a Arc<Cell>, Fault> {
    cells.iter().find(|cell| cell.app.id.as_str() == app).ok_or_else(|| {
        let known: Vec<&str> = cells.iter().map(|cell| cell.app.id.as_str()).collect();
        Fault::new(
            Class::NotFound,
            format!("there is no application {app:?}; there are {}", known.join(", ")),
        )
    })
}

/// Runs a worker; begins it again if it panics.
async fn supervise(cell: Arc<Cell>, stops: Stops, gate: Arc<Semaphore>, begun: Tick) {
    loop {
        // In a set of its own, so that dropping this ends the worker.
        let mut worker = JoinSet::new();
        worker.spawn(worker::work(cell.clone(), stops.clone(), gate.clone(), begun));
        match worker.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                let app: &AppId = &cell.app.id;
                tracing::error!(%app, "a worker panicked");
                let fault = Fault::new(Class::Bug, "the worker panicked; it begins again").note();
                cell.emit(EventKind::SyncFailed { revision: None, fault });
                tokio::select! {
                    biased;
                    () = stops.soft.cancelled() => {
                        cell.emit(EventKind::Stopped);
                        return;
                    }
                    () = tokio::time::sleep(cell.settings.backoff.max.min(FOR_EVER)) => {}
                }
            }
            _ => return,
        }
    }
}
