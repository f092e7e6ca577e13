//! A real API server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, pin_mut};
use kube::core::Status;
use kube::core::watch::WatchEvent;
use serde_json::{Value, json};

use crate::kinds::{Kind, definition};
use crate::operations::{APP, Guard, MANAGERS, Operation, PatchKind, Which, placed};
use crate::outcome::{Hints, History, Outcome, Told};

/// The label that marks members of an application.
const LABEL: &str = "gitops.memory/part-of";
/// How the names of objects begin that end a watch, and are no part of what is compared.
const SENTINEL: &str = "sentinel-";
/// Namespaces are never used twice.
static NAMESPACES: AtomicU64 = AtomicU64::new(0);

pub(crate) struct ServerSide<'k> {
    kind: &'k Kind,
    client: kube::Client,
    namespace: String,
    seen: String,
    sentinels: u32,
    /// The managers of writes, by the resource version that they made, or by the UID that they ended.
    writers: BTreeMap<String, &'static str>,
    /// Whose the objects were, as far as the watch has told.
    marked: BTreeMap<String, bool>,
    pub(crate) history: History,
}

/// Makes what all sequences need.
pub(crate) async fn prepare(client: &kube::Client, kinds: &[Kind]) {
    let uri = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    request(client, "POST", uri, "application/json", &definition()).await.unwrap();
    let is_served = async || {
        for kind in kinds {
            let uri = kind.uri("default");
            while request(client, "GET", &uri, "application/json", &Value::Null).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_served()).await.expect("all kinds are served");
}

impl<'k> ServerSide<'k> {
    pub(crate) async fn new(kind: &'k Kind, client: &kube::Client) -> Self {
        let namespace = format!("differential-{}", NAMESPACES.fetch_add(1, Ordering::Relaxed));
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let made = request(client, "POST", "/api/v1/namespaces", "application/json", &body).await.unwrap();
        Self {
            kind,
            client: client.clone(),
            namespace,
            seen: made["metadata"]["resourceVersion"].as_str().unwrap().to_owned(),
            sentinels: 0,
            writers: BTreeMap::new(),
            marked: BTreeMap::new(),
            history: History::default(),
        }
    }

    pub(crate) async fn run(&mut self, operation: &Operation) -> Outcome {
        if let Operation::Update { name, .. } | Operation::Replace { name, .. } = operation
            && self.kind.name == "Service"
            && self.history.live(name).is_none()
        {
            // Set aside: a `PUT` creates Services. `MemoryCluster::update` changes what is there.
            return Outcome::NotFound;
        }
        let (by, name, answer) = match operation {
            Operation::Apply { by, name, config, force, guard } => {
                let config = self.guarded(placed(config, &self.namespace, name), name, *guard);
                (*by, *name, self.apply(by, name, &config, *force).await)
            }
            Operation::Deploy { name, config, expect } => {
                let mut config = placed(config, &self.namespace, name);
                let metadata = config["metadata"].as_object_mut().unwrap();
                metadata.entry("labels").or_insert_with(|| json!({}))[LABEL] = APP.into();
                match expect {
                    // As `KubeTarget` does it: nothing that exists has this version.
                    None => config["metadata"]["resourceVersion"] = "1".into(),
                    Some(which) => config["metadata"]["uid"] = self.history.uid(name, *which).into(),
                }
                (MANAGERS[0], *name, self.apply(MANAGERS[0], name, &config, true).await)
            }
            Operation::Create { by, name, body } => {
                let uri = format!("{}?fieldManager={}", self.kind.uri(&self.namespace), encoded(by));
                (*by, *name, self.send("POST", &uri, &placed(body, &self.namespace, name)).await)
            }
            Operation::Update { by, name, changes, guard } => {
                let mut object = self.live_or_base(name);
                for (path, value) in changes {
                    match value {
                        Some(value) => path.set(&mut object, value.clone()),
                        None => path.remove(&mut object),
                    };
                }
                (*by, *name, self.put(by, name, object, *guard).await)
            }
            Operation::Replace { by, name, body, guard } => {
                (*by, *name, self.put(by, name, placed(body, &self.namespace, name), *guard).await)
            }
            Operation::Patch { by, name, kind, patch } => {
                let content = match kind {
                    PatchKind::Merge => "application/merge-patch+json",
                    PatchKind::Json => "application/json-patch+json",
                    PatchKind::Strategic => "application/strategic-merge-patch+json",
                };
                let uri = self.uri(name, by, "");
                (*by, *name, request(&self.client, "PATCH", &uri, content, patch).await)
            }
            Operation::Status { by, name, status } => {
                let mut object = self.live_or_base(name);
                object["status"] = status.clone();
                let uri = self.uri(name, by, "/status");
                (*by, *name, self.send("PUT", &uri, &object).await)
            }
            Operation::Delete { by, name, guard } => {
                let mut preconditions = json!({});
                if let Some(which) = guard.version {
                    preconditions["resourceVersion"] = self.history.version(name, which).into();
                }
                if let Some(which) = guard.uid {
                    preconditions["uid"] = self.history.uid(name, which).into();
                }
                let body =
                    json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
                (*by, *name, self.send("DELETE", &self.uri(name, by, ""), &body).await)
            }
            Operation::Watch => return self.watch().await,
            Operation::Expire => return self.expire().await,
        };
        match answer {
            // Some kinds answer a deletion with the object.
            Ok(_) if matches!(operation, Operation::Delete { .. }) => self.done(by, name, None).await,
            Ok(answer) => self.done(by, name, Some(answer)).await,
            Err(error) => outcome(&error),
        }
    }

    /// What a write that succeeded has changed. A write to what is about to go may have been the last.
    async fn done(&mut self, by: &'static str, name: &str, answer: Option<Value>) -> Outcome {
        let answer = answer.filter(|answer| answer["metadata"].get("deletionTimestamp").is_none());
        let now = if answer.is_some() { answer } else { self.get(name).await };
        let writes = match &now {
            Some(now) => now["metadata"]["resourceVersion"].as_str().unwrap().to_owned(),
            None => self.history.uid(name, Which::Current),
        };
        let changed = self.history.note(name, now.as_ref());
        if changed {
            self.writers.insert(writes, by);
        }
        if changed { Outcome::Changed } else { Outcome::NoOp }
    }

    async fn apply(&self, by: &str, name: &str, config: &Value, force: bool) -> kube::Result<Value> {
        let uri = format!("{}&force={force}", self.uri(name, by, ""));
        request(&self.client, "PATCH", &uri, "application/apply-patch+yaml", config).await
    }

    async fn put(&self, by: &str, name: &str, mut object: Value, guard: Guard) -> kube::Result<Value> {
        object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        self.send("PUT", &self.uri(name, by, ""), &self.guarded(object, name, guard)).await
    }

    async fn send(&self, method: &str, uri: &str, body: &Value) -> kube::Result<Value> {
        request(&self.client, method, uri, "application/json", body).await
    }

    async fn get(&self, name: &str) -> Option<Value> {
        let uri = format!("{}/{name}", self.kind.uri(&self.namespace));
        match self.send("GET", &uri, &Value::Null).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn list(&self) -> (Vec<Value>, String) {
        let list = self.send("GET", &self.kind.uri(&self.namespace), &Value::Null).await.unwrap();
        let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let items = list["items"].as_array().unwrap().iter().map(|item| {
            let mut item = item.clone();
            // Items of a list do not say their kind.
            item["apiVersion"] = self.kind.api_version().into();
            item["kind"] = self.kind.name.into();
            item
        });
        (items.filter(|item| !is_sentinel(item)).collect(), version)
    }

    /// Everything since the last look: until an object comes that is made to be the last.
    async fn watch(&mut self) -> Outcome {
        self.sentinels += 1;
        let last = format!("{SENTINEL}{}", self.sentinels);
        let mut body = placed(&self.kind.base, &self.namespace, &last);
        body["apiVersion"] = self.kind.api_version().into();
        body["kind"] = self.kind.name.into();
        let sentinel = self.send("POST", &self.kind.uri(&self.namespace), &body).await.unwrap();
        let events = match self.events(&self.seen, &last).await {
            Ok(events) => events,
            Err(status) => return Outcome::Odd(status.message),
        };
        sentinel["metadata"]["resourceVersion"].as_str().unwrap().clone_into(&mut self.seen);
        let hints = self.hints(&events);
        Outcome::Events(events, hints)
    }

    async fn expire(&mut self) -> Outcome {
        match self.events("1", "").await {
            Err(status) if status.code == 410 => {}
            Err(status) => return Outcome::Odd(status.message),
            Ok(_) => return Outcome::Odd("what is forgotten is remembered".to_owned()),
        }
        let before = self.seen.clone();
        let (listed, version) = self.list().await;
        let Outcome::Events(missed, _) = self.watch().await else {
            return Outcome::Odd(format!("what was since {before} is forgotten at {version}"));
        };
        let hints = if missed.is_empty() { Hints::Objects(BTreeSet::new()) } else { Hints::Everything };
        Outcome::Expired(listed, hints)
    }

    /// What a watch tells from a version on, until an object of a name comes.
    async fn events(&self, since: &str, last: &str) -> Result<Vec<Told>, Box<Status>> {
        let uri =
            format!("{}?watch=1&resourceVersion={since}&timeoutSeconds=30", self.kind.uri(&self.namespace));
        let request = http::Request::get(uri).body(Vec::new()).unwrap();
        let stream = match self.client.request_events::<Value>(request).await {
            Err(kube::Error::Api(status)) => return Err(status),
            stream => stream.unwrap(),
        };
        pin_mut!(stream);
        let mut told = Vec::new();
        while let Some(event) = stream.next().await {
            let (word, object) = match event.unwrap() {
                WatchEvent::Added(object) => ("ADDED", object),
                WatchEvent::Modified(object) => ("MODIFIED", object),
                WatchEvent::Deleted(object) => ("DELETED", object),
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(status) => return Err(status),
            };
            if object["metadata"]["name"] == last {
                return Ok(told);
            }
            if !is_sentinel(&object) {
                told.push(Told { word: word.to_owned(), object });
            }
        }
        panic!("the watch ended before {last:?} came, after {told:?}");
    }

    /// What a target has to say of events: which of the application's objects others changed.
    fn hints(&mut self, events: &[Told]) -> Hints {
        let mut names = BTreeSet::new();
        for Told { word, object } in events {
            let metadata = &object["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap();
            let is_gone = word == "DELETED";
            let is_ours = metadata["labels"][LABEL] == APP;
            let was_ours = self.marked.insert(text("name").to_owned(), is_ours && !is_gone).unwrap_or(false);
            let writer = self.writers.get(text(if is_gone { "uid" } else { "resourceVersion" }));
            if (is_ours || was_ours) && writer != Some(&MANAGERS[0]) {
                names.insert(text("name").to_owned());
            }
        }
        Hints::Objects(names)
    }

    fn live_or_base(&self, name: &str) -> Value {
        let base = || {
            let mut base = placed(&self.kind.base, &self.namespace, name);
            base["apiVersion"] = self.kind.api_version().into();
            base["kind"] = self.kind.name.into();
            base
        };
        self.history.live(name).cloned().unwrap_or_else(base)
    }

    fn uri(&self, name: &str, by: &str, subresource: &str) -> String {
        let collection = self.kind.uri(&self.namespace);
        format!("{collection}/{name}{subresource}?fieldManager={}", encoded(by))
    }

    fn guarded(&self, mut object: Value, name: &str, guard: Guard) -> Value {
        if let Some(which) = guard.version {
            object["metadata"]["resourceVersion"] = self.history.version(name, which).into();
        }
        if let Some(which) = guard.uid {
            object["metadata"]["uid"] = self.history.uid(name, which).into();
        }
        object
    }
}

fn encoded(manager: &str) -> String {
    manager.replace('/', "%2F")
}

fn is_sentinel(object: &Value) -> bool {
    object["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(SENTINEL))
}

async fn request(
    client: &kube::Client,
    method: &str,
    uri: &str,
    content: &str,
    body: &Value,
) -> kube::Result<Value> {
    let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    let request = http::Request::builder().method(method).uri(uri).header("content-type", content);
    client.request(request.body(bytes).unwrap()).await
}

fn outcome(error: &kube::Error) -> Outcome {
    let kube::Error::Api(status) = error else { return Outcome::Odd(error.to_string()) };
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    match (status.code, status.reason.as_str()) {
        (409, "AlreadyExists") => Outcome::Exists,
        (409, _) if causes.iter().any(|cause| cause.reason == "FieldManagerConflict") => {
            let one = |cause: &kube::core::response::StatusCause| {
                // `conflict with "operator" using v1`, and the field.
                let manager = cause.message.split('"').nth(1).unwrap_or_default();
                (manager.to_owned(), cause.field.clone())
            };
            Outcome::Conflict(causes.iter().map(one).collect())
        }
        (409, _) => Outcome::Precondition,
        // An apply that names another incarnation would change what cannot be changed. `KubeTarget` reads it so, too.
        (422, _) if causes.iter().any(|cause| cause.field == "metadata.uid") => Outcome::Precondition,
        (404, _) => Outcome::NotFound,
        (422, _) if !causes.is_empty() && causes.iter().all(|cause| cause.reason == "FieldValueRequired") => {
            Outcome::Incomplete
        }
        (400 | 422, _) => Outcome::Invalid,
        // What does not fit the schema, which the server takes for a mistake of its own.
        (500, _) if status.message.starts_with("failed to create typed patch object") => Outcome::Invalid,
        (403, _) => Outcome::Denied,
        _ => Outcome::Odd(status.to_string()),
    }
}
