//! Repositories on the same machine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::sync::Arc;

use common::{Repo, cx, fault, local, path, sync, text};
use gitops_core::{Class, RefSpec, Revision, Source};
use gitops_git::GitSource;

#[tokio::test]
async fn a_commit_is_found_fetched_and_read() {
    let repo = Repo::with(&[("apps/shop/web.yaml", "kind: Service\n"), ("README.md", "hi")]);
    let source = local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    assert_eq!(revision.id, repo.head());
    let snapshot = source.fetch(&cx(), &revision).await.unwrap();
    assert_eq!(text(&*snapshot, "apps/shop/web.yaml"), "kind: Service\n");

    let provenance = snapshot.revision().provenance.clone().unwrap();
    assert_eq!(provenance.reference.as_deref(), Some("refs/heads/main"));
    assert_eq!(provenance.author.unwrap().name, "Ada");
    assert_eq!(provenance.committer.unwrap().email, "ben@example.org");
    assert_eq!(provenance.time.unwrap().to_string(), "2026-11-21T11:00:00Z");
    assert_eq!(provenance.message, "first\n");
    assert_eq!(provenance.rewrote, None);
    assert_eq!(source.identity(), format!("file://{}", repo.bare().canonicalize().unwrap().display()));
}

#[tokio::test]
async fn a_repository_with_a_work_tree_serves_as_well() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    for url in [repo.work().display().to_string(), format!("file://{}", repo.work().display())] {
        let source = GitSource::builder(url).allow_local().with_mirror_dir(repo.mirrors()).build().unwrap();
        assert_eq!(text(&*sync(&source).await.unwrap(), "a.yaml"), "a");
    }
}

