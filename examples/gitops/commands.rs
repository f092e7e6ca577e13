//! What each command does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gitops_core::{
    AppId, Application, Approval, Assessment, Cx, Health, Observe, Owner, Reconciler, Removal, SyncError,
    Target,
};
use gitops_git::webhook::Webhook;
use tokio::net::TcpListener;

use crate::args::{App, Deployed, Remove, Run, Sync};
use crate::output::{self, Code, Printing};
use crate::parts;
use crate::recorded::RecordedSource;
use crate::webhook;

/// How long a command that only reads may take.
const READING: Duration = Duration::from_secs(60);

pub(crate) async fn run(run: Run) -> anyhow::Result<Code> {
    let heard = match run.webhook {
        Some(address) => Some(listen(address, &run.webhook_secret_file).await?),
        None => None,
    };
    let reconciler = parts::reconciler(&run.app, |builder| builder.with_interval(run.interval)).await?;
    let (reconciler, printing) = Printing::of(reconciler, run.app.deployed.output);
    let ended = match heard {
        Some((listener, secrets)) => {
            let limits = webhook::Limits::default();
            tokio::select! {
                ended = reconciler.run() => ended,
                never = webhook::serve(listener, secrets, reconciler.handle(), limits) => match never {},
            }
        }
        None => reconciler.run().await,
    };
    printing.end(reconciler).await;
    ended?;
    Ok(Code::Good)
}

/// Where webhooks are heard, and the secrets that prove them.
async fn listen(address: SocketAddr, secret_files: &[PathBuf]) -> anyhow::Result<(TcpListener, Webhook)> {
    let secrets = webhook::with_secrets(secret_files)?;
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("nothing can listen for webhooks on {address}"))?;
    output::note(&format!("listening for webhooks on http://{}", listener.local_addr()?));
    Ok((listener, secrets))
}

pub(crate) async fn sync(sync: Sync) -> anyhow::Result<Code> {
    let (app, output) = (&sync.app.deployed.name, sync.app.deployed.output);
    let reconciler = parts::reconciler(&sync.app, |builder| builder.with_timeout(sync.timeout)).await?;
    let (reconciler, printing) = Printing::of(reconciler, output);
    let synced = match sync.approve {
        Some(digest) => reconciler.apply(Approval::new(app.parse()?, digest, user())).await,
        None => reconciler.sync(app).await,
    };
    let waited = match &synced {
        // What could not be written does not become healthy by waiting.
        Ok(report) if sync.wait && report.counts.all_good() => {
            Some(reconciler.wait_healthy(app, sync.timeout).await?)
        }
        _ => None,
    };
    printing.end(reconciler).await;
    match synced {
        Ok(report) => {
            if let Some(health) = &waited {
                output::waited(output, app, health)?;
            }
            let is_healthy = waited.is_none_or(|now| now.health == Health::Healthy);
            Ok(if report.counts.all_good() && is_healthy { Code::Good } else { Code::Differs })
        }
        Err(SyncError::NeedsApproval { plan, guard }) => {
            output::note(&format!("{guard}: to go on, sync again with --approve {}", plan.digest()));
            Ok(Code::NeedsApproval)
        }
        Err(other) => Err(other.into()),
    }
}

pub(crate) async fn plan(app: App) -> anyhow::Result<Code> {
    let reconciler = parts::reconciler(&app, |builder| builder).await?;
    let plan = reconciler.plan(&app.deployed.name).await?;
    output::plan(app.deployed.output, &plan, false)?;
    Ok(Code::Good)
}

pub(crate) async fn diff(app: App) -> anyhow::Result<Code> {
    let reconciler = parts::reconciler(&app, |builder| builder).await?;
    let plan = reconciler.plan(&app.deployed.name).await?;
    output::plan(app.deployed.output, &plan, true)?;
    if !plan.unseen.is_empty() {
        // Whether anything differs there cannot be told.
        return Ok(Code::Error);
    }
    Ok(if plan.in_sync() { Code::Good } else { Code::Differs })
}

pub(crate) async fn status(deployed: Deployed) -> anyhow::Result<Code> {
    let target = parts::target(&deployed, None).await?;
    let app: AppId = deployed.name.parse()?;
    let cx = Cx::with_timeout(READING);
    let record = target.recall(&cx, &app).await?;
    let health = match &record {
        Some(_) => health(&*target, &cx, &app).await?,
        None => Assessment::new(Health::Unknown),
    };
    output::status(deployed.output, &deployed.name, record.as_ref(), &health)?;
    Ok(Code::Good)
}

/// The worst health of an application's members.
async fn health(target: &dyn Target, cx: &Cx, app: &AppId) -> anyhow::Result<Assessment> {
    let observed = target.observe(cx, app, &Observe::Everything { also: Vec::new() }).await?;
    if let Some(unseen) = observed.unseen.first() {
        let what = format!("{} cannot be read: {}", unseen.kind, unseen.fault);
        return Ok(Assessment::new(Health::Unknown).because("Unseen", what));
    }
    let members = observed.live.iter().filter(|live| live.owner == Owner::This);
    let worst = members.max_by_key(|live| live.health.health.severity());
    Ok(worst.map_or_else(|| Assessment::new(Health::Healthy), |live| live.health.clone()))
}

pub(crate) async fn remove(remove: Remove) -> anyhow::Result<Code> {
    let target = parts::target(&remove.deployed, None).await?;
    let (name, output) = (&remove.deployed.name, remove.deployed.output);
    let record = target.recall(&Cx::with_timeout(READING), &name.parse()?).await?;
    let record = record.with_context(|| format!("{name} was never deployed here"))?;
    let reconciler = removing(name, record.source, target)?;
    let (reconciler, printing) = Printing::of(reconciler, output);
    let removal = if remove.delete { Removal::Destroy } else { Removal::Release };
    let approval = match remove.approve {
        Some(digest) => Some(Approval::new(name.parse()?, digest, user())),
        None => None,
    };
    let removed = reconciler.remove(name, removal, approval).await;
    printing.end(reconciler).await;
    match removed {
        Ok(report) => Ok(if report.counts.all_good() { Code::Good } else { Code::Differs }),
        Err(SyncError::NeedsApproval { plan, guard }) => {
            output::plan(output, &plan, false)?;
            output::note(&format!("{guard}: to go on, remove again with --approve {}", plan.digest()));
            Ok(Code::NeedsApproval)
        }
        Err(other) => Err(other.into()),
    }
}

fn removing(name: &str, source: String, target: Arc<dyn Target>) -> anyhow::Result<Reconciler> {
    let application = Application::builder(name, RecordedSource(source), target).build()?;
    Ok(Reconciler::builder().with_application(application).build()?)
}

/// Whose word an approval is.
fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned())
}
