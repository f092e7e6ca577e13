//! The objects that a simulated Git states.

use std::fmt::Write as _;

use gitops_core::ResourceId;
use serde_json::{Value, json};

/// Part of every value that is planted in a Secret.
pub(crate) const PLANTED: &str = "hunter2-planted";
/// The same, as it begins in base64.
pub(crate) const PLANTED_BASE64: &str = "aHVudGVyMi1wbGFudGVk";

/// What an object is and lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ConfigMap,
    Secret,
    Service,
    Deployment,
    Ingress,
    OldIngress,
    Widget,
    Gadget,
}

pub(crate) const USUAL: [Kind; 5] =
    [Kind::ConfigMap, Kind::Secret, Kind::Service, Kind::Deployment, Kind::Ingress];

impl Kind {
    /// The API group and the kind, for the objects of an application.
    fn name(self, app: &str) -> (String, &'static str) {
        let (group, kind) = match self {
            Self::ConfigMap => ("", "ConfigMap"),
            Self::Secret => ("", "Secret"),
            Self::Service => ("", "Service"),
            Self::Deployment => ("apps", "Deployment"),
            Self::Ingress => ("networking.k8s.io", "Ingress"),
            Self::OldIngress => ("extensions", "Ingress"),
            Self::Widget => return (format!("{app}.example.com"), "Widget"),
            // No cluster ever serves it.
            Self::Gadget => ("unknown.example.com", "Gadget"),
        };
        (group.to_owned(), kind)
    }

    pub(crate) fn id(self, app: &str, namespace: &str, name: &str) -> ResourceId {
        let (group, kind) = self.name(app);
        ResourceId::namespaced(group, kind, namespace, name)
    }

    /// An object of this kind; its content depends on `variant` only.
    pub(crate) fn object(self, app: &str, namespace: &str, name: &str, variant: usize) -> Value {
        let (group, kind) = self.name(app);
        let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        let mut object = json!({"apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "namespace": namespace}});
        let v = variant;
        let (field, content) = match self {
            Self::ConfigMap => {
                let mut data = json!({"key": format!("v{v}")});
                for n in 0..v % 3 {
                    data[format!("more{n}")] = json!("x");
                }
                ("data", data)
            }
            Self::Secret => ("stringData", json!({"password": format!("{PLANTED}-{v}")})),
            Self::Service => {
                let ports: Vec<Value> = (0..=v % 3)
                    .map(|n| json!({"name": format!("p{n}"), "port": 80 + n, "protocol": "TCP", "targetPort": 8000 + v}))
                    .collect();
                ("spec", json!({"selector": {"app": name}, "ports": ports}))
            }
            Self::Deployment => ("spec", deployment(name, v)),
            Self::Ingress | Self::OldIngress => {
                ("spec", json!({"rules": [{"host": format!("v{v}.example.com")}], "ingressClassName": "web"}))
            }
            Self::Widget | Self::Gadget => {
                ("spec", json!({"size": v, "parts": [{"name": "a"}, {"name": "b"}]}))
            }
        };
        object[field] = content;
        if v % 4 == 1 {
            object["metadata"]["labels"] = json!({"tier": format!("t{v}")});
        }
        object
    }
}

fn deployment(name: &str, v: usize) -> Value {
    let env: Vec<Value> =
        (0..v % 3).map(|n| json!({"name": format!("E{n}"), "value": format!("{v}")})).collect();
    let mut web = json!({"name": "web", "image": format!("web:{v}"),
        "resources": {"limits": {"memory": "0.5Gi"}}});
    if !env.is_empty() {
        web["env"] = json!(env);
    }
    let mut containers = vec![web];
    if v % 2 == 1 {
        containers.push(json!({"name": "log", "image": "log:1"}));
    }
    json!({"replicas": 1 + v % 4, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}})
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"stage": "test"}}})
}

/// The definition of an application's own kind.
pub(crate) fn definition(app: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{app}.example.com")},
        "spec": {"group": format!("{app}.example.com"), "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced", "versions": [{"name": "v1", "served": true, "storage": true}]}})
}

/// The canonical id of an object that [`Kind::object`], [`namespace`] or [`definition`] made.
pub(crate) fn id_of(object: &Value) -> ResourceId {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let api_version = text(&object["apiVersion"]);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => ResourceId::namespaced(group, kind, namespace, name),
        None => ResourceId::global(group, kind, name),
    }
}

/// A field that Git states of every object of a kind, for others to change.
pub(crate) fn stated_field(id: &ResourceId) -> &'static str {
    match id.kind.as_str() {
        "ConfigMap" => "/data/key",
        "Secret" => "/data/password",
        "Service" => "/spec/ports/0/port",
        "Deployment" => "/spec/replicas",
        "Ingress" => "/spec/rules/0/host",
        "Namespace" => "/metadata/labels/stage",
        "CustomResourceDefinition" => "/spec/names/plural",
        _ => "/spec/size",
    }
}

/// Another value for that field.
pub(crate) fn other_value(id: &ResourceId, n: usize) -> Value {
    match id.kind.as_str() {
        // "hunter2-planted-by-hand", with three digits.
        "Secret" => json!(format!("{PLANTED_BASE64}LWJ5LWhhbmQ{:03}", n % 1000) + "="),
        "Service" => json!(1000 + n % 1000),
        "Deployment" => json!(5 + n % 5),
        "Widget" => json!(1000 + n),
        _ => json!(format!("by-hand-{n}")),
    }
}

/// A file that holds objects.
pub(crate) fn file(objects: &[Value]) -> String {
    let mut text = String::new();
    for object in objects {
        let _ = writeln!(text, "---\n{object:#}");
    }
    text
}
