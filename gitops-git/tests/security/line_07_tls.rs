//! Whom a source trusts over HTTPS.

use gitops_core::{Class, RefSpec, Source};
use gitops_git::{GitError, GitSource, Token};

use crate::common::tls::Authority;
use crate::common::{Repo, Server, cx, fault, https, sync, text};

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

/// Neither is there a switch in this crate, nor does a variable that others obey switch anything off.
#[test]
fn nothing_switches_it_off() {
    let mut left = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(dir) = left.pop() {
        for path in crate::common::dirs(&dir) {
            if path.is_dir() {
                left.push(path);
                continue;
            }
            files += 1;
            let source = std::fs::read_to_string(&path).unwrap();
            for switch in ["danger", "ServerCertVerifier", "tls_certs_only"] {
                assert!(!source.contains(switch), "{}: {switch}", path.display());
            }
        }
    }
    assert!(files > 15);
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "line_07_tls::what_cannot_be_trusted_stays_so"])
        .env("GIT_SSL_NO_VERIFY", "true")
        .env("SSL_NO_VERIFY", "1")
        .env("NODE_TLS_REJECT_UNAUTHORIZED", "0")
        .env("CURL_INSECURE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}
