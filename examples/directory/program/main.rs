//! Keeps the files of a directory as a Git repository says: configuration, a web site, anything that is files.
//!
//! ```console
//! directory plan --repo https://git.example/platform/config --path nginx --to /etc/nginx/conf.d
//! directory sync --repo https://git.example/platform/config --path nginx --to /etc/nginx/conf.d --prune
//! directory run --repo https://git.example/platform/config --path nginx --to /etc/nginx/conf.d --prune --interval 30
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use gitops_core::{Adoption, Application, Approval, Digest, Prune, Reconciler, RefSpec, SyncError};
use gitops_directory::{DirectoryTarget, PlainFiles};
use gitops_git::{GitSource, TokenFile};

#[derive(Debug, Parser)]
#[command(about = "Keeps the files of a directory as a Git repository says")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows what a sync would do, and changes nothing.
    Plan(What),
    /// Syncs once. Exit code 0 if all files are as the repository says, 1 if some could not be written, 2 if nothing
    /// could be done, 3 if the plan needs approval.
    Sync(Sync),
    /// Syncs whenever the repository changes, and puts back what others change, until it is stopped.
    Run(Run),
}

#[derive(Debug, clap::Args)]
struct What {
    /// The repository: `https://…`, or a directory of this machine.
    #[arg(long)]
    repo: String,
    /// The branch to follow.
    #[arg(long, default_value = "main")]
    branch: String,
    /// The directory in the repository whose files are wanted.
    #[arg(long, default_value = "")]
    path: String,
    /// The directory in which they are wanted.
    #[arg(long)]
    to: PathBuf,
    /// The name of the application; several may share a directory.
    #[arg(long, default_value = "files")]
    name: String,
    /// A file with a token for the repository.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// Where the local copy of the repository is kept, from run to run. Without it, in the user's cache.
    #[arg(long)]
    mirror: Option<PathBuf>,
    /// Deletes files of ours that the repository no longer has; a plan that would delete too much waits for approval.
    #[arg(long)]
    prune: bool,
    /// Takes over files that exist and belong to nobody.
    #[arg(long)]
    adopt: bool,
}

#[derive(Debug, clap::Args)]
struct Sync {
    #[command(flatten)]
    what: What,
    /// The digest of the plan to carry out, as `plan` printed it; no other plan is.
    #[arg(long)]
    approve: Option<Digest>,
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    what: What,
    /// Seconds between two looks at the repository and the directory.
    #[arg(long, default_value_t = 60)]
    interval: u64,
}

fn reconciler(what: &What, interval: Duration) -> anyhow::Result<Reconciler> {
    let mut source = GitSource::builder(&what.repo);
    // A path is somebody's word that a local repository is meant.
    if Path::new(&what.repo).exists() {
        source = source.allow_local();
    }
    if let Some(file) = &what.token_file {
        source = source.with_credentials(TokenFile::new(file));
    }
    if let Some(mirror) = &what.mirror {
        source = source.with_mirror_dir(mirror);
    }
    let app = Application::builder(&what.name, source.build()?, DirectoryTarget::new(&what.to))
        .with_ref(RefSpec::Branch(what.branch.clone()))
        .with_path(&what.path)
        .with_render(PlainFiles::new())
        .with_prune(if what.prune { Prune::GUARDED } else { Prune::Never })
        .with_adoption(if what.adopt { Adoption::Unowned } else { Adoption::Never })
        .build()?;
    // Nobody tells of changes in a directory: it is looked at as often as the repository is.
    Ok(Reconciler::builder().with_application(app).with_interval(interval).with_resync(interval).build()?)
}

async fn done(args: Args) -> anyhow::Result<u8> {
    let once = Duration::from_secs(60);
    match args.command {
        Command::Plan(what) => {
            let plan = reconciler(&what, once)?.plan(&what.name).await?;
            print(&format!("{}plan {}", plan.display().unified(), plan.digest()))?;
            Ok(0)
        }
        Command::Sync(Sync { what, approve }) => {
            let reconciler = reconciler(&what, once)?;
            let synced = match approve {
                Some(digest) => {
                    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
                    reconciler.apply(Approval::new(what.name.parse()?, digest, user)).await
                }
                None => reconciler.sync(&what.name).await,
            };
            match synced {
                Ok(report) => {
                    print(&report.to_string())?;
                    Ok(u8::from(!report.counts.all_good()))
                }
                Err(SyncError::NeedsApproval { plan, guard }) => {
                    print(&format!("{guard}: to go on, sync again with --approve {}", plan.digest()))?;
                    Ok(3)
                }
                Err(other) => Err(other.into()),
            }
        }
        Command::Run(Run { what, interval }) => {
            let interval = Duration::from_secs(interval.max(1));
            let reconciler = reconciler(&what, interval)?.shutdown_on_signal();
            let mut events = reconciler.subscribe();
            let printing = tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    print(&event.to_string())?;
                }
                anyhow::Ok(())
            });
            reconciler.run().await?;
            drop(reconciler);
            printing.await??;
            Ok(0)
        }
    }
}

/// One line to whoever reads; nobody may.
fn print(line: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

#[tokio::main]
async fn main() -> ExitCode {
    // The libraries leave the choice of the TLS provider to the program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match done(Args::parse()).await {
        Ok(code) => code.into(),
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "directory: {error:#}");
            2.into()
        }
    }
}
