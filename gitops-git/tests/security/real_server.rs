//! A real Git server over HTTPS, with a certificate of a private authority and a token that it wants, which goes away
//! and comes back while it is used. Nothing of it needs a program of the machine.

use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gitops_core::{Class, RefSpec, Source};
use gitops_git::{GitSource, Token};

use crate::common::tls::Authority;
use crate::common::{Repo, Server, blob, cx, fault, https, repo, sync, text};

/// `git:s3cr3t` as basic authentication sends it.
const AUTHORIZATION: &str = "Basic Z2l0OnMzY3IzdA==";

fn start(repo: &Repo, authority: &Authority) -> Server {
    let server = Server::start_tls(repo.root(), authority.server("localhost", false));
    server.behave(|b| b.authorization = Some(AUTHORIZATION.into()));
    server
}

fn source(server: &Server, repo: &Repo, authority: &Authority, token: &str) -> GitSource {
    https("localhost", server, repo)
        .with_ca_pem(authority.pem())
        .with_credentials(Token::new(token))
        .with_branch("main")
        .build()
        .unwrap()
}

#[tokio::test]
async fn it_wants_the_token_and_its_authority() {
    let repo = Repo::with(&[("v", "1")]);
    let authority = Authority::new();
    let server = start(&repo, &authority);
    assert_eq!(text(&*sync(&source(&server, &repo, &authority, "s3cr3t")).await.unwrap(), "v"), "1");
    assert_eq!(fault(sync(&source(&server, &repo, &authority, "wrong")).await).class, Class::Denied);
    let nobody = https("localhost", &server, &repo).with_ca_pem(authority.pem()).build().unwrap();
    assert_eq!(fault(sync(&nobody).await).class, Class::Denied);
    let stranger = https("localhost", &server, &repo).with_credentials(Token::new("s3cr3t")).build().unwrap();
    server.take_requests();
    assert_eq!(fault(sync(&stranger).await).class, Class::Invalid);
    assert_eq!(server.take_requests().len(), 0, "nothing was said to who cannot be trusted");
}

/// Killed in the middle of a pack, and back: the fetch fails for now, nothing of it counts, and the same source goes on.
#[tokio::test]
async fn a_restart_in_the_middle_of_a_fetch_passes() {
    let repo = Repo::with(&[("big", &blob(1))]);
    let authority = Authority::new();
    let mut server = start(&repo, &authority);
    let source = source(&server, &repo, &authority, "s3cr3t");
    for n in 2..5 {
        let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
        server.behave(|b| b.hang_after = Some(700));
        let fetching = tokio::spawn({
            let (source, revision) = (source.clone(), revision.clone());
            async move { source.fetch(&cx(), &revision).await.map(drop) }
        });
        server = tokio::task::spawn_blocking(move || {
            server.wait_until_hanging();
            server.restart(Duration::ZERO)
        })
        .await
        .unwrap();
        let broken = fetching.await.unwrap().unwrap_err();
        assert!(broken.is_transient(), "{broken:?}");
        let snapshot = source.fetch(&cx(), &revision).await.unwrap();
        assert_eq!(text(&*snapshot, "big"), blob(n - 1));
        repo.commit("next", &[("big", &blob(n))]);
    }
}

/// A source is polled while the server comes and goes and commits are pushed: nothing but passing trouble, and every
/// push is seen in the end.
#[tokio::test]
async fn restarts_while_it_is_polled_lose_nothing() {
    let repo = Repo::with(&[("v", "0")]);
    let authority = Authority::new();
    let mut server = start(&repo, &authority);
    let source = source(&server, &repo, &authority, "s3cr3t");
    let (seen, sight) = mpsc::channel();
    let polling = tokio::spawn(async move {
        let mut trouble = 0;
        loop {
            match sync(&source).await {
                Ok(snapshot) => {
                    let v = text(&*snapshot, "v");
                    if seen.send(v.clone()).is_err() || v == "last" {
                        return trouble;
                    }
                }
                Err(fault) => {
                    assert!(fault.is_transient(), "{fault:?}");
                    trouble += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let (repo, server) = tokio::task::spawn_blocking(move || {
        for n in 0..4 {
            let v = n.to_string();
            let patience = Instant::now() + Duration::from_secs(30);
            while sight.recv_timeout(patience - Instant::now()).unwrap() != v {}
            server = server.restart(Duration::from_millis(150));
            repo.commit("next", &[("v", &(n + 1).to_string())]);
        }
        repo.commit("last", &[("v", "last")]);
        while sight.recv_timeout(Duration::from_secs(30)).unwrap() != "last" {}
        (repo, server)
    })
    .await
    .unwrap();
    let trouble = tokio::time::timeout(Duration::from_secs(30), polling).await.unwrap().unwrap();
    assert!(trouble > 0, "no restart was noticed: the test says nothing");
    drop((repo, server));
}

/// The tests of this module again, in a process that can find no program by its name.
#[test]
fn with_an_empty_path() {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["real_server::", "line_07_tls::", "--skip", "with_an_empty_path"])
        .env("GITOPS_TEST_GIT", repo::program())
        .env("PATH", "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{errors}");
    assert!(
        !said.contains(" 0 passed")
            && said.contains("real_server::it_wants_the_token_and_its_authority ... ok"),
        "{said}"
    );
}
