//! What is on the cluster before an engine dies, and what must be there at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gitops_core::{Cx, Reach, ReachEntry, Target};
use serde_json::Value;

use super::scenario::{Neighbour, Scenario, Stated, holds};
use crate::support::{Cluster, PART_OF};

/// What must not have changed at the end.
pub(crate) struct Before {
    /// The label of the application's members.
    label: String,
    /// The version of each foreign object.
    foreign: BTreeMap<String, Value>,
    /// The uid of each object that all commits have.
    uids: BTreeMap<String, Value>,
}

/// A cluster on which an application has its objects.
#[derive(Clone)]
pub(crate) struct Stage<'a> {
    pub(crate) cluster: &'a Cluster<'static>,
    pub(crate) scenario: Scenario,
}

impl Stage<'_> {
    /// Lets others create objects, and takes note of what there is.
    pub(crate) async fn note(&self, neighbour: &Neighbour) -> Before {
        let mine = self.live().await;
        let stated = self.scenario.before();
        let label = mine[&stated[0].path]["metadata"]["labels"][PART_OF].as_str().unwrap().to_owned();
        let mut foreign = BTreeMap::new();
        for (manager, stated) in self.scenario.foreign(&label, neighbour) {
            let created = self.cluster.apply_as(&manager, &stated.path, &stated.object).await;
            foreign.insert(stated.path, created["metadata"]["resourceVersion"].clone());
        }
        let pruned: BTreeSet<_> = self.scenario.pruned().into_iter().map(|stated| stated.path).collect();
        let uids = mine.into_iter().filter(|(path, _)| !pruned.contains(path));
        let uids = uids.map(|(path, object)| (path, object["metadata"]["uid"].clone())).collect();
        Before { label, foreign, uids }
    }

    /// Checks that the third commit is there, nothing else of ours, and everything else as it was. Answers with the paths
    /// of all that is there.
    pub(crate) async fn check(&self, before: &Before, revision: &str) -> BTreeSet<String> {
        let name = &self.scenario.name;
        let live = self.live().await;
        let desired = self.scenario.after();
        for stated in &desired {
            let object = live.get(&stated.path).unwrap_or_else(|| panic!("{name}: {} is gone", stated.path));
            assert!(
                holds(object, &unnamed(stated)),
                "{name}: {} is not as Git states: {object:#}",
                stated.path
            );
        }
        let desired: BTreeSet<&String> = desired.iter().map(|stated| &stated.path).collect();
        for (path, object) in &live {
            let is_labelled = object["metadata"]["labels"][PART_OF] == before.label.as_str();
            let may_be = desired.contains(path) || before.foreign.contains_key(path);
            assert!(may_be || !is_labelled, "{name}: {path} is left over");
        }
        for (path, version) in &before.foreign {
            let now = live.get(path).map(|object| &object["metadata"]["resourceVersion"]);
            assert_eq!(now, Some(version), "{name}: {path} is another's");
        }
        for (path, uid) in &before.uids {
            let now = live.get(path).map(|object| &object["metadata"]["uid"]);
            assert_eq!(now, Some(uid), "{name}: {path} was deleted in between");
        }
        let target = self.cluster.target_of("admin");
        let cx = Cx::with_timeout(Duration::from_secs(60));
        let record = target.recall(&cx, &name.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(record.applied.unwrap().id, revision, "{name}");
        assert_eq!(record.reach, reach(&self.scenario.after()), "{name}: where to look");
        live.into_keys().collect()
    }

    /// All objects that are there where the application's may be, by their paths.
    async fn live(&self) -> BTreeMap<String, Value> {
        let mut live = BTreeMap::new();
        for list in self.scenario.lists() {
            for object in self.cluster.list_if_served(&list).await {
                let metadata = &object["metadata"];
                let (Some(name), Some(namespace)) =
                    (metadata["name"].as_str(), metadata["namespace"].as_str())
                else {
                    panic!("{list}: {object}")
                };
                let path = match list.strip_suffix("/backups") {
                    Some(version) => format!("{version}/namespaces/{namespace}/backups/{name}"),
                    None => format!("{list}/{name}"),
                };
                live.insert(path, object);
            }
        }
        for path in self.scenario.cluster_wide() {
            if let Some(object) = self.cluster.get(&path).await {
                live.insert(path, object);
            }
        }
        live
    }

    /// Makes room for others: each kind costs the API server time.
    pub(crate) async fn leave(&self) {
        self.cluster.delete(&self.scenario.definition_path()).await;
    }
}

/// An object as lists have it, which say its kind only once.
fn unnamed(stated: &Stated) -> Value {
    let mut object = stated.object.clone();
    object.as_object_mut().unwrap().retain(|field, _| !matches!(field.as_str(), "apiVersion" | "kind"));
    object
}

fn reach(stated: &[Stated]) -> Reach {
    let entry = |stated: &Stated| {
        let text = |at: &str| stated.object.pointer(at).and_then(Value::as_str);
        let (group, version) = text("/apiVersion").unwrap().rsplit_once('/').unwrap_or(("", "v1"));
        ReachEntry {
            group: group.into(),
            kind: text("/kind").unwrap().into(),
            version: version.into(),
            namespace: text("/metadata/namespace").map(Into::into),
        }
    };
    Reach(stated.iter().map(entry).collect())
}
