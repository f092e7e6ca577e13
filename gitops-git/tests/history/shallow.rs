//! Where a repository does not have all parents, that is said.

use gitops_core::Revision;
use gitops_git::{BlameOptions, HistoryOptions};

use crate::common::{Repo, cx, local, path, sync};
use crate::world::all;

fn config(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{a: {value}, b: {value}}}\n")
}

/// Makes the mirror what a shallow fetch would leave.
fn cut(repo: &Repo, commit: &str) {
    let mirror = std::fs::read_dir(repo.mirrors()).unwrap().next().unwrap().unwrap().path();
    let name = std::fs::read_to_string(mirror.join("current")).unwrap();
    std::fs::write(mirror.join(name).join("shallow"), format!("{commit}\n")).unwrap();
}

#[tokio::test]
async fn the_end_of_a_shallow_mirror_is_no_beginning() {
    let repo = Repo::new();
    let first = repo.commit("one", &[("apps/web.yaml", &config("x"))]);
    let second = repo.commit("two", &[("readme", "x")]);
    let third = repo.commit("three", &[("apps/web.yaml", &config("y"))]);
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    drop(sync(&source).await.unwrap());
    let revision = Revision::new(&third);
    let options = || HistoryOptions::new().with_path(path("apps"));
    let mut whole = source.history(&cx(), &revision, options()).await.unwrap();
    let ids = |commits: &[gitops_git::Commit]| commits.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&all(&mut whole).await), [third.clone(), first.clone()]);
    assert!(whole.is_complete());

    cut(&repo, &second);
    let mut cut_off = source.history(&cx(), &revision, options()).await.unwrap();
    let commits = all(&mut cut_off).await;
    assert_eq!(ids(&commits), [third.clone(), second.clone()], "as Git in a shallow clone");
    assert_eq!(commits.iter().map(|commit| commit.boundary).collect::<Vec<_>>(), [false, true]);
    assert!(!cut_off.is_complete());
    assert_eq!(commits[1].parents, std::slice::from_ref(&first), "what the commit itself says");

    let id = gitops_core::ResourceId::global("", "ConfigMap", "web");
    let field = ".data.a".parse().unwrap();
    let at = Revision::new(&second);
    let blame = source.blame(&cx(), &at, &path("apps"), &id, &field, BlameOptions::new()).await.unwrap();
    assert!(blame.unwrap().commit.boundary);

    // Between two commits, the end counts as well.
    let between = options().with_from(&first);
    let mut between = source.history(&cx(), &revision, between).await.unwrap();
    assert_eq!(ids(&all(&mut between).await), [third, second]);
    assert!(!between.is_complete());
}

#[tokio::test]
async fn limits_and_cancellation_end_a_walk() {
    let repo = Repo::new();
    for n in 0..6 {
        repo.commit("more", &[("a", &n.to_string())]);
    }
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let revision = source.fetch_head().await;
    let few = HistoryOptions::new().with_max_commits(4);
    let mut history = source.history(&cx(), &revision, few.clone()).await.unwrap();
    let fault = history.next(&cx()).await.unwrap_err();
    assert!(fault.to_string().contains("more than 4 commits"), "{fault}");
    let between = few.with_from(repo.git(&["rev-parse", "HEAD~5"]));
    let fault = source.history(&cx(), &revision, between).await.unwrap().next(&cx()).await.unwrap_err();
    assert!(fault.to_string().contains("more than 4 commits"), "{fault}");

    let cancelled = cx();
    let mut history = source.history(&cx(), &revision, HistoryOptions::new()).await.unwrap();
    cancelled.cancel.cancel();
    let fault = history.next(&cancelled).await.unwrap_err();
    assert_eq!(fault.class, gitops_core::Class::Cancelled);
    assert_eq!(all(&mut history).await.len(), 6, "nothing is lost by it");

    let unknown = HistoryOptions::new().with_from("12".repeat(20));
    let fault = source.history(&cx(), &revision, unknown).await.unwrap_err();
    assert_eq!(fault.class, gitops_core::Class::NotFound);
}

trait Head {
    async fn fetch_head(&self) -> Revision;
}

impl Head for gitops_git::GitSource {
    async fn fetch_head(&self) -> Revision {
        sync(self).await.unwrap().revision().clone()
    }
}
