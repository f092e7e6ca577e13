//! The two sorts of Go's standard library, step by step.
//!
//! Kubernetes hands them comparisons that are no strict order (`<=`, or "true" for what cannot be compared), so that the
//! place of equal items depends on the algorithm itself. Sources: Go's `sort/zsortinterface.go` and `sort/sort.go`
//! (pattern-defeating quicksort with insertion sort up to twelve items; stable insertion sort of blocks with `SymMerge`).

/// Up to this length, pieces are sorted by insertion.
const INSERTION: usize = 12;
/// From this length on, the pivot is a median of medians and short runs are mended by shifting.
const LONG: usize = 50;
/// How many pairs that are out of order are mended by shifting.
const SHIFTS: usize = 5;
/// The size of the blocks that the stable sort begins with.
const BLOCK: usize = 20;

/// What Go's `sort.Sort` does to `items`.
pub(super) fn sort<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let (end, limit) = (items.len(), bits(items.len()));
    if end > 1 {
        Sorter { items, less }.quicksort(0, end, limit);
    }
}

/// What Go's `sort.SliceStable` does to `items`.
pub(super) fn sort_stable<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    Sorter { items, less }.stable();
}

/// How many bits a number has.
fn bits(n: usize) -> u32 {
    usize::BITS - n.leading_zeros()
}

#[derive(PartialEq)]
enum Hint {
    Increasing,
    Decreasing,
    Unknown,
}

struct Sorter<'a, T, L> {
    items: &'a mut [T],
    less: L,
}

