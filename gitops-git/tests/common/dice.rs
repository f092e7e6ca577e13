//! Chance that follows from a seed, and the seeds of a run.

use std::ops::Range;

/// Numbers that follow from a seed (`SplitMix64`).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    pub fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len());
        &items[at]
    }
}

/// The seeds of this run: `<name>_SEEDS` says how many, `<name>_FIRST` with which to begin, and `<name>_SEED` runs one
/// again.
pub fn seeds(name: &str, usual: u64) -> Range<u64> {
    let read =
        |end: &str| std::env::var(format!("{name}_{end}")).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = read("SEED") {
        return seed..seed + 1;
    }
    let first = read("FIRST").unwrap_or(1);
    first..first + read("SEEDS").unwrap_or(usual)
}
