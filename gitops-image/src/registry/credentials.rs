//! Who we are to a registry.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

use super::RegistryError;

/// A credential for one registry. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RegistryCredentials(Kind);

#[derive(Clone)]
enum Kind {
    Basic { user: String, password: String },
    Bearer(String),
}

impl RegistryCredentials {
    /// A user and a password or a personal access token: what `docker login` takes. A registry with a token service gets only the
    /// tokens that this one gives for it, for reading one repository.
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self(Kind::Basic { user: user.into(), password: password.into() })
    }

    /// A token that the registry itself takes, as clouds give it out for some minutes or hours.
    pub fn bearer(token: impl Into<String>) -> Self {
        Self(Kind::Bearer(token.into()))
    }

    /// What is sent to the registry before it asks, and whatever it asks for.
    pub(super) fn bearer_header(&self) -> Option<Result<HeaderValue, RegistryError>> {
        match &self.0 {
            Kind::Bearer(token) => Some(bearer(token)),
            Kind::Basic { .. } => None,
        }
    }

    /// What a token service gets, and a registry that wants it.
    pub(super) fn basic_header(&self) -> Option<Result<HeaderValue, RegistryError>> {
        match &self.0 {
            Kind::Basic { user, password } => {
                Some(sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))))
            }
            Kind::Bearer(_) => None,
        }
    }
}

impl fmt::Debug for RegistryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens are given as user names too, so that neither part is shown.
        f.write_str(match self.0 {
            Kind::Basic { .. } => "RegistryCredentials::Basic(…)",
            Kind::Bearer(_) => "RegistryCredentials::Bearer(…)",
        })
    }
}

/// The header that shows a token.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, RegistryError> {
    sensitive(&format!("Bearer {token}"))
}

fn sensitive(text: &str) -> Result<HeaderValue, RegistryError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| RegistryError::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_shows_the_secret() {
        let basic = RegistryCredentials::basic("user-s3cr3t", "pass-s3cr3t");
        let bearer = RegistryCredentials::bearer("s3cr3t");
        let header = basic.basic_header().unwrap().unwrap();
        let shown = format!("{basic:?} {bearer:?} {header:?}");
        assert!(!shown.contains("s3cr3t") && !shown.contains("czNj"), "{shown}");
        assert_eq!(header.to_str().unwrap(), "Basic dXNlci1zM2NyM3Q6cGFzcy1zM2NyM3Q=");
        assert!(RegistryCredentials::bearer("a\nb").bearer_header().unwrap().is_err());
    }
}
