//! Durations and times, as Go reads them.

/// A `metav1.Duration` in nanoseconds: `1h30m`, `1.5h`, `-20ms` (Go's `time.ParseDuration`).
pub(super) fn duration(text: &str) -> Option<i128> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let unit: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(unit)?)?.checked_add(part(fraction, unit))?;
        if total > i128::from(i64::MAX) + i128::from(negative) {
            return None;
        }
        rest = after;
    }
    Some(if negative { -total } else { total })
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// That part of a unit that the digits behind a point are. No unit has more than 13 digits that count.
fn part(fraction: &str, unit: i128) -> i128 {
    let (mut value, mut scale) = (0_i128, 1_i128);
    for digit in fraction.bytes().take(18) {
        value = value * 10 + i128::from(digit - b'0');
        scale *= 10;
    }
    value * unit / scale
}

/// A time as seconds since 1970 and nanoseconds: RFC 3339, as `metav1.Time` and `metav1.MicroTime` are read.
pub(super) fn time(text: &str) -> Option<(i64, u32)> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let signs = [(4, '-'), (7, '-'), (10, 'T'), (13, ':'), (16, ':')];
    if !signs.iter().all(|(at, sign)| text.get(*at..=*at).is_some_and(|c| c.starts_with(*sign))) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(after) => digits(after),
        None => ("", rest),
    };
    if rest.starts_with('.') && fraction.is_empty() {
        return None;
    }
    let nanos = u32::try_from(part(fraction, 1_000_000_000)).ok()?;
    let offset = match zone.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) =>
        {
            let two = |a: &u8, b: &u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
            let (hours, minutes) = (two(h1, h2), two(m1, m2));
            if hours > 23 || minutes > 59 {
                return None;
            }
            (if *sign == b'-' { -1 } else { 1 }) * (hours * 60 + minutes) * 60
        }
        _ => return None,
    };
    Some((days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset, nanos))
}

/// Days of the Gregorian calendar, with years that begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        for (a, b) in [
            ("60s", "1m0s"),
            ("8760h", "8760h0m0s"),
            ("1.5h", "1h30m"),
            ("-20ms", "-0.02s"),
            ("0", "0s"),
            (".5s", "500ms"),
            ("1us", "1µs"),
            ("+1h", "3600s"),
            ("5.s", "5s"),
        ] {
            assert!(duration(a).is_some() && duration(a) == duration(b), "{a} {b}");
        }
        for text in ["", "1", "1d", "s", ".s", "1h-1m", "-", "9223372036854775808ns", "1 h", "1hh"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_ne!(duration("1s"), duration("1s1ns"));
    }

    #[test]
    fn times() {
        assert_eq!(time("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(time("2026-11-21T12:00:00.5+01:00"), time("2026-11-21T11:00:00.500Z"));
        assert_eq!(time("2000-03-01T00:00:00Z"), Some((951_868_800, 0)));
        assert_eq!(time("0001-01-01T00:00:00Z"), Some((-62_135_596_800, 0)));
        assert_eq!(time("2024-02-29T00:00:00-00:30"), Some((1_709_166_600, 0)));
        for text in [
            "2023-02-29T00:00:00Z",
            "2026-11-21",
            "2026-11-21T12:00:00",
            "2026-11-21T12:00:00.Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "é026-11-21T12:00:00Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(any: String, near in "[-+.0-9hmsuµnTZ:]{0,24}") {
            for text in [any, near] {
                let _ = (duration(&text), time(&text));
            }
        }
    }
}
