//! What the readers of all hosts' bodies share.

use serde::Deserialize;

use super::push::{RefUpdate, Repository};
use super::{Delivery, Host, Push, WebhookError, address};

/// No host has longer names.
const MAX_NAME_CHARS: usize = 1024;

/// Reads JSON. What is wrong with it is told by its place: serde's own words repeat values.
pub(super) fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WebhookError> {
    serde_json::from_slice(body)
        .map_err(|error| WebhookError::Malformed { line: error.line(), column: error.column() })
}

/// A push, of which at least the repository must be known.
pub(super) fn push(
    host: Host,
    name: Option<String>,
    urls: impl IntoIterator<Item = Option<String>>,
    updates: Vec<RefUpdate>,
) -> Result<Delivery, WebhookError> {
    let name = name.filter(|name| {
        !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control)
    });
    let mut known: Vec<String> = Vec::new();
    for url in urls.into_iter().flatten().filter_map(|url| address::without_credentials(&url)) {
        if !known.contains(&url) {
            known.push(url);
        }
    }
    if known.is_empty() && name.is_none() {
        return Err(WebhookError::InvalidField { field: "repository", wanted: "a repository with its URLs" });
    }
    Ok(Delivery::Push(Push { host, repository: Repository { name, urls: known }, updates }))
}

/// One update, of a reference by its full name.
pub(super) fn update(
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
) -> Result<RefUpdate, WebhookError> {
    let reference = reference.filter(|name| {
        name.starts_with("refs/")
            && name.len() <= MAX_NAME_CHARS
            && gix::validate::reference::name(name.as_str().into()).is_ok()
    });
    let Some(reference) = reference else {
        let wanted = "the full name of a reference (refs/heads/…)";
        return Err(WebhookError::InvalidField { field: "ref", wanted });
    };
    Ok(RefUpdate { reference, before: commit("before", before)?, after: commit("after", after)? })
}

/// An id; none where there is nothing, which Git writes as zeros.
fn commit(field: &'static str, id: Option<String>) -> Result<Option<String>, WebhookError> {
    let Some(mut id) = id.filter(|id| !id.is_empty()) else { return Ok(None) };
    if !matches!(id.len(), 40 | 64) || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(WebhookError::InvalidField { field, wanted: "a full commit id" });
    }
    id.make_ascii_lowercase();
    Ok(id.bytes().any(|byte| byte != b'0').then_some(id))
}
