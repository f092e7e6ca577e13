//! From the command line to source, target and application.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use gitops_core::{
    Adoption, Application, MemoryCluster, MemoryTarget, Prune, Reconciler, ReconcilerBuilder, RefSpec, Target,
};
use gitops_git::{GitSource, SshAgent, SshKey, TrustedKeys, Verification, VerifyMode};
use gitops_kube::{ConnectOptions, KubeTarget, connect};

use crate::args::{App, Deployed, Repository, TargetKind, Trust, Verify};
use crate::progress;

/// A reconciler of one application; `change` sets what only one command has.
pub(crate) async fn reconciler(
    app: &App,
    change: impl FnOnce(ReconcilerBuilder) -> ReconcilerBuilder,
) -> anyhow::Result<Reconciler> {
    let target = target(&app.deployed, app.namespace.as_deref()).await?;
    let application =
        Application::builder(&app.deployed.name, source(&app.repository, Some(app), &[])?, target)
            .with_ref(reference(&app.repository.reference))
            .with_path(&app.repository.path)
            .with_prune(if app.prune { Prune::GUARDED } else { Prune::Never })
            .with_adoption(if app.adopt { Adoption::Unowned } else { Adoption::Never })
            .build()?;
    let builder = Reconciler::builder().with_application(application).with_progress(progress::on_terminal());
    Ok(change(builder).build()?)
}

/// `deploying` says what of it is deployed, and whose revisions; without it, nothing is deployed. `permissions` are those that a
/// GitHub App needs beside that to read.
pub(crate) fn source(
    asked: &Repository,
    deploying: Option<&App>,
    permissions: &[&str],
) -> anyhow::Result<GitSource> {
    let mut source = GitSource::builder(&asked.repo);
    // A path is somebody's word that local repositories are meant; `user@host:path` is none, but one of SSH.
    if Path::new(&asked.repo).exists() {
        source = source.allow_local();
    } else if !asked.repo.contains(':') {
        bail!(
            "there is no directory {}: give one that holds a repository, or an https:// or ssh:// address",
            asked.repo
        );
    }
    if asked.allow_http {
        source = source.allow_http().allow_loopback();
    }
    if let Some(file) = &asked.known_hosts {
        source = source.with_known_hosts_file(file);
    }
    if let Some(file) = &asked.ssh_key {
        source = source.with_credentials(SshKey::new(file));
    }
    if asked.ssh_agent {
        let socket = std::env::var_os("SSH_AUTH_SOCK").context("SSH_AUTH_SOCK names no agent")?;
        source = source.with_credentials(SshAgent::new(socket));
    }
    source = asked.access.tell(source, permissions)?;
    if let Some(dir) = &asked.mirror {
        source = source.with_mirror_dir(dir);
    }
    if let Some(app) = deploying {
        source = app.content.tell(source);
        if let Some(mode) = app.trust.verify {
            source = source.with_verification(verification(mode, &app.trust)?);
        }
    }
    Ok(source.build()?)
}

fn verification(mode: Verify, trust: &Trust) -> anyhow::Result<Verification> {
    let mut keys = TrustedKeys::new();
    for file in &trust.trusted_keys {
        keys = keys.with_openpgp_file(file)?;
    }
    for file in &trust.allowed_signers {
        keys = keys.with_allowed_signers_file(file)?;
    }
    if keys.is_empty() {
        bail!("nobody's signature counts: name a file with --trusted-keys or --allowed-signers");
    }
    let mode = match mode {
        Verify::Head => VerifyMode::Head,
        Verify::Tag => VerifyMode::Tag,
        Verify::TagAndHead => VerifyMode::TagAndHead,
        Verify::Every => VerifyMode::EveryCommit,
    };
    let mut verification = Verification::new(mode, keys);
    if let Some(commit) = &trust.trusted_since {
        verification = verification.with_trusted_since(commit)?;
    }
    Ok(if trust.allow_other_history { verification.allow_other_history() } else { verification })
}

pub(crate) fn reference(text: &str) -> RefSpec {
    let is_commit = matches!(text.len(), 40 | 64) && text.bytes().all(|c| c.is_ascii_hexdigit());
    if is_commit {
        return RefSpec::Commit(text.to_ascii_lowercase());
    }
    match (text.strip_prefix("refs/tags/"), text.strip_prefix("refs/heads/")) {
        (Some(tag), _) => RefSpec::Tag(tag.to_owned()),
        (None, Some(branch)) => RefSpec::Branch(branch.to_owned()),
        _ if text.starts_with("refs/") => RefSpec::Reference(text.to_owned()),
        _ => match text.strip_prefix("semver:") {
            Some(range) => RefSpec::SemVer { range: range.to_owned(), pre_releases: false },
            None => RefSpec::Branch(text.to_owned()),
        },
    }
}

/// The target, behind a pointer that any application can share.
pub(crate) async fn target(deployed: &Deployed, namespace: Option<&str>) -> anyhow::Result<Arc<dyn Target>> {
    Ok(match deployed.target {
        TargetKind::Memory => Arc::new(MemoryTarget::new(MemoryCluster::new())),
        TargetKind::Kube => Arc::new(cluster(&deployed.state_namespace, namespace).await?),
    })
}

/// The cluster of the usual kubeconfig rules.
pub(crate) async fn cluster(state_namespace: &str, namespace: Option<&str>) -> anyhow::Result<KubeTarget> {
    let config = kube::Config::infer().await.map_err(|error| {
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        anyhow!("no cluster: {why}; set KUBECONFIG to the file that names one (in a Pod, its service account does)")
    })?;
    // A cloud's kubeconfig often asks a program for the token; whoever runs a command line trusts their kubeconfig.
    let options = ConnectOptions::default().with_exec().with_connect_timeout(Duration::from_secs(10));
    let client = connect(config, &options)?;
    let mut target = KubeTarget::builder(client).with_state_namespace(state_namespace);
    if let Some(namespace) = namespace {
        target = target.with_default_namespace(namespace);
    }
    Ok(target.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_what_they_look_like() {
        assert_eq!(reference("main"), RefSpec::Branch("main".into()));
        assert_eq!(reference("refs/heads/main"), RefSpec::Branch("main".into()));
        assert_eq!(reference("refs/tags/v1"), RefSpec::Tag("v1".into()));
        assert_eq!(reference("refs/pull/1/head"), RefSpec::Reference("refs/pull/1/head".into()));
        let range = RefSpec::SemVer { range: ">=1.0.0 <2.0.0".into(), pre_releases: false };
        assert_eq!(reference("semver:>=1.0.0 <2.0.0"), range);
        assert_eq!(reference(&"Ab".repeat(20)), RefSpec::Commit("ab".repeat(20)));
    }
}
