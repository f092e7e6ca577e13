//! By way of whom a server is reached.

use reqwest::{ClientBuilder, Url};

use crate::error::chain;
use crate::remote::user_and_password;
use crate::{Basic, GitError};

/// What the environment names proxies for `https` with, and for everything.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The way to a server.
#[derive(Debug, Clone, Default)]
pub(crate) enum Way {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    Direct,
    Proxy(Proxy),
}

/// A proxy, and who we are to it.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    /// Without user information.
    url: Url,
    login: Option<Basic>,
}

impl Proxy {
    /// Reads the URL of a proxy. Of two credentials, `login` goes before what is in the URL.
    pub(crate) fn parse(text: &str, login: Option<Basic>) -> Result<Self, GitError> {
        // The text may hold a password, so that it is not shown.
        let invalid = |reason: &str| Err(GitError::InvalidProxy { reason: reason.into() });
        let Ok(mut url) = Url::parse(text) else {
            return invalid("it is no URL: write http://host:port");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return invalid("only http:// and https:// proxies are supported");
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return invalid("there is something after its host and port");
        }
        let found = user_and_password(&url).map_err(|error| GitError::InvalidProxy {
            reason: match error {
                GitError::InvalidUrl { reason } => reason,
                other => other.to_string(),
            },
        })?;
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        if cleared.is_err() {
            return invalid("it has no host");
        }
        let login = login.or_else(|| found.map(|(user, password)| Basic::new(user, password)));
        Ok(Self { url, login })
    }
}

impl Way {
    /// Whether the proxy is spoken to over TLS. Such a one can ask for our certificate.
    pub(super) fn is_over_tls(&self) -> bool {
        match self {
            Self::Environment => VARIABLES.iter().any(|name| {
                std::env::var(name).is_ok_and(|value| value.trim().to_ascii_lowercase().starts_with("https:"))
            }),
            Self::Direct => false,
            Self::Proxy(proxy) => proxy.url.scheme() == "https",
        }
    }

    pub(super) fn set(&self, builder: ClientBuilder) -> Result<ClientBuilder, GitError> {
        Ok(match self {
            Self::Environment => builder,
            Self::Direct => builder.no_proxy(),
            Self::Proxy(Proxy { url, login }) => {
                let proxy = reqwest::Proxy::all(url.clone())
                    .map_err(|error| GitError::InvalidProxy { reason: chain(&error.without_url()) })?;
                builder.proxy(match login {
                    Some(login) => proxy.basic_auth(&login.user, &login.password),
                    None => proxy,
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        let proxy = Proxy::parse("http://bot:s3cr%33t@proxy.example:3128", None).unwrap();
        assert_eq!(proxy.url.as_str(), "http://proxy.example:3128/");
        assert_eq!(proxy.login.as_ref().unwrap().password, "s3cr3t");
        assert!(!format!("{proxy:?}").contains("s3cr3t"));
        let proxy = Proxy::parse("http://bot:s3cr3t@proxy.example", Some(Basic::new("a", "b"))).unwrap();
        assert_eq!(proxy.login.unwrap().user, "a");
        for bad in [
            "",
            "proxy.example:3128",
            "socks5://u:s3cr3t@proxy.example",
            "http://u:s3cr3t@proxy.example/path",
            "http://u:s3cr3t@proxy.example?x",
            "http://u:s3cr3t%@proxy.example",
            "http://u:s3cr3t@",
        ] {
            let error = Proxy::parse(bad, None).unwrap_err();
            assert!(matches!(error, GitError::InvalidProxy { .. }), "{bad}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
        }
    }
}
