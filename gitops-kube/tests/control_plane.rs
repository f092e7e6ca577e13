//! The private control plane for tests, on the real binaries; and the health rules on what real controllers write.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gitops_core::{Assessment, Health, Timestamp, assess};
use gitops_kube::health;
use gitops_kube::testing::{ControlPlane, ControlPlaneError};
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long anything may take that the control plane does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

fn install_tls_provider() {
    // An error means that another test has done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn shared() -> Client {
    install_tls_provider();
    let plane = ControlPlane::shared().await.unwrap();
    Client::try_from(plane.client_config().unwrap()).unwrap()
}

fn api(client: &Client, version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match kind {
        "CustomResourceDefinition" | "ClusterRole" | "ClusterRoleBinding" => {
            Api::all_with(client.clone(), &resource)
        }
        _ => Api::namespaced_with(client.clone(), "default", &resource),
    }
}

async fn create(client: &Client, object: &Value) -> Value {
    let api = api(client, object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    serde_json::to_value(api.create(&PostParams::default(), &object).await.unwrap()).unwrap()
}

fn health_of(object: &Value) -> Assessment {
    assess(&health::rules(), object, Timestamp::now())
}

/// Waits until an object is healthy; says how it was last if that does not happen.
async fn becomes_healthy(client: &Client, version: &str, kind: &str, name: &str) -> Assessment {
    let api = api(client, version, kind);
    let start = Instant::now();
    loop {
        let object = serde_json::to_value(api.get(name).await.unwrap()).unwrap();
        let assessment = health_of(&object);
        if assessment.health == Health::Healthy {
            return assessment;
        }
        assert_ne!(assessment.health, Health::Degraded, "{kind} {name}: {assessment}");
        assert!(start.elapsed() < PATIENCE, "{kind} {name} is still {assessment}: {:#}", object["status"]);
        sleep(Duration::from_millis(50)).await;
    }
}

fn template(app: &str, restart: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": app } },
        "spec": { "restartPolicy": restart, "containers": [{ "name": "main", "image": "registry.example/app:1" }] },
    })
}

