//! Submodules are off, and lead nowhere else.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use common::repo::git_with;
use common::submodules::{beside, follow, mount};
use common::{Repo, Server, fault, local, path, sync, text};
use gitops_core::{Class, EntryKind};
use gitops_git::{GitError, Token};

#[tokio::test]
async fn without_being_asked_for_a_submodule_is_none() {
    let (repo, lib) = (Repo::with(&[("a", "1")]), Repo::with(&[("b", "1")]));
    mount(&repo, &lib, "lib", "../lib.git");
    let tree = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    let listed = tree.list(&path("")).unwrap();
    assert!(listed.iter().any(|entry| entry.name == "lib" && entry.kind == EntryKind::Submodule));
    assert_eq!(tree.list(&path("lib")).unwrap_err().class, Class::NotFound);
}

#[tokio::test]
async fn submodules_are_on_the_same_server_and_get_its_credentials() {
    let (repo, near, far) = (Repo::with(&[("a", "1")]), Repo::with(&[("b", "1")]), Repo::with(&[("c", "1")]));
    mount(&repo, &near, "near", "../near.git");
    beside(&repo, "near.git", &near);
    let server = Server::start(repo.root());
    let source = follow(&server, &repo).with_credentials(Token::new("s3cr3t")).build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "near/b"), "1");
    let mut of_near =
        server.take_requests().into_iter().filter(|request| request.target.contains("near.git"));
    assert!(of_near.any(|request| request.header("authorization").is_some()));

    let elsewhere = Server::start(far.root());
    mount(&repo, &far, "far", &elsewhere.url().replace("://", "://someone:passw0rd@"));
    let refused = fault(sync(&source).await);
    assert_eq!(refused.class, Class::Invalid);
    let told = format!("{refused} {refused:?}");
    assert!(told.contains("another server") && told.contains("/far (a submodule)"), "{told}");
    assert!(!told.contains("passw0rd"), "{told}");
    assert!(elsewhere.take_requests().is_empty());
}

#[tokio::test]
async fn nor_by_another_protocol() {
    let (repo, lib) = (Repo::with(&[("a", "1")]), Repo::with(&[("b", "1")]));
    let server = Server::start(repo.root());
    let path = lib.bare().display().to_string();
    let urls = [
        &path,
        &format!("file://{path}"),
        "ext::sh -c id",
        "git://git.example/x",
        "http://169.254.169.254/x",
    ];
    for url in urls {
        std::fs::write(repo.work().join(".gitmodules"), "").unwrap();
        mount(&repo, &lib, "lib", url);
        let refused = fault(sync(&follow(&server, &repo).allow_local().build().unwrap()).await);
        assert_eq!(refused.class, Class::Invalid, "{url}: {refused}");
    }
    // A local repository has local ones.
    std::fs::write(repo.work().join(".gitmodules"), "").unwrap();
    mount(&repo, &lib, "lib", &path);
    let source = local(&repo.bare(), &repo.root().join("local")).with_submodules().build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "lib/b"), "1");
}

#[tokio::test]
async fn submodules_without_end_are_refused() {
    // Each commit mounts the one before it.
    let repo = Repo::with(&[("a", "1")]);
    for _ in 0..4 {
        mount(&repo, &repo, "self", "../repo.git");
    }
    let source = local(&repo.bare(), &repo.mirrors()).with_submodules().build().unwrap();
    let tree = sync(&source).await.unwrap();
    assert_eq!(text(&*tree, "self/self/self/self/a"), "1");
    for _ in 0..2 {
        mount(&repo, &repo, "self", "../repo.git");
    }
    let refused = fault(sync(&source).await);
    assert_eq!(refused.class, Class::Invalid);
    assert!(refused.to_string().contains("5 levels"), "{refused}");
}

#[tokio::test]
async fn what_is_strange_in_gitmodules_is_refused() {
    let lib = Repo::with(&[("b", "1")]);
    let section = |path: &str, url: &str| format!("[submodule \"x\"]\n\tpath = {path}\n\turl = {url}\n");
    let usual = section("lib", "https://h/x");
    for (kind, content) in [
        ("120000 blob", "other".to_owned()),
        ("040000 tree", String::new()),
        ("100644 blob", section("../x", "https://h/x")),
        ("100644 blob", section("lib", "-x")),
    ] {
        let repo = Repo::with(&[("other", &usual)]);
        let blob = |text: &str| git_with(&repo.work(), &["hash-object", "-w", "--stdin"], text.as_bytes());
        let strange = match kind {
            "040000 tree" => git_with(&repo.work(), &["mktree"], b""),
            _ => blob(&content),
        };
        // As no `git add` would have it.
        let (other, head) = (blob(&usual), lib.head());
        let tree =
            format!("{kind} {strange}\t.gitmodules\n100644 blob {other}\tother\n160000 commit {head}\tlib\n");
        let tree = git_with(&repo.work(), &["mktree", "--missing"], tree.as_bytes());
        let commit = repo.git(&["commit-tree", &tree, "-m", "strange"]);
        repo.git(&["push", "--quiet", "--force", "origin", &format!("{commit}:refs/heads/main")]);
        let source = local(&repo.bare(), &repo.mirrors()).with_submodules().build().unwrap();
        let refused = fault(sync(&source).await);
        assert_eq!(refused.class, Class::Invalid, "{refused}");
        let error = refused.source.downcast_ref::<GitError>();
        assert!(matches!(error, Some(GitError::Submodules { .. })), "{refused}");
    }
}
