//! Git configuration, hooks and `GIT_*` variables execute nothing, and lead nowhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Repo, Server, dirs, git, http, local, repo, sync, text};

/// Settings that name programs.
const PROGRAMS: [&str; 20] = [
    "core.alternateRefsCommand",
    "core.askPass",
    "core.editor",
    "core.fsmonitor",
    "core.gitProxy",
    "core.pager",
    "core.sshCommand",
    "credential.helper",
    "diff.external",
    "filter.lfs.clean",
    "filter.lfs.process",
    "filter.lfs.smudge",
    "gpg.program",
    "gpg.ssh.defaultKeyCommand",
    "merge.canary.driver",
    "remote.origin.receivepack",
    "remote.origin.uploadpack",
    "sequence.editor",
    "uploadpack.packObjectsHook",
    "alias.upload-pack",
];

const HOOKS: [&str; 10] = [
    "post-checkout",
    "post-index-change",
    "post-merge",
    "post-update",
    "pre-auto-gc",
    "pre-push",
    "pre-receive",
    "proc-receive",
    "reference-transaction",
    "update",
];

/// A directory with a program that notes that it was run, and all that a user's configuration can do to have it run.
struct Nest {
    dir: tempfile::TempDir,
}

impl Nest {
    fn new() -> Self {
        let nest = Self { dir: tempfile::tempdir().unwrap() };
        let script = nest.canary();
        fs::write(
            &script,
            format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\nexec \"$@\"\n", nest.fired().display()),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(nest.path("hooks")).unwrap();
        for hook in HOOKS {
            fs::copy(&script, nest.path("hooks").join(hook)).unwrap();
        }
        nest.configure(&nest.path("included"));
        let config = nest.path(".gitconfig");
        nest.configure(&config);
        let included = nest.path("included").display().to_string();
        set(&config, "include.path", &included);
        set(&config, "includeIf.gitdir:/.path", &included);
        nest
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn canary(&self) -> PathBuf {
        self.path("canary")
    }

    fn fired(&self) -> PathBuf {
        self.path("fired")
    }

    /// Writes the settings of [`PROGRAMS`], and the directory of hooks.
    fn configure(&self, config: &Path) {
        for key in PROGRAMS {
            set(config, key, self.canary().to_str().unwrap());
        }
        set(config, "core.hooksPath", self.path("hooks").to_str().unwrap());
        set(config, "protocol.ext.allow", "always");
    }

    fn surround(&self, command: &mut Command) {
        let (config, canary) = (self.path(".gitconfig"), self.canary());
        command
            .env("HOME", self.dir.path())
            .env("XDG_CONFIG_HOME", self.dir.path())
            .env("GIT_CONFIG", &config)
            .env("GIT_CONFIG_GLOBAL", &config)
            .env("GIT_CONFIG_SYSTEM", &config)
            .env("GIT_CONFIG_COUNT", "2")
            .env("GIT_CONFIG_KEY_0", "uploadpack.packObjectsHook")
            .env("GIT_CONFIG_VALUE_0", &canary)
            .env("GIT_CONFIG_KEY_1", "core.hooksPath")
            .env("GIT_CONFIG_VALUE_1", self.path("hooks"))
            .env("GIT_CONFIG_PARAMETERS", format!("'uploadpack.packobjectshook={}'", canary.display()))
            .env("GIT_TEMPLATE_DIR", self.dir.path())
            .env("GIT_TRACE", "1")
            .env("EDITOR", &canary)
            .env("PAGER", &canary)
            .env("SSH_ASKPASS", &canary);
        for name in ["SSH_COMMAND", "SSH", "PROXY_COMMAND", "ASKPASS", "EXTERNAL_DIFF", "EDITOR", "PAGER"] {
            command.env(format!("GIT_{name}"), &canary);
        }
    }
}

fn set(config: &Path, key: &str, value: &str) {
    git(config.parent().unwrap(), &["config", "--file", config.to_str().unwrap(), "--add", key, value]);
}

/// What [`a_hostile_environment_executes_nothing`] runs; on its own it is a plain sync of both kinds.
#[tokio::test]
async fn victim() {
    let repo = Repo::with(&[("v", "1"), (".gitattributes", "* filter=lfs diff=canary merge=canary\n")]);
    let nest = std::env::var_os("GITOPS_TEST_NEST").map(PathBuf::from);
    if let Some(nest) = &nest {
        plant(&repo.bare(), nest);
    }
    let server = Server::start(repo.root());
    for (source, mirrors) in [
        (local(&repo.bare(), &repo.root().join("a")), repo.root().join("a")),
        (http(&server.url(), &repo.root().join("b")), repo.root().join("b")),
    ] {
        let source = source.with_branch("main").with_max_packs(1).build().unwrap();
        assert_eq!(text(&*sync(&source).await.unwrap(), ".gitattributes").lines().count(), 1);
        if let Some(nest) = &nest {
            // Whoever gets at the mirror's own configuration gets no program run by it.
            let slot = dirs(&mirrors).remove(0);
            let repositories =
                dirs(&slot).into_iter().filter(|path| path.extension().is_some_and(|end| end == "git"));
            repositories.for_each(|path| plant(&path, nest));
        }
        for n in 0..3 {
            repo.commit("next", &[("v", &format!("{n}"))]);
            assert_eq!(text(&*sync(&source).await.unwrap(), "v"), format!("{n}"));
        }
    }
}

/// Settings and hooks in a repository itself.
fn plant(repository: &Path, nest: &Path) {
    // Of the tests' own server, Git runs some on the tests' own pushes.
    let is_mirror = repository.file_name().is_some_and(|name| name.to_string_lossy().starts_with("repo-"));
    let config = repository.join("config");
    for key in PROGRAMS.iter().filter(|key| is_mirror || **key != "core.alternateRefsCommand") {
        set(&config, key, nest.join("canary").to_str().unwrap());
    }
    let hooks = repository.join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in
        HOOKS.iter().filter(|hook| is_mirror || ["post-checkout", "post-merge", "pre-push"].contains(hook))
    {
        fs::copy(nest.join("canary"), hooks.join(hook)).unwrap();
    }
    if is_mirror {
        set(&config, "core.hooksPath", nest.join("hooks").to_str().unwrap());
    }
}

#[test]
fn a_hostile_environment_executes_nothing() {
    let nest = Nest::new();
    // The canary can sing: Git itself, in this environment, runs it.
    let repo = Repo::with(&[("v", "1")]);
    let mut clone = Command::new(repo::program());
    clone.args(["clone", "--quiet", "--no-local"]).arg(repo.bare()).arg(nest.path("clone"));
    nest.surround(&mut clone);
    clone.output().unwrap();
    assert!(nest.fired().exists(), "the canary is dead");
    fs::remove_file(nest.fired()).unwrap();

    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "line_08_git_configuration::victim"]).env("GITOPS_TEST_NEST", nest.dir.path());
    victim.env("GIT_DIR", "/nowhere").env("GIT_EXEC_PATH", nest.path("hooks"));
    nest.surround(&mut victim);
    let done = victim.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    assert!(!nest.fired().exists(), "{}", fs::read_to_string(nest.fired()).unwrap_or_default());
}

