//! How connections are made: whom they trust, where they may lead, and by way of whom.

use std::fmt;
use std::time::Duration;

use gitops_net::find;
use reqwest::{Certificate, Client, Url};

use super::certificate::{self, ClientCertificate};
use super::proxy::Way;
use crate::GitError;
use crate::error::chain;
use crate::transport::address::Reach;

/// What holds for each connection of a source, whoever it leads to.
#[derive(Clone, Default)]
pub(crate) struct ClientSettings {
    pub(crate) authorities: Vec<Certificate>,
    pub(crate) reach: Reach,
    pub(crate) way: Way,
    /// Only for the source's own server.
    pub(crate) certificate: Option<ClientCertificate>,
    /// The longest wait for a connection.
    pub(crate) silence: Duration,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the certificate, whose key is with it.
        f.debug_struct("ClientSettings")
            .field("reach", &self.reach)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

/// Reads the certificates of authorities.
pub(crate) fn authorities(pems: &[Vec<u8>]) -> Result<Vec<Certificate>, GitError> {
    gitops_net::client::authorities(pems).map_err(|reason| GitError::InvalidCa { reason })
}

impl ClientSettings {
    /// Fails for what could not work with the server of a URL, as far as that can be told without asking anybody.
    pub(super) fn check(&self, url: &Url) -> Result<(), GitError> {
        // An address is refused whoever would connect to it. A name is checked when it is resolved.
        self.reach.check_host(url.host_str().unwrap_or_default())?;
        let Some(certificate) = &self.certificate else { return Ok(()) };
        if url.scheme() != "https" {
            return Err(certificate::unusable("only https shows one"));
        }
        if let Way::Proxy(_) = &self.way {
            self.hide_certificate_from_proxy()?;
        }
        certificate.check()
    }

    /// Key and certificate as they are now, in PEM.
    pub(super) fn own_certificate(&self) -> Result<Option<Vec<u8>>, GitError> {
        self.certificate.as_ref().map(ClientCertificate::read).transpose()
    }

    /// A client for a server that has to do with the source's, whose origin is given. Only if it is the same, it is shown
    /// our certificate.
    #[cfg(feature = "github-app")]
    pub(crate) fn client_beside(&self, url: &Url, origin: &str) -> Result<Client, GitError> {
        self.reach.check_host(url.host_str().unwrap_or_default())?;
        let is_the_same = url.origin().ascii_serialization() == origin;
        let own = if is_the_same { self.own_certificate()? } else { None };
        self.client(url, own.as_deref())
    }

    /// A client for the server of a URL, which is shown `own` if it asks. It follows no redirects.
    pub(super) fn client(&self, url: &Url, own: Option<&[u8]>) -> Result<Client, GitError> {
        let reach = match self.way {
            // The only name that is resolved here is the proxy's own, which the program has chosen.
            Way::Proxy(_) => Reach::EVERYWHERE,
            Way::Environment | Way::Direct => self.reach,
        };
        let https_only = url.scheme() == "https";
        let mut builder = gitops_net::client::builder(reach, &self.authorities, https_only, self.silence)
            .map_err(|_| GitError::NoTlsProvider)?;
        if let Some(own) = own {
            self.hide_certificate_from_proxy()?;
            builder = builder.identity(certificate::identity(own)?);
        }
        self.way.set(builder)?.build().map_err(|error| match find::<rustls::Error>(&error) {
            Some(tls @ (rustls::Error::InconsistentKeys(_) | rustls::Error::General(_))) if own.is_some() => {
                certificate::unusable(&tls.to_string())
            }
            _ => GitError::Tls { reason: chain(&error) },
        })
    }

    /// A proxy that is spoken to over TLS could ask for the certificate as well, and the TLS library would show it.
    fn hide_certificate_from_proxy(&self) -> Result<(), GitError> {
        if self.way.is_over_tls() {
            let reason = "it would be shown the client certificate: use one with http://".into();
            return Err(GitError::InvalidProxy { reason });
        }
        Ok(())
    }
}
