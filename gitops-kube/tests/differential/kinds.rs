//! The kinds that are written, and with what.

use gitops_core::ResourceId;
use gitops_diff::{FieldPath, PathElement};
use serde_json::{Value, json};

/// The finalizers that hold an object.
pub(crate) const FINALIZERS: &str = ".metadata.finalizers";

/// A kind: where it is, what every object of it states, and what one may state besides.
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) base: Value,
    pub(crate) slots: Vec<Slot>,
    /// What the API server puts where nothing is: a path (`*` for any item), and the value; none for one that it chooses.
    pub(crate) defaults: Vec<(&'static str, Option<Value>)>,
    /// Lists that Go writes as null where there are none: the server finds one in an object without content, and so who
    /// creates the object does not own the list itself, only its items. No schema says which lists these are.
    pub(crate) hollow: Vec<&'static str>,
}

/// A field that may be stated, with one of some values. None of them is the field's default: whether a default is owned
/// depends on how it came there, and `MemoryCluster` sets none.
pub(crate) struct Slot {
    pub(crate) path: FieldPath,
    pub(crate) values: Vec<Value>,
    /// What goes where the field is taken away: the field, or its item if that cannot be without; none if it must stay.
    pub(crate) gone: Option<FieldPath>,
    /// Whether it has a default, which whoever creates the object would own: then it is stated.
    pub(crate) defaulted: bool,
}

impl Slot {
    /// A field without which the server takes no object.
    fn required(mut self) -> Self {
        self.gone = None;
        self
    }

    /// A field without which the server takes no item.
    fn of_item(mut self) -> Self {
        self.gone = self.path.parent();
        self
    }

    /// A field with a default. Nobody takes it away but by an apply: others would own the default.
    fn defaulted(mut self) -> Self {
        (self.gone, self.defaulted) = (None, true);
        self
    }

    /// Whether the way to it leads through maps alone.
    pub(crate) fn is_plain(&self) -> bool {
        self.path.elements().iter().all(|element| matches!(element, PathElement::Field(_)))
    }
}

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether it is defined by a `CustomResourceDefinition`.
    pub(crate) fn is_custom(&self) -> bool {
        self.name == "Widget"
    }

    /// Whether `status` is a subresource of it that the tests write.
    pub(crate) fn has_status(&self) -> bool {
        matches!(self.name, "Widget" | "Deployment")
    }

    pub(crate) fn id(&self, namespace: &str, name: &str) -> ResourceId {
        ResourceId::namespaced(self.group, self.name, namespace, name)
    }

    /// The path of the collection in a namespace.
    pub(crate) fn uri(&self, namespace: &str) -> String {
        let (root, version) = (if self.group.is_empty() { "api" } else { "apis" }, self.api_version());
        format!("/{root}/{version}/namespaces/{namespace}/{}", self.plural)
    }
}

/// A plain path as a JSON Pointer. No name here needs escapes.
pub(crate) fn pointer(path: &FieldPath) -> String {
    let part = |element: &PathElement| match element {
        PathElement::Field(name) => format!("/{name}"),
        _ => panic!("{path} is no plain path"),
    };
    path.elements().iter().map(part).collect()
}

fn slot(path: &str, values: impl IntoIterator<Item = Value>) -> Slot {
    let path: FieldPath = path.parse().unwrap();
    Slot { gone: Some(path.clone()), path, values: values.into_iter().collect(), defaulted: false }
}

fn kind(group: &'static str, version: &'static str, name: &'static str, plural: &'static str) -> Kind {
    let slots = vec![
        slot(".metadata.labels.tier", ["web".into(), "db".into()]),
        slot(".metadata.labels.team", ["a".into(), "b".into()]),
        slot(".metadata.annotations.note", ["x".into(), "y".into()]),
        slot(FINALIZERS, [json!(["example.org/hold"]), json!(["example.org/hold", "example.org/other"])]),
    ];
    Kind { group, version, name, plural, base: json!({}), slots, defaults: Vec::new(), hollow: Vec::new() }
}

/// The definition of the custom kind.
pub(crate) fn definition() -> Value {
    let keyed = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}});
    let text = json!({"type": "array", "items": {"type": "string"}});
    let mut set = text.clone();
    set["x-kubernetes-list-type"] = json!("set");
    let point = json!({"type": "object", "x-kubernetes-map-type": "atomic",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}});
    let spec = json!({"type": "object", "properties": {"size": {"type": "integer"}, "items": keyed, "tags": set,
        "order": text, "point": point,
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org"},
        "spec": {"group": "example.org", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec,
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}})
}

/// All of them.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![config_map(), secret(), service(), deployment(), widget()]
}

fn config_map() -> Kind {
    let mut kind = kind("", "v1", "ConfigMap", "configmaps");
    kind.base = json!({"data": {"base": "0"}});
    for key in ["a", "b", "c"] {
        kind.slots.push(slot(&format!(".data.{key}"), ["1".into(), "2".into(), "3".into()]));
    }
    kind.slots.push(slot(".binaryData.bin", ["AQ==".into(), "Ag==".into()]));
    kind
}

fn secret() -> Kind {
    let mut kind = kind("", "v1", "Secret", "secrets");
    kind.base = json!({"data": {"base": "MA=="}});
    for key in ["a", "b"] {
        kind.slots.push(slot(&format!(".data.{key}"), ["MQ==".into(), "Mg==".into(), "Mw==".into()]));
    }
    kind.defaults.push(("type", Some("Opaque".into())));
    kind
}

