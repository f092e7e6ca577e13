//! A directory as a target.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gitops_core::diff::schema::BuiltIn;
use gitops_core::diff::{DiffOptions, compare};
use gitops_core::{
    AppId, AppRecord, Capabilities, Class, Comparison, Cx, Dirty, Events, Fault, IgnoreRules, Intent, Live,
    Manifest, Observation, Observe, Owner, Placed, RepoPath, Session, Target, Unseen, async_trait,
};

use crate::disk::{Disk, OnDisk};
use crate::session::DirectorySession;
use crate::state::{App, Newest, State};
use crate::{file, lock};

/// A directory of files as a target. Clones share what they have seen. Work on the disk is done off the async threads.
#[derive(Debug, Clone)]
pub struct DirectoryTarget {
    pub(crate) disk: Disk,
    newest: Arc<Mutex<Newest>>,
}

impl DirectoryTarget {
    /// The target for a directory, which is made with the first write.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { disk: Disk::new(directory.into()), newest: Arc::default() }
    }

    /// The directory.
    pub fn directory(&self) -> &std::path::Path {
        self.disk.root()
    }

    /// Changes what is recorded, and waits for whoever changes it now. Blocks.
    pub(crate) fn change<T>(
        &self,
        cx: &Cx,
        change: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _locked = lock::take(&self.disk.own("state.lock"), cx)?;
        let mut state = State::load(&self.disk)?;
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).check(&state)?;
        let done = change(&mut state);
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).check(&state)?;
        done
    }

    /// A file as planning sees it.
    pub(crate) fn live(
        state: &State,
        app: &AppId,
        path: &RepoPath,
        on_disk: &OnDisk,
        is_wanted: bool,
    ) -> Live {
        let mut live = Live::new(file::id(path), state.token(path, on_disk));
        live.owner = state.owner(app, path, on_disk, is_wanted);
        live.object = Some(Arc::new(file::object(path, &on_disk.content, Some(on_disk.executable))));
        live
    }

    fn look(&self, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        let state = State::load(&self.disk)?;
        let (asked, all) = match what {
            Observe::Everything { also } => (also, true),
            Observe::Objects(ids) | Observe::Anew(ids) => (ids, false),
            _ => {
                return Err(Fault::new(
                    Class::Unsupported,
                    "a directory does not know this way of observing",
                ));
            }
        };
        let mut wanted: Vec<RepoPath> = asked
            .iter()
            .filter(|id| id.group_kind() == file::kind())
            .filter_map(|id| file::path(id).ok())
            .collect();
        wanted.sort();
        wanted.dedup();
        let members = state.apps.get(app).filter(|_| all).into_iter().flat_map(|app| app.members.keys());
        let others: Vec<RepoPath> =
            members.filter(|path| wanted.binary_search(path).is_err()).cloned().collect();
        let mut seen = Observation::default();
        for (path, is_wanted) in
            wanted.iter().map(|path| (path, true)).chain(others.iter().map(|path| (path, false)))
        {
            match self.disk.look(path) {
                Ok(None) => {}
                Ok(Some(on_disk)) => {
                    let live = Self::live(&state, app, path, &on_disk, is_wanted);
                    if is_wanted || matches!(live.owner, Owner::This | Owner::Unproven) {
                        seen.live.push(live);
                    }
                }
                // There is one kind, and no namespaces: what is not known of one file is not known of all.
                Err(fault) => {
                    seen.unseen.push(Unseen { kind: file::kind(), namespace: None, fault: fault.note() });
                }
            }
        }
        if !seen.unseen.is_empty() {
            seen.live.clear();
        }
        Ok(seen)
    }

    /// Takes the application's lock and records the intent.
    fn open(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<std::fs::File, Fault> {
        cx.check()?;
        self.disk.prepare()?;
        let held = lock::take(&self.disk.own(&format!("{app}.lock")), cx)?;
        self.change(cx, |state| {
            let of = state.apps.entry(app.clone()).or_insert_with(|| App {
                record: AppRecord::new(&*intent.source),
                members: std::collections::BTreeMap::new(),
            });
            if of.record.source != intent.source {
                let text = format!("the application belongs to the source {}", of.record.source);
                return Err(Fault::new(Class::Denied, text).at(app));
            }
            of.record.begin(intent);
            state.save(&self.disk)
        })?;
        Ok(held)
    }
}

/// Does work on the disk where it holds nobody up. Work that has begun is finished, also when nobody waits any more.
pub(crate) async fn off<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Fault::new(Class::OutcomeUnknown, "work on the disk was broken off")),
    }
}

#[async_trait]
impl Target for DirectoryTarget {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault> {
        cx.check()?;
        let place = |manifest: Manifest| match file::read(&manifest) {
            Ok((path, _)) => Placed::new(manifest).with_id(file::id(&path)),
            Err(why) => Placed::new(manifest).with_unresolved(why),
        };
        Ok(set.into_iter().map(place).collect())
    }

    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        cx.check()?;
        let (target, app, what) = (self.clone(), app.clone(), what.clone());
        off(move || target.look(&app, &what)).await
    }

    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        let Some(object) = &live.object else { return Comparison::Unsure };
        let options = DiffOptions::default().with_rules(rules.bound_to(&live.id.subject()));
        match compare(&desired.manifest.object(), object, &BuiltIn, &options) {
            fields if fields.is_empty() => Comparison::InSync,
            fields => Comparison::Differs(fields),
        }
    }

    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault> {
        let (target, cx, of, intent) = (self.clone(), cx.clone(), app.clone(), intent.clone());
        let held = off(move || target.open(&cx, &of, &intent)).await?;
        Ok(Box::new(DirectorySession { target: self.clone(), app: app.clone(), held }))
    }

    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        cx.check()?;
        let (disk, app) = (self.disk.clone(), app.clone());
        off(move || Ok(State::load(&disk)?.apps.remove(&app).map(|app| app.record))).await
    }

    /// A directory is read at every interval instead: what others do to it is told by nobody.
    fn watch(&self, _app: &AppId) -> Events<Dirty> {
        Box::pin(Never)
    }
}

/// A stream that lives for ever and says nothing.
struct Never;

impl futures_core::Stream for Never {
    type Item = Dirty;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Dirty>> {
        std::task::Poll::Pending
    }
}
