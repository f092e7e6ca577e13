//! New branches, and dry runs.

use gitops_git::GitSource;
use gitops_git::write::{CommitRequest, Identity, Message, Outcome, Target, WriteError};

use crate::common::{Repo, cx, git};
use crate::scene::{ada, error, fsck, local, on_main, put, rev, written};
use crate::servers::served;

#[tokio::test]
async fn a_new_branch_comes_after_another() {
    let repo = Repo::with(&[("a", "1\n")]);
    let writer = local(&repo);
    let target = Target::new_branch("update/shop", "main");
    let done = written(writer.commit(&cx(), &CommitRequest::new(target.clone()), put("a", "2\n")).await);
    assert_eq!(done.reference, "refs/heads/update/shop");
    assert_eq!((rev(&repo, "main"), rev(&repo, "update/shop^")), (repo.head(), repo.head()));

    let again = CommitRequest::new(target.clone());
    let exists = error(writer.commit(&cx(), &again, put("a", "3\n")).await);
    assert!(matches!(exists, WriteError::BranchExists { .. }), "{exists}");

    let append = CommitRequest::new(target.clone().or_append());
    written(writer.commit(&cx(), &append, put("b", "3\n")).await);
    assert_eq!(git(&repo.bare(), &["rev-list", "--count", "main..update/shop"]), "2");

    let main = repo.commit("meanwhile", &[("c", "4\n")]);
    let replace = CommitRequest::new(target.or_replace());
    let done = written(writer.commit(&cx(), &replace, put("a", "5\n")).await);
    assert_eq!((rev(&repo, "update/shop"), rev(&repo, "update/shop^")), (done.commit.id.clone(), main));
    // What would be the same is left as it is.
    let same = writer.commit(&cx(), &replace, put("a", "5\n")).await.unwrap();
    let Outcome::Unchanged { tip } = same else { panic!("{same:?}") };
    assert_eq!(tip, done.commit);
    // Somebody else, or another text, is not the same.
    let replacing = |n| replace.clone().with_message(Message::new(&format!("because of {n}")).unwrap());
    let first = written(writer.commit(&cx(), &replacing(1), put("a", "5\n")).await);
    assert_eq!(rev(&repo, "update/shop"), first.commit.id);
    written(writer.commit(&cx(), &replacing(2), put("a", "5\n")).await);
    let eve = writer.clone().with_committer(Identity::new("Eve", "eve@example.org").unwrap());
    let eves = written(eve.commit(&cx(), &replacing(2), put("a", "5\n")).await);
    let same = eve.commit(&cx(), &replacing(2), put("a", "5\n")).await.unwrap();
    assert!(matches!(same, Outcome::Unchanged { tip } if tip == eves.commit));
    fsck(&repo);
}

#[tokio::test]
async fn a_dry_run_shows_the_commit_and_leaves_nothing() {
    let repo = Repo::with(&[("a", "1\n2\n3\n4\n5\n6\n7\n8\n"), ("gone", "x"), ("bin", "\0\u{1}")]);
    let server = served(&repo);
    // Who may not push may still see what would be pushed.
    server.behave(|b| {
        b.status = Some(("403 Forbidden", vec![]));
        b.status_at = Some("receive-pack".into());
    });
    let source: GitSource = crate::common::http(&server.url(), &repo.mirrors()).build().unwrap();
    let edit = |files: &mut gitops_git::write::Files<'_>| {
        let path = crate::common::path;
        files.write(&path("a"), "1\n2\n3\n4\nfive\n6\n7\n8")?;
        files.write(&path("new/file"), "x\n")?;
        files.write(&path("bin"), "\0\u{2}")?;
        files.remove(&path("gone")).map(drop)
    };
    let done = written(source.writer(ada()).commit(&cx(), &on_main().dry_run(), edit).await);
    assert!(!done.pushed);
    assert_eq!(rev(&repo, "main"), repo.head());
    assert!(is_missing(&repo, &done.commit.id));

    // The same by hand, and Git's words for it.
    let work = repo.work();
    std::fs::write(work.join("a"), "1\n2\n3\n4\nfive\n6\n7\n8").unwrap();
    std::fs::create_dir_all(work.join("new")).unwrap();
    std::fs::write(work.join("new/file"), "x\n").unwrap();
    std::fs::write(work.join("bin"), "\0\u{2}").unwrap();
    std::fs::remove_file(work.join("gone")).unwrap();
    repo.git(&["add", "--all"]);
    let theirs = repo.git(&["-c", "core.abbrev=40", "diff", "--cached", "--no-renames", "HEAD"]);
    let theirs: Vec<_> = theirs.lines().filter(|line| !line.starts_with("index ")).collect();
    let ours = done.diff.unwrap();
    assert_eq!(ours.lines().collect::<Vec<_>>(), theirs);

    let mirrors: Vec<_> = crate::common::dirs(&repo.mirrors());
    let found =
        mirrors.iter().flat_map(|dir| crate::common::dirs(dir)).filter(|dir| dir.extension().is_some());
    for mirror in found.filter(|dir| dir.extension().unwrap() == "git") {
        assert!(git(&mirror, &["cat-file", "--batch-check", "--batch-all-objects"]).lines().count() > 0);
        let loose = git(&mirror, &["count-objects"]);
        assert!(loose.starts_with("0 objects"), "{loose}");
    }
}

/// Whether an object is in no repository of the server's.
fn is_missing(repo: &Repo, id: &str) -> bool {
    crate::common::repo::git_bytes(&repo.bare(), &[], &["cat-file", "-e", id], b"").is_err()
}
