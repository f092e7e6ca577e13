//! What is recorded of an application: a Secret in the state namespace, the parent of its set (KEP-3659).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitops_core::Class;
use gitops_core::{AppId, AppRecord, Cx, Fault, GroupKind, Outcome, Reach, Timestamp, Verdict};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{KubeError, Telling};
use crate::membership::{Key, record_name, set_id};
use crate::rest::{Call, Rest, escape};

/// KEP-3659: the label of a parent, and its annotations.
const ID_LABEL: &str = "applyset.kubernetes.io/id";
const TOOLING: &str = "applyset.kubernetes.io/tooling";
const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// Which tool the set belongs to: others that follow the specification leave it alone.
const TOOL: &str = "gitops-rs";
/// A Secret holds 1 MiB; half of it for the outcomes leaves room for the deployments, which bound themselves, and the
/// reach.
const OUTCOMES_BYTES: usize = 512 * 1024;

/// Who writes, and until when at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    pub(crate) holder: String,
    pub(crate) until: Timestamp,
}

/// What the Secret's `record` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Content {
    #[serde(flatten)]
    record: AppRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<Lock>,
}

/// A record as it was read, to be changed and written back.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) app: AppId,
    pub(crate) record: AppRecord,
    pub(crate) lock: Option<Lock>,
    pub(crate) key: Key,
    /// The Secret; empty for a record that was not written yet.
    secret: Value,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("app", &self.app).field("lock", &self.lock).finish_non_exhaustive()
    }
}

impl Stored {
    /// A record that does not exist yet.
    pub(crate) fn new(app: AppId, source: String) -> Result<Self, Fault> {
        let key = Key::random().ok_or_else(|| Fault::retry("the machine has no randomness to give"))?;
        let record = AppRecord::new(source);
        Ok(Self { app, record, lock: None, key, secret: Value::Null })
    }

    fn decode(app: &AppId, namespace: &str, secret: Value) -> Result<Self, KubeError> {
        let foreign = |why: &str| KubeError::ForeignRecord {
            namespace: namespace.to_owned(),
            name: record_name(app),
            why: why.to_owned(),
        };
        let text = |at: &str| secret.pointer(at).and_then(Value::as_str);
        if text(&format!("/metadata/labels/{}", pointer(ID_LABEL))) != Some(&set_id(app, namespace)) {
            return Err(foreign("its applyset id is missing or another one"));
        }
        let tool = text(&format!("/metadata/annotations/{}", pointer(TOOLING))).unwrap_or_default();
        if tool.split('/').next() != Some(TOOL) {
            return Err(foreign("another tool made it"));
        }
        let data = |field: &str| STANDARD.decode(text(&format!("/data/{field}"))?).ok();
        let key = data("key")
            .and_then(|bytes| Key::from_bytes(&bytes))
            .ok_or_else(|| foreign("its key is damaged"))?;
        let content: Content = data("record")
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| foreign("its content is damaged"))?;
        Ok(Self { app: app.clone(), record: content.record, lock: content.lock, key, secret })
    }

    fn encode(&self, namespace: &str) -> Value {
        let mut record = self.record.clone();
        record.outcomes = bounded(std::mem::take(&mut record.outcomes));
        let content = Content { record, lock: self.lock.clone() };
        let mut secret = match &self.secret {
            Value::Object(fields) => fields.clone(),
            _ => Map::new(),
        };
        secret.insert("apiVersion".into(), "v1".into());
        secret.insert("kind".into(), "Secret".into());
        secret.entry("type").or_insert("gitops.io/record".into());
        secret.insert(
            "data".into(),
            json!({
                "key": STANDARD.encode(self.key.as_bytes()),
                "record": STANDARD.encode(serde_json::to_vec(&content).unwrap_or_default()),
            }),
        );
        let mut metadata = match secret.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        metadata.remove("managedFields");
        metadata.insert("name".into(), record_name(&self.app).into());
        metadata.insert("namespace".into(), namespace.into());
        put(&mut metadata, "labels", ID_LABEL, set_id(&self.app, namespace));
        put(&mut metadata, "annotations", TOOLING, format!("{TOOL}/v{}", env!("CARGO_PKG_VERSION")));
        put(&mut metadata, "annotations", GROUP_KINDS, group_kinds(&self.record.reach));
        put(&mut metadata, "annotations", NAMESPACES, namespaces(&self.record.reach, namespace));
        secret.insert("metadata".into(), metadata.into());
        secret.into()
    }

    fn meta(&self, field: &str) -> Value {
        self.secret.get("metadata").and_then(|m| m.get(field)).cloned().unwrap_or_default()
    }
}

fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn put(metadata: &mut Map<String, Value>, field: &str, name: &str, value: String) {
    if let Value::Object(map) = metadata.entry(field).or_insert_with(|| Value::Object(Map::new())) {
        map.insert(name.to_owned(), value.into());
    }
}

/// `Deployment.apps,Service`
fn group_kinds(reach: &Reach) -> String {
    let kinds: BTreeSet<_> = reach.0.iter().map(|e| GroupKind::new(&e.group, &e.kind).to_string()).collect();
    kinds.into_iter().collect::<Vec<_>>().join(",")
}

/// The namespaces besides the parent's own.
fn namespaces(reach: &Reach, own: &str) -> String {
    let names: BTreeSet<_> =
        reach.0.iter().filter_map(|e| e.namespace.as_deref()).filter(|n| *n != own).collect();
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// Outcomes that fit: those that went wrong first, then those that changed something.
fn bounded(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    outcomes.sort_by_key(|outcome| match outcome.verdict {
        Verdict::Failed { .. } => 0,
        Verdict::Blocked { .. } => 1,
        Verdict::Unchanged => 3,
        _ => 2,
    });
    let mut room = OUTCOMES_BYTES;
    outcomes.retain(|outcome| {
        let size = serde_json::to_vec(outcome).map_or(usize::MAX, |bytes| bytes.len() + 1);
        let fits = size <= room;
        room = room.saturating_sub(if fits { size } else { 0 });
        fits
    });
    outcomes
}

/// Reads and writes records.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    rest: Rest,
    pub(crate) namespace: String,
}

impl Records {
    pub(crate) fn new(rest: Rest, namespace: String) -> Self {
        Self { rest, namespace }
    }

    fn collection(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", escape(&self.namespace))
    }

    fn what(&self, app: &AppId) -> String {
        format!("Secret/{}/{}", self.namespace, record_name(app))
    }

    fn path(&self, app: &AppId) -> String {
        format!("{}/{}", self.collection(), record_name(app))
    }

