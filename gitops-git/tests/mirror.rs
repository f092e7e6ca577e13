//! The mirror on disk.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::repo::git_with;
use common::server::Request;
use common::{Repo, Server, cx, dirs, fault, http, local, sync, text};
use gitops_core::{Class, RefSpec, Revision, Source};

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// What befalls a mirror: a name, the files that it befalls, and what happens to each.
type Damage = (&'static str, fn(&Path) -> bool, fn(&Path));

const DAMAGES: [Damage; 9] = [
    ("a pack cut short", |path| has_extension(path, "pack"), cut),
    ("an index cut short", |path| has_extension(path, "idx"), cut),
    ("a missing pack", |path| has_extension(path, "pack"), |path| fs::remove_file(path).unwrap()),
    ("a missing index", |path| has_extension(path, "idx"), |path| fs::remove_file(path).unwrap()),
    ("no HEAD", |path| path.ends_with("HEAD"), |path| fs::remove_file(path).unwrap()),
    ("a strange HEAD", |path| path.ends_with("HEAD"), |path| fs::write(path, [0, 255, 1]).unwrap()),
    ("a strange config", |path| path.ends_with("config"), |path| fs::write(path, "[core\n\0").unwrap()),
    (
        "strange references",
        |path| path.to_str().unwrap().contains("refs/"),
        |path| fs::write(path, "x").unwrap(),
    ),
    (
        "a current that names nothing",
        |path| path.ends_with("current"),
        |path| fs::write(path, "../..").unwrap(),
    ),
];

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn cut(path: &Path) {
    // Packs are read-only.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let half = fs::metadata(path).unwrap().len() / 2;
    fs::File::options().write(true).open(path).unwrap().set_len(half).unwrap();
}

fn damage(mirrors: &Path, (name, which, what): &Damage) {
    let hit: Vec<_> = files(mirrors).into_iter().filter(|path| which(path)).collect();
    assert!(!hit.is_empty(), "{name}");
    for path in hit {
        what(&path);
    }
}

#[tokio::test]
async fn a_damaged_mirror_is_made_anew() {
    for each in &DAMAGES {
        let name = each.0;
        let repo = Repo::with(&[("v", "1")]);
        let build = || local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
        sync(&build()).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        damage(&repo.mirrors(), each);
        // The same revision, by a process that starts; then a new one.
        let source = build();
        let same = sync(&source).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        if same.read(&common::path("v"), 9).is_err() {
            // Only reading the file shows it. The next fetch repairs.
            let again = sync(&source).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert_eq!(text(&*again, "v"), "1", "{name}");
        }
        damage(&repo.mirrors(), each);
        repo.commit("second", &[("v", "2")]);
        let next = sync(&build()).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(text(&*next, "v"), "2", "{name}");
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_cleared() {
    let repo = Repo::with(&[("v", "1")]);
    let build = || local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
    sync(&build()).await.unwrap();
    let pack = files(&repo.mirrors()).into_iter().find(|path| has_extension(path, "pack")).unwrap();
    let repository = pack.ancestors().nth(3).unwrap();
    let half_pack = pack.with_file_name(".tmpAbCdEf");
    fs::write(&half_pack, "PACK").unwrap();
    let tip = files(&repository.join("refs/gitops/tips")).remove(0);
    let lock = tip.with_extension("lock");
    fs::write(&lock, "").unwrap();
    let stale = repository.with_file_name("repo-77.git");
    fs::create_dir(&stale).unwrap();

    repo.commit("second", &[("v", "2")]);
    assert_eq!(text(&*sync(&build()).await.unwrap(), "v"), "2");
    assert!(!half_pack.exists() && !lock.exists() && !stale.exists());
    assert!(pack.exists(), "the mirror itself was used");
}

#[tokio::test]
async fn clones_of_a_source_share_its_mirror() {
    let repo = Repo::with(&[("v", "1")]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    sync(&source.clone()).await.unwrap();
    sync(&source).await.unwrap();
    assert_eq!(dirs(&repo.mirrors()).len(), 1);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let repo = Repo::with(&[("v", "1")]);
    let file = repo.root().join("file");
    fs::write(&file, "").unwrap();
    let source = local(&repo.bare(), &file.join("mirrors")).build().unwrap();
    let fault = fault(sync(&source).await);
    assert!(fault.to_string().contains(file.to_str().unwrap()), "{fault}");
}

#[tokio::test]
async fn a_branch_may_take_the_place_of_a_directory_of_branches() {
    let repo = Repo::with(&[("v", "1")]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    repo.git(&["push", "--quiet", "origin", "HEAD:refs/heads/env"]);
    for name in ["env", "env/prod"] {
        if name == "env/prod" {
            common::git(&repo.bare(), &["update-ref", "-d", "refs/heads/env"]);
            repo.git(&["push", "--quiet", "origin", "HEAD:refs/heads/env/prod"]);
        }
        let revision = source.resolve(&cx(), &RefSpec::Branch(name.into())).await.unwrap();
        source.fetch(&cx(), &revision).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_that_nobody_can_read_is_fetched_twice_and_then_refused() {
    let repo = Repo::with(&[("a", "1")]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).with_branch("main").build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "a"), "1");
    let good = repo.head();

    // Git itself serves a commit without an author and a committer.
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let raw = format!("tree {tree}\nparent {good}\n\nnobody made this\n");
    let write = ["hash-object", "-t", "commit", "-w", "--literally", "--stdin"];
    let bad = git_with(&repo.bare(), &write, raw.as_bytes());
    git_with(&repo.bare(), &["update-ref", "refs/heads/main", &bad], b"");

    server.take_requests();
    let fetches = || {
        let is_fetch = |request: &Request| request.body.windows(13).any(|part| part == b"command=fetch");
        server.take_requests().iter().filter(|request| is_fetch(request)).count()
    };
    let refused = fault(sync(&source).await);
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    assert!(refused.to_string().contains(&bad) && refused.to_string().contains("git fsck"), "{refused}");
    let first = fetches();
    assert!(first >= 2, "{first}");
    // Asked again, it is not fetched again: what it needs is in the mirror that was made anew.
    for _ in 0..3 {
        assert_eq!(fault(sync(&source).await).class, Class::Invalid);
    }
    assert_eq!(fetches(), 0);
    // What can be read still is.
    let before = source.fetch(&cx(), &Revision::new(good)).await.unwrap();
    assert_eq!(text(&*before, "a"), "1");
}
