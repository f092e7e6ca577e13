//! Reading live objects: members by their label, and objects by their name.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use gitops_core::{
    AppId, Class, Cx, Fault, FaultNote, GroupKind, Live, Observation, Owner, Reach, ReachEntry, ResourceId,
    Unseen,
};
use serde_json::Value;

use crate::discovery::{Discovered, Discovery, Served};
use crate::error::KubeError;
use crate::hub::{Hub, everywhere};
use crate::list::{Listing, list};
use crate::membership::{PART_OF, set_id};
use crate::place::is_namespace;
use crate::rest::{Call, Rest, escape};
use crate::view::View;

/// How many requests run at once.
const AT_ONCE: usize = 16;
/// From how many objects on a list of the names that exist is cheaper than a request for each.
const WORTH_A_LIST: usize = 8;
/// From how many objects on lists of all members are cheaper than a request for each.
const WORTH_ALL_LISTS: usize = 200;

/// What reading takes.
pub(crate) struct Observer<'a> {
    pub(crate) rest: &'a Rest,
    pub(crate) discovery: &'a Discovery,
    pub(crate) view: &'a View,
    pub(crate) hub: &'a Hub,
    pub(crate) page: u32,
    pub(crate) app: &'a AppId,
    /// What was found out of kinds that are not served: whether they certainly do not exist.
    pub(crate) unserved: tokio::sync::Mutex<BTreeMap<GroupKind, Result<(), FaultNote>>>,
}

/// What one read gave: objects, or the reason why not.
type Read = Result<Vec<(ResourceId, Value)>, Unseen>;

