//! Where the next page of a list is (RFC 8288).

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

/// The query of the next page, if there is one. Only the query is taken of what the server says, so that no server leads us to
/// another one; a server behind a proxy may also not know by which name we reach it.
pub(super) fn next_query(headers: &HeaderMap, asked: &Url) -> Option<String> {
    let lines = headers.get_all(LINK).iter().filter_map(|line| line.to_str().ok());
    let target = lines.flat_map(links).find(|(_, parameters)| is_next(parameters))?.0;
    asked.join(target).ok()?.query().map(str::to_owned)
}

/// How many items a list has: Gitea says it of each, and of some it gives no link to the next page.
pub(super) fn total(headers: &HeaderMap) -> Option<usize> {
    headers.get("x-total-count")?.to_str().ok()?.parse().ok()
}

/// The query of a page by its number.
pub(super) fn query_of_page(asked: &Url, page: usize) -> String {
    let mut url = asked.clone();
    let others: Vec<_> = asked.query_pairs().filter(|(name, _)| name != "page").collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("page", &page.to_string());
    url.query().unwrap_or_default().to_owned()
}

/// The targets in a line, each with its parameters.
fn links(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let parameters = &after[..end_of_parameters(after)];
        rest = &after[parameters.len()..];
        Some((target, parameters))
    })
}

/// Where the next comma is that is not in quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    let end = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == ',' && !quoted
    });
    end.map_or(text.len(), |(at, _)| at)
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let mut relations = value.trim().trim_matches('"').split_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && relations.any(|one| one.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, line.parse().unwrap());
        }
        next_query(&headers, &Url::parse("https://git.example/api/v1/repos/o/r/pulls?limit=50").unwrap())
    }

    #[test]
    fn the_next_page_is_found_and_nothing_else() {
        let github = r#"<https://api.github.com/repositories/8514/pulls?page=2>; rel="next", <https://api.github.com/repositories/8514/pulls?page=26>; rel="last""#;
        assert_eq!(next(&[github]).unwrap(), "page=2");
        let gitea = r#"<http://elsewhere/api/v1/x?limit=1&page=2>; rel="next",<http://elsewhere/api/v1/x?page=9>; rel="last""#;
        assert_eq!(next(&[gitea]).unwrap(), "limit=1&page=2");
        assert_eq!(next(&[r#"<?a=1>; title="a, b"; rel=last"#, "<?b=2>; REL=\"Next\""]).unwrap(), "b=2");
        assert_eq!(next(&[r#"<?c=3>; rel="prev next""#]).unwrap(), "c=3");
        for none in
            ["", "<", "<>", r#"<?a=1>; rel="prev""#, r#"<?a=1>; title="rel=next""#, "<https://x/y>; rel=next"]
        {
            assert_eq!(next(&[none]), None, "{none}");
        }
        assert_eq!(next(&[]), None);
    }
}