fn service() -> Kind {
    let mut kind = kind("", "v1", "Service", "services");
    kind.base =
        json!({"spec": {"ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8000}]}});
    kind.slots.extend([
        slot(".spec.selector", [json!({"app": "web"}), json!({"app": "db", "tier": "x"})]),
        slot(".spec.publishNotReadyAddresses", [true.into()]),
        slot(r#".spec.ports[port=443,protocol="TCP"].name"#, ["https".into()]).of_item(),
        slot(r#".spec.ports[port=53,protocol="UDP"].name"#, ["dns".into()]).of_item(),
        slot(r#".spec.ports[port=80,protocol="TCP"].targetPort"#, [8080.into(), "web".into()]).required(),
    ]);
    kind.defaults.extend([
        ("spec.clusterIP", None),
        ("spec.clusterIPs", None),
        ("spec.internalTrafficPolicy", Some("Cluster".into())),
        ("spec.ipFamilies", Some(json!(["IPv4"]))),
        ("spec.ipFamilyPolicy", Some("SingleStack".into())),
        ("spec.sessionAffinity", Some("None".into())),
        ("spec.type", Some("ClusterIP".into())),
        ("spec.ports.*.protocol", Some("TCP".into())),
        ("spec.ports.*.targetPort", Some(80.into())),
        ("spec.ports.*.targetPort", Some(443.into())),
        ("spec.ports.*.targetPort", Some(53.into())),
        ("status", Some(json!({"loadBalancer": {}}))),
    ]);
    kind
}

fn deployment() -> Kind {
    let mut kind = kind("apps", "v1", "Deployment", "deployments");
    kind.base = json!({"spec": {"selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:0",
                // Stated always, for its default is an object without content, which whoever creates the item would own.
                "resources": {"requests": {"memory": "1Mi"}}}]}}}});
    let pod = |path: &str| format!(".spec.template.spec{path}");
    let web = |path: &str| pod(&format!(r#".containers[name="web"]{path}"#));
    kind.slots.extend([
        slot(".spec.replicas", [2.into(), 3.into()]).defaulted(),
        slot(".spec.paused", [true.into()]),
        slot(".spec.minReadySeconds", [5.into(), 10.into()]),
        slot(".spec.template.metadata.annotations.stamp", ["1".into(), "2".into()]),
        slot(&pod(".nodeSelector"), [json!({"disk": "ssd"}), json!({"disk": "hdd", "zone": "a"})]),
        slot(
            &pod(".tolerations"),
            [json!([{"key": "a", "operator": "Exists"}]), json!([{"key": "b", "operator": "Exists"}])],
        ),
        slot(&web(".image"), ["web:1".into(), "web:2".into()]).required(),
        slot(&web(r#".env[name="A"].value"#), ["1".into(), "2".into()]),
        slot(&web(r#".env[name="B"].value"#), ["1".into(), "2".into()]),
        slot(&web(".args"), [json!(["-v"]), json!(["-v", "-x"])]),
        slot(&web(r#".ports[containerPort=80,protocol="TCP"].name"#), ["http".into(), "web".into()]),
        slot(&web(r#".ports[containerPort=81,protocol="TCP"].name"#), ["admin".into()]),
        slot(&web(".resources.limits.cpu"), ["1".into(), "2".into()]),
        slot(&pod(r#".containers[name="side"].image"#), ["side:1".into(), "side:2".into()]).of_item(),
        slot(&pod(r#".volumes[name="tmp"].emptyDir.medium"#), ["Memory".into()]),
    ]);
    kind.defaults.extend([
        ("spec.progressDeadlineSeconds", Some(600.into())),
        ("spec.replicas", Some(1.into())),
        ("spec.revisionHistoryLimit", Some(10.into())),
        ("spec.strategy", Some(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}))),
        ("spec.template.spec.dnsPolicy", Some("ClusterFirst".into())),
        ("spec.template.spec.restartPolicy", Some("Always".into())),
        ("spec.template.spec.schedulerName", Some("default-scheduler".into())),
        ("spec.template.spec.securityContext", Some(json!({}))),
        ("spec.template.spec.terminationGracePeriodSeconds", Some(30.into())),
        ("spec.template.spec.containers.*.imagePullPolicy", Some("IfNotPresent".into())),
        ("spec.template.spec.containers.*.resources", Some(json!({}))),
        ("spec.template.spec.containers.*.terminationMessagePath", Some("/dev/termination-log".into())),
        ("spec.template.spec.containers.*.terminationMessagePolicy", Some("File".into())),
        ("spec.template.spec.containers.*.ports.*.protocol", Some("TCP".into())),
        // A volume that has lost its source with the last who owned it gets this one.
        ("spec.template.spec.volumes.*.emptyDir", Some(json!({}))),
        ("status", Some(json!({}))),
    ]);
    kind.hollow.push("spec.template.spec.containers");
    kind
}

fn widget() -> Kind {
    let mut kind = kind("example.org", "v1", "Widget", "widgets");
    kind.base = json!({"spec": {"size": 1}});
    kind.slots.extend([
        slot(".spec.size", [2.into(), 3.into()]),
        // Of these, nobody owns a part while an apply states the whole: what an apply gives up then becomes null, which a
        // definition's schema refuses, and what it refuses is not known in memory.
        slot(r#".spec.items[name="a"].value"#, ["1".into()]).of_item(),
        slot(r#".spec.items[name="b"].value"#, ["1".into()]).of_item(),
        slot(".spec.free.list", [json!(["1", {"a": "2"}])]).of_item(),
        slot(".spec.tags", [json!(["x"]), json!(["x", "y"]), json!(["y", "z"])]),
        slot(".spec.order", [json!(["x"]), json!(["y", "x"])]),
        slot(".spec.point", [json!({"x": 1}), json!({"x": 1, "y": 2})]),
    ]);
    kind
}
