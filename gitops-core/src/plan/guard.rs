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
}

impl Guard {
    /// Weighs a number of deletions. It trips if no member would be left that is desired (`leftover` counts those that are
    /// not, whether they are deleted or kept), or if more than max(10, `max_percent` of the members) would be deleted.
    pub(super) fn check(policy: Prune, prune: usize, leftover: usize, members: usize) -> Option<Self> {
        let Prune::Guarded { max_percent } = policy else { return None };
        let share = members.saturating_mul(usize::from(max_percent)) / 100;
        let limit = share.max(ALWAYS_FINE);
        (prune > 0 && (leftover >= members || prune > limit)).then_some(Self { prune, members, limit })
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "would prune {} of {}", self.prune, self.members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_or_many_need_approval() {
        let trips = |prune, members| Guard::check(Prune::GUARDED, prune, prune, members).is_some();
        assert!(!trips(0, 0) && !trips(0, 5) && !trips(4, 5) && !trips(10, 11) && !trips(20, 100));
        assert!(trips(1, 1) && trips(5, 5) && trips(11, 12) && trips(21, 100));
        assert!(Guard::check(Prune::Unguarded, 5, 5, 5).is_none());
        // A namespace that is kept does not make deleting all it holds any smaller.
        assert!(Guard::check(Prune::GUARDED, 4, 5, 5).is_some());
    }

    proptest! {
        #[test]
        fn more_deletions_never_need_less_approval(members in 0_usize..500, prune in 0_usize..500) {
            if Guard::check(Prune::GUARDED, prune, prune, members).is_some() {
                prop_assert!(Guard::check(Prune::GUARDED, prune + 1, prune + 1, members).is_some());
            }
        }
    }
}
