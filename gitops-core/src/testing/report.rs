//! What came of a whole suite.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Checked, Clause, Failure, NotApplicable};

/// What came of one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It makes no sense for this backend, and why.
    NotApplicable(NotApplicable),
    /// It does not hold, and what was seen instead.
    Violated(String),
}

impl From<Checked> for Verdict {
    fn from(checked: Checked) -> Self {
        match checked {
            Ok(()) => Self::Holds,
            Err(Failure::NotApplicable(why)) => Self::NotApplicable(why),
            Err(Failure::Violated(seen)) => Self::Violated(seen),
        }
    }
}

/// What came of each clause of a suite, in its order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The clauses by name, with the time that each took.
    pub clauses: Vec<(&'static str, Verdict, Duration)>,
}

impl Report {
    pub(super) async fn check<H: ?Sized>(&mut self, clause: &Clause<H>, harness: &H) {
        let started = Instant::now();
        let verdict = Verdict::from(clause.check(harness).await);
        self.clauses.push((clause.name, verdict, started.elapsed()));
    }

    /// Whether no clause is violated.
    pub fn is_good(&self) -> bool {
        self.violated().next().is_none()
    }

    /// The names of the clauses that are violated.
    pub fn violated(&self) -> impl Iterator<Item = &'static str> {
        self.clauses
            .iter()
            .filter(|(_, verdict, _)| matches!(verdict, Verdict::Violated(_)))
            .map(|(name, _, _)| *name)
    }
}

impl fmt::Display for Report {
    /// One line for each clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict, took) in &self.clauses {
            match verdict {
                Verdict::Holds => writeln!(f, "holds           {name} ({} ms)", took.as_millis())?,
                Verdict::NotApplicable(why) => writeln!(f, "not applicable  {name}: {why}")?,
                Verdict::Violated(seen) => writeln!(f, "VIOLATED        {name}: {seen}")?,
            }
        }
        Ok(())
    }
}
