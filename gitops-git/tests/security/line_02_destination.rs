//! Credentials go to the server that they were given for, and to no other.

use gitops_core::Class;
use gitops_git::{GitError, GitSource, Token};

use crate::common::tls::Authority;
use crate::common::{Repo, Server, fault, http, https, sync, text};

#[tokio::test]
async fn redirects_stay_on_the_server() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let other = Server::start(repo.root());
    std::os::unix::fs::symlink(repo.bare(), repo.root().join("moved.git")).unwrap();
    let source =
        || http(&server.url(), &repo.mirrors()).with_credentials(Token::new("s3cr3t")).build().unwrap();

    let moved = format!("http://127.0.0.1:{}/moved.git", server.port());
    server.behave(|b| b.redirect = Some(moved));
    assert_eq!(text(&*sync(&source()).await.unwrap(), "v"), "1");
    let requests = server.take_requests();
    assert!(requests.iter().filter(|r| r.method == "POST").all(|r| r.target.starts_with("/moved.git/")));

    for to in [
        other.url(),
        format!("http://localhost:{}/moved.git", server.port()),
        format!("https://127.0.0.1:{}/moved.git", server.port()),
        "file:///etc/passwd".into(),
        "ext::sh -c id".into(),
        format!("http://u:p@127.0.0.1:{}/moved.git", server.port()),
        // To a page for people, and to itself.
        format!("http://127.0.0.1:{}/login?", server.port()),
        server.url(),
    ] {
        server.behave(|b| b.redirect = Some(to.clone()));
        let refused = fault(sync(&source()).await);
        assert_eq!(refused.class, Class::Invalid, "{to}: {refused}");
        assert!(!refused.to_string().contains("u:p"), "{refused}");
    }
    assert_eq!(other.take_requests().len(), 0, "nobody else was asked anything");
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

#[tokio::test]
async fn credentials_over_plain_http_need_to_be_allowed() {
    for url in ["http://git:pw@127.0.0.1/r", "http://127.0.0.1/r"] {
        let error = GitSource::builder(url)
            .allow_http()
            .with_credentials(Token::new("x"))
            .with_mirror_dir("/nowhere")
            .build()
            .unwrap_err();
        assert!(matches!(error, GitError::CredentialsInTheClear), "{error:?}");
    }
}
