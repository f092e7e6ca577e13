//! What is remembered of live objects: enough to see drift, but not the objects.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gitops_core::{AppId, Assessment, Digest, Memo, Reach, ResourceId, Token};
use gitops_diff::schema::BuiltIn;
use gitops_diff::{Difference, FieldSet, Fingerprint, Glance};
use serde_json::Value;

use crate::membership::{Key, manager, set_id};

/// An object as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// Whose it is, if that is proven.
    pub(crate) app: Option<AppId>,
    pub(crate) token: Token,
    /// The fields that its application owns.
    pub(crate) now: Fingerprint,
    /// When its application last changed any of them, as the API server says, to the second.
    pub(crate) written: Arc<str>,
    pub(crate) health: Assessment,
    pub(crate) terminating: bool,
    pub(crate) keep: bool,
}

impl Seen {
    /// Whether nothing that matters differs: the version alone does not, nor does a health's message.
    fn says_the_same(&self, other: &Self) -> bool {
        self.app == other.app
            && self.token.incarnation == other.token.incarnation
            && self.now == other.now
            && (self.health.health, &self.health.reason) == (other.health.health, &other.health.reason)
            && self.health.recheck_after == other.health.recheck_after
            && (self.terminating, self.keep) == (other.terminating, other.keep)
    }
}

/// What our last apply of an object left.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Applied {
    pub(crate) incarnation: Arc<str>,
    pub(crate) desired: Digest,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) overruled: Vec<Difference>,
}

/// Ends of objects that are remembered; the oldest are forgotten. They are needed for as long as the answer to a write may
/// take, and no longer.
const MAX_ENDED: usize = 1024;

/// What is known of an application.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) key: Option<Key>,
    /// Shared: it has an entry for each kind and namespace, and is asked for with each object.
    pub(crate) reach: Arc<Reach>,
}

/// How an object that was seen relates to what was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// It is older than what is known, or says the same.
    Nothing,
    /// It was not known.
    New,
    /// It differs in something that matters.
    Changed,
}

#[derive(Debug, Default)]
struct State {
    seen: HashMap<ResourceId, Seen>,
    /// At which version an object was gone, or no longer a member.
    ended: VecDeque<(ResourceId, Token)>,
    applied: HashMap<ResourceId, Applied>,
    apps: HashMap<AppId, Known>,
    /// The application of a set id.
    sets: HashMap<String, AppId>,
}

impl State {
    /// Whether an object has ended since this state of it.
    fn is_past(&self, id: &ResourceId, token: &Token) -> bool {
        let ends = |(of, end): &(ResourceId, Token)| {
            of == id && end.incarnation == token.incarnation && !is_newer(&token.version, &end.version)
        };
        self.ended.iter().any(ends)
    }
}

/// Shared by the target, its sessions and its watches. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<State>);

impl Cache {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an object; says whether that is news, and what was known before.
    pub(crate) fn see(&self, id: &ResourceId, seen: Seen) -> (News, Option<Seen>) {
        let state = &mut *self.state();
        if !state.seen.contains_key(id) && state.is_past(id, &seen.token) {
            // The answer to a write comes after the event of its object's end.
            return (News::Nothing, None);
        }
        let Some(known) = state.seen.get_mut(id) else {
            state.seen.insert(id.clone(), seen);
            return (News::New, None);
        };
        // An answer to a write may overtake the event of an earlier one.
        if known.token.incarnation == seen.token.incarnation
            && !is_newer(&seen.token.version, &known.token.version)
        {
            return (News::Nothing, None);
        }
        let news = if known.says_the_same(&seen) { News::Nothing } else { News::Changed };
        (news, Some(std::mem::replace(known, seen)))
    }

    /// Takes note that an object is gone, or no longer a member; answers with what was known of it.
    pub(crate) fn gone(&self, id: &ResourceId) -> Option<Seen> {
        let state = &mut *self.state();
        state.applied.remove(id);
        state.seen.remove(id)
    }

    /// Takes note that an incarnation of an object was gone, or no longer a member, at a version; answers with what was known
    /// of it. What was seen later than that is left: the answer to a write may overtake a list, or the event of an earlier one.
    pub(crate) fn ended(&self, id: &ResourceId, end: Token) -> Option<Seen> {
        let state = &mut *self.state();
        let is_same = |incarnation: &str| *incarnation == *end.incarnation;
        let is_later =
            |seen: &Seen| is_same(&seen.token.incarnation) && comes_after(&seen.token.version, &end.version);
        if state.seen.get(id).is_some_and(is_later) {
            return None;
        }
        if state.applied.get(id).is_some_and(|applied| is_same(&applied.incarnation)) {
            state.applied.remove(id);
        }
        let known = state.seen.get(id).is_some_and(|seen| is_same(&seen.token.incarnation));
        state.ended.push_back((id.clone(), end));
        if state.ended.len() > MAX_ENDED {
            state.ended.pop_front();
        }
        known.then(|| state.seen.remove(id)).flatten()
    }

