//! The manifests that are read.

use std::fs;

use anyhow::Result;

use crate::server::Repo;

/// A repository with a manifest in each of so many files, a hundred to a directory.
pub(crate) fn repository(files: usize) -> Result<Repo> {
    let repo = Repo::new();
    for n in 0..files {
        write(&repo, n, 0)?;
    }
    repo.commit_all("all");
    Ok(repo)
}

/// The directory of a file.
pub(crate) fn directory(n: usize) -> String {
    format!("apps/{:03}", n / 100)
}

/// Writes one of the files: a Deployment or a ConfigMap of about a kilobyte.
pub(crate) fn write(repo: &Repo, n: usize, version: usize) -> Result<()> {
    let directory = repo.work().join(directory(n));
    fs::create_dir_all(&directory)?;
    let text = if n.is_multiple_of(2) { deployment(n, version) } else { config(n, version) };
    Ok(fs::write(directory.join(format!("object-{n}.yaml")), text)?)
}

fn config(n: usize, version: usize) -> String {
    let lines: Vec<_> =
        (0..16).map(|line| format!("  setting-{line}: \"{n} {line} of no importance\"\n")).collect();
    let lines = lines.concat();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: object-{n}\n  namespace: shop\ndata:\n  version: \"{version}\"\n{lines}"
    )
}

fn deployment(n: usize, version: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: object-{n}\n  namespace: shop\n  labels:\n    app: object-{n}\n    version: v{version}\nspec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app: object-{n}\n  template:\n    metadata:\n      labels:\n        app: object-{n}\n    spec:\n      containers:\n        - name: web\n          image: registry.example/shop/object-{n}:{version}\n          ports:\n            - name: http\n              containerPort: 8080\n          resources:\n            requests:\n              cpu: 100m\n              memory: 64Mi\n          readinessProbe:\n            httpGet:\n              path: /ready\n              port: http\n"
    )
}
