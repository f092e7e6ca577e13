//! Servers that are reached through a proxy.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use common::proxy::Proxy;
use common::tls::Authority;
use common::{Repo, Server, cx, fault, provider, sync, text};
use gitops_core::{Class, RefSpec, Source};
use gitops_git::{Basic, GitError, GitSource, GitSourceBuilder, Token};

/// A source from a server whose name only the proxy knows. Nothing on this machine is allowed.
fn beyond(server: &Server, repo: &Repo, authority: &Authority) -> GitSourceBuilder {
    provider();
    GitSource::builder(format!("https://git.invalid:{}/repo.git", server.port()))
        .with_ca_pem(authority.pem())
        .with_mirror_dir(repo.mirrors())
        .with_credentials(Token::new("s3cr3t"))
}

#[tokio::test]
async fn a_tunnel_shows_the_proxy_nothing() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("git.invalid", false));
    let proxy = Proxy::start(None);
    let source = beyond(&server, &repo, &authority).with_proxy(proxy.url()).build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");

    let requests = server.take_requests();
    assert!(requests.iter().all(|r| r.header("authorization") == Some(&common::basic("git", "s3cr3t"))));
    let seen = proxy.take_seen();
    assert!(!seen.requests.is_empty());
    for request in &seen.requests {
        assert!(request.starts_with(&format!("CONNECT git.invalid:{} ", server.port())), "{request}");
        assert!(!request.to_lowercase().contains("authorization"), "{request}");
    }
    // A handshake of TLS, and then nothing that could be read.
    assert_eq!(seen.carried[0], 0x16);
    let carried = String::from_utf8_lossy(&seen.carried);
    assert!(!carried.contains("Basic ") && !carried.contains("upload-pack"), "{carried}");
}

/// Whoever sits in the proxy's place cannot pass for the server.
#[tokio::test]
async fn a_proxy_is_not_trusted() {
    let repo = Repo::with(&[("v", "1")]);
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start_tls(repo.root(), other.server("git.invalid", false));
    let proxy = Proxy::start(None);
    let source = beyond(&server, &repo, &authority).with_proxy(proxy.url()).build().unwrap();
    let refused = fault(sync(&source).await);
    assert!(matches!(refused.source.downcast_ref(), Some(GitError::Tls { .. })), "{refused}");
    assert_eq!(server.take_requests().len(), 0);
}

#[tokio::test]
async fn a_proxy_has_credentials_of_its_own() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("git.invalid", false));
    let proxy = Proxy::start(Some(common::basic("bot", "pr0xy")));
    let build = || beyond(&server, &repo, &authority);
    let with_user = proxy.url().replace("http://", "http://bot:pr0xy@");
    let wrong_user = proxy.url().replace("http://", "http://bot:wr0ng@");
    let good = [
        build().with_proxy(&with_user),
        build().with_proxy(&wrong_user).with_proxy_credentials(Basic::new("bot", "pr0xy")),
    ];
    for source in good {
        sync(&source.build().unwrap()).await.unwrap();
    }
    assert!(server.take_requests().iter().all(|r| r.header("proxy-authorization").is_none()));
    for source in [build().with_proxy(proxy.url()), build().with_proxy(&wrong_user)] {
        let denied = fault(source.build().unwrap().resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(denied.class, Class::Denied, "{denied}");
        assert!(denied.to_string().contains("407"), "{denied}");
        assert!(!format!("{denied:?}").contains("wr0ng"), "{denied:?}");
    }
    // Nor over plain HTTP, where the proxy is asked for the page itself.
    let source = GitSource::builder("http://git.invalid/repo.git")
        .allow_http()
        .with_proxy(&wrong_user)
        .with_mirror_dir(repo.mirrors());
    let denied = fault(source.build().unwrap().resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(denied.class, Class::Denied, "{denied}");
    assert!(denied.to_string().contains("the proxy"), "{denied}");
    assert_eq!(server.take_requests().len(), 0);
}

#[tokio::test]
async fn a_proxy_that_is_down_may_come_back() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("git.invalid", false));
    let proxy = Proxy::start(None);
    let url = proxy.url();
    drop(proxy);
    let source = beyond(&server, &repo, &authority).with_proxy(url).build().unwrap();
    let down = fault(sync(&source).await);
    assert_eq!(down.class, Class::RETRY, "{down}");
    // It is there, and the server is not.
    let proxy = Proxy::start(None);
    let source = beyond(&server, &repo, &authority).with_proxy(proxy.url()).build().unwrap();
    drop(server);
    let down = fault(sync(&source).await);
    assert_eq!(down.class, Class::RETRY, "{down}");
}

#[test]
fn what_could_not_work_is_refused_when_the_source_is_built() {
    let build = |url: &str| GitSource::builder(url).allow_local().with_mirror_dir("/nowhere");
    for (url, proxy) in [
        ("https://git.example/r", "socks5://u:s3cr3t@proxy.example"),
        ("https://git.example/r", "proxy.example:3128"),
        ("/srv/git/r", "http://u:s3cr3t@proxy.example:3128"),
        #[cfg(feature = "ssh")]
        ("ssh://git@git.example/r", "http://u:s3cr3t@proxy.example:3128"),
    ] {
        let error = build(url).with_proxy(proxy).build().unwrap_err();
        assert!(matches!(error, GitError::InvalidProxy { .. }), "{url} {proxy}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
    }
}

/// What the program says goes before what the environment says.
#[test]
fn the_environment_is_asked_only_where_nothing_else_was_said() {
    let proxy = Proxy::start(None);
    let elsewhere = Proxy::start(None);
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "with_proxies_in_the_environment"])
        .envs(["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, elsewhere.url())))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("TEST_PROXY", proxy.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    assert!(!proxy.take_seen().requests.is_empty());
    let seen = elsewhere.take_seen().requests;
    assert!(seen.len() == 1 && seen[0].starts_with("CONNECT environment.invalid:443"), "{seen:?}");
}

/// Asks once by way of `TEST_PROXY`, once directly, and once as the environment says; on its own, there is nobody to be found.
#[tokio::test]
async fn with_proxies_in_the_environment() {
    let proxy = std::env::var("TEST_PROXY").unwrap_or_else(|_| "http://127.0.0.1:1".to_owned());
    provider();
    let dir = tempfile::tempdir().unwrap();
    let build = |host: &str| GitSource::builder(format!("https://{host}/r")).with_mirror_dir(dir.path());
    for source in [
        build("given.invalid").with_proxy(proxy),
        build("direct.invalid").without_proxy(),
        build("environment.invalid"),
    ] {
        assert_eq!(fault(sync(&source.build().unwrap()).await).class, Class::RETRY);
    }
}
