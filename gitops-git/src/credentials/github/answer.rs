//! What GitHub answers to a request for a token.

use std::time::Duration;

use gitops_core::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::transport::http::limited_for;
use crate::{GitError, Login};

/// Tokens end an hour after they were made; we ask for another these minutes before.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// GitHub's own have about 40 characters, some new ones 520.
const MAX_TOKEN_CHARS: usize = 4096;

#[derive(serde::Deserialize)]
struct Answer {
    token: String,
    expires_at: Timestamp,
}

/// Reads the body of an answer that says that there is a token.
pub(super) fn login(body: &[u8], now: Timestamp) -> Result<Login, GitError> {
    // What the parser says may hold a piece of the token.
    let bad = |detail: &str| GitError::NotGitHub { detail: detail.into() };
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| bad("there is no token in it, or not until when it is good"))?;
    let is_plain = answer.token.bytes().all(|byte| byte.is_ascii_graphic());
    if answer.token.is_empty() || answer.token.len() > MAX_TOKEN_CHARS || !is_plain {
        return Err(bad("what should be a token is none"));
    }
    Ok(Login::new("x-access-token", answer.token).with_valid_until(good_until(answer.expires_at, now)))
}

/// Until when a token is used: some minutes less than it is good, or a quarter less if it is good for a short time only.
fn good_until(end: Timestamp, now: Timestamp) -> Timestamp {
    let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
    end.checked_sub(MARGIN.min(left / 4)).unwrap_or(end)
}

/// Why there is no token, by the head of the answer. Bodies are not shown: they may be anything.
pub(super) fn refusal(
    status: StatusCode,
    headers: &HeaderMap,
    app: &str,
    installation: u64,
    now: Timestamp,
) -> GitError {
    let retry_after = limited_for(headers, now);
    let code = status.as_u16();
    let denied = |why: &str| GitError::Denied { detail: format!("{why} (HTTP status {code})") };
    match code {
        // GitHub says 403, too, when it limits the rate.
        403 if retry_after.is_some() => GitError::ServerTrouble { status: code, retry_after },
        408 | 425 | 429 | 500..=599 => GitError::ServerTrouble { status: code, retry_after },
        401 => denied(&format!(
            "GitHub does not take the proof of App {app}: is it the App's id, its key, and is the clock right?"
        )),
        403 => denied(&format!("GitHub gives no token to App {app}: its installation may be suspended")),
        404 => {
            denied(&format!("App {app} has no installation {installation}: it was removed, or never made"))
        }
        422 => denied(&format!(
            "installation {installation} does not give what was asked for: it needs the permission to read \"Contents\" of the repositories, and those of with_permission()"
        )),
        _ => GitError::NotGitHub { detail: format!("HTTP status {code}") },
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::Class;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_token_is_used_for_less_than_it_is_good() {
        let until = |end: &str| good_until(end.parse().unwrap(), now()).to_string();
        assert_eq!(until("2026-11-21T11:00:00Z"), "2026-11-21T10:55:00Z");
        assert_eq!(until("2026-11-21T10:00:04Z"), "2026-11-21T10:00:03Z");
        // By our clock it has ended; perhaps that is wrong, so that it is tried, but not kept.
        assert_eq!(until("2026-11-21T09:00:00Z"), "2026-11-21T09:00:00Z");
        let body =
            br#"{"token":"ghs_1","expires_at":"2026-11-21T11:00:00Z","permissions":{"contents":"read"}}"#;
        let login = login(body, now()).unwrap();
        assert!(login.is_good_at("2026-11-21T10:54:59Z".parse().unwrap()));
        assert!(!login.is_good_at("2026-11-21T10:55:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one_nor_told() {
        for body in [
            "",
            "<html>ghs_s3cr3t",
            r#"{"token":"ghs_s3cr3t"}"#,
            r#"{"token":"ghs_s3cr3t","expires_at":"soon"}"#,
            r#"{"token":"","expires_at":"2026-11-21T11:00:00Z"}"#,
            r#"{"token":"ghs_s3cr3t\r\nx: y","expires_at":"2026-11-21T11:00:00Z"}"#,
            r#"{"token":5,"expires_at":"2026-11-21T11:00:00Z"}"#,
        ] {
            let error = login(body.as_bytes(), now()).unwrap_err();
            assert_eq!(error.class(), Class::Invalid, "{body}");
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        }
    }

    #[test]
    fn refusals_are_told_from_troubles() {
        let class = |status: u16, headers: &[(&'static str, &str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            refusal(StatusCode::from_u16(status).unwrap(), &headers, "7", 9, now()).class()
        };
        let after = |seconds| Class::Retry { after: Some(Duration::from_secs(seconds)) };
        let reset = (now().as_second() + 90).to_string();
        let limited = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*reset)];
        for status in [401, 403, 404, 422] {
            assert_eq!(class(status, &[]), Class::Denied, "{status}");
        }
        assert_eq!(class(403, &[("retry-after", "30")]), after(30));
        assert_eq!(class(403, &limited), after(90));
        assert_eq!(
            class(403, &[("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", &reset)]),
            Class::Denied
        );
        assert_eq!(class(429, &[]), Class::RETRY);
        assert_eq!(class(429, &limited), after(90));
        // In the past: at once, by the engine's own pace.
        assert_eq!(class(429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")]), after(0));
        assert_eq!(class(500, &[]), Class::RETRY);
        assert_eq!(class(503, &[("retry-after", "7")]), after(7));
        assert_eq!(class(400, &[]), Class::Invalid);
    }
}