impl Observer<'_> {
    /// All members in the reach, and `also` these objects.
    pub(crate) async fn everything(
        &self,
        cx: &Cx,
        reach: &Reach,
        also: &[ResourceId],
    ) -> Result<Observation, Fault> {
        let desired: BTreeSet<_> = also.iter().cloned().collect();
        let mut kinds: BTreeMap<ReachEntry, Vec<ReachEntry>> = BTreeMap::new();
        for entry in &reach.0 {
            kinds.entry(everywhere(entry)).or_default().push(entry.clone());
        }
        let lists =
            stream::iter(kinds).map(|(all, scopes)| self.kind(cx, all, scopes)).buffer_unordered(AT_ONCE);
        let mut found = Found::default();
        for read in lists.concat().await {
            found.add(stopped(cx, read)?);
        }
        let mut missing: Vec<_> =
            desired.iter().filter(|id| !found.objects.contains_key(*id)).cloned().collect();
        missing.retain(|id| !found.covers(id));
        // What would be in a Namespace that is not there is not there either.
        let (namespaces, mut missing): (Vec<_>, Vec<_>) = missing.into_iter().partition(is_namespace);
        let mut absent: BTreeSet<_> = namespaces.iter().map(|namespace| namespace.name.clone()).collect();
        let namespaces = self.possible(cx, namespaces, reach).await;
        self.named(cx, namespaces, reach, &mut found).await?;
        absent.retain(|name| {
            let id = ResourceId::global("", "Namespace", name.clone());
            !found.objects.contains_key(&id) && !found.covers(&id)
        });
        missing.retain(|id| id.namespace.as_ref().is_none_or(|namespace| !absent.contains(namespace)));
        let missing = self.possible(cx, missing, reach).await;
        self.named(cx, missing, reach, &mut found).await?;
        Ok(found.into_observation(self.view, self.app, &desired))
    }

    /// The members of one kind, by one list where it may be listed everywhere, else by one for each namespace.
    async fn kind(&self, cx: &Cx, all: ReachEntry, scopes: Vec<ReachEntry>) -> Vec<Read> {
        if scopes.len() > 1 && !self.hub.is_by_namespace(&all) {
            let read = self.members(cx, all.clone()).await;
            match &read {
                Err(unseen) if unseen.fault.class == Class::Denied => self.hub.by_namespace(&all),
                Err(_) => return vec![read],
                // Where nobody wrote down that we are, we are not.
                Ok(_) => {
                    let is_in_reach = |id: &ResourceId| scopes.iter().any(|scope| scope.holds(id));
                    let within =
                        |objects: Vec<_>| objects.into_iter().filter(|(id, _)| is_in_reach(id)).collect();
                    return vec![read.map(within)];
                }
            }
        }
        stream::iter(scopes).map(|scope| self.members(cx, scope)).buffer_unordered(AT_ONCE).collect().await
    }

    /// Of objects that are no members, those that may exist. Where many of one kind and namespace are looked for, as at
    /// the first sync, one list of the names there saves a request for each; where that list is long or fails, it says
    /// nothing.
    async fn possible(&self, cx: &Cx, missing: Vec<ResourceId>, reach: &Reach) -> Vec<ResourceId> {
        let mut scopes: BTreeMap<(GroupKind, Option<String>), Vec<ResourceId>> = BTreeMap::new();
        for id in missing {
            scopes.entry((id.group_kind(), id.namespace.clone())).or_default().push(id);
        }
        let narrow = |((kind, namespace), ids): ((GroupKind, Option<String>), Vec<ResourceId>)| async move {
            if ids.len() < WORTH_A_LIST {
                return ids;
            }
            let version = version_of(reach, &ids[0]);
            let Ok(Some(served)) = self.served(cx, &kind, version).await else { return ids };
            let listing = Listing {
                served: &served,
                namespace: namespace.as_deref(),
                selector: "",
                page: self.page,
                names_only: true,
                // Names are small: so many pages cost less than the requests that they save.
                most_pages: (ids.len() / 10).max(2),
            };
            let Ok(Some((items, _))) = listing.read(cx, self.rest).await else { return ids };
            let there: BTreeSet<_> = items.into_iter().map(|(id, _)| id).collect();
            ids.into_iter().filter(|id| there.contains(id)).collect()
        };
        stream::iter(scopes).map(narrow).buffer_unordered(AT_ONCE).concat().await
    }

    /// These objects, from memory where nothing has changed since our last apply and a watch would have told.
    pub(crate) async fn objects(
        &self,
        cx: &Cx,
        ids: &[ResourceId],
        reach: &Reach,
        watched: impl Fn(&ResourceId) -> bool,
    ) -> Result<Observation, Fault> {
        let ids: BTreeSet<_> = ids.iter().cloned().collect();
        let mut found = Found::default();
        let mut asked = Vec::new();
        for id in &ids {
            match self.view.remembered(self.app, id).filter(|_| watched(id)) {
                Some(live) => found.remembered.push(live),
                None => asked.push(id.clone()),
            }
        }
        if asked.len() >= WORTH_ALL_LISTS {
            let mut observed = self.everything(cx, reach, &asked).await?;
            let asked: BTreeSet<_> = asked.into_iter().collect();
            observed.live.retain(|live| asked.contains(&live.id));
            observed.live.extend(found.remembered);
            return Ok(observed);
        }
        self.named(cx, asked, reach, &mut found).await?;
        Ok(found.into_observation(self.view, self.app, &ids))
    }

    async fn named(
        &self,
        cx: &Cx,
        ids: Vec<ResourceId>,
        reach: &Reach,
        found: &mut Found,
    ) -> Result<(), Fault> {
        let reads = stream::iter(ids).map(|id| self.one(cx, id, reach)).buffer_unordered(AT_ONCE);
        for read in reads.collect::<Vec<_>>().await {
            found.add(stopped(cx, read)?);
        }
        Ok(())
    }

    /// The members in one kind and namespace.
    async fn members(&self, cx: &Cx, scope: ReachEntry) -> Read {
        let kind = GroupKind::new(&scope.group, &scope.kind);
        let unseen = |fault: Fault| Unseen {
            kind: kind.clone(),
            namespace: scope.namespace.clone(),
            fault: fault.note(),
        };
        let Some(served) = self.served(cx, &kind, &scope.version).await.map_err(unseen)? else {
            return Ok(Vec::new());
        };
        let selector = format!("{PART_OF}={}", set_id(self.app, &self.view.state_namespace));
        let listed = list(cx, self.rest, &served, scope.namespace.as_deref(), &selector, self.page).await;
        match listed {
            Ok((items, version)) => {
                // Watching can go on from here, instead of listing all this again.
                self.hub.offer(&scope, &version);
                Ok(items)
            }
            Err(fault) if fault.class == Class::NotFound => {
                // The kind went away since discovery; ask again, and believe only a definite answer.
                self.discovery.forget();
                match self.served(cx, &kind, &scope.version).await.map_err(unseen)? {
                    None => Ok(Vec::new()),
                    Some(_) => Err(unseen(fault)),
                }
            }
            Err(fault) => Err(unseen(fault)),
        }
    }

    async fn one(&self, cx: &Cx, id: ResourceId, reach: &Reach) -> Read {
        let kind = id.group_kind();
        let unseen = |fault: Fault| Unseen {
            kind: kind.clone(),
            namespace: id.namespace.clone(),
            fault: fault.note(),
        };
        let Some(served) = self.served(cx, &kind, version_of(reach, &id)).await.map_err(unseen)? else {
            self.view.cache.gone(&id);
            return Ok(Vec::new());
        };
        match self.rest.send(cx, Call::get(served.object(&id), format!("{id:#}"))).await {
            Ok(answer) => Ok(vec![(id, answer.body)]),
            Err(fault) if fault.class == Class::NotFound => {
                self.view.cache.gone(&id);
                Ok(Vec::new())
            }
            Err(fault) => Err(unseen(fault)),
        }
    }

    /// How a kind is served. None only if it certainly does not exist.
    async fn served(&self, cx: &Cx, kind: &GroupKind, version: &str) -> Result<Option<Served>, Fault> {
        let found = self.discovery.get(cx, self.rest).await?;
        if let Some(served) = found.find_any(kind, version) {
            return Ok(Some(served.clone()));
        }
        let found = self.discovery.refresh(cx, self.rest).await?;
        if let Some(served) = found.find_any(kind, version) {
            return Ok(Some(served.clone()));
        }
        // Asked once for each kind, whoever else wants to know it meanwhile.
        let mut unserved = self.unserved.lock().await;
        if let Some(known) = unserved.get(kind) {
            return known.clone().map(|()| None).map_err(|note| note.to_fault());
        }
        let gone = self.certainly_gone(cx, kind, version, &found).await;
        unserved.insert(kind.clone(), gone.as_ref().copied().map_err(Fault::note));
        gone.map(|()| None)
    }

    /// Fails unless a kind that is not served certainly does not exist: no definition declares it, and no other server
    /// is responsible for its group.
    async fn certainly_gone(
        &self,
        cx: &Cx,
        kind: &GroupKind,
        version: &str,
        found: &Discovered,
    ) -> Result<(), Fault> {
        let unknown = |why: String| KubeError::UnknownKind(why).fault(Class::RETRY);
        if found.has_gap(&kind.group) {
            return Err(unknown(format!("what the API group {:?} serves is not known for now", kind.group)));
        }
        let definitions = found
            .find_any(&GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition"), "v1")
            .ok_or_else(|| unknown("the API server does not say which kinds are defined".to_owned()))?;
        let (all, _) = list(cx, self.rest, definitions, None, "", self.page).await?;
        let declares = |object: &Value| {
            let text = |at: &str| object.pointer(at).and_then(Value::as_str);
            text("/spec/group") == Some(&kind.group) && text("/spec/names/kind") == Some(&kind.kind)
        };
        if all.iter().any(|(_, object)| declares(object)) {
            return Err(unknown(format!("{kind} is defined, but not served (yet)")));
        }
        if kind.group.is_empty() || version.is_empty() {
            return Ok(());
        }
        let name = format!("{version}.{}", kind.group);
        let path = format!("/apis/apiregistration.k8s.io/v1/apiservices/{}", escape(&name));
        match self.rest.send(cx, Call::get(path, format!("APIService/{name}"))).await {
            Ok(answer) if answer.body.pointer("/spec/service").is_some_and(|service| !service.is_null()) => {
                Err(unknown(format!(
                    "the server of the API group {:?} does not say what it serves",
                    kind.group
                )))
            }
            Ok(_) => Ok(()),
            Err(fault) if fault.class == Class::NotFound => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// The version at which an object is read, if one is recorded.
fn version_of<'a>(reach: &'a Reach, id: &ResourceId) -> &'a str {
    reach.0.iter().find(|entry| entry.holds(id)).map_or("", |entry| &entry.version)
}

/// A read that was stopped is no blind spot of the cluster: the whole observation ends.
fn stopped(cx: &Cx, read: Read) -> Result<Read, Fault> {
    if cx.cancel.is_cancelled() { Err(Fault::cancelled()) } else { Ok(read) }
}

#[derive(Default)]
struct Found {
    objects: BTreeMap<ResourceId, Value>,
    remembered: Vec<Live>,
    unseen: Vec<Unseen>,
}

impl Found {
    fn add(&mut self, read: Read) {
        match read {
            Ok(objects) => self.objects.extend(objects),
            Err(unseen)
                if self
                    .unseen
                    .iter()
                    .any(|u| (&u.kind, &u.namespace) == (&unseen.kind, &unseen.namespace)) => {}
            Err(unseen) => self.unseen.push(unseen),
        }
    }

    fn covers(&self, id: &ResourceId) -> bool {
        self.unseen.iter().any(|unseen| unseen.covers(id))
    }

    fn into_observation(self, view: &View, app: &AppId, desired: &BTreeSet<ResourceId>) -> Observation {
        let mut live = self.remembered;
        live.extend(self.objects.into_iter().map(|(id, object)| {
            let is_desired = desired.contains(&id);
            view.live(app, &id, object, is_desired)
        }));
        // A member is what is proven; what bears the label without the proof is shown as such, and never pruned.
        live.retain(|live| desired.contains(&live.id) || matches!(live.owner, Owner::This | Owner::Unproven));
        Observation { live, unseen: self.unseen, record: None }
    }
}

#[cfg(test)]
mod tests;
