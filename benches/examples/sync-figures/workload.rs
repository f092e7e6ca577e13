//! What is deployed: mixed objects, the same in every run.

use gitops_diff::Redaction;
use serde_json::{Value, json};

/// Of that many objects, one is a Namespace and the others are in it.
const PER_NAMESPACE: usize = 100;

/// One object, where it is in the repository, and where it is in the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) file: String,
    /// The path of the object at the API server.
    pub(crate) uri: String,
    pub(crate) content: Value,
}

impl Object {
    fn new(content: Value) -> Self {
        let text = |at: &str| content.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
        let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let plural = match kind {
            "NetworkPolicy" => "networkpolicies".to_owned(),
            "Ingress" => "ingresses".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let (uri, directory) = if namespace.is_empty() {
            (format!("{root}/{plural}/{name}"), format!("apps/{name}"))
        } else {
            (format!("{root}/namespaces/{namespace}/{plural}/{name}"), format!("apps/{namespace}"))
        };
        Self { file: format!("{directory}/{}-{name}.yaml", kind.to_lowercase()), uri, content }
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.content["kind"] == "Namespace"
    }

    /// The manifest as people write it.
    pub(crate) fn yaml(&self) -> String {
        gitops_diff::yaml(&Redaction::reveal_everything().redact(&self.content))
    }

    /// A merge patch that changes a field that the manifest states.
    pub(crate) fn change(&self, number: usize) -> Value {
        match self.content["kind"].as_str().unwrap_or_default() {
            "Deployment" => {
                json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 100 + number}}}})
            }
            "ConfigMap" => json!({"data": {"LOG_LEVEL": format!("debug-{number}")}}),
            "Secret" => json!({"data": {"token": "Y2hhbmdlZA=="}}),
            "HorizontalPodAutoscaler" => json!({"spec": {"maxReplicas": 100 + number}}),
            "CronJob" => json!({"spec": {"schedule": format!("{} 5 * * *", number % 60)}}),
            _ => json!({"metadata": {"labels": {"team": format!("team-{number}")}}}),
        }
    }
}

/// So many objects, Namespaces first.
pub(crate) fn objects(count: usize) -> Vec<Object> {
    let namespaces = count.div_ceil(PER_NAMESPACE);
    let all = (0..namespaces).map(namespace);
    let rest = (0..count - namespaces).map(|number| {
        let home = format!("team-{}", number / (PER_NAMESPACE - 1));
        let mut object = in_namespace(number);
        object["metadata"]["namespace"] = home.clone().into();
        if object["kind"] == "RoleBinding" {
            object["subjects"][0]["namespace"] = home.into();
        }
        object
    });
    all.chain(rest).map(Object::new).collect()
}

fn namespace(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("team-{number}"), "labels": labels(number)}})
}

fn labels(number: usize) -> Value {
    json!({"app.kubernetes.io/name": format!("app-{number}"), "app.kubernetes.io/part-of": "shop", "team": format!("t{}", number % 7)})
}

/// An object; of twenty in a row every kind is one at least.
fn in_namespace(number: usize) -> Value {
    let (make, version, kind): (fn(usize) -> Value, _, _) = match number % 20 {
        0..=3 => (deployment, "apps/v1", "Deployment"),
        4..=6 => (service, "v1", "Service"),
        7..=10 => (config_map, "v1", "ConfigMap"),
        11 | 12 => (secret, "v1", "Secret"),
        13 => return role_and_account(number),
        14 => (role_binding, "rbac.authorization.k8s.io/v1", "RoleBinding"),
        15 => (autoscaler, "autoscaling/v2", "HorizontalPodAutoscaler"),
        16 => (disruption_budget, "policy/v1", "PodDisruptionBudget"),
        17 => (network_policy, "networking.k8s.io/v1", "NetworkPolicy"),
        18 => (ingress, "networking.k8s.io/v1", "Ingress"),
        _ => (cron_job, "batch/v1", "CronJob"),
    };
    let mut object = make(number);
    object["apiVersion"] = version.into();
    object["kind"] = kind.into();
    object["metadata"] = json!({"name": format!("app-{number}"), "labels": labels(number)});
    object
}

