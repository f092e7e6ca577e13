//! What others say, made fit for an error.

use std::error::Error;

use gitops_core::one_line;

/// An error and its causes as one short line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = next.source();
    }
    shorten(&text)
}

/// Foreign text as one line of at most 500 characters.
pub fn shorten(text: &str) -> String {
    one_line(text.trim()).chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_short_and_on_one_line() {
        assert_eq!(shorten(" a\nb "), "a b");
        assert_eq!(shorten(&"x".repeat(9000)).len(), 500);
    }
}
