//! Repositories that a GitHub App reads, from a server that plays GitHub.
#![cfg(feature = "github-app")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::cgi::answer_of as answer;
use common::github::{APP, GitHub, INSTALLATION, put_key};
use common::proxy::Proxy;
use common::tls::Authority;
use common::{Repo, Server, cx, fault, https, poll_at_once, sync, text};
use gitops_core::{Class, RefSpec, Source};
use gitops_git::{Credentials, GitError, GitHubApp, GitSource, GitSourceBuilder};
use serde_json::json;

/// What is answered (status, headers, body), and what that is to be (class, a part of the message).
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, Class, &'a str);

struct Stage {
    repo: Repo,
    authority: Authority,
    server: Server,
    github: GitHub,
}

impl Stage {
    fn new() -> Self {
        let repo = Repo::with(&[("v", "1")]);
        let authority = Authority::new();
        let server = Server::start_tls(repo.root(), authority.server("localhost", false));
        let github = GitHub::teach(&server);
        put_key(&repo.root().join("app.pem"));
        Self { repo, authority, server, github }
    }

    fn app(&self) -> GitHubApp {
        GitHubApp::new(APP, INSTALLATION, self.repo.root().join("app.pem"))
            .with_api(GitHub::api(&self.server))
    }

    fn builder(&self, credentials: impl Into<Credentials>) -> GitSourceBuilder {
        https("localhost", &self.server, &self.repo)
            .with_ca_pem(self.authority.pem())
            .with_credentials(credentials)
    }

    fn source(&self) -> GitSource {
        self.builder(self.app()).build().unwrap()
    }

    /// How many requests were for tokens, and how many of the others were refused since the last question.
    fn asked(&self) -> (usize, usize) {
        let requests = self.server.take_requests();
        let (api, git): (Vec<_>, Vec<_>) = requests.iter().partition(|r| r.target.starts_with("/api/"));
        let token = common::basic("x-access-token", &self.github.token());
        (api.len(), git.iter().filter(|r| r.header("authorization") != Some(&token)).count())
    }
}

#[tokio::test]
async fn a_repository_is_read_with_tokens_for_contents_alone() {
    let stage = Stage::new();
    let source = stage.source();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    stage.repo.commit("second", &[("v", "2")]);
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "2");
    assert_eq!(stage.asked(), (1, 0), "one token is enough: {:?}", stage.github.complaints());
    assert_eq!(stage.github.take_wishes(), [json!({"permissions": {"contents": "read"}})]);

    let some = stage.builder(stage.app().with_repositories(["config", "more"])).build().unwrap();
    sync(&some).await.unwrap();
    let wish = json!({"permissions": {"contents": "read"}, "repositories": ["config", "more"]});
    assert_eq!(stage.github.take_wishes(), [wish]);
    assert_eq!(common::dirs(&stage.repo.mirrors()).len(), 2, "who may read less has a mirror of its own");
}

