//! A long history is read in little memory. By itself in its process, whose memory is measured.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::fmt::Write as _;

use common::repo::{git, git_with};
use common::{cx, local, path};
use gitops_core::{RefSpec, Source as _};
use gitops_git::HistoryOptions;

const COMMITS: usize = 20_000;

/// What a message is made of: all of them together are 40 MB.
const FILLER: usize = 2000;

/// The memory of this process that is its own, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// A line of commits with a branch now and then; every tenth touches `apps`.
fn stream() -> String {
    let mut text = String::from("reset refs/heads/main\n");
    let filler = "x".repeat(FILLER);
    for at in 1..=COMMITS {
        let date = 1_600_000_000 + at;
        let message = format!("commit {at}\n\n{filler}");
        writeln!(text, "commit refs/heads/main\nmark :{at}").unwrap();
        writeln!(text, "committer Ben <ben@example.org> {date} +0000\ndata {}\n{message}", message.len())
            .unwrap();
        if at > 1 {
            writeln!(text, "from :{}", at - 1).unwrap();
        }
        if at > 60 && at % 50 == 0 {
            writeln!(text, "merge :{}", at - 20).unwrap();
        }
        let file = if at % 10 == 0 { "apps/a.yaml" } else { "other/b" };
        let content = format!("{at}\n");
        writeln!(text, "M 100644 inline {file}\ndata {}\n{content}", content.len()).unwrap();
    }
    text
}

#[tokio::test]
async fn twenty_thousand_commits_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "repo.git"]);
    let bare = dir.path().join("repo.git");
    git_with(&bare, &["fast-import", "--quiet"], stream().as_bytes());
    let source = local(&bare, &dir.path().join("mirrors")).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    drop(source.fetch(&cx(), &revision).await.unwrap());

    let apps = || HistoryOptions::new().with_path(path("apps"));
    for (options, args, wanted) in [
        (HistoryOptions::new(), vec![], COMMITS),
        (apps(), vec!["--", "apps"], COMMITS / 10),
        (apps().with_first_parent(true), vec!["--first-parent", "--", "apps"], COMMITS / 10),
    ] {
        let mut history = source.history(&cx(), &revision, options).await.unwrap();
        let (mut ids, mut before, mut most) = (String::new(), 0, 0);
        let mut count = 0;
        while let Some(commit) = history.next(&cx()).await.unwrap() {
            writeln!(ids, "{}", commit.id).unwrap();
            count += 1;
            // What is needed at all is there after some commits.
            if count == wanted / 20 {
                before = memory();
            } else if count > wanted / 20 && count % 50 == 0 {
                most = most.max(memory().saturating_sub(before));
            }
        }
        assert_eq!(count, wanted);
        let log = ["log", "--format=%H", "main"];
        assert_eq!(ids.trim_end(), git(&bare, &[&log[..], &args].concat()));
        println!("{args:?}: {count} commits, {} kB more than after the first of them", most / 1024);
        // The ids of all commits, here and in the walk, and what the allocator keeps; of 40 MB of messages.
        assert!(most < 10 << 20, "{args:?}: {most} bytes");
    }
}
