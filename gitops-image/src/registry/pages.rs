//! From one page of a list to the next.

use std::collections::HashSet;

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

use super::RegistryError;
use super::answer::Answer;
use super::exchange::{same_server, shown};

/// The pages of one list, as they were seen.
pub(super) struct Pages {
    first: Url,
    seen: HashSet<Url>,
    limit: usize,
}

impl Pages {
    pub(super) fn new(first: Url, limit: usize) -> Self {
        Self { seen: HashSet::from([first.clone()]), first, limit }
    }

    /// The page after an answer, if there is one.
    pub(super) fn after(&mut self, answer: &Answer) -> Result<Option<Url>, RegistryError> {
        let Some(link) = next_link(&answer.headers) else { return Ok(None) };
        let Ok(next) = answer.url.join(&link) else {
            return Err(RegistryError::not_a_registry("the link to its next page is none"));
        };
        self.check(&next, &answer.url)?;
        if self.seen.len() >= self.limit {
            return Err(RegistryError::TooManyPages { limit: self.limit });
        }
        if !self.seen.insert(next.clone()) {
            return Err(RegistryError::not_a_registry("the pages of its list go in a circle"));
        }
        Ok(Some(next))
    }

    /// The next page is one of the same list, on the server that was asked, or on the one that this had sent us to.
    fn check(&self, next: &Url, here: &Url) -> Result<(), RegistryError> {
        let refuse = |reason| Err(RegistryError::RedirectRefused { to: shown(next), reason });
        if !next.username().is_empty() || next.password().is_some() {
            return refuse("the link to the next page brings credentials");
        }
        let is_of_list = |of: &Url| same_server(next, of) && next.path() == of.path();
        if is_of_list(&self.first) || is_of_list(here) {
            return Ok(());
        }
        refuse("the link to the next page leads to another server or another list")
    }
}

/// The target of the link to the next page (RFC 8288).
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(next_of)
}

/// `<target>; rel="next"; …, <target>; …`
fn next_of(mut text: &str) -> Option<String> {
    loop {
        let (target, rest) = text.split_once('<')?.1.split_once('>')?;
        let end = end_of_parameters(rest);
        let is_next =
            rest[..end].split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                name.trim().eq_ignore_ascii_case("rel")
                    && relations.any(|rel| rel.eq_ignore_ascii_case("next"))
            });
        if is_next {
            return Some(target.to_owned());
        }
        text = &rest[end..];
    }
}

/// Where the parameters of a link end: at a comma that is in no quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    let end = text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_what_registries_send() {
        for (header, next) in [
            (r#"</v2/a/tags/list?last=b&n=2>; rel="next""#, Some("/v2/a/tags/list?last=b&n=2")),
            (
                r"<https://r.example/v2/a/tags/list?n=2>;rel=next",
                Some("https://r.example/v2/a/tags/list?n=2"),
            ),
            (r#"</p>; rel="prev first", </n>; title="a, <b>; rel=x"; REL="last Next""#, Some("/n")),
            (r#"</p>; rel="prev""#, None),
            (r#"</p>; title="rel=next""#, None),
            ("</p>", None),
            ("<", None),
            ("", None),
            ("garbage", None),
        ] {
            assert_eq!(next_of(header).as_deref(), next, "{header}");
        }
    }
}
