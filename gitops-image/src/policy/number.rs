//! Numbers in tags.

use std::cmp::Ordering;

/// A decimal number of any length, exactly: build numbers and times with nanoseconds are longer than what a machine's number
/// tells apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'t> {
    negative: bool,
    /// Without zeros in front.
    whole: &'t str,
    /// Without zeros at the end.
    fraction: &'t str,
}

impl<'t> Number<'t> {
    /// Reads `12`, `-12` or `12.5`.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let is_number =
            !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        is_number.then_some(Self { negative: negative && !is_zero, whole, fraction })
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole, number.fraction);
        match (self.negative, other.negative) {
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for bad in
            ["", "-", ".", "1.", ".5", "1a", "1e3", "0x1", "+1", "1_000", "--1", "1.2.3", "inf", "NaN", "१"]
        {
            assert!(Number::parse(bad).is_none(), "{bad:?}");
        }
        let number = |text| Number::parse(text).unwrap();
        assert_eq!(number("007.50"), number("7.5"));
        assert_eq!(number("-0"), number("0.0"));
        assert!(number("18446744073709551617") > number("18446744073709551616"));
        assert!(number("0.30000000000000000001") > number("0.3"));
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_numbers(a in -1000_i32..1000, b in -1000_i32..1000, zeros in 0_usize..3) {
            // Hundredths, so that there are fractions.
            let text = |n: i32| {
                let sign = if n < 0 { "-" } else { "" };
                format!("{sign}{}{}.{:02}", "0".repeat(zeros), n.abs() / 100, n.abs() % 100)
            };
            let (left, right) = (text(a), text(b));
            prop_assert_eq!(Number::parse(&left).unwrap().cmp(&Number::parse(&right).unwrap()), a.cmp(&b));
        }
    }
}
