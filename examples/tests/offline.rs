//! The command line without a cluster: `--target memory`, and errors that say what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Repo, json_lines, program};

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n";
const SETTINGS: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: shop\ndata:\n  key: value\n";

fn gitops(args: &[&str]) -> Output {
    let mut command = Command::new(program("gitops"));
    command.env("KUBECONFIG", Path::new("/nonexistent/kubeconfig")).env_remove("RUST_LOG");
    command.env_remove("KUBERNETES_SERVICE_HOST").args(args).output().unwrap()
}

/// A command on the application `shop` of a repository, in memory.
fn in_memory(what: &str, repo: &Repo, more: &[&str]) -> Output {
    let (url, mirror) = (repo.url(), repo.mirror().display().to_string());
    let mut args = vec![what, "--target", "memory", "--name", "shop", "--repo", &url, "--mirror", &mirror];
    args.extend(more);
    gitops(&args)
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line of an error, and that the exit code says so.
#[track_caller]
fn error(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("gitops: "), "{text}");
    text
}

#[test]
fn a_repository_is_synced_into_memory() {
    let repo = Repo::with(&[("apps/namespace.yaml", NAMESPACE), ("apps/settings.yaml", SETTINGS)]);
    let synced = in_memory("sync", &repo, &["--path", "apps", "--wait", "--output", "json"]);
    assert_eq!(synced.status.code(), Some(0), "{synced:?}");
    let lines = json_lines(&out(&synced));
    let finished = lines.iter().find(|line| line["type"] == "sync_finished").unwrap();
    assert_eq!(finished["counts"]["created"], 2);
    assert!(finished["revision"]["id"].as_str().unwrap().len() == 40, "{finished}");
    assert!(finished["requests"].as_u64().unwrap() > 0 && finished["duration_ms"].as_f64().unwrap() > 0.0);
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["health"]["health"]), (&"waited".into(), &"Healthy".into()));

    // For people, everything is said once.
    let text = out(&in_memory("sync", &repo, &["--path", "apps", "--wait"]));
    assert_eq!(text.matches("2 created").count(), 1, "{text}");
    assert_eq!(text.lines().last(), Some("shop: Healthy"), "{text}");

    let plan = in_memory("plan", &repo, &["--path", "apps"]);
    assert_eq!(plan.status.code(), Some(0));
    let text = out(&plan);
    assert!(text.contains("+ ConfigMap/shop/settings") && text.contains("\nplan "), "{text}");
    let plan = json_lines(&out(&in_memory("plan", &repo, &["--path", "apps", "--output", "json"]))).remove(0);
    assert_eq!((&plan["type"], plan["items"].as_array().unwrap().len()), (&"plan".into(), 2));
    assert!(text.contains(plan["digest"].as_str().unwrap()), "{plan}");
    assert_eq!(in_memory("diff", &repo, &["--path", "apps"]).status.code(), Some(1));
}

#[test]
fn what_is_left_out_is_not_deployed() {
    let repo = Repo::with(&[
        ("apps/namespace.yaml", NAMESPACE),
        ("apps/settings.yaml", SETTINGS),
        ("apps/drafts/broken.yaml", "{"),
        (".sourceignore", "drafts/\n"),
    ]);
    let created = |more: &[&str]| {
        let synced = in_memory("sync", &repo, &[&["--path", "apps", "--output", "json"], more].concat());
        assert_eq!(synced.status.code(), Some(0), "{synced:?}");
        let lines = json_lines(&out(&synced));
        let finished = lines.iter().find(|line| line["type"] == "sync_finished").unwrap();
        finished["counts"]["created"].as_u64().unwrap()
    };
    assert_eq!(created(&[]), 2);
    assert_eq!(created(&["--exclude", "settings.*"]), 1);
    assert_eq!(created(&["--include", "/apps/n*", "--include", "*.txt"]), 1);
}

