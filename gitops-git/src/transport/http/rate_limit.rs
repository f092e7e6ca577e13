//! When a server wants us back.

use std::time::Duration;

use gitops_core::Timestamp;
use gitops_net::retry_after;
use reqwest::header::HeaderMap;

/// When to come back, if the server says so in seconds, or as GitHub's API does: the rate is limited until a time.
pub(crate) fn limited_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    retry_after(headers).or_else(|| until_reset(headers, now))
}

/// The time until the rate is no longer limited, if it is.
fn until_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if number("x-ratelimit-remaining")? > 0 {
        return None;
    }
    let reset = i64::try_from(number("x-ratelimit-reset")?).ok()?;
    let wait = reset.saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}
