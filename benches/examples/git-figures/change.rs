//! From a received pack to the manifest that changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gitops_core::{Cx, Manifest, PlainManifests, RefSpec, Render as _, RepoPath, Snapshot, Source as _};
use gitops_git::GitSource;

use crate::counted::{Counted, Counts};
use crate::median;
use crate::report::Report;
use crate::workload;

const FILES: usize = 10_000;

pub(crate) async fn change(rounds: usize, report: &mut Report) -> Result<()> {
    let repo = workload::repository(FILES)?;
    let git = GitSource::builder(repo.bare().display().to_string())
        .allow_local()
        .with_mirror_dir(repo.mirrors())
        .with_branch("main")
        .build()?;
    let counts = Arc::new(Counts::default());
    let source = Counted { source: git, counts: counts.clone() };
    let cx = || Cx::with_timeout(Duration::from_secs(60));
    let render = Arc::new(PlainManifests::new());
    let root = RepoPath::new("")?;
    let (mut times, mut files, mut before) = (Vec::new(), 0, None);
    for round in 0..=rounds {
        let n = round * 7919 % FILES;
        workload::write(&repo, n, round + 1)?;
        repo.commit_all("change");
        let revision = source.resolve(&cx(), &RefSpec::Default).await?;
        // Now the pack is there.
        source.fetch(&cx(), &revision).await?;
        // Git has just been started by this process, and after that each page is copied or claimed when it is first
        // written to, which no engine that reads over the network has: here, where nothing is measured.
        if let Some(before) = before.take() {
            all(&render, before, &root).await?;
        }
        counts.take();
        let begun = Instant::now();
        let tree = source.fetch(&cx(), &revision).await?;
        let manifests = all(&render, tree.clone(), &root).await?;
        let time = begun.elapsed().as_secs_f64() * 1e3;
        ensure!(manifests.len() == FILES, "{} manifests", manifests.len());
        before = Some(tree);
        // The first one reads everything.
        if round > 0 {
            times.push(time);
            files = files.max(counts.take().0);
        }
    }
    let of = format!("of {FILES} files in one application");
    report.limited(
        format!("a changed file {of}: from the pack to all its manifests"),
        median(times),
        "ms",
        10.0,
    );
    report.limited(format!("a changed file {of}: files read"), files as f64, "", 1.0);
    Ok(())
}

async fn all(
    render: &Arc<PlainManifests>,
    tree: Arc<dyn Snapshot>,
    root: &RepoPath,
) -> Result<Vec<Manifest>> {
    let (render, root, cx) = (render.clone(), root.clone(), Cx::with_timeout(Duration::from_secs(60)));
    Ok(tokio::task::spawn_blocking(move || render.render(&cx, &*tree, &root)).await??)
}