/// Tokens end all the time, and polls and fetches go on.
#[tokio::test]
async fn it_goes_on_over_many_rotations() {
    let stage = Stage::new();
    stage.github.set_lifetime(Duration::from_millis(1500));
    let source = stage.source();
    let until = Instant::now() + Duration::from_secs(8);
    let mut n = 0;
    while Instant::now() < until {
        n += 1;
        let v = n.to_string();
        stage.repo.commit("next", &[("v", &v)]);
        assert_eq!(text(&*sync(&source).await.unwrap(), "v"), v);
    }
    assert!(stage.github.given() >= 4, "{} tokens", stage.github.given());
    assert!(stage.github.complaints().is_empty(), "{:?}", stage.github.complaints());
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_at_once() {
    let stage = Stage::new();
    let source = stage.source();
    sync(&source).await.unwrap();
    for given in 2..5 {
        stage.github.revoke();
        source.resolve(&cx(), &RefSpec::Default).await.unwrap();
        assert_eq!(stage.github.given(), given);
    }
    // And where the new one is not taken either, it ends there.
    stage.server.behave(|b| b.admits = Some(Arc::new(|_| false)));
    let denied = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(denied.class, Class::Denied, "{denied}");
    assert_eq!(stage.github.given(), 5);
}

#[tokio::test]
async fn however_many_poll_one_token_is_asked_for() {
    let stage = Stage::new();
    let credentials = Credentials::from(stage.app());
    let sources: Vec<_> = (0..8).map(|_| stage.builder(credentials.clone()).build().unwrap()).collect();
    for given in 1..4 {
        poll_at_once(&sources).await;
        assert_eq!(stage.github.given(), given);
        stage.github.revoke();
    }
}

#[tokio::test]
async fn what_github_answers_is_told_apart() {
    let stage = Stage::new();
    let later = Class::Retry { after: Some(Duration::from_secs(60)) };
    let large = vec![b' '; 5 << 20];
    let cases: [Case<'_>; 10] = [
        ("401 Unauthorized", &[], b"s3cr3t".to_vec(), Class::Denied, "its key"),
        ("403 Forbidden", &[], vec![], Class::Denied, "suspended"),
        ("403 Rate limit", &[("Retry-After", "60")], vec![], later, "403"),
        ("404 Not Found", &[], vec![], Class::Denied, "no installation 42"),
        ("422 Unprocessable", &[], vec![], Class::Denied, "Contents"),
        ("429 Slow down", &[("retry-after", "60")], vec![], later, "429"),
        ("500 Oops", &[], vec![], Class::RETRY, "500"),
        ("201 Created", &[], b"<html>s3cr3t".to_vec(), Class::Invalid, "not one of GitHub"),
        ("201 Created", &[], large, Class::Invalid, "no end"),
        ("302 Found", &[("Location", "https://elsewhere.invalid/")], vec![], Class::Invalid, "elsewhere"),
    ];
    for (status, headers, body, class, says) in cases {
        stage.github.answer_instead(Some(answer(status, headers, body)));
        let fault = fault(stage.source().resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(fault.class, class, "{status}: {fault}");
        let said = format!("{fault} {fault:?}");
        assert!(said.contains(says) && said.contains("/access_tokens") && !said.contains("s3cr3t"), "{said}");
        let requests = stage.server.take_requests();
        assert!(requests.len() == 1 && requests[0].target.ends_with("/access_tokens"), "{requests:?}");
    }
    stage.github.answer_instead(None);
    let wrong = GitHubApp::new("1", INSTALLATION, stage.repo.root().join("app.pem"));
    let wrong = stage.builder(wrong.with_api(GitHub::api(&stage.server))).build().unwrap();
    assert_eq!(fault(wrong.resolve(&cx(), &RefSpec::Default).await).class, Class::Denied);
    assert!(stage.github.complaints()[0].contains("iss"), "{:?}", stage.github.complaints());
}

#[tokio::test]
async fn a_slow_github_and_none_at_all_may_pass() {
    let stage = Stage::new();
    stage.server.behave(|b| b.hang_at = Some("/access_tokens".into()));
    let start = Instant::now();
    let source = stage.builder(stage.app()).with_timeout(Duration::from_millis(400)).build().unwrap();
    let slow = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(slow.class, Class::RETRY, "{slow}");
    assert!(start.elapsed() < Duration::from_secs(10));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app = stage.app().with_api(format!("https://localhost:{nobody}/api/v3"));
    let down = fault(stage.builder(app).build().unwrap().resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(down.class, Class::RETRY, "{down}");
    assert!(down.to_string().contains(&format!("localhost:{nobody}/api/v3")), "{down}");
}

/// The request obeys what the source was told of connections.
#[tokio::test]
async fn it_asks_only_whom_the_source_may_ask() {
    let stage = Stage::new();
    for (api, is) in [
        ("https://169.254.169.254/api/v3", "AddressRefused"),
        ("http://localhost/api/v3", "InvalidUrl"),
        ("https://u:s3cr3t@localhost/api/v3", "InvalidUrl"),
        ("s3cr3t", "InvalidUrl"),
    ] {
        let source = stage.builder(stage.app().with_api(api)).build().unwrap();
        let refused = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(refused.class, Class::Invalid, "{api}: {refused}");
        let said = format!("{refused} {refused:?} {source:?}");
        assert!(said.contains(is) && !said.contains("s3cr3t"), "{api}: {said}");
    }
    // An authority that is not trusted.
    let source = https("localhost", &stage.server, &stage.repo).with_credentials(stage.app());
    let refused = fault(source.build().unwrap().resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    assert_eq!(stage.server.take_requests().len(), 0);
    // A key that is not there (any more).
    std::fs::remove_file(stage.repo.root().join("app.pem")).unwrap();
    let missing = fault(stage.source().resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(missing.class, Class::Denied, "{missing}");
    assert!(missing.to_string().contains("app.pem"), "{missing}");
}

/// Through the proxy, and with the client certificate only where the API is on the repository's server.
#[tokio::test]
async fn it_goes_the_way_of_the_source() {
    let repo = Repo::with(&[("v", "1")]);
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::start_tls(repo.root(), authority.server_for("localhost", &clients));
    let github = GitHub::teach(&server);
    put_key(&repo.root().join("app.pem"));
    let (certificate, key) = clients.client("us");
    let proxy = Proxy::start(None);
    let build = |api: String| {
        let app = GitHubApp::new(APP, INSTALLATION, repo.root().join("app.pem")).with_api(api);
        https("localhost", &server, &repo)
            .with_ca_pem(authority.pem())
            .with_client_certificate(certificate.clone(), key.clone())
            .with_proxy(proxy.url())
            .with_credentials(app)
            .build()
            .unwrap()
    };
    assert_eq!(text(&*sync(&build(GitHub::api(&server))).await.unwrap(), "v"), "1");
    assert_eq!(github.given(), 1);
    let seen = proxy.take_seen();
    assert!(seen.requests.len() >= 2);
    assert!(!String::from_utf8_lossy(&seen.carried).contains("Bearer"));

    // Another port is another server: it gets no certificate, and this one wants it.
    let other = Server::start_tls(repo.root(), authority.server_for("localhost", &clients));
    let github = GitHub::teach(&other);
    let denied = fault(build(GitHub::api(&other)).resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(denied.class, Class::Denied, "{denied}");
    assert!(denied.to_string().contains("client certificate"), "{denied}");
    assert_eq!((github.given(), other.take_requests().len()), (0, 0));
}

/// The token and the proof are in no log, at any level, nor on the disk.
#[tokio::test]
async fn line_01_tokens_of_an_app_are_nowhere() {
    let log = common::log::listen();
    let stage = Stage::new();
    let source = stage.source();
    sync(&source).await.unwrap();
    let mut shown = format!("{source:?} {:?}", stage.app());
    stage.server.behave(|b| b.admits = Some(Arc::new(|_| false)));
    write!(shown, "{:?}", fault(source.resolve(&cx(), &RefSpec::Default).await)).unwrap();
    let token = stage.github.token();
    let encoded = common::basic("x-access-token", &token).replace("Basic ", "");
    shown.push_str(&log.text());
    assert!(shown.contains("TRACE") && shown.contains("GitHubApp"), "{shown}");
    for secret in [&*token, &encoded, "ghs_", "Bearer ey", "PRIVATE KEY"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert!(matches!(
        fault(source.resolve(&cx(), &RefSpec::Default).await).source.downcast_ref(),
        Some(GitError::Denied { .. })
    ));
}
