//! What writing does to the mirror, which others read.

use std::fs;
use std::path::{Path, PathBuf};

use gitops_core::{Class, RefSpec, Source as _};
use gitops_git::write::{CommitRequest, SetImage, Target};

use crate::common::repo::{git_bytes, git_with};
use crate::common::{self, Repo, cx, dirs, local};
use crate::scene::{ada, add_line, fsck, on_main, put, show, written};

/// The repository in use.
pub fn repository(mirrors: &Path) -> PathBuf {
    let found = dirs(mirrors).into_iter().flat_map(|mirror| dirs(&mirror));
    let mut found: Vec<_> = found.filter(|dir| dir.extension().is_some_and(|end| end == "git")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn packs(mirrors: &Path) -> usize {
    let entries = fs::read_dir(repository(mirrors).join("objects/pack")).unwrap();
    entries
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack"))
        .count()
}

#[tokio::test]
async fn who_only_writes_has_few_packs() {
    let repo = Repo::with(&[("log", "")]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let writer = source.writer(ada());
    let mut most = 0;
    for n in 0..120 {
        written(writer.commit(&cx(), &on_main(), add_line("log", &n.to_string())).await);
        most = most.max(packs(&repo.mirrors()));
    }
    assert!((20..60).contains(&most), "{most}");
    assert_eq!(show(&repo, "main:log").lines().count(), 120);
    fsck(&repo);
}

#[tokio::test]
async fn a_mirror_that_cannot_be_read_is_made_anew() {
    const MARKED: &str = "a: web:1 # {\"$imagepolicy\": \"shop:web\"}\n";
    let repo = Repo::with(&[("apps/web.yaml", MARKED)]);
    let writer = local(&repo.bare(), &repo.mirrors()).build().unwrap().writer(ada());
    let edit = |tag: &str| {
        let image = format!("web:{tag}").parse().unwrap();
        SetImage::new(common::path("apps"), "shop:web".parse().unwrap(), image)
    };
    written(writer.commit(&cx(), &on_main(), edit("2")).await);
    // The commit and its trees are there, and the file is not.
    let mirror = repository(&repo.mirrors());
    let all = ["cat-file", "--batch-check=%(objectname) %(objecttype)", "--batch-all-objects"];
    let all = common::git(&mirror, &all);
    let others = all.lines().filter_map(|line| line.split_once(' ').filter(|(_, kind)| *kind != "blob"));
    let others: Vec<_> = others.map(|(id, _)| id).collect();
    let input = others.join("\n") + "\n";
    let pack = git_bytes(&mirror, &[], &["pack-objects", "--stdout", "-q"], input.as_bytes()).unwrap();
    for entry in fs::read_dir(mirror.join("objects/pack")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    git_with(&mirror, &["index-pack", "--stdin"], &pack);

    let first = common::fault(writer.commit(&cx(), &on_main(), edit("3")).await);
    assert_eq!(first.class, Class::RETRY, "{first}");
    written(writer.commit(&cx(), &on_main(), edit("3")).await);
    assert!(show(&repo, "main:apps/web.yaml").contains("web:3"));
}

#[tokio::test]
async fn what_is_built_upon_is_no_news_for_those_who_follow() {
    let repo = Repo::with(&[("a", "1\n")]);
    let source = local(&repo.bare(), &repo.mirrors()).with_branch("main").build().unwrap();
    let sync = async || {
        let head = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
        source.fetch(&cx(), &head).await.unwrap()
    };
    sync().await;
    let writer = source.writer(ada());
    let update = CommitRequest::new(Target::new_branch("update", "main").or_append());
    written(writer.commit(&cx(), &update, put("a", "2\n")).await);
    // Somebody mends the update, which is appended to then.
    repo.git(&["fetch", "--quiet", "origin", "update"]);
    repo.git(&["checkout", "--quiet", "-b", "mended", "FETCH_HEAD"]);
    fs::write(repo.work().join("b"), "1\n").unwrap();
    repo.git(&["add", "b"]);
    repo.git(&["commit", "--quiet", "--message", "mend"]);
    repo.git(&["push", "--quiet", "origin", "mended:update"]);
    repo.git(&["checkout", "--quiet", "main"]);
    written(writer.commit(&cx(), &update, put("a", "3\n")).await);
    repo.commit("main goes on", &[("c", "1\n")]);
    assert_eq!(sync().await.revision().provenance.as_ref().unwrap().rewrote, None);
}
