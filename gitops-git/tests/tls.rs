//! HTTPS: whom a source trusts.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use common::tls::Authority;
use common::{Repo, Server, cx, fault, provider, sync, text};
use gitops_core::{Class, RefSpec, Source};
use gitops_git::{GitError, GitSource, GitSourceBuilder, Token};

fn https(host: &str, server: &Server, repo: &Repo) -> GitSourceBuilder {
    provider();
    GitSource::builder(format!("https://{host}:{}/repo.git", server.port()))
        .allow_loopback()
        .with_mirror_dir(repo.mirrors())
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_given() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("localhost", false));
    server.behave(|b| b.authorization = Some("Basic Z2l0OnMzY3IzdA==".into()));
    let source = https("localhost", &server, &repo)
        .with_ca_pem(authority.pem())
        .with_credentials(Token::new("s3cr3t"))
        .build()
        .unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    repo.commit("second", &[("v", "2")]);
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "2");
}

#[tokio::test]
async fn what_cannot_be_trusted_stays_so() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let good = Server::start_tls(repo.root(), authority.server("localhost", false));
    let expired = Server::start_tls(repo.root(), authority.server("localhost", true));
    for (what, source) in [
        ("an unknown authority", https("localhost", &good, &repo)),
        ("another authority", https("localhost", &good, &repo).with_ca_pem(Authority::new().pem())),
        ("another host", https("127.0.0.1", &good, &repo).with_ca_pem(authority.pem())),
        ("an expired certificate", https("localhost", &expired, &repo).with_ca_pem(authority.pem())),
    ] {
        let source = source.with_credentials(Token::new("s3cr3t")).build().unwrap();
        let fault = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(fault.class, Class::Invalid, "{what}: {fault}");
        let error = fault.source.downcast_ref::<GitError>().unwrap();
        assert!(matches!(error, GitError::Tls { .. }), "{what}: {error:?}");
    }
    assert_eq!(good.take_requests().len() + expired.take_requests().len(), 0, "nothing was asked");
}

#[tokio::test]
async fn a_redirect_down_to_http_fails() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let clear = Server::start(repo.root());
    let server = Server::start_tls(repo.root(), authority.server("localhost", false));
    server.behave(|b| b.redirect = Some(format!("http://localhost:{}/repo.git", clear.port())));
    let source = https("localhost", &server, &repo).with_ca_pem(authority.pem()).build().unwrap();
    let refused = fault(sync(&source).await);
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    assert_eq!(clear.take_requests().len(), 0);
}

#[test]
fn what_is_no_certificate_is_refused_at_once() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let built = GitSource::builder("https://h/r").with_mirror_dir("/nowhere").with_ca_pem(pem).build();
        match built {
            Err(error) => assert!(matches!(error, GitError::InvalidCa { .. }), "{pem:?}: {error:?}"),
            // The last one is PEM; that it is no certificate shows when the client is made.
            Ok(_) => assert!(pem.contains("AAAA"), "{pem:?}"),
        }
    }
}
