//! When a prune is too large to happen without a person.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Prune;

/// Deletions up to this number need no approval, unless they are all there is.
const ALWAYS_FINE: usize = 10;

/// A plan that would delete too much to be carried out without approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Guard {
    /// How many members would be deleted.
    pub prune: usize,
    /// Of how many.
    pub members: usize,
    /// How many may be deleted without approval.
    pub limit: usize,
    /// How many of those that would be deleted destroy more than themselves: a namespace, a type definition.
    #[serde(default)]
    pub precious: usize,
}

/// What a plan would delete.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deletions {
    /// How many members.
    pub(super) prune: usize,
    /// Of these, how many destroy more than themselves.
    pub(super) precious: usize,
    /// How many members are not desired, whether they are deleted or kept.
    pub(super) leftover: usize,
}

impl Guard {
    /// Weighs deletions of so many members. It trips if no member would be left that is desired, if more than max(10,
    /// `max_percent` of the members) would be deleted, and for each deletion of something that may hold what is not ours.
    pub(super) fn check(policy: Prune, deletions: Deletions, members: usize) -> Option<Self> {
        let Prune::Guarded { max_percent } = policy else { return None };
        let Deletions { prune, precious, leftover } = deletions;
        let share = members.saturating_mul(usize::from(max_percent)) / 100;
        let limit = share.max(ALWAYS_FINE);
        let is_much = leftover >= members || prune > limit || precious > 0;
        (prune > 0 && is_much).then_some(Self { prune, members, limit, precious })
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "would prune {} of {}", self.prune, self.members)?;
        if self.precious > 0 && self.prune < self.members && self.prune <= self.limit {
            f.write_str(", and all that they hold")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(policy: Prune, prune: usize, leftover: usize, members: usize) -> Option<Guard> {
        Guard::check(policy, Deletions { prune, leftover, precious: 0 }, members)
    }

    #[test]
    fn all_or_many_need_approval() {
        let trips = |prune, members| check(Prune::GUARDED, prune, prune, members).is_some();
        assert!(!trips(0, 0) && !trips(0, 5) && !trips(4, 5) && !trips(10, 11) && !trips(20, 100));
        assert!(trips(1, 1) && trips(5, 5) && trips(11, 12) && trips(21, 100));
        assert!(check(Prune::Unguarded, 5, 5, 5).is_none());
        // A namespace that is kept does not make deleting all it holds any smaller.
        assert!(check(Prune::GUARDED, 4, 5, 5).is_some());
    }

    #[test]
    fn what_may_hold_what_is_not_ours_needs_approval() {
        let one = Deletions { prune: 1, leftover: 1, precious: 1 };
        let guard = Guard::check(Prune::GUARDED, one, 100).unwrap();
        assert_eq!(guard.to_string(), "would prune 1 of 100, and all that they hold");
        assert!(Guard::check(Prune::Unguarded, one, 100).is_none());
    }

    proptest! {
        #[test]
        fn more_deletions_never_need_less_approval(members in 0_usize..500, prune in 0_usize..500) {
            if check(Prune::GUARDED, prune, prune, members).is_some() {
                prop_assert!(check(Prune::GUARDED, prune + 1, prune + 1, members).is_some());
            }
        }
    }
}
