//! What is said of connections over HTTP.

use std::path::PathBuf;

use super::GitSourceBuilder;
use crate::Basic;

impl GitSourceBuilder {
    /// Shows servers that ask for it a client certificate (mutual TLS): a PEM text with the certificate, followed by those that
    /// lead to its authority, and one with its key (PKCS #8, PKCS #1 or SEC 1, not encrypted).
    ///
    /// Only the server of the source's URL sees it, over `https`; no redirect leads it elsewhere. A `GitHubApp` shows it to
    /// its API only where that is on the same server. It can be used beside other credentials, and counts like one: each
    /// certificate has a mirror of its own. A server that refuses it, or wants one and gets none, is
    /// [`gitops_core::Class::Denied`] if it says so in TLS; nginx answers with HTTP status 400, which is [`crate::GitError::NotGit`].
    pub fn with_client_certificate(
        mut self,
        certificates_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.web.client_certificate(certificates_pem.into(), key_pem.into());
        self
    }

    /// The same from files, which are read again for each operation: a certificate that is renewed on disk is used at once, on
    /// new connections.
    pub fn with_client_certificate_files(
        mut self,
        certificates: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.web.client_certificate_files(certificates.into(), key.into());
        self
    }

    /// Reaches the server through a proxy: `http://host:port`, or `https://…` for one that is itself spoken to over TLS. It takes
    /// the place of what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, and is used for every server, also by a
    /// `GitHubApp`.
    ///
    /// `https://` repositories are reached through a tunnel (`CONNECT`), in which TLS is spoken with the server: the proxy sees
    /// the server's name and nothing of what is said. With a client certificate, the proxy must be an `http://` one.
    ///
    /// The proxy resolves the server's name and connects in our place. So it is the proxy that decides which addresses names
    /// may lead to; a URL that has an address in the place of a name is still refused here, unless it is allowed. The proxy
    /// itself may be anywhere.
    ///
    /// A user and a password in the URL are used for [`Self::with_proxy_credentials`].
    pub fn with_proxy(mut self, url: impl Into<String>) -> Self {
        self.web.proxy(url.into());
        self
    }

    /// Who we are to the proxy of [`Self::with_proxy`], in the place of what its URL says. Basic authentication: over an
    /// `http://` proxy, anybody on the way to it can read it.
    pub fn with_proxy_credentials(mut self, credentials: Basic) -> Self {
        self.web.proxy_credentials(credentials);
        self
    }

    /// Connects to the server itself, whatever the environment says of proxies.
    pub fn without_proxy(mut self) -> Self {
        self.web.no_proxy();
        self
    }
}
