//! From a repository to a directory, by the engine and by the program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says with them what it expects")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gitops_core::{Adoption, Application, MemorySource, Prune, Reconciler};
use gitops_directory::{DirectoryTarget, PlainFiles};

fn reconciler(source: &MemorySource, to: &Path, adoption: Adoption) -> Reconciler {
    let app = Application::builder("site", source.clone(), DirectoryTarget::new(to))
        .with_path("www")
        .with_render(PlainFiles::new())
        .with_prune(Prune::GUARDED)
        .with_adoption(adoption)
        .build()
        .unwrap();
    Reconciler::builder().with_application(app).build().unwrap()
}

fn read(to: &Path, name: &str) -> Option<String> {
    fs::read_to_string(to.join(name)).ok()
}

#[tokio::test]
async fn files_are_what_git_says_and_others_are_left_alone() {
    let (source, dir) = (MemorySource::new("site"), tempfile::tempdir().unwrap());
    let to = dir.path().join("html");
    fs::create_dir_all(&to).unwrap();
    fs::write(to.join("theirs.txt"), "theirs").unwrap();
    fs::write(to.join("taken.html"), "by hand").unwrap();
    let files = [
        ("www/index.html", Some("<p>one")),
        ("www/css/site.css", Some("p {}")),
        ("www/taken.html", Some("git")),
        ("other/x", Some("no")),
    ];
    source.commit("Ada", "first", files).unwrap();

    let engine = reconciler(&source, &to, Adoption::Never);
    let report = engine.sync("site").await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed), (2, 1), "{report}");
    assert_eq!(read(&to, "index.html").as_deref(), Some("<p>one"));
    assert_eq!(read(&to, "css/site.css").as_deref(), Some("p {}"));
    assert_eq!((read(&to, "x"), read(&to, "taken.html").as_deref()), (None, Some("by hand")));
    // A process that starts later knows what is its own, and may take over what is nobody's.
    let engine = reconciler(&source, &to, Adoption::Unowned);
    let report = engine.sync("site").await.unwrap();
    assert_eq!((report.counts.unchanged, report.counts.changed, report.counts.failed), (2, 1, 0), "{report}");
    assert_eq!(read(&to, "taken.html").as_deref(), Some("git"));

    // Drift is put back, whether the file was written to, replaced or deleted.
    fs::write(to.join("index.html"), "<p>defaced").unwrap();
    fs::write(to.join("new"), "p { color: red }").unwrap();
    fs::rename(to.join("new"), to.join("css/site.css")).unwrap();
    fs::remove_file(to.join("taken.html")).unwrap();
    let report = engine.sync("site").await.unwrap();
    assert_eq!((report.counts.changed, report.counts.created), (2, 1), "{report}");
    assert_eq!(read(&to, "index.html").as_deref(), Some("<p>one"));
    assert_eq!(read(&to, "css/site.css").as_deref(), Some("p {}"));
    assert_eq!(read(&to, "taken.html").as_deref(), Some("git"));

    // What leaves Git goes; what never was in it stays.
    source.commit("Ada", "second", [("www/css/site.css", None), ("www/index.html", Some("<p>two"))]).unwrap();
    let report = engine.sync("site").await.unwrap();
    assert_eq!((report.counts.pruned, report.counts.changed), (1, 1), "{report}");
    assert_eq!((read(&to, "css/site.css"), read(&to, "index.html").as_deref()), (None, Some("<p>two")));
    assert_eq!(read(&to, "theirs.txt").as_deref(), Some("theirs"));
    let own: Vec<_> = fs::read_dir(to.join(".gitops")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!own.iter().any(|name| name.to_string_lossy().starts_with("new-")), "{own:?}");
}

