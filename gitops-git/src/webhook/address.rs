//! One repository, many addresses: their normal form.

use gix::url::{Scheme, Url};

/// No host's are longer.
const MAX_BYTES: usize = 2048;

/// What makes two addresses those of one repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// On a server. The protocol is not part of it: hosts serve a repository over several, at one path.
    Server {
        /// In lower case.
        host: String,
        /// None for the protocol's usual one.
        port: Option<u16>,
        /// In lower case, without slashes around it and `.git`. Most hosts do not tell cases apart; a poll too many is better
        /// than one that is missing.
        path: String,
    },
    /// On this machine, by its path.
    Local(String),
}

impl Address {
    /// Reads an address in any form that Git takes: a URL, `user@host:path`, or an absolute path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut url = parse(text)?;
        let port = url.port.take();
        let usual = url.port_or_default();
        let path = std::str::from_utf8(&url.path).ok()?;
        let Some(host) = url.host.as_deref() else {
            let path = path.trim_end_matches('/');
            return (url.scheme == Scheme::File && !path.is_empty()).then(|| Self::Local(path.to_owned()));
        };
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let path = path.trim_matches('/').to_ascii_lowercase();
        let path = path.strip_suffix(".git").unwrap_or(&path).trim_end_matches('/');
        let port = port.filter(|port| usual != Some(*port));
        let is_some = !host.is_empty() && !path.is_empty();
        is_some.then(|| Self::Server { host, port, path: path.to_owned() })
    }

    /// Whether its path ends with a name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let Self::Server { path, .. } = self else { return false };
        let name = name.trim_matches('/').to_ascii_lowercase();
        let before = path.strip_suffix(&*name);
        !name.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }
}

/// An address as it was given, less what nobody should see: build servers put tokens into theirs. None if it is none.
pub(super) fn without_credentials(text: &str) -> Option<String> {
    let mut url = parse(text)?;
    let is_secret = url.password.is_some() || matches!(url.scheme, Scheme::Http | Scheme::Https);
    if url.user.is_none() || !is_secret {
        return Some(text.to_owned());
    }
    url.user = None;
    url.password = None;
    let mut shown = Vec::new();
    url.write_to(&mut shown).ok()?;
    String::from_utf8(shown).ok()
}

fn parse(text: &str) -> Option<Url> {
    let is_plain = text.len() <= MAX_BYTES && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let url = if is_plain { gix::url::parse(text.as_bytes()).ok()? } else { return None };
    match url.scheme {
        // A query may hold a token, and means nothing in a repository's address.
        Scheme::Http | Scheme::Https | Scheme::Ssh | Scheme::Git => {
            (!text.contains(['?', '#'])).then_some(url)
        }
        // Any word is a path; one that begins nowhere names no place.
        Scheme::File => (text.starts_with('/') || text.starts_with("file://")).then_some(url),
        _ => None,
    }
}