    /// A record as it is now.
    pub(crate) async fn read(&self, cx: &Cx, app: &AppId) -> Result<Option<Stored>, Fault> {
        match self.rest.send(cx, Call::get(self.path(app), self.what(app))).await {
            Ok(answer) => self.decoded(app, answer.body).map(Some),
            Err(fault) if fault.class == Class::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Writes a record, if it is still the one that was read; otherwise [`Class::Precondition`].
    pub(crate) async fn write(&self, cx: &Cx, stored: &Stored) -> Result<Stored, Fault> {
        let body = stored.encode(&self.namespace);
        let (method, path) = match stored.secret {
            Value::Null => (Method::POST, self.collection()),
            _ => (Method::PUT, self.path(&stored.app)),
        };
        let call = Call::write(
            method,
            format!("{path}?fieldManager=gitops"),
            "application/json",
            &body,
            self.what(&stored.app),
        );
        match self.rest.send(cx, call.telling(Telling::Secret)).await {
            Ok(answer) => self.decoded(&stored.app, answer.body),
            // Creating in a namespace that is not there; replacing what is gone.
            Err(fault) if fault.class == Class::NotFound && stored.secret.is_null() => {
                Err(KubeError::NoStateNamespace { namespace: self.namespace.clone() }.denied())
            }
            Err(fault) if fault.class == Class::NotFound => {
                Err(Fault { class: Class::Precondition, ..fault })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Deletes a record, if it is still the one that was read.
    pub(crate) async fn delete(&self, cx: &Cx, stored: &Stored) -> Result<(), Fault> {
        let body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {
            "uid": stored.meta("uid"), "resourceVersion": stored.meta("resourceVersion")}});
        let call = Call::write(
            Method::DELETE,
            self.path(&stored.app),
            "application/json",
            &body,
            self.what(&stored.app),
        );
        match self.rest.send(cx, call.telling(Telling::Secret)).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.class == Class::NotFound => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn decoded(&self, app: &AppId, secret: Value) -> Result<Stored, Fault> {
        Stored::decode(app, &self.namespace, secret).map_err(KubeError::denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::tests::app;
    use gitops_core::{
        Action, Change, Deployments, Drift, End, FaultNote, Intent, ReachEntry, ResourceId, Revision,
    };

    const SOURCE: &str = "https://git.example/config";

    fn stored() -> Stored {
        let mut stored = Stored::new(app("shop"), SOURCE.into()).unwrap();
        let entry = |group: &str, kind: &str, namespace: &str| ReachEntry {
            group: group.into(),
            kind: kind.into(),
            version: "v1".into(),
            namespace: Some(namespace.into()),
        };
        let reach = [
            entry("apps", "Deployment", "shop"),
            entry("", "Service", "shop"),
            entry("", "Service", "state"),
        ];
        let at = Timestamp::UNIX_EPOCH;
        stored.record.begin(&Intent::new(at, SOURCE, Some(Revision::new("abc")), Reach(reach.into())));
        stored
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let mut written = stored();
        written.lock = Some(Lock { holder: "me".into(), until: Timestamp::UNIX_EPOCH });
        let secret = written.encode("state");
        let metadata = &secret["metadata"];
        assert_eq!(metadata["annotations"][GROUP_KINDS], "Deployment.apps,Service");
        assert_eq!(metadata["annotations"][NAMESPACES], "shop");
        assert_eq!(metadata["labels"][ID_LABEL], set_id(&app("shop"), "state").as_str());
        let read = Stored::decode(&app("shop"), "state", secret).unwrap();
        assert_eq!((read.record, read.lock, read.key), (written.record, written.lock, written.key));
    }

    #[test]
    fn a_record_of_an_older_version_reads() {
        let mut old = stored();
        old.record.deployments = Deployments::default();
        let secret = old.encode("state");
        let record = STANDARD.decode(secret["data"]["record"].as_str().unwrap()).unwrap();
        assert!(!String::from_utf8(record).unwrap().contains("deployments"));
        let read = Stored::decode(&app("shop"), "state", secret).unwrap();
        assert_eq!((read.record.attempted, read.record.deployments.is_empty()), (old.record.attempted, true));
    }

    #[test]
    fn all_that_is_kept_fits_into_a_secret() {
        let mut full = stored();
        let id = |n: usize| ResourceId::namespaced("apps", "ConfigMap", "n".repeat(63), format!("{n:0>253}"));
        for revision in 0..30 {
            let revision = Revision::new(format!("{revision:0>40}"));
            let at = Timestamp::UNIX_EPOCH;
            full.record.begin(&Intent::new(at, SOURCE, Some(revision), Reach::default()));
            let outcome = |n| Outcome { id: id(n), action: None, verdict: Verdict::Unchanged };
            let mut end = End::new(at, (0..5_000).map(outcome).collect());
            end.changes = (0..5_000).map(|n| Change::new(id(n), Action::Update)).collect();
            end.healed = (0..500).map(|n| Drift::new(id(n), None, vec![".data".to_owned()])).collect();
            full.record.end(&end);
        }
        let secret = full.encode("state");
        let size = STANDARD.decode(secret["data"]["record"].as_str().unwrap()).unwrap().len();
        assert!(size < 1024 * 1024 * 3 / 4, "{size} bytes");
        let read = Stored::decode(&app("shop"), "state", secret).unwrap().record;
        assert_eq!(read.deployments, full.record.deployments);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let why = |change: fn(&mut Value)| {
            let mut secret = stored().encode("state");
            change(&mut secret);
            Stored::decode(&app("shop"), "state", secret).unwrap_err().to_string()
        };
        assert!(why(|s| s["metadata"]["labels"] = json!({})).contains("id is missing"));
        assert!(
            why(|s| s["metadata"]["annotations"][TOOLING] = "kubectl/v1.36".into()).contains("another tool")
        );
        assert!(why(|s| s["data"]["record"] = "aGk=".into()).contains("content is damaged"));
        assert!(why(|s| s["data"]["key"] = "aGk=".into()).contains("key is damaged"));
        assert!(!format!("{:?}", stored()).contains("git.example"));
    }

    #[test]
    fn outcomes_are_cut_to_what_fits_with_the_failures_first() {
        let outcome = |name: String, verdict| Outcome {
            id: ResourceId::namespaced("", "ConfigMap", "shop", name),
            action: None,
            verdict,
        };
        let mut all: Vec<_> = (0..20_000).map(|i| outcome(format!("map-{i}"), Verdict::Unchanged)).collect();
        all.push(outcome("bad".into(), Verdict::Failed { fault: FaultNote::new(Class::Invalid, "wrong") }));
        let kept = bounded(all);
        assert!(matches!(kept[0].verdict, Verdict::Failed { .. }));
        assert!(kept.len() < 20_000 && serde_json::to_vec(&kept).unwrap().len() <= OUTCOMES_BYTES + 2);
    }
}
