//! Connections that break while a commit is pushed: afterwards it is known whether it landed.
//!
//! Where they break follows from seeds: `GITOPS_FAULT_SEEDS`, `GITOPS_FAULT_FIRST` and `GITOPS_FAULT_SEED`, as in the tests of
//! what is read.

use std::time::Duration;

use gitops_core::{Backoff, Class, Cx, Revision};
use gitops_git::write::{GitWriter, WriteError};

use crate::common::dice::{Dice, seeds};
use crate::common::{Repo, Server, git, http};
use crate::proxy::{Proxy, Sender, Trouble, Way};
use crate::scene::{ada, add_line, error, fsck, on_main, show, written};
use crate::servers::served;

fn cx() -> Cx {
    Cx::with_timeout(Duration::from_secs(30))
}

fn writer(repo: &Repo, port: u16) -> GitWriter {
    let mut backoff = Backoff::default();
    backoff.base = Duration::from_millis(20);
    let source = http(&format!("http://127.0.0.1:{port}/repo.git"), &repo.mirrors());
    let source = source.with_timeout(Duration::from_secs(1)).build().unwrap();
    source.writer(ada()).with_attempts(3).with_backoff(backoff)
}

/// How often a line is there.
fn times(repo: &Repo, line: &str) -> usize {
    show(repo, "main:log").lines().filter(|there| *there == line).count()
}

/// Waits until the server has done with what came before.
async fn settle(server: &Server) {
    let mut seen = server.sent_with_heads();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let now = server.sent_with_heads();
        if std::mem::replace(&mut seen, now) == now {
            return;
        }
    }
}

#[tokio::test]
async fn what_became_of_a_push_is_known_wherever_the_connection_breaks() {
    let repo = Repo::with(&[("log", "")]);
    let server = served(&repo);
    let proxy = Proxy::to(server.port());
    let through = writer(&repo, proxy.port());
    let other = http(&server.url(), &repo.root().join("other")).build().unwrap().writer(ada());
    written(through.commit(&cx(), &on_main(), add_line("log", "first")).await);
    proxy.be(Way::default());
    written(through.commit(&cx(), &on_main(), add_line("log", "second")).await);
    let (client, from_server) = proxy.carried();
    let (mut landed, mut not, mut open) = (0, 0, 0);
    for seed in seeds("GITOPS_FAULT", 25) {
        let mut dice = Dice::new(seed);
        let (sender, bytes) =
            if dice.chance(2) { (Sender::Client, client) } else { (Sender::Server, from_server) };
        // Mostly after the question that comes first, when there is something to lose.
        let first = if dice.chance(4) { 0 } else { bytes / 3 };
        let at = first + dice.below(usize::try_from(bytes - first).unwrap()) as u64;
        let trouble = if dice.chance(10) { Trouble::Stall } else { Trouble::Cut };
        let lasts = dice.chance(2);
        proxy.be(Way { trouble: Some((trouble, sender, at)), lasts, ..Way::default() });
        let started = std::time::Instant::now();
        let line = format!("line {seed}");
        let said = through.commit(&cx(), &on_main(), add_line("log", &line)).await;
        proxy.be(Way::default());
        settle(&server).await;
        let case = format!("GITOPS_FAULT_SEED={seed}: {trouble:?} {sender:?} {at} lasts {lasts}");
        let there = times(&repo, &line);
        // It neither waits for ever, nor asks for ever.
        assert!(started.elapsed() < Duration::from_secs(25), "{case}: {:?}", started.elapsed());
        match said {
            Ok(done) => {
                assert_eq!(there, 1, "{case}");
                let commit = done.written().unwrap().commit.id;
                git(&repo.bare(), &["merge-base", "--is-ancestor", &commit, "main"]);
                landed += 1;
            }
            Err(fault) if fault.class == Class::OutcomeUnknown => {
                let WriteError::OutcomeUnknown { commit, .. } = error::<()>(Err(fault)) else {
                    panic!("{case}")
                };
                assert!(there <= 1, "{case}");
                let asked = through.has_landed(&cx(), "main", &Revision::new(commit)).await;
                assert_eq!(asked.unwrap_or_else(|fault| panic!("{case}: {fault}")), there == 1, "{case}");
                open += 1;
            }
            Err(fault) => {
                assert_eq!(there, 0, "{case}: {fault}");
                assert!(fault.is_transient(), "{case}: {fault}");
                not += 1;
            }
        }
        // It goes on.
        written(through.commit(&cx(), &on_main(), add_line("log", &format!("after {seed}"))).await);
    }
    println!("{landed} have landed, {not} have not, of {open} nobody knew");
    written(other.commit(&cx(), &on_main(), add_line("log", "for others, too")).await);
    fsck(&repo);
}

#[tokio::test]
async fn somebody_who_comes_between_hides_nothing() {
    let repo = Repo::with(&[("log", "")]);
    let server = served(&repo);
    let proxy = Proxy::to(server.port());
    let through = writer(&repo, proxy.port());
    let other = http(&server.url(), &repo.root().join("other")).build().unwrap().writer(ada());
    written(through.commit(&cx(), &on_main(), add_line("log", "first")).await);
    proxy.be(Way::default());
    written(through.commit(&cx(), &on_main(), add_line("log", "second")).await);
    let (_, from_server) = proxy.carried();
    // The verdict is lost, and before it is asked for, somebody pushes on top.
    proxy.be(Way {
        trouble: Some((Trouble::Cut, Sender::Server, from_server - 20)),
        lasts: true,
        ..Way::default()
    });
    let work = tokio::spawn(async move {
        through.with_attempts(8).commit(&cx(), &on_main(), add_line("log", "ours")).await
    });
    while times(&repo, "ours") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    written(other.commit(&cx(), &on_main(), add_line("log", "theirs")).await);
    proxy.be(Way::default());
    let done = written(work.await.unwrap());
    assert_eq!((times(&repo, "ours"), times(&repo, "theirs")), (1, 1));
    assert_eq!(crate::scene::rev(&repo, "main^"), done.commit.id);
}
