//! Three commits of one application: what is there before, a sync of forty objects, and what comes after it.

use serde_json::{Map, Value, json};

use crate::support::PART_OF;

/// The parts of the sync from the first commit to the second.
pub(crate) const CREATED: usize = 15;
pub(crate) const CHANGED: usize = 14;
pub(crate) const PRUNED: usize = 5;
pub(crate) const UNCHANGED: usize = 6;

/// One application with names of its own: its namespaces, its kind and its cluster-wide objects bear its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
}

/// Another application.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    pub(crate) name: String,
    /// What its members bear.
    pub(crate) label: String,
}

/// An object with the path at which the API server has it.
#[derive(Debug, Clone)]
pub(crate) struct Stated {
    pub(crate) path: String,
    pub(crate) object: Value,
}

impl Scenario {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// The namespace that is there before, and the one that comes with the second commit.
    pub(crate) fn namespaces(&self) -> [String; 2] {
        [self.name.clone(), format!("{}-new", self.name)]
    }

    /// Whether a path is that of an object with a name of this application's.
    pub(crate) fn is_named_in(&self, path: &str) -> bool {
        let words = path.split(['/', '.']);
        words
            .map(|word| word.strip_suffix("-new").unwrap_or(word))
            .any(|word| word.strip_suffix("-reader").unwrap_or(word) == self.name)
    }

    fn group(&self) -> String {
        format!("{}.example.com", self.name)
    }

    /// The first commit: 25 objects.
    pub(crate) fn before(&self) -> Vec<Stated> {
        [self.unchanged(), self.changed("1"), self.pruned()].concat()
    }

    /// The second commit: 15 objects are new, 14 are changed, 6 are the same, and 5 are gone.
    pub(crate) fn sync(&self) -> Vec<Stated> {
        [self.unchanged(), self.changed("2"), self.lasting(), self.fleeting()].concat()
    }

    /// The third commit: four of the new objects are gone again. Who crashed must find those that it has created.
    pub(crate) fn after(&self) -> Vec<Stated> {
        [self.unchanged(), self.changed("2"), self.lasting()].concat()
    }

    /// How many objects come into being in any life.
    pub(crate) fn created_at_least(&self) -> usize {
        self.before().len() + self.lasting().len()
    }

    /// What may be deleted: by the second commit, and by the third.
    pub(crate) fn pruned(&self) -> Vec<Stated> {
        let here = &self.name;
        vec![
            map(here, "old-1", "1"),
            map(here, "old-2", "1"),
            secret(here, "old", "1"),
            service(here, "old", 80),
            account(here, "old"),
        ]
    }

    pub(crate) fn fleeting(&self) -> Vec<Stated> {
        let [here, there] = self.namespaces();
        vec![
            self.backup(&there, "fleeting"),
            map(&there, "fleeting", "1"),
            map(&here, "fleeting", "1"),
            secret(&here, "fleeting", "1"),
        ]
    }

    fn unchanged(&self) -> Vec<Stated> {
        let here = &self.name;
        let mut all = vec![namespace(here), self.role()];
        all.extend((1..=4).map(|n| map(here, &format!("same-{n}"), "1")));
        all
    }

    fn changed(&self, value: &str) -> Vec<Stated> {
        let here = &self.name;
        let mut all: Vec<_> = (1..=8).map(|n| map(here, &format!("changed-{n}"), value)).collect();
        all.extend([secret(here, "changed-1", value), secret(here, "changed-2", value)]);
        let port = if value == "1" { 80 } else { 81 };
        all.extend([service(here, "changed-1", port), service(here, "changed-2", port)]);
        all.extend([deployment(here, "changed", value), deployment(here, "changed-too", value)]);
        all
    }

    fn lasting(&self) -> Vec<Stated> {
        let [here, there] = self.namespaces();
        let mut all = vec![
            // In the worst order: an object before its kind and its namespace.
            self.backup(&there, "hourly"),
            self.backup(&here, "daily"),
            self.definition(),
            namespace(&there),
            map(&there, "new", "1"),
            deployment(&there, "new", "1"),
            secret(&here, "new", "1"),
            account(&here, "new"),
        ];
        all.extend((1..=3).map(|n| map(&here, &format!("new-{n}"), "1")));
        all
    }

