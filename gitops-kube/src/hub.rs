//! Which watches run, and who hears of them: one watch per kind for all applications of a target.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use gitops_core::{AppId, Class, Cx, Dirty, FaultNote, Reach, ReachEntry, ResourceId};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::queue::Queue;
use crate::shared::Shared;
use crate::watch;

/// How long events are gathered before they are told.
const GATHER: Duration = Duration::from_millis(10);

/// What one watch covers: a kind at a version, in a namespace or everywhere.
pub(crate) type Scope = ReachEntry;

#[derive(Debug)]
struct Running {
    /// Whether it is connected, so that no change stays unseen.
    sees: Arc<AtomicBool>,
    _stop: DropGuard,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    listeners: BTreeMap<u64, (AppId, Arc<Queue>)>,
    running: HashMap<Scope, Running>,
    /// Kinds that may not be listed everywhere: they are watched by namespace.
    by_namespace: BTreeSet<Scope>,
    /// For each kind that no watch follows yet, the version of the earliest list of members since somebody did.
    offers: HashMap<Scope, u64>,
}

/// Watches and listeners. A watch runs as long as somebody listens to an application that has its kind in reach.
#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<State>);

/// The same kind, in all namespaces.
pub(crate) fn everywhere(entry: &Scope) -> Scope {
    Scope { namespace: None, ..entry.clone() }
}

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the watches that somebody needs now, and stops the others.
    pub(crate) fn reach_changed(&self, shared: &Arc<Shared>) {
        let mut state = self.state();
        let apps: BTreeSet<_> = state.listeners.values().map(|(app, _)| app.clone()).collect();
        let mut needed = BTreeSet::new();
        for reach in apps.iter().filter_map(|app| shared.view.cache.known(app)).map(|known| known.reach) {
            for entry in &reach.0 {
                let all = everywhere(entry);
                needed.insert(if state.by_namespace.contains(&all) { entry.clone() } else { all });
            }
        }
        state.running.retain(|scope, _| needed.contains(scope));
        // Outside of a runtime nothing can be started; the next poll of a listener does it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        for scope in needed {
            state.running.entry(scope).or_insert_with_key(|scope| {
                let stop = CancellationToken::new();
                let sees = Arc::new(AtomicBool::new(false));
                runtime.spawn(watch::run(Arc::downgrade(shared), scope.clone(), stop.clone(), sees.clone()));
                Running { sees, _stop: stop.drop_guard() }
            });
        }
    }

    /// Whether a kind is known not to be listable everywhere.
    pub(crate) fn is_by_namespace(&self, scope: &Scope) -> bool {
        self.state().by_namespace.contains(scope)
    }

    /// Takes note that a kind may not be listed everywhere.
    pub(crate) fn by_namespace(&self, scope: &Scope) {
        self.state().by_namespace.insert(scope.clone());
    }

    /// The members of an application in a scope were listed, at this version. A watch that begins there tells that
    /// application of everything that changes; other applications list their members before they care.
    pub(crate) fn offer(&self, scope: &Scope, version: &str) {
        // Versions that do not count up cannot be compared: then the watch lists for itself.
        let Ok(version) = version.parse::<u64>() else { return };
        let mut state = self.state();
        let scopes = [everywhere(scope), scope.clone()];
        if scopes.iter().any(|scope| state.running.contains_key(scope)) {
            return;
        }
        for scope in scopes {
            let offer = state.offers.entry(scope).or_insert(version);
            *offer = version.min(*offer);
        }
    }

    /// The version from which a new watch can go on without a list. Each offer is taken once; one that is too old is
    /// refused by the API server, and then the watch lists.
    pub(crate) fn take_offer(&self, scope: &Scope) -> Option<String> {
        self.state().offers.remove(scope).map(|version| version.to_string())
    }

    /// A kind may not be listed everywhere. Says whether there are namespaces in which to watch it instead.
    pub(crate) fn forbidden_everywhere(&self, shared: &Arc<Shared>, scope: &Scope) -> bool {
        let mut state = self.state();
        let apps: Vec<_> = state.listeners.values().map(|(app, _)| app.clone()).collect();
        let in_namespaces =
            |reach: &Reach| reach.0.iter().any(|e| e.namespace.is_some() && everywhere(e) == *scope);
        let any = apps
            .iter()
            .filter_map(|app| shared.view.cache.known(app))
            .any(|known| in_namespaces(&known.reach));
        if any {
            state.by_namespace.insert(scope.clone());
        }
        any
    }

    /// Whether a watch would have told of a change of this object.
    pub(crate) fn watches(&self, id: &ResourceId) -> bool {
        let covers = |scope: &Scope| {
            scope.group == id.group
                && scope.kind == id.kind
                && (scope.namespace.is_none() || scope.namespace == id.namespace)
        };
        self.state()
            .running
            .iter()
            .any(|(scope, running)| covers(scope) && running.sees.load(Ordering::Acquire))
    }

    /// Tells the listeners of some applications of an object.
    pub(crate) fn object(&self, apps: &[AppId], id: &ResourceId) {
        for (app, queue) in self.state().listeners.values() {
            if apps.contains(app) {
                queue.object(id);
            }
        }
    }

    /// Tells whoever has a scope in reach.
    pub(crate) fn scope(&self, shared: &Shared, scope: &Scope, tell: impl Fn(&Queue)) {
        let covered = |entry: &ReachEntry| {
            everywhere(entry) == everywhere(scope)
                && (scope.namespace.is_none() || scope.namespace == entry.namespace)
        };
        for (app, queue) in self.state().listeners.values() {
            if shared.view.cache.known(app).is_some_and(|known| known.reach.0.iter().any(covered)) {
                tell(queue);
            }
        }
    }

    fn listen(&self, app: &AppId) -> (u64, Arc<Queue>) {
        let mut state = self.state();
        let (number, queue) = (state.next, Arc::<Queue>::default());
        state.next += 1;
        state.listeners.insert(number, (app.clone(), queue.clone()));
        (number, queue)
    }
}

