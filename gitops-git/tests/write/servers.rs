//! Pushes to Git's own HTTP server.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gitops_core::{Class, ManualClock};
use gitops_git::write::{Files, GitWriter, WriteError};
use gitops_git::{Basic, GitError, GitSourceBuilder};

use crate::common::tls::Authority;
use crate::common::{self, Repo, Server, basic, cx, git, path};
use crate::scene::{ada, add_line, error, fsck, git_error, on_main, put, rev, show, written};

/// A repository that takes pushes, and its server.
pub fn served(repo: &Repo) -> Server {
    git(&repo.bare(), &["config", "http.receivepack", "true"]);
    Server::start(repo.root())
}

pub fn over_http(repo: &Repo, server: &Server) -> GitWriter {
    builder(repo, server).build().unwrap().writer(ada())
}

fn builder(repo: &Repo, server: &Server) -> GitSourceBuilder {
    common::http(&server.url(), &repo.mirrors()).with_branch("main").with_timeout(Duration::from_secs(20))
}

/// What was asked, without what it was asked for.
fn asked(server: &Server) -> Vec<String> {
    let requests = server.take_requests();
    requests.iter().map(|request| request.target.trim_start_matches("/repo.git/").to_owned()).collect()
}

const ADVERTISED: &str = "info/refs?service=git-receive-pack";

#[tokio::test]
async fn a_push_costs_two_requests_once_the_mirror_has_the_tip() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = served(&repo);
    let writer = over_http(&repo, &server);
    written(writer.commit(&cx(), &on_main(), add_line("a", "1")).await);
    let first = asked(&server);
    assert_eq!(first.first().unwrap(), ADVERTISED);
    assert_eq!(first.last().unwrap(), "git-receive-pack");
    assert_eq!(first.len(), 5, "{first:?}");
    for n in 2..5 {
        written(writer.commit(&cx(), &on_main(), add_line("a", &n.to_string())).await);
        assert_eq!(asked(&server), [ADVERTISED, "git-receive-pack"]);
    }
    assert_eq!(show(&repo, "main:a"), "0\n1\n2\n3\n4");
    fsck(&repo);
}

#[tokio::test]
async fn only_what_was_written_is_sent() {
    let files: Vec<_> = (0..50).map(|n| (format!("apps/{n}/deploy.yaml"), common::blob(n))).collect();
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
    let repo = Repo::with(&files);
    let server = served(&repo);
    let writer = over_http(&repo, &server);
    written(writer.commit(&cx(), &on_main(), put("apps/7/deploy.yaml", "image: 2\n")).await);
    let requests = server.take_requests();
    let body = &requests.last().unwrap().body;
    let at = body.windows(4).position(|part| part == b"PACK").unwrap();
    // A commit, three trees, a blob.
    assert_eq!(body[at + 8..at + 12], [0, 0, 0, 5]);
    assert!(body.len() < 4096, "{}", body.len());
    fsck(&repo);
}

#[tokio::test]
async fn a_push_over_https_with_a_token() {
    let repo = Repo::with(&[("a", "1\n")]);
    git(&repo.bare(), &["config", "http.receivepack", "true"]);
    let authority = Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("localhost", false));
    server.behave(|b| b.authorization = Some(basic("bot", "t0ken")));
    let with = |token: &str| {
        let source = common::https("localhost", &server, &repo)
            .with_branch("main")
            .with_ca_pem(authority.pem())
            .with_credentials(Basic::new("bot", token));
        source.build().unwrap().writer(ada())
    };
    let denied = git_error(with("other").commit(&cx(), &on_main(), put("a", "2\n")).await);
    assert!(matches!(denied, GitError::Denied { .. }), "{denied}");
    assert_eq!(rev(&repo, "main"), repo.head());
    let done = written(with("t0ken").commit(&cx(), &on_main(), put("a", "2\n")).await);
    assert_eq!(rev(&repo, "main"), done.commit.id);
    fsck(&repo);
}

