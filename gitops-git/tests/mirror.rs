//! The mirror on disk.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::{Repo, cx, dirs, fault, local, sync, text};
use gitops_core::{RefSpec, Source};

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
