//! Reading all manifests of a commit, beside `git checkout`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gitops_core::{Cx, EntryKind, PlainManifests, RefSpec, Render as _, RepoPath, Snapshot, Source as _};
use gitops_git::GitSource;
use rustix::time::{ClockId, clock_gettime};

use crate::median;
use crate::report::Report;
use crate::server::repo;
use crate::workload;

const FILES: usize = 5_000;

pub(crate) async fn reading(rounds: usize, report: &mut Report) -> Result<()> {
    let repo = workload::repository(FILES)?;
    // As a server packs it.
    repo::git(&repo.bare(), &["gc", "--quiet"]);
    let source = GitSource::builder(repo.bare().display().to_string())
        .allow_local()
        .with_mirror_dir(repo.mirrors())
        .with_branch("main")
        .build()?;
    let cx = || Cx::with_timeout(Duration::from_secs(60));
    let revision = source.resolve(&cx(), &RefSpec::Default).await?;
    source.fetch(&cx(), &revision).await?;
    let (mut ours, mut theirs, mut ratios, mut decoding, mut cores) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let into = repo.root().join(format!("checkout-{round}"));
        fs::create_dir(&into)?;
        let begun = Instant::now();
        let work_tree = format!("--work-tree={}", into.display());
        repo::git(&repo.bare(), &[&work_tree, "checkout", "--quiet", "--force", &revision.id, "--", "."]);
        let bytes = read_files(&into)?;
        let by_git = begun.elapsed().as_secs_f64() * 1e3;
        fs::remove_dir_all(&into)?;
        // It leaves what it checked out in the index.
        fs::remove_file(repo.bare().join("index"))?;

        let begun = Instant::now();
        let tree = source.fetch(&cx(), &revision).await?;
        let read = tokio::task::spawn_blocking(move || read_tree(&*tree)).await??;
        let by_us = begun.elapsed().as_secs_f64() * 1e3;
        ensure!(read == bytes, "git has {bytes} bytes, and we {read}");

        let tree = source.fetch(&cx(), &revision).await?;
        let (begun, cpu) = (Instant::now(), cpu());
        let (cx, root) = (cx(), RepoPath::new("")?);
        let all =
            tokio::task::spawn_blocking(move || PlainManifests::new().render(&cx, &*tree, &root)).await??;
        let (time, cpu) = (begun.elapsed().as_secs_f64() * 1e3, (self::cpu() - cpu) * 1e3);
        ensure!(all.len() == FILES, "{} manifests", all.len());
        ours.push(by_us);
        theirs.push(by_git);
        ratios.push(by_us / by_git);
        decoding.push(time);
        cores.push(cpu / time);
    }
    report.told(format!("{FILES} manifests: git checkout, and reading the files"), median(theirs), "ms");
    report.told(format!("{FILES} manifests: reading them from the mirror, on one core"), median(ours), "ms");
    report.limited("reading beside git (median of the pairs)", median(ratios), "x", 1.0 / 3.0);
    report.told("reading and decoding them", median(decoding), "ms");
    report.told("reading and decoding them: cores in use", median(cores), "");
    Ok(())
}

fn cpu() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn read_files(dir: &Path) -> Result<usize> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        bytes += if path.is_dir() { read_files(&path)? } else { fs::read(path)?.len() };
    }
    Ok(bytes)
}

fn read_tree(tree: &dyn Snapshot) -> Result<usize> {
    let (mut bytes, mut left) = (0, vec![RepoPath::new("")?]);
    while let Some(dir) = left.pop() {
        for entry in tree.list(&dir)? {
            let path = dir.join(&entry.name)?;
            match entry.kind {
                EntryKind::Directory => left.push(path),
                _ => bytes += Arc::clone(&tree.read(&path, 1 << 20)?).len(),
            }
        }
    }
    Ok(bytes)
}
