//! One application's time of writing.

use std::sync::Arc;

use async_trait::async_trait;
use gitops_core::{
    Action, AppId, Class, Cx, Done, End, Expect, Fault, Live, Owner, Placed, ResourceId, Session, Step,
};
use gitops_diff::{Difference, FieldPath, FieldSet};
use serde_json::Value;

use crate::apply::{apply, apply_body, delete, release, release_patch, take_over_patch, wait_established};
use crate::cache::{Applied, Seen, fingerprint};
use crate::compare::{Context, overruled};
use crate::discovery::Served;
use crate::error::KubeError;
use crate::lock::Held;
use crate::membership::{Key, applied_fields, manager};
use crate::place::is_definition;
use crate::rest::{Answer, Call};
use crate::shared::Shared;
use crate::view::{View, written};

/// A session over one cluster. Dropped without an end, its lock runs out (or is taken again by this process), and the
/// recorded reach stays wide.
#[derive(Debug)]
pub(crate) struct KubeSession {
    shared: Arc<Shared>,
    app: AppId,
    held: Held,
}

impl KubeSession {
    pub(crate) fn new(shared: Arc<Shared>, app: AppId, held: Held) -> Self {
        Self { shared, app, held }
    }

    async fn served(&self, cx: &Cx, id: &ResourceId, version: Option<&str>) -> Result<Served, Fault> {
        let (rest, kind) = (&self.shared.rest, id.group_kind());
        let find = |found: &crate::discovery::Discovered| match version {
            Some(version) => found.find(&kind, version).cloned(),
            None => found.versions(&kind).first().cloned(),
        };
        if let Some(served) = find(&*self.shared.discovery.get(cx, rest).await?) {
            return Ok(served);
        }
        find(&*self.shared.discovery.refresh(cx, rest).await?).ok_or_else(|| {
            let version = version.map(|version| format!(" in {version}")).unwrap_or_default();
            KubeError::UnknownKind(format!("the cluster does not serve {kind}{version}"))
                .fault(Class::NotFound)
                .at(format!("{id:#}"))
        })
    }

    async fn put(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let desired = step.desired.as_deref().ok_or_else(|| {
            Fault::new(Class::Bug, format!("a step to {} has nothing to apply", step.action))
                .at(format!("{:#}", step.id))
        })?;
        if let Some(why) = &desired.unresolved {
            return Err(why.to_fault().at(format!("{:#}", step.id)));
        }
        let (shared, id) = (&self.shared, &step.id);
        let served = self.served(cx, id, Some(&desired.manifest.version)).await?;
        let before = shared.view.cache.seen(id);
        let key = self.held.stored.lock().await.key.clone();
        let taken = match step.action {
            Action::Adopt => Some(self.take_over(cx, &served, step).await?),
            _ => None,
        };
        let step = taken.as_ref().unwrap_or(step);
        let answer = match self.send(cx, &served, step, desired, &key).await {
            Ok(answer) => answer,
            // An update of what is gone: the precondition did not hold. (A creation misses its namespace instead.)
            Err(fault) if fault.class == Class::NotFound && step.expect != Expect::Absent => {
                return Err(Fault { class: Class::Precondition, ..fault });
            }
            Err(fault) => return Err(fault),
        };
        let wrote = answer.code == 201 || self.wrote(&step.expect, before.as_ref(), &answer.body);
        let overruled = self.remember(desired, &key, &answer.body);
        let mut object = answer.body;
        if is_definition(id) {
            object = wait_established(cx, &shared.rest, &shared.discovery, &served, object, id).await?;
            shared.schemas.forget();
        }
        let mut done = Done::new(Some(shared.view.live(&self.app, id, object, true)), wrote);
        done.overruled = overruled;
        done.notes = answer.warnings;
        Ok(done)
    }

    /// Releases an object that is adopted from the applications that had it: the step to go on with. Who stops here leaves
    /// an object that bears the old label without a proof, and is adopted by the same step.
    async fn take_over(&self, cx: &Cx, served: &Served, step: &Step) -> Result<Step, Fault> {
        let (shared, id) = (&self.shared, &step.id);
        let changed =
            || Fault::new(Class::Precondition, "it is not the object that was seen").at(format!("{id:#}"));
        let live = self.look(cx, served, id).await?.ok_or_else(changed)?;
        if !is_as_seen(&step.expect, &live) {
            return Err(changed());
        }
        let mut step = step.clone();
        if let Some(patch) = live.object.as_deref().and_then(|object| take_over_patch(object, &self.app)) {
            let released = release(cx, &shared.rest, served, id, &self.app, &patch).await?;
            step.expect = Expect::Exactly(View::token(&released));
        }
        Ok(step)
    }

