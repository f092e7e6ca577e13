//! Time and randomness, passed in.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::Timestamp;

/// Tells the time of day, for what people read: events, records, health with a grace period.
///
/// Waiting is done with tokio's timers, which tests can pause.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved.
///
/// ```
/// use gitops_core::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
/// let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.now().as_second(), 90);
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`, to the millisecond.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_millisecond()))
    }

    /// Moves the clock forward, to the millisecond.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
    }
}

/// A source of randomness for jitter: it spreads load and is no secret.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// A sequence that is the same for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A sequence that differs from process to process.
    pub fn random() -> Self {
        Self::seeded(RandomState::new().hash_one(0_u8))
    }

    /// The next value (`SplitMix64`, by Steele, Lea and Flood, 2014).
    pub fn roll(&self) -> u64 {
        let mut z =
            self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_sequence() {
        let (a, b) = (Dice::seeded(7), Dice::seeded(7));
        let rolls: Vec<u64> = (0..4).map(|_| a.roll()).collect();
        assert_eq!(rolls, (0..4).map(|_| b.roll()).collect::<Vec<_>>());
        assert_ne!(rolls[0], rolls[1]);
        assert_ne!(Dice::seeded(8).roll(), rolls[0]);
    }
}
