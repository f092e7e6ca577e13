//! One application's time of writing to a cluster in memory.

use async_trait::async_trait;
use gitops_diff::schema::BuiltIn;
use gitops_diff::{DiffOptions, ManagedFields, Operation as FieldOperation, compare};
use serde_json::{Value, json};

use super::faults::{Effect, Operation};
use super::membership::{LABEL, keeps, manager, owner};
use super::store::Write;
use super::target::MemoryTarget;
use crate::ownership::keep_left;
use crate::{
    Action, AppId, AppRecord, Class, Cx, Done, End, Expect, Fault, Intent, Owner, Placed, Session, Step,
    Timestamp,
};

pub(super) struct MemorySession {
    target: MemoryTarget,
    app: AppId,
    lock: Lock,
}

/// The application's lock; free again when dropped.
struct Lock {
    target: MemoryTarget,
    app: AppId,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.target.cluster.store().locks.remove(&self.app);
    }
}

impl MemorySession {
    pub(super) async fn begin(
        target: MemoryTarget,
        cx: &Cx,
        app: &AppId,
        intent: &Intent,
    ) -> Result<Box<dyn Session>, Fault> {
        let late = target.request(cx, |faults| faults.hit_any(Operation::Record), app).await?;
        let lock = {
            let mut store = target.cluster.store();
            if let Some(record) = store.records.get(app)
                && record.source != intent.source
            {
                let text =
                    format!("the application belongs to the source {}; remove it there first", record.source);
                return Err(Fault::new(Class::Denied, text).at(app));
            }
            if !store.locks.insert(app.clone()) {
                return Err(Fault::retry("another session writes for this application").at(app));
            }
            let record = store.records.entry(app.clone()).or_insert_with(|| AppRecord::new(&*intent.source));
            record.begin(intent);
            Lock { target: target.clone(), app: app.clone() }
        };
        after_write(cx, late, app.as_str()).await?;
        Ok(Box::new(Self { target, app: app.clone(), lock }))
    }

    /// What is applied: the manifest, with the mark of membership, and as they are the fields that are left to others
    /// and are still ours: not to state them would remove them.
    fn config(&self, placed: &Placed) -> Result<Value, Fault> {
        let mut config = placed.manifest.object();
        if !placed.left.is_empty()
            && let Some(live) = self.target.cluster.store().objects.get(&placed.id)
        {
            keep_left(&mut config, live, &manager(&self.app), &placed.left);
        }
        let labels = config
            .get_mut("metadata")
            .and_then(Value::as_object_mut)
            .map(|metadata| metadata.entry("labels").or_insert(Value::Null));
        match labels {
            Some(Value::Object(labels)) => {
                labels.insert(LABEL.to_owned(), json!(self.app.as_str()));
            }
            Some(labels @ Value::Null) => *labels = json!({ LABEL: self.app.as_str() }),
            _ => return Err(Fault::invalid("metadata.labels must be a mapping").at(&placed.id)),
        }
        Ok(config)
    }

    fn apply(&self, step: &Step, at: Timestamp) -> Result<Done, Fault> {
        let Some(placed) = &step.desired else {
            return Err(Fault::new(Class::Bug, "a step that applies, without anything to apply").at(&step.id));
        };
        let manager = manager(&self.app);
        let write = Write { manager: &manager, at, expect: Some(&step.expect) };
        let config = self.config(placed)?;
        let (object, changed) = self.target.cluster.write(|store, _| store.apply(write, &config, true))?;
        let overruled = compare(&placed.manifest.object(), &object, &BuiltIn, &DiffOptions::default());
        self.target.memos().remember(&self.app, placed, &object, overruled.clone());
        let mut done = Done::new(self.target.live_of(&self.app, &step.id), changed);
        done.overruled = overruled;
        Ok(done)
    }

    fn delete(&self, step: &Step, at: Timestamp) -> Result<Done, Fault> {
        let manager = manager(&self.app);
        let write = Write { manager: &manager, at, expect: Some(&step.expect) };
        self.target.cluster.write(|store, _| {
            // Whoever names a state has seen whose the object is; whoever names an incarnation has not.
            if let (Expect::Same(_), Some(object)) = (&step.expect, store.objects.get(&step.id)) {
                deletable(object, &self.app).map_err(|fault| fault.at(&step.id))?;
            }
            store.delete(write, &step.id)
        })?;
        self.target.memos().forget(&self.app, &step.id);
        Ok(Done::new(self.target.live_of(&self.app, &step.id), true))
    }

    /// Takes our mark and our entry of field ownership off, and nothing else.
    fn release(&self, step: &Step, at: Timestamp) -> Result<Done, Fault> {
        let manager = manager(&self.app);
        let write = Write { manager: &manager, at, expect: Some(&step.expect) };
        self.target.memos().forget(&self.app, &step.id);
        self.target.cluster.write(|store, _| {
            let Some(live) = store.objects.get(&step.id) else {
                return Err(Fault::new(Class::Precondition, "it is gone by now").at(&step.id));
            };
            let mut object = (**live).clone();
            if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
                labels.remove(LABEL);
            }
            let mut fields =
                ManagedFields::of(&object).map_err(|error| Fault::invalid(error).at(&step.id))?;
            fields
                .entries_mut()
                .retain(|entry| entry.manager != manager || entry.operation != FieldOperation::Apply);
            fields.write_to(&mut object);
            store.replace(write, object)
        })?;
        Ok(Done::new(None, true))
    }
}

/// Whether an object may be deleted of which only the incarnation was named.
fn deletable(object: &Value, app: &AppId) -> Result<(), Fault> {
    let precondition = |why: &str| Err(Fault::new(Class::Precondition, why.to_owned()));
    if owner(object, app, false) != Owner::This {
        return precondition("it is not (any more) a member of the application");
    }
    if keeps(object) {
        return precondition("it is marked to stay");
    }
    Ok(())
}

/// What was ordered for the time after a write.
async fn after_write(cx: &Cx, effect: Option<Effect>, at: &str) -> Result<(), Fault> {
    match effect {
        Some(Effect::CrashAfter) => cx
            .bound("a write", std::future::pending())
            .await
            .map_err(|fault| Fault::new(Class::OutcomeUnknown, fault).at(at)),
        Some(Effect::TimeOutAfter) => Err(Fault::new(Class::OutcomeUnknown, "no answer").at(at)),
        _ => Ok(()),
    }
}

#[async_trait]
impl Session for MemorySession {
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let operation = if step.action == Action::Prune { Operation::Delete } else { Operation::Apply };
        let late = self.target.request(cx, |faults| faults.hit(operation, &step.id), &step.id).await?;
        let at = self.target.cluster.inner.clock.now();
        let done = match step.action {
            Action::Create | Action::Update | Action::Adopt => self.apply(step, at)?,
            Action::Prune => self.delete(step, at)?,
            Action::Release => self.release(step, at)?,
        };
        after_write(cx, late, &step.id.to_string()).await?;
        Ok(done)
    }

    async fn finish(self: Box<Self>, cx: &Cx, end: &End) -> Result<(), Fault> {
        let late = self.target.request(cx, |faults| faults.hit_any(Operation::Record), &self.app).await?;
        {
            let mut store = self.target.cluster.store();
            if end.forget {
                store.records.remove(&self.app);
            } else if let Some(record) = store.records.get_mut(&self.app) {
                record.end(end);
            }
        }
        after_write(cx, late, self.app.as_str()).await?;
        drop(self.lock);
        Ok(())
    }
}
