//! Repositories behind a Git server.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::time::{Duration, Instant};

use common::{Repo, Server, blob, cx, fault, http, sync, text};
use gitops_core::{Class, Cx, RefSpec, Source};
use gitops_git::{Basic, Token, TokenFile};

/// `git:s3cr3t` as basic authentication sends it.
const AUTHORIZATION: &str = "Basic Z2l0OnMzY3IzdA==";

#[tokio::test]
async fn asking_moves_no_objects_and_fetching_moves_what_is_missing() {
    let repo = Repo::with(&[("big", &blob(1)), ("v", "1")]);
    for n in 0..40 {
        repo.git(&["branch", &format!("other-{n}")]);
    }
    repo.git(&["push", "--quiet", "--all", "origin"]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).with_branch("main").build().unwrap();

    let first = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    let asked = server.take_requests();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].target.ends_with("/info/refs?service=git-upload-pack"));
    assert!(String::from_utf8_lossy(&asked[1].body).contains("ref-prefix refs/heads/main"));
    let bytes = server.sent();
    assert!(bytes < 1500, "only the wanted reference was listed: {bytes}");
    assert!(!repo.mirrors().exists(), "nothing is kept for a question");

    let snapshot = source.fetch(&cx(), &first).await.unwrap();
    assert_eq!(text(&*snapshot, "big"), blob(1));
    let first_fetch = server.sent() - bytes;
    assert!(first_fetch > 5000, "{first_fetch}");
    server.take_requests();

    source.fetch(&cx(), &first).await.unwrap();
    assert_eq!(server.take_requests().len(), 0, "what is there is not asked for");

    repo.commit("second", &[("v", "2")]);
    let before = server.sent();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "2");
    let second_fetch = server.sent() - before;
    assert!(second_fetch < 3000, "{second_fetch} of {first_fetch}");
    drop((snapshot, source));

    // A restart takes up the mirror where it was.
    let source = http(&server.url(), &repo.mirrors()).with_branch("main").build().unwrap();
    server.take_requests();
    let snapshot = sync(&source).await.unwrap();
    assert_eq!(server.take_requests().len(), 2, "only the question");
    assert_eq!(text(&*snapshot, "big"), blob(1));
    repo.commit("third", &[("v", "3")]);
    let before = server.sent();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "3");
    assert!(server.sent() - before < 3000);
}

#[tokio::test]
async fn one_commit_is_fetched_once_however_many_want_it() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    server.take_requests();
    let (a, b, c, d) = (cx(), cx(), cx(), cx());
    let done = tokio::join!(
        source.fetch(&a, &revision),
        source.fetch(&b, &revision),
        source.fetch(&c, &revision),
        source.fetch(&d, &revision),
    );
    for snapshot in [done.0, done.1, done.2, done.3] {
        assert_eq!(text(&*snapshot.unwrap(), "v"), "1");
    }
    let posts = server.take_requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn force_pushes_and_missing_things_over_http() {
    let repo = Repo::new();
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).with_branch("main").build().unwrap();
    let empty = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(empty.class, Class::NotFound);
    assert!(empty.to_string().contains("empty"), "{empty}");
    repo.commit("first", &[("v", "1")]);
    let gone = repo.commit("second", &[("v", "2")]);
    sync(&source).await.unwrap();
    repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repo.commit("other", &[("v", "two")]);
    let snapshot = sync(&source).await.unwrap();
    assert_eq!(snapshot.revision().provenance.as_ref().unwrap().rewrote, Some(gone.clone()));

    common::git(&repo.bare(), &["reflog", "expire", "--expire=now", "--all"]);
    common::git(&repo.bare(), &["gc", "--quiet", "--prune=now"]);
    let fresh = http(&server.url(), &repo.root().join("fresh")).with_commit(&gone).build().unwrap();
    let missing = fault(sync(&fresh).await);
    assert_eq!(missing.class, Class::NotFound, "{missing}");
    assert!(missing.to_string().contains(&gone), "{missing}");

    let wrong = http(&format!("{}x", server.url()), &repo.mirrors()).build().unwrap();
    let missing = fault(wrong.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(missing.class, Class::NotFound, "{missing}");
    assert!(missing.to_string().contains(&wrong.identity()), "{missing}");
}

#[tokio::test]
async fn credentials_are_sent_and_wrong_ones_denied() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    server.behave(|b| b.authorization = Some(AUTHORIZATION.into()));
    let token_file = repo.root().join("token");
    std::fs::write(&token_file, "s3cr3t\n").unwrap();
    let build = |url: &str| http(url, &repo.mirrors());
    let with_user = server.url().replace("http://", "http://git:s3cr3t@");
    for source in [
        build(&server.url()).with_credentials(Token::new("s3cr3t")).build().unwrap(),
        build(&server.url()).with_credentials(Basic::new("git", "s3cr3t")).build().unwrap(),
        build(&server.url()).with_credentials(TokenFile::new(&token_file)).build().unwrap(),
        build(&with_user).build().unwrap(),
    ] {
        assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
        assert_eq!(source.identity(), server.url());
    }
    for source in [
        build(&server.url()).build().unwrap(),
        build(&server.url()).with_credentials(Token::new("wrong")).build().unwrap(),
        build(&with_user).with_credentials(Token::new("wrong")).build().unwrap(),
    ] {
        server.take_requests();
        let denied = fault(sync(&source).await);
        assert_eq!(denied.class, Class::Denied, "{denied}");
        assert!(denied.to_string().contains("401"), "{denied}");
        assert_eq!(server.take_requests().len(), 1, "it is not tried again");
    }

    // A token that is renewed on disk is used at once.
    let source = build(&server.url()).with_credentials(TokenFile::new(&token_file)).build().unwrap();
    std::fs::write(&token_file, "old").unwrap();
    assert_eq!(fault(sync(&source).await).class, Class::Denied);
    std::fs::remove_file(&token_file).unwrap();
    assert_eq!(fault(sync(&source).await).class, Class::Denied);
    std::fs::write(&token_file, "s3cr3t").unwrap();
    sync(&source).await.unwrap();
}

