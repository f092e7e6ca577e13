//! A live object as planning sees it.

use std::sync::Arc;

use gitops_core::{AppId, Assessment, Clock, HealthRule, Live, ResourceId, Token, assess};
use gitops_diff::ManagedFields;
use serde_json::Value;

use crate::apply::{keeps, meta};
use crate::cache::{Cache, News, Seen, fingerprint, fingerprint_of_nobody};
use crate::membership::{manager, owner, part_of, proven_app};
use crate::order::{holds, is_precious, rank};

/// What judging an object takes.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) cache: Arc<Cache>,
    pub(crate) health: Vec<Arc<dyn HealthRule>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state_namespace: String,
}

impl View {
    fn assess(&self, object: &Value) -> Assessment {
        assess(&self.health, object, self.clock.now())
    }

    /// Which object this is, and which state of it.
    pub(crate) fn token(object: &Value) -> Token {
        Token { incarnation: meta(object, "uid"), version: meta(object, "resourceVersion") }
    }

    fn look(&self, object: &Value) -> Seen {
        let app = proven_app(object, &self.state_namespace);
        // Of an object that lost its proof, what its label says still tells whom to wake.
        let app = app.or_else(|| self.cache.by_label(part_of(object)?).map(|(app, _)| app));
        Seen {
            written: app.as_ref().map_or_else(|| "".into(), |app| written(object, app)),
            now: app.as_ref().map_or_else(|| fingerprint_of_nobody(object), |app| fingerprint(object, app)),
            app,
            token: Self::token(object),
            health: self.assess(object),
            terminating: is_terminating(object),
            keep: keeps(object),
        }
    }

    /// Takes note of an object that a watch showed. Answers with whether it is news, and for which applications: whose
    /// it is, and whose it was. Members of applications that this target does not serve leave no trace.
    pub(crate) fn see(&self, id: &ResourceId, object: &Value) -> (News, Vec<AppId>) {
        // Most events are the echo of our own writes, and most of a list that is read again has not changed.
        if self.cache.has_seen(id, &meta(object, "uid"), &meta(object, "resourceVersion")) {
            return (News::Nothing, Vec::new());
        }
        let seen = self.look(object);
        let Some(app) = seen.app.clone().filter(|app| self.cache.known(app).is_some()) else {
            let before = self.cache.gone(id).and_then(|seen| seen.app);
            return (
                if before.is_some() { News::Changed } else { News::Nothing },
                before.into_iter().collect(),
            );
        };
        let (news, before) = self.cache.see(id, seen);
        let before = before.and_then(|seen| seen.app).filter(|before| *before != app);
        (news, std::iter::once(app).chain(before).collect())
    }

    /// An object as planning sees it, from the object itself; takes note of it too. `desired` says that Git has it.
    pub(crate) fn live(&self, app: &AppId, id: &ResourceId, object: Value, desired: bool) -> Live {
        let seen = self.look(&object);
        let key = self.cache.known(app).and_then(|known| known.key);
        let mut live = Live::new(id.clone(), seen.token.clone());
        live.owner = owner(&object, id, app, &self.state_namespace, key.as_ref(), desired);
        live.health = seen.health.clone();
        let now = if seen.app.as_ref() == Some(app) { seen.now } else { fingerprint(&object, app) };
        live.memo = self.cache.memo(id, &seen.token.incarnation, now);
        live.keep = seen.keep;
        live.precious = is_precious(&id.group, &id.kind);
        live.holds = holds(id, &object);
        live.rank = rank(&id.group, &id.kind);
        live.terminating = seen.terminating;
        live.object = Some(Arc::new(object));
        // Objects of nobody are not watched: what is noted of them would grow old.
        if seen.app.is_some() {
            self.cache.see(id, seen);
        }
        live
    }

    /// An object as planning sees it, from memory: only if it is a member that is as our last apply left it.
    pub(crate) fn remembered(&self, app: &AppId, id: &ResourceId) -> Option<Live> {
        let seen = self.cache.seen(id).filter(|seen| seen.app.as_ref() == Some(app))?;
        let memo = self.cache.memo(id, &seen.token.incarnation, seen.now)?;
        if memo.applied != memo.now || seen.health.recheck_after.is_some() {
            return None;
        }
        let mut live = Live::new(id.clone(), seen.token);
        live.owner = gitops_core::Owner::This;
        live.health = seen.health;
        live.memo = Some(memo);
        live.keep = seen.keep;
        live.precious = is_precious(&id.group, &id.kind);
        live.rank = rank(&id.group, &id.kind);
        live.terminating = seen.terminating;
        Some(live)
    }
}

/// When an application last changed the fields that it owns, as the API server says, to the second.
pub(crate) fn written(object: &Value, app: &AppId) -> Arc<str> {
    let entry = ManagedFields::apply_entry(object, &manager(app));
    entry.and_then(|(_, entry)| entry.get("time")?.as_str()).unwrap_or_default().into()
}

pub(crate) fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// The id of an object of a kind, as the API server spells it.
pub(crate) fn id_of(group: &str, kind: &str, object: &Value) -> Option<ResourceId> {
    let text = |field: &str| object.get("metadata")?.get(field)?.as_str().filter(|text| !text.is_empty());
    Some(ResourceId {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: text("namespace").map(str::to_owned),
        name: text("name")?.to_owned(),
    })
}
