//! Many writers on one branch, each a process of its own.
//!
//! `GITOPS_WRITE_PROCESSES` and `GITOPS_WRITE_EDITS` say how many there are, and how many edits each of them makes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gitops_core::{Class, Cx, Fault};
use gitops_git::write::{Files, GitWriter};

use crate::common::{Repo, git, http, local, path};
use crate::scene::{ada, fsck, on_main, show};
use crate::servers::served;

const FROM: &str = "GITOPS_WRITE_CHILD_FROM";
const MIRRORS: &str = "GITOPS_WRITE_CHILD_MIRRORS";
const NAME: &str = "GITOPS_WRITE_CHILD_NAME";
const EDITS: &str = "GITOPS_WRITE_EDITS";

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// Makes its edits, and says what it was told of each.
async fn work(from: &str) {
    let mirrors = PathBuf::from(std::env::var_os(MIRRORS).unwrap());
    let name = std::env::var(NAME).unwrap();
    let builder = if from.starts_with('/') { local(from.as_ref(), &mirrors) } else { http(from, &mirrors) };
    let writer: GitWriter = builder.build().unwrap().writer(ada());
    for nth in 0..number(EDITS, 5) {
        let line = format!("{name}-{nth}");
        let text = line.clone();
        let edit = move |files: &mut Files<'_>| -> Result<(), Fault> {
            let mut log = files.read(&path("log"))?.unwrap();
            log.extend_from_slice(format!("{text}\n").as_bytes());
            files.write(&path("log"), log)?;
            let count = String::from_utf8(files.read(&path("count"))?.unwrap()).unwrap();
            let count: usize = count.trim().parse().unwrap();
            files.write(&path("count"), format!("{}\n", count + 1))
        };
        let cx = Cx::with_timeout(std::time::Duration::from_secs(120));
        let said = match writer.commit(&cx, &on_main(), edit).await {
            Ok(outcome) => format!("landed {line} {}", outcome.written().unwrap().commit.id),
            Err(fault) if fault.class == Class::RETRY => format!("lost {line} {fault}"),
            Err(fault) => format!("failed {line} {fault}"),
        };
        // A line of its own: the test harness does not end its lines.
        println!("\n{said}");
        std::io::stdout().flush().unwrap();
    }
}

fn run(processes: usize, edits: usize) {
    let repo = Repo::with(&[("log", ""), ("count", "0\n"), ("apps/shop/a.yaml", "a: 1\n")]);
    let server = served(&repo);
    let children: Vec<_> = (0..processes)
        .map(|nth| {
            let from = if nth % 2 == 0 { server.url() } else { repo.bare().to_str().unwrap().to_owned() };
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture", "races::many_writers_on_one_branch"])
                .env(FROM, from)
                .env(MIRRORS, repo.root().join(format!("mirrors-{nth}")))
                .env(NAME, format!("writer{nth}"))
                .env(EDITS, edits.to_string())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let (mut landed, mut lost) = (BTreeMap::new(), Vec::new());
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success());
        for line in String::from_utf8(done.stdout).unwrap().lines() {
            match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
                ["landed", line, commit] => drop(landed.insert(line.to_owned(), commit.to_owned())),
                ["lost", line, _] => lost.push(line.to_owned()),
                ["failed", ..] => panic!("{line}"),
                _ => {}
            }
        }
    }
    println!("{} edits have landed, {} have not", landed.len(), lost.len());
    assert_eq!(landed.len() + lost.len(), processes * edits, "each edit is told of");
    // On two cores, all but one in fifty do.
    assert!(landed.len() * 10 >= processes * edits * 8, "{} of {}", landed.len(), processes * edits);
    let log = show(&repo, "main:log");
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, landed.keys().map(String::as_str).collect::<Vec<_>>(), "each landed exactly once");
    assert_eq!(show(&repo, "main:count"), landed.len().to_string());
    let commits = git(&repo.bare(), &["rev-list", "main"]);
    let mut commits: Vec<_> = commits.lines().collect();
    commits.pop();
    commits.sort_unstable();
    let mut told: Vec<_> = landed.values().map(String::as_str).collect();
    told.sort_unstable();
    assert_eq!(commits, told, "each is the commit that was told");
    fsck(&repo);
}

#[tokio::test]
async fn many_writers_on_one_branch() {
    if let Ok(from) = std::env::var(FROM) {
        return work(&from).await;
    }
    run(number("GITOPS_WRITE_PROCESSES", 4), number(EDITS, 5));
}

#[tokio::test]
#[ignore = "takes half a minute: see CONTRIBUTING.md"]
async fn twenty_writers_with_five_hundred_edits() {
    run(20, 25);
}
