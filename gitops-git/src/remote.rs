//! Where a repository is: read from a URL, and nothing but what was allowed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "ssh")]
use crate::transport::ssh::SshUrl;
use crate::{Credentials, GitError};

/// Where a repository is, who we are to it, and what we take from it.
#[derive(Clone)]
pub(crate) struct Remote {
    pub(crate) place: Place,
    /// The URL in its normal form, without user information.
    pub(crate) identity: String,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) limits: Limits,
}

/// What we take from a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The longest wait for the next byte.
    pub(crate) silence: Duration,
    pub(crate) received_bytes: u64,
    pub(crate) object_bytes: u64,
    pub(crate) unpacked_bytes: u64,
}

#[derive(Clone)]
pub(crate) enum Place {
    Local(PathBuf),
    #[cfg(feature = "https")]
    Http(std::sync::Arc<crate::transport::http::HttpPlace>),
    #[cfg(feature = "ssh")]
    Ssh(std::sync::Arc<crate::transport::ssh::SshPlace>),
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("url", &self.identity)
            .field("credentials", &self.credentials)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a user has allowed beyond `https://` and `ssh://`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowed {
    pub(crate) local: bool,
    pub(crate) http: bool,
}

#[cfg(not(feature = "ssh"))]
const NO_SSH: &str = "the feature `ssh` of gitops-git is switched off";

/// A URL that was found to be usable.
pub(crate) enum Address {
    Local(PathBuf),
    #[cfg(feature = "https")]
    Http {
        /// Without user information, query and fragment.
        url: reqwest::Url,
        /// The user information that was in it.
        credentials: Option<Credentials>,
    },
    #[cfg(feature = "ssh")]
    Ssh(SshUrl),
}

impl Address {
    /// Reads a URL or a local path.
    pub(crate) fn parse(text: &str, allowed: Allowed) -> Result<Self, GitError> {
        let invalid = |reason: &str| Err(GitError::InvalidUrl { reason: reason.into() });
        let refused =
            |protocol: &str, hint| Err(GitError::ProtocolRefused { protocol: protocol.into(), hint });
        if text.trim().is_empty() {
            return invalid("it is empty");
        }
        if text.chars().any(char::is_control) {
            return invalid("it holds control characters");
        }
        // `ext::sh -c …` and its like run programs.
        if let Some((helper, _)) = text.split_once("::")
            && !helper.is_empty()
            && helper.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        {
            return refused(helper, "remote helpers run programs; use https");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            #[cfg(feature = "ssh")]
            if looks_like_ssh(text) {
                return SshUrl::parse_scp(text).map(Self::Ssh);
            }
            #[cfg(not(feature = "ssh"))]
            if looks_like_ssh(text) {
                return refused("ssh", NO_SSH);
            }
            return Self::local(Path::new(text), allowed);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => match rest.strip_prefix("localhost").unwrap_or(rest) {
                path if path.starts_with('/') => Self::local(Path::new(&percent_decoded(path)?), allowed),
                _ => invalid("a file URL names a path on this machine: file:///path"),
            },
            "http" if !allowed.http => refused("http", "use https, or allow_http() where nobody listens"),
            #[cfg(feature = "https")]
            "http" | "https" => Self::http(text),
            #[cfg(not(feature = "https"))]
            "http" | "https" => refused(scheme, "the feature `https` of gitops-git is switched off"),
            #[cfg(feature = "ssh")]
            "ssh" | "git+ssh" | "ssh+git" => SshUrl::parse(rest).map(Self::Ssh),
            #[cfg(not(feature = "ssh"))]
            "ssh" | "git+ssh" | "ssh+git" => refused("ssh", NO_SSH),
            "git" => refused("git", "it has neither encryption nor authentication; use https"),
            _ => refused(&scheme.chars().take(40).collect::<String>(), "use https"),
        }
    }

    /// Whether it is the same server, reached in the same way.
    pub(crate) fn is_on_the_server_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(_), Self::Local(_)) => true,
            #[cfg(feature = "https")]
            (Self::Http { url, .. }, Self::Http { url: other, .. }) => url.origin() == other.origin(),
            #[cfg(feature = "ssh")]
            (Self::Ssh(url), Self::Ssh(other)) => {
                (&url.user, &url.host, url.port) == (&other.user, &other.host, other.port)
            }
            #[cfg(any(feature = "https", feature = "ssh"))]
            _ => false,
        }
    }

    fn local(path: &Path, allowed: Allowed) -> Result<Self, GitError> {
        if !allowed.local {
            return Err(GitError::ProtocolRefused {
                protocol: "local".into(),
                hint: "use https, or allow_local() for paths and file URLs",
            });
        }
        // The real path, so that a repository has one identity; where there is nothing yet, the absolute one.
        let path = path.canonicalize().or_else(|_| std::path::absolute(path));
        path.map(Self::Local).map_err(|error| GitError::InvalidUrl { reason: error.to_string() })
    }

    #[cfg(feature = "https")]
    fn http(text: &str) -> Result<Self, GitError> {
        let invalid = |reason: String| GitError::InvalidUrl { reason };
        let mut url = reqwest::Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if url.query().is_some() || url.fragment().is_some() {
            // They may hold a token, and mean nothing in a repository's URL.
            return Err(invalid("it has a query or a fragment".into()));
        }
        let credentials = user_info(&url)?;
        let cannot = || invalid("it has no host".into());
        url.set_username("").map_err(|()| cannot())?;
        url.set_password(None).map_err(|()| cannot())?;
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self::Http { url, credentials })
    }

    /// The URL in its normal form.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Local(path) => format!("file://{}", path.display()),
            #[cfg(feature = "https")]
            Self::Http { url, .. } => url.as_str().trim_end_matches('/').to_owned(),
            #[cfg(feature = "ssh")]
            Self::Ssh(url) => url.identity(),
        }
    }
}

