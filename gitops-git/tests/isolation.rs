//! Git configuration and `GIT_*` variables execute nothing.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use common::{Repo, Server, http, local, sync, text};

/// What the tests below run in a hostile environment; on its own it is a plain sync of both kinds.
#[tokio::test]
async fn victim() {
    let repo = Repo::with(&[("v", "1")]);
    if let Some(script) = std::env::var_os("GITOPS_TEST_CANARY_SCRIPT") {
        plant_in_repository(&repo, Path::new(&script));
    }
    let server = Server::start(repo.root());
    for source in [local(&repo.bare(), &repo.mirrors()), http(&server.url(), &repo.mirrors())] {
        let source = source.with_branch("main").build().unwrap();
        assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    }
}

fn plant_in_repository(repo: &Repo, script: &Path) {
    let script = script.to_str().unwrap();
    for key in SETTINGS {
        common::git(&repo.bare(), &["config", key, script]);
    }
    for hook in ["pre-receive", "post-checkout", "post-merge", "reference-transaction", "pre-auto-gc"] {
        fs::copy(script, repo.bare().join("hooks").join(hook)).unwrap();
    }
}

/// Settings that name programs.
const SETTINGS: [&str; 8] = [
    "uploadpack.packObjectsHook",
    "core.fsmonitor",
    "core.sshCommand",
    "core.gitProxy",
    "core.askPass",
    "core.alternateRefsCommand",
    "credential.helper",
    "gpg.program",
];

#[test]
fn a_hostile_environment_executes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let fired = dir.path().join("fired");
    let script = dir.path().join("canary");
    fs::write(&script, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\nexec \"$@\"\n", fired.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let config = dir.path().join(".gitconfig");
    for key in SETTINGS {
        common::git(
            dir.path(),
            &["config", "--file", config.to_str().unwrap(), key, script.to_str().unwrap()],
        );
    }
    let hostile = |command: &mut Command| {
        command
            .env("HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path())
            .env("GIT_CONFIG_GLOBAL", &config)
            .env("GIT_CONFIG_SYSTEM", &config)
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "uploadpack.packObjectsHook")
            .env("GIT_CONFIG_VALUE_0", &script)
            .env("GIT_SSH_COMMAND", &script)
            .env("GIT_PROXY_COMMAND", &script)
            .env("GIT_ASKPASS", &script)
            .env("GIT_EXTERNAL_DIFF", &script)
            .env("GIT_TRACE", "1");
    };

    // The canary can sing: Git itself, in this environment, runs it.
    let repo = Repo::with(&[("v", "1")]);
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--no-local"]).arg(repo.bare()).arg(dir.path().join("clone"));
    hostile(&mut git);
    git.output().unwrap();
    assert!(fired.exists(), "the canary is dead");
    fs::remove_file(&fired).unwrap();

    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "victim"]).env("GITOPS_TEST_CANARY_SCRIPT", &script).env("GIT_DIR", "/nowhere");
    hostile(&mut victim);
    let done = victim.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    assert!(!fired.exists(), "{}", fs::read_to_string(&fired).unwrap_or_default());
}