    /// Applies, with the fields that are left to others as they are.
    async fn send(
        &self,
        cx: &Cx,
        served: &Served,
        step: &Step,
        desired: &Placed,
        key: &Key,
    ) -> Result<Answer, Fault> {
        let (shared, id) = (&self.shared, &step.id);
        let left = &desired.left;
        let mut attempts = 5;
        loop {
            let body = if step.action == Action::Update && !left.is_empty() {
                self.keeping(cx, served, step, desired, key).await?
            } else {
                apply_body(desired, &self.app, &shared.records.namespace, key, &step.expect)
            };
            attempts -= 1;
            match apply(cx, &shared.rest, served, id, &self.app, &body).await {
                // A controller wrote to the object between our read and our write: not what the step is about.
                Err(fault) if fault.class == Class::Precondition && !left.is_empty() && attempts > 0 => {}
                other => return other,
            }
        }
    }

    /// What to send where some fields are left to others. Those of them that are still ours, because nobody else has
    /// written them since we created the object, are sent as they are: an apply that leaves them out would remove them.
    async fn keeping(
        &self,
        cx: &Cx,
        served: &Served,
        step: &Step,
        desired: &Placed,
        key: &Key,
    ) -> Result<Value, Fault> {
        let (id, changed) =
            (&step.id, || Fault::new(Class::Precondition, "it is not the object that was seen"));
        let live = self.look(cx, served, id).await?.ok_or_else(|| changed().at(format!("{id:#}")))?;
        let expected = is_as_seen(&step.expect, &live);
        let Some(object) = live.object.as_deref().filter(|_| expected) else {
            return Err(changed().at(format!("{id:#}")));
        };
        let left = &desired.left;
        let owned = applied_fields(object, &manager(&self.app))
            .and_then(|fields| FieldSet::from_fields_v1(fields).ok())
            .unwrap_or_default();
        let ours = |path: &&FieldPath| owned.touches(path) && path.get(object).is_some();
        // Exactly this state: what is sent of it must not undo what somebody writes meanwhile.
        let exactly = Expect::Exactly(live.token.clone());
        let expect = if left.iter().any(|path| ours(&path)) { &exactly } else { &step.expect };
        let mut body = apply_body(desired, &self.app, &self.shared.records.namespace, key, expect);
        for path in left.iter().filter(ours) {
            if let Some(value) = path.get(object) {
                path.set(&mut body, value.clone());
            }
        }
        Ok(body)
    }

    /// Whether an apply changed anything. One that does not leaves the version as it is; but controllers write to an
    /// object too, so that another version alone says little.
    fn wrote(&self, expect: &Expect, before: Option<&Seen>, answer: &Value) -> bool {
        let after = View::token(answer);
        match (expect, before) {
            (Expect::Exactly(token), _) => *token != after,
            (Expect::Same(_), Some(before)) if before.app.as_ref() == Some(&self.app) => {
                before.token != after
                    && (before.now != fingerprint(answer, &self.app)
                        || before.written != written(answer, &self.app))
            }
            _ => true,
        }
    }

    /// Compares the answer with what was sent, once, and remembers the fingerprint.
    fn remember(&self, desired: &Placed, key: &Key, object: &Value) -> Vec<Difference> {
        let context = Context {
            app: Some(self.app.clone()),
            key: Some(key.clone()),
            redaction: self.shared.redaction.clone(),
            schema: self.shared.schemas.known(),
        };
        let overruled = overruled(&desired.manifest.object(), object, &context);
        let applied = Applied {
            incarnation: View::token(object).incarnation,
            desired: desired.digest,
            fingerprint: fingerprint(object, &self.app),
            overruled: overruled.clone(),
        };
        self.shared.view.cache.applied(&desired.id, applied);
        overruled
    }

