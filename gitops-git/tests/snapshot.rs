//! Reading a commit's tree.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::collections::BTreeMap;

use common::repo::git_with;
use common::{Repo, fault, local, path, sync, text};
use gitops_core::{Class, EntryKind, RepoPath, Snapshot};
use proptest::prelude::*;

#[tokio::test]
async fn directories_are_listed_one_at_a_time() {
    let repo = Repo::with(&[("b/c/deep.yaml", "x"), ("a.yaml", "a"), ("b.yaml", "b")]);
    let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    let list = |dir: &str| -> Vec<(String, EntryKind)> {
        let entries = snapshot.list(&path(dir)).unwrap();
        entries.into_iter().map(|entry| (entry.name, entry.kind)).collect()
    };
    // Git sorts `b/` after `b.yaml`; by name it comes before.
    let file = |name: &str| (name.to_owned(), EntryKind::File);
    assert_eq!(list(""), [file("a.yaml"), ("b".to_owned(), EntryKind::Directory), file("b.yaml")]);
    assert_eq!(list("b/c"), [file("deep.yaml")]);

    assert_eq!(snapshot.id(&path("missing/file")).unwrap(), None);
    assert_eq!(snapshot.id(&path("a.yaml/file")).unwrap(), None);
    for (fault, said) in [
        (fault(snapshot.list(&path("missing"))), "does not exist"),
        (fault(snapshot.list(&path("a.yaml"))), "not a directory"),
        (fault(snapshot.read(&path("b"), 99)), "not a file"),
        (fault(snapshot.read(&path("b/missing"), 99)), "does not exist"),
    ] {
        assert_eq!(fault.class, Class::NotFound, "{fault}");
        assert!(fault.to_string().contains(said), "{fault}");
        assert!(fault.to_string().contains(&snapshot.revision().id[..7]), "{fault}");
    }
}

