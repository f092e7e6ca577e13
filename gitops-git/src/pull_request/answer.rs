//! What hosts answer, as far as it is read.

use std::time::Duration;

use gitops_core::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::PullRequestError;
use crate::error::shorten;
use crate::transport::http::limited_for;

/// How long GitHub wants us to wait where it limits the rate and does not say for how long.
const UNSAID_WAIT: Duration = Duration::from_secs(60);

/// A pull request.
#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) html_url: String,
    state: String,
    pub(super) title: String,
    pub(super) body: Option<String>,
    labels: Option<Vec<Name>>,
    pub(super) head: End,
    pub(super) base: End,
}

/// One end of a pull request.
#[derive(Debug, Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    pub(super) name: String,
    /// None where the fork was deleted.
    pub(super) repo: Option<Repo>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repo {
    pub(super) full_name: String,
}

/// The name of a label.
#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

/// A label, as Gitea knows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Label {
    pub(super) id: u64,
    pub(super) name: String,
}

impl Pull {
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    pub(super) fn labels(&self) -> Vec<&str> {
        self.labels.iter().flatten().map(|label| &*label.name).collect()
    }
}

/// What a host says of a failure. GitHub lists what is wrong; Gitea says it in one text.
#[derive(Deserialize)]
struct Complaint {
    message: Option<String>,
    #[serde(default)]
    errors: Option<Vec<Wrong>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wrong {
    Text(String),
    Field { message: Option<String>, field: Option<String>, code: Option<String> },
}

/// The reason in the body of a failure, in full; empty where there is none. Pages for people are not shown.
pub(super) fn message(body: &[u8]) -> String {
    let Ok(Complaint { message, errors }) = serde_json::from_slice(body) else { return String::new() };
    let mut parts: Vec<String> = message.into_iter().collect();
    for wrong in errors.into_iter().flatten() {
        parts.push(match wrong {
            Wrong::Text(text) | Wrong::Field { message: Some(text), .. } => text,
            Wrong::Field { field, code, .. } => {
                format!("{} is {}", field.unwrap_or_default(), code.unwrap_or_default())
            }
        });
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.join(": ")
}

/// Whether a request to open one was refused because one is open. GitHub says so in words only.
pub(super) fn is_there_already(status: StatusCode, message: &str) -> bool {
    status == StatusCode::CONFLICT
        || status == StatusCode::UNPROCESSABLE_ENTITY
            && message.to_ascii_lowercase().contains("pull request already exists")
}

/// A status and what the host said, in one short line.
pub(super) fn complaint(status: StatusCode, message: &str) -> String {
    match &*shorten(message) {
        "" => format!("HTTP status {}", status.as_u16()),
        said => format!("HTTP status {}: {said}", status.as_u16()),
    }
}

/// What a status means that is not success.
pub(super) fn refusal(
    api: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
    message: &str,
    now: Timestamp,
) -> PullRequestError {
    let code = status.as_u16();
    let detail = complaint(status, message);
    let mut retry_after = limited_for(headers, now);
    // GitHub's second kind of limit may be told by its message only.
    if retry_after.is_none()
        && matches!(code, 403 | 429)
        && message.to_ascii_lowercase().contains("rate limit")
    {
        retry_after = Some(UNSAID_WAIT);
    }
    match code {
        403 if retry_after.is_some() => PullRequestError::ServerTrouble { detail, retry_after },
        408 | 425 | 429 | 500..=599 => PullRequestError::ServerTrouble { detail, retry_after },
        // 423: Gitea's for a repository that was archived.
        401 | 403 | 423 => PullRequestError::Denied { detail },
        404 | 410 => PullRequestError::NotFound { detail },
        400 | 409 | 412 | 422 => PullRequestError::Refused { detail },
        _ => PullRequestError::NotTheApi { api, detail },
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::Class;
    use reqwest::header::HeaderName;

    use super::*;

    #[test]
    fn reasons_are_read_where_there_are_any() {
        let github = br#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"No commits between main and b"},{"field":"head","code":"invalid"},"odd"]}"#;
        assert_eq!(message(github), "Validation Failed: No commits between main and b: head is invalid: odd");
        assert_eq!(
            message(br#"{"message":"user should have a permission","url":"x"}"#),
            "user should have a permission"
        );
        for none in [&b""[..], b"<html>", b"[]", b"{}", br#"{"message":null,"errors":null}"#, b"\xff"] {
            assert_eq!(message(none), "");
        }
        let there = |status, text| is_there_already(StatusCode::from_u16(status).unwrap(), text);
        assert!(there(422, "Validation Failed: A pull request already exists for o:b."));
        assert!(there(409, "pull request already exists for these targets"));
        assert!(!there(422, "Validation Failed: No commits between main and b"));
    }

    #[test]
    fn failures_are_told_apart() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let class = |status: u16, headers: &[(&'static str, &str)], message: &str| {
            let map =
                headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            let error =
                refusal("GitHub", StatusCode::from_u16(status).unwrap(), &map.collect(), message, now);
            assert!(error.to_string().contains(&status.to_string()), "{error}");
            error.class()
        };
        let after = |seconds| Class::Retry { after: Some(Duration::from_secs(seconds)) };
        let reset = (now.as_second() + 90).to_string();
        let limited = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*reset)];
        let not_limited = [("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", &*reset)];
        for status in [401, 403, 423] {
            assert_eq!(class(status, &[], "no"), Class::Denied, "{status}");
        }
        assert_eq!(class(403, &not_limited, "no"), Class::Denied);
        assert_eq!(class(403, &limited, "API rate limit exceeded"), after(90));
        assert_eq!(class(403, &[("retry-after", "30")], ""), after(30));
        assert_eq!(class(403, &[], "You have exceeded a secondary rate limit."), after(60));
        assert_eq!(class(429, &[("retry-after", "7")], ""), after(7));
        assert_eq!(class(429, &[], ""), Class::RETRY);
        assert_eq!(class(503, &[("retry-after", "7")], ""), after(7));
        assert_eq!(class(500, &[], ""), Class::RETRY);
        for status in [404, 410] {
            assert_eq!(class(status, &[], ""), Class::NotFound);
        }
        for status in [400, 409, 422, 405, 418] {
            assert_eq!(class(status, &[], ""), Class::Invalid);
        }
    }

    #[test]
    fn what_a_host_says_is_one_short_line() {
        let said = format!("\u{1b}[31m{}\nmore", "x".repeat(9000));
        let error = refusal("GitHub", StatusCode::FORBIDDEN, &HeaderMap::new(), &said, Timestamp::now());
        let shown = error.to_string();
        assert!(shown.len() < 700 && !shown.contains(['\u{1b}', '\n']), "{shown}");
    }
}
