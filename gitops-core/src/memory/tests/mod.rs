//! The memory cluster, held to the rules of an API server.

mod faults;
mod objects;
mod ownership;
mod rules;
mod sessions;
mod source;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};

use super::*;
use crate::{
    Action, AppId, Class, Comparison, Cx, Dirty, Done, End, Events, Expect, Fault, IgnoreRules, Intent, Live,
    Manifest, Observe, Owner, Place, Placed, Reach, ReachEntry, RepoPath, ResourceId, Session, Step, Target,
    Timestamp,
};

fn app(name: &str) -> AppId {
    name.parse().unwrap()
}

fn cx() -> Cx {
    Cx::with_timeout(Duration::from_secs(60))
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn config(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data})
}

fn id(name: &str) -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", "shop", name)
}

/// A cluster with the namespace `shop`.
fn cluster() -> MemoryCluster {
    let cluster = MemoryCluster::new();
    cluster.create("setup", &namespace("shop")).unwrap();
    cluster
}

fn meta<'a>(object: &'a Value, field: &str) -> &'a Value {
    &object["metadata"][field]
}

async fn place(target: &MemoryTarget, objects: Vec<Value>) -> Vec<Arc<Placed>> {
    let place = Place::file(RepoPath::new("a.yaml").unwrap());
    let set = objects.into_iter().map(|object| Manifest::new(&object, place.clone()).unwrap()).collect();
    target.place(&cx(), set).await.unwrap().into_iter().map(Arc::new).collect()
}

async fn begin(target: &MemoryTarget, name: &str) -> Result<Box<dyn Session>, Fault> {
    target.begin(&cx(), &app(name), &Intent::new(Timestamp::UNIX_EPOCH, "memory:config", None, reach())).await
}

fn reach() -> Reach {
    let entry = ReachEntry {
        group: String::new(),
        kind: "ConfigMap".into(),
        version: "v1".into(),
        namespace: Some("shop".into()),
    };
    Reach([entry].into())
}

fn step(action: Action, expect: Expect, placed: &Arc<Placed>) -> Step {
    let desired = (!matches!(action, Action::Prune | Action::Release)).then(|| placed.clone());
    Step::new(placed.id.clone(), action, expect, desired)
}

/// Creates one ConfigMap for an application.
async fn create(target: &MemoryTarget, name: &str, object: Value) -> (Arc<Placed>, Done) {
    let placed = place(target, vec![object]).await.remove(0);
    let session = begin(target, name).await.unwrap();
    let done = session.run(&cx(), &step(Action::Create, Expect::Absent, &placed)).await.unwrap();
    session.finish(&cx(), &End::new(Timestamp::UNIX_EPOCH, Vec::new())).await.unwrap();
    (placed, done)
}

async fn look(target: &MemoryTarget, name: &str, id: &ResourceId) -> Option<Live> {
    target.observe(&cx(), &app(name), &Observe::Objects(vec![id.clone()])).await.unwrap().live.pop()
}
