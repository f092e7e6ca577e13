//! Which kinds the API server serves, and where.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use gitops_core::{Class, Cx, Fault, GroupKind, ResourceId};
use serde_json::Value;
use tokio::time::Instant;

use crate::error::KubeError;
use crate::rest::{Call, Rest, escape};

/// Aggregated discovery: stable since Kubernetes 1.30, and in its beta form since 1.27.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
/// How soon an unknown kind makes us ask again.
const REFRESH_FLOOR: Duration = Duration::from_secs(2);

/// A kind at one version, as the API server serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

impl Served {
    fn root(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", escape(&self.version))
        } else {
            format!("/apis/{}/{}", escape(&self.group), escape(&self.version))
        }
    }

    /// `apps/v1`, or `v1` in the core group.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The path of all objects in a namespace, or everywhere.
    pub(crate) fn collection(&self, namespace: Option<&str>) -> String {
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => {
                format!("{}/namespaces/{}/{}", self.root(), escape(namespace), escape(&self.plural))
            }
            None => format!("{}/{}", self.root(), escape(&self.plural)),
        }
    }

    /// The path of one object.
    pub(crate) fn object(&self, id: &ResourceId) -> String {
        format!("{}/{}", self.collection(id.namespace.as_deref()), escape(&id.name))
    }
}

/// What the API server served when it was asked.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    /// The versions of each kind, the preferred one first.
    kinds: HashMap<GroupKind, Vec<Served>>,
    /// Groups that could not be asked at that time: what they serve is not known.
    gaps: BTreeSet<String>,
}

impl Discovered {
    /// A kind at one version.
    pub(crate) fn find(&self, kind: &GroupKind, version: &str) -> Option<&Served> {
        self.versions(kind).iter().find(|served| served.version == version)
    }

    /// A kind at this version if it is served, else at the preferred one.
    pub(crate) fn find_any(&self, kind: &GroupKind, version: &str) -> Option<&Served> {
        self.find(kind, version).or_else(|| self.versions(kind).first())
    }

