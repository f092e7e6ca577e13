//! A reconciler with a trigger, as a server with a webhook is one: it looks at the repository when a line comes in.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use gitops_core::{Application, Reconciler};
use gitops_git::GitSource;
use gitops_kube::{ConnectOptions, KubeTarget, connect};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::APP;

/// Keeps the application as the repository says, prints the reconciler's events, and ends with its input.
pub(crate) async fn follow(repository: &Path, mirror: &Path) -> Result<()> {
    let target = KubeTarget::new(connect(kube::Config::infer().await?, &ConnectOptions::default())?);
    let source = GitSource::builder(repository.display().to_string()).allow_local().with_mirror_dir(mirror);
    let application = Application::builder(APP, source.build()?, target).with_path("apps").build()?;
    let reconciler = Reconciler::builder()
        .with_application(application)
        .with_interval(Duration::from_secs(3600))
        .build()?;
    let mut events = reconciler.subscribe();
    let handle = reconciler.handle();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            println!("{}", serde_json::to_string(&event).unwrap_or_default());
        }
    });
    tokio::spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(_)) = lines.next_line().await {
            let _ = handle.refresh(APP);
        }
        handle.stop();
    });
    reconciler.run().await?;
    Ok(())
}