#[tokio::test]
async fn ids_change_with_what_they_name_only() {
    let repo = Repo::with(&[("a/x", "1"), ("b/y", "1"), ("c", "1")]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let before = sync(&source).await.unwrap();
    repo.commit("change", &[("a/x", "2")]);
    let after = sync(&source).await.unwrap();
    let same = |name: &str| before.id(&path(name)).unwrap() == after.id(&path(name)).unwrap();
    assert!(!same("a/x") && !same("a") && !same("") && same("b") && same("b/y") && same("c"));
    assert_eq!(before.id(&path("b/y")).unwrap(), before.id(&path("c")).unwrap(), "the same content");

    repo.git(&["update-index", "--chmod=+x", "c"]);
    repo.git(&["commit", "--quiet", "-m", "executable"]);
    repo.push();
    let executable = sync(&source).await.unwrap();
    assert_ne!(executable.id(&path("c")).unwrap(), after.id(&path("c")).unwrap());
}

#[tokio::test]
async fn links_are_followed_inside_the_tree() {
    let repo = Repo::with(&[("base/deep/values.yaml", "v: 1\n"), ("apps/shop/own.yaml", "own")]);
    repo.link("apps/shop/values.yaml", "../../base/deep/values.yaml");
    repo.link("apps/shop/base", "../../base");
    repo.link("apps/twice", "./shop/../shop/base/deep");
    repo.link("apps/missing", "../nowhere/file");
    repo.link("apps/behind-a-file", "shop/own.yaml/..");
    repo.commit_all("links");
    let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    let id = |name: &str| snapshot.id(&path(name)).unwrap();
    for name in ["apps/shop/values.yaml", "apps/shop/base/deep/values.yaml", "apps/twice/values.yaml"] {
        assert_eq!(text(&*snapshot, name), "v: 1\n");
        assert_eq!(id(name), id("base/deep/values.yaml"));
    }
    assert_eq!(id("apps/shop/base"), id("base"));
    assert_eq!(snapshot.list(&path("apps/shop/base")).unwrap(), snapshot.list(&path("base")).unwrap());

    let kinds: BTreeMap<_, _> = ["apps", "apps/shop"]
        .iter()
        .flat_map(|dir| snapshot.list(&path(dir)).unwrap())
        .map(|entry| (entry.name, entry.kind))
        .collect();
    assert_eq!(kinds["values.yaml"], EntryKind::File);
    assert_eq!(kinds["base"], EntryKind::Directory);
    assert_eq!(kinds["twice"], EntryKind::Directory);
    for dangling in ["missing", "behind-a-file"] {
        assert_eq!(kinds[dangling], EntryKind::BrokenLink, "{dangling}");
        assert_eq!(id(&format!("apps/{dangling}")), None);
        assert_eq!(fault(snapshot.read(&path(&format!("apps/{dangling}")), 9)).class, Class::NotFound);
    }
}

#[tokio::test]
async fn links_that_lead_out_or_in_circles_are_invalid() {
    let repo = Repo::with(&[("dir/file", "x")]);
    let cases = [
        ("dir/absolute", "/etc/passwd"),
        ("dir/out", "../../outside"),
        ("dir/far-out", "../../../../etc/passwd"),
        ("dir/itself", "itself"),
        ("dir/one", "two"),
        ("dir/two", "one"),
        ("dir/up", ".."),
        ("dir/here", "."),
        ("other/back", "../dir/across"),
        ("dir/across", "../other"),
    ];
    for (name, target) in cases {
        repo.link(name, target);
    }
    repo.commit_all("links");
    let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    let listed = snapshot.list(&path("dir")).unwrap();
    for (name, target) in &cases[..8] {
        let invalid = fault(snapshot.id(&path(name)));
        assert_eq!(invalid.class, Class::Invalid, "{name}: {invalid}");
        assert!(invalid.to_string().contains(name), "{name}: {invalid}");
        assert!(
            *name == "dir/one" || *name == "dir/two" || invalid.to_string().contains(target),
            "{invalid}"
        );
        assert_eq!(fault(snapshot.read(&path(name), 9)).class, Class::Invalid);
        let entry = listed.iter().find(|entry| format!("dir/{}", entry.name) == *name).unwrap();
        assert_eq!(entry.kind, EntryKind::BrokenLink, "{name}");
    }
    // `dir/across` leads to `other`, whose `back` leads to `dir/across`, which is `other` again.
    assert_eq!(snapshot.list(&path("dir/across")).unwrap()[0].kind, EntryKind::BrokenLink);
    assert_eq!(fault(snapshot.list(&path("dir/across/back"))).class, Class::Invalid);
    // What is broken spoils nothing beside it.
    assert_eq!(text(&*snapshot, "dir/file"), "x");
    assert!(snapshot.id(&path("dir")).unwrap().is_some());
}

#[tokio::test]
async fn a_directory_changes_with_what_its_links_lead_to() {
    let repo = Repo::with(&[("base/values", "1"), ("other", "1"), ("app/own", "1"), ("lone/x", "1")]);
    repo.link("app/sub/values", "../../base/values");
    repo.link("app/inside", "own");
    repo.commit_all("links");
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let one = sync(&source).await.unwrap();
    repo.commit("base", &[("base/values", "2")]);
    let two = sync(&source).await.unwrap();
    repo.commit("other", &[("other", "2")]);
    let three = sync(&source).await.unwrap();
    let id = |snapshot: &dyn Snapshot, name: &str| snapshot.id(&path(name)).unwrap().unwrap();
    for name in ["app", "app/sub"] {
        assert_ne!(id(&*one, name), id(&*two, name), "{name} shows base/values");
        assert_eq!(id(&*two, name), id(&*three, name), "{name} does not show other");
    }
    assert_eq!(id(&*one, "lone"), id(&*three, "lone"));
}

#[tokio::test]
async fn files_that_are_too_large_or_elsewhere_are_refused() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let repo = Repo::with(&[("big", "0123456789"), ("lfs.yaml", pointer)]);
    let commit = repo.head();
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},vendored")]);
    repo.git(&["commit", "--quiet", "-m", "submodule"]);
    repo.push();
    let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    let large = fault(snapshot.read(&path("big"), 9));
    assert_eq!(large.class, Class::Invalid);
    assert!(large.to_string().contains("10 bytes") && large.to_string().contains("limit of 9"), "{large}");
    assert_eq!(&*snapshot.read(&path("big"), 10).unwrap(), b"0123456789");

    let lfs = fault(snapshot.read(&path("lfs.yaml"), 999));
    assert_eq!(lfs.class, Class::Invalid);
    assert!(lfs.to_string().contains("LFS"), "{lfs}");

    let submodule =
        snapshot.list(&RepoPath::root()).unwrap().into_iter().find(|e| e.name == "vendored").unwrap();
    assert_eq!(submodule.kind, EntryKind::Submodule);
    for fault in [fault(snapshot.list(&path("vendored"))), fault(snapshot.read(&path("vendored"), 9))] {
        assert_eq!(fault.class, Class::NotFound);
        assert!(fault.to_string().contains("submodule"), "{fault}");
    }
    assert!(snapshot.id(&path("vendored")).unwrap().unwrap().as_str().contains(&commit));
}

