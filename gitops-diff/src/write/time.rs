//! Times of managedFields entries, as far as their order goes.

/// Seconds since 1970 of a time in RFC 3339; zero for what is none, as for an entry without a time.
pub(super) fn seconds(text: &str) -> i64 {
    parse(text.as_bytes()).unwrap_or(0)
}

fn parse(text: &[u8]) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits
            .iter()
            .try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let is = |at: usize, c: u8| text.get(at) == Some(&c);
    let marks = is(4, b'-') && is(7, b'-') && (is(10, b'T') || is(10, b't')) && is(13, b':') && is(16, b':');
    if !marks {
        return None;
    }
    let mut rest = text.get(19..)?;
    if let [b'.', fraction @ ..] = rest {
        let end = fraction.iter().position(|c| !c.is_ascii_digit())?;
        rest = fraction.get(end..)?;
    }
    let offset = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h @ b'0'..=b'9', i @ b'0'..=b'9', b':', m @ b'0'..=b'9', n @ b'0'..=b'9'] => {
            let digit = |d: &u8| i64::from(d - b'0');
            let minutes = (digit(h) * 10 + digit(i)) * 60 + digit(m) * 10 + digit(n);
            if *sign == b'+' { minutes * 60 } else { -minutes * 60 }
        }
        _ => return None,
    };
    let days = days(number(0..4)?, number(5..7)?, number(8..10)?);
    Some(days * 86_400 + number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)? - offset)
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_months = (153 * month + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_months + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_since_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), 0);
        assert_eq!(seconds("2026-11-21T12:00:00Z"), 1_795_262_400);
        assert_eq!(seconds("2024-02-29T23:59:59.999Z"), 1_709_251_199);
        assert_eq!(seconds("2024-03-01T01:59:59+02:00"), 1_709_251_199);
        for none in ["", "soon", "2026-11-21", "2026-11-21T12:00:00", "2026-11-21T12:00:00+2:00"] {
            assert_eq!(seconds(none), 0, "{none}");
        }
    }
}
