//! Over SSH, against a real server.
#![cfg(feature = "ssh")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::ssh::{Sshd, Way, make_key, tool};
use common::{Repo, blob, cx, fault, sync, text};
use gitops_core::{Class, Cx, RefSpec, Source};
use gitops_git::{GitError, GitSource, SshAgent, SshKey, Token};

/// Runs a test of this program again, by itself, in another environment.
fn again(test: &str, environment: &[(&str, &Path)]) {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", test])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

/// The bytes that are no part of a repository: keys are agreed on, and somebody logs in.
const HELLO: u64 = 6000;

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn a_repository_is_polled_and_fetched() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Sshd::default();
    let source = server.source(&repo).build().unwrap();
    assert_eq!(source.identity(), format!("ssh://127.0.0.1:{}{}", server.port(), repo.bare().display()));
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    repo.commit("second", &[("v", "2")]);
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "2");
    assert_eq!(server.clients(), 0, "each program has ended");
}

/// A server takes the version of the protocol only where its keepers let it in. Asking by commit shows the difference.
#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn both_protocols_are_spoken() {
    for (config, is_new) in [("AcceptEnv GIT_PROTOCOL\n", true), ("", false)] {
        let repo = Repo::with(&[("v", "1")]);
        let old = repo.head();
        repo.commit("second", &[("v", "2")]);
        let server = Sshd::start(config);
        let source = server.source(&repo).build().unwrap();
        let revision = source.resolve(&cx(), &RefSpec::Commit(old)).await.unwrap();
        let fetched = source.fetch(&cx(), &revision).await;
        if is_new {
            assert_eq!(text(&*fetched.unwrap(), "v"), "1");
        } else {
            assert_eq!(fault(fetched).class, Class::Unsupported);
        }
        assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "2", "{config}");
        let missing = source.resolve(&cx(), &RefSpec::Branch("missing".into())).await;
        assert_eq!(fault(missing).class, Class::NotFound);
    }
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn paths_with_quotes_and_spaces_are_paths() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Sshd::default();
    for name in ["it's a \"repo\"!", "$(touch fired)`id`;#&|", "%41 ~*?[x]{a,b}\\"] {
        let path = repo.root().join(name);
        std::os::unix::fs::symlink(repo.bare(), &path).unwrap();
        let source = GitSource::builder(server.url(&path))
            .allow_loopback()
            .with_mirror_dir(repo.mirrors())
            .with_credentials(SshKey::new(server.key()))
            .with_known_hosts(server.known_hosts())
            .build()
            .unwrap();
        let synced = sync(&source).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(text(&*synced, "v"), "1");
    }
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn a_repository_that_is_not_there_is_not_found() {
    let repo = Repo::new();
    let server = Sshd::default();
    let build = |path: &Path| {
        let source = GitSource::builder(server.url(path)).allow_loopback().with_mirror_dir(repo.mirrors());
        source.with_credentials(SshKey::new(server.key())).with_known_hosts(server.known_hosts()).build()
    };
    let missing = fault(sync(&build(&repo.root().join("missing")).unwrap()).await);
    assert_eq!(missing.class, Class::NotFound, "{missing}");
    let empty = fault(sync(&build(&repo.bare()).unwrap()).await);
    assert_eq!(empty.class, Class::NotFound, "{empty}");
    assert!(empty.to_string().contains("empty"), "{empty}");
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn keys_that_are_not_let_in_are_denied() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Sshd::default();
    let other = server.dir().join("other");
    make_key(&other, "");
    let wrong = server.source(&repo).with_credentials(SshKey::new(&other)).build().unwrap();
    let denied = fault(sync(&wrong).await);
    assert_eq!(denied.class, Class::Denied, "{denied}");
    assert!(denied.to_string().contains("Permission denied"), "{denied}");

    let locked = server.dir().join("locked");
    make_key(&locked, "s3cr3t");
    server.authorize(&locked);
    let source = server.source(&repo).with_credentials(SshKey::new(&locked)).build().unwrap();
    let denied = fault(sync(&source).await);
    assert_eq!(denied.class, Class::Denied);
    assert!(denied.to_string().contains("passphrase"), "{denied}");

    // Others of this machine could read it, and OpenSSH does not use such keys.
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o644)).unwrap();
    server.authorize(&other);
    let denied = fault(sync(&wrong).await);
    assert_eq!(denied.class, Class::Denied);
    assert!(denied.to_string().contains("PRIVATE KEY FILE"), "{denied}");
}