#[tokio::test]
async fn names_that_no_path_can_spell_are_refused_where_they_are() {
    use std::os::unix::ffi::OsStrExt as _;
    let repo = Repo::with(&[("good/a", "a"), ("bad/b", "b"), ("worse/c", "c")]);
    std::fs::write(repo.work().join("bad").join(std::ffi::OsStr::from_bytes(b"\xff\x1b")), "x").unwrap();
    std::fs::write(repo.work().join("worse/back\\slash"), "x").unwrap();
    repo.commit_all("names");
    let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    for dir in ["bad", "worse"] {
        let invalid = fault(snapshot.list(&path(dir)));
        assert_eq!(invalid.class, Class::Invalid);
        assert!(invalid.to_string().contains(dir) && !invalid.to_string().contains('\u{1b}'), "{invalid}");
    }
    assert_eq!(snapshot.list(&path("good")).unwrap().len(), 1);
    assert_eq!(text(&*snapshot, "bad/b"), "b");
}

/// Trees of a few levels, with names that sort differently in Git and here, and content of all kinds.
fn files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let name = prop::sample::select(vec!["a", "a.b", "a-b", "a0", "B", "ü", "with space", "z"]);
    let file = prop::collection::vec(name, 1..4).prop_map(|parts| parts.join("/") + ".yaml");
    prop::collection::btree_map(file, prop::collection::vec(any::<u8>(), 0..60), 1..12)
}

/// Whoever lists a directory has all of it in memory.
#[tokio::test]
async fn a_directory_has_an_end() {
    let repo = Repo::with(&[("a", "1")]);
    let blob = repo.git(&["rev-parse", "HEAD:a"]);
    let tree = |count: usize| {
        let lines: Vec<_> = (0..count).map(|n| format!("100644 blob {blob}\tf{n:06}\n")).collect();
        git_with(&repo.work(), &["mktree"], lines.concat().as_bytes())
    };
    let root = format!("040000 tree {}\tlarge\n040000 tree {}\ttoo-large\n", tree(100_000), tree(100_001));
    let root = git_with(&repo.work(), &["mktree"], root.as_bytes());
    let commit = repo.git(&["commit-tree", &root, "-m", "large"]);
    repo.git(&["push", "--quiet", "--force", "origin", &format!("{commit}:refs/heads/main")]);
    let tree = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    assert_eq!(tree.list(&path("large")).unwrap().len(), 100_000);
    let refused = tree.list(&path("too-large")).unwrap_err();
    assert_eq!(refused.class, Class::Invalid);
    assert!(refused.to_string().contains("100000"), "{refused}");
    assert_eq!(&*tree.read(&path("too-large/f100000"), 9).unwrap(), b"1", "it is named, and nobody lists it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_snapshot_is_what_git_says(files in files()) {
        let repo = Repo::new();
        for (name, content) in &files {
            let file = repo.work().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        repo.commit_all("tree");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
        let snapshot = runtime.block_on(sync(&source)).unwrap();

        let mut found = BTreeMap::new();
        let mut dirs = vec![RepoPath::root()];
        while let Some(dir) = dirs.pop() {
            let entries = snapshot.list(&dir).unwrap();
            prop_assert!(entries.is_sorted_by(|a, b| a.name < b.name));
            for entry in entries {
                let path = dir.join(&entry.name).unwrap();
                match entry.kind {
                    EntryKind::Directory => dirs.push(path),
                    EntryKind::File => {
                        found.insert(path.as_str().to_owned(), snapshot.read(&path, 1000).unwrap().to_vec());
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
        prop_assert_eq!(&found, &files);
        for line in repo.git(&["ls-tree", "-r", "-t", "-z", "HEAD"]).split_terminator('\0') {
            let (meta, name) = line.split_once('\t').unwrap();
            let words: Vec<_> = meta.split(' ').collect();
            let kind = if words[1] == "tree" { "tree" } else { words[0] };
            let id = snapshot.id(&path(name)).unwrap().unwrap();
            prop_assert_eq!(id.as_str(), format!("{kind}:{}", words[2]));
        }
    }
}
