//! What a team writes for each kind, and what an API server and the controllers make of it.

use serde_json::{Map, Value, json};

use super::random::Random;

/// One kind of the workload.
pub(super) struct Kind {
    pub(super) api_version: &'static str,
    pub(super) name: &'static str,
    /// How many of a hundred objects are of this kind.
    pub(super) share: u64,
    /// Whether Kubernetes itself knows it.
    pub(super) known: bool,
    /// Everything below the metadata, as Git has it.
    pub(super) desired: fn(&mut Random, &Names) -> Value,
    /// The same with the defaults of the API server.
    pub(super) defaulted: fn(&mut Value, &mut Random),
    /// What the controllers report: annotations, the status, and who writes it.
    pub(super) status: fn(&Value, &mut Random) -> Reported,
    /// A field that people change by hand: its path, and what they write there.
    pub(super) by_hand: (&'static [&'static str], fn(&mut Random) -> Value),
}

/// What a controller writes.
#[derive(Default)]
pub(super) struct Reported {
    pub(super) manager: &'static str,
    pub(super) annotations: Map<String, Value>,
    pub(super) status: Option<Value>,
}

/// The names of one object.
pub(super) struct Names {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) app: String,
}

pub(super) const KINDS: [Kind; 12] = [
    Kind {
        api_version: "apps/v1",
        name: "Deployment",
        share: 24,
        known: true,
        desired: |random, names| {
            json!({"spec": {
                "replicas": 2 + random.below(4),
                "revisionHistoryLimit": 3,
                "selector": {"matchLabels": {"app.kubernetes.io/name": names.app}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "template": template(random, names, &["web"]),
            }})
        },
        defaulted: |tree, _| {
            let Some(spec) = tree.get_mut("spec") else { return };
            set(spec, "progressDeadlineSeconds", json!(600));
            default_template(spec);
        },
        status: |tree, random| {
            let replicas = tree["spec"]["replicas"].clone();
            Reported {
                manager: "kube-controller-manager",
                annotations: annotations("deployment.kubernetes.io/revision", &random.below(40).to_string()),
                status: Some(json!({
                    "observedGeneration": 1 + random.below(40),
                    "replicas": replicas, "updatedReplicas": replicas,
                    "readyReplicas": replicas, "availableReplicas": replicas,
                    "conditions": [
                        condition("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                        condition("Progressing", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed."),
                    ],
                })),
            }
        },
        by_hand: (&["spec", "replicas"], |random| json!(7 + random.below(9))),
    },
    Kind {
        api_version: "apps/v1",
        name: "StatefulSet",
        share: 8,
        known: true,
        desired: |random, names| {
            json!({"spec": {
                "replicas": 3,
                "serviceName": names.name,
                "selector": {"matchLabels": {"app.kubernetes.io/name": names.app}},
                "template": template(random, names, &["store"]),
                "volumeClaimTemplates": [{
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "volumeMode": "Filesystem",
                        "resources": {"requests": {"storage": format!("{}Gi", 1 + random.below(90))}},
                    },
                    "status": {"phase": "Pending"},
                }],
            }})
        },
        defaulted: |tree, _| {
            let Some(spec) = tree.get_mut("spec") else { return };
            set(spec, "podManagementPolicy", json!("OrderedReady"));
            set(spec, "revisionHistoryLimit", json!(10));
            set(spec, "updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
            set(
                spec,
                "persistentVolumeClaimRetentionPolicy",
                json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
            );
            default_template(spec);
        },
        status: |tree, random| {
            let (replicas, revision) = (tree["spec"]["replicas"].clone(), random.hex(10));
            Reported {
                manager: "kube-controller-manager",
                status: Some(json!({
                    "observedGeneration": 1 + random.below(9), "collisionCount": 0,
                    "replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
                    "currentReplicas": replicas, "updatedReplicas": replicas,
                    "currentRevision": format!("store-{revision}"), "updateRevision": format!("store-{revision}"),
                })),
                ..Reported::default()
            }
        },
        by_hand: (&["spec", "replicas"], |random| json!(4 + random.below(9))),
    },
    Kind {
        api_version: "batch/v1",
        name: "CronJob",
        share: 6,
        known: true,
        desired: |random, names| {
            let mut template = template(random, names, &["report"]);
            set(&mut template["spec"], "restartPolicy", json!("OnFailure"));
            json!({"spec": {
                "schedule": format!("{} {} * * *", random.below(60), random.below(24)),
                "concurrencyPolicy": "Forbid", "successfulJobsHistoryLimit": 2, "timeZone": "Europe/Berlin",
                "jobTemplate": {"spec": {"backoffLimit": 2, "template": template}},
            }})
        },
        defaulted: |tree, _| {
            let Some(spec) = tree.get_mut("spec") else { return };
            set(spec, "failedJobsHistoryLimit", json!(1));
            set(spec, "suspend", json!(false));
            default_template(&mut spec["jobTemplate"]["spec"]);
        },
        status: |_, random| Reported {
            manager: "kube-controller-manager",
            status: Some(json!({
                "lastScheduleTime": "2026-08-20T02:17:00Z",
                "lastSuccessfulTime": format!("2026-08-20T02:18:{:02}Z", random.below(60)),
            })),
            ..Reported::default()
        },
        by_hand: (&["spec", "schedule"], |random| json!(format!("{} * * * *", random.below(60)))),
    },
    Kind {
        api_version: "v1",
        name: "Pod",
        share: 4,
        known: true,
        desired: |random, names| {
            let mut spec = template(random, names, &["worker"])["spec"].take();
            set(&mut spec, "activeDeadlineSeconds", json!(86_400));
            json!({"spec": spec})
        },
        defaulted: |tree, random| {
            let Some(spec) = tree.get_mut("spec") else { return };
            default_pod(spec);
            set(spec, "nodeName", json!(format!("node-{}", random.below(200))));
            set(spec, "serviceAccount", json!("default"));
            set(spec, "enableServiceLinks", json!(true));
            set(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
            set(spec, "priority", json!(0));
        },
        status: |tree, random| {
            let image = tree["spec"]["containers"][0]["image"].clone();
            let digest = random.hex(64);
            let name = tree["spec"]["containers"][0]["name"].clone();
            let ip = format!("10.{}.{}.{}", random.below(250), random.below(250), random.below(250));
            Reported {
                manager: "kubelet",
                status: Some(json!({
                    "phase": "Running", "qosClass": "Burstable", "startTime": "2026-08-20T01:00:00Z",
                    "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "192.168.7.9", "hostIPs": [{"ip": "192.168.7.9"}],
                    "conditions": [
                        condition("Initialized", "", ""), condition("Ready", "", ""),
                        condition("ContainersReady", "", ""), condition("PodScheduled", "", ""),
                    ],
                    "containerStatuses": [{
                        "name": name, "image": image, "imageID": format!("sha256:{digest}"),
                        "containerID": format!("containerd://{}", random.hex(64)),
                        "ready": true, "started": true, "restartCount": random.below(3), "lastState": {},
                        "state": {"running": {"startedAt": "2026-08-20T01:00:03Z"}},
                    }],
                })),
                ..Reported::default()
            }
        },
        by_hand: (&["spec", "activeDeadlineSeconds"], |random| json!(60 + random.below(600))),
    },
    Kind {
        api_version: "v1",
        name: "Service",
        share: 14,
        known: true,
        desired: |random, names| {
            json!({"spec": {
                "type": "LoadBalancer", "externalTrafficPolicy": "Local",
                "selector": {"app.kubernetes.io/name": names.app, "app.kubernetes.io/part-of": names.namespace},
                "loadBalancerSourceRanges": [format!("10.{}.0.0/16", random.below(250)), "192.168.0.0/20"],
                "ports": [
                    {"name": "http", "port": 80, "targetPort": "http"},
                    {"name": "https", "port": 443, "targetPort": "https", "appProtocol": "https"},
                    {"name": "metrics", "port": 9000 + random.below(99), "protocol": "TCP", "targetPort": 9090},
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
                ],
            }})
        },
        defaulted: |tree, random| {
            let Some(spec) = tree.get_mut("spec") else { return };
            let ip = format!("10.96.{}.{}", random.below(250), random.below(250));
            set(spec, "clusterIPs", json!([ip]));
            set(spec, "clusterIP", json!(ip));
            set(spec, "healthCheckNodePort", json!(30_000 + random.below(2_000)));
            set(spec, "allocateLoadBalancerNodePorts", json!(true));
            set(spec, "internalTrafficPolicy", json!("Cluster"));
            set(spec, "ipFamilies", json!(["IPv4"]));
            set(spec, "ipFamilyPolicy", json!("SingleStack"));
            set(spec, "sessionAffinity", json!("None"));
            for port in spec["ports"].as_array_mut().into_iter().flatten() {
                set(port, "protocol", json!("TCP"));
                set(port, "nodePort", json!(30_000 + random.below(2_000)));
            }
        },
        status: |_, random| Reported {
            manager: "cloud-controller-manager",
            annotations: annotations("load-balancer.example.com/id", &random.hex(32)),
            status: Some(json!({"loadBalancer": {"ingress": [
                {"ip": format!("203.0.113.{}", random.below(250)), "ipMode": "VIP"},
            ]}})),
        },
        by_hand: (&["spec", "externalTrafficPolicy"], |_| json!("Cluster")),
    },
    Kind {
        api_version: "v1",
        name: "ConfigMap",
        share: 12,
        known: true,
        desired: |random, names| json!({"data": data(random, names, 10)}),
        defaulted: |_, _| {},
        status: |_, _| Reported::default(),
        by_hand: (&["data", "log.level"], |_| json!("trace")),
    },
    Kind {
        api_version: "v1",
        name: "Secret",
        share: 8,
        known: true,
        desired: |random, _| {
            let data: Map<_, _> =
                (0..6).map(|i| (format!("key-{i}"), Value::from(base64(&random.hex(100))))).collect();
            json!({"data": data, "type": "Opaque"})
        },
        defaulted: |_, _| {},
        status: |_, _| Reported::default(),
        by_hand: (&["data", "key-3"], |random| json!(base64(&random.hex(40)))),
    },
    Kind {
        api_version: "networking.k8s.io/v1",
        name: "Ingress",
        share: 6,
        known: true,
        desired: |random, names| {
            let path = |path: &str| {
                json!({"path": path, "pathType": "Prefix", "backend": {"service": {
                    "name": names.name, "port": {"name": "http"},
                }}})
            };
            let hosts: Vec<_> = (0..2).map(|i| format!("{}-{i}.example.com", names.name)).collect();
            let rules: Vec<_> = hosts
                .iter()
                .map(|host| json!({"host": host, "http": {"paths": [path("/"), path("/api"), path("/admin")]}}))
                .collect();
            json!({"spec": {
                "ingressClassName": random.pick(&["nginx", "haproxy"]),
                "rules": rules,
                "tls": [{"hosts": hosts, "secretName": format!("{}-tls", names.name)}],
            }})
        },
        defaulted: |_, _| {},
        status: |_, random| Reported {
            manager: "ingress-controller",
            status: Some(json!({"loadBalancer": {"ingress": [
                {"ip": format!("203.0.113.{}", random.below(250))}, {"hostname": format!("lb-{}.example.com", random.hex(8))},
            ]}})),
            ..Reported::default()
        },
        by_hand: (&["spec", "ingressClassName"], |_| json!("internal")),
    },
    Kind {
        api_version: "rbac.authorization.k8s.io/v1",
        name: "Role",
        share: 4,
        known: true,
        desired: |random, _| {
            let rule = |groups: &[&str], resources: &[&str]| json!({"apiGroups": groups, "resources": resources, "verbs": ["get", "list", "watch"]});
            let mut rules = vec![
                rule(&[""], &["pods", "pods/log", "services", "endpoints", "configmaps"]),
                rule(&["apps"], &["deployments", "replicasets", "statefulsets"]),
                rule(&["batch"], &["jobs", "cronjobs"]),
                rule(&["networking.k8s.io"], &["ingresses", "networkpolicies"]),
                rule(&["coordination.k8s.io"], &["leases"]),
            ];
            for _ in 0..random.below(4) {
                rules
                    .push(rule(&["example.com"], &[random.pick(&["widgets", "gadgets", "gizmos"]), "parts"]));
            }
            json!({"rules": rules})
        },
        defaulted: |_, _| {},
        status: |_, _| Reported::default(),
        by_hand: (&["rules"], |_| json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])),
    },
    Kind {
        api_version: "rbac.authorization.k8s.io/v1",
        name: "RoleBinding",
        share: 3,
        known: true,
        desired: |random, names| {
            let subjects: Vec<_> = (0..6 + random.below(3))
                .map(|i| json!({"kind": "ServiceAccount", "name": format!("{}-{i}", names.app), "namespace": names.namespace}))
                .collect();
            json!({
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names.name},
                "subjects": subjects,
            })
        },
        defaulted: |_, _| {},
        status: |_, _| Reported::default(),
        by_hand: (
            &["subjects"],
            |_| json!([{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "everybody"}]),
        ),
    },
    Kind {
        api_version: "autoscaling/v2",
        name: "HorizontalPodAutoscaler",
        share: 5,
        known: true,
        desired: |random, names| {
            let policies = json!([{"type": "Pods", "value": 4, "periodSeconds": 60}, {"type": "Percent", "value": 100, "periodSeconds": 60}]);
            json!({"spec": {
                "minReplicas": 2, "maxReplicas": 10 + random.below(90),
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": names.name},
                "metrics": [
                    {"type": "Resource", "resource": {
                        "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50 + random.below(40)},
                    }},
                    {"type": "Pods", "pods": {
                        "metric": {"name": "requests_per_second"}, "target": {"type": "AverageValue", "averageValue": "1k"},
                    }},
                ],
                "behavior": {
                    "scaleDown": {"stabilizationWindowSeconds": 300, "selectPolicy": "Max", "policies": policies},
                    "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": policies},
                },
            }})
        },
        defaulted: |_, _| {},
        status: |_, random| Reported {
            manager: "kube-controller-manager",
            status: Some(json!({
                "currentReplicas": 2, "desiredReplicas": 2, "lastScaleTime": "2026-08-20T01:00:00Z",
                "observedGeneration": 1,
                "conditions": [
                    condition("AbleToScale", "ReadyForNewScale", "recommended size matches current size"),
                    condition("ScalingActive", "ValidMetricFound", "the HPA was able to calculate a replica count"),
                    condition("ScalingLimited", "DesiredWithinRange", "the desired count is within the range"),
                ],
                "currentMetrics": [{"type": "Resource", "resource": {
                    "name": "cpu", "current": {"averageUtilization": random.below(90), "averageValue": "120m"},
                }}],
            })),
            ..Reported::default()
        },
        by_hand: (&["spec", "maxReplicas"], |random| json!(100 + random.below(100))),
    },
    Kind {
        api_version: "example.com/v1",
        name: "Gadget",
        share: 6,
        known: false,
        desired: |random, names| {
            let routes: Vec<_> = (0..4)
                .map(|i| json!({"match": format!("/{}/{i}", names.app), "weight": random.below(100), "retries": 3}))
                .collect();
            json!({"spec": {
                "size": random.pick(&["small", "medium", "large"]),
                "replicas": 1 + random.below(5), "paused": false,
                "endpoint": {"host": format!("{}.example.com", names.name), "port": 8443, "tls": {"mode": "strict"}},
                "routes": routes, "limits": {"cpu": "500m", "memory": "1Gi", "connections": 1_000},
                "features": {"cache": true, "trace": false, "compress": true},
                "settings": data(random, names, 4),
            }})
        },
        defaulted: |tree, _| {
            let Some(spec) = tree.get_mut("spec") else { return };
            set(spec, "updatePolicy", json!({"mode": "Auto", "window": "02:00-04:00"}));
            set(spec, "classRef", json!({"name": "default", "namespace": "gadget-system"}));
        },
        status: |_, random| Reported {
            manager: "gadget-operator",
            annotations: annotations("gadgets.example.com/config-hash", &random.hex(64)),
            status: Some(json!({
                "observedGeneration": 1 + random.below(20), "phase": "Ready", "endpointHash": random.hex(40),
                "conditions": [
                    condition("Ready", "AllPartsReady", "all parts of the gadget are ready"),
                    condition("Reconciled", "Reconciled", "the gadget is as it was asked for"),
                ],
            })),
        },
        by_hand: (&["spec", "replicas"], |random| json!(20 + random.below(5))),
    },
];