impl<T, L: Fn(&T, &T) -> bool> Sorter<'_, T, L> {
    fn less(&self, i: usize, j: usize) -> bool {
        (self.less)(&self.items[i], &self.items[j])
    }

    fn swap(&mut self, i: usize, j: usize) {
        self.items.swap(i, j);
    }

    fn insertion(&mut self, from: usize, to: usize) {
        for start in from + 1..to {
            let mut at = start;
            while at > from && self.less(at, at - 1) {
                self.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn quicksort(&mut self, mut from: usize, mut to: usize, mut limit: u32) {
        let (mut balanced, mut partitioned) = (true, true);
        loop {
            let length = to - from;
            if length <= INSERTION {
                return self.insertion(from, to);
            }
            if limit == 0 {
                return self.heap_sort(from, to);
            }
            if !balanced {
                self.break_patterns(from, to);
                limit -= 1;
            }
            let (mut pivot, mut hint) = self.choose_pivot(from, to);
            if hint == Hint::Decreasing {
                self.items[from..to].reverse();
                pivot = (to - 1) - (pivot - from);
                hint = Hint::Increasing;
            }
            if balanced && partitioned && hint == Hint::Increasing && self.mend(from, to) {
                return;
            }
            if from > 0 && !self.less(from - 1, pivot) {
                from = self.partition_equal(from, to, pivot);
                continue;
            }
            let (middle, already) = self.partition(from, to, pivot);
            partitioned = already;
            let (left, right) = (middle - from, to - middle);
            if left < right {
                balanced = left >= length / 8;
                self.quicksort(from, middle, limit);
                from = middle + 1;
            } else {
                balanced = right >= length / 8;
                self.quicksort(middle + 1, to, limit);
                to = middle;
            }
        }
    }

    /// Smaller items than the pivot to its left, the others to its right; tells where it is then.
    fn partition(&mut self, from: usize, to: usize, pivot: usize) -> (usize, bool) {
        self.swap(from, pivot);
        let (mut i, mut j) = (from + 1, to - 1);
        self.close_in(from, &mut i, &mut j);
        if i > j {
            self.swap(j, from);
            return (j, true);
        }
        while i <= j {
            self.swap(i, j);
            i += 1;
            j -= 1;
            self.close_in(from, &mut i, &mut j);
        }
        self.swap(j, from);
        (j, false)
    }

    fn close_in(&self, pivot: usize, i: &mut usize, j: &mut usize) {
        while *i <= *j && self.less(*i, pivot) {
            *i += 1;
        }
        while *i <= *j && !self.less(*j, pivot) {
            *j -= 1;
        }
    }

    /// Items equal to the pivot first; tells where the greater ones begin.
    fn partition_equal(&mut self, from: usize, to: usize, pivot: usize) -> usize {
        self.swap(from, pivot);
        let (mut i, mut j) = (from + 1, to - 1);
        loop {
            while i <= j && !self.less(from, i) {
                i += 1;
            }
            while i <= j && self.less(from, j) {
                j -= 1;
            }
            if i > j {
                return i;
            }
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
    }

    /// Mends a few pairs that are out of order; whether all is in order then.
    fn mend(&mut self, from: usize, to: usize) -> bool {
        let mut at = from + 1;
        for _ in 0..SHIFTS {
            while at < to && !self.less(at, at - 1) {
                at += 1;
            }
            if at == to {
                return true;
            }
            if to - from < LONG {
                return false;
            }
            self.swap(at, at - 1);
            if at - from >= 2 {
                // Beyond `from`, as far as the comparison says: so does the original.
                let mut left = at - 1;
                while left >= 1 && self.less(left, left - 1) {
                    self.swap(left, left - 1);
                    left -= 1;
                }
            }
            if to - at >= 2 {
                let mut right = at + 1;
                while right < to && self.less(right, right - 1) {
                    self.swap(right, right - 1);
                    right += 1;
                }
            }
        }
        false
    }

    /// Scatters three items, always the same way for a length.
    fn break_patterns(&mut self, from: usize, to: usize) {
        let length = to - from;
        if length < 8 {
            return;
        }
        let mut random = length as u64;
        let mask = (1_u64 << bits(length)) - 1;
        let middle = from + (length / 4) * 2;
        for at in middle - 1..=middle + 1 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Below twice the length: the mask is.
            let mut other = usize::try_from(random & mask).unwrap_or_default();
            if other >= length {
                other -= length;
            }
            self.swap(at, from + other);
        }
    }

    fn choose_pivot(&self, from: usize, to: usize) -> (usize, Hint) {
        let length = to - from;
        let quarter = length / 4;
        let (mut i, mut j, mut k) = (from + quarter, from + quarter * 2, from + quarter * 3);
        let mut swaps = 0;
        if length >= 8 {
            if length >= LONG {
                i = self.median(i - 1, i, i + 1, &mut swaps);
                j = self.median(j - 1, j, j + 1, &mut swaps);
                k = self.median(k - 1, k, k + 1, &mut swaps);
            }
            j = self.median(i, j, k, &mut swaps);
        }
        match swaps {
            0 => (j, Hint::Increasing),
            12 => (j, Hint::Decreasing),
            _ => (j, Hint::Unknown),
        }
    }

    fn median(&self, a: usize, b: usize, c: usize, swaps: &mut u32) -> usize {
        let mut order = |x, y| {
            if self.less(y, x) {
                *swaps += 1;
                (y, x)
            } else {
                (x, y)
            }
        };
        let (a, b) = order(a, b);
        let (b, _) = order(b, c);
        order(a, b).1
    }

    fn heap_sort(&mut self, from: usize, to: usize) {
        let length = to - from;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift_down(root, length, from);
        }
        for last in (0..length).rev() {
            self.swap(from, from + last);
            self.sift_down(0, last, from);
        }
    }

    fn sift_down(&mut self, mut root: usize, end: usize, first: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= end {
                return;
            }
            if child + 1 < end && self.less(first + child, first + child + 1) {
                child += 1;
            }
            if !self.less(first + root, first + child) {
                return;
            }
            self.swap(first + root, first + child);
            root = child;
        }
    }

    fn stable(&mut self) {
        let end = self.items.len();
        let mut from = 0;
        while from + BLOCK <= end {
            self.insertion(from, from + BLOCK);
            from += BLOCK;
        }
        self.insertion(from, end);
        let mut block = BLOCK;
        while block < end {
            let mut from = 0;
            while from + 2 * block <= end {
                self.merge(from, from + block, from + 2 * block);
                from += 2 * block;
            }
            if from + block < end {
                self.merge(from, from + block, end);
            }
            block *= 2;
        }
    }

    /// Merges two neighbouring sorted runs in place; neither is empty.
    fn merge(&mut self, from: usize, middle: usize, to: usize) {
        if middle - from == 1 {
            let at = bisect(middle, to, |i| self.less(i, from));
            self.items[from..at].rotate_left(1);
            return;
        }
        if to - middle == 1 {
            let at = bisect(from, middle, |i| !self.less(middle, i));
            self.items[at..=middle].rotate_right(1);
            return;
        }
        let half = usize::midpoint(from, to);
        let sum = half + middle;
        let (low, high) = if middle > half { (sum - to, half) } else { (from, middle) };
        let start = bisect(low, high, |i| !self.less(sum - 1 - i, i));
        let end = sum - start;
        if start < middle && middle < end {
            self.items[start..end].rotate_left(middle - start);
        }
        if from < start && start < half {
            self.merge(from, start, half);
        }
        if half < end && end < to {
            self.merge(half, end, to);
        }
    }
}

