//! The cluster in memory, and the target in front of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use gitops_core::{
    Action, AppId, Class, Cx, Dirty, End, Events, Expect, Fault, Intent, Manifest, MemoryCluster,
    MemoryTarget, Place, Reach, RepoPath, ResourceId, Step, Target as _, Timestamp, Token,
};
use gitops_diff::ApplyError;
use serde_json::{Value, json};

use crate::kinds::{Kind, definition};
use crate::operations::{APP, Guard, Operation, Which, patched, placed};
use crate::outcome::{Hints, History, Outcome, Told};

/// The namespace of all objects here.
const NAMESPACE: &str = "test";

pub(crate) struct MemorySide<'k> {
    kind: &'k Kind,
    target: MemoryTarget,
    hints: Events<Dirty>,
    seen: u64,
    pub(crate) history: History,
}

impl<'k> MemorySide<'k> {
    pub(crate) fn new(kind: &'k Kind) -> Self {
        let cluster = MemoryCluster::new();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        for object in [namespace, definition()] {
            cluster.create("setup", &object).unwrap();
        }
        let (target, seen) = (MemoryTarget::new(cluster.clone()), cluster.version());
        let hints = target.watch(&AppId::new(APP).unwrap());
        Self { kind, target, hints, seen, history: History::default() }
    }

    pub(crate) async fn run(&mut self, operation: &Operation) -> Outcome {
        let done = match operation {
            Operation::Apply { by, name, config, force, guard } => {
                let config = self.guarded(&placed(config, NAMESPACE, name), name, *guard);
                self.cluster().apply(by, &config, *force).map(|_| *name)
            }
            Operation::Deploy { name, config, expect } => {
                self.deploy(name, config, *expect).await.map(|()| *name)
            }
            Operation::Create { by, name, body } => {
                match self.cluster().create(by, &placed(body, NAMESPACE, name)) {
                    Err(fault) if fault.class == Class::Precondition => return Outcome::Exists,
                    created => created.map(|_| *name),
                }
            }
            Operation::Update { by, name, changes, guard } => self.update(by, name, *guard, |object| {
                for (path, value) in changes {
                    match value {
                        Some(value) => path.set(object, value.clone()),
                        None => path.remove(object),
                    };
                }
            }),
            Operation::Replace { by, name, body, guard } => {
                self.update(by, name, *guard, |object| *object = placed(body, NAMESPACE, name))
            }
            Operation::Patch { by, name, kind, patch } => match self.history.live(name) {
                None => return Outcome::NotFound,
                Some(live) => match patched(live, *kind, patch) {
                    None => return Outcome::Invalid,
                    Some(object) => {
                        self.cluster().update(by, &self.id(name), |live| *live = object).map(|_| *name)
                    }
                },
            },
            Operation::Status { by, name, status } => {
                self.cluster().update_status(by, &self.id(name), status.clone()).map(|_| *name)
            }
            Operation::Delete { by, name, guard } => self.delete(by, name, *guard).map(|()| *name),
            Operation::Watch => return self.watch(),
            Operation::Expire => return self.expire(),
        };
        match done {
            Ok(name) => {
                let now = self.cluster().get(&self.id(name));
                if self.history.note(name, now.as_ref()) { Outcome::Changed } else { Outcome::NoOp }
            }
            Err(fault) => outcome(&fault),
        }
    }

    async fn deploy(&self, name: &str, config: &Value, expect: Option<Which>) -> Result<(), Fault> {
        let place = Place::file(RepoPath::root());
        let manifest = Manifest::new(&placed(config, NAMESPACE, name), place).unwrap();
        let cx = Cx::with_timeout(Duration::from_secs(60));
        let desired = self.target.place(&cx, vec![manifest]).await?.remove(0);
        let (action, expect) = match expect {
            None => (Action::Create, Expect::Absent),
            Some(which) => (Action::Update, Expect::Same(self.history.uid(name, which).into())),
        };
        let intent = Intent::new(Timestamp::UNIX_EPOCH, "memory:config", None, Reach::default());
        let session = self.target.begin(&cx, &AppId::new(APP).unwrap(), &intent).await?;
        let step = Step::new(desired.id.clone(), action, expect, Some(Arc::new(desired)));
        let done = session.run(&cx, &step).await;
        session.finish(&cx, &End::new(Timestamp::now(), Vec::new())).await?;
        done.map(drop)
    }