/// Puts a value where there is none.
fn set(map: &mut Value, name: &str, value: Value) {
    if let Some(map) = map.as_object_mut() {
        map.entry(name.to_owned()).or_insert(value);
    }
}

fn annotations(name: &str, value: &str) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), json!(value))])
}

fn condition(name: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": name, "status": "True", "reason": reason, "message": message,
        "lastTransitionTime": "2026-08-20T01:00:07Z",
    })
}

fn data(random: &mut Random, names: &Names, count: u64) -> Value {
    let mut data = Map::from_iter([("log.level".to_owned(), json!("info"))]);
    for i in 0..count {
        let text = format!(
            "url: https://{}.{}.svc/{}\ntimeout: {i}s\n",
            names.name,
            names.namespace,
            random.hex(24)
        );
        data.insert(
            format!("{}.{i}.yaml", random.pick(&["app", "feature", "limits", "routes"])),
            json!(text),
        );
    }
    Value::Object(data)
}

/// Base64 of digits and letters whose number is a multiple of three or not, without a crate for it.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * i) & 63) as usize).copied().unwrap_or(b'A');
            encoded.push(if i > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    encoded
}

fn template(random: &mut Random, names: &Names, containers: &[&str]) -> Value {
    let containers: Vec<_> = containers.iter().map(|name| container(random, names, name)).collect();
    json!({
        "metadata": {"labels": {"app.kubernetes.io/name": names.app, "app.kubernetes.io/part-of": names.namespace}},
        "spec": {
            "containers": containers,
            "serviceAccountName": names.app,
            "volumes": [{"name": "config", "configMap": {"name": names.app}}, {"name": "tmp", "emptyDir": {}}],
        },
    })
}

