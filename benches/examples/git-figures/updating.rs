//! One image update: from the call to the pushed commit, beside the parts that it is made of, and beside a clone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use gitops_core::{Cx, Fault, RepoPath};
use gitops_git::GitSource;
use gitops_git::write::{CommitRequest, Files, GitWriter, Identity, SetImage, Target, Written};
use gix::progress::Discard;
use gix::remote::Direction;
use gix::remote::ref_map::Options;

use crate::median;
use crate::report::Report;
use crate::server::{Repo, Server, repo};
use crate::workload;

const FILES: usize = 10_000;
const PATH: &str = "apps/shop";

fn marked(tag: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web, namespace: shop}}\ndata:\n  image: web:{tag} # {{\"$imagepolicy\": \"shop:web\"}}\n"
    )
}

/// Where the marker is looked for, and by whom.
struct Way {
    name: &'static str,
    path: &'static str,
    /// By a writer that has not looked there before.
    is_first: bool,
    times: Vec<f64>,
    beside_floor: Vec<f64>,
    beside_clone: Vec<f64>,
}

impl Way {
    fn new(name: &'static str, path: &'static str, is_first: bool) -> Self {
        let [times, beside_floor, beside_clone] = [const { Vec::new() }; 3];
        Self { name, path, is_first, times, beside_floor, beside_clone }
    }
}

pub(crate) async fn updating(rounds: usize, report: &mut Report) -> Result<()> {
    let repo = workload::repository(FILES)?;
    let dir = repo.work().join(PATH);
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("web.yaml"), marked("0"))?;
    repo.commit_all("the shop");
    repo::git(&repo.bare(), &["gc", "--quiet"]);
    repo::git(&repo.bare(), &["config", "http.receivepack", "true"]);
    let server = Server::start(repo.root());
    let floor = repo.root().join("floor.git");
    repo::git(repo.root(), &["clone", "--quiet", "--bare", &repo.bare().display().to_string(), "floor.git"]);
    let mirrors = |name: &str| repo.root().join(name);
    let by_http = GitSource::builder(server.url()).allow_http().allow_loopback().with_branch("main");
    let source = by_http.with_mirror_dir(mirrors("ours")).build()?;
    let ours = Identity::new("CI", "ci@example.org")?;
    let writer = source.writer(ours.clone());
    let by_path = GitSource::builder(repo.bare().display().to_string()).allow_local().with_branch("main");
    let people =
        by_path.with_mirror_dir(mirrors("people")).build()?.writer(Identity::new("Ada", "ada@example.org")?);

    let mut ways = [
        Way::new("an image update in 10000 files, below the application's path", PATH, false),
        Way::new("the same, the marker looked for in all files", "", false),
        Way::new("the same, for the first time", "", true),
    ];
    let (mut floors, mut clones) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let mut clone_time = None;
        for (nth, way) in ways.iter_mut().enumerate() {
            // Somebody was there since the last time, so that there is something to fetch.
            somebody_else(&people, round * 3 + nth).await?;
            let (url, into) = (server.url(), floor.clone());
            let begun = Instant::now();
            tokio::task::spawn_blocking(move || fetch(&url, &into)).await??;
            let fetching = begun.elapsed().as_secs_f64() * 1e3;

            let tag = format!("{round}.{nth}");
            let image = format!("web:{tag}").parse()?;
            let edit = SetImage::new(RepoPath::new(way.path)?, "shop:web".parse()?, image);
            let writer = if way.is_first { source.writer(ours.clone()) } else { writer.clone() };
            let begun = Instant::now();
            let done = writer.commit(&cx(), &on_main(), edit).await?;
            let time = begun.elapsed().as_secs_f64() * 1e3;
            let written = done.written().context("nothing was written")?;
            ensure!(
                repo::git(&repo.bare(), &["rev-parse", "main"]) == written.commit.id,
                "it has not landed"
            );

            let floor = fetching + receive(&repo, &written)?;
            let cloning = match clone_time {
                Some(time) => time,
                None => clone(&server.url(), &repo.root().join(format!("clone-{round}")), &tag)?,
            };
            clone_time = Some(cloning);
            // The first one fetches everything.
            if round > 0 {
                way.times.push(time);
                way.beside_floor.push(time / floor);
                way.beside_clone.push(time / cloning);
                floors.push(floor);
                clones.push(cloning);
            }
        }
    }
    report.told("gix alone fetching what is new, and the server's receive-pack", median(floors), "ms");
    report.told("git clone --depth 1, an edit, commit, push", median(clones), "ms");
    for way in ways {
        report.told(way.name, median(way.times), "ms");
        report.limited(
            "  beside fetch and receive-pack (median of the pairs)",
            median(way.beside_floor),
            "x",
            3.0,
        );
        report.limited("  beside clone and push (median of the pairs)", median(way.beside_clone), "x", 0.2);
    }
    Ok(())
}

fn cx() -> Cx {
    Cx::with_timeout(Duration::from_secs(60))
}

fn on_main() -> CommitRequest {
    CommitRequest::new(Target::branch("main"))
}

async fn somebody_else(writer: &GitWriter, nth: usize) -> Result<()> {
    let path = RepoPath::new(&format!("{}/object-{nth}.yaml", workload::directory(nth)))?;
    let edit = move |files: &mut Files<'_>| -> Result<(), Fault> {
        files.write(
            &path,
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{n: \"{nth}\"}}\n"),
        )
    };
    writer.commit(&cx(), &on_main(), edit).await?;
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
fn clone(url: &str, into: &Path, tag: &str) -> Result<f64> {
    let begun = Instant::now();
    let parent = into.parent().context("it has no parent")?;
    let name = into.file_name().context("it has no name")?.to_string_lossy().into_owned();
    repo::git(parent, &["clone", "--quiet", "--depth", "1", "--branch", "main", url, &name]);
    let file = into.join(PATH).join("web.yaml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace(&format!("web:{tag} "), &format!("web:{tag}-by-script ")))?;
    repo::git(into, &["commit", "--quiet", "--all", "--message", "update"]);
    repo::git(into, &["push", "--quiet", "origin", "main"]);
    let time = begun.elapsed().as_secs_f64() * 1e3;
    std::fs::remove_dir_all(into)?;
    Ok(time)
}
