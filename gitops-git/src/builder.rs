//! Building a [`GitSource`].

#[cfg(feature = "https")]
mod https;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gitops_core::RefSpec;

use crate::reference::Want;
use crate::remote::{Address, Allowed, Limits, Place, Remote};
use crate::sieve::Sieve;
use crate::source::Settings;
use crate::submodules::{self, Submodules};
#[cfg(feature = "https")]
use crate::transport::http::{Choices, HttpPlace};
#[cfg(feature = "ssh")]
use crate::transport::ssh::{KnownHosts, SshPlace};
use crate::{Credentials, GitError, GitSource};

const DEFAULT_SILENCE: Duration = Duration::from_secs(30);
const DEFAULT_RECEIVED_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const DEFAULT_OBJECT_BYTES: u64 = 256 * 1024 * 1024;
/// Histories unpack to fifty times their packs and more.
const DEFAULT_UNPACKED_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Settings of a [`GitSource`]. See [`GitSource::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until build() is called"]
pub struct GitSourceBuilder {
    url: String,
    want: RefSpec,
    credentials: Option<Credentials>,
    mirror_dir: Option<PathBuf>,
    limits: Limits,
    max_packs: usize,
    shallow: bool,
    /// How many levels of submodules are read; none where they are not.
    submodules: Option<u8>,
    sieve: Sieve,
    allowed: Allowed,
    credentials_over_http: bool,
    #[cfg(any(feature = "https", feature = "ssh"))]
    reach: crate::transport::address::Reach,
    ca_pem: Vec<Vec<u8>>,
    #[cfg(feature = "https")]
    web: Choices,
    #[cfg(feature = "ssh")]
    known_hosts: Option<KnownHosts>,
    #[cfg(feature = "verify")]
    verification: Option<crate::Verification>,
}

impl fmt::Debug for GitSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL, which may hold a password.
        f.debug_struct("GitSourceBuilder")
            .field("want", &self.want)
            .field("credentials", &self.credentials)
            .field("mirror_dir", &self.mirror_dir)
            .field("limits", &self.limits)
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl GitSourceBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            want: RefSpec::Default,
            credentials: None,
            mirror_dir: None,
            limits: Limits {
                silence: DEFAULT_SILENCE,
                received_bytes: DEFAULT_RECEIVED_BYTES,
                object_bytes: DEFAULT_OBJECT_BYTES,
                unpacked_bytes: DEFAULT_UNPACKED_BYTES,
            },
            max_packs: crate::mirror::MAX_PACKS,
            shallow: false,
            submodules: None,
            sieve: Sieve::default(),
            allowed: Allowed::default(),
            credentials_over_http: false,
            #[cfg(any(feature = "https", feature = "ssh"))]
            reach: crate::transport::address::Reach::default(),
            ca_pem: Vec::new(),
            #[cfg(feature = "https")]
            web: Choices::default(),
            #[cfg(feature = "ssh")]
            known_hosts: None,
            #[cfg(feature = "verify")]
            verification: None,
        }
    }

    /// Follows a branch. Without any of these, the branch is followed that the repository's HEAD points to.
    pub fn with_branch(mut self, name: impl Into<String>) -> Self {
        self.want = RefSpec::Branch(name.into());
        self
    }

    /// Follows a tag, peeled to its commit.
    pub fn with_tag(mut self, name: impl Into<String>) -> Self {
        self.want = RefSpec::Tag(name.into());
        self
    }

    /// Stays at one commit, given by its full id.
    pub fn with_commit(mut self, id: impl Into<String>) -> Self {
        self.want = RefSpec::Commit(id.into());
        self
    }

    /// Follows any reference, given by its full name, such as `refs/pull/1/head`.
    pub fn with_reference(mut self, name: impl Into<String>) -> Self {
        self.want = RefSpec::Reference(name.into());
        self
    }

    /// Follows the tag (`v1.2.3` or `1.2.3`) with the newest version in a range: `1.x`, `>=1.0.0 <2.0.0`, `^1.2`. Pre-releases
    /// count only where the range names one (`>=1.0.0-0`); [`RefSpec::SemVer`] takes them by an option, too.
    pub fn with_semver(mut self, range: impl Into<String>) -> Self {
        self.want = RefSpec::SemVer { range: range.into(), pre_releases: false };
        self
    }

    /// Follows what is described; replaces any branch, tag or commit given before.
    pub fn with_ref(mut self, want: RefSpec) -> Self {
        self.want = want;
        self
    }

    /// Takes only files that match this pattern, or others given so, into account: a pattern as in a `.gitignore`
    /// (gitignore(5)), from the root of the repository.
    pub fn with_include(mut self, pattern: impl Into<String>) -> Self {
        self.sieve.include(pattern.into());
        self
    }

    /// Leaves out what matches a pattern as in a `.gitignore`, as the `.sourceignore` files of the repository do; a later
    /// pattern goes before an earlier one and before those files, and one that begins with `!` takes in again.
    pub fn with_exclude(mut self, pattern: impl Into<String>) -> Self {
        self.sieve.exclude(pattern.into());
        self
    }

    /// Who we are to the server: a [`crate::Token`], a [`crate::TokenFile`], [`crate::Basic`] or another
    /// [`crate::CredentialProvider`], which go before user information in the URL; over SSH an `SshKey` or the `SshAgent`.
    pub fn with_credentials(mut self, credentials: impl Into<Credentials>) -> Self {
        self.credentials = Some(credentials.into());
        self
    }

    /// Keeps mirrors below this directory, which is made with access for its owner only. By default they are in
    /// `gitops/mirrors` below the user's cache directory (`XDG_CACHE_HOME`, or `.cache` at home).
    pub fn with_mirror_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.mirror_dir = Some(dir.into());
        self
    }

    /// The longest wait for a credential provider, for a connection, and for each next byte of an answer; 30 s by default. The
    /// whole operation is bounded by the context's deadline.
    pub fn with_timeout(mut self, silence: Duration) -> Self {
        self.limits.silence = silence;
        self
    }

    /// The most bytes that one operation takes from the server; 2 GiB by default. The first fetch takes the whole
    /// history of what is followed.
    pub fn with_max_received_bytes(mut self, bytes: u64) -> Self {
        self.limits.received_bytes = bytes;
        self
    }

    /// The largest object, unpacked, that the mirror takes; 256 MiB by default. It bounds memory while a pack is
    /// indexed: objects are unpacked one by one for each processor. The limit for single files is given to
    /// [`gitops_core::Snapshot::read`].
    pub fn with_max_object_bytes(mut self, bytes: u64) -> Self {
        self.limits.object_bytes = bytes;
        self
    }

    /// The most bytes that the objects of one fetch unpack to, all together; 64 GiB by default. It bounds the work that a
    /// small pack can make: of a few kilobytes, deltas can make terabytes.
    pub fn with_max_unpacked_bytes(mut self, bytes: u64) -> Self {
        self.limits.unpacked_bytes = bytes;
        self
    }

    /// The most packs that a mirror holds before they are copied into one; 50 by default, at least 1. Each fetch that
    /// brings something adds one. Copying needs no server; it reads and writes the whole mirror once.
    pub fn with_max_packs(mut self, packs: usize) -> Self {
        self.max_packs = packs.max(1);
        self
    }

    /// Fetches commits without what came before them, if the server is able to do that, as it always is for a commit that is
    /// followed by its id. What is in large repositories only for the record then never arrives; in return, nobody can tell
    /// when a branch is forced to another history. [`GitSource::history`] and its like still get the whole history, when
    /// they are asked.
    pub fn shallow(mut self) -> Self {
        self.shallow = true;
        self
    }

    /// Mounts submodules where the repository has them, as `git clone --recurse-submodules` checks them out: each at the commit
    /// that the repository says, from the URL in its `.gitmodules`, and theirs in them. What cannot be fetched fails the
    /// whole. Without this, a submodule in an application's path is an error.
    ///
    /// They must be on the repository's own server, reached in the same way, with the same credentials: whoever can write to the
    /// repository chooses the URLs, and must not send us elsewhere. What the ids of commits stand for nobody can change, so
    /// verifying the repository verifies its submodules.
    pub fn with_submodules(mut self) -> Self {
        self.submodules = Some(submodules::MAX_LEVELS);
        self
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The source of a submodule, which may have so many more levels of them.
    pub(crate) fn of_submodule(&self, url: &str, levels: u8) -> Result<GitSource, GitError> {
        let own = Address::parse(&self.url, self.allowed)?;
        if !own.is_on_the_server_of(&Address::parse(url, self.allowed)?) {
            return Err(GitError::SubmoduleElsewhere);
        }
        let mut child = self.clone();
        url.clone_into(&mut child.url);
        child.submodules = Some(levels);
        (child.want, child.sieve, child.shallow) = (RefSpec::Default, Sieve::default(), false);
        #[cfg(feature = "verify")]
        {
            child.verification = None;
        }
        #[cfg(feature = "https")]
        if let Address::Http { credentials, .. } = own {
            child.credentials = child.credentials.or(credentials);
        }
        child.build()
    }

    /// Allows local paths and `file://` URLs. They are served by the machine's `git` program, without any
    /// configuration of the machine, the user or the environment.
    pub fn allow_local(mut self) -> Self {
        self.allowed.local = true;
        self
    }

    /// Allows `http://`. Anybody on the way can then change what is deployed.
    pub fn allow_http(mut self) -> Self {
        self.allowed.http = true;
        self
    }

    /// Allows credentials over `http://`, which anybody on the way can read. For tests.
    pub fn allow_credentials_over_http(mut self) -> Self {
        self.credentials_over_http = true;
        self
    }

    /// Allows servers on this machine (`localhost`). Whoever may choose a URL could else reach what runs here.
    #[cfg(any(feature = "https", feature = "ssh"))]
    pub fn allow_loopback(mut self) -> Self {
        self.reach.loopback = true;
        self
    }

    /// Allows servers on link-local addresses and those of metadata services, which hand out a cloud's credentials.
    #[cfg(any(feature = "https", feature = "ssh"))]
    pub fn allow_link_local(mut self) -> Self {
        self.reach.link_local = true;
        self
    }

    /// Trusts the certificate authorities in a PEM text, beside those of the machine.
    pub fn with_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem.push(pem.into());
        self
    }

    /// The keys that SSH servers are known by, as the text of a `known_hosts` file (sshd(8)). A server that is not named
    /// there, or has another key, is refused; there is no first use that is trusted. Takes the place of
    /// [`Self::with_known_hosts_file`].
    #[cfg(feature = "ssh")]
    pub fn with_known_hosts(mut self, text: impl Into<String>) -> Self {
        self.known_hosts = Some(KnownHosts::Text(text.into()));
        self
    }

    /// The same from a file, which is read again for each connection. Takes the place of [`Self::with_known_hosts`].
    #[cfg(feature = "ssh")]
    pub fn with_known_hosts_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.known_hosts = Some(KnownHosts::File(file.into()));
        self
    }

    /// Hands out only revisions that somebody trusted has signed. Without it, whoever can write to the repository can deploy.
    ///
    /// The revision in force, which the engine passes to [`gitops_core::Source::fetch_after`], is what others must descend from.
    #[cfg(feature = "verify")]
    pub fn with_verification(mut self, verification: crate::Verification) -> Self {
        self.verification = Some(verification);
        self
    }

    /// Checks the settings. Nothing is read, written or asked; the mirror is opened at the first fetch.
    ///
    /// # Errors
    /// [`GitError`] of a class that lasts: a URL that cannot be used or was not allowed, a name that is no branch, …
    pub fn build(self) -> Result<GitSource, GitError> {
        let submodules = self.submodules.map(|levels| Submodules::new(self.clone(), levels));
        #[cfg(feature = "verify")]
        if self.verification.as_ref().is_some_and(|verification| verification.keys.is_empty()) {
            let (place, reason) = ("the verification".into(), "there is no key".into());
            return Err(GitError::InvalidKeys { place, reason });
        }
        #[cfg(feature = "verify")]
        if self.shallow && self.verification.is_some() {
            let detail = "verifying without the history: leave out shallow()".into();
            return Err(GitError::Unsupported { detail });
        }
        let address = Address::parse(&self.url, self.allowed)?;
        let identity = address.identity();
        let want = Want::from_spec(&self.want)?.unwrap_or(Want::Head);
        let root = match self.mirror_dir {
            Some(dir) => dir,
            None => default_dir()?,
        };
        #[cfg(feature = "https")]
        if !matches!(address, Address::Http { .. }) {
            self.web.check_unused()?;
        }
        let (place, credentials) = match address {
            Address::Local(path) => (Place::Local(path), None),
            #[cfg(feature = "https")]
            Address::Http { url, credentials } => {
                #[cfg(feature = "ssh")]
                if self.credentials.as_ref().is_some_and(Credentials::is_for_ssh) {
                    let reason = "an SSH key and the agent are no credentials over HTTP".into();
                    return Err(GitError::Credential { reason });
                }
                let credentials = self.credentials.or(credentials);
                if credentials.is_some() && url.scheme() == "http" && !self.credentials_over_http {
                    return Err(GitError::CredentialsInTheClear);
                }
                let settings = self.web.settings(&self.ca_pem, self.reach, self.limits.silence)?;
                let place = HttpPlace::new(url, settings)?;
                (Place::Http(std::sync::Arc::new(place)), credentials)
            }
            #[cfg(feature = "ssh")]
            Address::Ssh(url) => {
                let Some(credentials) = self.credentials.filter(Credentials::is_for_ssh) else {
                    let reason = "over SSH, with_credentials() takes an SshKey or the SshAgent".into();
                    return Err(GitError::Credential { reason });
                };
                let place = SshPlace::new(url, self.known_hosts, self.reach, &root)?;
                (Place::Ssh(std::sync::Arc::new(place)), Some(credentials))
            }
        };
        Ok(GitSource::new(Settings {
            remote: Remote { place, identity, credentials, limits: self.limits },
            want,
            followed: self.want,
            sieve: self.sieve,
            root,
            max_packs: self.max_packs,
            shallow: self.shallow,
            submodules,
            #[cfg(feature = "verify")]
            verification: self.verification,
        }))
    }
}

fn default_dir() -> Result<PathBuf, GitError> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .or_else(|| absolute("LOCALAPPDATA"))
        .map(|cache| cache.join("gitops").join("mirrors"))
        .ok_or_else(|| GitError::MirrorDir {
            path: "gitops/mirrors".into(),
            reason: "the user has no cache directory: use with_mirror_dir()".into(),
        })
}
