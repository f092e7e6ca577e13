//! What an application has to do with objects that are not its own.

use serde_json::{Value, json};

use crate::common::Repo;
use crate::support::manifests::config_map;
use crate::support::{App, Cluster, core};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn two_applications_leave_each_other_alone() {
    let cluster = Cluster::shared().await;
    cluster.namespace("neighbours").await;
    let maps = |name: &str| Repo::with(&[("apps/shop/maps.yaml", &config_map("neighbours", name, "v"))]);
    let (left_repo, right_repo) = (maps("left"), maps("right"));
    let left = App::new("left", &left_repo, cluster.plane.kubeconfig());
    let right = App::new("right", &right_repo, cluster.plane.kubeconfig());
    left.gitops("sync", &["--prune"]).await.with(0);
    let uri = core("configmaps", "neighbours", "left");
    let before = cluster.get(&uri).await;
    right.gitops("sync", &["--prune"]).await.with(0);
    assert_eq!(cluster.get(&uri).await, before);

    // What the other has is not taken over, not even by one that may take over what is nobody's.
    let both =
        format!("{}{}", config_map("neighbours", "right", "v"), config_map("neighbours", "left", "mine"));
    right_repo.commit("greedy", &[("apps/shop/maps.yaml", &both)]);
    let conflict = right.gitops("sync", &["--prune", "--adopt"]).await.with(1);
    assert!(conflict.out.contains("it exists, and belongs to application left"), "{conflict:#?}");
    assert_eq!(cluster.get(&uri).await, before);

    // Nor does it go with the other.
    let held = right.gitops("remove", &["--delete"]).await.with(3);
    let digest = held.err.split("--approve ").nth(1).unwrap().trim().to_owned();
    right.gitops("remove", &["--delete", "--approve", &digest]).await.with(0);
    cluster.until_gone(&core("configmaps", "neighbours", "right")).await;
    assert_eq!(cluster.get(&uri).await, before);
    left.gitops("diff", &[]).await.with(0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_name_belongs_to_one_repository() {
    let cluster = Cluster::shared().await;
    cluster.namespace("taken").await;
    let maps = |value: &str| Repo::with(&[("apps/shop/maps.yaml", &config_map("taken", "settings", value))]);
    let (first, second) = (maps("first"), maps("second"));
    App::new("taken", &first, cluster.plane.kubeconfig()).gitops("sync", &[]).await.with(0);
    let uri = core("configmaps", "taken", "settings");
    let before = cluster.get(&uri).await;
    let other = App::new("taken", &second, cluster.plane.kubeconfig());
    let refused = other.gitops("sync", &["--prune", "--adopt"]).await.with(2);
    assert!(
        refused.err.contains("application taken belongs to") && refused.err.contains(&first.url()),
        "{refused:#?}"
    );
    assert_eq!(cluster.get(&uri).await, before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_is_nobodys_is_taken_over_only_when_asked() {
    let cluster = Cluster::shared().await;
    cluster.namespace("adoption").await;
    let uri = core("configmaps", "adoption", "settings");
    let by_hand = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "adoption"},
        "data": {"key": "by hand", "theirs": "x"}});
    let before = cluster.apply(&uri, &by_hand).await;
    let maps =
        format!("{}{}", config_map("adoption", "settings", "git"), config_map("adoption", "other", "git"));
    let repo = Repo::with(&[("apps/shop/maps.yaml", &maps)]);
    let app = App::new("adoption", &repo, cluster.plane.kubeconfig());
    let conflict = app.gitops("sync", &["--output", "json"]).await.with(1);
    let counts = conflict.line("sync_finished")["counts"].clone();
    assert_eq!((&counts["created"], &counts["failed"]), (&json!(1), &json!(1)));
    assert_eq!(cluster.get(&uri).await, Some(before.clone()));
    let plan = app.gitops("plan", &[]).await.with(0);
    assert!(plan.out.contains("ConfigMap/adoption/settings"), "{plan:#?}");

    app.gitops("sync", &["--adopt"]).await.with(0);
    let now = cluster.get(&uri).await.unwrap();
    assert_eq!(now["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(now["data"], json!({"key": "git", "theirs": "x"}), "what Git does not state stays");
    app.gitops("diff", &[]).await.with(0);
}

const DEFINITION: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: backups.together.example.com
spec:
  group: together.example.com
  scope: Namespaced
  names: {kind: Backup, plural: backups, singular: backup, listKind: BackupList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                every: {type: string}
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_definition_and_its_object_come_in_one_commit() {
    let cluster = Cluster::shared().await;
    let backup = "apiVersion: together.example.com/v1\nkind: Backup\nmetadata:\n  name: daily\n  namespace: together\n\
                  spec:\n  every: 24h\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: together\n";
    // In the worst order.
    let repo = Repo::with(&[
        ("apps/shop/1.yaml", backup),
        ("apps/shop/2.yaml", DEFINITION),
        ("apps/shop/3.yaml", namespace),
    ]);
    let app = App::new("together", &repo, cluster.plane.kubeconfig());
    let synced = app.gitops("sync", &["--wait", "--output", "json"]).await.with(0);
    assert_eq!(synced.line("sync_finished")["counts"]["created"], 3);
    let uri = "/apis/together.example.com/v1/namespaces/together/backups/daily";
    assert_eq!(cluster.field(uri, "/spec/every").await, "24h");
    app.gitops("diff", &[]).await.with(0);

    // The object goes with its manifest; the definition would take all objects of its kind along, and stays.
    repo.remove("no backups", &["apps/shop/1.yaml", "apps/shop/2.yaml"]);
    let pruned = app.gitops("sync", &["--prune", "--output", "json"]).await.with(0);
    let counts = pruned.line("sync_finished")["counts"].clone();
    assert_eq!((&counts["pruned"], &counts["skipped"]), (&json!(1), &json!(1)), "{counts}");
    assert_eq!(cluster.get(uri).await, None::<Value>);
}
