//! Two repositories: developers commit to the application's; CI builds an image, pushes it to a registry, and ends with a commit to
//! the configuration's; and a reconciler that only reads that one deploys it. CI has no credentials of the cluster, and the
//! reconciler none of CI. The way back from a release that does not work is a commit, too.
//!
//! The repositories are real, and so is the registry; the cluster is in memory. Exits with 1 if something is not observed.

mod ci;
mod config;
#[path = "../quickstart/repository.rs"]
#[allow(dead_code, reason = "the way back is another here")]
mod repository;
#[path = "../quickstart/rollout.rs"]
mod rollout;
mod screen;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use gitops_core::{
    Application, EventKind, EventStream, MemoryCluster, MemoryTarget, Reconciler, ResourceId, Revision,
};
use gitops_image::testing::Registry;
use gitops_kube::health::BuiltInHealth;
use serde_json::json;

use crate::ci::Ci;
use crate::config::Configuration;
use crate::repository::Repository;
use crate::screen::{Output, Screen};

const APP: &str = "shop";

/// From a commit of a developer to a Healthy deployment, by way of an image and another commit.
#[derive(Debug, Parser)]
struct Args {
    /// How to print what happens: for people, or as JSON, one step on each line.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// How long to wait for each deployment, in seconds.
    #[arg(long, default_value_t = 20)]
    patience: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // The libraries leave the choice of the TLS provider to the program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match play(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen::complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn play(args: &Args) -> anyhow::Result<()> {
    let screen = Screen::new(args.output);
    let folder = tempfile::tempdir()?;
    let registry = Registry::start().await?;
    let code = Repository::create(&folder.path().join("shop"))?;
    let config = Configuration::create(folder.path(), &registry.host())?;
    let ci = Ci::new(&registry.host(), &config.source("ci")?)?;

    let cluster = MemoryCluster::new();
    let target = MemoryTarget::new(cluster.clone()).with_health_rule(BuiltInHealth);
    let app = Application::builder(APP, config.source("reconciler")?, target).with_path(config::PATH);
    // An hour between two polls: it is the webhook of the configuration repository that brings each commit.
    let reconciler = Reconciler::builder().with_application(app.build()?);
    let reconciler = Arc::new(reconciler.with_interval(Duration::from_secs(3600)).build()?);
    let mut watch = Watch {
        events: reconciler.subscribe(),
        patience: Duration::from_secs(args.patience),
        cluster: cluster.clone(),
    };
    let handle = reconciler.handle();
    let controller = tokio::spawn(rollout::run(cluster));
    let running = reconciler.clone();
    let engine = tokio::spawn(async move { running.run().await });

    let first = config.head()?;
    watch.until_healthy(&first).await?;
    screen.tell(
        "reconciler",
        &format!("{} is Healthy: nothing was released yet", first.short()),
        json!({"commit": first.id}),
    );
    let mut last = first;
    for (version, what) in [("1.0.0", "the first release"), ("1.1.0", "faster")] {
        let commit =
            code.commit("Ada", what, &[("server.txt", Some(format!("shop {version}: {what}\n")))])?;
        screen.tell("developer", &format!("{} {what}", &commit[..7]), json!({"commit": commit}));
        let image = ci.build(&commit, version, what).await?;
        screen.tell("ci", &format!("pushed {image}"), json!({"image": image}));
        let written = ci.release(&commit).await?;
        screen.tell(
            "ci",
            &format!("{} {}", written.commit.short(), config.subject(&written.commit)?),
            json!({"commit": written.commit.id, "source": commit}),
        );
        handle.refresh(APP)?;
        watch.until_healthy(&written.commit).await?;
        watch.ensure_image(version)?;
        screen.tell(
            "reconciler",
            &format!("{} is Healthy: {version} runs", written.commit.short()),
            json!({"commit": written.commit.id, "version": version}),
        );
        last = written.commit;
    }

    // Somebody does not like it.
    let written = ci.undo(&last).await?;
    screen.tell(
        "ci",
        &format!("{} {}", written.commit.short(), config.subject(&written.commit)?),
        json!({"commit": written.commit.id, "reverts": last.id}),
    );
    handle.refresh(APP)?;
    watch.until_healthy(&written.commit).await?;
    watch.ensure_image("1.0.0")?;
    screen.tell(
        "reconciler",
        &format!("{} is Healthy: 1.0.0 runs again", written.commit.short()),
        json!({"commit": written.commit.id, "version": "1.0.0"}),
    );

    handle.stop();
    engine.await??;
    controller.abort();
    Ok(())
}

/// What is seen of the cluster.
struct Watch {
    events: EventStream,
    patience: Duration,
    cluster: MemoryCluster,
}

impl Watch {
    /// Waits until a revision is recorded as Healthy.
    async fn until_healthy(&mut self, wanted: &Revision) -> anyhow::Result<()> {
        let seen = async {
            while let Some(event) = self.events.next().await {
                match event.kind {
                    EventKind::RevisionHealthy { revision } if revision.id == wanted.id => return Ok(()),
                    EventKind::SourceFailed { fault, .. } | EventKind::SyncFailed { fault, .. } => {
                        bail!("{fault}")
                    }
                    _ => {}
                }
            }
            bail!("the reconciler has ended")
        };
        let what = || format!("{} was not Healthy in time", wanted.short());
        tokio::time::timeout(self.patience, seen).await.with_context(what)?
    }

    /// Whether the cluster runs a version.
    fn ensure_image(&self, version: &str) -> anyhow::Result<()> {
        let web = ResourceId::namespaced("apps", "Deployment", APP, "web");
        let object = self.cluster.get(&web).context("there is no Deployment")?;
        let image = object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
        // A tag that is moved changes nothing: the digest is in the configuration.
        ensure!(image.contains(&format!(":{version}@sha256:")), "{image} runs, and not {version}");
        Ok(())
    }
}