#[tokio::test]
async fn branches_tags_and_commits_are_followed() {
    let repo = Repo::with(&[("v", "1")]);
    let first = repo.head();
    repo.git(&["tag", "light"]);
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["tag", "-a", "nested", "-m", "a tag of a tag", "v1"]);
    repo.git(&["push", "--quiet", "--tags", "origin"]);
    repo.git(&["checkout", "--quiet", "-b", "main2"]);
    let second = repo.commit("second", &[("v", "2")]);
    repo.git(&["checkout", "--quiet", "-b", "feature/deep"]);
    let third = repo.commit("third", &[("v", "3")]);

    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    for (want, id, reference) in [
        (RefSpec::Default, &first, Some("refs/heads/main")),
        (RefSpec::Branch("main".into()), &first, Some("refs/heads/main")),
        (RefSpec::Branch("main2".into()), &second, Some("refs/heads/main2")),
        (RefSpec::Branch("feature/deep".into()), &third, Some("refs/heads/feature/deep")),
        (RefSpec::Tag("light".into()), &first, Some("refs/tags/light")),
        (RefSpec::Tag("v1".into()), &first, Some("refs/tags/v1")),
        (RefSpec::Tag("nested".into()), &first, Some("refs/tags/nested")),
        (RefSpec::Commit(second.clone()), &second, None),
        (RefSpec::Commit(second.to_uppercase()), &second, None),
    ] {
        let revision = source.resolve(&cx(), &want).await.unwrap();
        assert_eq!(&revision.id, id, "{want}");
        let provenance = revision.provenance.as_ref();
        assert_eq!(provenance.and_then(|p| p.reference.as_deref()), reference, "{want}");
        let snapshot = source.fetch(&cx(), &revision).await.unwrap();
        assert_eq!(&snapshot.revision().id, id);
    }
    for (builder, id) in [
        (local(&repo.bare(), &repo.mirrors()).with_tag("v1"), &first),
        (local(&repo.bare(), &repo.mirrors()).with_commit(&third), &third),
        (local(&repo.bare(), &repo.mirrors()).with_ref(RefSpec::Branch("main2".into())), &second),
    ] {
        assert_eq!(&sync(&builder.build().unwrap()).await.unwrap().revision().id, id);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_clearly() {
    let repo = Repo::new();
    let source = local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
    let empty = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(empty.class, Class::NotFound);
    assert!(empty.to_string().contains("empty") && empty.to_string().contains("refs/heads/main"), "{empty}");
    assert!(empty.to_string().contains(&source.identity()), "{empty}");

    repo.commit("first", &[("a", "a")]);
    sync(&source).await.unwrap();
    repo.git(&["checkout", "--quiet", "-b", "other"]);
    repo.push();
    common::git(&repo.bare(), &["update-ref", "-d", "refs/heads/main"]);
    let deleted = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(deleted.class, Class::NotFound);
    assert!(
        deleted.to_string().contains("deleted") && deleted.to_string().contains("refs/heads/main"),
        "{deleted}"
    );

    let unknown = Revision::new("1234567890123456789012345678901234567890");
    let missing = fault(source.fetch(&cx(), &unknown).await);
    assert_eq!(missing.class, Class::NotFound, "{missing}");
    assert!(missing.to_string().contains(&unknown.id), "{missing}");

    let short = fault(source.resolve(&cx(), &RefSpec::Commit("1234567".into())).await);
    assert_eq!(short.class, Class::Invalid, "{short}");
    let bad = fault(source.resolve(&cx(), &RefSpec::Branch("a..b".into())).await);
    assert_eq!(bad.class, Class::Invalid, "{bad}");
    let nameless = fault(source.fetch(&cx(), &Revision::new("main")).await);
    assert_eq!(nameless.class, Class::Invalid, "{nameless}");
}

#[tokio::test]
async fn places_without_a_repository_are_said_clearly() {
    let repo = Repo::new();
    std::fs::create_dir(repo.root().join("empty")).unwrap();
    for place in ["empty", "missing"] {
        let source = local(&repo.root().join(place), &repo.mirrors()).build().unwrap();
        let fault = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(fault.class, Class::NotFound, "{fault}");
        assert!(fault.to_string().contains(place), "{fault}");
    }
}

#[tokio::test]
async fn other_hashes_are_refused_clearly() {
    let dir = tempfile::tempdir().unwrap();
    common::git(dir.path(), &["init", "--quiet", "--object-format=sha256", "repo"]);
    common::git(&dir.path().join("repo"), &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    let source = local(&dir.path().join("repo"), &dir.path().join("mirrors")).build().unwrap();
    let unsupported = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(unsupported.class, Class::Unsupported, "{unsupported}");
    assert!(unsupported.to_string().contains("sha256"), "{unsupported}");
}

#[tokio::test]
async fn a_commit_id_that_names_something_else_is_refused() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    sync(&source).await.unwrap();
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let fault = fault(source.fetch(&cx(), &Revision::new(tree)).await);
    assert_eq!(fault.class, Class::Invalid, "{fault}");
}

#[tokio::test]
async fn a_force_push_is_followed_and_reported() {
    let repo = Repo::with(&[("v", "1")]);
    let source = local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
    let rewrote = |snapshot: &Arc<dyn gitops_core::Snapshot>| {
        snapshot.revision().provenance.as_ref().unwrap().rewrote.clone()
    };
    let first = sync(&source).await.unwrap();
    assert_eq!(rewrote(&first), None);
    let lost = repo.commit("second", &[("v", "2")]);
    let old = sync(&source).await.unwrap();
    assert_eq!(rewrote(&old), None);

    repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let forced = repo.commit("another second", &[("v", "two")]);
    let new = sync(&source).await.unwrap();
    assert_eq!(new.revision().id, forced);
    assert_eq!(rewrote(&new), Some(lost.clone()));
    assert_eq!(text(&*new, "v"), "two");
    // The last good state stays readable, and asking again says the same.
    assert_eq!(text(&*old, "v"), "2");
    assert_eq!(rewrote(&sync(&source).await.unwrap()), Some(lost.clone()));

    // Going back to an old revision by its record is no force-push, nor is going on from there.
    source.fetch(&cx(), old.revision()).await.unwrap();
    assert_eq!(rewrote(&source.fetch(&cx(), first.revision()).await.unwrap()), None);
    assert_eq!(rewrote(&sync(&source).await.unwrap()), Some(lost));
    repo.commit("third", &[("v", "3")]);
    assert_eq!(rewrote(&sync(&source).await.unwrap()), None);

    // A branch that is set back to an ancestor was forced as well.
    let third = repo.head();
    repo.git(&["reset", "--quiet", "--hard", "HEAD~2"]);
    repo.push();
    assert_eq!(rewrote(&sync(&source).await.unwrap()), Some(third));
}

#[tokio::test]
async fn more_fetches_than_gix_has_slots() {
    let repo = Repo::new();
    let source = local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
    let mut snapshots = Vec::new();
    for n in 0..60 {
        repo.commit("next", &[("n", &n.to_string())]);
        snapshots.push(sync(&source).await.unwrap());
    }
    // The mirror was made anew in between; what was fetched before is still there.
    for (n, snapshot) in snapshots.iter().enumerate() {
        assert_eq!(text(&**snapshot, "n"), n.to_string());
    }
}

#[tokio::test]
async fn many_packs_become_one_without_the_server() {
    let lines =
        |n: usize| (0..500).map(|line| if line == n { "x\n".into() } else { format!("{line}\n") }).collect();
    let repo = Repo::new();
    let build =
        || local(&repo.bare(), &repo.mirrors()).with_branch("main").with_max_packs(3).build().unwrap();
    let source = build();
    let doomed = repo.commit("doomed", &[("n", "doomed")]);
    sync(&source).await.unwrap();
    repo.git(&["commit", "--quiet", "--amend", "-m", "instead of it"]);
    let mut snapshots = Vec::new();
    for n in 0..10 {
        let lines: String = lines(n);
        repo.commit("next", &[("n", &n.to_string()), ("lines", &lines)]);
        snapshots.push(sync(&source).await.unwrap());
    }
    // A force-push right before the packs are many again is noticed as any other.
    let lost = repo.head();
    repo.git(&["commit", "--quiet", "--amend", "-m", "amended"]);
    repo.push();
    let forced = sync(&source).await.unwrap();
    assert_eq!(forced.revision().provenance.as_ref().unwrap().rewrote, Some(lost.clone()));

    for (n, snapshot) in snapshots.iter().enumerate() {
        assert_eq!(text(&**snapshot, "n"), n.to_string(), "a snapshot keeps its repository");
        assert_eq!(text(&**snapshot, "lines"), lines(n));
    }
    drop((snapshots, forced));
    assert!(packs(&repo) <= 4, "what nobody reads is removed: {}", packs(&repo));

    // All that was fetched is still there, also what the server has lost; Git finds nothing wrong with it.
    common::git(&repo.bare(), &["reflog", "expire", "--expire=now", "--all"]);
    common::git(&repo.bare(), &["gc", "--quiet", "--prune=now"]);
    for (id, n) in [(lost, "9"), (doomed, "doomed")] {
        let old = source.fetch(&cx(), &Revision::new(id)).await.unwrap();
        assert_eq!(text(&*old, "n"), n);
    }
    drop(source);
    let mirror = std::fs::read_dir(repo.mirrors()).unwrap().next().unwrap().unwrap().path();
    let current = mirror.join(std::fs::read_to_string(mirror.join("current")).unwrap());
    common::git(&current, &["fsck", "--full", "--strict"]);
}

fn packs(repo: &Repo) -> usize {
    let mut found = 0;
    let mut dirs = vec![repo.mirrors()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            found += usize::from(path.extension().is_some_and(|ext| ext == "pack"));
            if path.is_dir() {
                dirs.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn two_revisions_are_read_at_once_from_many_threads() {
    let repo = Repo::with(&[("dir/v", "1")]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let one = sync(&source).await.unwrap();
    repo.commit("second", &[("dir/v", "2")]);
    let two = sync(&source).await.unwrap();
    assert_ne!(one.id(&path("dir")).unwrap(), two.id(&path("dir")).unwrap());
    std::thread::scope(|scope| {
        for (snapshot, content) in [(&one, "1"), (&two, "2"), (&one, "1"), (&two, "2")] {
            scope.spawn(move || {
                for _ in 0..50 {
                    assert_eq!(text(&**snapshot, "dir/v"), content);
                    assert_eq!(snapshot.list(&path("dir")).unwrap().len(), 1);
                }
            });
        }
    });
}
