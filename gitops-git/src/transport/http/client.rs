//! How connections are made: whom they trust, and where they may lead.

use std::time::Duration;

use reqwest::{Certificate, Client, Url, redirect};

use crate::GitError;
use crate::error::chain;
use crate::transport::address::Reach;

/// What holds for each connection of a source, whoever it leads to.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientSettings {
    certificates: Vec<Certificate>,
    reach: Reach,
    /// The longest wait for a connection.
    silence: Duration,
}

impl ClientSettings {
    pub(crate) fn new(pems: &[Vec<u8>], reach: Reach, silence: Duration) -> Result<Self, GitError> {
        let mut certificates = Vec::new();
        for pem in pems {
            let invalid = |reason: String| GitError::InvalidCa { reason };
            let found = Certificate::from_pem_bundle(pem).map_err(|error| invalid(chain(&error)))?;
            if found.is_empty() {
                return Err(invalid("the text holds no PEM certificate".into()));
            }
            certificates.extend(found);
        }
        Ok(Self { certificates, reach, silence })
    }

    /// Checks the host of a URL, if it is an address; a name is checked when it is resolved.
    pub(crate) fn check_host(&self, url: &Url) -> Result<(), GitError> {
        self.reach.check_host(url.host_str().unwrap_or_default())
    }

    /// A client for the server of a URL. It follows no redirects.
    pub(crate) fn client(&self, url: &Url) -> Result<Client, GitError> {
        // reqwest panics without one, whatever the protocol.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(GitError::NoTlsProvider);
        }
        let mut builder = Client::builder()
            .connect_timeout(self.silence)
            .redirect(redirect::Policy::none())
            .referer(false)
            .dns_resolver(self.reach)
            .https_only(url.scheme() == "https");
        if !self.certificates.is_empty() {
            builder = builder.tls_certs_merge(self.certificates.iter().cloned());
        }
        builder.build().map_err(|error| GitError::Tls { reason: chain(&error) })
    }
}
