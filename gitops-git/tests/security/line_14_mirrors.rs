//! Mirrors of different credentials are kept apart, and from other users of the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use gitops_core::{Class, RefSpec, Source};
use gitops_git::Token;

use crate::common::{Repo, Server, cx, dirs, fault, http, local, sync};

#[tokio::test]
async fn only_the_owner_may_look() {
    let repo = Repo::with(&[("v", "1")]);
    let root = repo.mirrors().join("deep");
    sync(&local(&repo.bare(), &root).build().unwrap()).await.unwrap();
    let slot = dirs(&root).remove(0);
    for dir in [root, slot] {
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700, "{}", dir.display());
    }
}

#[tokio::test]
async fn each_credential_has_a_mirror_of_its_own() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let build = || http(&server.url(), &repo.mirrors());
    let one = build().with_credentials(Token::new("one")).build().unwrap();
    sync(&one).await.unwrap();
    let revision = one.resolve(&cx(), &RefSpec::Default).await.unwrap();

    // Another credential, which has no access, does not see what the first one fetched.
    server.behave(|b| b.authorization = Some("none has this".into()));
    for other in [build().with_credentials(Token::new("two")).build().unwrap(), build().build().unwrap()] {
        assert_eq!(fault(other.fetch(&cx(), &revision).await).class, Class::Denied);
    }
    server.behave(|b| b.authorization = None);
    sync(&build().with_credentials(Token::new("two")).build().unwrap()).await.unwrap();
    let two = build().with_credentials(Token::new("one")).build().unwrap();
    assert_eq!(dirs(&repo.mirrors()).len(), 3);
    // Two sources with one credential have one each as long as both live.
    sync(&two).await.unwrap();
    assert_eq!(dirs(&repo.mirrors()).len(), 4);
    drop((one, two));
    server.take_requests();
    sync(&build().with_credentials(Token::new("one")).build().unwrap()).await.unwrap();
    assert_eq!(dirs(&repo.mirrors()).len(), 4);
    assert_eq!(server.take_requests().len(), 2, "only the question");
}

/// A directory that somebody has opened, or made before us, is closed again before anything is written to it.
#[tokio::test]
async fn a_directory_that_was_opened_is_closed() {
    let repo = Repo::with(&[("v", "1")]);
    let build = || local(&repo.bare(), &repo.mirrors()).build().unwrap();
    sync(&build()).await.unwrap();
    let slot = dirs(&repo.mirrors()).remove(0);
    for mode in [0o777, 0o750, 0o701] {
        fs::set_permissions(&slot, fs::Permissions::from_mode(mode)).unwrap();
        sync(&build()).await.unwrap();
        assert_eq!(fs::metadata(&slot).unwrap().permissions().mode() & 0o777, 0o700, "{mode:o}");
    }
}