fn workload(kind: &str, name: &str, replicas: Option<u32>) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": name },
        "spec": { "selector": { "matchLabels": { "app": name } }, "template": template(name, "Always") },
    });
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = json!(replicas);
    }
    object
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_deployment_of_three_becomes_available_and_its_pods_ready() {
    let client = shared().await;
    let created = create(&client, &workload("Deployment", "shop", Some(3))).await;
    let first = health_of(&created);
    assert_eq!((first.health, first.reason.as_str()), (Health::Progressing, "LatestGenerationNotObserved"));
    assert_eq!(
        becomes_healthy(&client, "apps/v1", "Deployment", "shop").await.message,
        "3 replicas are available"
    );

    let pods = api(&client, "v1", "Pod").list(&ListParams::default().labels("app=shop")).await.unwrap();
    assert_eq!(pods.items.len(), 3);
    for pod in pods {
        let mut pod = serde_json::to_value(pod).unwrap();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        let assessment = health_of(&pod);
        assert_eq!(
            (assessment.health, assessment.reason.as_str()),
            (Health::Healthy, "Ready"),
            "{assessment}"
        );
    }
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn other_workloads_become_healthy() {
    let client = shared().await;
    let mut database = workload("StatefulSet", "database", Some(2));
    database["spec"]["serviceName"] = json!("database");
    create(&client, &database).await;
    create(&client, &workload("DaemonSet", "agent", None)).await;
    let import = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "import" },
        "spec": { "template": template("import", "Never") },
    });
    let created = create(&client, &import).await;
    assert_eq!(health_of(&created).health, Health::Progressing);
    becomes_healthy(&client, "apps/v1", "StatefulSet", "database").await;
    becomes_healthy(&client, "apps/v1", "DaemonSet", "agent").await;
    assert_eq!(becomes_healthy(&client, "batch/v1", "Job", "import").await.reason, "Completed");
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_has_no_pods_is_judged_by_what_its_controller_writes() {
    let client = shared().await;
    create(&client, &json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": { "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": { "type": "object" } } }],
        },
    })).await;
    create(
        &client,
        &json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "shop" },
            "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "nothing" } } },
        }),
    )
    .await;
    let claim = create(
        &client,
        &json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
        }),
    )
    .await;
    let service = create(
        &client,
        &json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "public" },
            "spec": { "type": "LoadBalancer", "ports": [{ "port": 80 }] },
        }),
    )
    .await;
    assert_eq!(health_of(&claim).reason, "NotBound");
    assert_eq!(health_of(&service).reason, "NoAddress");
    becomes_healthy(&client, "policy/v1", "PodDisruptionBudget", "shop").await;
    let definition = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com");
    becomes_healthy(&client, definition.0, definition.1, definition.2).await;
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_user_may_do_only_what_a_role_says() {
    install_tls_provider();
    let plane = ControlPlane::builder()
        .api_only()
        .with_user("token-of-ada", "ada", ["developers"])
        .with_user("token-of-bob", "bob", Vec::<String>::new())
        .start()
        .await
        .unwrap();
    let admin = Client::try_from(plane.client_config().unwrap()).unwrap();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "readers" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"] }],
    });
    create(&admin, &role).await;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": "developers" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "readers" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "developers" }],
    });
    create(&admin, &binding).await;

    let code = async |config: kube::Config| {
        let client = Client::try_from(config).unwrap();
        match api(&client, "v1", "ConfigMap").list(&ListParams::default()).await {
            Ok(_) => 200,
            Err(kube::Error::Api(status)) => status.code,
            Err(error) => panic!("{error}"),
        }
    };
    let start = Instant::now();
    // The API server learns of a new binding by its own watch.
    while code(plane.client_config_of("ada").unwrap()).await != 200 {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(code(plane.client_config_of("bob").unwrap()).await, 403);
    let mut nobody = plane.client_config_of("bob").unwrap();
    nobody.auth_info.token = Some("no such token".to_owned().into());
    assert_eq!(code(nobody).await, 401);
    assert!(matches!(plane.client_config_of("eve"), Err(ControlPlaneError::UnknownUser { .. })));

    let shown = format!("{plane:?}");
    assert!(!shown.contains("token-of-ada") && !shown.contains(plane.token()), "{shown}");
    let kubeconfig = std::fs::read_to_string(plane.kubeconfig_of("ada").unwrap()).unwrap();
    assert!(kubeconfig.contains("token-of-ada") && !kubeconfig.contains(plane.token()));
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_crash_of_the_api_server_loses_nothing_that_it_confirmed() {
    install_tls_provider();
    let mut plane = ControlPlane::builder().api_only().start().await.unwrap();
    let client = Client::try_from(plane.client_config().unwrap()).unwrap();
    create(&client, &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "kept" } }))
        .await;
    assert!(matches!(
        plane.start_api().await,
        Err(ControlPlaneError::AlreadyRunning { program: "kube-apiserver" })
    ));

    plane.stop_api();
    assert!(api(&client, "v1", "ConfigMap").get("kept").await.is_err());
    plane.start_api().await.unwrap();
    // The same client, at the same address.
    api(&client, "v1", "ConfigMap").get("kept").await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_program_that_ends_is_reported_with_its_log() {
    install_tls_provider();
    let error =
        ControlPlane::builder().api_only().with_api_argument("--no-such-flag").start().await.unwrap_err();
    assert!(matches!(error, ControlPlaneError::Exited { program: "kube-apiserver", .. }), "{error}");
    assert!(error.to_string().contains("unknown flag: --no-such-flag"), "{error}");
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_deadline_is_kept() {
    install_tls_provider();
    let start = Instant::now();
    let error = ControlPlane::builder().api_only().with_deadline(Duration::ZERO).start().await.unwrap_err();
    assert!(matches!(error, ControlPlaneError::NotReady { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn nothing_is_left_after_a_drop_or_a_panic() {
    install_tls_provider();
    let plane = ControlPlane::start().await.unwrap();
    let (ids, directory) = (plane.process_ids(), plane.directory().to_owned());
    assert_eq!(ids.len(), 6, "the watchdog, etcd, and four programs");
    assert!(ids.iter().all(|id| is_alive(*id)) && directory.exists());
    drop(plane);
    assert_eq!(ids.iter().filter(|id| is_alive(**id)).count(), 0);
    assert!(!directory.exists());

    let plane = ControlPlane::builder().api_only().start().await.unwrap();
    let ids = plane.process_ids();
    let panicked = tokio::spawn(async move {
        let _plane = plane;
        panic!("on purpose");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(ids.iter().filter(|id| is_alive(**id)).count(), 0);
}

/// Runs itself as a child, which starts a control plane and is killed.
#[tokio::test]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn nothing_is_left_after_the_test_process_is_killed() {
    const CHILD: &str = "GITOPS_TEST_CHILD";
    const MARK: &str = "started: ";
    if std::env::var_os(CHILD).is_some() {
        install_tls_provider();
        let plane = ControlPlane::start().await.unwrap();
        println!("\n{MARK}{}", json!({ "ids": plane.process_ids(), "directory": plane.directory() }));
        sleep(Duration::from_secs(3600)).await;
        unreachable!("the parent kills this process");
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_left_after_the_test_process_is_killed", "--ignored", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = lines.map_while(Result::ok).find_map(|line| line.strip_prefix(MARK).map(str::to_owned));
    let started: Value = serde_json::from_str(&started.unwrap()).unwrap();
    let ids: Vec<u32> = serde_json::from_value(started["ids"].clone()).unwrap();
    let directory = PathBuf::from(started["directory"].as_str().unwrap());
    assert_eq!(ids.iter().filter(|id| is_alive(**id)).count(), 6);

    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    while directory.exists() || ids.iter().any(|id| is_alive(*id)) {
        assert!(start.elapsed() < Duration::from_secs(10), "left: {ids:?}, {}", directory.display());
        sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process runs: one that has ended may stay in the table until somebody asks for its result.
fn is_alive(id: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        return stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']));
    }
    Command::new("sh")
        .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", &id.to_string()])
        .status()
        .unwrap()
        .success()
}