/// The first number for which `before` does not hold, found by halving.
fn bisect(mut low: usize, mut high: usize, before: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = usize::midpoint(low, high);
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of a key below `keys` and the place where it was.
    fn pairs(length: u64, keys: u64) -> Vec<(u64, u64)> {
        let mut state = length;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % keys
        };
        (0..length).map(|at| (next(), at)).collect()
    }

    /// A number that tells one order from another.
    fn sum(pairs: &[(u64, u64)]) -> u64 {
        pairs.iter().fold(0, |sum: u64, (_, at)| sum.wrapping_mul(31).wrapping_add(*at))
    }

    /// The sums come from a Go program that makes the same pairs and sorts them with `sort.Sort`.
    #[test]
    fn equal_keys_end_up_where_go_leaves_them() {
        for (length, keys, expected) in [
            (5, 2, 1_850_980),
            (12, 3, 283_014_972_330_234_456),
            (13, 3, 6_608_830_952_632_682_088),
            (20, 4, 8_598_018_851_193_145_486),
            (49, 7, 13_443_780_171_250_857_404),
            (50, 5, 11_449_720_256_646_459_923),
            (60, 60, 2_956_864_409_092_511_484),
            (200, 9, 15_685_053_183_460_449_124),
            (200, 1000, 11_009_673_995_658_931_114),
            (1000, 1, 10_526_399_949_795_513_778),
            (1000, 37, 6_434_579_484_934_988_382),
            (3000, 100_000, 1_103_707_929_592_241_556),
        ] {
            let mut pairs = pairs(length, keys);
            sort(&mut pairs, |a, b| a.0 <= b.0);
            assert!(pairs.is_sorted_by_key(|pair| pair.0));
            assert_eq!(sum(&pairs), expected, "{length} of {keys}");
        }
        let mut rising: Vec<_> = (0..300).map(|at| (at, at)).collect();
        rising.swap(10, 11);
        rising.swap(200, 201);
        sort(&mut rising, |a, b| a.0 <= b.0);
        assert_eq!(sum(&rising), 17_840_791_099_072_486_550);
        let mut falling: Vec<_> = (0..300).map(|at| (300 - at, at)).collect();
        sort(&mut falling, |a, b| a.0 <= b.0);
        assert_eq!(sum(&falling), 6_997_272_224_481_239_466);
    }

    /// The same for `sort.SliceStable`, with a comparison that is true for what it cannot compare.
    #[test]
    fn so_do_keys_without_an_order() {
        for (length, keys, expected) in [
            (5, 2, 1_879_840),
            (20, 3, 7_473_995_294_703_362_596),
            (21, 3, 2_620_236_640_758_092_332),
            (45, 10, 2_665_359_955_311_287_616),
            (100, 13, 16_363_621_328_648_950_052),
            (700, 50, 9_852_249_175_819_492_276),
        ] {
            let mut pairs = pairs(length, keys);
            sort_stable(&mut pairs, |a, b| if a.0 % 3 != 0 && b.0 % 3 != 0 { a.0 < b.0 } else { true });
            assert_eq!(sum(&pairs), expected, "{length} of {keys}");
        }
    }
}
