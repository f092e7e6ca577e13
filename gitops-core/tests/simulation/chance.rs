//! Choices that can be made again.

use std::time::Duration;

use gitops_core::Dice;

/// A sequence of choices: the same for the same seed. Each part of a world has its own, so that one more choice in one part
/// does not move those of the others.
#[derive(Debug)]
pub(crate) struct Chance(Dice);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Dice::seeded(seed))
    }

    pub(crate) fn split(&self) -> Self {
        Self::new(self.roll())
    }

    pub(crate) fn roll(&self) -> u64 {
        self.0.roll()
    }

    /// Less than `end`, which is not 0.
    pub(crate) fn below(&self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    /// True so many times in a thousand.
    pub(crate) fn permille(&self, times: u64) -> bool {
        self.roll() % 1000 < times
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&self, times: u64) -> bool {
        self.permille(times * 10)
    }

    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of several; none if there are none.
    pub(crate) fn any<T: Clone>(&self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| self.pick(from).clone())
    }

    /// A time up to this, to the millisecond.
    pub(crate) fn time(&self, up_to: Duration) -> Duration {
        Duration::from_millis(self.roll() % u64::try_from(up_to.as_millis()).unwrap().max(1))
    }
}
