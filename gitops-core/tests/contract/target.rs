//! A cluster in memory for the suite, and the hands of others in it.

use std::sync::Arc;
use std::time::Duration;

use gitops_core::diff::FieldPath;
use gitops_core::testing::NotApplicable;
use gitops_core::testing::target::{Able, SecondField, TargetHarness, Trouble};
use gitops_core::{
    Effect, FaultRule, Manifest, MemoryCluster, MemoryTarget, Operation, Place, RepoPath, ResourceId, Target,
    async_trait,
};
use serde_json::{Value, json};

const HAND: &str = "somebody";

#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) cluster: MemoryCluster,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let cluster = MemoryCluster::new();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        cluster.create("setup", &namespace).unwrap();
        Self { cluster }
    }

    fn change(&self, id: &ResourceId, change: impl FnOnce(&mut Value)) {
        self.cluster.update(HAND, id, change).unwrap();
    }
}

fn manifest(object: &Value) -> Manifest {
    Manifest::new(object, Place::file(RepoPath::new("suite.yaml").unwrap())).unwrap()
}

fn object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}})
}

#[async_trait]
impl TargetHarness for Memory {
    async fn open(&self) -> Arc<dyn Target> {
        Arc::new(MemoryTarget::new(self.cluster.clone()))
    }

    fn manifest(&self, name: &str, value: &str) -> Manifest {
        let mut object = object("ConfigMap", name);
        object["data"] = json!({"value": value});
        manifest(&object)
    }

    fn value_path(&self) -> FieldPath {
        ".data.value".parse().unwrap()
    }

    async fn read(&self, id: &ResourceId) -> Option<String> {
        Some(self.cluster.get(id)?["data"]["value"].as_str().unwrap().to_owned())
    }

    async fn put(&self, id: &ResourceId, value: &str) {
        let data = if id.kind == "Secret" { "stringData" } else { "data" };
        if self.cluster.get(id).is_some() {
            self.change(id, |object| object[data]["value"] = value.into());
        } else {
            let mut object = object(&id.kind, &id.name);
            object[data] = json!({"value": value});
            self.cluster.create(HAND, &object).unwrap();
        }
    }

    async fn delete(&self, id: &ResourceId) {
        self.cluster.delete(HAND, id).unwrap();
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn trouble(&self, trouble: Trouble) -> Able {
        let inject = |effect, operation, kind| {
            self.cluster.faults().inject(FaultRule::new(effect).on(operation).of_kind("", kind));
        };
        match trouble {
            Trouble::WatchesDown => self.cluster.interrupt_watches(),
            Trouble::Unreadable => inject(Effect::Deny, Operation::Read, "ConfigMap"),
            Trouble::ReadOnly => {
                inject(Effect::Deny, Operation::Apply, "ConfigMap");
                inject(Effect::Deny, Operation::Delete, "ConfigMap");
            }
            Trouble::AnswersLost => {
                inject(Effect::TimeOutAfter, Operation::Apply, "ConfigMap");
                inject(Effect::TimeOutAfter, Operation::Delete, "ConfigMap");
            }
            Trouble::Silence => self.cluster.faults().inject(FaultRule::new(Effect::CrashBefore)),
            other => return Err(NotApplicable::because(format!("a cluster in memory knows no {other:?}"))),
        }
        Ok(())
    }

    async fn calm(&self) {
        self.cluster.faults().clear();
        self.cluster.expire_watches();
        self.cluster.resume_watches();
    }

    fn requests(&self) -> Able<u64> {
        Ok(self.cluster.requests())
    }

    fn secret(&self, name: &str, value: &str) -> Able<Manifest> {
        let mut object = object("Secret", name);
        object["stringData"] = json!({"value": value});
        Ok(manifest(&object))
    }

    fn second(&self) -> Able<&dyn SecondField> {
        Ok(self)
    }

    fn dependents(&self) -> Able<[Manifest; 2]> {
        let mut dependent = object("ConfigMap", "inside");
        dependent["metadata"]["namespace"] = "later".into();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}});
        Ok([manifest(&dependent), manifest(&namespace)])
    }

    async fn overrule(&self) -> Able<String> {
        self.cluster.set_admission(|object| {
            if object["kind"] == "ConfigMap" {
                object["data"]["value"] = "insisted".into();
            }
        });
        Ok("insisted".to_owned())
    }

    async fn hold(&self, id: &ResourceId, hold: bool) -> Able {
        self.change(id, |object| {
            object["metadata"]["finalizers"] = if hold { json!(["suite/hold"]) } else { json!([]) };
        });
        Ok(())
    }

    async fn keep(&self, id: &ResourceId) -> Able {
        self.change(id, |object| object["metadata"]["annotations"] = json!({"gitops.memory/prune": "keep"}));
        Ok(())
    }
}

#[async_trait]
impl SecondField for Memory {
    fn manifest(&self, name: &str, value: &str, second: &str) -> Manifest {
        let mut object = object("ConfigMap", name);
        object["data"] = json!({"value": value, "second": second});
        manifest(&object)
    }

    fn samples(&self) -> [&'static str; 2] {
        ["one", "two"]
    }

    fn path(&self) -> FieldPath {
        ".data.second".parse().unwrap()
    }

    async fn read(&self, id: &ResourceId) -> Option<String> {
        Some(self.cluster.get(id)?["data"].get("second")?.as_str().unwrap().to_owned())
    }

    async fn put(&self, id: &ResourceId, second: &str) {
        self.change(id, |object| object["data"]["second"] = second.into());
    }
}
