//! The name of an image's repository.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// No name is longer: the limit of the reference implementations for host, port and name.
const MAX_LENGTH: usize = 255;

/// What is meant where no registry is named.
const DOCKER_HUB: &str = "docker.io";

/// Where the tags of an image are: a registry's host, perhaps with a port, and a name there.
///
/// As for Docker, what begins with no host is on `docker.io`, and a single word there is in `library`. Two that are the same so are
/// equal, however they were written; that is remembered for [`as_given`](Self::as_given) alone.
///
/// ```
/// use gitops_image::Repository;
/// let shop: Repository = "registry.example:5000/shop/web".parse()?;
/// assert_eq!((shop.registry(), shop.name()), ("registry.example:5000", "shop/web"));
/// assert_eq!("nginx".parse::<Repository>()?.to_string(), "docker.io/library/nginx");
/// # Ok::<(), gitops_image::InvalidRepository>(())
/// ```
#[derive(Debug, Clone)]
pub struct Repository {
    registry: Box<str>,
    name: Box<str>,
    given: Box<str>,
}

/// A text that names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no repository of images: {reason}")]
pub struct InvalidRepository {
    /// The text, shortened, and without what is before an `@`: it may be a password.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Repository {
    /// Reads `registry.example/name`, `registry.example:5000/name` or `name`, without a tag and a digest.
    pub fn parse(text: &str) -> Result<Self, InvalidRepository> {
        let invalid = |reason| InvalidRepository { text: shown(text), reason };
        if text.len() > MAX_LENGTH {
            return Err(invalid("it is longer than 255 characters"));
        }
        if text.contains("://") {
            return Err(invalid("write the host and the name, without https://"));
        }
        let (host, name) = match text.split_once('/') {
            Some((first, rest)) if is_host(first) => (first.to_ascii_lowercase(), rest.to_owned()),
            _ => (DOCKER_HUB.to_owned(), text.to_owned()),
        };
        if name.contains('@') {
            return Err(invalid("there is a digest: name the repository alone"));
        }
        if name.contains(':') {
            return Err(invalid("there is a tag: name the repository alone"));
        }
        check_host(&host).map_err(invalid)?;
        // The names that Docker's own hosts have in its configuration files.
        let is_hub = matches!(&*host, "index.docker.io" | "registry-1.docker.io");
        let registry = if is_hub { DOCKER_HUB.into() } else { host.into_boxed_str() };
        let name =
            if &*registry == DOCKER_HUB && !name.contains('/') { format!("library/{name}") } else { name };
        if !name.split('/').all(is_component) {
            return Err(invalid("names are parts of lower-case letters and digits, with single separators"));
        }
        Ok(Self { registry, name: name.into(), given: text.into() })
    }

    /// The registry's host, in lower case, with its port if there is one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name in the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was written: what is put into a configuration, so that nothing changes there but what is new.
    pub fn as_given(&self) -> &str {
        &self.given
    }

    fn key(&self) -> (&str, &str) {
        (&self.registry, &self.name)
    }

    /// The host that answers for the registry.
    #[cfg(feature = "registry")]
    pub(crate) fn endpoint(&self) -> &str {
        if &*self.registry == DOCKER_HUB { "registry-1.docker.io" } else { &self.registry }
    }
}

/// Whether the first part of a name is a host, by Docker's rule.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':', '[']) || first.eq_ignore_ascii_case("localhost")
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("an IPv6 address ends with ]")?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| "that is no IPv6 address")?;
            ("v6", port.strip_prefix(':').or(port.is_empty().then_some("443")).ok_or("that is no port")?)
        }
        None => host.split_once(':').unwrap_or((host, "443")),
    };
    let is_name = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    if !name.split('.').all(is_name) {
        return Err("its host is no name of a host");
    }
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_port && port.parse::<u16>().is_ok_and(|port| port > 0) { Ok(()) } else { Err("that is no port") }
}

/// Part of a name (OCI distribution specification, "Pulling manifests"): words of letters and digits, with `.`, `_`, `__` or
/// hyphens between.
fn is_component(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    if !bytes.first().is_some_and(|byte| is_word(*byte)) || !bytes.last().is_some_and(|byte| is_word(*byte)) {
        return false;
    }
    let mut separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    separators
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

/// What can be told of a text that names no repository.
fn shown(text: &str) -> String {
    text.rsplit('@').next().unwrap_or_default().chars().take(MAX_LENGTH).collect()
}

impl PartialEq for Repository {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Repository {}

impl Hash for Repository {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Ord for Repository {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Repository {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Repository {
    type Err = InvalidRepository;
    fn from_str(text: &str) -> Result<Self, InvalidRepository> {
        Self::parse(text)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, shown) in [
            ("nginx", "docker.io/library/nginx"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/library/nginx", "docker.io/library/nginx"),
            ("bitnami/redis", "docker.io/bitnami/redis"),
            ("ghcr.io/stefanprodan/podinfo", "ghcr.io/stefanprodan/podinfo"),
            ("localhost/web", "localhost/web"),
            ("localhost:5000/a/b/c", "localhost:5000/a/b/c"),
            ("GHCR.io/a", "ghcr.io/a"),
            ("ghcr.io", "docker.io/library/ghcr.io"),
            ("[::1]:5000/web", "[::1]:5000/web"),
            ("[::1]/web", "[::1]/web"),
            ("a--b/c__d/e.f/g-h", "docker.io/a--b/c__d/e.f/g-h"),
        ] {
            let repository = Repository::parse(text).unwrap();
            assert_eq!((repository.to_string().as_str(), repository.as_given()), (shown, text));
            assert_eq!(repository, Repository::parse(shown).unwrap());
        }
    }

    #[test]
    fn what_is_no_repository_says_why() {
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "ghcr.io/",
            "nginx:1.25",
            "ghcr.io/a:1",
            "ghcr.io/a@sha256:00",
            "https://ghcr.io/a",
            "ghcr.io:0/a",
            "ghcr.io:x/a",
            "ghcr.io:70000/a",
            "ghcr.io:+80/a",
            "user@ghcr.io/a",
            "gh_cr.io/a",
            "-a.io/b",
            "a..io/b",
            "[::1/a",
            "[::1]x/a",
            "[fe80::1%25eth0]/a",
            "ghcr.io/A",
            "ghcr.io/../a",
            "ghcr.io/a..b",
            "ghcr.io/a___b",
            "ghcr.io/a._b",
            "ghcr.io/-a",
            "ghcr.io/a_",
            "ghcr.io/a b",
            "ghcr.io/a?x",
            "ghcr.io/a%2fb",
            "ghcr.io/ä",
            &format!("ghcr.io/{}", "a".repeat(250)),
        ] {
            assert!(Repository::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_error_repeats_a_credential() {
        for text in [
            "bot:s3cr3t@ghcr.io/acme/web",
            "https://bot:s3cr3t@ghcr.io/acme/web",
            "bot:s3cr/3t@ghcr.io/acme/web",
            "bot:s3cr@3t@ghcr.io/acme/web",
            "s3cr3t@ghcr.io",
        ] {
            let error = Repository::parse(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("s3cr") && shown.contains("ghcr.io"), "{shown}");
        }
        let long = format!("{}:s3cr3t@ghcr.io/{}", "b".repeat(90), "a".repeat(300));
        assert!(!Repository::parse(&long).unwrap_err().to_string().contains("s3cr3t"));
    }
}
