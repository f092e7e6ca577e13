//! Which tags count, and what of them is compared.

use std::borrow::Cow;

use regex_lite::{Captures, Regex, RegexBuilder};

use super::InvalidPolicy;

/// Longer patterns are nobody's.
const MAX_LENGTH: usize = 1024;
/// What a pattern may take when it is compiled, in bytes: the time for a tag grows with it.
const MAX_SIZE: usize = 256 * 1024;
/// How deep a pattern may be nested.
const MAX_DEPTH: u32 = 50;

/// A pattern that tags must match, and what is taken of them.
#[derive(Debug, Clone)]
pub(super) struct TagFilter {
    pattern: Regex,
    extract: Option<Template>,
}

impl TagFilter {
    pub(super) fn new(pattern: &str, extract: Option<&str>) -> Result<Self, InvalidPolicy> {
        let invalid = |reason: String| InvalidPolicy::Pattern { pattern: shown(pattern), reason };
        if pattern.len() > MAX_LENGTH {
            return Err(invalid(format!("it is longer than {MAX_LENGTH} characters")));
        }
        let pattern = RegexBuilder::new(pattern)
            .size_limit(MAX_SIZE)
            .nest_limit(MAX_DEPTH)
            .build()
            .map_err(|error| invalid(error.to_string()))?;
        // As in Flux, an empty template takes the whole tag.
        let extract = extract.filter(|template| !template.is_empty());
        let extract = extract.map(|template| Template::parse(template, &pattern)).transpose()?;
        Ok(Self { pattern, extract })
    }

    /// What of a tag is compared, if it counts.
    pub(super) fn value<'t>(&self, tag: &'t str) -> Option<Cow<'t, str>> {
        match &self.extract {
            None => self.pattern.is_match(tag).then_some(Cow::Borrowed(tag)),
            Some(template) => self.pattern.captures(tag).map(|found| Cow::Owned(template.expand(&found))),
        }
    }
}

/// Text with groups of a match in it: `$name`, `$1`, `${name}`, and `$$` for the sign itself.
#[derive(Debug, Clone)]
struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Group(usize),
}

impl Template {
    /// Reads a template as Go's `regexp.Expand` does; but a group that the pattern does not have is an error.
    fn parse(template: &str, pattern: &Regex) -> Result<Self, InvalidPolicy> {
        let invalid = |reason: String| InvalidPolicy::Extract { template: shown(template), reason };
        if template.len() > MAX_LENGTH {
            return Err(invalid(format!("it is longer than {MAX_LENGTH} characters")));
        }
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('$') {
            parts.push(Part::Text(text.to_owned()));
            if let Some(after) = after.strip_prefix('$') {
                parts.push(Part::Text("$".to_owned()));
                rest = after;
                continue;
            }
            let end_of_word = |text: &str| {
                text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
            };
            let (name, after) = match after.strip_prefix('{') {
                Some(braced) => {
                    braced.split_once('}').ok_or_else(|| invalid("a { is not closed".to_owned()))?
                }
                None => after.split_at(end_of_word(after)),
            };
            parts.push(Part::Group(group(name, pattern).ok_or_else(|| {
                invalid(format!("the pattern has no group {name:?}; write $$ for a dollar sign"))
            })?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// A group that took no part in the match is empty.
    fn expand(&self, found: &Captures<'_>) -> String {
        let text = |part| match part {
            &Part::Group(index) => found.get(index).map_or("", |group| group.as_str()),
            Part::Text(text) => text.as_str(),
        };
        self.0.iter().map(text).collect()
    }
}

/// The index of a group that is named, or numbered.
fn group(name: &str, pattern: &Regex) -> Option<usize> {
    if let Ok(number) = name.parse::<usize>() {
        return (number < pattern.captures_len()).then_some(number);
    }
    pattern.capture_names().position(|known| known == Some(name))
}

fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(pattern: &str, extract: &str, tag: &str) -> Option<String> {
        let filter = TagFilter::new(pattern, Some(extract)).unwrap();
        filter.value(tag).map(Cow::into_owned)
    }

    #[test]
    fn templates_are_expanded_as_in_go() {
        let pattern = "^(?P<branch>[a-z]+)-([0-9]+)(-x)?$";
        for (extract, expected) in [
            ("", "main-12"),
            ("$branch", "main"),
            ("$2", "12"),
            ("${2}0", "120"),
            ("$0", "main-12"),
            ("$branch.$2", "main.12"),
            ("$$$2", "$12"),
            ("[$3]", "[]"),
            ("a", "a"),
        ] {
            assert_eq!(value(pattern, extract, "main-12").as_deref(), Some(expected), "{extract}");
        }
        assert_eq!(value(pattern, "$2", "main"), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (pattern, extract) in [
            ("(", ""),
            ("(a){5000}", ""),
            (&*"(".repeat(100), ""),
            (&*"a".repeat(2000), ""),
            ("(?P<ts>.*)", "$time"),
            // The longest name counts.
            ("(?P<ts>.*)", "$ts0"),
            ("(a)", "$2"),
            ("(a)", "$"),
            ("(a)", "${1"),
            ("(a)", "$99999999999999999999999"),
            ("a(?=b)", ""),
            (r"(a)\1", ""),
        ] {
            assert!(TagFilter::new(pattern, Some(extract)).is_err(), "{pattern:.20} {extract}");
        }
    }

    /// What takes other engines for ever.
    #[test]
    fn time_is_linear_in_the_tag() {
        let begin = std::time::Instant::now();
        for _ in 0..1000 {
            assert_eq!(value("^(([a-z])+.)+[A-Z]([a-z])+$", "$1", &"a".repeat(128)), None);
        }
        assert!(begin.elapsed().as_secs() < 20);
    }
}