/// Half of them are roles, half service accounts.
fn role_and_account(number: usize) -> Value {
    let metadata = json!({"name": format!("app-{number}"), "labels": labels(number)});
    if (number / 20).is_multiple_of(2) {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": [
            {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
        ]})
    } else {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": false})
    }
}

fn container(number: usize) -> Value {
    let env: Vec<_> = (0..10)
        .map(|at| json!({"name": format!("SETTING_{at}"), "value": format!("value-{}-{at}", number % 13)}))
        .collect();
    json!({
        "name": "main",
        "image": format!("registry.example/shop/app-{number}:1.{}.0", number % 40),
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
        "env": env,
        "envFrom": [{"configMapRef": {"name": format!("app-{number}")}}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "0.5Gi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "initialDelaySeconds": 10},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/settings"}, {"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    })
}

/// Replicas are left to the autoscaler in one of four.
fn deployment(number: usize) -> Value {
    let app = json!({"app.kubernetes.io/name": format!("app-{number}")});
    let mut spec = json!({
        "selector": {"matchLabels": app},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "template": {
            "metadata": {"labels": app, "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"}},
            "spec": {
                "terminationGracePeriodSeconds": 30,
                "containers": [container(number)],
                "volumes": [
                    {"name": "settings", "configMap": {"name": format!("app-{number}")}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
        },
    });
    if !number.is_multiple_of(4) {
        spec["replicas"] = json!(1 + number % 3);
    }
    json!({"spec": spec})
}

fn service(number: usize) -> Value {
    json!({"spec": {
        "selector": {"app.kubernetes.io/name": format!("app-{number}")},
        "ports": [
            {"name": "http", "port": 80, "targetPort": "http"},
            {"name": "metrics", "port": 9090, "targetPort": "metrics", "protocol": "TCP"},
        ],
    }})
}

/// From some hundred bytes up to 12 kB.
fn config_map(number: usize) -> Value {
    let size = [300, 1_000, 3_000, 12_000][number % 4];
    let line = format!("option.{number} = the quick brown fox jumps over the lazy dog\n");
    let file = line.repeat((size / line.len()).max(1));
    json!({"data": {"LOG_LEVEL": "info", "settings.conf": file}})
}

fn secret(number: usize) -> Value {
    json!({"type": "Opaque", "data": {
        "token": "dG9rZW4tb2YtYW4tZXhhbXBsZQ==",
        "password": format!("cGFzc3dvcmQ{:05}", number % 1000),
        "certificate": "TElLRV9BX0NFUlRJRklDQVRF".repeat(40),
    }})
}

fn role_binding(number: usize) -> Value {
    json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": format!("app-{}", number - 1)},
        "subjects": [{"kind": "ServiceAccount", "name": format!("app-{number}"), "namespace": ""}],
    })
}

fn autoscaler(number: usize) -> Value {
    json!({"spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": format!("app-{}", number - 15)},
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 75}}}],
    }})
}

fn disruption_budget(number: usize) -> Value {
    let app = json!({"app.kubernetes.io/name": format!("app-{}", number - 16)});
    json!({"spec": {"maxUnavailable": 1, "selector": {"matchLabels": app}}})
}

fn network_policy(number: usize) -> Value {
    let app = |number: usize| json!({"app.kubernetes.io/name": format!("app-{number}")});
    json!({"spec": {
        "podSelector": {"matchLabels": app(number - 17)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": app(number - 16)}}], "ports": [{"port": 8080, "protocol": "TCP"}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}}]}],
    }})
}

fn ingress(number: usize) -> Value {
    let host = format!("app-{number}.shop.example");
    let backend = json!({"service": {"name": format!("app-{}", number - 14), "port": {"name": "http"}}});
    json!({"spec": {
        "ingressClassName": "public",
        "tls": [{"hosts": [host], "secretName": format!("app-{}", number - 7)}],
        "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    }})
}

fn cron_job(number: usize) -> Value {
    json!({"spec": {
        "schedule": "15 3 * * *",
        "suspend": true,
        "concurrencyPolicy": "Forbid",
        "jobTemplate": {"spec": {"backoffLimit": 2, "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [container(number)],
            "volumes": [
                {"name": "settings", "configMap": {"name": format!("app-{number}")}},
                {"name": "tmp", "emptyDir": {}},
            ],
        }}}},
    }})
}
