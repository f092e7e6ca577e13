//! An API server for unit tests, that answers what it was told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

fn discovery(path: &str) -> Option<Value> {
    let maps = json!({"resource": "configmaps", "scope": "Namespaced", "verbs": ["get"],
        "responseKind": {"version": "v1", "kind": "ConfigMap"}});
    let definitions = json!({"resource": "customresourcedefinitions", "scope": "Cluster", "verbs": ["get"],
        "responseKind": {"group": "apiextensions.k8s.io", "version": "v1", "kind": "CustomResourceDefinition"}});
    let extensions = json!([{"metadata": {"name": "apiextensions.k8s.io"},
        "versions": [{"version": "v1", "freshness": "Current", "resources": [definitions]}]}]);
    let namespaces = json!({"resource": "namespaces", "scope": "Cluster", "verbs": ["get"],
        "responseKind": {"version": "v1", "kind": "Namespace"}});
    let core = json!([{"metadata": {},
        "versions": [{"version": "v1", "freshness": "Current", "resources": [maps, namespaces]}]}]);
    match path {
        "/api" => Some(json!({"kind": "APIGroupDiscoveryList", "items": core})),
        "/apis" => Some(json!({"kind": "APIGroupDiscoveryList", "items": extensions})),
        _ => None,
    }
}

/// A list, whole.
pub(crate) fn list(version: &str, items: &[Value]) -> Answer {
    Answer::Now(
        200,
        json!({"kind": "List", "metadata": {"resourceVersion": version}, "items": items}).to_string(),
    )
}

/// The events of a watch, which ends after them.
pub(crate) fn lines(events: &[Value]) -> Answer {
    let lines: Vec<_> = events.iter().map(Value::to_string).collect();
    Answer::Now(200, lines.join("\n") + "\n")
}

/// What the server answers.
pub(crate) enum Answer {
    /// A status and a body.
    Now(u16, String),
    /// What was sent last, as it is stored.
    Stored,
    /// The request stays open.
    Never,
}

/// An API server that gives its answers in turn, after discovery; `asked` are the requests that it got.
pub(crate) fn server(answers: Vec<Answer>) -> (kube::Client, Arc<Mutex<Vec<String>>>) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = asked.clone();
    tokio::spawn(async move {
        let mut answers = VecDeque::from(answers);
        let (mut open, mut stored) = (Vec::new(), Vec::new());
        while let Some((request, send)) = handle.next_request().await {
            let body = |code: u16, text: String| {
                Response::builder().status(code).body(Body::from(text.into_bytes()))
            };
            if let Some(found) = discovery(request.uri().path()) {
                send.send_response(body(200, found.to_string()).unwrap());
                continue;
            }
            log.lock().unwrap().push(request.uri().to_string());
            let sent = request.into_body().collect_bytes().await.unwrap();
            if !sent.is_empty() {
                stored = sent.to_vec();
            }
            match answers.pop_front() {
                Some(Answer::Stored) => {
                    send.send_response(Response::new(Body::from(stored.clone())));
                }
                Some(Answer::Now(code, text)) => send.send_response(body(code, text).unwrap()),
                _ => open.push(send),
            }
        }
    });
    (kube::Client::new(service, "default"), asked)
}
