//! How a repository is reached, and who we are to its server.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args as Group;
use gitops_git::pull_request::Builder;
use gitops_git::{Credentials, GitHubApp, GitSourceBuilder, TokenFile};

#[derive(Debug, Clone, Group)]
pub(crate) struct Access {
    /// A file with a token for the repository. Read again at every use.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
    /// A file with certificates of authorities (PEM) that are trusted for `https://`, beside the machine's; may be given again.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// A file with a client certificate (PEM), followed by those that lead to its authority. Read again at every use.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// The file with the client certificate's key (PEM).
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
    /// A proxy for `https://` and `http://`: `http://host:port`. Without it, `HTTPS_PROXY` and `NO_PROXY` count; that is the
    /// place for one with a password, because everybody on the machine can read a command line.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Uses no proxy, whatever the environment says.
    #[arg(long, conflicts_with = "proxy")]
    pub(crate) no_proxy: bool,
    /// The id or the client id of a GitHub App that may read the repository's contents.
    #[arg(
        long,
        value_name = "ID",
        requires_all = ["github_installation", "github_key"],
        conflicts_with_all = ["token_file", "ssh_key", "ssh_agent"]
    )]
    pub(crate) github_app: Option<String>,
    /// The id of the App's installation.
    #[arg(long, value_name = "ID", requires = "github_app")]
    pub(crate) github_installation: Option<u64>,
    /// The file with a private key of the App (PEM). Read again at every use.
    #[arg(long, value_name = "FILE", requires = "github_app")]
    pub(crate) github_key: Option<PathBuf>,
    /// The API of a GitHub Enterprise Server: `https://github.example/api/v3`.
    #[arg(long, value_name = "URL", requires = "github_app")]
    pub(crate) github_api: Option<String>,
}

/// Settings of a server: those of a source of a repository, and of the host of its pull requests.
pub(crate) trait Reached: Sized {
    fn with_ca_pem(self, pem: Vec<u8>) -> Self;
    fn with_client_certificate_files(self, certificates: &Path, key: &Path) -> Self;
    fn with_proxy(self, url: &str) -> Self;
    fn without_proxy(self) -> Self;
    fn with_credentials(self, credentials: Credentials) -> Self;
}

macro_rules! reached {
    ($builder:ty $(, $host:ident)?) => {
        impl $(<$host>)? Reached for $builder {
            fn with_ca_pem(self, pem: Vec<u8>) -> Self {
                self.with_ca_pem(pem)
            }
            fn with_client_certificate_files(self, certificates: &Path, key: &Path) -> Self {
                self.with_client_certificate_files(certificates, key)
            }
            fn with_proxy(self, url: &str) -> Self {
                self.with_proxy(url)
            }
            fn without_proxy(self) -> Self {
                self.without_proxy()
            }
            fn with_credentials(self, credentials: Credentials) -> Self {
                self.with_credentials(credentials)
            }
        }
    };
}

reached!(GitSourceBuilder);
reached!(Builder<H>, H);

impl Access {
    /// Tells it to a builder. Reads the authorities' files. An App asks for tokens with these permissions beside that to read.
    pub(crate) fn tell<B: Reached>(&self, mut server: B, permissions: &[&str]) -> anyhow::Result<B> {
        for file in &self.ca {
            let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            server = server.with_ca_pem(pem);
        }
        if let (Some(certificates), Some(key)) = (&self.client_cert, &self.client_key) {
            server = server.with_client_certificate_files(certificates, key);
        }
        if let Some(url) = &self.proxy {
            server = server.with_proxy(url);
        } else if self.no_proxy {
            server = server.without_proxy();
        }
        if let Some(file) = &self.token_file {
            server = server.with_credentials(TokenFile::new(file).into());
        }
        if let (Some(app), Some(installation), Some(key)) =
            (&self.github_app, self.github_installation, &self.github_key)
        {
            let mut app = GitHubApp::new(app, installation, key);
            for name in permissions {
                app = app.with_permission(*name, "write");
            }
            if let Some(url) = &self.github_api {
                app = app.with_api(url);
            }
            server = server.with_credentials(app.into());
        }
        Ok(server)
    }
}
