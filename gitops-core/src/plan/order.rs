//! In which order items are carried out.

use std::cmp::Ordering;

use super::{Decision, Item};

/// What is applied comes by rising rank, then what is taken away by falling rank; each by id.
pub(super) fn sort(items: &mut [Item]) {
    items.sort_by(|a, b| {
        let (gone_a, gone_b) = (is_taken_away(a), is_taken_away(b));
        gone_a
            .cmp(&gone_b)
            .then_with(|| if gone_a { b.rank.cmp(&a.rank) } else { a.rank.cmp(&b.rank) })
            .then_with(|| {
                let order = a.id.cmp(&b.id);
                if gone_a { order.reverse() } else { order }
            })
    });
    debug_assert!(items.is_sorted_by(|a, b| is_taken_away(a).cmp(&is_taken_away(b)) != Ordering::Greater));
}

fn is_taken_away(item: &Item) -> bool {
    matches!(item.decision, Decision::Prune | Decision::Release | Decision::Kept { .. })
}