#[tokio::test]
async fn servers_with_the_old_protocol_serve_as_well() {
    let repo = Repo::new();
    let server = Server::start(repo.root());
    server.behave(|b| b.old_protocol = true);
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    let empty = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert!(empty.to_string().contains("empty"), "{empty}");
    repo.commit("first", &[("v", "1")]);
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["push", "--quiet", "--tags", "origin"]);
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
    repo.commit("second", &[("v", "2")]);
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "2");
    let tag = source.resolve(&cx(), &RefSpec::Tag("v1".into())).await.unwrap();
    assert_eq!(text(&*source.fetch(&cx(), &tag).await.unwrap(), "v"), "1");
    let missing = fault(source.resolve(&cx(), &RefSpec::Branch("gone".into())).await);
    assert!(missing.to_string().contains("deleted"), "{missing}");
    let removed = gitops_core::Revision::new("1234567890123456789012345678901234567890");
    let missing = fault(source.fetch(&cx(), &removed).await);
    assert_eq!(missing.class, Class::Unsupported, "{missing}");
}

#[tokio::test]
async fn what_servers_say_is_understood() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    let later = Class::Retry { after: Some(Duration::from_secs(17)) };
    let wait = || vec![("Retry-After", "17".to_owned())];
    for (status, headers, class) in [
        ("500 Oops", vec![], Class::RETRY),
        ("502 Bad Gateway", vec![], Class::RETRY),
        ("503 Busy", wait(), later),
        ("429 Slow down", wait(), later),
        ("403 Forbidden", vec![], Class::Denied),
        ("403 Rate limit", wait(), later),
        ("404 Not Found", vec![], Class::NotFound),
        ("501 Not Implemented", vec![], Class::Unsupported),
        ("400 Bad Request", vec![], Class::Invalid),
        // A page for people.
        ("200 OK", vec![("Content-Type", "text/html".to_owned())], Class::Invalid),
    ] {
        server.behave(|b| b.status = Some((status, headers)));
        let fault = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(fault.class, class, "{status}: {fault}");
    }
}

#[tokio::test]
async fn servers_that_cannot_be_reached_may_come_back() {
    let repo = Repo::new();
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for url in
        [format!("http://127.0.0.1:{port}/repo.git"), "http://no-such-host.invalid/repo.git".to_owned()]
    {
        let source = http(&url, &repo.mirrors()).build().unwrap();
        let fault = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(fault.class, Class::RETRY, "{fault}");
        assert!(fault.to_string().contains(&url), "{fault}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left_at_the_deadline() {
    let repo = Repo::with(&[("big", &blob(1))]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    server.behave(|b| b.hang_at = Some("info/refs".into()));
    let start = Instant::now();
    let late = fault(source.resolve(&Cx::with_timeout(Duration::from_millis(300)), &RefSpec::Default).await);
    assert_eq!(late.class, Class::RETRY, "{late}");
    assert!(start.elapsed() < Duration::from_secs(10));

    // In the middle of a pack, with a limit on silence that comes before the deadline.
    server.behave(|b| (b.hang_at, b.hang_after) = (None, Some(700)));
    let source =
        http(&server.url(), &repo.mirrors()).with_timeout(Duration::from_millis(300)).build().unwrap();
    let revision = gitops_core::Revision::new(repo.head());
    let silent = fault(source.fetch(&cx(), &revision).await);
    assert_eq!(silent.class, Class::RETRY, "{silent}");
    assert!(silent.to_string().contains("sent nothing"), "{silent}");

    // Nothing half done is taken for whole.
    server.behave(|b| b.hang_after = None);
    assert_eq!(text(&*source.fetch(&cx(), &revision).await.unwrap(), "big"), blob(1));
}

#[tokio::test]
async fn a_fetch_is_cancelled_in_the_middle() {
    let repo = Repo::with(&[("big", &blob(1))]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    server.behave(|b| b.hang_after = Some(700));
    let context = cx();
    let fetching = tokio::spawn({
        let (source, context, revision) = (source.clone(), context.clone(), revision.clone());
        async move { source.fetch(&context, &revision).await }
    });
    let server = tokio::task::spawn_blocking(move || {
        server.wait_until_hanging();
        server
    })
    .await
    .unwrap();
    let start = Instant::now();
    context.cancel.cancel();
    assert_eq!(fault(fetching.await.unwrap()).class, Class::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(5));

    // A future that is dropped lets go of the mirror too: the next fetch gets it.
    let dropped = tokio::time::timeout(Duration::from_millis(200), source.fetch(&cx(), &revision)).await;
    assert!(dropped.is_err());
    server.behave(|b| b.hang_after = None);
    assert_eq!(text(&*source.fetch(&cx(), &revision).await.unwrap(), "big"), blob(1));
}

/// One source may be used from several runtimes, one after the other: connections do not outlive theirs.
#[test]
fn a_source_outlives_its_runtime() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(text(&*runtime.block_on(sync(&source)).unwrap(), "v"), "1");
    }
}
