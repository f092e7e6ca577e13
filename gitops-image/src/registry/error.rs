//! What can go wrong with a registry, and what the engine does about it.

use std::time::Duration;

use gitops_core::{Class, Fault};
use gitops_net::{AddressRefused, Failure, TlsFailure};

/// An error of a registry, or of its client. [`Self::class`] says what the engine does about it.
///
/// None holds a credential: of URLs only the server is shown, and of what a registry says only the error codes that
/// its specification knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No URL can be made of the repository.
    #[error("{text:?} is no URL")]
    InvalidUrl {
        /// What it would be.
        text: String,
    },
    /// A setting names no registry or token service.
    #[error("{text:?} cannot be used: {reason}")]
    InvalidHost {
        /// What was given, shortened.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A configuration of Docker cannot be read.
    #[error("the configuration of Docker cannot be used: {reason}")]
    InvalidDockerConfig {
        /// What is wrong with it, without its text.
        reason: &'static str,
    },
    /// A credential would go over plain HTTP.
    #[error(
        "a credential for {registry} would be sent in the clear over http: use https, or allow_credentials_over_http() where nobody listens"
    )]
    CredentialsInTheClear {
        /// The registry.
        registry: String,
    },
    /// No HTTP header can carry the credential.
    #[error("the credential cannot be used: no HTTP header can carry it")]
    Credential,
    /// A certificate authority given to the builder cannot be read.
    #[error("the CA certificates cannot be read: {reason}")]
    InvalidCa {
        /// What is wrong.
        reason: String,
    },
    /// The process has chosen no TLS implementation. Libraries never do; see the crate's documentation.
    #[error(transparent)]
    NoTlsProvider(#[from] gitops_net::client::NoTlsProvider),
    /// The registry's address, or that of its token service, is one that needs to be allowed.
    #[error("a connection was refused: {0}")]
    AddressRefused(#[from] AddressRefused),
    /// The registry's certificate cannot be trusted, or there is no common way to speak TLS.
    #[error("no trustworthy TLS connection: {reason}")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// There was no connection, or it broke.
    #[error("the registry cannot be reached: {reason}")]
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// The registry was silent for too long.
    #[error("the registry sent nothing for {} s", waited.as_secs_f32())]
    Silent {
        /// How long we waited.
        waited: Duration,
    },
    /// The caller's deadline has passed.
    #[error("no end within the deadline")]
    Deadline,
    /// The caller asked to stop.
    #[error("stopped on request")]
    Cancelled,
    /// The registry, its token service or a proxy refused the credential, or wants one.
    #[error("access was denied: {detail}")]
    Denied {
        /// Who refused, and how.
        detail: String,
    },
    /// There is no such repository or tag, or the credential may not see it.
    #[error("there is no such repository or tag, or the credential may not see it: {detail}")]
    NotFound {
        /// What the registry answered.
        detail: String,
    },
    /// The registry has trouble, or asks to come back later.
    #[error("the registry answered with {detail}")]
    Trouble {
        /// What the registry answered.
        detail: String,
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
    },
    /// The registry points to another server, protocol or place.
    #[error("a redirect to {to} was refused: {reason}")]
    RedirectRefused {
        /// The server that it leads to.
        to: String,
        /// Why it was refused.
        reason: &'static str,
    },
    /// The registry sends us to a token service that is not to be asked.
    #[error("a token of {realm} was not asked for: {reason}")]
    TokenServiceRefused {
        /// The token service's server.
        realm: String,
        /// Why it was not asked, and what to do.
        reason: &'static str,
    },
    /// The answer is not one of a registry.
    #[error("the answer is not one of a registry: {detail}")]
    NotARegistry {
        /// What came instead.
        detail: String,
    },
    /// One answer was longer than allowed.
    #[error(
        "an answer has more than {limit} bytes: raise with_max_answer_bytes(), or lower with_page_size()"
    )]
    AnswerTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The repository has more tags than allowed.
    #[error("the repository has more than {limit} tags: raise with_max_tags(), or remove some")]
    TooManyTags {
        /// The limit.
        limit: usize,
    },
    /// The list of tags has more pages than allowed.
    #[error("the list of tags has more than {limit} pages: raise with_max_pages(), if that is right")]
    TooManyPages {
        /// The limit.
        limit: usize,
    },
    /// The registry cannot do what is needed.
    #[error("the registry cannot do this: {detail}")]
    Unsupported {
        /// What it answered.
        detail: String,
    },
    /// An invariant of this crate does not hold.
    #[error("internal error: {0}")]
    Bug(String),
}

impl RegistryError {
    /// What kind of failure it is, and so what the engine does about it.
    pub fn class(&self) -> Class {
        match self {
            Self::InvalidUrl { .. }
            | Self::InvalidHost { .. }
            | Self::InvalidDockerConfig { .. }
            | Self::CredentialsInTheClear { .. }
            | Self::InvalidCa { .. }
            | Self::NoTlsProvider(_)
            | Self::AddressRefused(_)
            | Self::Tls { .. }
            | Self::RedirectRefused { .. }
            | Self::TokenServiceRefused { .. }
            | Self::NotARegistry { .. }
            | Self::AnswerTooLong { .. }
            | Self::TooManyTags { .. }
            | Self::TooManyPages { .. } => Class::Invalid,
            Self::Credential | Self::Denied { .. } => Class::Denied,
            Self::NotFound { .. } => Class::NotFound,
            Self::Trouble { retry_after, .. } => Class::Retry { after: *retry_after },
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Deadline => Class::RETRY,
            Self::Cancelled => Class::Cancelled,
            Self::Unsupported { .. } => Class::Unsupported,
            Self::Bug(_) => Class::Bug,
        }
    }

    pub(super) fn at(self, place: impl std::fmt::Display) -> Fault {
        Fault::new(self.class(), self).at(place)
    }

    pub(super) fn not_a_registry(detail: impl Into<String>) -> Self {
        Self::NotARegistry { detail: detail.into() }
    }

    pub(super) fn bug(what: &str) -> Self {
        Self::Bug(format!("{what} makes no URL"))
    }
}

impl From<Failure> for RegistryError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refused) => refused.into(),
            Failure::Tls(failure @ TlsFailure::OurCertificate(_)) => {
                Self::Denied { detail: failure.to_string() }
            }
            Failure::Tls(failure) => Self::Tls { reason: failure.to_string() },
            Failure::WrongForProxy => Self::Denied { detail: failure.to_string() },
            other => Self::Unreachable { reason: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_may_not() {
        let later =
            RegistryError::Trouble { detail: "429".into(), retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(later.class(), Class::Retry { after: Some(Duration::from_secs(7)) });
        assert_eq!(RegistryError::Cancelled.class(), Class::Cancelled);
        for lasting in [
            RegistryError::Tls { reason: "unknown issuer".into() },
            RegistryError::Denied { detail: "401".into() },
            RegistryError::NotFound { detail: "404".into() },
            RegistryError::TooManyTags { limit: 1 },
        ] {
            assert!(!lasting.class().is_transient(), "{lasting}");
        }
    }
}