    /// Whether this very state of an object was seen already.
    pub(crate) fn has_seen(&self, id: &ResourceId, incarnation: &str, version: &str) -> bool {
        let state = self.state();
        let known = state.seen.get(id).map(|seen| &seen.token);
        known.is_some_and(|token| *token.incarnation == *incarnation && *token.version == *version)
    }

    pub(crate) fn seen(&self, id: &ResourceId) -> Option<Seen> {
        self.state().seen.get(id).cloned()
    }

    /// Ids that were seen in a kind and a namespace (all, if none is given).
    pub(crate) fn ids(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<ResourceId> {
        let within = |id: &&ResourceId| {
            id.group == group
                && id.kind == kind
                && (namespace.is_none() || id.namespace.as_deref() == namespace)
        };
        self.state().seen.keys().filter(within).cloned().collect()
    }

    /// Remembers what an apply left.
    pub(crate) fn applied(&self, id: &ResourceId, applied: Applied) {
        self.state().applied.insert(id.clone(), applied);
    }

    /// What is remembered of the last apply of this incarnation, with what its fields are `now`.
    pub(crate) fn memo(&self, id: &ResourceId, incarnation: &str, now: Fingerprint) -> Option<Arc<Memo>> {
        let state = self.state();
        let applied = state.applied.get(id).filter(|applied| *applied.incarnation == *incarnation)?;
        Some(Arc::new(Memo {
            desired: applied.desired,
            applied: applied.fingerprint,
            now,
            overruled: applied.overruled.clone(),
        }))
    }

    /// Forgets an object altogether.
    pub(crate) fn forget(&self, id: &ResourceId) {
        let state = &mut *self.state();
        state.seen.remove(id);
        state.applied.remove(id);
    }

    /// Takes note of an application's record.
    pub(crate) fn know(&self, app: &AppId, state_namespace: &str, key: Key, reach: Reach) {
        let state = &mut *self.state();
        state.sets.insert(set_id(app, state_namespace), app.clone());
        state.apps.insert(app.clone(), Known { key: Some(key), reach: Arc::new(reach) });
    }

    /// Forgets an application.
    pub(crate) fn forget_app(&self, app: &AppId) {
        let state = &mut *self.state();
        state.apps.remove(app);
        state.seen.retain(|_, seen| seen.app.as_ref() != Some(app));
        state.sets.retain(|_, of| of != app);
    }

    pub(crate) fn known(&self, app: &AppId) -> Option<Known> {
        self.state().apps.get(app).cloned()
    }

    /// The application whose label this is, and its key.
    pub(crate) fn by_label(&self, label: &str) -> Option<(AppId, Option<Key>)> {
        let state = self.state();
        let app = state.sets.get(label)?;
        Some((app.clone(), state.apps.get(app).and_then(|known| known.key.clone())))
    }
}

/// Versions count up within an API server's storage. Two that cannot be compared are taken as newer: a hint too many
/// costs a request, one too few a drift.
fn is_newer(version: &str, than: &str) -> bool {
    order(version, than).map_or(version != than, Ordering::is_gt)
}

/// The same, but that one of two that cannot be compared comes after the other is not said.
fn comes_after(version: &str, other: &str) -> bool {
    order(version, other).is_some_and(Ordering::is_gt)
}

fn order(version: &str, other: &str) -> Option<Ordering> {
    Some(version.parse::<u128>().ok()?.cmp(&other.parse().ok()?))
}

/// The hash of the fields that an application owns, at the version in which it wrote them. An object in which it owns
/// nothing (any more), or that was read at another version, hashes like no applied object.
pub(crate) fn fingerprint(object: &Value, app: &AppId) -> Fingerprint {
    let glance = Glance::of(object, &manager(app), &BuiltIn).ok();
    glance.and_then(|glance| glance.fingerprint).unwrap_or_else(|| fingerprint_of_nobody(object))
}

/// The hash of an object in which no application owns anything.
pub(crate) fn fingerprint_of_nobody(object: &Value) -> Fingerprint {
    FieldSet::new().fingerprint(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::tests::{app, member};
    use gitops_core::Health;
    use serde_json::json;

    fn seen(version: &str, object: &Value) -> Seen {
        Seen {
            app: Some(app("shop")),
            token: Token { incarnation: "u-1".into(), version: version.into() },
            now: fingerprint(object, &app("shop")),
            written: "".into(),
            health: Assessment::new(Health::Healthy),
            terminating: false,
            keep: false,
        }
    }

    #[test]
    fn only_what_matters_is_news() {
        let (cache, id) = (Cache::default(), ResourceId::namespaced("", "ConfigMap", "n", "a"));
        assert_eq!(cache.see(&id, seen("7", &member())).0, News::New);
        let mut foreign = member();
        foreign["metadata"]["annotations"] = json!({"somebody": "else"});
        foreign["data"]["other"] = "x".into();
        assert_eq!(cache.see(&id, seen("8", &foreign)).0, News::Nothing);
        let mut drifted = member();
        drifted["data"]["k"] = "hand".into();
        assert_eq!(cache.see(&id, seen("9", &drifted)).0, News::Changed);
        assert!(cache.has_seen(&id, "u-1", "9"));
        assert!(!cache.has_seen(&id, "u-1", "8") && !cache.has_seen(&id, "u-2", "9"));
        // An event of an earlier write comes late.
        assert_eq!(cache.see(&id, seen("8", &foreign)).0, News::Nothing);
        assert_eq!(cache.seen(&id).unwrap().token.version, "9".into());
        let end = |uid: &str| Token { incarnation: uid.into(), version: "9".into() };
        assert!(cache.ended(&id, end("another")).is_none());
        assert!(cache.ended(&id, end("u-1")).is_some() && cache.gone(&id).is_none());
    }

    #[test]
    fn what_was_seen_after_an_end_stays() {
        let (cache, id) = (Cache::default(), ResourceId::namespaced("", "ConfigMap", "n", "a"));
        let end = |version: &str| Token { incarnation: "u-1".into(), version: version.into() };
        let now = fingerprint(&member(), &app("shop"));
        let create = |version: &str| {
            cache.applied(
                &id,
                Applied {
                    incarnation: "u-1".into(),
                    desired: Digest::of(b"x"),
                    fingerprint: now,
                    overruled: vec![],
                },
            );
            cache.see(&id, seen(version, &member()));
        };
        // A list of before it was created is read after that.
        create("10");
        assert!(cache.ended(&id, end("9")).is_none());
        assert!(cache.has_seen(&id, "u-1", "10") && cache.memo(&id, "u-1", now).is_some());
        // It ends after all; and where versions do not count, it is taken for that.
        for (version, next) in [("10", "11"), ("12", "13"), ("opaque", "14")] {
            assert!(cache.ended(&id, end(version)).is_some(), "{version}");
            assert!(cache.memo(&id, "u-1", now).is_none());
            create(next);
        }
    }

    #[test]
    fn ends_are_not_remembered_for_ever() {
        let cache = Cache::default();
        for n in 0..2 * MAX_ENDED {
            let id = ResourceId::namespaced("", "ConfigMap", "n", n.to_string());
            cache.ended(&id, Token { incarnation: "u-1".into(), version: "9".into() });
        }
        assert_eq!(cache.state().ended.len(), MAX_ENDED);
    }

    #[test]
    fn lost_ownership_is_another_fingerprint() {
        let before = fingerprint(&member(), &app("shop"));
        let mut cleared = member();
        cleared["metadata"]["managedFields"] = json!([]);
        assert_ne!(fingerprint(&cleared, &app("shop")), before);
        let mut less = member();
        less["metadata"]["managedFields"][0]["fieldsV1"]["f:data"] = json!({});
        assert_ne!(fingerprint(&less, &app("shop")), before);
        let mut version = member();
        version["apiVersion"] = "v2".into();
        assert_ne!(fingerprint(&version, &app("shop")), before);
    }

    #[test]
    fn a_memo_is_of_one_incarnation() {
        let (cache, id) = (Cache::default(), ResourceId::namespaced("", "ConfigMap", "n", "a"));
        let now = fingerprint(&member(), &app("shop"));
        let applied = Applied {
            incarnation: "u-1".into(),
            desired: Digest::of(b"x"),
            fingerprint: now,
            overruled: vec![],
        };
        cache.applied(&id, applied);
        assert!(cache.memo(&id, "u-1", now).is_some() && cache.memo(&id, "u-2", now).is_none());
    }
}
