//! One image update: from the call to the pushed commit, beside the parts that it is made of, and beside a clone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use gitops_core::{Cx, Fault, RepoPath};
use gitops_git::GitSource;
use gitops_git::write::{CommitRequest, Files, Identity, SetImage, Target, Written};
use gix::progress::Discard;
use gix::remote::Direction;
use gix::remote::ref_map::Options;

use crate::median;
use crate::report::Report;
use crate::server::{Repo, Server, repo};
use crate::workload;

const FILES: usize = 10_000;
const PATH: &str = "apps/shop";

fn marked(tag: usize) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web, namespace: shop}}\ndata:\n  image: web:{tag} # {{\"$imagepolicy\": \"shop:web\"}}\n"
    )
}

pub(crate) async fn updating(rounds: usize, report: &mut Report) -> Result<()> {
    let repo = workload::repository(FILES)?;
    let dir = repo.work().join(PATH);
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("web.yaml"), marked(0))?;
    repo.commit_all("the shop");
    repo::git(&repo.bare(), &["gc", "--quiet"]);
    repo::git(&repo.bare(), &["config", "http.receivepack", "true"]);
    let server = Server::start(repo.root());
    let floor = repo.root().join("floor.git");
    repo::git(repo.root(), &["clone", "--quiet", "--bare", &repo.bare().display().to_string(), "floor.git"]);
    let mirrors = |name: &str| repo.root().join(name);
    let by_http = GitSource::builder(server.url()).allow_http().allow_loopback().with_branch("main");
    let writer =
        by_http.with_mirror_dir(mirrors("ours")).build()?.writer(Identity::new("CI", "ci@example.org")?);
    let by_path = GitSource::builder(repo.bare().display().to_string()).allow_local().with_branch("main");
    let people =
        by_path.with_mirror_dir(mirrors("people")).build()?.writer(Identity::new("Ada", "ada@example.org")?);
    let cx = || Cx::with_timeout(Duration::from_secs(60));
    let request = CommitRequest::new(Target::branch("main"));

    let (mut ours, mut floors, mut clones) = (Vec::new(), Vec::new(), Vec::new());
    let (mut beside_floor, mut beside_clone) = (Vec::new(), Vec::new());
    for round in 1..=rounds + 1 {
        // Somebody was there since the last time, so that there is something to fetch.
        let path = RepoPath::new(&format!("{}/object-{}.yaml", workload::directory(round), round))?;
        let edit = move |files: &mut Files<'_>| -> Result<(), Fault> {
            files.write(
                &path,
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{n: \"{round}\"}}\n"),
            )
        };
        people.commit(&cx(), &request, edit).await?;

        let (url, into) = (server.url(), floor.clone());
        let begun = Instant::now();
        tokio::task::spawn_blocking(move || fetch(&url, &into)).await??;
        let fetching = begun.elapsed().as_secs_f64() * 1e3;

        let edit = SetImage::new(RepoPath::new(PATH)?, "shop:web".parse()?, format!("web:{round}").parse()?);
        let begun = Instant::now();
        let done = writer.commit(&cx(), &request, edit).await?;
        let time = begun.elapsed().as_secs_f64() * 1e3;
        let written = done.written().context("nothing was written")?;
        ensure!(repo::git(&repo.bare(), &["rev-parse", "main"]) == written.commit.id, "it has not landed");

        let receiving = receive(&repo, &written)?;
        let cloning = clone(&server.url(), &repo.root().join(format!("clone-{round}")), round)?;
        // The first one fetches everything.
        if round > 1 {
            ours.push(time);
            floors.push(fetching + receiving);
            clones.push(cloning);
            beside_floor.push(time / (fetching + receiving));
            beside_clone.push(time / cloning);
        }
    }
    report.told(format!("an image update in {FILES} files"), median(ours), "ms");
    report.told("gix alone fetching what is new, and the server's receive-pack", median(floors), "ms");
    report.told("git clone --depth 1, an edit, commit, push", median(clones), "ms");
    report.limited(
        "the update beside fetch and receive-pack (median of the pairs)",
        median(beside_floor),
        "x",
        3.0,
    );
    report.limited("the update beside clone and push (median of the pairs)", median(beside_clone), "x", 0.2);
    Ok(())
}

/// What gix does by itself to fetch a branch into a repository that lacks one commit of it.
fn fetch(url: &str, into: &Path) -> Result<()> {
    let repo = gix::open(into)?;
    let remote =
        repo.remote_at(url)?.with_refspecs(["+refs/heads/main:refs/heads/main"], Direction::Fetch)?;
    let connection = remote.connect(Direction::Fetch)?;
    let prepared = connection.prepare_fetch(Discard, Options::default())?;
    prepared.receive(Discard, &AtomicBool::new(false))?;
    Ok(())
}

/// How long `git receive-pack` takes for a commit: the one that was just made, pushed again to another branch.
fn receive(repo: &Repo, written: &Written) -> Result<f64> {
    let (bare, new, old) = (repo.bare(), &written.commit.id, &written.parent.id);
    repo::git(&bare, &["update-ref", "refs/heads/again", old]);
    let wanted = format!("{new}\n^{old}\n");
    let pack = repo::git_bytes(&bare, &[], &["pack-objects", "--revs", "--stdout", "-q"], wanted.as_bytes());
    let pack = pack.map_err(anyhow::Error::msg)?;
    let line = format!("{old} {new} refs/heads/again\0 report-status\n");
    let begun = Instant::now();
    let mut server = Command::new(repo::program())
        .args(["receive-pack", "--stateless-rpc"])
        .arg(&bare)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = server.stdin.take().context("a pipe that was asked for is missing")?;
    write!(input, "{:04x}{line}0000", line.len() + 4)?;
    input.write_all(&pack)?;
    drop(input);
    let output = server.wait_with_output()?;
    let time = begun.elapsed().as_secs_f64() * 1e3;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(said.contains("ok refs/heads/again"), "{said}");
    repo::git(&bare, &["update-ref", "-d", "refs/heads/again"]);
    Ok(time)
}

/// What a script in CI does.
fn clone(url: &str, into: &Path, round: usize) -> Result<f64> {
    let begun = Instant::now();
    let parent = into.parent().context("it has no parent")?;
    let name = into.file_name().context("it has no name")?.to_string_lossy().into_owned();
    repo::git(parent, &["clone", "--quiet", "--depth", "1", "--branch", "main", url, &name]);
    let file = into.join(PATH).join("web.yaml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace(&format!("web:{round} "), &format!("web:{round}-by-script ")))?;
    repo::git(into, &["commit", "--quiet", "--all", "--message", "update"]);
    repo::git(into, &["push", "--quiet", "origin", "main"]);
    let time = begun.elapsed().as_secs_f64() * 1e3;
    std::fs::remove_dir_all(into)?;
    Ok(time)
}
