//! When a server wants us back.

use std::time::Duration;

#[cfg(any(feature = "github-app", feature = "pull-request"))]
use gitops_core::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// When to come back, if the server says so in seconds.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The same, also where it is said as GitHub's API says it: the rate is limited until a time.
#[cfg(any(feature = "github-app", feature = "pull-request"))]
pub(crate) fn limited_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    retry_after(headers).or_else(|| until_reset(headers, now))
}

/// The time until the rate is no longer limited, if it is.
#[cfg(any(feature = "github-app", feature = "pull-request"))]
fn until_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if number("x-ratelimit-remaining")? > 0 {
        return None;
    }
    let reset = i64::try_from(number("x-ratelimit-reset")?).ok()?;
    let wait = reset.saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}
