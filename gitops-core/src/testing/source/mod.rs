//! The contract of [`Source`] and [`Snapshot`](crate::Snapshot) as a suite of tests.

mod bench;
mod fetching;
mod list;
mod reading;
mod resolving;

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

pub use super::target::Able;
use super::{Clause, NotApplicable, Report};
use crate::{RefSpec, Source};

/// One place that a source reads, without a revision in it, and the hands that write there.
///
/// The suite makes one for each clause; several live at once. What the harness does is done when the method returns. A
/// hand that fails panics: that fails the clause.
///
/// The methods from [`trouble`](Self::trouble) on are for clauses that need more than that. Without them these clauses are
/// not applicable.
#[async_trait]
pub trait SourceHarness: Send + Sync + 'static {
    /// A source that reads the place, as a process that has just started would make it: it knows of the others that were
    /// made before only what they left on the disk, if they leave something there.
    async fn open(&self) -> Arc<dyn Source>;

    /// A source that reads another place, which nothing else is done with.
    async fn elsewhere(&self) -> Arc<dyn Source>;

    /// Makes a revision that follows the newest one, and says its id: each file gets a new content, or is removed.
    async fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> String;

    /// A reference that does not exist.
    fn missing(&self) -> RefSpec;

    /// The id of a revision that does not exist.
    fn no_revision(&self) -> String;

    /// Makes the place misbehave, for all sources that read it, until [`calm`](Self::calm).
    async fn trouble(&self, trouble: Trouble) -> Able {
        Err(NotApplicable::because(format!("the harness makes no trouble of the kind {trouble:?}")))
    }

    /// Ends all trouble.
    async fn calm(&self) {}

    /// How many bytes of content sources have moved from the place so far.
    fn moved(&self) -> Able<u64> {
        Err(NotApplicable::because("the harness does not count what is moved"))
    }

    /// The reference to a branch that points to a revision from now on.
    async fn branch(&self, _name: &str, _revision: &str) -> Able<RefSpec> {
        Err(NotApplicable::because("the harness has no branches"))
    }

    /// The reference to a tag on a revision, with a message where the source has such tags.
    async fn tag(&self, _name: &str, _revision: &str) -> Able<RefSpec> {
        Err(NotApplicable::because("the harness has no tags"))
    }

    /// The reference to one revision.
    fn revision(&self, _id: &str) -> Able<RefSpec> {
        Err(NotApplicable::because("the harness cannot refer to a revision"))
    }

    /// Whether the source tells author, time and message of a revision; the author is then this.
    fn author(&self) -> Able<String> {
        Err(NotApplicable::because("the harness says nothing of authors"))
    }

    /// Moves what the source follows back to an older revision, so that the next one rewrites the history.
    async fn reset(&self, _revision: &str) -> Able {
        Err(NotApplicable::because("the harness cannot rewrite the history"))
    }

    /// Texts that nobody may read, with which the sources of this harness prove who they are.
    fn credentials(&self) -> Able<Vec<String>> {
        Err(NotApplicable::because("the sources of the harness have no credentials"))
    }

    /// Makes a revision in which one name is a symbolic link to a path, and says its id.
    async fn link(&self, _name: &str, _to: &str) -> Able<String> {
        Err(NotApplicable::because("the harness has no symbolic links"))
    }
}

/// How a place can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Nothing is answered.
    Silence,
    /// Sources lack the permission to read.
    Denied,
}

crate::__source_clauses! { [table] SourceHarness }

/// All clauses.
pub fn clauses() -> &'static [Clause<dyn SourceHarness>] {
    CLAUSES
}

/// The clause of that name.
pub fn clause(name: &str) -> Option<&'static Clause<dyn SourceHarness>> {
    CLAUSES.iter().find(|clause| clause.name == name)
}

/// Checks all clauses, one after the other, each with a harness of its own.
pub async fn run<H, F>(mut harness: impl FnMut() -> F) -> Report
where
    H: SourceHarness,
    F: Future<Output = H>,
{
    let mut report = Report::default();
    for clause in CLAUSES {
        report.check(clause, &harness().await as &dyn SourceHarness).await;
    }
    report
}

#[doc(hidden)]
pub async fn assert(name: &str, harness: &(dyn SourceHarness + 'static)) {
    match clause(name) {
        Some(clause) => clause.assert(harness).await,
        None => unreachable!("the tests are made from the list of clauses"),
    }
}

#[doc(hidden)]
pub async fn assert_not_applicable(name: &str, harness: &(dyn SourceHarness + 'static)) {
    match clause(name) {
        Some(clause) => clause.assert_not_applicable(harness).await,
        None => unreachable!("the tests are made from the list of clauses"),
    }
}
