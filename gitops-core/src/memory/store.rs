//! The objects of a cluster in memory, under the rules of an API server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use gitops_diff::{ApplyError, KnownLists, apply, update};
use serde_json::{Map, Value, json};

use super::kinds::{Kinds, Scope, defined_by};
use crate::{AppId, AppRecord, Class, Expect, Fault, ResourceId, Timestamp, Token};

/// Changes that a watch can still be told of one by one.
const LOG: usize = 2_000;

/// A change of one object.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) id: ResourceId,
    pub(super) manager: Option<String>,
    pub(super) before: Option<Arc<Value>>,
    pub(super) after: Option<Arc<Value>>,
}

/// What changes an object before it is stored.
pub(super) type Admission = Arc<dyn Fn(&mut Value) + Send + Sync>;

pub(super) struct Store {
    pub(super) objects: BTreeMap<ResourceId, Arc<Value>>,
    pub(super) kinds: Kinds,
    pub(super) records: BTreeMap<AppId, AppRecord>,
    pub(super) locks: BTreeSet<AppId>,
    pub(super) log: VecDeque<Change>,
    pub(super) version: u64,
    pub(super) watch_is_down: bool,
    pub(super) admission: Option<Admission>,
    next_uid: u64,
}

/// Who writes, when, and on which condition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write<'a> {
    pub(super) manager: &'a str,
    pub(super) at: Timestamp,
    pub(super) expect: Option<&'a Expect>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            kinds: Kinds::common(),
            records: BTreeMap::new(),
            locks: BTreeSet::new(),
            log: VecDeque::new(),
            version: 0,
            watch_is_down: false,
            admission: None,
            next_uid: 0,
        }
    }

    /// The canonical id of an object.
    pub(super) fn canonical(&self, object: &Value) -> Result<ResourceId, Fault> {
        let place = crate::Place::file(crate::RepoPath::root());
        let mut id = crate::Manifest::new(object.clone(), place).map_err(Fault::invalid)?.id;
        match self.kinds.scope(&id.group_kind()) {
            None => {
                Err(Fault::new(Class::NotFound, format!("the cluster has no kind {}", id.group_kind()))
                    .at(&id))
            }
            Some(Scope::Cluster) => {
                id.namespace = None;
                Ok(id)
            }
            Some(Scope::Namespaced) if id.namespace.is_none() => {
                Err(Fault::invalid("it needs a namespace").at(&id))
            }
            Some(Scope::Namespaced) => Ok(id),
        }
    }

    /// Server-side apply.
    pub(super) fn apply(
        &mut self,
        write: Write<'_>,
        config: &Value,
        force: bool,
    ) -> Result<(Arc<Value>, bool), Fault> {
        let id = self.canonical(config)?;
        self.check(&id, write.expect)?;
        let live = self.objects.get(&id).cloned();
        let applied =
            apply(live.as_deref(), config, write.manager, force, &KnownLists, &write.at.to_string())
                .map_err(|error| apply_fault(error, &id))?;
        if let (Some(live), false) = (&live, applied.changed) {
            return Ok((live.clone(), false));
        }
        let mut object = applied.object;
        if let Some(admission) = &self.admission {
            admission(&mut object);
        }
        if live.as_deref().is_some_and(|live| {
            content(live) == content(&object)
                && live["metadata"]["managedFields"] == object["metadata"]["managedFields"]
        }) {
            return Ok((live.unwrap_or_default(), false));
        }
        Ok((self.put(id, object, Some(write.manager))?, true))
    }

    /// An update: what is given replaces what is there.
    pub(super) fn update(&mut self, write: Write<'_>, object: &Value) -> Result<Arc<Value>, Fault> {
        let id = self.canonical(object)?;
        self.check(&id, write.expect)?;
        let live = self.objects.get(&id).cloned();
        let mut object = update(live.as_deref(), object, write.manager, &KnownLists, &write.at.to_string());
        if let Some(admission) = &self.admission {
            admission(&mut object);
        }
        match live {
            Some(live) if *live == object => Ok(live),
            _ => self.put(id, object, Some(write.manager)),
        }
    }

    /// Replaces an object, managed fields and all.
    pub(super) fn replace(&mut self, write: Write<'_>, object: Value) -> Result<Arc<Value>, Fault> {
        let id = self.canonical(&object)?;
        self.check(&id, write.expect)?;
        self.put(id, object, Some(write.manager))
    }

    /// Deletes an object; one with finalizers is only marked, and goes with the last of them.
    pub(super) fn delete(&mut self, write: Write<'_>, id: &ResourceId) -> Result<(), Fault> {
        self.check(id, write.expect)?;
        let Some(live) = self.objects.get(id).cloned() else {
            return Err(Fault::new(Class::NotFound, "it does not exist").at(id));
        };
        if live["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty()) {
            let mut object = (*live).clone();
            object["metadata"]["deletionTimestamp"] = json!(write.at.to_string());
            self.put(id.clone(), object, Some(write.manager))?;
            return Ok(());
        }
        self.remove(id, write.manager);
        Ok(())
    }

    fn remove(&mut self, id: &ResourceId, manager: &str) {
        let Some(before) = self.objects.remove(id) else { return };
        if let Some((kind, _)) = defined_by(&before) {
            self.remove_all(manager, |other| other.group_kind() == kind);
            self.kinds.remove(&kind);
        }
        if id.group.is_empty() && id.kind == "Namespace" {
            self.remove_all(manager, |other| other.namespace.as_ref() == Some(&id.name));
        }
        self.log(id.clone(), Some(manager), Some(before), None);
    }

    fn remove_all(&mut self, manager: &str, which: impl Fn(&ResourceId) -> bool) {
        let ids: Vec<ResourceId> = self.objects.keys().filter(|id| which(id)).cloned().collect();
        for id in ids {
            self.remove(&id, manager);
        }
    }

    fn put(&mut self, id: ResourceId, mut object: Value, manager: Option<&str>) -> Result<Arc<Value>, Fault> {
        if let Some(namespace) = &id.namespace
            && !self.objects.contains_key(&ResourceId::global("", "Namespace", namespace))
        {
            return Err(
                Fault::new(Class::NotFound, format!("namespace {namespace:?} does not exist")).at(&id)
            );
        }
        let before = self.objects.get(&id).cloned();
        let is_same_content = before.as_deref().is_some_and(|before| content(before) == content(&object));
        let metadata =
            metadata(&mut object).ok_or_else(|| Fault::invalid("metadata must be a mapping").at(&id))?;
        let old = |field: &str| before.as_deref().and_then(|before| before["metadata"].get(field).cloned());
        let uid = old("uid").unwrap_or_else(|| {
            self.next_uid += 1;
            json!(format!("00000000-0000-4000-8000-{:012x}", self.next_uid))
        });
        let generation = old("generation").and_then(|generation| generation.as_u64()).unwrap_or(0);
        metadata.insert("uid".into(), uid);
        metadata
            .insert("generation".into(), json!(if is_same_content { generation } else { generation + 1 }));
        metadata.insert("resourceVersion".into(), json!((self.version + 1).to_string()));
        if let Some(created) = old("creationTimestamp") {
            metadata.insert("creationTimestamp".into(), created);
        }
        let is_dying = metadata.contains_key("deletionTimestamp");
        let is_held = metadata
            .get("finalizers")
            .and_then(Value::as_array)
            .is_some_and(|finalizers| !finalizers.is_empty());
        let object = Arc::new(object);
        self.objects.insert(id.clone(), object.clone());
        if is_dying && !is_held {
            self.remove(&id, manager.unwrap_or_default());
            return Ok(object);
        }
        if let Some((kind, scope)) = defined_by(&object) {
            self.kinds.add(kind, scope);
        }
        self.log(id, manager, before, Some(object.clone()));
        Ok(object)
    }

    fn log(
        &mut self,
        id: ResourceId,
        manager: Option<&str>,
        before: Option<Arc<Value>>,
        after: Option<Arc<Value>>,
    ) {
        self.version += 1;
        self.log.push_back(Change {
            version: self.version,
            id,
            manager: manager.map(str::to_owned),
            before,
            after,
        });
        while self.log.len() > LOG {
            self.log.pop_front();
        }
    }

    fn check(&self, id: &ResourceId, expect: Option<&Expect>) -> Result<(), Fault> {
        let fail = |text: &str| Err(Fault::new(Class::Precondition, text.to_owned()).at(id));
        let live = self.objects.get(id).map(|live| token(live));
        match (expect, live) {
            (None, _) | (Some(Expect::Absent), None) => Ok(()),
            (Some(Expect::Absent), Some(_)) => fail("it exists by now"),
            (Some(_), None) => fail("it is gone by now"),
            (Some(Expect::Same(uid)), Some(live)) if *uid == live.incarnation => Ok(()),
            (Some(Expect::Exactly(token)), Some(live)) if *token == live => Ok(()),
            (Some(_), Some(_)) => fail("it changed meanwhile"),
        }
    }
}

/// Which object this is, and which state of it.
pub(super) fn token(object: &Value) -> Token {
    let text = |field: &str| -> Arc<str> { object["metadata"][field].as_str().unwrap_or_default().into() };
    Token { incarnation: text("uid"), version: text("resourceVersion") }
}

/// What counts for the generation: everything but metadata and status.
fn content(object: &Value) -> Map<String, Value> {
    let mut fields = object.as_object().cloned().unwrap_or_default();
    fields.remove("metadata");
    fields.remove("status");
    fields
}

fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.as_object_mut()?.entry("metadata").or_insert_with(|| json!({})).as_object_mut()
}

fn apply_fault(error: ApplyError, id: &ResourceId) -> Fault {
    let class = if matches!(error, ApplyError::Conflicts(_)) { Class::Precondition } else { Class::Invalid };
    Fault::new(class, error).at(id)
}
