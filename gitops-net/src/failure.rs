//! Why there is no answer.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::address::AddressRefused;
use crate::text::chain;
use crate::tls::TlsFailure;

/// Why a request got no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The name leads to addresses that need to be allowed. It lasts.
    #[error(transparent)]
    Refused(AddressRefused),
    /// There is no trust, or no common way to speak TLS. It lasts.
    #[error(transparent)]
    Tls(TlsFailure),
    /// The proxy wants a user and a password, or others. It lasts.
    #[error("the proxy wants a user and a password, or others (HTTP status 407)")]
    WrongForProxy,
    /// There was no connection, or it broke. It may pass.
    #[error("{0}")]
    Unreachable(String),
}

impl From<reqwest::Error> for Failure {
    /// Never shows the URL, which may hold a credential.
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Unreachable("the connection took too long".into());
        }
        let error = error.without_url();
        if let Some(refused) = find::<AddressRefused>(&error) {
            return Self::Refused(refused.clone());
        }
        if let Some(failure) = TlsFailure::in_causes_of(&error) {
            return Self::Tls(failure);
        }
        let reason = chain(&error);
        // What hyper-util says when a proxy answers 407; its error has no name.
        if error.is_connect() && reason.contains("proxy authorization required") {
            return Self::WrongForProxy;
        }
        Self::Unreachable(reason)
    }
}

/// When to come back, if the server says so in seconds.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// An error of a type among the causes of another.
pub fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error gives out the cause of what it wraps, not what it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