#[tokio::test]
async fn an_old_state_that_is_put_back_is_noticed() {
    let (source, dir) = (MemorySource::new("site"), tempfile::tempdir().unwrap());
    let to = dir.path();
    let engine = reconciler(&source, to, Adoption::Never);
    source.commit("Ada", "first", [("www/a", Some("1"))]).unwrap();
    engine.sync("site").await.unwrap();
    let state = to.join(".gitops/state.json");
    let old = fs::read(&state).unwrap();
    source.commit("Ada", "second", [("www/b", Some("2"))]).unwrap();
    engine.sync("site").await.unwrap();
    fs::write(&state, old).unwrap();
    source.commit("Ada", "third", [("www/a", Some("3"))]).unwrap();
    let refused = engine.sync("site").await.unwrap_err().to_string();
    assert!(refused.contains("the state was replaced"), "{refused}");
    assert_eq!(read(to, "a").as_deref(), Some("1"));
    // A state that nobody can read is never taken for an empty one.
    fs::write(&state, "{").unwrap();
    let refused = reconciler(&source, to, Adoption::Never).sync("site").await.unwrap_err().to_string();
    assert!(refused.contains("the state is damaged"), "{refused}");
}

#[tokio::test]
async fn links_lead_nowhere() {
    let (source, dir, outside) =
        (MemorySource::new("site"), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(outside.path(), dir.path().join("css")).unwrap();
    fs::write(outside.path().join("site.css"), "theirs").unwrap();
    source.commit("Ada", "first", [("www/css/site.css", Some("ours"))]).unwrap();
    let synced = reconciler(&source, dir.path(), Adoption::Any).sync("site").await;
    assert!(!synced.is_ok_and(|report| report.counts.all_good()));
    assert_eq!(read(outside.path(), "site.css").as_deref(), Some("theirs"));
}

/// The program, as it was built beside this test.
fn program(arguments: &[&str]) -> Output {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/directory");
    assert!(program.exists(), "build it first: cargo build -p gitops-directory --examples");
    Command::new(program).args(arguments).output().unwrap()
}

fn git(dir: &Path, arguments: &[&str]) {
    let names = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
    let done = Command::new("git")
        .current_dir(dir)
        .envs(names.map(|name| (name, "ada@example.org")))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_program_plans_and_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, to, mirror) = (dir.path().join("repo"), dir.path().join("to"), dir.path().join("mirror"));
    fs::create_dir_all(repo.join("nginx")).unwrap();
    git(&repo, &["init", "--quiet", "--initial-branch=main"]);
    fs::write(repo.join("nginx/site.conf"), "server {}\n").unwrap();
    fs::write(repo.join("nginx/logo.png"), [0x89, b'P', 0xff, 0]).unwrap();
    git(&repo, &["add", "--all"]);
    git(&repo, &["commit", "--quiet", "-m", "first"]);
    let call = |command: &str, more: &[&str]| {
        let [repo, to, mirror] = [&repo, &to, &mirror].map(|path| path.to_str().unwrap());
        let usual = [command, "--repo", repo, "--path", "nginx", "--to", to, "--mirror", mirror];
        let done = program(&[&usual, more].concat());
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
        )
    };
    let (code, plan) = call("plan", &[]);
    assert!(code == Some(0) && plan.contains("site.conf"), "{plan}");
    assert!(!to.exists(), "planning writes nothing");
    let (code, text) = call("sync", &[]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(read(&to, "site.conf").as_deref(), Some("server {}\n"));
    assert_eq!(fs::read(to.join("logo.png")).unwrap(), [0x89, b'P', 0xff, 0]);

    git(&repo, &["rm", "--quiet", "-r", "nginx"]);
    fs::create_dir_all(repo.join("nginx")).unwrap();
    fs::write(repo.join("nginx/.keep"), "").unwrap();
    git(&repo, &["add", "--all"]);
    git(&repo, &["commit", "--quiet", "-m", "second"]);
    let (code, text) = call("sync", &["--prune"]);
    assert_eq!(code, Some(3), "all files would go: {text}");
    let digest = text.split("--approve ").nth(1).unwrap().trim();
    let (code, text) = call("sync", &["--prune", "--approve", digest]);
    assert_eq!(code, Some(0), "{text}");
    assert!(read(&to, "site.conf").is_none() && !to.join("logo.png").exists());
    let (code, text) = call("sync", &["--name", "other", "--repo", "/nowhere/at/all"]);
    assert_eq!(code, Some(2), "{text}");
}