#[tokio::test]
async fn what_may_be_read_only_is_not_written() {
    let repo = Repo::with(&[("a", "1\n")]);
    let server = Server::start(repo.root());
    // Git's server wants a name for a push, unless it is told not to.
    let fault = common::fault(over_http(&repo, &server).commit(&cx(), &on_main(), put("a", "2\n")).await);
    assert_eq!(fault.class, Class::Denied, "{fault}");
    let server = served(&repo);
    for status in ["401 Unauthorized", "403 Forbidden"] {
        server.behave(|b| {
            b.status = Some((status, vec![]));
            b.status_at = Some("/git-receive-pack".into());
        });
        let fault = common::fault(over_http(&repo, &server).commit(&cx(), &on_main(), put("a", "2\n")).await);
        assert_eq!(fault.class, Class::Denied, "{fault}");
    }
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_is() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = served(&repo);
    let says = |status, seconds: u32| {
        server.behave(|b| {
            b.status = Some((status, vec![("Retry-After", seconds.to_string())]));
            b.status_at = Some("/git-receive-pack".into());
        });
    };
    // It did not look at what was sent.
    for status in ["429 Too Many Requests", "403 Forbidden"] {
        says(status, 77);
        let fault =
            common::fault(over_http(&repo, &server).commit(&cx(), &on_main(), add_line("a", "1")).await);
        assert_eq!(fault.class, Class::Retry { after: Some(Duration::from_secs(77)) }, "{fault}");
        let pushes = server.take_requests().into_iter().filter(|it| it.target.ends_with("/git-receive-pack"));
        assert_eq!(pushes.count(), 1, "{status}");
    }

    // Here nobody knows: it is asked, not before its time.
    says("503 Service Unavailable", 2);
    let writer = over_http(&repo, &server);
    let (context, main, begin) = (cx(), on_main(), std::time::Instant::now());
    let (done, ()) = tokio::join!(writer.commit(&context, &main, add_line("a", "2")), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.behave(|b| b.status = None);
    });
    written(done);
    assert!(begin.elapsed() >= Duration::from_secs(2));
    assert_eq!(show(&repo, "main:a"), "0\n2");
}

/// A hook of the server's.
pub fn hook(repo: &Repo, name: &str, script: &str) {
    let hook = repo.bare().join("hooks").join(name);
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_rule_of_the_server_is_told_in_its_words() {
    let repo = Repo::with(&[("a", "1\n")]);
    let server = served(&repo);
    hook(&repo, "pre-receive", "printf 'only on \\033[31mMondays\\n' >&2; exit 1");
    let writer = over_http(&repo, &server);
    let refused = error(writer.commit(&cx(), &on_main(), put("a", "2\n")).await);
    assert!(matches!(refused, WriteError::PushRefused { .. }), "{refused}");
    assert_eq!(refused.class(), Class::Denied);
    let said = refused.to_string();
    assert!(said.contains("pre-receive hook declined") && said.contains("Mondays"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    hook(&repo, "pre-receive", "exit 0");
    hook(&repo, "update", "exit 1");
    let refused = error(writer.commit(&cx(), &on_main(), put("a", "2\n")).await);
    assert!(matches!(refused, WriteError::PushRefused { .. }), "{refused}");
    hook(&repo, "update", "exit 0");
    git(&repo.bare(), &["config", "transfer.hideRefs", "refs/heads/main"]);
    let fault = common::fault(writer.commit(&cx(), &on_main(), put("a", "2\n")).await);
    assert!(!fault.is_transient(), "{fault}");
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
async fn a_server_that_repeats_a_token_is_not_quoted() {
    let repo = Repo::with(&[("a", "1\n")]);
    let server = served(&repo);
    server.behave(|b| b.authorization = Some(basic("bot", "t0ken-planted")));
    hook(&repo, "pre-receive", "echo 'no pushes with t0ken-planted' >&2; exit 1");
    let source = builder(&repo, &server).with_credentials(Basic::new("bot", "t0ken-planted"));
    let refused =
        error(source.build().unwrap().writer(ada()).commit(&cx(), &on_main(), put("a", "2\n")).await);
    let said = format!("{refused} {refused:?}");
    assert!(said.contains("no pushes with …") && !said.contains("t0ken"), "{said}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_asked_for() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = served(&repo);
    let writer =
        builder(&repo, &server).with_timeout(Duration::from_millis(800)).build().unwrap().writer(ada());
    written(writer.commit(&cx(), &on_main(), add_line("a", "1")).await);
    server.behave(|b| b.hang_after = Some(0));
    let done = written(writer.commit(&cx(), &on_main(), add_line("a", "2")).await);
    assert_eq!((done.attempts, rev(&repo, "main")), (1, done.commit.id));
    assert_eq!(show(&repo, "main:a"), "0\n1\n2");
}

/// Two of the same name that make the same change in the same second.
#[tokio::test]
async fn the_same_change_of_somebody_else_is_not_taken_for_ones_own() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = served(&repo);
    let now = gitops_core::Timestamp::UNIX_EPOCH;
    let source = builder(&repo, &server).with_timeout(Duration::from_millis(800)).build().unwrap();
    let writer = source.writer(ada()).with_clock(ManualClock::new(now));
    server.behave(|b| b.hang_at = Some("/git-receive-pack".into()));
    let (cx, main) = (cx(), on_main());
    let (done, other) = tokio::join!(writer.commit(&cx, &main, add_line("a", "more")), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let other = common::local(&repo.bare(), &repo.root().join("other")).build().unwrap();
        let other = other.writer(ada()).with_clock(ManualClock::new(now));
        let done = other.commit(&cx, &main, add_line("a", "more")).await;
        server.behave(|b| b.hang_at = None);
        done
    });
    assert_ne!(written(done).commit, written(other).commit);
    assert_eq!(show(&repo, "main:a"), "0\nmore\nmore");
    fsck(&repo);
}

#[tokio::test]
async fn what_the_server_never_did_is_done_again() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = served(&repo);
    let writer =
        builder(&repo, &server).with_timeout(Duration::from_millis(800)).build().unwrap().writer(ada());
    written(writer.commit(&cx(), &on_main(), add_line("a", "1")).await);
    server.behave(|b| b.hang_at = Some("/git-receive-pack".into()));
    let made = std::sync::Arc::new(AtomicU32::new(0));
    let count = made.clone();
    let edit = move |files: &mut Files<'_>| {
        count.fetch_add(1, Ordering::SeqCst);
        let mut content = files.read(&path("a"))?.unwrap();
        content.extend_from_slice(b"2\n");
        files.write(&path("a"), content)
    };
    let ends = async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        server.behave(|b| b.hang_at = None);
    };
    let (cx, main) = (cx(), on_main());
    let (done, ()) = tokio::join!(writer.commit(&cx, &main, edit), ends);
    let done = written(done);
    // It is the same commit that is sent again: should the first one come late, nothing is done twice.
    assert!(done.attempts > 1);
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!(show(&repo, "main:a"), "0\n1\n2");

    // Where nothing helps, it is said that nobody knows.
    server.behave(|b| b.hang_at = Some("/git-receive-pack".into()));
    let unknown = error(writer.with_attempts(1).commit(&cx, &main, add_line("a", "3")).await);
    assert!(matches!(unknown, WriteError::OutcomeUnknown { .. }), "{unknown}");
    assert_eq!(show(&repo, "main:a"), "0\n1\n2");
}

