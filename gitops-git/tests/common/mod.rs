//! Real Git repositories, and a real Git server, for the tests.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test programs, each of which uses a part of it"
)]

pub mod acceptor;
#[cfg(feature = "https")]
pub mod cgi;
pub mod dice;
#[cfg(feature = "pull-request")]
pub mod forge;
#[cfg(feature = "github-app")]
pub mod github;
pub mod log;
#[cfg(feature = "https")]
pub mod proxy;
pub mod repo;
#[cfg(feature = "https")]
pub mod server;
#[cfg(feature = "ssh")]
pub mod ssh;
#[cfg(feature = "https")]
pub mod submodules;
#[cfg(feature = "https")]
pub mod tls;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gitops_core::{Cx, Fault, RefSpec, RepoPath, Revision, Snapshot, Source};
use gitops_git::{GitSource, GitSourceBuilder};

pub use repo::{Repo, git};
#[cfg(feature = "https")]
pub use server::{Behaviour, Server};

/// Longer than any test takes, and shorter than anybody waits.
pub fn cx() -> Cx {
    Cx::with_timeout(Duration::from_secs(60))
}

pub fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

/// A source over a repository on this machine.
pub fn local(repo: &Path, mirrors: &Path) -> GitSourceBuilder {
    GitSource::builder(repo.to_str().unwrap()).allow_local().with_mirror_dir(mirrors)
}

#[cfg(feature = "https")]
/// A source over HTTP, as the tests' server speaks it.
pub fn http(url: &str, mirrors: &Path) -> GitSourceBuilder {
    provider();
    GitSource::builder(url)
        .allow_http()
        .allow_credentials_over_http()
        .allow_loopback()
        .with_mirror_dir(mirrors)
}

#[cfg(feature = "https")]
/// What programs do at their start, and libraries never.
pub fn provider() {
    // Another test of the same program may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Resolves the default and fetches it.
pub async fn sync(source: &GitSource) -> Result<Arc<dyn Snapshot>, Fault> {
    let revision = source.resolve(&cx(), &RefSpec::Default).await?;
    source.fetch(&cx(), &revision).await
}

/// Has all sources ask at once, each in a task of its own.
pub async fn poll_at_once(sources: &[GitSource]) {
    let ask = |source: GitSource| async move { source.resolve(&cx(), &RefSpec::Default).await.map(drop) };
    let polls: Vec<_> = sources.iter().map(|source| tokio::spawn(ask(source.clone()))).collect();
    for poll in polls {
        poll.await.unwrap().unwrap();
    }
}

/// A file's content as text.
pub fn text(snapshot: &dyn Snapshot, file: &str) -> String {
    let bytes = snapshot.read(&path(file), 1 << 20).unwrap_or_else(|fault| panic!("{file}: {fault}"));
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The fault of something that must not succeed.
pub fn fault<T>(result: Result<T, Fault>) -> Fault {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(fault) => fault,
    }
}

/// Text that compresses to about half, not to nothing.
pub fn blob(seed: u32) -> String {
    let words: Vec<_> = (0..2000_u32)
        .map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761).wrapping_add(seed * 977)))
        .collect();
    words.concat()
}

/// What is in a directory.
pub fn dirs(dir: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[cfg(feature = "https")]
/// A source over HTTPS, from a server on this machine that calls itself `host`.
pub fn https(host: &str, server: &Server, repo: &Repo) -> GitSourceBuilder {
    provider();
    GitSource::builder(format!("https://{host}:{}/repo.git", server.port()))
        .allow_loopback()
        .with_mirror_dir(repo.mirrors())
}

#[cfg(feature = "https")]
/// What basic authentication sends (RFC 7617).
pub fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}")
}
