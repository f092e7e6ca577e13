//! Where the items of a list are while others move.

/// Where the items of a list are while they are brought into order one after the other.
pub(super) struct Moving {
    /// The items that have not had their turn, by their first position.
    waiting: Counts,
    /// The items that have, by the first position of the item that stayed last before them, plus one; 0 if there is none.
    done: Counts,
    count: usize,
    last: usize,
}

impl Moving {
    pub(super) fn new(length: usize, kept: impl Iterator<Item = usize>) -> Self {
        let mut waiting = Counts(vec![0; length + 2]);
        kept.for_each(|at| waiting.change(at, 1));
        Self { waiting, done: Counts(vec![0; length + 2]), count: 0, last: 0 }
    }

    /// An item keeps its place among those that stay.
    pub(super) fn stays(&mut self, first: usize) {
        self.waiting.change(first, -1);
        self.last = first + 1;
        self.place();
    }

    /// From where to where an item moves.
    pub(super) fn moves(&mut self, first: usize) -> (usize, usize) {
        let is = self.waiting.below(first) + self.done.below(first + 1);
        self.waiting.change(first, -1);
        (is, self.joins())
    }

    /// Where a new item goes.
    pub(super) fn joins(&mut self) -> usize {
        let target = self.waiting.below(self.last) + self.count;
        self.place();
        target
    }

    fn place(&mut self) {
        self.done.change(self.last, 1);
        self.count += 1;
    }
}

/// Counts by position, and their sums: a binary indexed tree.
struct Counts(Vec<isize>);

impl Counts {
    fn change(&mut self, at: usize, by: isize) {
        let mut node = at + 1;
        while let Some(sum) = self.0.get_mut(node) {
            *sum += by;
            node += node & node.wrapping_neg();
        }
    }

    /// The sum of what is before `at`.
    fn below(&self, at: usize) -> usize {
        let (mut node, mut sum) = (at, 0);
        while node > 0 {
            sum += self.0.get(node).copied().unwrap_or_default();
            node &= node - 1;
        }
        usize::try_from(sum).unwrap_or_default()
    }
}
