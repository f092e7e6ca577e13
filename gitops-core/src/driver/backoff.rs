//! How long to wait before another attempt.

use std::time::Duration;

use crate::cx::FOR_EVER;

/// Waits that double with each failure, up to a limit, spread by jitter so that many failures do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Backoff {
    /// The wait after the first failure.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
    /// The share of a wait that is left to chance, from 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    /// One second, doubling up to five minutes, a fifth of it left to chance.
    fn default() -> Self {
        Self { base: Duration::from_secs(1), max: Duration::from_secs(300), jitter: 0.2 }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row (at least one). `roll` decides the jitter: any value, uniformly
    /// distributed. No wait is longer than [`max`](Self::max).
    pub fn after(&self, failures: u32, roll: u64) -> Duration {
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        shorten(doubled.min(self.max), self.jitter, roll)
    }
}

/// An interval with a share of it left to chance: between `1 - jitter` and 1 times as long.
pub(super) fn shorten(interval: Duration, jitter: f64, roll: u64) -> Duration {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    // The top 53 bits are as many as an f64 holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit into an f64")]
    let chance = (roll >> 11) as f64 / (1_u64 << 53) as f64;
    interval.min(FOR_EVER).mul_f64(1.0 - jitter * chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let waits: Vec<u64> = (1..=10).map(|n| backoff.after(n, 0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(backoff.after(u32::MAX, 7).as_secs(), 300);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_share(failures in 1_u32..50, roll: u64, jitter in 0.0_f64..=1.0) {
            let backoff = Backoff { jitter, ..Backoff::default() };
            let full = Backoff { jitter: 0.0, ..backoff }.after(failures, roll);
            let wait = backoff.after(failures, roll);
            prop_assert!(wait <= full);
            prop_assert!(wait + Duration::from_nanos(1) >= full.mul_f64(1.0 - jitter));
        }
    }
}
