//! The contract of [`Target`] as a suite of tests.

mod bench;
mod comparing;
mod deploying;
mod expecting;
mod list;
mod owning;
mod placing;
mod reading;
mod records;
mod steps;
mod troubles;
mod watching;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gitops_diff::FieldPath;

use super::{Clause, NotApplicable, Report};
use crate::{AppId, Manifest, ResourceId, Target};

/// Whether a harness can do something.
pub type Able<T = ()> = Result<T, NotApplicable>;

/// One system that a target deploys to, with nothing of the suite's in it, and the hands of somebody else.
///
/// The suite makes one for each clause; several live at once. So it is a place of its own (a new directory, a new
/// namespace), and the names of its applications are its own where they are shared by all of the system
/// ([`app`](Self::app)).
///
/// The objects of the suite have one field that matters, the *value*: any short text of printable characters. What the
/// harness does by hand is done when the method returns. A hand that fails panics: that fails the clause.
///
/// The methods from [`trouble`](Self::trouble) on are for clauses that need more than that. Without them these clauses are
/// not applicable.
#[async_trait]
pub trait TargetHarness: Send + Sync + 'static {
    /// A target on the system, as a process that has just started would make it: it knows of the others that were made
    /// before only what they left in the system.
    async fn open(&self) -> Arc<dyn Target>;

    /// A manifest of that name that states that value. One name is one object.
    fn manifest(&self, name: &str, value: &str) -> Manifest;

    /// Where the value stands in a manifest.
    fn value_path(&self) -> FieldPath;

    /// The value of an object as the system has it; none if the object does not exist. Not asked of a target.
    async fn read(&self, id: &ResourceId) -> Option<String>;

    /// Creates an object with a value, or changes its value, as somebody else.
    async fn put(&self, id: &ResourceId, value: &str);

    /// Deletes an object, as somebody else.
    async fn delete(&self, id: &ResourceId);

    /// The name of one of several applications.
    ///
    /// # Panics
    /// Where `name` with what an implementation adds to it cannot name an application.
    #[expect(clippy::expect_used, reason = "the suite's names are names")]
    fn app(&self, name: &str) -> AppId {
        AppId::new(name).expect("a name for an application")
    }

    /// How long the target may take to tell of a change that its watch sees, and to notice that it sees none.
    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Makes the system misbehave, for all targets on it, until [`calm`](Self::calm).
    async fn trouble(&self, trouble: Trouble) -> Able {
        Err(NotApplicable::because(format!("the harness makes no trouble of the kind {trouble:?}")))
    }

    /// Ends all trouble.
    async fn calm(&self) {}

    /// How many requests of targets have reached the system so far, those of watches left out.
    fn requests(&self) -> Able<u64> {
        Err(NotApplicable::because("the harness counts no requests"))
    }

    /// A manifest of a Secret whose value is the secret. [`put`](Self::put) is asked to change it, and
    /// [`read`](Self::read) never to read it.
    fn secret(&self, _name: &str, _value: &str) -> Able<Manifest> {
        Err(NotApplicable::because("the harness has no Secrets"))
    }

    /// Where objects have a second field besides the value.
    fn second(&self) -> Able<&dyn SecondField> {
        Err(NotApplicable::because("the harness knows of no field besides the value"))
    }

    /// Two manifests, of which the first requires that the object of the second is there.
    fn dependents(&self) -> Able<[Manifest; 2]> {
        Err(NotApplicable::because("the harness knows of no objects that require others"))
    }

    /// From now on the system stores another value than the stated one, the one that is returned, in every object of the
    /// suite.
    async fn overrule(&self) -> Able<String> {
        Err(NotApplicable::because("the harness cannot have values stored otherwise than stated"))
    }

    /// Holds an object, so that a deletion only begins, or lets it go.
    async fn hold(&self, _id: &ResourceId, _hold: bool) -> Able {
        Err(NotApplicable::because("the harness cannot hold up a deletion"))
    }

    /// Marks an object to stay.
    async fn keep(&self, _id: &ResourceId) -> Able {
        Err(NotApplicable::because("the harness cannot mark objects to stay"))
    }
}

/// A field besides the value, for targets whose objects have fields that not everybody states.
#[async_trait]
pub trait SecondField: Send + Sync {
    /// A manifest that states both.
    fn manifest(&self, name: &str, value: &str, second: &str) -> Manifest;

    /// Two values of the field that can be stored.
    fn samples(&self) -> [&'static str; 2];

    /// Where the field stands in a manifest.
    fn path(&self) -> FieldPath;

    /// The field as the system has it; none where it is not set.
    async fn read(&self, id: &ResourceId) -> Option<String>;

    /// Sets it, as somebody else, and nothing besides.
    async fn put(&self, id: &ResourceId, second: &str);
}

/// How a system can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Watches see nothing. What changes meanwhile they are not told later one by one, where the system can forget it.
    WatchesDown,
    /// Objects of the suite's kind cannot be read by targets. Their records can.
    Unreadable,
    /// Targets lack the permission to write objects of the suite's kind. Their records they can write.
    ReadOnly,
    /// Writes of objects happen, and their answers are lost.
    AnswersLost,
    /// Nothing is answered, and nothing happens.
    Silence,
}

crate::__target_clauses! { [table] TargetHarness }

/// All clauses.
pub fn clauses() -> &'static [Clause<dyn TargetHarness>] {
    CLAUSES
}

/// The clause of that name.
pub fn clause(name: &str) -> Option<&'static Clause<dyn TargetHarness>> {
    CLAUSES.iter().find(|clause| clause.name == name)
}

/// Checks all clauses, one after the other, each with a harness of its own.
pub async fn run<H, F>(mut harness: impl FnMut() -> F) -> Report
where
    H: TargetHarness,
    F: Future<Output = H>,
{
    let mut report = Report::default();
    for clause in CLAUSES {
        report.check(clause, &harness().await as &dyn TargetHarness).await;
    }
    report
}

#[doc(hidden)]
pub async fn assert(name: &str, harness: &(dyn TargetHarness + 'static)) {
    match clause(name) {
        Some(clause) => clause.assert(harness).await,
        None => unreachable!("the tests are made from the list of clauses"),
    }
}

#[doc(hidden)]
pub async fn assert_not_applicable(name: &str, harness: &(dyn TargetHarness + 'static)) {
    match clause(name) {
        Some(clause) => clause.assert_not_applicable(harness).await,
        None => unreachable!("the tests are made from the list of clauses"),
    }
}