/// `user@host:path`, or `host:path` where no such file could be meant: Git takes both for SSH.
fn looks_like_ssh(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, _)| {
        let drive = cfg!(windows) && host.len() == 1;
        !(drive || host.is_empty() || host.contains('/'))
    })
}

/// A part of a URL without its encoding (RFC 3986, 2.1).
pub(crate) fn percent_decoded(encoded: &str) -> Result<String, GitError> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        // A sign is no digit, although Rust reads one.
        let digits = code.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(byte) = digits.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|byte| *byte != 0)
        else {
            return Err(GitError::InvalidUrl {
                reason: "a % is not followed by two hexadecimal digits".into(),
            });
        };
        bytes.push(byte);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| GitError::InvalidUrl { reason: "a part of it is not UTF-8".into() })
}

#[cfg(feature = "https")]
fn user_info(url: &reqwest::Url) -> Result<Option<Credentials>, GitError> {
    let found = user_and_password(url)?;
    Ok(found.map(|(user, password)| crate::Basic::new(user, password).into()))
}

/// The user information of a URL, decoded. `https://TOKEN@host/…` has an empty password.
#[cfg(feature = "https")]
pub(crate) fn user_and_password(url: &reqwest::Url) -> Result<Option<(String, String)>, GitError> {
    Ok(match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => Some((percent_decoded(user)?, percent_decoded(password.unwrap_or_default())?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Allowed = Allowed { local: true, http: true };

    fn identity(text: &str) -> String {
        Address::parse(text, ALL).unwrap_or_else(|error| panic!("{text}: {error}")).identity()
    }

    fn refusal(text: &str, allowed: Allowed) -> GitError {
        Address::parse(text, allowed).err().unwrap_or_else(|| panic!("{text} was accepted"))
    }

    #[test]
    fn only_what_encrypts_is_allowed_by_default() {
        for text in [
            "http://h/r",
            "HTTP://h/r",
            "/srv/git/r",
            "./r",
            "file:///srv/r",
            "git://h/r",
            "ext::sh -c id",
            "ftp://h/r",
            "foo://h/r",
            "fd::17/foo",
        ] {
            let error = refusal(text, Allowed::default());
            assert!(matches!(error, GitError::ProtocolRefused { .. }), "{text}: {error:?}");
        }
        for text in ["git://h/r", "ext::sh -c id", "ftp://h/r"] {
            assert!(matches!(refusal(text, ALL), GitError::ProtocolRefused { .. }), "{text}");
        }
        for text in ["", " ", "/a\nb", "file://host/r", "file:///a%0", "file:///a%00"] {
            assert!(matches!(refusal(text, ALL), GitError::InvalidUrl { .. }), "{text}");
        }
    }

    /// What looks like SSH is never taken for a path, whatever is allowed.
    #[test]
    fn ssh_is_told_from_paths() {
        for text in ["ssh://git@h/r", "git@h:r", "git+ssh://git@h/r", "SSH://git@h/r"] {
            for allowed in [Allowed::default(), ALL] {
                match Address::parse(text, allowed) {
                    #[cfg(feature = "ssh")]
                    Ok(Address::Ssh(_)) => {}
                    #[cfg(not(feature = "ssh"))]
                    Err(GitError::ProtocolRefused { .. }) => {}
                    Ok(_) => panic!("{text} is something else"),
                    Err(error) => panic!("{text}: {error}"),
                }
            }
        }
        assert!(Address::parse("h:r", ALL).is_err(), "nobody is named");
        assert!(matches!(Address::parse("./h:r", ALL), Ok(Address::Local(_))));
    }

    #[test]
    fn a_local_repository_has_one_identity() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        let path = real.display().to_string();
        assert_eq!(identity(&path), format!("file://{path}"));
        assert_eq!(identity(&format!("file://{path}/")), format!("file://{path}"));
        assert_eq!(identity(&format!("{path}/./")), format!("file://{path}"));
    }

    #[cfg(feature = "https")]
    #[test]
    fn user_information_is_taken_out_of_urls() {
        let text = "HTTPS://bot:s%33cr3t@Git.Example:443/platform/config.git/";
        assert_eq!(identity(text), "https://git.example/platform/config.git");
        let Address::Http { credentials, .. } = Address::parse(text, ALL).unwrap() else { panic!() };
        let same = Credentials::from(crate::Basic::new("bot", "s3cr3t"));
        assert_eq!(credentials.unwrap().identity(), same.identity());
        assert_eq!(identity("http://h:8080/r"), "http://h:8080/r");
        for text in ["https://", "https://h/r?token=s3cr3t", "https://h/r#x", "https://h:99999/r"] {
            let error = refusal(text, ALL);
            assert!(matches!(error, GitError::InvalidUrl { .. }), "{text}: {error:?}");
            assert!(!error.to_string().contains("s3cr3t"));
        }
    }
}
