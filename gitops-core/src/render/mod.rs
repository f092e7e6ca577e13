//! From a source's tree to manifests.

use std::fmt::Debug;

use crate::{Cx, Digest, Fault, Manifest, RepoPath, Snapshot};

/// Turns files into manifests: plain YAML, an overlay, a chart.
///
/// # Contract
/// - The same key, path and tree give the same manifests: no clock, no randomness, no network, no environment.
/// - Everything is read through `tree`, which records what was read: the application is rendered again only when that
///   changed.
/// - A fault means that nothing of this tree is used. Bad input is [`crate::Class::Invalid`], with the file and line in
///   [`Fault::at`].
/// - It blocks: the engine calls it off the async threads. Long work calls [`Cx::check`].
pub trait Render: Debug + Send + Sync + 'static {
    /// Parameters and tool version: a change of it renders anew.
    fn key(&self) -> Digest;

    /// Renders what is at `path`.
    fn render(&self, cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault>;
}

mod plain;
mod read;
mod reads;
mod search;
#[cfg(test)]
mod tests;

pub use plain::PlainManifests;
pub(crate) use reads::{Reads, Recorder};
