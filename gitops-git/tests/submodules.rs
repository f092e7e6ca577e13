//! Submodules, over HTTP and on this machine.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use common::submodules::{beside, follow, mount};
use common::{Repo, Server, cx, fault, path, sync, text};
use gitops_core::{Class, EntryKind, PlainManifests, RefSpec, Render as _, Source as _};

const FILE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, namespace: shop}\n";

fn config(name: &str) -> String {
    FILE.replace("NAME", name)
}

#[tokio::test]
async fn submodules_are_directories() {
    let (lib, charts) =
        (Repo::with(&[("c.yaml", &config("lib"))]), Repo::with(&[("d.yaml", &config("chart"))]));
    mount(&lib, &charts, "charts", "../charts.git");
    let repo = Repo::with(&[("apps/a.yaml", &config("own"))]);
    mount(&repo, &lib, "apps/lib", "../lib.git");
    beside(&repo, "lib.git", &lib);
    beside(&repo, "charts.git", &charts);
    let server = Server::start(repo.root());
    let source = follow(&server, &repo).build().unwrap();
    let first = sync(&source).await.unwrap();
    let tree = &first;
    assert_eq!(tree.revision().id, repo.head());
    let listed = tree.list(&path("apps")).unwrap();
    let listed: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    assert_eq!(listed, [("a.yaml", EntryKind::File), ("lib", EntryKind::Directory)]);
    assert_eq!(text(&**tree, "apps/lib/charts/d.yaml"), config("chart"));
    let names = |tree: &dyn gitops_core::Snapshot| -> Vec<String> {
        let manifests = PlainManifests::new().render(&cx(), tree, &path("apps")).unwrap();
        manifests.into_iter().map(|manifest| manifest.id.name).collect()
    };
    assert_eq!(names(&**tree), ["own", "lib", "chart"]);
    let ids = |tree: &dyn gitops_core::Snapshot| {
        ["", "apps", "apps/lib", "apps/lib/charts", "apps/a.yaml"]
            .map(|at| tree.id(&path(at)).unwrap().unwrap())
    };
    let before = ids(&**tree);
    assert!(tree.id(&path("apps/lib/none")).unwrap().is_none());
    assert_eq!(tree.list(&path("apps/lib/none")).unwrap_err().class, Class::NotFound);

    // What the submodule's own branch does is of no interest; the commit that is mounted is.
    // Not all of the work tree, which has no submodules.
    std::fs::write(lib.work().join("c.yaml"), config("lib-2")).unwrap();
    lib.git(&["commit", "--quiet", "-m", "change", "c.yaml"]);
    lib.push();
    beside(&repo, "lib.git", &lib);
    assert_eq!(names(&*sync(&source).await.unwrap()), ["own", "lib", "chart"]);
    mount(&repo, &lib, "apps/lib", "../lib.git");
    server.take_requests();
    let tree = sync(&source).await.unwrap();
    assert_eq!(names(&*tree), ["own", "lib-2", "chart"]);
    let asked = server.take_requests();
    assert!(!asked.iter().any(|request| request.target.contains("charts.git")), "it is the same as before");
    let after = ids(&*tree);
    let changed: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
    assert_eq!(changed, [true, true, true, false, false]);
    // All of it is there for the next process.
    drop((first, tree, source));
    let source = follow(&server, &repo).build().unwrap();
    sync(&source).await.unwrap();
    let bodies = server.take_requests().into_iter().filter(|request| request.method == "POST");
    assert_eq!(bodies.filter(|request| request.body.windows(5).any(|part| part == b"fetch")).count(), 0);
}

/// A tree in which something is missing would have it deleted.
#[tokio::test]
async fn a_submodule_that_cannot_be_read_fails_the_whole() {
    let (repo, lib) = (Repo::with(&[("a", "1")]), Repo::with(&[("b", "1")]));
    let good = repo.head();
    mount(&repo, &lib, "lib", "../lib.git");
    let server = Server::start(repo.root());
    let source = follow(&server, &repo).build().unwrap();
    let missing = fault(sync(&source).await);
    assert_eq!(missing.class, Class::NotFound);
    let told = format!("{missing}");
    assert!(told.contains("lib (a submodule)") && told.contains("/lib.git"), "{told}");
    // The repository is there, and not the commit.
    beside(&repo, "lib.git", &lib);
    lib.commit("second", &[("b", "2")]);
    mount(&repo, &lib, "lib", "../lib.git");
    assert_eq!(fault(sync(&source).await).class, Class::NotFound);
    beside(&repo, "lib.git", &lib);
    assert_eq!(text(&*sync(&source).await.unwrap(), "lib/b"), "2");
    // What came before there was one can still be read.
    let older = source.resolve(&cx(), &RefSpec::Commit(good)).await.unwrap();
    assert_eq!(text(&*source.fetch(&cx(), &older).await.unwrap(), "a"), "1");
}
