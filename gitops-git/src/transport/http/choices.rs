//! What a builder was told of connections over HTTP.

use std::path::PathBuf;
use std::time::Duration;

use super::{ClientCertificate, ClientSettings, Proxy, Way, authorities};
use crate::transport::address::Reach;
use crate::{Basic, GitError};

/// What is said by the methods of the same names of the crate's builders.
#[derive(Clone, Default)]
pub(crate) struct Choices {
    certificate: Option<ClientCertificate>,
    proxy: ProxyChoice,
    proxy_credentials: Option<Basic>,
}

#[derive(Clone, Default)]
enum ProxyChoice {
    #[default]
    Environment,
    None,
    Url(String),
}

impl Choices {
    pub(crate) fn client_certificate(&mut self, certificates: Vec<u8>, key: Vec<u8>) {
        self.certificate = Some(ClientCertificate::Text { certificates, key });
    }

    pub(crate) fn client_certificate_files(&mut self, certificates: PathBuf, key: PathBuf) {
        self.certificate = Some(ClientCertificate::Files { certificates, key });
    }

    pub(crate) fn proxy(&mut self, url: String) {
        self.proxy = ProxyChoice::Url(url);
    }

    pub(crate) fn proxy_credentials(&mut self, credentials: Basic) {
        self.proxy_credentials = Some(credentials);
    }

    pub(crate) fn no_proxy(&mut self) {
        self.proxy = ProxyChoice::None;
    }

    pub(crate) fn settings(
        self,
        ca_pem: &[Vec<u8>],
        reach: Reach,
        silence: Duration,
    ) -> Result<ClientSettings, GitError> {
        let way = match &self.proxy {
            ProxyChoice::Environment => Way::Environment,
            ProxyChoice::None => Way::Direct,
            ProxyChoice::Url(url) => Way::Proxy(Proxy::parse(url, self.proxy_credentials)?),
        };
        let authorities = authorities(ca_pem)?;
        Ok(ClientSettings { authorities, reach, way, certificate: self.certificate, silence })
    }

    /// Fails if something was said that has no effect for repositories that are not reached over HTTP: it may be what
    /// keeps somebody safe.
    pub(crate) fn check_unused(&self) -> Result<(), GitError> {
        if matches!(self.proxy, ProxyChoice::Url(_)) {
            let reason = "only http and https repositories are reached through one".into();
            return Err(GitError::InvalidProxy { reason });
        }
        if self.certificate.is_some() {
            let reason = "a client certificate is for https".into();
            return Err(GitError::Credential { reason });
        }
        Ok(())
    }
}
