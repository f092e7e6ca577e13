//! Kubernetes quantities, compared exactly.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde_json::Value;

/// An amount as Kubernetes writes it: `500m`, `0.5Gi`, `1e3`, `2`.
///
/// Two quantities are equal when they are the same amount, however they are written and however large they are: no
/// float is involved. Amounts below `1n`, which the API server rounds up, are kept as they are.
///
/// ```
/// use gitops_diff::Quantity;
///
/// assert_eq!("0.5Gi".parse::<Quantity>()?, "512Mi".parse()?);
/// assert!("1001m".parse::<Quantity>()? > "1".parse()?);
/// # Ok::<(), gitops_diff::QuantityError>(())
/// ```
#[derive(Clone)]
pub struct Quantity {
    text: Box<str>,
    negative: bool,
    /// Decimal digits without zeros at either end, most significant first; none for zero.
    digits: Box<[u8]>,
    /// The power of ten that the last digit counts.
    exponent: i64,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no quantity: expected a number with a suffix of n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent"
)]
pub struct QuantityError(String);

impl Quantity {
    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Reads a quantity from a tree, where it may be written as a number.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            // The API server takes spaces around it away.
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (tens, kibis) = scale(suffix)?;
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
        for _ in 0..kibis {
            times_1024(&mut digits);
        }
        let mut exponent = tens.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let end = digits.iter().rposition(|d| *d != 0).map_or(0, |last| last + 1);
        exponent = exponent.checked_add(i64::try_from(digits.len() - end).ok()?)?;
        digits.truncate(end);
        let start = digits.iter().position(|d| *d != 0).unwrap_or(0);
        digits.drain(..start);
        let zero = digits.is_empty();
        Some(Self {
            text: text.into(),
            negative: negative && !zero,
            digits: digits.into(),
            exponent: if zero { 0 } else { exponent },
        })
    }

    /// The amount as the API server stores it: below `1n` it rounds up, and with a binary suffix it stops at 2^63 - 1
    /// (`resource/quantity.go, ParseQuantity`).
    #[must_use]
    pub fn stored(&self) -> Self {
        let rounded = self.rounded_up(-9);
        let binary = self.text.ends_with('i');
        match "9223372036854775807".parse::<Self>() {
            Ok(most) if binary && rounded.cmp_absolute(&most) == Ordering::Greater => {
                Self { negative: self.negative, ..most }
            }
            _ => rounded,
        }
    }

    /// The amount as it is stored in a list of resources (`limits`, `requests`, `capacity` …): rounded up to thousandths
    /// (`core/v1/defaults.go, SetDefaults_ResourceList`).
    #[must_use]
    pub fn stored_as_resource(&self) -> Self {
        self.stored().rounded_up(-3)
    }

    /// Rounds away from zero to a multiple of this power of ten.
    fn rounded_up(&self, place: i64) -> Self {
        let mut rounded = self.clone();
        if self.digits.is_empty() || self.exponent >= place {
            return rounded;
        }
        // The digits end in none that is zero, so what is cut off is never nothing.
        let cut = usize::try_from(place.saturating_sub(self.exponent)).unwrap_or(usize::MAX);
        let mut digits = self.digits.to_vec();
        digits.truncate(digits.len().saturating_sub(cut));
        let nines = digits.iter().rev().take_while(|digit| **digit == 9).count();
        digits.truncate(digits.len() - nines);
        match digits.last_mut() {
            Some(last) => *last += 1,
            None => digits.push(1),
        }
        rounded.digits = digits.into();
        rounded.exponent = place.saturating_add(i64::try_from(nines).unwrap_or(i64::MAX));
        rounded
    }

    /// Where the first digit stands: 1 for 1 to 9, 2 for 10 to 99, 0 for 0.1 to 0.99.
    fn magnitude(&self) -> i128 {
        i128::from(self.exponent) + self.digits.len() as i128
    }

    fn cmp_absolute(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // Of the same magnitude, and without zeros at the end, the digits compare like text.
            (false, false) => {
                self.magnitude().cmp(&other.magnitude()).then_with(|| self.digits.cmp(&other.digits))
            }
        }
    }
}

