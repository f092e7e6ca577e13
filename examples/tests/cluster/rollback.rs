//! The way back to what worked, as somebody without a checkout takes it at night.

use std::path::Path;

use crate::common::{Repo, git, json_lines};
use crate::support::manifests::{base, web};
use crate::support::{App, Cluster, apps};

const NS: &str = "rollback";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn the_last_good_revision_comes_back_by_a_commit() {
    let cluster = Cluster::shared().await;
    let repo = Repo::with(&[("apps/shop/base.yaml", &base(NS)), ("apps/shop/web.yaml", &web(NS, "1.4.1"))]);
    let dir = tempfile::tempdir().unwrap();
    let bare = dir.path().join("config.git");
    git(dir.path(), &["clone", "--quiet", "--bare", &repo.url(), "config.git"]);
    let push = || git(Path::new(&repo.url()), &["push", "--quiet", bare.to_str().unwrap(), "main"]);
    let app = App::at(NS, bare.display().to_string(), dir.path().join("mirror"), cluster.plane.kubeconfig());
    let nothing = app.gitops("rollback", &["--last-good"]).await.with(2);
    assert!(nothing.err.contains("nothing is recorded"), "{nothing:?}");

    app.gitops("sync", &["--wait"]).await.with(0);
    // No Node takes its Pods, and the file is another one.
    let stuck = web(NS, "1.4.2")
        .replace("      containers:", "      nodeSelector:\n        is: nowhere\n      containers:");
    let bad = repo.commit("web 1.4.2", &[("apps/shop/web.yaml", &stuck)]);
    push();
    app.gitops("sync", &[]).await.with(0);

    let shown = app.gitops("rollback", &["--last-good", "--dry-run"]).await.with(0);
    assert!(shown.out.contains("-        is: nowhere"), "{shown:?}");
    assert_eq!(git(&bare, &["rev-parse", "main"]).trim(), bad);
    let told = app.gitops("rollback", &["--last-good", "--output", "json"]).await.with(0);
    let told = json_lines(&told.out).remove(0);
    assert_eq!(told["commit"], git(&bare, &["rev-parse", "main"]).trim());
    assert_eq!(told["parent"], bad);
    assert_eq!(git(&bare, &["show", "main:apps/shop/web.yaml"]), web(NS, "1.4.1"));

    app.gitops("sync", &["--wait"]).await.with(0);
    let image = "/spec/template/spec/containers/0/image";
    let runs = cluster.field(&apps("deployments", NS, "web"), image).await;
    assert!(runs.as_str().unwrap().ends_with(":1.4.1"), "{runs}");
}
