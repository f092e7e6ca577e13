//! From a received pack to the manifest that changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gitops_core::{Cx, PlainManifests, RefSpec, Render as _, RepoPath, Source as _};
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
    let (mut times, mut files) = (Vec::new(), 0);
    for round in 0..=rounds {
        let n = round * 7919 % FILES;
        workload::write(&repo, n, round + 1)?;
        repo.commit_all("change");
        let revision = source.resolve(&cx(), &RefSpec::Default).await?;
        // Now the pack is there.
        source.fetch(&cx(), &revision).await?;
        counts.take();
        let begun = Instant::now();
        let tree = source.fetch(&cx(), &revision).await?;
        let (render, root, cx) = (render.clone(), root.clone(), cx());
        let manifests = tokio::task::spawn_blocking(move || render.render(&cx, &*tree, &root)).await??;
        let time = begun.elapsed().as_secs_f64() * 1e3;
        ensure!(manifests.len() == FILES, "{} manifests", manifests.len());
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
