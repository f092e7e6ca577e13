//! Pushes over SSH, to a real server.
#![cfg(feature = "ssh")]

use std::sync::Arc;
use std::time::Duration;

use gitops_core::Class;
use gitops_git::SshKey;
use gitops_git::write::{Files, WriteError};

use crate::common::ssh::{Sshd, Way, make_key};
use crate::common::{Repo, cx, fault, git, path};
use crate::mirror::repository;
use crate::scene::{ada, add_line, error, fsck, on_main, put, rev, show, written};
use crate::servers::hook;

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn a_push_over_ssh() {
    let repo = Arc::new(Repo::with(&[("a", "0\n")]));
    let server = Sshd::default();
    let writer = server.source(&repo).build().unwrap().writer(ada());
    for n in 1..4 {
        let done = written(writer.commit(&cx(), &on_main(), add_line("a", &n.to_string())).await);
        assert_eq!((done.attempts, rev(&repo, "main")), (1, done.commit.id));
    }
    assert_eq!(show(&repo, "main:a"), "0\n1\n2\n3");
    assert!(writer.commit(&cx(), &on_main(), put("a", "0\n1\n2\n3\n")).await.unwrap().written().is_none());

    // Somebody else is faster.
    repo.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    let other = repo.clone();
    let edit = move |files: &mut Files<'_>| {
        if files.read(&path("b"))?.is_none() {
            other.commit("faster", &[("b", "1\n")]);
        }
        files.write(&path("a"), "4\n")
    };
    let done = written(writer.commit(&cx(), &on_main(), edit).await);
    assert_eq!((done.attempts, rev(&repo, "main^")), (2, repo.head()));
    fsck(&repo);
    assert_eq!(server.clients(), 0, "each program has ended");
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn a_verdict_counts_whatever_hooks_do_after_it() {
    let repo = Repo::with(&[("a", "0\n")]);
    hook(&repo, "post-receive", "sleep 6");
    let server = Sshd::default();
    let source = server.source(&repo).with_timeout(Duration::from_secs(2)).build().unwrap();
    let done = written(source.writer(ada()).commit(&cx(), &on_main(), add_line("a", "1")).await);
    assert_eq!((done.attempts, rev(&repo, "main")), (1, done.commit.id.clone()));
    // What the server said itself is kept; what is only found there afterwards is not.
    git(&repository(&repo.mirrors()), &["cat-file", "-e", &done.commit.id]);
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn who_may_not_push_over_ssh_is_denied() {
    let repo = Repo::with(&[("a", "0\n")]);
    let server = Sshd::start("AcceptEnv GIT_PROTOCOL\n");
    let other = server.dir().join("other");
    make_key(&other, "");
    let writer = server.source(&repo).with_credentials(SshKey::new(&other)).build().unwrap().writer(ada());
    assert_eq!(fault(writer.commit(&cx(), &on_main(), put("a", "1")).await).class, Class::Denied);
    // A host that lets its keys only read.
    let server = Sshd::start(
        "ForceCommand case \"$SSH_ORIGINAL_COMMAND\" in git-receive*) echo 'ERROR: Permission denied: read-only key' >&2; exit 1;; *) sh -c \"$SSH_ORIGINAL_COMMAND\";; esac\n",
    );
    let writer = server.source(&repo).build().unwrap().writer(ada());
    assert_eq!(fault(writer.commit(&cx(), &on_main(), put("a", "1")).await).class, Class::Denied);
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
async fn what_became_of_a_push_is_known_wherever_the_connection_breaks() {
    let repo = Repo::with(&[("log", "")]);
    let server = Sshd::default();
    let source = server.source(&repo).with_timeout(Duration::from_secs(5)).build().unwrap();
    let writer = source.writer(ada()).with_attempts(1);
    written(writer.commit(&cx(), &on_main(), add_line("log", "first")).await);
    let before = server.sent();
    written(writer.commit(&cx(), &on_main(), add_line("log", "second")).await);
    let whole = server.sent() - before;
    let (mut landed, mut open) = (0, 0);
    for part in 0..20 {
        // The last bytes are those that count.
        server.behave(Way { cut_after: Some(whole.saturating_sub(part * 90)), stall_after: None });
        let line = format!("cut {part}");
        let said = writer.commit(&cx(), &on_main(), add_line("log", &line)).await;
        server.behave(Way::default());
        let is_there = show(&repo, "main:log").lines().any(|there| there == line);
        match said {
            Ok(done) => {
                assert!(is_there && done.written().is_some());
                landed += 1;
            }
            Err(fault) if fault.class == Class::OutcomeUnknown => {
                let WriteError::OutcomeUnknown { commit, .. } = error::<()>(Err(fault)) else { panic!() };
                let asked = writer.has_landed(&cx(), "main", &gitops_core::Revision::new(commit)).await;
                assert_eq!(asked.unwrap(), is_there);
                open += 1;
            }
            Err(fault) => assert!(!is_there, "{fault}"),
        }
    }
    assert!(landed + open > 0, "{landed} landed, {open} open");
    fsck(&repo);
}
