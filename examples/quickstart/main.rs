//! The main job from end to end, on one machine, with only Rust and Git: a real Git repository, the reconciler, a cluster
//! in memory, and ten things that happen to them. Exits with 1, and says at which step, if something is not observed.

mod ledger;
mod lenient;
mod manifests;
mod repository;
mod rollout;
mod screen;
mod story;
mod watcher;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use gitops_core::{Application, DriftPolicy, GroupKind, MemoryCluster, MemoryTarget, Prune, Reconciler};
use gitops_git::GitSource;
use gitops_kube::health::BuiltInHealth;

use crate::lenient::Lenient;
use crate::repository::Repository;
use crate::screen::Screen;
use crate::story::Story;
use crate::watcher::Watcher;

/// Shows what a GitOps engine does, on real parts, in a few seconds.
#[derive(Debug, Parser)]
struct Args {
    /// How to print what happens: a timeline, or the engine's events as JSON, one on each line.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Switches a promise of the engine off, to see that the story notices.
    #[arg(long, value_enum)]
    without: Option<Promise>,
    /// How long to wait for each thing to be observed, in seconds.
    #[arg(long, default_value_t = 10)]
    patience: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// What can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Promise {
    /// Drift is put back.
    Healing,
    /// What is no longer desired is deleted.
    Pruning,
    /// A plan that deletes everything waits for approval.
    Guard,
    /// A file that cannot be read keeps the whole revision from being used.
    Errors,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match play(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("quickstart: {error:#}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program's own error")]
fn complain(text: &str) {
    eprintln!("{text}");
}

/// Plays the story; false if something of it was not observed.
async fn play(args: &Args) -> anyhow::Result<bool> {
    let folder = tempfile::tempdir()?;
    let repository = Repository::create(&folder.path().join("config"))?;
    let source = GitSource::builder(repository.url())
        .with_branch("main")
        .with_mirror_dir(folder.path().join("mirror"))
        .allow_local()
        .build()?;
    let cluster = MemoryCluster::new();
    let target = MemoryTarget::new(cluster.clone()).with_health_rule(BuiltInHealth);

    let without = |promise| args.without == Some(promise);
    let mut app = Application::builder("shop", source, target)
        .with_path(manifests::PATH)
        .with_prune(match args.without {
            Some(Promise::Pruning) => Prune::Never,
            Some(Promise::Guard) => Prune::Unguarded,
            _ => Prune::GUARDED,
        })
        .with_prune_kind(GroupKind::new("", "Namespace"))
        .with_drift(if without(Promise::Healing) { DriftPolicy::Report } else { DriftPolicy::Heal });
    if without(Promise::Errors) {
        app = app.with_render(Lenient);
    }
    // With an hour between two polls, nothing but the watch can see drift in time, and nothing but a webhook call a commit.
    let reconciler = Arc::new(
        Reconciler::builder()
            .with_application(app.build()?)
            .with_interval(Duration::from_secs(3600))
            .build()?,
    );

    let screen = Screen::new(args.output == Output::Json);
    let watcher = Watcher::new(reconciler.subscribe(), screen, Duration::from_secs(args.patience));
    let handle = reconciler.handle();
    let mut story = Story { repository, cluster: cluster.clone(), handle: handle.clone(), watcher, screen };

    let told = match story.first_commit() {
        Ok(()) => {
            let controller = tokio::spawn(rollout::run(cluster));
            let running = reconciler.clone();
            let engine = tokio::spawn(async move { running.run().await });
            let told = story.tell().await;
            handle.stop();
            engine.await??;
            controller.abort();
            told
        }
        Err(unseen) => Err(unseen),
    };
    match told {
        Ok(()) => Ok(true),
        Err(unseen) => {
            screen.not_observed(&unseen);
            Ok(false)
        }
    }
}
