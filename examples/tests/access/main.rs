//! The command line and the ways to reach a repository: certificates, proxies, Apps, SSH.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

#[path = "../common/mod.rs"]
mod common;
mod git;
mod proposals;

use std::path::Path;
use std::process::{Command, Output};

use common::program;
use git::github::{APP, GitHub, INSTALLATION, put_key};
use git::proxy::Proxy;
use git::tls::Authority;
use git::{Repo, Server};

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n";

/// A command on a repository, with the environment's proxies out of the way.
fn gitops(what: &str, url: &str, repo: &Repo, more: &[&str]) -> Output {
    let mirrors = repo.mirrors().display().to_string();
    let mut command = Command::new(program("gitops"));
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "RUST_LOG", "SSL_CERT_FILE"] {
        command.env_remove(name);
    }
    // Also allows servers on this machine, which is where these are.
    command.args([what, "--repo", url, "--mirror", &mirrors, "--allow-http"]);
    if what == "sync" {
        command.args(["--name", "shop", "--target", "memory"]);
    }
    command.args(more).output().unwrap()
}

/// Syncs, and looks at the history.
#[track_caller]
fn assert_works(url: &str, repo: &Repo, more: &[&str]) {
    for (what, says) in [("sync", "1 created"), ("history", "first")] {
        let done = gitops(what, url, repo, more);
        let out = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && out.contains(says), "{what}: {done:?}");
    }
}

/// The one line that says why nothing could be done.
#[track_caller]
fn refusal(url: &str, repo: &Repo, more: &[&str]) -> String {
    let done = gitops("history", url, repo, more);
    let text = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(2) && text.lines().count() == 1, "{text}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_private_authority_a_client_certificate_and_a_proxy() {
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE)]);
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::start_tls(repo.root(), authority.server_for("localhost", &clients));
    let url = format!("https://localhost:{}/repo.git", server.port());
    let [ca, cert, key] = ["ca.pem", "tls.crt", "tls.key"].map(|name| repo.root().join(name));
    let (certificate, private) = clients.client("us");
    for (file, pem) in [(&ca, authority.pem()), (&cert, certificate), (&key, private)] {
        std::fs::write(file, pem).unwrap();
    }
    let trust = ["--ca", text(&ca)];
    let own = ["--client-cert", text(&cert), "--client-key", text(&key)];

    assert!(refusal(&url, &repo, &own).contains("UnknownIssuer"));
    assert!(refusal(&url, &repo, &trust).contains("client certificate"));
    assert_eq!(server.take_requests().len(), 0);
    assert_works(&url, &repo, &[&trust[..], &own].concat());

    let proxy = Proxy::start(None);
    let by_way = proxy.url();
    assert_works(&url, &repo, &[&trust[..], &own, &["--proxy", &by_way]].concat());
    let seen = proxy.take_seen().requests;
    assert!(!seen.is_empty() && seen.iter().all(|r| r.starts_with("CONNECT localhost:")), "{seen:?}");
    drop(proxy);
    assert!(
        !gitops("history", &url, &repo, &[&trust[..], &own, &["--proxy", &by_way]].concat()).status.success()
    );
}

#[test]
fn a_github_app() {
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE)]);
    let authority = Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("localhost", false));
    let github = GitHub::teach(&server);
    let url = format!("https://localhost:{}/repo.git", server.port());
    let [ca, key] = ["ca.pem", "app.pem"].map(|name| repo.root().join(name));
    std::fs::write(&ca, authority.pem()).unwrap();
    put_key(&key);
    let (installation, api) = (INSTALLATION.to_string(), GitHub::api(&server));
    let with = |app: &'static str| {
        let given = ["--github-app", app, "--github-installation", &installation, "--github-key", text(&key)];
        [&["--ca", text(&ca), "--github-api", &api][..], &given].concat()
    };
    assert_works(&url, &repo, &with(APP));
    assert_eq!(github.given(), 2, "one for each command");
    let denied = refusal(&url, &repo, &with("4711"));
    assert!(denied.contains("App 4711") && denied.contains("401"), "{denied}");
    assert!(refusal(&url, &repo, &["--ca", text(&ca)]).contains("401"));
}

#[test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
fn a_key_for_ssh() {
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE)]);
    let server = git::ssh::Sshd::default();
    let (url, key) = (server.url(&repo.bare()), server.key());
    let known = repo.root().join("known_hosts");
    std::fs::write(&known, server.known_hosts()).unwrap();
    assert_works(&url, &repo, &["--ssh-key", text(&key), "--known-hosts", text(&known)]);

    // Another host key than the one that is known, and a key that is not let in.
    std::fs::write(&known, server.known_by(&key)).unwrap();
    let refused = refusal(&url, &repo, &["--ssh-key", text(&key), "--known-hosts", text(&known)]);
    assert!(refused.contains("SHA256:"), "{refused}");
    std::fs::write(&known, server.known_hosts()).unwrap();
    let other = repo.root().join("other");
    git::ssh::make_key(&other, "");
    let denied = refusal(&url, &repo, &["--ssh-key", text(&other), "--known-hosts", text(&known)]);
    assert!(denied.contains("access was denied"), "{denied}");
    // A proxy is for HTTP.
    let given = ["--ssh-key", text(&key), "--known-hosts", text(&known), "--proxy", "http://p:1"];
    assert!(refusal(&url, &repo, &given).contains("proxy"));
}
