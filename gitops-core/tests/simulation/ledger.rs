//! What a world knows of its clusters and applications, to hold the engine to its promises.

use std::collections::{BTreeMap, BTreeSet};

use gitops_core::{Health, MemoryCluster, Policy, ResourceId};
use serde_json::Value;

use crate::chance::Chance;

/// The label by which the memory target marks members, and the annotation that keeps one.
pub(crate) const LABEL: &str = "gitops.memory/part-of";
pub(crate) const KEEP: &str = "gitops.memory/prune";

#[derive(Debug)]
pub(crate) struct Ledger {
    /// For each cluster, every object as it was when it was last written in a way that the world knows of.
    pub(crate) mirrors: Vec<BTreeMap<ResourceId, Value>>,
    apps: BTreeMap<String, Book>,
    /// How much happened outside of the engine, by minutes.
    stirs: BTreeMap<u64, u64>,
    /// What somebody added to an object beside what Git states.
    pub(crate) additions: Vec<Addition>,
}

/// What the world knows of an application.
#[derive(Debug, Default, Clone)]
pub(crate) struct Book {
    pub(crate) policy: Policy,
    /// The revision that the source was last heard to have, by the process that runs.
    pub(crate) resolved: Option<String>,
    /// Revisions that the source had, by when it last had each, the newest last.
    heard: Vec<String>,
    /// How many members the engine last saw.
    pub(crate) members: usize,
    /// Those of them that were marked to stay.
    pub(crate) marked: BTreeSet<ResourceId>,
    /// Deletions that somebody approved, with the revision.
    pub(crate) approved: Vec<(String, BTreeSet<(ResourceId, String)>)>,
    /// How each object was doing when the engine was last told of it; none where it did not exist.
    pub(crate) told: BTreeMap<ResourceId, Option<Health>>,
    /// Requests to the target, by minutes.
    requests: BTreeMap<u64, u64>,
}

/// A label that somebody gave to one incarnation of an object.
#[derive(Debug, Clone)]
pub(crate) struct Addition {
    pub(crate) cluster: usize,
    pub(crate) id: ResourceId,
    pub(crate) uid: String,
    pub(crate) label: String,
}

/// Requests to the target in a minute in which nothing happens: an attempt after a failure, and what it looks at.
const QUIET: u64 = 120;
/// Requests for each thing that happens.
const EACH: u64 = 60;

/// Revisions that are remembered: more than a repository that goes on for long keeps.
const HEARD: usize = 200;

impl Book {
    /// The source has a revision.
    pub(crate) fn hear(&mut self, revision: &str) {
        if self.heard.last().is_none_or(|last| last != revision) {
            self.heard.retain(|heard| heard != revision);
            self.heard.push(revision.to_owned());
            self.heard.drain(..self.heard.len().saturating_sub(HEARD));
        }
        self.resolved = Some(revision.to_owned());
    }

    /// Whether the source had one revision later than another.
    pub(crate) fn is_newer(&self, revision: &str, other: &str) -> bool {
        let heard = |revision: &str| self.heard.iter().position(|heard| heard == revision);
        heard(revision) > heard(other)
    }
}

impl Ledger {
    pub(crate) fn new(clusters: usize) -> Self {
        Self {
            mirrors: vec![BTreeMap::new(); clusters],
            apps: BTreeMap::new(),
            stirs: BTreeMap::new(),
            additions: Vec::new(),
        }
    }

    pub(crate) fn app(&mut self, app: &str) -> &mut Book {
        self.apps.entry(app.to_owned()).or_default()
    }

    pub(crate) fn some_app(&self, chance: &Chance) -> Option<String> {
        chance.any(&self.apps.keys().cloned().collect::<Vec<_>>())
    }

    pub(crate) fn stir(&mut self, minute: u64) {
        *self.stirs.entry(minute).or_default() += 1;
    }

    pub(crate) fn request(&mut self, app: &str, minute: u64) {
        *self.app(app).requests.entry(minute).or_default() += 1;
    }

    /// A new process knows nothing.
    pub(crate) fn restarted(&mut self) {
        for book in self.apps.values_mut() {
            book.resolved = None;
            book.members = 0;
            book.told.clear();
            book.marked.clear();
        }
    }

    /// Takes in how a cluster is now.
    pub(crate) fn refresh(&mut self, index: usize, cluster: &MemoryCluster) {
        self.mirrors[index] = contents(cluster);
    }

    /// Minutes up to `minute`, which are over, in which an application asked too much of its target.
    pub(crate) fn hot_minutes(&mut self, minute: u64) -> Vec<String> {
        let mut hot = Vec::new();
        for (app, book) in &mut self.apps {
            let over: Vec<u64> = book.requests.range(..minute).map(|(minute, _)| *minute).collect();
            for minute in over {
                let requests = book.requests.remove(&minute).unwrap_or_default();
                let from = minute.saturating_sub(2);
                let stirs: u64 = self.stirs.range(from..=minute).map(|(_, stirs)| stirs).sum();
                if requests > QUIET + EACH * stirs {
                    hot.push(format!(
                        "{app} made {requests} requests in minute {minute}, in which {stirs} things happened"
                    ));
                }
            }
        }
        self.stirs.retain(|old, _| *old + 10 > minute);
        hot
    }
}

pub(crate) fn contents(cluster: &MemoryCluster) -> BTreeMap<ResourceId, Value> {
    cluster.ids().into_iter().filter_map(|id| Some((id.clone(), cluster.get(&id)?))).collect()
}

/// The application whose member an object is: marked, with the mark in the ownership entry of that application.
pub(crate) fn member_of(object: &Value) -> Option<&str> {
    let app = object["metadata"]["labels"][LABEL].as_str()?;
    let entry = entry(object, app)?;
    let label = format!("f:{LABEL}");
    entry["fieldsV1"]["f:metadata"]["f:labels"].get(&label)?;
    Some(app)
}

/// Whether an application has applied fields of an object.
pub(crate) fn is_applied_by(object: &Value, app: &str) -> bool {
    entry(object, app).is_some()
}

fn entry<'a>(object: &'a Value, app: &str) -> Option<&'a Value> {
    let manager = format!("gitops/{app}");
    object["metadata"]["managedFields"]
        .as_array()?
        .iter()
        .find(|entry| entry["manager"] == *manager && entry["operation"] == "Apply")
}

pub(crate) fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

pub(crate) fn is_dying(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

pub(crate) fn is_kept(object: &Value) -> bool {
    object["metadata"]["annotations"][KEEP] == "keep"
}

/// Whether an object goes when another one does.
pub(crate) fn holds(id: &ResourceId, other: &ResourceId) -> bool {
    match id.kind.as_str() {
        "Namespace" => other.namespace.as_deref() == Some(&id.name),
        "CustomResourceDefinition" => id.name.ends_with(&format!(".{}", other.group)),
        _ => false,
    }
}

pub(crate) fn is_precious(id: &ResourceId) -> bool {
    matches!(id.kind.as_str(), "Namespace" | "CustomResourceDefinition" | "PersistentVolumeClaim")
}