/// What [`a_hostile_environment_leads_nowhere_else`] runs: a sync that needs no credential and no proxy.
#[tokio::test]
async fn traveller() {
    let repo = Repo::with(&[("v", "right")]);
    let server = Server::start(repo.root());
    if let Some(config) = std::env::var_os("GITOPS_TEST_CONFIG").map(PathBuf::from) {
        let wrong = std::env::var("GITOPS_TEST_WRONG").unwrap();
        let base = server.url().replace("/repo.git", "/");
        set(&config, &format!("url.{wrong}.insteadOf"), &base);
        set(&config, "http.proxy", &wrong);
        set(&config, &format!("http.{base}.proxy"), &wrong);
        set(&config, "http.extraHeader", "Authorization: Basic c3RvbGVu");
        set(&config, "remote.origin.url", &wrong);
    }
    let source = http(&server.url(), &repo.mirrors()).with_branch("main").build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "right");
    let requests = server.take_requests();
    assert!(
        requests.len() >= 3 && requests.iter().all(|r| r.header("authorization").is_none()),
        "{requests:?}"
    );
}

#[test]
fn a_hostile_environment_leads_nowhere_else() {
    let repo = Repo::with(&[("v", "wrong")]);
    let wrong = Server::start(repo.root());
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".gitconfig");
    fs::write(&config, "").unwrap();
    // Not Git's, but other clients send what is written here.
    fs::write(home.path().join(".netrc"), "machine 127.0.0.1 login ada password s3cr3t\n").unwrap();
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "line_08_git_configuration::traveller"])
        .env("HOME", home.path())
        .env("GIT_CONFIG_GLOBAL", &config)
        .env("GIT_CONFIG_SYSTEM", &config)
        .env("GITOPS_TEST_CONFIG", &config)
        .env("GITOPS_TEST_WRONG", wrong.url().replace("/repo.git", "/"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(wrong.take_requests().len(), 0);
}
