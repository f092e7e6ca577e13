//! One sentence of a contract, and what came of checking it.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::{Class, Fault};

/// A clause that is not over by then does not hold, whatever it waits for.
const LONGEST: Duration = Duration::from_secs(120);

/// Something that not every backend, or not every harness, can do. Clauses say which one they need.
pub type Ability = &'static str;

/// What a check answers.
pub type Checked = Result<(), Failure>;

type Check<H> = for<'a> fn(&'a H) -> Pin<Box<dyn Future<Output = Checked> + Send + 'a>>;

/// One clause of a contract, as a test. `H` is the harness that it is checked with.
pub struct Clause<H: ?Sized + 'static> {
    /// The name of its test.
    pub name: &'static str,
    /// What the contract says.
    pub what: &'static str,
    /// What the backend and its harness must be able to do for it to make sense; `always` for nothing special.
    pub needs: Ability,
    check: Check<H>,
}

/// Why a clause was not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// It makes no sense for this backend, and the reason.
    NotApplicable(NotApplicable),
    /// It does not hold, and what was seen instead.
    Violated(String),
}

/// Why something cannot be asked of a backend: the answer of a harness that cannot do what a clause needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable(pub String);

impl NotApplicable {
    /// Says why.
    pub fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for NotApplicable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Failure {
    pub(super) fn violated(what: impl Into<String>) -> Self {
        Self::Violated(what.into())
    }
}

impl From<NotApplicable> for Failure {
    fn from(why: NotApplicable) -> Self {
        Self::NotApplicable(why)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Violated(format!("a call failed that had no reason to: {fault} ({})", fault.class))
    }
}

impl<H: ?Sized> Clause<H> {
    #[doc(hidden)]
    pub(super) const fn new(name: &'static str, what: &'static str, needs: Ability, check: Check<H>) -> Self {
        Self { name, what, needs, check }
    }

    /// Checks the clause with a harness that nothing was done with yet. A panic of the backend or the harness, and a check
    /// that does not end within two minutes, are violations.
    pub async fn check(&self, harness: &H) -> Checked {
        let check = AssertUnwindSafe((self.check)(harness)).catch_unwind();
        match tokio::time::timeout(LONGEST, check).await {
            Ok(Ok(checked)) => checked,
            Ok(Err(panic)) => Err(Failure::Violated(format!("it panicked: {}", message(&*panic)))),
            Err(_) => Err(Failure::Violated(format!("it did not end within {LONGEST:?}"))),
        }
    }

    /// Passes where the clause holds.
    ///
    /// # Panics
    /// With what was seen, where it does not; and where it is not applicable, because then the suite was not told so.
    #[doc(hidden)]
    #[expect(clippy::panic, reason = "it is the assertion of a test")]
    pub async fn assert(&self, harness: &H) {
        match self.check(harness).await {
            Ok(()) => {}
            Err(Failure::Violated(seen)) => panic!("{self}\nit does not hold: {seen}"),
            Err(Failure::NotApplicable(why)) => panic!(
                "{self}\nit is not applicable: {why}\nif that is so, say it where the suite is called: \
                 not_applicable {{ {}: \"{why}\" }}",
                self.needs
            ),
        }
    }

    /// Passes where the clause is not applicable.
    ///
    /// # Panics
    /// Where it is.
    #[doc(hidden)]
    #[expect(clippy::panic, reason = "it is the assertion of a test")]
    pub async fn assert_not_applicable(&self, harness: &H) {
        match self.check(harness).await {
            Err(Failure::NotApplicable(_)) => {}
            other => panic!("{self}\nit is declared not applicable, and yet it was checked: {other:?}"),
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

impl<H: ?Sized> fmt::Display for Clause<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

impl<H: ?Sized> fmt::Debug for Clause<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clause").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// Fails unless a call failed with that class.
pub(super) fn refused<T>(result: Result<T, Fault>, class: Class, what: &str) -> Checked {
    match result {
        Err(fault) if fault.class == class => Ok(()),
        Err(fault) => {
            let seen = fault.class;
            Err(Failure::violated(format!("{what}: it failed as \"{seen}\", and not \"{class}\": {fault}")))
        }
        Ok(_) => Err(Failure::violated(format!("{what}: it succeeded"))),
    }
}
