//! Includes, excludes and `.sourceignore` files, beside what Git itself leaves out by the same patterns.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::collections::BTreeSet;

use common::{Repo, fault, local, path, sync};
use gitops_core::{Class, EntryKind, RepoPath, Snapshot};

/// All files that count.
fn files(snapshot: &dyn Snapshot) -> BTreeSet<String> {
    let (mut found, mut left) = (BTreeSet::new(), vec![RepoPath::root()]);
    while let Some(dir) = left.pop() {
        for entry in snapshot.list(&dir).unwrap() {
            let path = dir.join(&entry.name).unwrap();
            if entry.kind == EntryKind::Directory {
                left.push(path);
            } else {
                snapshot.read(&path, 1024).unwrap();
                found.insert(path.to_string());
            }
        }
    }
    found
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_sourceignore_leaves_out_and_what_is_left_out_is_not_there() {
    let repo = Repo::with(&[
        (".sourceignore", "*.md\n/ci/\n!keep.md\n"),
        ("README.md", "r"),
        ("ci/build.yaml", "c"),
        ("apps/web.yaml", "w"),
        ("apps/keep.md", "k"),
        ("apps/db/.sourceignore", "draft.yaml\n!notes.md\n"),
        ("apps/db/draft.yaml", "d"),
        ("apps/db/notes.md", "n"),
        ("draft.yaml", "d"),
    ]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let snapshot = sync(&source).await.unwrap();
    let expected = [
        ".sourceignore",
        "apps/web.yaml",
        "apps/keep.md",
        "apps/db/.sourceignore",
        "apps/db/notes.md",
        "draft.yaml",
    ];
    assert_eq!(files(&*snapshot), set(&expected));
    for gone in ["README.md", "ci/build.yaml", "apps/db/draft.yaml"] {
        let told = fault(snapshot.read(&path(gone), 1024));
        assert_eq!(told.class, Class::NotFound);
        assert!(told.to_string().contains("left out by a pattern"), "{told}");
        assert_eq!(snapshot.id(&path(gone)).unwrap(), None);
    }
    assert_eq!(fault(snapshot.list(&path("ci"))).class, Class::NotFound);
    assert_eq!(snapshot.id(&path("ci")).unwrap(), None);
}

#[tokio::test]
async fn the_program_has_the_last_word() {
    let repo = Repo::with(&[
        (".sourceignore", "*.json\n"),
        ("a.json", "{}"),
        ("a.yaml", "a"),
        ("apps/b.yaml", "b"),
        ("apps/test/c.yaml", "c"),
        ("docs/d.txt", "d"),
    ]);
    let build = || local(&repo.bare(), &repo.mirrors());
    let seen =
        async |source: gitops_git::GitSourceBuilder| files(&*sync(&source.build().unwrap()).await.unwrap());
    assert_eq!(
        seen(build().with_exclude("test/").with_exclude("!*.json").with_exclude("docs")).await,
        set(&[".sourceignore", "a.json", "a.yaml", "apps/b.yaml"])
    );
    assert_eq!(seen(build().with_include("/apps")).await, set(&["apps/b.yaml", "apps/test/c.yaml"]));
    assert_eq!(
        seen(build().with_include("*.yaml").with_include("*.json").with_exclude("test")).await,
        set(&["a.yaml", "apps/b.yaml"])
    );
}

#[tokio::test]
async fn ids_change_with_the_patterns_that_have_a_say() {
    let repo =
        Repo::with(&[("apps/web.yaml", "w"), ("other/x.yaml", "x"), ("apps/deep/.sourceignore", "x\n")]);
    let source = local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
    let id = async |at: &str| sync(&source).await.unwrap().id(&path(at)).unwrap();
    let plain = id("apps").await;
    repo.commit("elsewhere", &[("other/.sourceignore", "x.yaml\n")]);
    assert_eq!(id("apps").await, plain);
    repo.commit("above", &[(".sourceignore", "web.yaml\n")]);
    let sifted = id("apps").await;
    assert_ne!(sifted, plain);
    repo.commit("another", &[(".sourceignore", "webs.yaml\n")]);
    assert_ne!(id("apps").await, sifted);
    let before = id("apps").await;
    repo.commit("the same again", &[("other/y.yaml", "y")]);
    assert_eq!(id("apps").await, before);
    assert_eq!(id("apps/web.yaml").await.unwrap().as_str().split('+').count(), 1);
}

#[tokio::test]
async fn a_file_of_patterns_that_is_too_large_is_an_error() {
    let repo = Repo::with(&[("a.yaml", "a"), (".sourceignore", &"x\n".repeat(40_000))]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let told = fault(sync(&source).await.unwrap().list(&RepoPath::root()));
    assert_eq!(told.class, Class::Invalid);
    assert!(told.to_string().contains(".sourceignore"), "{told}");
}

/// `git ls-files --others` with the same files of patterns is the reference.
#[tokio::test]
async fn random_patterns_leave_out_what_git_leaves_out() {
    const NAMES: [&str; 5] = ["a", "b", "ab", "c.yaml", "d"];
    const PATTERNS: [&str; 20] = [
        "a", "/a", "a/", "a/b", "/a/b", "*b", "?", "**/b", "a/**", "a/**/b", "!a", "!b", "!/a", "!a/b", "*",
        "!*/", "\\!a", "[ab]", "*.yaml", "# a",
    ];
    let (mut kept, mut left_out) = (0, 0);
    for seed in 1..=60_u64 {
        let mut roll = seed;
        let mut next = |below: usize| {
            roll = roll.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(roll >> 33).unwrap() % below
        };
        let mut tree = std::collections::BTreeMap::new();
        for _ in 0..14 {
            let depth = 1 + next(3);
            let file: Vec<&str> = (0..depth).map(|_| NAMES[next(NAMES.len())]).collect();
            tree.insert(format!("{}/file{}", file.join("/"), next(3)), "x".to_owned());
        }
        for dir in ["", "a/", "b/", "a/b/"] {
            if next(3) > 0 {
                let lines: Vec<&str> = (0..=next(4)).map(|_| PATTERNS[next(PATTERNS.len())]).collect();
                tree.insert(format!("{dir}.sourceignore"), format!("{}\n", lines.join("\n")));
            }
        }
        let tree: Vec<(&str, &str)> =
            tree.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let repo = Repo::with(&tree);
        let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
        let ours = files(&*sync(&source).await.unwrap());
        // Nothing is tracked there, so that all of it is told that is not left out.
        repo.git(&["rm", "--quiet", "-r", "--cached", "."]);
        let theirs = repo.git(&["ls-files", "--others", "--exclude-per-directory=.sourceignore"]);
        let theirs: BTreeSet<String> = theirs.lines().map(str::to_owned).collect();
        assert_eq!(ours, theirs, "seed {seed}: {tree:?}");
        (kept, left_out) = (kept + ours.len(), left_out + tree.len() - ours.len());
    }
    assert!(kept > 100 && left_out > 100, "{kept} kept and {left_out} left out say little");
}
