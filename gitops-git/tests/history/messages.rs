//! Who, when and why, as `git log` prints them.

use gitops_git::HistoryOptions;

use crate::common::repo::git;
use crate::common::{Repo, cx, local};
use crate::world::all;
use gitops_core::{RefSpec, Source as _};

const MESSAGES: [&str; 9] = [
    "web 1.4.2\n",
    "web 1.4.2",
    "two\nlines \n\nbody\n\nIssue: 7\nReviewed-by: Ada\n  <ada@example.org>\n",
    "\n\n  begins late\n\n\n\nbody\nmore\n\n",
    "no: trailer\n",
    "subject\n\ntext\nSigned-off-by: Ben <ben@example.org>\nmore text\n",
    "subject\n\nKey: value\n\n# comment\n\n",
    "ünï\n \nbödy: x\n",
    "subject\n\nbody\n\nKey : spaced\nOther:\n",
];

#[tokio::test]
async fn commits_say_what_git_says() {
    let repo = Repo::new();
    for (nth, message) in MESSAGES.iter().enumerate() {
        std::fs::write(repo.root().join("message"), message).unwrap();
        repo.git(&["commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "-F", "../message"]);
        assert_eq!(repo.git(&["rev-list", "--count", "HEAD"]), (nth + 1).to_string());
    }
    repo.push();
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    let mut history = source.history(&cx(), &revision, HistoryOptions::new()).await.unwrap();
    let commits = all(&mut history).await;
    assert!(history.is_complete());
    let show = |format: &str, id: &str| git(&repo.work(), &["log", "-1", &format!("--format={format}"), id]);
    for commit in &commits {
        let id = &commit.id;
        assert_eq!(commit.subject(), show("%s", id));
        assert_eq!(commit.body(), show("%b", id).trim_end());
        let trailers: Vec<String> =
            commit.trailers().iter().map(|trailer| format!("{}: {}", trailer.key, trailer.value)).collect();
        // The value of the last one may be empty.
        assert_eq!(
            trailers.join("\n").trim_end(),
            show("%(trailers:only,unfold)", id).trim_end(),
            "{:?}",
            commit.message
        );
        let people = [&commit.author, &commit.committer]
            .map(|actor| format!("{}|{}|{}", actor.name, actor.email, actor.time.unwrap().as_second()));
        assert_eq!(people.join("|"), show("%an|%ae|%at|%cn|%ce|%ct", id));
        assert_eq!(commit.parents.join(" "), show("%P", id));
        assert!(!commit.signed && !commit.boundary);
    }
    let messages: Vec<&str> = commits.iter().rev().map(|commit| &*commit.message).collect();
    assert_eq!(messages, MESSAGES);
}

#[tokio::test]
async fn a_signature_is_seen() {
    let repo = Repo::with(&[("a.yaml", "")]);
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let text = format!(
        "tree {tree}\nauthor A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\ngpgsig -----BEGIN SSH SIGNATURE-----\n x\n \
         -----END SSH SIGNATURE-----\n\nsigned\n"
    );
    let object = ["hash-object", "-t", "commit", "-w", "--stdin"];
    let id = crate::common::repo::git_with(&repo.bare(), &object, text.as_bytes());
    let source = local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let revision = gitops_core::Revision::new(id);
    let mut history = source.history(&cx(), &revision, HistoryOptions::new()).await.unwrap();
    let commits = all(&mut history).await;
    assert!(commits[0].signed && commits[0].subject() == "signed");
}
