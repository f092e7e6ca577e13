//! The README's embed, compiled. The programs are beside this: `quickstart` and `gitops`.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

/// A value as one line of JSON that steers no terminal: JSON itself escapes no controls but those of ASCII, nor what
/// reorders text.
///
/// # Errors
/// Where the value cannot be written as JSON.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    if matches!(gitops_core::one_line(&text), Cow::Borrowed(_)) {
        return Ok(text);
    }
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        // What one_line changes stands in a text: JSON has none of it outside. All of it is below U+10000.
        if matches!(gitops_core::one_line(c.encode_utf8(&mut [0; 4])), Cow::Borrowed(_)) {
            line.push(c);
        } else {
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        }
    }
    Ok(line)
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_reads_back_and_steers_nothing() {
        let text = "a\n\t\u{1b}[m\u{7f}\u{9b}2J\u{85}\u{202e}\u{2066}\u{2028}\u{feff}ü€😀";
        let line = super::json_line(&text).unwrap();
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        assert_eq!(gitops_core::one_line(&line), line);
        assert!(line.ends_with("ü€😀\""), "{line}");
    }
}
