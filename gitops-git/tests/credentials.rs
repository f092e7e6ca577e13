//! Credentials that change while a source is used.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use common::{Repo, Server, cx, fault, http, poll_at_once, sync, text};
use gitops_core::{Class, Cx, Fault, RefSpec, Source, Timestamp};
use gitops_git::{CredentialProvider, CredentialRequest, Credentials, GitError, Login};

/// What a provider answers, given the question and how many came before.
type Answer = dyn Fn(&CredentialRequest, u32) -> Result<Login, Fault> + Send + Sync;

/// A provider that is told what to answer, and remembers what it was asked.
#[derive(Clone)]
struct Told {
    answer: Arc<Answer>,
    pause: Duration,
    asked: Arc<Mutex<Vec<CredentialRequest>>>,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

impl Told {
    fn new(answer: impl Fn(&CredentialRequest, u32) -> Result<Login, Fault> + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), pause: Duration::ZERO, asked: Arc::default() }
    }

    fn asked(&self) -> Vec<CredentialRequest> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[async_trait]
impl CredentialProvider for Told {
    fn identity(&self) -> String {
        "told".into()
    }

    async fn login(&self, cx: &Cx, request: &CredentialRequest) -> Result<Login, Fault> {
        assert!(cx.remaining() > Duration::ZERO, "there is time");
        let before = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.clone());
            u32::try_from(asked.len()).unwrap() - 1
        };
        tokio::time::sleep(self.pause).await;
        (self.answer)(request, before)
    }
}

/// A server that admits whoever has the token of the moment.
fn guarded(repo: &Repo) -> (Server, Arc<AtomicU32>) {
    let server = Server::start(repo.root());
    let current = Arc::new(AtomicU32::new(0));
    let wanted = current.clone();
    server.behave(|b| {
        b.admits = Some(Arc::new(move |request| {
            let wanted = common::basic("git", &format!("t{}", wanted.load(Ordering::SeqCst)));
            request.header("authorization") == Some(&wanted)
        }));
    });
    (server, current)
}

#[tokio::test]
async fn a_token_that_is_renewed_is_used_at_once() {
    let repo = Repo::with(&[("v", "1")]);
    let (server, current) = guarded(&repo);
    let known = current.clone();
    // It believes that its tokens last; so only the server's refusal makes it look again.
    let provider = Told::new(move |_, _| {
        let token = format!("t{}", known.load(Ordering::SeqCst));
        Ok(Login::new("git", token).with_valid_until(Timestamp::now() + Duration::from_secs(3600)))
    });
    let source = http(&server.url(), &repo.mirrors()).with_credentials(provider.clone()).build().unwrap();
    sync(&source).await.unwrap();
    source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    let asked = provider.asked();
    assert_eq!(asked.len(), 1, "it said how long the token is good");
    assert_eq!(asked[0].origin, format!("http://127.0.0.1:{}", server.port()));
    for n in 1..4 {
        current.store(n, Ordering::SeqCst);
        let v = n.to_string();
        repo.commit("next", &[("v", &v)]);
        server.take_requests();
        assert_eq!(text(&*sync(&source).await.unwrap(), "v"), v);
        let asked = provider.asked();
        assert!(asked.len() == 1 && asked[0].refused, "{asked:?}");
        let refused = server.take_requests().iter().filter(|r| r.method == "GET").count();
        assert_eq!(refused, 3, "one of the poll was refused, its second and the fetch's were not");
    }
}

/// The token may run out between two requests of one conversation.
#[tokio::test]
async fn a_token_that_runs_out_in_the_middle_is_renewed() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    server.behave(|b| {
        b.admits = Some(Arc::new(|request| {
            let wanted = if request.method == "GET" { "t0" } else { "t1" };
            request.header("authorization") == Some(&common::basic("git", wanted))
        }));
    });
    let provider = Told::new(|request, _| Ok(Login::new("git", if request.refused { "t1" } else { "t0" })));
    let source = http(&server.url(), &repo.mirrors()).with_credentials(provider).build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "1");
}