#[tokio::test]
async fn one_commit_is_sent_again_and_again_while_a_hook_takes_its_time() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = served(&repo);
    hook(&repo, "pre-receive", "read old new name; echo $new >>seen; sleep 3");
    let writer =
        builder(&repo, &server).with_timeout(Duration::from_millis(1100)).build().unwrap().writer(ada());
    let done = written(writer.commit(&cx(), &on_main(), add_line("a", "1")).await);
    assert_eq!(rev(&repo, "main"), done.commit.id);
    let seen = std::fs::read_to_string(repo.bare().join("seen")).unwrap();
    let seen: Vec<_> = seen.lines().collect();
    assert!(seen.len() > 1 && seen.iter().all(|id| *id == done.commit.id), "{seen:?}");
}

#[tokio::test]
async fn what_cannot_land_any_more_hides_nothing() {
    let repo = Repo::with(&[("a", "0\n"), ("b", "0\n")]);
    let server = served(&repo);
    let writer =
        builder(&repo, &server).with_timeout(Duration::from_millis(800)).build().unwrap().writer(ada());
    written(writer.commit(&cx(), &on_main(), add_line("b", "1")).await);
    server.behave(|b| b.hang_at = Some("/git-receive-pack".into()));
    let edit = |files: &mut Files<'_>| match files.read(&path("a"))? {
        Some(_) => files.write(&path("a"), "1\n"),
        None => Err(gitops_core::Fault::invalid("there is no a")),
    };
    let others = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.behave(|b| b.hang_at = None);
        repo.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
        repo.git(&["rm", "--quiet", "a"]);
        repo.commit("without a", &[("c", "1\n")]);
    };
    let (cx, main) = (cx(), on_main());
    let (done, ()) = tokio::join!(writer.commit(&cx, &main, edit), others);
    let fault = common::fault(done);
    assert_eq!(fault.class, Class::Invalid, "{fault}");
    assert!(fault.to_string().contains("there is no a"), "{fault}");
}

#[tokio::test]
async fn who_stops_waiting_hears_that_nobody_knows() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = served(&repo);
    let writer = over_http(&repo, &server);
    written(writer.commit(&cx(), &on_main(), add_line("a", "1")).await);
    server.behave(|b| b.hang_after = Some(0));
    let cx = gitops_core::Cx::with_timeout(Duration::from_secs(2));
    let unknown = error(writer.commit(&cx, &on_main(), add_line("a", "2")).await);
    let WriteError::OutcomeUnknown { commit, .. } = unknown else { panic!("{unknown}") };
    assert_eq!(rev(&repo, "main"), commit);
}