/// The stream that a listener holds.
pub(crate) struct Listening {
    shared: Arc<Shared>,
    number: u64,
    app: AppId,
    queue: Arc<Queue>,
    /// Ends the search for the application's record.
    opening: Option<DropGuard>,
    gathering: Option<Pin<Box<Sleep>>>,
}

impl Listening {
    pub(crate) fn new(shared: Arc<Shared>, app: &AppId) -> Self {
        let (number, queue) = shared.hub.listen(app);
        Self { shared, number, app: app.clone(), queue, opening: None, gathering: None }
    }

    /// Starts the watches at the first poll, because only then is there surely a runtime.
    fn open(&mut self) {
        let stop = CancellationToken::new();
        self.opening = Some(stop.clone().drop_guard());
        match tokio::runtime::Handle::try_current() {
            Err(_) => self.queue.blind(FaultNote::new(Class::Unsupported, "watching needs a tokio runtime")),
            Ok(_) if self.shared.view.cache.known(&self.app).is_some() => {
                self.shared.hub.reach_changed(&self.shared);
            }
            Ok(runtime) => {
                runtime.spawn(find_record(Arc::downgrade(&self.shared), self.app.clone(), stop));
            }
        }
    }
}

/// Reads the record of an application that nobody has read yet, to know what to watch. An application without a record
/// has nothing to watch; the first session changes that.
async fn find_record(shared: std::sync::Weak<Shared>, app: AppId, stop: CancellationToken) {
    let mut backoff = watch::Backoff::default();
    loop {
        let Some(strong) = shared.upgrade() else { return };
        if strong.view.cache.known(&app).is_some() {
            strong.hub.reach_changed(&strong);
            return;
        }
        let records = strong.records.clone();
        drop(strong);
        let cx = Cx::new(stop.clone(), Duration::from_secs(60));
        let read = records.read(&cx, &app).await;
        let Some(strong) = shared.upgrade() else { return };
        match read {
            Ok(None) => return,
            Ok(Some(stored)) => {
                strong.know(&stored);
                return;
            }
            Err(_) if stop.is_cancelled() => return,
            Err(fault) => strong.hub.app(&app, |queue| queue.blind(fault.note())),
        }
        drop(strong);
        if !backoff.wait(&stop).await {
            return;
        }
    }
}

impl Hub {
    fn app(&self, app: &AppId, tell: impl Fn(&Queue)) {
        self.state().listeners.values().filter(|(of, _)| of == app).for_each(|(_, queue)| tell(queue));
    }
}

impl Stream for Listening {
    type Item = Dirty;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Dirty>> {
        if self.opening.is_none() {
            self.open();
        }
        loop {
            if !self.queue.is_ready(cx) {
                self.gathering = None;
                return Poll::Pending;
            }
            let gathering = self.gathering.get_or_insert_with(|| Box::pin(tokio::time::sleep(GATHER)));
            if gathering.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.gathering = None;
            if let Some(dirty) = self.queue.take() {
                return Poll::Ready(Some(dirty));
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shared.hub.state().listeners.remove(&self.number);
        self.shared.hub.reach_changed(&self.shared);
    }
}

#[cfg(test)]
mod tests;
