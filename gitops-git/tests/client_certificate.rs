//! Servers that want to see a certificate of ours.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fs;

use common::proxy::Proxy;
use common::tls::Authority;
use common::{Repo, Server, cx, dirs, fault, https, provider, sync, text};
use gitops_core::{Class, RefSpec, Source};
use gitops_git::{GitError, GitSource, GitSourceBuilder, Token};

/// A server that serves whoever has a certificate of the second authority.
struct Guarded {
    repo: Repo,
    authority: Authority,
    clients: Authority,
    server: Server,
}

impl Guarded {
    fn new() -> Self {
        let repo = Repo::with(&[("v", "1")]);
        let (authority, clients) = (Authority::new(), Authority::new());
        let server = Server::start_tls(repo.root(), authority.server_for("localhost", &clients));
        Self { repo, authority, clients, server }
    }

    fn source(&self) -> GitSourceBuilder {
        https("localhost", &self.server, &self.repo).with_ca_pem(self.authority.pem())
    }
}

async fn assert_denied(source: &GitSource) {
    let denied = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(denied.class, Class::Denied, "{denied}");
    assert!(denied.to_string().contains("client certificate"), "{denied}");
}

#[tokio::test]
async fn it_is_served_with_a_certificate_and_denied_without() {
    let guarded = Guarded::new();
    let (certificate, key) = guarded.clients.client("us");
    let source = guarded.source().with_client_certificate(certificate, key).build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    let served = guarded.server.take_requests().len();
    assert!(served > 0);
    assert_denied(&guarded.source().build().unwrap()).await;
    let (certificate, key) = Authority::new().client("us");
    assert_denied(&guarded.source().with_client_certificate(certificate, key).build().unwrap()).await;
    assert_eq!(guarded.server.take_requests().len(), 0, "nobody was served without");
}

#[tokio::test]
async fn a_certificate_that_is_renewed_on_disk_is_used_at_once() {
    let guarded = Guarded::new();
    let (cert_file, key_file) = (guarded.repo.root().join("tls.crt"), guarded.repo.root().join("tls.key"));
    let put = |(certificate, key): (String, String)| {
        fs::write(&cert_file, certificate).unwrap();
        fs::write(&key_file, key).unwrap();
    };
    let source = guarded.source().with_client_certificate_files(&cert_file, &key_file).build().unwrap();
    let missing = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(missing.class, Class::Denied, "{missing}");
    assert!(missing.to_string().contains("tls.key"), "{missing}");

    put(guarded.clients.client("us"));
    sync(&source).await.unwrap();
    put(Authority::new().client("us"));
    assert_denied(&source).await;
    put(guarded.clients.client("us"));
    guarded.repo.commit("second", &[("v", "2")]);
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "2");
    assert_eq!(dirs(&guarded.repo.mirrors()).len(), 1, "a renewed certificate is the same credential");

    // One of the two was renewed, the other not yet.
    fs::write(&key_file, guarded.clients.client("us").1).unwrap();
    let torn = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(torn.class, Class::Denied, "{torn}");
    assert!(torn.to_string().contains("the client certificate or its key"), "{torn}");
}

/// Neither by a redirect, nor to a proxy.
#[tokio::test]
async fn nobody_else_sees_it() {
    let guarded = Guarded::new();
    let (certificate, key) = guarded.clients.client("us");
    let other =
        Server::start_tls(guarded.repo.root(), guarded.authority.server_for("localhost", &guarded.clients));
    let build = || guarded.source().with_client_certificate(certificate.clone(), key.clone());
    guarded.server.behave(|b| b.redirect = Some(format!("https://localhost:{}/repo.git", other.port())));
    let refused = fault(sync(&build().build().unwrap()).await);
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    assert_eq!(other.take_requests().len(), 0);
    guarded.server.behave(|b| b.redirect = None);

    let proxy = Proxy::start(None);
    sync(&build().with_proxy(proxy.url()).build().unwrap()).await.unwrap();
    let carried = proxy.take_seen().carried;
    let body: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    let der = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(body).unwrap()
    };
    assert!(carried.len() > der.len(), "something was carried");
    assert!(!carried.windows(40).any(|window| window == &der[der.len() - 40..]), "in the clear");

    // A proxy that speaks TLS itself could ask for it.
    let error = build().with_proxy("https://proxy.example:3129").build().unwrap_err();
    assert!(matches!(error, GitError::InvalidProxy { .. }), "{error:?}");
}

/// The same where the environment names the proxy: then it is found out when a connection would be made.
#[test]
fn nor_does_a_proxy_of_the_environment() {
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_the_environment_says"])
        .env("HTTPS_PROXY", "https://proxy.invalid:3129")
        .env_remove("https_proxy")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

/// What [`nor_does_a_proxy_of_the_environment`] runs with a proxy; without one, the server is reached.
#[tokio::test]
async fn as_the_environment_says() {
    let guarded = Guarded::new();
    let (certificate, key) = guarded.clients.client("us");
    let source = guarded.source().with_client_certificate(certificate, key).build().unwrap();
    let asked = source.resolve(&cx(), &RefSpec::Default).await;
    if std::env::var_os("HTTPS_PROXY").is_none() {
        asked.unwrap();
        return;
    }
    let refused = fault(asked);
    assert!(matches!(refused.source.downcast_ref(), Some(GitError::InvalidProxy { .. })), "{refused}");
}

#[tokio::test]
async fn each_certificate_has_a_mirror_of_its_own() {
    let guarded = Guarded::new();
    let token = || guarded.source().with_credentials(Token::new("same"));
    for _ in 0..2 {
        let (certificate, key) = guarded.clients.client("us");
        sync(&token().with_client_certificate(certificate, key).build().unwrap()).await.unwrap();
    }
    assert_eq!(dirs(&guarded.repo.mirrors()).len(), 2);
}

#[test]
fn what_could_not_work_is_refused_when_the_source_is_built() {
    provider();
    let authority = Authority::new();
    let (certificate, key) = authority.client("us");
    let build = |url: &str, certificate: &str, key: &str| {
        let source = GitSource::builder(url).allow_http().allow_local().with_mirror_dir("/nowhere");
        source.with_client_certificate(certificate, key).build().unwrap_err()
    };
    for (url, certificate, key) in [
        ("https://git.example/r", &*certificate, "s3cr3t"),
        ("https://git.example/r", "", &*key),
        ("http://git.example/r", &certificate, &key),
        ("/srv/git/r", &certificate, &key),
        #[cfg(feature = "ssh")]
        ("ssh://git@git.example/r", &certificate, &key),
    ] {
        let error = build(url, certificate, key);
        assert!(matches!(error, GitError::Credential { .. }), "{url}: {error:?}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
}
