//! Only `https` is spoken unless something else was allowed, before and after a redirect.

use gitops_core::Class;
use gitops_git::{GitError, GitSource};

use crate::common::tls::Authority;
use crate::common::{Repo, Server, fault, http, https, provider, sync, text};

#[test]
fn each_protocol_needs_its_own_opt_in() {
    provider();
    let build = |url: &str| GitSource::builder(url).with_mirror_dir("/nowhere");
    let refused = |built: Result<GitSource, GitError>, url: &str| match built.unwrap_err() {
        GitError::ProtocolRefused { .. } => {}
        error => panic!("{url}: {error:?}"),
    };
    let (local, clear) =
        (["/srv/git/r", "file:///srv/git/r"], ["http://git.example/r", "HTTP://git.example/r"]);
    let never =
        ["git://git.example/r", "ext::sh -c id", "fd::7", "rsync://h/r", "dict://h/r", "ssh+ext::x://h/r"];
    assert!(build("https://git.example/r").build().is_ok());
    for url in local.iter().chain(&clear).chain(&never) {
        refused(build(url).build(), url);
    }
    // What is allowed allows nothing else.
    for url in clear.iter().chain(&never) {
        refused(build(url).allow_local().build(), url);
    }
    for url in local.iter().chain(&never) {
        refused(build(url).allow_http().build(), url);
    }
    for url in local {
        assert!(build(url).allow_local().build().is_ok(), "{url}");
    }
    for url in clear {
        assert!(build(url).allow_http().build().is_ok(), "{url}");
    }
}

/// A redirect gets nobody to speak what they would not have spoken at once; nor does an opt-in for the first step.
#[tokio::test]
async fn a_redirect_to_another_protocol_fails() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let clear = Server::start(repo.root());
    let secure = Server::start_tls(repo.root(), authority.server("localhost", false));
    for allowed in [false, true] {
        let source = || {
            let source = https("localhost", &secure, &repo).with_ca_pem(authority.pem());
            if allowed { source.allow_http().allow_local() } else { source }.build().unwrap()
        };
        for to in [
            format!("http://localhost:{}/repo.git", clear.port()),
            format!("http://localhost:{}/repo.git", secure.port()),
            format!("file://{}", repo.bare().display()),
            "git://localhost/repo.git".into(),
            "ext::sh -c touch% fired".into(),
        ] {
            secure.behave(|b| b.redirect = Some(to.clone()));
            let refused = fault(sync(&source()).await);
            assert_eq!(refused.class, Class::Invalid, "{to}: {refused}");
        }
        secure.behave(|b| b.redirect = None);
        assert_eq!(text(&*sync(&source()).await.unwrap(), "v"), "1", "the source itself is right");
    }
    assert_eq!(clear.take_requests().len(), 0);

    // From plain HTTP up to HTTPS is another server too.
    clear.behave(|b| b.redirect = Some(format!("https://localhost:{}/repo.git", secure.port())));
    secure.take_requests();
    let source = http(&clear.url(), &repo.mirrors()).with_ca_pem(authority.pem()).build().unwrap();
    assert_eq!(fault(sync(&source).await).class, Class::Invalid);
    assert_eq!(secure.take_requests().len(), 0);
}