    /// All versions of a kind.
    pub(crate) fn versions(&self, kind: &GroupKind) -> &[Served] {
        self.kinds.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Whether what a group serves is not known for now.
    pub(crate) fn has_gap(&self, group: &str) -> bool {
        self.gaps.contains(group)
    }

    fn read(&mut self, list: &Value) -> Result<(), KubeError> {
        if list.get("kind").and_then(Value::as_str) != Some("APIGroupDiscoveryList") {
            return Err(KubeError::NoAggregatedDiscovery);
        }
        for group in array(list, "/items") {
            let name = text(group, "/metadata/name");
            for version in array(group, "/versions") {
                if text(version, "/freshness") == "Stale" {
                    self.gaps.insert(name.to_owned());
                }
                for resource in array(version, "/resources") {
                    self.add(name, text(version, "/version"), resource);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, group: &str, version: &str, resource: &Value) {
        let (kind, plural) = (text(resource, "/responseKind/kind"), text(resource, "/resource"));
        let can = |verb: &str| array(resource, "/verbs").iter().any(|v| v.as_str() == Some(verb));
        // What cannot be read (a review, a binding) is no object.
        if kind.is_empty() || plural.is_empty() || !can("get") {
            return;
        }
        let served = Served {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: text(resource, "/scope") == "Namespaced",
        };
        self.kinds.entry(GroupKind::new(group, kind)).or_default().push(served);
    }
}

fn array<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value.pointer(at).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

/// What is served, asked once and again when it may have changed.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    known: RwLock<Option<(Arc<Discovered>, Instant)>>,
    /// Only one asks at a time; the others wait for its answer.
    asking: tokio::sync::Mutex<()>,
}

impl Discovery {
    /// What is known, asking if nothing is.
    pub(crate) async fn get(&self, cx: &Cx, rest: &Rest) -> Result<Arc<Discovered>, Fault> {
        match self.cached() {
            Some((known, _)) => Ok(known),
            None => self.newer_than(cx, rest, None).await,
        }
    }

    /// Asks again because something is unknown, unless that was done a moment ago.
    pub(crate) async fn refresh(&self, cx: &Cx, rest: &Rest) -> Result<Arc<Discovered>, Fault> {
        match self.cached() {
            Some((known, at)) if at.elapsed() < REFRESH_FLOOR => Ok(known),
            cached => self.newer_than(cx, rest, cached.map(|(_, at)| at)).await,
        }
    }

    /// Asks again in any case: what is served has just been changed.
    pub(crate) async fn renew(&self, cx: &Cx, rest: &Rest) -> Result<Arc<Discovered>, Fault> {
        self.newer_than(cx, rest, Some(Instant::now())).await
    }

    /// Forgets what is known.
    pub(crate) fn forget(&self) {
        *self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    fn cached(&self) -> Option<(Arc<Discovered>, Instant)> {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn newer_than(&self, cx: &Cx, rest: &Rest, old: Option<Instant>) -> Result<Arc<Discovered>, Fault> {
        let _one = cx.bound("discovery", self.asking.lock()).await?;
        if let Some((known, at)) = self.cached()
            && old.is_none_or(|old| at > old)
        {
            return Ok(known);
        }
        let asked = Instant::now();
        let mut found = Discovered::default();
        for path in ["/api", "/apis"] {
            let mut call = Call::get(path.to_owned(), "discovery");
            call.accept = ACCEPT;
            let answer = rest.send(cx, call).await?;
            found.read(&answer.body).map_err(|e| e.fault(Class::Unsupported).at("discovery"))?;
        }
        let found = Arc::new(found);
        *self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((found.clone(), asked));
        Ok(found)
    }
}

/// Some kinds, for the tests of other files.
#[cfg(test)]
pub(crate) fn sample() -> Discovered {
    let mut found = Discovered::default();
    for (group, version, kind, plural, namespaced) in [
        ("", "v1", "Namespace", "namespaces", false),
        ("", "v1", "ConfigMap", "configmaps", true),
        ("", "v1", "Secret", "secrets", true),
        ("", "v1", "Service", "services", true),
        ("apps", "v1", "Deployment", "deployments", true),
        ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false),
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false),
        ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
        ("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ] {
        let served = Served {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced,
        };
        found.kinds.entry(GroupKind::new(group, kind)).or_default().push(served);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list() -> Value {
        json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "freshness": "Current", "resources": [
                {"resource": "deployments", "scope": "Namespaced", "verbs": ["get", "patch"],
                 "responseKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
                 "subresources": [{"subresource": "scale", "responseKind": {"kind": "Scale"}}]},
                {"resource": "checks", "scope": "Namespaced", "verbs": ["create"], "responseKind": {"kind": "Check"}}]}]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]}]})
    }

    #[test]
    fn kinds_scopes_and_gaps_are_read() {
        let mut found = Discovered::default();
        found.read(&list()).unwrap();
        let deployment = found.find(&GroupKind::new("apps", "Deployment"), "v1").unwrap();
        assert_eq!(deployment.collection(Some("shop")), "/apis/apps/v1/namespaces/shop/deployments");
        assert_eq!(deployment.collection(None), "/apis/apps/v1/deployments");
        let id = ResourceId::namespaced("apps", "Deployment", "shop", "web");
        assert_eq!(deployment.object(&id), "/apis/apps/v1/namespaces/shop/deployments/web");
        assert!(found.versions(&GroupKind::new("apps", "Check")).is_empty());
        assert!(found.has_gap("metrics.k8s.io") && !found.has_gap("apps"));
    }

    #[test]
    fn an_old_server_is_named() {
        let error = Discovered::default().read(&json!({"kind": "APIGroupList"})).unwrap_err();
        assert!(matches!(error, KubeError::NoAggregatedDiscovery));
    }

    #[test]
    fn the_preferred_version_stands_in() {
        let kind = GroupKind::new("autoscaling", "HorizontalPodAutoscaler");
        let found = sample();
        assert_eq!(found.find_any(&kind, "v1").unwrap().version, "v1");
        assert_eq!(found.find_any(&kind, "v2beta2").unwrap().version, "v2");
        assert!(found.find(&kind, "v2beta2").is_none());
    }
}
