//! Races with other writers.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use gitops_core::{Backoff, Class};
use gitops_git::write::{Files, WriteError};

use crate::common::repo::git_with;
use crate::common::{Repo, cx, git, path};
use crate::scene::{error, fsck, local, on_main, put, rev, show, written};
use crate::servers::{over_http, served};

fn soon() -> Backoff {
    let mut backoff = Backoff::default();
    backoff.base = Duration::from_millis(1);
    backoff
}

/// An edit that somebody else is faster than, so many times.
fn overtaken(
    repo: &Arc<Repo>,
    times: u32,
) -> (impl Fn(&mut Files<'_>) -> Result<(), gitops_core::Fault> + Send + Sync + use<>, Arc<AtomicU32>) {
    let (repo, made) = (repo.clone(), Arc::new(AtomicU32::new(0)));
    let count = made.clone();
    let edit = move |files: &mut Files<'_>| {
        let text = String::from_utf8(files.read(&path("count"))?.unwrap()).unwrap();
        let next = text.trim().parse::<u32>().unwrap() + 1;
        let so_far = count.fetch_add(1, Ordering::SeqCst);
        if so_far < times {
            repo.commit("somebody else", &[("count", &format!("{}\n", (so_far + 1) * 100))]);
        }
        files.write(&path("count"), format!("{next}\n"))
    };
    (edit, made)
}

#[tokio::test]
async fn after_a_lost_race_the_edit_is_made_again_on_the_new_tip() {
    let repo = Arc::new(Repo::with(&[("count", "0\n")]));
    let server = served(&repo);
    for writer in [local(&repo), over_http(&repo, &server)] {
        let (edit, made) = overtaken(&repo, 2);
        let done = written(writer.with_backoff(soon()).commit(&cx(), &on_main(), edit).await);
        assert_eq!((done.attempts, made.load(Ordering::SeqCst)), (3, 3));
        // What the others wrote, and one more; nothing is undone.
        assert_eq!(show(&repo, "main:count"), "201");
        assert_eq!(rev(&repo, "main^"), repo.head());
        fsck(&repo);
        repo.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    }
}

#[tokio::test]
async fn who_always_loses_hears_that_nothing_landed() {
    let repo = Arc::new(Repo::with(&[("count", "0\n")]));
    let (edit, made) = overtaken(&repo, u32::MAX);
    let writer = local(&repo).with_attempts(3).with_backoff(soon());
    let lost = error(writer.commit(&cx(), &on_main(), edit).await);
    let WriteError::NotLanded { attempts, .. } = &lost else { panic!("{lost}") };
    assert_eq!((*attempts, made.load(Ordering::SeqCst), lost.class()), (3, 3, Class::RETRY));
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
async fn an_edit_that_somebody_else_made_is_no_second_commit() {
    let repo = Arc::new(Repo::with(&[("image", "1\n")]));
    let other = repo.clone();
    let edit = move |files: &mut Files<'_>| {
        if files.read(&path("image"))?.as_deref() == Some(b"1\n") {
            other.commit("the same", &[("image", "2\n")]);
        }
        files.write(&path("image"), "2\n")
    };
    let done = local(&repo).with_backoff(soon()).commit(&cx(), &on_main(), edit).await.unwrap();
    assert!(done.written().is_none());
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[test]
fn who_never_catches_up_with_a_branch_hears_that_nothing_landed() {
    const COMMITS: usize = 4_000;
    let repo = Repo::with(&[("a", "1\n")]);
    let mut stream = String::new();
    for n in 0..COMMITS {
        let from = if n == 0 { "from refs/heads/main^0\n" } else { "" };
        let who = format!("Ben <ben@example.org> {} +0000", 1_700_000_000 + n);
        write!(stream, "commit refs/heads/next\nmark :{}\ncommitter {who}\ndata 0\n\n{from}\n", n + 1)
            .unwrap();
    }
    let import = ["fast-import", "--quiet", "--export-marks=marks"];
    git_with(&repo.bare(), &import, stream.as_bytes());
    git(&repo.bare(), &["update-ref", "-d", "refs/heads/next"]);
    let marks = std::fs::read_to_string(repo.bare().join("marks")).unwrap();
    let mut ids: Vec<_> = marks.lines().map(|line| line[1..].split_once(' ').unwrap()).collect();
    ids.sort_by_key(|(mark, _)| mark.parse::<usize>().unwrap());

    let writer = local(&repo).with_attempts(3).with_backoff(soon());
    let is_over = AtomicBool::new(false);
    let lost = std::thread::scope(|scope| {
        // It has moved whenever somebody looks again.
        scope.spawn(|| {
            let (new, reference) = (repo.bare().join("new"), repo.bare().join("refs/heads/main"));
            for (_, id) in ids.iter().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                std::fs::write(&new, format!("{id}\n")).unwrap();
                std::fs::rename(&new, &reference).unwrap();
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        let cx = gitops_core::Cx::with_timeout(Duration::from_secs(10));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let done = runtime.block_on(writer.commit(&cx, &on_main(), put("a", "2\n")));
        is_over.store(true, Ordering::Relaxed);
        error(done)
    });
    let WriteError::NotLanded { attempts, .. } = &lost else { panic!("{lost}") };
    assert_eq!((*attempts, lost.class()), (3, Class::RETRY), "{lost}");
    assert_eq!(show(&repo, "main:a"), "1");
}