#[tokio::test]
async fn what_is_refused_twice_is_denied() {
    let repo = Repo::with(&[("v", "1")]);
    let (server, _) = guarded(&repo);
    let same = Told::new(|_, _| Ok(Login::new("git", "wrong")));
    let other = Told::new(|_, n| Ok(Login::new("git", format!("wrong{n}"))));
    let none = Told::new(|request, _| {
        let revoked = || Fault::new(Class::Denied, "the account was closed");
        if request.refused { Err(revoked()) } else { Ok(Login::new("git", "wrong")) }
    });
    for (provider, requests, says) in [(same, 1, "401"), (other, 2, "401"), (none, 1, "was closed")] {
        let source = http(&server.url(), &repo.mirrors()).with_credentials(provider.clone()).build().unwrap();
        let denied = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(denied.class, Class::Denied, "{denied}");
        assert!(denied.to_string().contains(says), "{denied}");
        assert_eq!(server.take_requests().len(), requests);
        let asked: Vec<_> = provider.asked().iter().map(|request| request.refused).collect();
        assert_eq!(asked, [false, true]);
    }
}

#[tokio::test]
async fn what_a_provider_says_of_its_failure_counts() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let later = Class::Retry { after: Some(Duration::from_secs(70)) };
    for class in [Class::RETRY, later, Class::Denied] {
        let provider = Told::new(move |_, _| Err(Fault::new(class, "the vault says no").at("vault")));
        let source = http(&server.url(), &repo.mirrors()).with_credentials(provider).build().unwrap();
        let fault = fault(source.resolve(&cx(), &RefSpec::Default).await);
        assert_eq!(fault.class, class, "{fault}");
        assert!(fault.to_string().contains("vault: the vault says no"), "{fault}");
        assert!(matches!(fault.source.downcast_ref(), Some(GitError::CredentialProvider(_))), "{fault:?}");
    }
    assert_eq!(server.take_requests().len(), 0, "nobody comes without a credential");
}

#[tokio::test]
async fn the_wait_for_a_provider_ends() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let mut provider = Told::new(|_, _| Ok(Login::new("git", "t0")));
    provider.pause = Duration::from_secs(3600);
    let build = || http(&server.url(), &repo.mirrors()).with_credentials(provider.clone());
    let start = Instant::now();
    let source = build().with_timeout(Duration::from_millis(200)).build().unwrap();
    let late = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(late.class, Class::RETRY, "{late}");
    assert!(late.to_string().contains("the credential provider"), "{late}");

    let source = build().build().unwrap();
    let late = fault(source.resolve(&Cx::with_timeout(Duration::from_millis(200)), &RefSpec::Default).await);
    assert_eq!(late.class, Class::RETRY, "{late}");
    let context = cx();
    let asking = tokio::spawn({
        let (source, context) = (source.clone(), context.clone());
        async move { source.resolve(&context, &RefSpec::Default).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    context.cancel.cancel();
    assert_eq!(fault(asking.await.unwrap()).class, Class::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(server.take_requests().len(), 0);
}

#[tokio::test]
async fn sources_that_share_a_credential_ask_for_it_once() {
    let repo = Repo::with(&[("v", "1")]);
    let (server, current) = guarded(&repo);
    let known = current.clone();
    let mut provider = Told::new(move |_, _| {
        let token = format!("t{}", known.load(Ordering::SeqCst));
        Ok(Login::new("git", token).with_valid_until(Timestamp::now() + Duration::from_secs(3600)))
    });
    provider.pause = Duration::from_millis(100);
    let credentials = Credentials::from(provider.clone());
    let sources: Vec<_> = (0..6)
        .map(|_| http(&server.url(), &repo.mirrors()).with_credentials(credentials.clone()).build().unwrap())
        .collect();
    for n in 0..3 {
        current.store(n, Ordering::SeqCst);
        poll_at_once(&sources).await;
        assert_eq!(provider.asked().len(), 1, "round {n}");
    }
}
