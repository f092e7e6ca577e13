//! Deploying to a cluster in memory.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gitops_diff::stored_secret;

use super::cluster::MemoryCluster;
use super::faults::{Effect, Operation};
use super::kinds::{Scope, defined_by};
use super::membership::{Memos, live, manager, rank};
use super::session::MemorySession;
use super::watch;
use crate::ownership::{FieldOwner, compare_owned};
use crate::{
    AppId, AppRecord, Capabilities, Class, Comparison, Cx, Dirty, Events, Fault, FaultNote, GroupKind,
    HealthRule, IgnoreRules, Intent, Live, Manifest, Observation, Observe, Placed, ResourceId, Session,
    Target, Unseen,
};

/// Deploys applications to a [`MemoryCluster`]. Clones share what they remember.
#[derive(Clone)]
pub struct MemoryTarget {
    pub(super) cluster: MemoryCluster,
    pub(super) memos: Arc<Mutex<Memos>>,
    pub(super) rules: Arc<[Arc<dyn HealthRule>]>,
}

impl MemoryTarget {
    /// A target in front of a cluster, in which every object that exists is healthy.
    pub fn new(cluster: MemoryCluster) -> Self {
        Self { cluster, memos: Arc::default(), rules: Arc::new([]) }
    }

    /// Adds a rule for the health of objects; earlier rules come first.
    #[must_use]
    pub fn with_health_rule(mut self, rule: impl HealthRule + 'static) -> Self {
        self.rules = self.rules.iter().cloned().chain([Arc::new(rule) as Arc<dyn HealthRule>]).collect();
        self
    }

    /// The cluster.
    pub fn cluster(&self) -> &MemoryCluster {
        &self.cluster
    }

    /// Counts a request, and does to it what was ordered. An effect that comes after the write is returned.
    pub(super) async fn request(
        &self,
        cx: &Cx,
        hit: impl FnOnce(&super::Faults) -> Option<Effect> + Send,
        at: &(dyn fmt::Display + Sync),
    ) -> Result<Option<Effect>, Fault> {
        cx.check()?;
        cx.count_request();
        self.cluster.inner.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // A real cluster is somewhere else: every request is a chance for other tasks to run.
        tokio::task::yield_now().await;
        let effect = hit(self.cluster.faults());
        match effect {
            None | Some(Effect::TimeOutAfter | Effect::CrashAfter) => Ok(effect),
            Some(Effect::Deny) => Err(Fault::new(Class::Denied, "forbidden").at(at)),
            Some(Effect::Throttle(after)) => {
                Err(Fault::new(Class::Retry { after: Some(after) }, "too many requests").at(at))
            }
            Some(Effect::Conflict) => {
                Err(Fault::new(Class::Precondition, "the object changed meanwhile").at(at))
            }
            Some(Effect::TimeOut) => Err(Fault::new(Class::OutcomeUnknown, "no answer").at(at)),
            Some(Effect::CrashBefore) => cx.bound("a request", std::future::pending()).await?,
        }
    }

    pub(super) fn memos(&self) -> std::sync::MutexGuard<'_, Memos> {
        self.memos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn live_of(&self, app: &AppId, id: &ResourceId) -> Option<Live> {
        let now = self.cluster.inner.clock.now();
        let object = self.cluster.store().objects.get(id)?.clone();
        Some(live(id, &object, app, &self.memos(), &self.rules, now, true))
    }

    /// Kinds that cannot be read now.
    async fn unreadable(&self, cx: &Cx, kinds: BTreeSet<GroupKind>) -> Result<Vec<Unseen>, Fault> {
        let mut unseen = Vec::new();
        for kind in kinds {
            let answer = self.request(cx, |faults| faults.hit_kind(Operation::Read, &kind), &kind).await;
            let answer = match answer {
                Ok(Some(Effect::CrashAfter)) => cx.bound("a request", std::future::pending()).await,
                other => other,
            };
            match answer {
                Ok(None) => {}
                // Reading changes nothing: an answer that was lost is only a lost answer.
                Ok(Some(_)) => unseen.push(unanswered(kind)),
                Err(fault) if fault.class == Class::OutcomeUnknown => unseen.push(unanswered(kind)),
                // Nobody waits for the answer any more.
                Err(fault) if fault.class == Class::Cancelled => return Err(fault),
                Err(fault) => unseen.push(Unseen { kind, namespace: None, fault: fault.note() }),
            }
        }
        Ok(unseen)
    }
}

