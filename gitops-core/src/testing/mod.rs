//! The contracts of [`Target`](crate::Target) and [`Source`](crate::Source) as suites of tests (feature `testing`).
//!
//! Whoever writes a backend says in a *harness* how to make the system that the backend is for, and how somebody else
//! would change it; the suite does the rest. One line then makes a test of each clause of the contract:
//!
//! ```no_run
//! use std::sync::Arc;
//! use gitops_core::testing::target::TargetHarness;
//! use gitops_core::{Manifest, ResourceId, Target, async_trait};
//!
//! /// A zone of a DNS server, made for one test.
//! struct Zone { /* … */ }
//!
//! # impl Zone { async fn new() -> Self { Zone {} } }
//! #[async_trait]
//! impl TargetHarness for Zone {
//!     async fn open(&self) -> Arc<dyn Target> {
//!         todo!("a target for the zone, as a process that just started would make it")
//!     }
//!     fn manifest(&self, name: &str, value: &str) -> Manifest {
//!         todo!("a record of that name that states that value")
//!     }
//!     fn value_path(&self) -> gitops_core::diff::FieldPath {
//!         gitops_core::diff::FieldPath::of_fields(["spec", "value"])
//!     }
//!     async fn read(&self, id: &ResourceId) -> Option<String> {
//!         todo!("the value as the server has it")
//!     }
//!     async fn put(&self, id: &ResourceId, value: &str) {
//!         todo!("create the record, or change its value, by hand")
//!     }
//!     async fn delete(&self, id: &ResourceId) {
//!         todo!("delete the record by hand")
//!     }
//! }
//!
//! gitops_core::target_contract! {
//!     Zone::new().await;
//!     not_applicable {
//!         watch: "the server tells nobody of changes",
//!         gaps: "without watches there are no gaps in them",
//!         // … and the other abilities that the zone or its harness does not have
//!     }
//! }
//! ```
//!
//! A clause about something that a backend cannot do is *not applicable*, for a reason that the test run shows (as the
//! reason of an ignored test), and never a test that passes: an ability that is missing and not declared so fails the
//! clauses about it, and one that is declared missing and is there fails as well (when ignored tests are run).
//!
//! [`target::run`] and [`source::run`] do the same without a test framework, and answer with a [`Report`].

mod clause;
#[macro_use]
mod macros;
mod report;
pub mod source;
pub mod target;

pub use clause::{Ability, Checked, Clause, Failure, NotApplicable};
pub use report::{Report, Verdict};

use std::time::Duration;

/// How long one call may take where nothing is wrong.
const CALL: Duration = Duration::from_secs(30);

/// A context in which nothing runs out of time.
fn cx() -> crate::Cx {
    crate::Cx::with_timeout(CALL)
}

/// Runs a test on a runtime of its own, with two threads: a backend that blocks one cannot stop the clock of the suite.
///
/// # Panics
/// When the machine gives no threads for a runtime.
#[doc(hidden)]
#[expect(clippy::expect_used, reason = "it runs tests")]
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let done = runtime.block_on(work);
    // Work that a clause gave up must not hold up the end of its test.
    runtime.shutdown_background();
    done
}
