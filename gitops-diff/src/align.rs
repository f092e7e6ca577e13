//! Which item of one list is which item of another.

use std::collections::HashMap;

use crate::PathElement;

/// Two lists laid side by side by the names of their items.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    /// Positions in both lists, in the order of the second.
    pub(crate) matched: Vec<Matched>,
    /// Positions in the first list of what the second lacks.
    pub(crate) removed: Vec<usize>,
    /// Positions in the second list of what the first lacks.
    pub(crate) added: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Whether it is one of the fewest items that must move for the orders to agree.
    pub(crate) moved: bool,
}

/// Lays two lists of unique names side by side.
pub(crate) fn align(from: &[PathElement], to: &[PathElement]) -> Aligned {
    let index: HashMap<&PathElement, usize> =
        to.iter().enumerate().map(|(at, element)| (element, at)).collect();
    let mut of_to = vec![None; to.len()];
    let mut aligned = Aligned::default();
    for (at, element) in from.iter().enumerate() {
        match index.get(element).and_then(|to| of_to.get_mut(*to)) {
            Some(slot @ None) => *slot = Some(at),
            _ => aligned.removed.push(at),
        }
    }
    for (to, from) in of_to.into_iter().enumerate() {
        match from {
            Some(from) => aligned.matched.push(Matched { from, to, moved: true }),
            None => aligned.added.push(to),
        }
    }
    let positions: Vec<usize> = aligned.matched.iter().map(|m| m.from).collect();
    for stays in longest_increasing(&positions) {
        if let Some(matched) = aligned.matched.get_mut(stays) {
            matched.moved = false;
        }
    }
    aligned
}

/// Positions of a longest increasing subsequence.
pub(crate) fn longest_increasing(values: &[usize]) -> Vec<usize> {
    // `tails[n]`: the position of the smallest value that ends a subsequence of length n + 1.
    let mut tails: Vec<usize> = Vec::new();
    let mut before = vec![None; values.len()];
    for (at, value) in values.iter().enumerate() {
        let length = tails.partition_point(|tail| values.get(*tail) < Some(value));
        if let (Some(slot), Some(shorter)) = (before.get_mut(at), length.checked_sub(1)) {
            *slot = tails.get(shorter).copied();
        }
        match tails.get_mut(length) {
            Some(tail) => *tail = at,
            None => tails.push(at),
        }
    }
    let mut sequence = Vec::with_capacity(tails.len());
    let mut at = tails.last().copied();
    while let Some(position) = at {
        sequence.push(position);
        at = before.get(position).copied().flatten();
    }
    sequence.reverse();
    sequence
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fewest_items_move() {
        assert_eq!(longest_increasing(&[]), Vec::<usize>::new());
        assert_eq!(longest_increasing(&[1, 2, 3, 0]), [0, 1, 2]);
        assert_eq!(longest_increasing(&[3, 0, 1, 2]), [1, 2, 3]);
        assert_eq!(longest_increasing(&[2, 1, 0]).len(), 1);
    }

    #[test]
    fn lists_side_by_side() {
        let names = |items: &[i32]| items.iter().map(|i| PathElement::Value(json!(i))).collect::<Vec<_>>();
        let aligned = align(&names(&[1, 2, 3]), &names(&[3, 1, 4]));
        assert_eq!(aligned.removed, [1]);
        assert_eq!(aligned.added, [2]);
        assert_eq!(aligned.matched.iter().filter(|m| m.moved).count(), 1);
    }

    proptest! {
        #[test]
        fn the_sequence_increases(values in proptest::collection::vec(0_usize..20, 0..20)) {
            let sequence: Vec<_> = longest_increasing(&values).into_iter().map(|at| values[at]).collect();
            prop_assert!(sequence.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