fn unanswered(kind: GroupKind) -> Unseen {
    let mut fault = FaultNote::new(Class::RETRY, "no answer");
    fault.at = Some(kind.to_string());
    Unseen { kind, namespace: None, fault }
}

impl fmt::Debug for MemoryTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTarget").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

#[async_trait]
impl Target for MemoryTarget {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_watches()
    }

    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault> {
        cx.check()?;
        let store = self.cluster.store();
        let defined: Vec<(GroupKind, Scope, ResourceId)> = set
            .iter()
            .filter(|manifest| manifest.id.kind == "CustomResourceDefinition")
            .filter_map(|manifest| {
                let (kind, scope) = defined_by(&manifest.object())?;
                Some((kind, scope, ResourceId { namespace: None, ..manifest.id.clone() }))
            })
            .collect();
        let mut placed = Vec::with_capacity(set.len());
        for manifest in set {
            let kind = manifest.id.group_kind();
            let definition = defined.iter().find(|(defined, _, _)| *defined == kind);
            let scope = definition.map(|(_, scope, _)| *scope).or_else(|| store.kinds.scope(&kind));
            let mut id = manifest.id.clone();
            let mut requires: Vec<ResourceId> = definition.map(|(_, _, id)| id.clone()).into_iter().collect();
            let unresolved = match (scope, &id.namespace) {
                (None, _) => Some(format!("the cluster has no kind {kind}")),
                (Some(Scope::Namespaced), None) => Some("it needs a namespace".to_owned()),
                (Some(Scope::Namespaced), Some(namespace)) => {
                    requires.push(ResourceId::global("", "Namespace", namespace));
                    None
                }
                (Some(Scope::Cluster), _) => {
                    id.namespace = None;
                    None
                }
            };
            let object = manifest.object();
            let (rank, stored) = (rank(&id, &object), stored_secret(&object));
            let mut one = Placed::new(manifest).with_id(id).with_rank(rank).with_requires(requires);
            if let Some(stored) = stored {
                one = one.with_object(&stored);
            }
            placed.push(match unresolved {
                Some(why) => one.with_unresolved(FaultNote::new(Class::NotFound, why)),
                None => one,
            });
        }
        Ok(placed)
    }

    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        cx.check()?;
        let (ids, all) = match what {
            Observe::Everything { also } => (also.clone(), true),
            Observe::Objects(ids) | Observe::Anew(ids) => (ids.clone(), false),
        };
        let mut kinds: BTreeSet<GroupKind> = ids.iter().map(ResourceId::group_kind).collect();
        if all {
            let store = self.cluster.store();
            let reach = store.records.get(app).map(|record| &record.reach.0);
            kinds.extend(reach.into_iter().flatten().map(|entry| GroupKind::new(&entry.group, &entry.kind)));
        }
        let unseen = self.unreadable(cx, kinds.clone()).await?;
        let now = self.cluster.inner.clock.now();
        let (mut memos, store) = (self.memos(), self.cluster.store());
        if all {
            memos.retain(app, |id| store.objects.contains_key(id));
        }
        let wanted: BTreeSet<&ResourceId> = ids.iter().collect();
        let mut observed = Observation { unseen, ..Observation::default() };
        for (id, object) in &store.objects {
            if !kinds.contains(&id.group_kind()) || observed.unseen.iter().any(|unseen| unseen.covers(id)) {
                continue;
            }
            let is_wanted = wanted.contains(id);
            let one = live(id, object, app, &memos, &self.rules, now, is_wanted);
            if is_wanted || (all && one.owner == crate::Owner::This) {
                observed.live.push(one);
            }
        }
        Ok(observed)
    }

    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        // The application is not known here, but its mark is on the object; one that others made must be made again.
        let app = live.object.as_deref().and_then(super::membership::proven_for);
        let manager = app.as_ref().map(manager).unwrap_or_default();
        compare_owned(
            desired,
            live,
            FieldOwner { manager: &manager, marks: &[super::membership::MARKS] },
            rules,
        )
    }

    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault> {
        MemorySession::begin(self.clone(), cx, app, intent).await
    }

    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        self.request(cx, |_| None, &app).await?;
        Ok(self.cluster.store().records.get(app).cloned())
    }

    fn watch(&self, app: &AppId) -> Events<Dirty> {
        watch::watch(&self.cluster, app)
    }
}
