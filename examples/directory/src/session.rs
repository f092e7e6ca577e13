//! One application's time of writing to a directory.

use std::collections::BTreeMap;
use std::fs::File;

use gitops_core::{
    Action, AppId, Class, Cx, Done, End, Expect, Fault, Owner, Placed, RepoPath, Session, Step, async_trait,
};

use crate::disk::{Disk, OnDisk};
use crate::file::{self, Stated};
use crate::state::{Member, State};
use crate::target::{DirectoryTarget, off};

/// Holds the application's lock until it is dropped.
pub(crate) struct DirectorySession {
    pub(crate) target: DirectoryTarget,
    pub(crate) app: AppId,
    pub(crate) held: File,
}

/// One step, while nobody else changes what is recorded.
struct Work<'a> {
    disk: &'a Disk,
    app: &'a AppId,
    state: &'a mut State,
    path: RepoPath,
    live: Option<OnDisk>,
}

impl Work<'_> {
    fn run(mut self, step: &Step) -> Result<Done, Fault> {
        self.check(&step.expect)?;
        match step.action {
            Action::Create | Action::Update | Action::Adopt => {
                let Some(desired) = &step.desired else {
                    return Err(
                        Fault::new(Class::Bug, "a step that applies has nothing to apply").at(&step.id)
                    );
                };
                self.put(desired)
            }
            Action::Prune => self.prune(&step.expect),
            Action::Release => {
                let wrote = self.forget()?;
                Ok(self.done(wrote))
            }
            _ => Err(Fault::new(Class::Unsupported, format!("a directory cannot {}", step.action))),
        }
    }

    fn check(&self, expect: &Expect) -> Result<(), Fault> {
        let token = self.live.as_ref().map(|live| self.state.token(&self.path, live));
        match (expect, token) {
            (Expect::Absent, None) => Ok(()),
            (Expect::Same(incarnation), Some(token)) if *incarnation == token.incarnation => Ok(()),
            (Expect::Exactly(expected), Some(token)) if *expected == token => Ok(()),
            (_, Some(_)) => Err(self.precondition("it is not the file that was seen")),
            (_, None) => Err(self.precondition("it is gone by now")),
        }
    }

    fn precondition(&self, why: &str) -> Fault {
        Fault::new(Class::Precondition, why.to_owned()).at(&self.path)
    }

    fn put(&mut self, desired: &Placed) -> Result<Done, Fault> {
        if let Some(why) = &desired.unresolved {
            return Err(why.to_fault().at(&self.path));
        }
        let (_, stated) = file::read(&desired.manifest).map_err(|why| why.to_fault().at(&self.path))?;
        let (content, executable) = self.merged(stated);
        let same = |live: &OnDisk| live.content == content && live.executable == executable;
        let is_member = |live: &OnDisk| self.state.owner(self.app, &self.path, live, false) == Owner::This;
        if self.live.as_ref().is_some_and(|live| same(live) && is_member(live)) {
            return Ok(self.done(false));
        }
        let new = self.disk.write(&content, executable)?;
        // Known before it is there: a crash in between leaves a member that does not exist, and no file of nobody.
        let member = match &self.live {
            None => Member { incarnation: new.key.clone(), keys: vec![new.key.clone()] },
            Some(live) => Member {
                incarnation: self.state.token(&self.path, live).incarnation.to_string(),
                keys: vec![live.key.clone(), new.key.clone()],
            },
        };
        let before = self.claim(member)?;
        let placed = match &self.live {
            None => self.disk.create(&new, &self.path),
            Some(_) => self.disk.replace(&new, &self.path),
        };
        if let Err(fault) = placed {
            if fault.class != Class::OutcomeUnknown {
                Disk::discard(&new);
                self.restore(&before)?;
            }
            return Err(fault);
        }
        self.live = self.disk.look(&self.path)?;
        Ok(self.done(true))
    }

    /// What is stated, and the rest as it is.
    fn merged(&self, stated: Stated) -> (Vec<u8>, bool) {
        let live = self.live.as_ref();
        let content = stated.content.or_else(|| live.map(|live| live.content.clone()));
        let executable = stated.executable.or_else(|| live.map(|live| live.executable));
        (content.unwrap_or_default(), executable.unwrap_or_default())
    }

    /// Makes the file a member of this application and of no other; says whose it was.
    fn claim(&mut self, member: Member) -> Result<BTreeMap<AppId, Member>, Fault> {
        let mut before = BTreeMap::new();
        for (name, app) in &mut self.state.apps {
            if let Some(was) = app.members.remove(&self.path) {
                before.insert(name.clone(), was);
            }
        }
        let gone = || Fault::new(Class::Precondition, "the record of the application is gone");
        let app = self.state.apps.get_mut(self.app).ok_or_else(gone)?;
        app.members.insert(self.path.clone(), member);
        self.state.save(self.disk)?;
        Ok(before)
    }

    fn restore(&mut self, before: &BTreeMap<AppId, Member>) -> Result<(), Fault> {
        for (name, app) in &mut self.state.apps {
            app.members.remove(&self.path);
            if let Some(was) = before.get(name) {
                app.members.insert(self.path.clone(), was.clone());
            }
        }
        self.state.save(self.disk)
    }

    fn prune(&mut self, expect: &Expect) -> Result<Done, Fault> {
        let owner = self.live.as_ref().map(|live| self.state.owner(self.app, &self.path, live, false));
        // Whoever names a state has seen whose the file is; whoever names an incarnation has not.
        if matches!(expect, Expect::Same(_)) && owner != Some(Owner::This) {
            return Err(self.precondition("it is not (any more) a member of the application"));
        }
        let wrote = self.disk.remove(&self.path)?;
        self.live = None;
        // After the file: a crash in between leaves a member that does not exist, and no file of nobody.
        self.forget()?;
        Ok(self.done(wrote))
    }

    fn forget(&mut self) -> Result<bool, Fault> {
        let members = self.state.apps.get_mut(self.app).map(|app| &mut app.members);
        let was = members.and_then(|members| members.remove(&self.path)).is_some();
        if was {
            self.state.save(self.disk)?;
        }
        Ok(was)
    }

    fn done(&self, wrote: bool) -> Done {
        let live = self.live.as_ref();
        let live = live.map(|live| DirectoryTarget::live(self.state, self.app, &self.path, live, true));
        Done::new(live, wrote)
    }
}

#[async_trait]
impl Session for DirectorySession {
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let (target, app, cx, step) = (self.target.clone(), self.app.clone(), cx.clone(), step.clone());
        off(move || {
            if step.id.group_kind() != file::kind() {
                let text = format!("a directory has no {}", step.id.group_kind());
                return Err(Fault::new(Class::NotFound, text).at(&step.id));
            }
            let path = file::path(&step.id)?;
            target.change(&cx, |state| {
                let live = target.disk.look(&path)?;
                Work { disk: &target.disk, app: &app, state, path, live }.run(&step)
            })
        })
        .await
    }

    async fn finish(self: Box<Self>, cx: &Cx, end: &End) -> Result<(), Fault> {
        let (cx, end) = (cx.clone(), end.clone());
        off(move || {
            self.target.change(&cx, |state| {
                if end.forget {
                    state.apps.remove(&self.app);
                } else if let Some(app) = state.apps.get_mut(&self.app) {
                    app.record.end(&end);
                }
                state.save(&self.target.disk)
            })?;
            drop(self.held);
            Ok(())
        })
        .await
    }
}
