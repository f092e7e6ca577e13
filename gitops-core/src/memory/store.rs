//! The objects of a cluster in memory, under the rules of an API server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use gitops_diff::{
    ApplyError, ManagedFields, TypeRef, WriteOptions, apply, drop_nulls, stored_secret, update,
};
use serde_json::{Map, Value, json};

use super::kinds::{Kinds, Scope, defined_by};
use super::rules::{self, has_finalizers, is_dying};
use crate::manifest::identify;
use crate::{AppId, AppRecord, Class, Expect, Fault, ResourceId, Timestamp, Token};

/// Changes that a watch can still be told of one by one.
const LOG: usize = 2_000;

/// A change of one object.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) id: ResourceId,
    pub(super) manager: String,
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

impl Write<'_> {
    fn options(&self) -> WriteOptions {
        // As an API server has it: what nobody owns (any more) is not followed again before somebody applies it.
        WriteOptions::new(self.manager).with_time(self.at.to_string()).with_before_first_apply(true)
    }
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
        let (mut id, _) = identify(object).map_err(Fault::invalid)?;
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
        let mut config = stored_secret(config).unwrap_or_else(|| config.clone());
        if self.kinds.has_status(&config) {
            rules::keep_status(None, &mut config);
        }
        // Nulls state nothing. What is null because it lost all it had counts as there until the owners are known; then a
        // real server decodes it into its types, which leaves it out.
        drop_nulls(&mut config);
        let options = write.options().with_force(force);
        let applied = apply(live.as_deref(), &config, &self.kinds, &options)
            .map_err(|error| apply_fault(error, &id))?;
        rules::check_stated(&id, live.as_deref(), &config)?;
        if let (Some(live), false) = (&live, applied.changed) {
            return Ok((live.clone(), false));
        }
        let mut object = applied.object.into_owned();
        drop_nulls(&mut object);
        rules::drop_zeros(&mut object, &self.kinds);
        if let Some(admission) = &self.admission {
            admission(&mut object);
        }
        if let Some(live) = live.filter(|live| is_same(live, &object)) {
            return Ok((live, false));
        }
        Ok((self.put(id, object, write)?, true))
    }

    /// An update: what is given replaces what is there.
    pub(super) fn update(&mut self, write: Write<'_>, object: &Value) -> Result<Arc<Value>, Fault> {
        let id = self.canonical(object)?;
        self.check(&id, write.expect)?;
        let live = self.objects.get(&id).cloned();
        if live.is_some() {
            rules::check_stated(&id, live.as_deref(), object)?;
        }
        let mut object = stored_secret(object).unwrap_or_else(|| object.clone());
        if self.kinds.has_status(&object) {
            rules::keep_status(live.as_deref(), &mut object);
        }
        self.follow(write, id, &object, &write.options())
    }

    /// A write of an object's status, and of nothing else.
    pub(super) fn update_status(
        &mut self,
        write: Write<'_>,
        id: &ResourceId,
        status: Value,
    ) -> Result<Arc<Value>, Fault> {
        let Some(live) = self.objects.get(id) else {
            return Err(Fault::new(Class::NotFound, "it does not exist").at(id));
        };
        let mut object = (**live).clone();
        if let Some(fields) = object.as_object_mut() {
            fields.insert("status".into(), status);
        }
        self.follow(write, id.clone(), &object, &write.options().with_subresource("status"))
    }

    /// Stores an object that replaces what is there, and follows who now owns what.
    fn follow(
        &mut self,
        write: Write<'_>,
        id: ResourceId,
        object: &Value,
        options: &WriteOptions,
    ) -> Result<Arc<Value>, Fault> {
        let live = self.objects.get(&id).cloned();
        let mut object = object.clone();
        rules::drop_zeros(&mut object, &self.kinds);
        if let Some(live) = &live {
            rules::keep_identity(live, &mut object);
        }
        let before = rules::with_blanks(live.as_deref(), &TypeRef::of(&object));
        let mut object = update(before.as_ref(), &object, &self.kinds, options)
            .map_err(|error| apply_fault(error, &id))?
            .object
            .into_owned();
        if let Some(admission) = &self.admission {
            admission(&mut object);
        }
        match live {
            Some(live) if is_same(&live, &object) => Ok(live),
            _ => self.put(id, object, write),
        }
    }

    /// Replaces an object, managed fields and all.
    pub(super) fn replace(&mut self, write: Write<'_>, object: Value) -> Result<Arc<Value>, Fault> {
        let id = self.canonical(&object)?;
        self.check(&id, write.expect)?;
        self.put(id, object, write)
    }

    /// Deletes an object; one with finalizers is only marked, and goes with the last of them. A namespace takes what is in
    /// it along, and goes with the last of that.
    pub(super) fn delete(&mut self, write: Write<'_>, id: &ResourceId) -> Result<(), Fault> {
        self.check(id, write.expect)?;
        let Some(live) = self.objects.get(id).cloned() else {
            return Err(Fault::new(Class::NotFound, "it does not exist").at(id));
        };
        let is_held = has_finalizers(&live) || (is_namespace(id) && !self.empty_namespace(&id.name, write));
        if !is_held {
            self.remove(id, write);
        } else if !is_dying(&live) {
            let mut object = (*live).clone();
            if let Some(metadata) = metadata(&mut object) {
                metadata.insert("deletionTimestamp".into(), json!(write.at.to_string()));
                metadata.insert("deletionGracePeriodSeconds".into(), json!(0));
            }
            self.put(id.clone(), object, write)?;
        }
        Ok(())
    }

    /// Deletes all that is in a namespace, and says whether nothing is left.
    fn empty_namespace(&mut self, name: &str, write: Write<'_>) -> bool {
        let inside = |id: &ResourceId| id.namespace.as_deref() == Some(name);
        let ids: Vec<ResourceId> = self.objects.keys().filter(|id| inside(id)).cloned().collect();
        for id in ids {
            // It exists, and no condition is put on it.
            let _ = self.delete(Write { expect: None, ..write }, &id);
        }
        !self.objects.keys().any(inside)
    }

    fn remove(&mut self, id: &ResourceId, write: Write<'_>) {
        let Some(before) = self.objects.remove(id) else { return };
        if let Some((kind, _)) = defined_by(&before) {
            let of_kind = |other: &&ResourceId| other.group_kind() == kind;
            let ids: Vec<ResourceId> = self.objects.keys().filter(of_kind).cloned().collect();
            for other in &ids {
                self.remove(other, write);
            }
            self.kinds.remove(&kind);
        }
        self.log(id.clone(), write.manager, Some(before), None);
        // The last of what a dying namespace holds takes it along.
        let Some(namespace) = id.namespace.as_ref().map(|name| ResourceId::global("", "Namespace", name))
        else {
            return;
        };
        let is_empty = !self.objects.keys().any(|other| other.namespace == id.namespace);
        if is_empty
            && self.objects.get(&namespace).is_some_and(|object| is_dying(object) && !has_finalizers(object))
        {
            self.remove(&namespace, write);
        }
    }

    fn put(&mut self, id: ResourceId, mut object: Value, write: Write<'_>) -> Result<Arc<Value>, Fault> {
        if let Some(name) = &id.namespace {
            let Some(namespace) = self.objects.get(&ResourceId::global("", "Namespace", name)) else {
                let text = format!("namespace {name:?} does not exist");
                return Err(Fault::new(Class::NotFound, text).at(&id));
            };
            if is_dying(namespace) && !self.objects.contains_key(&id) {
                let text = format!("namespace {name:?} is being deleted: nothing is created in it");
                return Err(Fault::new(Class::Denied, text).at(&id));
            }
        }
        let before = self.objects.get(&id).cloned();
        if let Some(before) = &before {
            rules::check_finalizers(&id, before, &object)?;
        }
        let generation = rules::generation(&id, before.as_deref(), &object);
        let metadata =
            metadata(&mut object).ok_or_else(|| Fault::invalid("metadata must be a mapping").at(&id))?;
        let old = |field: &str| before.as_deref().and_then(|before| before["metadata"].get(field).cloned());
        let uid = old("uid").unwrap_or_else(|| {
            self.next_uid += 1;
            json!(format!("00000000-0000-4000-8000-{:012x}", self.next_uid))
        });
        metadata.insert("uid".into(), uid);
        match generation {
            Some(generation) => metadata.insert("generation".into(), json!(generation)),
            None => metadata.remove("generation"),
        };
        metadata.insert("resourceVersion".into(), json!((self.version + 1).to_string()));
        let created = old("creationTimestamp").unwrap_or_else(|| json!(write.at.to_string()));
        metadata.insert("creationTimestamp".into(), created);
        let object = Arc::new(object);
        if before.is_some() && is_dying(&object) && !has_finalizers(&object) && !is_namespace(&id) {
            // What else this write changes is never stored.
            self.remove(&id, write);
            return Ok(object);
        }
        self.kinds.define(&object).map_err(|error| Fault::invalid(error).at(&id))?;
        self.objects.insert(id.clone(), object.clone());
        self.log(id, write.manager, before, Some(object.clone()));
        Ok(object)
    }

    fn log(&mut self, id: ResourceId, manager: &str, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        self.version += 1;
        self.log.push_back(Change { version: self.version, id, manager: manager.to_owned(), before, after });
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

fn is_namespace(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Namespace"
}

/// Whether storing an object would change nothing but the times of its managed fields: then it is not stored.
fn is_same(live: &Value, object: &Value) -> bool {
    let parts = |object: &Value| {
        let mut managed = ManagedFields::of(object).unwrap_or_default();
        managed.entries_mut().iter_mut().for_each(|entry| entry.time = None);
        let mut rest = object.clone();
        if let Some(metadata) = metadata(&mut rest) {
            metadata.remove("managedFields");
        }
        (managed, rest)
    };
    parts(live) == parts(object)
}

fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.as_object_mut()?.entry("metadata").or_insert_with(|| json!({})).as_object_mut()
}

fn apply_fault(error: ApplyError, id: &ResourceId) -> Fault {
    let class = if matches!(error, ApplyError::Conflicts(_)) { Class::Precondition } else { Class::Invalid };
    Fault::new(class, error).at(id)
}