    async fn prune(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let (shared, id) = (&self.shared, &step.id);
        let served = self.served(cx, id, None).await?;
        let token = match &step.expect {
            Expect::Exactly(token) => token.clone(),
            // Not enough to delete by: look again whose it is, and delete exactly what was looked at.
            expect => {
                let Some(live) = self.look(cx, &served, id).await? else { return Ok(Done::new(None, false)) };
                deletable(expect, &live)?;
                live.token
            }
        };
        let gone =
            delete(cx, &shared.rest, &served, id, &token.incarnation, &token.version, shared.foreground)
                .await;
        match gone {
            Ok(Some(object)) => Ok(Done::new(Some(shared.view.live(&self.app, id, object, false)), true)),
            Ok(None) => {
                shared.view.cache.forget(id);
                Ok(Done::new(None, true))
            }
            Err(fault) if fault.class == Class::NotFound => {
                shared.view.cache.forget(id);
                Ok(Done::new(None, false))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn look(&self, cx: &Cx, served: &Served, id: &ResourceId) -> Result<Option<Live>, Fault> {
        match self.shared.rest.send(cx, Call::get(served.object(id), format!("{id:#}"))).await {
            Ok(answer) => Ok(Some(self.shared.view.live(&self.app, id, answer.body, false))),
            Err(fault) if fault.class == Class::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn release(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let (shared, id) = (&self.shared, &step.id);
        let served = self.served(cx, id, None).await?;
        let Some(live) = self.look(cx, &served, id).await? else {
            shared.view.cache.forget(id);
            return Ok(Done::new(None, false));
        };
        let expected = is_as_seen(&step.expect, &live);
        if !expected {
            return Err(
                Fault::new(Class::Precondition, "it is not the object that was seen").at(format!("{id:#}"))
            );
        }
        let Some(object) = live.object.as_deref().filter(|_| live.owner == Owner::This) else {
            return Ok(Done::new(Some(live), false));
        };
        let released =
            release(cx, &shared.rest, &served, id, &self.app, &release_patch(object, &self.app)).await?;
        shared.view.cache.forget(id);
        Ok(Done::new(Some(shared.view.live(&self.app, id, released, false)), true))
    }
}

/// Whether a live object is the one, in the state, that a step expects.
fn is_as_seen(expect: &Expect, live: &Live) -> bool {
    match expect {
        Expect::Same(uid) => *uid == live.token.incarnation,
        Expect::Exactly(token) => *token == live.token,
        _ => false,
    }
}

/// Whether a member may be deleted that was only named by its incarnation.
fn deletable(expect: &Expect, live: &Live) -> Result<(), Fault> {
    let precondition =
        |why: &str| Fault::new(Class::Precondition, why.to_owned()).at(format!("{:#}", live.id));
    match expect {
        Expect::Same(uid) if *uid == live.token.incarnation => {}
        _ => return Err(precondition("it is another incarnation than the one that was seen")),
    }
    if live.owner != Owner::This {
        return Err(precondition("it is not (any more) a member of the application"));
    }
    if live.keep {
        return Err(precondition("it is marked to stay"));
    }
    Ok(())
}

#[async_trait]
impl Session for KubeSession {
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault> {
        self.shared.locks.still_ours(&*self.held.stored.lock().await)?;
        match step.action {
            Action::Create | Action::Update | Action::Adopt => self.put(cx, step).await,
            Action::Prune => self.prune(cx, step).await,
            Action::Release => self.release(cx, step).await,
            _ => Err(Fault::new(Class::Unsupported, format!("a Kubernetes target cannot {}", step.action))),
        }
    }

    async fn finish(self: Box<Self>, cx: &Cx, end: &End) -> Result<(), Fault> {
        let (shared, app) = (&self.shared, &self.app);
        let mut stored = self.held.stored.lock().await;
        if end.forget {
            shared.locks.still_ours(&stored)?;
            // The record may have been touched by somebody else; what counts is that the lock is still ours.
            shared.locks.update(cx, &shared.records, &mut stored, |_| {}).await?;
            shared.records.delete(cx, &stored).await?;
            shared.view.cache.forget_app(app);
            shared.hub.reach_changed(shared);
            return Ok(());
        }
        shared
            .locks
            .update(cx, &shared.records, &mut stored, |stored| {
                stored.lock = None;
                stored.record.end(end);
            })
            .await?;
        shared.view.cache.know(
            app,
            &shared.records.namespace,
            stored.key.clone(),
            stored.record.reach.clone(),
        );
        shared.locks.leave(stored.clone());
        shared.hub.reach_changed(shared);
        Ok(())
    }
}