/// A suffix as a power of ten and a power of 1024.
fn scale(suffix: &str) -> Option<(i64, u8)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 1),
        "Mi" => (0, 2),
        "Gi" => (0, 3),
        "Ti" => (0, 4),
        "Pi" => (0, 5),
        "Ei" => (0, 6),
        _ => (i64::from(suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?), 0),
    })
}

/// Multiplies in place, most significant digit first.
fn times_1024(digits: &mut Vec<u8>) {
    let mut carry = 0_u32;
    for digit in digits.iter_mut().rev() {
        let product = u32::from(*digit) * 1024 + carry;
        *digit = u8::try_from(product % 10).unwrap_or_default();
        carry = product / 10;
    }
    let mut front = Vec::new();
    while carry > 0 {
        front.push(u8::try_from(carry % 10).unwrap_or_default());
        carry /= 10;
    }
    digits.splice(..0, front.into_iter().rev());
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Self::parse(text).ok_or_else(|| QuantityError(text.to_owned()))
    }
}

/// As it was written.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quantity({})", self.text)
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.cmp_absolute(other),
            (true, true) => other.cmp_absolute(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.negative.hash(state);
        self.digits.hash(state);
        self.exponent.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn equal_amounts() {
        for (a, b) in [
            ("1000m", "1"),
            ("0.5Gi", "512Mi"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("1E", "1e18"),
            ("1.5Ki", "1536"),
            ("-0", "0"),
            ("0Ei", "0n"),
            ("+5.", "5.00"),
            (".5", "500m"),
            ("1Ei", "1152921504606846976"),
            ("100000000000000000000000000000Ki", "102400000000000000000000000000000"),
            ("1e-3", "1m"),
        ] {
            assert_eq!(q(a), q(b), "{a} {b}");
        }
    }

    #[test]
    fn amounts_as_they_are_stored() {
        for (written, stored, resource) in [
            ("0.1n", "1n", "1m"),
            ("1.5u", "1.5u", "1m"),
            ("1.0001", "1000100u", "1.001"),
            ("0.9999", "999900u", "1"),
            ("-0.0001", "-100u", "-1m"),
            ("999.9991", "999999100u", "1000"),
            ("9Ei", "9223372036854775807", "9223372036854775807"),
            ("9E", "9000000000000000000", "9E"),
            ("100E", "100E", "100E"),
            ("0", "0", "0"),
            ("1e-400", "1n", "1m"),
        ] {
            assert_eq!(q(written).stored(), q(stored), "{written}");
            assert_eq!(q(written).stored_as_resource(), q(resource), "{written}");
        }
    }

    #[test]
    fn order() {
        let sorted =
            ["-1k", "-1", "0", "1n", "0.5", "999m", "1", "9", "10", "1k", "1Ki", "1Ei", "1e40", "1.1e40"];
        for pair in sorted.windows(2) {
            assert!(q(pair[0]) < q(pair[1]), "{pair:?}");
        }
        assert_ne!(q("9007199254740993"), q("9007199254740992"));
        assert!(q("1e2000000000") > q("1"));
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "-",
            ".",
            "1K",
            "1kb",
            "1 Gi",
            "1.2.3",
            "Gi",
            "1e",
            "1e99999999999",
            "0x10",
            "1Gi ",
            "--1",
            "é",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
        assert_eq!(Quantity::from_value(&json!(2)), Some(q("2")));
        assert_eq!(Quantity::from_value(&json!(0.5)), Some(q("500m")));
        assert_eq!(Quantity::from_value(&json!(null)), None);
    }

    proptest! {
        #[test]
        fn agrees_with_whole_numbers(a in 0_u64..u64::MAX / 2, b in any::<u32>(), unit in 0_usize..4) {
            let (suffix, factor) = [("", 1_u128), ("k", 1000), ("Ki", 1024), ("Gi", 1 << 30)][unit];
            let (left, right) = (u128::from(a), u128::from(b) * factor);
            prop_assert_eq!(q(&a.to_string()).cmp(&q(&format!("{b}{suffix}"))), left.cmp(&right));
        }

        #[test]
        fn never_panics(text in "[-+.0-9eEKMGi]{0,12}", any in any::<String>()) {
            for text in [text, any] {
                if let Ok(quantity) = text.parse::<Quantity>() {
                    prop_assert!(quantity.stored_as_resource().cmp_absolute(&quantity) != Ordering::Less || text.ends_with('i'));
                }
            }
        }
    }
}