fn container(random: &mut Random, names: &Names, name: &str) -> Value {
    let image = format!(
        "registry.example.com/{}/{name}:1.{}.{}",
        names.namespace,
        random.below(40),
        random.below(20)
    );
    json!({
        "name": name,
        "image": image,
        "args": ["--config=/etc/app/config.yaml", format!("--shard={}", random.below(16))],
        "env": [
            {"name": "LOG_LEVEL", "value": random.pick(&["info", "debug"])},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": names.app, "key": "password"}}},
        ],
        "ports": [{"name": "http", "containerPort": 8000 + random.below(100)}],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/tmp"}],
    })
}

fn default_template(spec: &mut Value) {
    default_pod(&mut spec["template"]["spec"]);
}

fn default_pod(spec: &mut Value) {
    let account = spec["serviceAccountName"].clone();
    set(spec, "dnsPolicy", json!("ClusterFirst"));
    set(spec, "restartPolicy", json!("Always"));
    set(spec, "schedulerName", json!("default-scheduler"));
    set(spec, "securityContext", json!({}));
    set(spec, "serviceAccount", account);
    set(spec, "terminationGracePeriodSeconds", json!(30));
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        set(container, "imagePullPolicy", json!("IfNotPresent"));
        set(container, "terminationMessagePath", json!("/dev/termination-log"));
        set(container, "terminationMessagePolicy", json!("File"));
        for port in container["ports"].as_array_mut().into_iter().flatten() {
            set(port, "protocol", json!("TCP"));
        }
    }
    for volume in spec["volumes"].as_array_mut().into_iter().flatten() {
        if let Some(map) = volume.get_mut("configMap") {
            set(map, "defaultMode", json!(420));
        }
    }
}