    fn update(
        &self,
        by: &str,
        name: &'static str,
        guard: Guard,
        change: impl FnOnce(&mut Value),
    ) -> Result<&'static str, Fault> {
        let updated = self.cluster().update(by, &self.id(name), |object| {
            change(object);
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("resourceVersion");
            }
            *object = self.guarded(object, name, guard);
        });
        updated.map(|_| name)
    }

    fn delete(&self, by: &str, name: &str, guard: Guard) -> Result<(), Fault> {
        let Some(uid) = guard.uid else { return self.cluster().delete(by, &self.id(name)) };
        let incarnation = self.history.uid(name, uid).into();
        let expect = match guard.version {
            None => Expect::Same(incarnation),
            Some(which) => {
                Expect::Exactly(Token { incarnation, version: self.history.version(name, which).into() })
            }
        };
        self.cluster().delete_if(by, &self.id(name), &expect)
    }

    fn watch(&mut self) -> Outcome {
        let Some(events) = self.cluster().events_since(self.seen) else {
            return Outcome::Odd("what is remembered is forgotten".to_owned());
        };
        self.seen = self.cluster().version();
        let told = events
            .iter()
            .map(|event| Told { word: event.word().to_owned(), object: (**event.object()).clone() });
        let told = told.collect();
        Outcome::Events(told, self.hints())
    }

    fn expire(&mut self) -> Outcome {
        self.cluster().expire_watches();
        if self.cluster().events_since(0).is_some() {
            return Outcome::Odd("what is forgotten is remembered".to_owned());
        }
        self.seen = self.cluster().version();
        let is_there = |id: &ResourceId| id.namespace.as_deref() == Some(NAMESPACE);
        let ids = self.cluster().ids();
        let listed = ids.iter().filter(|id| is_there(id)).filter_map(|id| self.cluster().get(id)).collect();
        Outcome::Expired(listed, self.hints())
    }

    fn hints(&mut self) -> Hints {
        let mut names = BTreeSet::new();
        while let Some(Some(dirty)) = self.hints.next().now_or_never() {
            match dirty {
                Dirty::Objects(ids) => names.extend(ids.into_iter().map(|id| id.name)),
                _ => return Hints::Everything,
            }
        }
        Hints::Objects(names)
    }

    fn cluster(&self) -> &MemoryCluster {
        self.target.cluster()
    }

    fn id(&self, name: &str) -> ResourceId {
        self.kind.id(NAMESPACE, name)
    }

    fn guarded(&self, object: &Value, name: &str, guard: Guard) -> Value {
        let mut object = object.clone();
        if let Some(which) = guard.version {
            object["metadata"]["resourceVersion"] = self.history.version(name, which).into();
        }
        if let Some(which) = guard.uid {
            object["metadata"]["uid"] = self.history.uid(name, which).into();
        }
        object
    }
}

fn outcome(fault: &Fault) -> Outcome {
    match (fault.source.downcast_ref::<ApplyError>(), fault.class) {
        (Some(ApplyError::Conflicts(all)), _) => {
            let one =
                |conflict: &gitops_diff::Conflict| (conflict.manager.clone(), conflict.path.to_string());
            Outcome::Conflict(all.iter().map(one).collect())
        }
        (_, Class::Precondition) => Outcome::Precondition,
        (_, Class::NotFound) => Outcome::NotFound,
        (_, Class::Invalid) => Outcome::Invalid,
        (_, Class::Denied) => Outcome::Denied,
        _ => Outcome::Odd(fault.to_string()),
    }
}