/// Line 6 of `docs/security.md`.
#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn unknown_and_changed_host_keys_fail() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Sshd::default();
    let other = server.dir().join("other");
    make_key(&other, "");
    let known_elsewhere = server.known_hosts().replace("127.0.0.1", "127.0.0.2");
    let refused = |known: String| {
        let source = server.source(&repo).with_known_hosts(known).build().unwrap();
        async move { fault(sync(&source).await) }
    };
    let unknown = refused(known_elsewhere).await;
    assert_eq!(unknown.class, Class::Invalid, "{unknown}");
    assert!(unknown.to_string().contains("known_hosts has no host key"), "{unknown}");
    let changed = refused(server.known_by(&other)).await;
    assert_eq!(changed.class, Class::Invalid, "{changed}");
    assert!(changed.to_string().contains("is another than the known one (SHA256:"), "{changed}");
    let revoked = refused(format!("@revoked {}", server.known_hosts())).await;
    assert_eq!(revoked.class, Class::Invalid, "{revoked}");

    // Nothing of that was learned; a file that is corrected is read again.
    let file = server.dir().join("known hosts");
    std::fs::write(&file, server.known_by(&other)).unwrap();
    let source = server.source(&repo).with_known_hosts_file(&file).build().unwrap();
    assert_eq!(fault(sync(&source).await).class, Class::Invalid);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), server.known_by(&other));
    std::fs::write(&file, server.known_hosts()).unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn a_server_that_goes_away_is_tried_again() {
    let repo = Repo::with(&[("v", "1"), ("big", &blob(1))]);
    let server = Sshd::default();
    let source = server.source(&repo).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    // Before the banner, while keys are agreed on, and within the pack.
    for cut in [0, 100, 2000, HELLO] {
        server.behave(Way { cut_after: Some(cut), ..Way::default() });
        let gone = fault(source.fetch(&cx(), &revision).await);
        assert_eq!(gone.class, Class::RETRY, "after {cut} bytes: {gone}");
    }
    server.behave(Way::default());
    let snapshot = source.fetch(&cx(), &revision).await.unwrap();
    assert_eq!(text(&*snapshot, "big"), blob(1));
    assert_eq!(server.clients(), 0);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = GitSource::builder(format!("ssh://git@127.0.0.1:{free}/repo.git"))
        .allow_loopback()
        .with_mirror_dir(repo.mirrors())
        .with_credentials(SshKey::new(server.key()))
        .with_known_hosts(server.known_hosts());
    let refused = fault(nobody.build().unwrap().resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(refused.class, Class::RETRY, "{refused}");
    assert!(refused.to_string().contains("cannot be reached"), "{refused}");
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn a_silent_server_is_not_waited_for() {
    let repo = Repo::with(&[("v", "1"), ("big", &blob(2))]);
    let server = Sshd::default();
    let source = server.source(&repo).with_timeout(Duration::from_secs(3)).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    for stall in [0, HELLO] {
        server.behave(Way { stall_after: Some(stall), ..Way::default() });
        let started = Instant::now();
        let silent = fault(source.fetch(&cx(), &revision).await);
        assert_eq!(silent.class, Class::RETRY, "after {stall} bytes: {silent}");
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        assert_eq!(server.clients(), 0, "its program has ended");
    }
    assert!(
        fault(source.fetch(&cx(), &revision).await).to_string().contains("sent nothing"),
        "it says what happened"
    );
    server.behave(Way::default());
    let patient = server.source(&repo).build().unwrap();
    assert_eq!(text(&*sync(&patient).await.unwrap(), "v"), "1");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn the_program_ends_with_the_work() {
    let repo = Repo::with(&[("v", "1"), ("big", &blob(3))]);
    let server = Sshd::default();
    let source = server.source(&repo).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    let stall = Way { stall_after: Some(HELLO), ..Way::default() };
    for how in ["deadline", "cancelled", "dropped"] {
        server.behave(stall);
        let cx = Cx::with_timeout(Duration::from_secs(if how == "deadline" { 4 } else { 60 }));
        let work = tokio::spawn({
            let (source, revision, cx) = (source.clone(), revision.clone(), cx.clone());
            async move { source.fetch(&cx, &revision).await.map(drop) }
        });
        tokio::task::block_in_place(|| server.wait_until_stalled());
        assert_eq!(server.clients(), 1, "{how}");
        match how {
            "cancelled" => cx.cancel.cancel(),
            "dropped" => work.abort(),
            _ => {}
        }
        let done = work.await;
        if how != "dropped" {
            assert!(done.unwrap().is_err());
        }
        let until = Instant::now() + Duration::from_secs(10);
        while server.clients() > 0 {
            assert!(Instant::now() < until, "{how}: ssh still runs");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    server.behave(Way::default());
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn received_bytes_are_capped() {
    let repo = Repo::with(&[("big", &blob(4))]);
    let server = Sshd::default();
    let source = server.source(&repo).with_max_received_bytes(3000).build().unwrap();
    let large = fault(sync(&source).await);
    assert_eq!(large.class, Class::Invalid, "{large}");
    assert!(large.to_string().contains("with_max_received_bytes"), "{large}");
}

/// No other program is needed, and none that the environment names is run.
#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn only_ssh_is_needed_and_the_environment_runs_nothing() {
    let Some(fired) = std::env::var_os("GITOPS_TEST_FIRED").map(PathBuf::from) else {
        let dir = tempfile::tempdir().unwrap();
        let (bin, canary, fired) =
            (dir.path().join("bin"), dir.path().join("canary"), dir.path().join("fired"));
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(tool("ssh"), bin.join("ssh")).unwrap();
        std::fs::write(&canary, format!("#!/bin/sh\necho fired >>'{}'\nexit 1\n", fired.display())).unwrap();
        std::fs::set_permissions(&canary, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut environment = vec![("PATH", &*bin), ("GITOPS_TEST_FIRED", &*fired)];
        for name in ["GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "SSH_ASKPASS", "SSH_SK_PROVIDER"] {
            environment.push((name, &*canary));
        }
        again("only_ssh_is_needed_and_the_environment_runs_nothing", &environment);
        assert!(!fired.exists());
        return;
    };
    let repo = Repo::with(&[("v", "1")]);
    let server = Sshd::default();
    let source = server.source(&repo).build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    assert!(Command::new("git").arg("--version").output().is_err(), "there is no git in PATH");
    assert!(!fired.exists());
}

/// The agent of whoever runs us is not ours.
#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn the_agent_is_used_only_when_asked_for() {
    let Some(key) = std::env::var_os("GITOPS_TEST_AGENTS_KEY").map(PathBuf::from) else {
        let dir = tempfile::tempdir().unwrap();
        let (socket, key) = (dir.path().join("agent"), dir.path().join("agents"));
        make_key(&key, "");
        let mut agent = Command::new(tool("ssh-agent"))
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let added = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            let add =
                Command::new(tool("ssh-add")).args(["-q"]).arg(&key).env("SSH_AUTH_SOCK", &socket).output();
            add.unwrap().status.success()
        });
        let tried = std::panic::catch_unwind(|| {
            assert!(added, "the agent takes no key");
            let environment = [("SSH_AUTH_SOCK", &*socket), ("GITOPS_TEST_AGENTS_KEY", &*key)];
            again("the_agent_is_used_only_when_asked_for", &environment);
        });
        agent.kill().unwrap();
        agent.wait().unwrap();
        return tried.unwrap();
    };
    let repo = Repo::with(&[("v", "1")]);
    let server = Sshd::default();
    server.authorize(&key);
    let source = server.source(&repo).build().unwrap();
    assert_eq!(
        fault(sync(&source).await).class,
        Class::Denied,
        "the agent has the key, and was not asked for"
    );
    let socket = std::env::var_os("SSH_AUTH_SOCK").unwrap();
    let source = server.source(&repo).with_credentials(SshAgent::new(socket)).build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    let nobody = server.source(&repo).with_credentials(SshAgent::new("/nowhere")).build().unwrap();
    assert_eq!(fault(sync(&nobody).await).class, Class::Denied);
}

#[test]
fn what_could_not_work_is_refused_when_the_source_is_built() {
    let build = |url: &str| GitSource::builder(url).with_mirror_dir("/nowhere");
    let key = || SshKey::new("/keys/id");
    let known = "git.example ssh-ed25519 AAAA\n";
    let url = "git@git.example:p/r.git";
    assert!(build(url).with_credentials(key()).with_known_hosts(known).build().is_ok());
    for unknown in [
        build(url).with_credentials(key()).build(),
        build(url).with_credentials(key()).with_known_hosts("# nobody\n").build(),
    ] {
        assert!(matches!(unknown.unwrap_err(), GitError::KnownHosts { .. }));
    }
    for wrong in [
        build(url).with_known_hosts(known).build(),
        build(url).with_known_hosts(known).with_credentials(Token::new("s3cr3t")).build(),
        #[cfg(feature = "https")]
        build("https://git.example/p/r.git").with_credentials(key()).build(),
    ] {
        assert!(matches!(wrong.unwrap_err(), GitError::Credential { .. }));
    }
    for host in ["127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0"] {
        let url = format!("ssh://git@{host}/r");
        let refused = build(&url).with_credentials(key()).with_known_hosts(known).build();
        assert!(matches!(refused.unwrap_err(), GitError::AddressRefused { .. }), "{host}");
    }
}

/// Line 5 of `docs/security.md`: what counts is the address that is connected to.
#[tokio::test]
async fn names_that_lead_to_special_addresses_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("id");
    let body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ";
    std::fs::write(&key, format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n")).unwrap();
    // The resolver of the machine takes these for numbers.
    for name in ["localhost", "0xa9fea9fe", "2852039166"] {
        let source = GitSource::builder(format!("ssh://git@{name}/r"))
            .with_mirror_dir(dir.path().join("mirrors"))
            .with_credentials(SshKey::new(&key))
            .with_known_hosts("* ssh-ed25519 AAAA\n")
            .build()
            .unwrap();
        let refused = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(refused.class, Class::Invalid, "{name}: {refused}");
        assert!(refused.to_string().contains("was refused"), "{name}: {refused}");
    }
}

/// Line 14 of `docs/security.md`. Nobody is asked: the mirror is opened before.
#[tokio::test]
async fn each_user_and_key_has_a_mirror_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    for (user, key) in [("ada", "1"), ("ben", "1"), ("ada", "2"), ("ada", "1")] {
        let source = GitSource::builder(format!("ssh://{user}@git.example/r"))
            .with_mirror_dir(dir.path())
            .with_credentials(SshKey::new(dir.path().join("missing").join(key)))
            .with_known_hosts("* ssh-ed25519 AAAA\n")
            .build()
            .unwrap();
        assert_eq!(source.identity(), "ssh://git.example/r");
        let revision = source.resolve(&cx(), &RefSpec::Commit("1234567890".repeat(4))).await.unwrap();
        assert_eq!(fault(source.fetch(&cx(), &revision).await).class, Class::Denied);
    }
    assert_eq!(common::dirs(dir.path()).len(), 3);
}