    fn role(&self) -> Stated {
        let name = format!("{}-reader", self.name);
        stated(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            (None, &name),
            &json!({"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}),
        )
    }

    fn definition(&self) -> Stated {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object",
            "properties": {"every": {"type": "string"}}}}});
        stated(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            (None, &format!("backups.{}", self.group())),
            &json!({"spec": {"group": self.group(), "scope": "Namespaced",
                "names": {"kind": "Backup", "plural": "backups", "singular": "backup", "listKind": "BackupList"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": schema}}]}}),
        )
    }

    fn backup(&self, namespace: &str, name: &str) -> Stated {
        stated(
            &format!("{}/namespaces/{namespace}/backups", self.kind_path()),
            &format!("{}/v1", self.group()),
            "Backup",
            (Some(namespace), name),
            &json!({"spec": {"every": "24h"}}),
        )
    }

    fn kind_path(&self) -> String {
        format!("/apis/{}/v1", self.group())
    }

    /// The definition of the kind that comes with the second commit.
    pub(crate) fn definition_path(&self) -> String {
        self.definition().path
    }

    /// The paths of what is in no namespace.
    pub(crate) fn cluster_wide(&self) -> Vec<String> {
        let [here, there] = self.namespaces();
        vec![self.role().path, self.definition_path(), namespace(&here).path, namespace(&there).path]
    }

    /// The lists in which all other objects are that any of the commits has.
    pub(crate) fn lists(&self) -> Vec<String> {
        let mut lists = vec![format!("{}/backups", self.kind_path())];
        for namespace in self.namespaces() {
            for kind in ["configmaps", "secrets", "services", "serviceaccounts"] {
                lists.push(format!("/api/v1/namespaces/{namespace}/{kind}"));
            }
            lists.push(format!("/apis/apps/v1/namespaces/{namespace}/deployments"));
        }
        lists
    }

    /// Objects of others, with who creates them. One bears the label of our members, and one is another application's.
    pub(crate) fn foreign(&self, label: &str, neighbour: &Neighbour) -> Vec<(String, Stated)> {
        let here = &self.name;
        let labelled = |name: &str, label: &str| {
            let mut map = map(here, name, "theirs");
            map.object["metadata"]["labels"] = json!({PART_OF: label});
            map
        };
        let nobodys = [
            map(here, "foreign", "theirs"),
            secret(here, "foreign", "theirs"),
            service(here, "foreign", 99),
            labelled("forged", label),
        ];
        let mut all = Vec::from(nobodys.map(|stated| ("somebody".to_owned(), stated)));
        all.push((format!("gitops%2F{}", neighbour.name), labelled("neighbour", &neighbour.label)));
        all
    }
}

/// Whether a live value is what is stated, and maybe more.
pub(crate) fn holds(live: &Value, stated: &Value) -> bool {
    match (live, stated) {
        (Value::Object(live), Value::Object(stated)) => {
            stated.iter().all(|(key, value)| live.get(key).is_some_and(|live| holds(live, value)))
        }
        (Value::Array(live), Value::Array(stated)) => {
            live.len() == stated.len() && live.iter().zip(stated).all(|(live, stated)| holds(live, stated))
        }
        _ => live == stated,
    }
}

fn stated(
    collection: &str,
    version: &str,
    kind: &str,
    (namespace, name): (Option<&str>, &str),
    rest: &Value,
) -> Stated {
    let mut metadata = Map::new();
    metadata.insert("name".into(), name.into());
    if let Some(namespace) = namespace {
        metadata.insert("namespace".into(), namespace.into());
    }
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    Stated { path: format!("{collection}/{name}"), object }
}

fn core(kind: &str, plural: &str, namespace: &str, name: &str, rest: &Value) -> Stated {
    stated(&format!("/api/v1/namespaces/{namespace}/{plural}"), "v1", kind, (Some(namespace), name), rest)
}

fn namespace(name: &str) -> Stated {
    stated("/api/v1/namespaces", "v1", "Namespace", (None, name), &json!({}))
}

fn map(namespace: &str, name: &str, value: &str) -> Stated {
    core("ConfigMap", "configmaps", namespace, name, &json!({"data": {"key": value}}))
}

fn secret(namespace: &str, name: &str, value: &str) -> Stated {
    // A digit and five zeros, in base64.
    let encoded = if value == "1" { "MTAwMDAw" } else { "MjAwMDAw" };
    core("Secret", "secrets", namespace, name, &json!({"data": {"key": encoded}}))
}

fn service(namespace: &str, name: &str, port: u16) -> Stated {
    let spec = json!({"spec": {"selector": {"app": name}, "ports": [{"port": port}]}});
    core("Service", "services", namespace, name, &spec)
}

fn account(namespace: &str, name: &str) -> Stated {
    core("ServiceAccount", "serviceaccounts", namespace, name, &json!({}))
}

fn deployment(namespace: &str, name: &str, version: &str) -> Stated {
    let image = format!("registry.example/web:{version}");
    stated(
        &format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        "apps/v1",
        "Deployment",
        (Some(namespace), name),
        &json!({"spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": image}]}}}}),
    )
}