/// Runs a program of the machine in a repository's work tree.
fn run(repo: &Repo, program: &str, args: &[&str]) -> String {
    let done = Command::new(program)
        .args(args)
        .current_dir(repo.url())
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
#[ignore = "needs ssh-keygen: see CONTRIBUTING.md"]
fn only_what_is_signed_is_synced_where_that_is_wanted() {
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE)]);
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("ada").display().to_string();
    run(&repo, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key]);
    let public = std::fs::read_to_string(format!("{key}.pub")).unwrap();
    let signers = keys.path().join("allowed_signers").display().to_string();
    std::fs::write(&signers, format!("ada@example.org {public}")).unwrap();
    let trust = ["--verify", "every", "--allowed-signers", &signers];

    // A source that cannot be used is no plan: nothing could be done.
    let refused = in_memory("sync", &repo, &trust);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is refused: it is not signed"), "{refused:?}");
    let since = run(&repo, "git", &["rev-parse", "HEAD"]);
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "gpg.format=ssh"];
    let signing = format!("user.signingkey={key}");
    let commit = ["-c", &signing, "commit", "--quiet", "--allow-empty", "-S", "-m", "signed"];
    run(&repo, "git", &[&who[..], &commit].concat());
    let synced =
        in_memory("sync", &repo, &[&trust[..], &["--trusted-since", &since, "--output", "json"]].concat());
    assert_eq!(synced.status.code(), Some(0), "{synced:?}");
    let lines = json_lines(&out(&synced));
    let finished = lines.iter().find(|line| line["type"] == "sync_finished").unwrap();
    assert_eq!(finished["revision"]["provenance"]["verified"][0]["name"], "ada@example.org", "{finished}");

    let text = error(&in_memory("plan", &repo, &["--verify", "head"]));
    assert!(text.contains("--trusted-keys") && text.contains("--allowed-signers"), "{text}");
    std::fs::write(&signers, "ada@example.org cert-authority ssh-ed25519 AAAA").unwrap();
    let text = error(&in_memory("plan", &repo, &trust));
    assert!(text.contains("line 1"), "{text}");
    assert_ne!(in_memory("plan", &repo, &["--trusted-since", &since]).status.code(), Some(0));
}

#[test]
fn what_fails_is_said_at_once() {
    // No namespace: the object cannot be created, and waiting would not help.
    let repo = Repo::with(&[("settings.yaml", SETTINGS)]);
    let begun = Instant::now();
    let synced = in_memory("sync", &repo, &["--wait"]);
    assert_eq!(synced.status.code(), Some(1), "{synced:?}");
    assert!(out(&synced).contains("namespace \"shop\" does not exist"), "{synced:?}");
    assert!(begun.elapsed().as_secs() < 30);
}

#[test]
fn errors_say_what_to_do() {
    let repo =
        Repo::with(&[("apps/settings.yaml", SETTINGS), ("broken/a.yaml", "kind: ConfigMap\nmetadata\n")]);
    let text =
        error(&gitops(&["plan", "--target", "memory", "--name", "shop", "--repo", "/nonexistent/config"]));
    assert!(text.contains("there is no directory /nonexistent/config"), "{text}");
    let text = error(&in_memory("plan", &repo, &["--path", "nowhere"]));
    assert!(text.contains("nowhere") && text.contains("check the application's path"), "{text}");
    let text = error(&in_memory("plan", &repo, &["--path", "broken"]));
    assert!(text.contains("broken/a.yaml:2"), "{text}");
    let text = error(&in_memory("plan", &repo, &["--ref", "release"]));
    assert!(text.contains("refs/heads/release"), "{text}");
    let unknown = "https://no-such-host.invalid/config";
    let mirror = repo.mirror().display().to_string();
    let text = error(&gitops(&[
        "plan", "--target", "memory", "--name", "shop", "--repo", unknown, "--mirror", &mirror,
    ]));
    assert!(text.contains("no-such-host.invalid") && text.contains("cannot be reached"), "{text}");
    let text = error(&gitops(&["status", "--name", "shop"]));
    assert!(text.contains("/nonexistent/kubeconfig") && text.contains("set KUBECONFIG"), "{text}");
    let text = error(&gitops(&["status", "--target", "memory", "--name", "Shop"]));
    assert!(text.contains("lower-case"), "{text}");
    let text = error(&gitops(&["remove", "--target", "memory", "--name", "shop"]));
    assert!(text.contains("was never deployed here"), "{text}");
}

#[test]
fn a_reader_who_goes_ends_it() {
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE)]);
    let mut command = Command::new(program("gitops"));
    command.args([
        "run",
        "--target",
        "memory",
        "--name",
        "shop",
        "--interval",
        "50ms",
        "--repo",
        &repo.url(),
    ]);
    let mirror = repo.mirror();
    let mut child =
        command.arg("--mirror").arg(mirror).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    drop(reader);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("it goes on although nobody reads");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(line.contains("shop: ") && ended.stderr.is_empty(), "{line} {ended:?}");
}
