//! What can go wrong with a Git source, and what the engine does about it.

use std::path::PathBuf;
use std::time::Duration;

use gitops_core::{Class, Fault};
pub(crate) use gitops_net::text::{chain, shorten};

use crate::refusal::Refusal;

/// An error of a Git source. [`Self::class`] says what the engine does about it.
///
/// None holds a credential: URLs are shown without user information, and what a server says is shortened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The URL cannot be used.
    #[error("the repository URL cannot be used: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The URL's protocol is not allowed, or not known.
    #[error("{protocol} repositories are refused: {hint}")]
    ProtocolRefused {
        /// The protocol, as the URL spells it.
        protocol: String,
        /// What to do.
        hint: &'static str,
    },
    /// A credential would go over plain HTTP.
    #[error(
        "a credential would be sent in the clear over http: use https, or allow_credentials_over_http() where nobody listens"
    )]
    CredentialsInTheClear,
    /// A certificate authority given to the builder cannot be read.
    #[error("the CA certificates cannot be read: {reason}")]
    InvalidCa {
        /// What is wrong.
        reason: String,
    },
    /// The proxy given to the builder, or to the environment, cannot be used.
    #[error("the proxy cannot be used: {reason}")]
    InvalidProxy {
        /// What is wrong, without its URL.
        reason: String,
    },
    /// The process has chosen no TLS implementation. Libraries never do; see the crate's documentation.
    #[error(
        "no TLS provider is installed: call rustls::crypto::CryptoProvider::install_default() at the start of the program"
    )]
    NoTlsProvider,
    /// A credential or a client certificate is missing, unreadable, of a kind that the protocol does not take, or has characters
    /// that no HTTP header can carry.
    #[error("the credential cannot be used: {reason}")]
    Credential {
        /// What is wrong, without the credential.
        reason: String,
    },
    /// A credential provider had no credential.
    #[error("there is no credential: {0}")]
    CredentialProvider(Fault),
    /// What answered a request for a token is not GitHub.
    #[error("the answer is not one of GitHub: {detail}; is the URL of its API right?")]
    NotGitHub {
        /// What came instead.
        detail: String,
    },
    /// There is no directory for the mirror, or it cannot be used.
    #[error("the mirror directory {} cannot be used: {reason}", path.display())]
    MirrorDir {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What is to be followed is no name of a branch or tag, or no full commit id.
    #[error("{text:?} is not {wanted}")]
    InvalidReference {
        /// What was given.
        text: String,
        /// What would have been right.
        wanted: &'static str,
    },
    /// A directory has more entries than allowed.
    #[error("a directory has more than {limit} entries: split it")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// What the repository says of its submodules cannot be used.
    #[error("the submodules of {at} cannot be read: {reason}")]
    Submodules {
        /// The file, or the submodule.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// A submodule is not where its repository is.
    #[error(
        "the URL of a submodule leads to another server: only those on the repository's own server are read"
    )]
    SubmoduleElsewhere,
    /// The repository is there, but holds no commit at all.
    #[error("the repository is empty: {reference} does not exist yet")]
    EmptyRepository {
        /// The reference that was wanted.
        reference: String,
    },
    /// A text is no range of versions.
    #[error("{range:?} is no range of versions: {reason}")]
    InvalidRange {
        /// The text.
        range: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No tag has a version in the range.
    #[error("none of the repository's {tags} tags has a version in the range {range}")]
    NoVersion {
        /// The range.
        range: String,
        /// How many tags there are.
        tags: usize,
    },
    /// The repository has no such branch or tag.
    #[error("the repository has no {reference}: it was deleted, or never existed")]
    ReferenceNotFound {
        /// The reference that was wanted.
        reference: String,
    },
    /// The repository does not have this commit (any more).
    #[error("the repository does not have commit {id}: it never did, or it was removed after a force-push")]
    RevisionNotFound {
        /// The commit's id.
        id: String,
    },
    /// The id names something else than a commit.
    #[error("{id} is no commit")]
    NotACommit {
        /// The id.
        id: String,
    },
    /// There is no repository at this address, or the credential may not see it.
    #[error("no repository was found: {detail}")]
    RepositoryNotFound {
        /// What the server said.
        detail: String,
    },
    /// The server refused the credential, or wants one.
    #[error("access was denied: {detail}")]
    Denied {
        /// What the server said.
        detail: String,
    },
    /// The server points to another host, protocol or place.
    #[error("a redirect to {to} was refused: {reason}")]
    RedirectRefused {
        /// Where to, without user information and query.
        to: String,
        /// Why it was refused.
        reason: &'static str,
    },
    /// The server's address is one that needs to be allowed.
    #[error("a connection to {host} was refused: {reason}")]
    AddressRefused {
        /// The host, as the URL names it.
        host: String,
        /// Why it was refused, and what to do.
        reason: &'static str,
    },
    /// The server's certificate cannot be trusted, or there is no common way to speak TLS.
    #[error("no trustworthy TLS connection: {reason}")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// There are no host keys to know an SSH server by, or they cannot be read.
    #[error("the known host keys cannot be used: {reason}")]
    KnownHosts {
        /// What is wrong.
        reason: String,
    },
    /// An SSH server's host key is not the one that is known, or none is.
    #[error("the SSH server cannot be trusted: {reason}")]
    HostKey {
        /// What is wrong.
        reason: String,
    },
    /// There was no connection, or it broke.
    #[error("the server cannot be reached: {reason}")]
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// The server has trouble, or asks to come back later.
    #[error("the server answered with HTTP status {status}")]
    ServerTrouble {
        /// The HTTP status.
        status: u16,
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
    },
    /// The answer is not one of a Git server.
    #[error("the answer is not one of a Git server: {detail}")]
    NotGit {
        /// What came instead.
        detail: String,
    },
    /// The server sent more than allowed.
    #[error(
        "the server sent more than {limit} bytes: raise with_max_received_bytes() if the repository is that large"
    )]
    ReceivedTooMuch {
        /// The limit in bytes.
        limit: u64,
    },
    /// What the server said before it sent a pack was more than allowed.
    #[error(
        "the server says more than {limit} bytes without sending a pack: it has too many references, or it is no Git server"
    )]
    AnswerTooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// What the server sent unpacks to more than allowed.
    #[error(
        "what the server sent unpacks to more than {limit} bytes: raise with_max_unpacked_bytes() if the history is that large"
    )]
    UnpackedTooMuch {
        /// The limit in bytes.
        limit: u64,
    },
    /// The server was silent for too long.
    #[error("the server sent nothing for {} s", waited.as_secs_f32())]
    Silent {
        /// How long we waited.
        waited: Duration,
    },
    /// The caller's deadline has passed.
    #[error("no end within the deadline")]
    Deadline,
    /// The caller asked to stop.
    #[error("stopped on request")]
    Cancelled,
    /// The server cannot do what is needed.
    #[error("the server cannot do this: {detail}")]
    Unsupported {
        /// What it cannot do.
        detail: String,
    },
    /// The conversation with the server failed in a way that may pass.
    #[error("{doing} failed: {detail}")]
    Protocol {
        /// What we were doing.
        doing: &'static str,
        /// The chain of causes.
        detail: String,
    },
    /// An object is larger than allowed.
    #[error(
        "{doing}: an object is larger than {limit} bytes: raise with_max_object_bytes() if that is right"
    )]
    ObjectTooLarge {
        /// What we were doing.
        doing: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The mirror is broken; it is made anew at the next fetch.
    #[error("the mirror is damaged and will be made anew: {detail}")]
    Damaged {
        /// What was found.
        detail: String,
    },
    /// What the server has at a commit cannot be read, also not when all of it was fetched anew.
    #[error("commit {id} cannot be read as the server has it: {detail}; see what `git fsck` says there")]
    Malformed {
        /// The commit.
        id: String,
        /// What was found.
        detail: String,
    },
    /// Nothing is at a path.
    #[error("{path:?} does not exist in commit {commit}")]
    PathNotFound {
        /// The path; empty for the root.
        path: String,
        /// The commit.
        commit: String,
    },
    /// There is something at the path, but of another kind.
    #[error("{path:?} is {found}, not {wanted}")]
    WrongKind {
        /// The path.
        path: String,
        /// What is there.
        found: &'static str,
        /// What was wanted.
        wanted: &'static str,
    },
    /// A symbolic link cannot be followed.
    #[error("the symbolic link {path:?} to {target:?} {reason}")]
    BrokenLink {
        /// Where the link is.
        path: String,
        /// What it says.
        target: String,
        /// Why it cannot be followed.
        reason: &'static str,
    },
    /// A directory has so many symbolic links below it, or they lead on through so many directories, that they are not
    /// followed.
    #[error("the symbolic links below {dir:?} lead through more than {limit} places: use fewer")]
    TooManyLinks {
        /// The directory; empty for the root.
        dir: String,
        /// The limit.
        limit: usize,
    },
    /// More commits would have to be looked at than allowed.
    #[error("more than {limit} commits: raise with_max_commits(), or ask for a shorter time")]
    HistoryTooLong {
        /// The limit.
        limit: usize,
    },
    /// Two revisions differ in more than can be told.
    #[error(
        "the revisions differ in more than {limit} files and directories below {dir:?}: ask for less of it"
    )]
    TooManyFiles {
        /// The directory; empty for the root.
        dir: String,
        /// The limit.
        limit: usize,
    },
    /// A file is larger than the reader allows.
    #[error("{path:?} has {size} bytes, more than the limit of {limit}")]
    FileTooLarge {
        /// The file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file's content is in Git LFS: the tree holds only a pointer to it.
    #[error("{path:?} is stored in Git LFS, which is not supported: keep manifests in Git itself")]
    LfsPointer {
        /// The file.
        path: String,
    },
    /// A tree has an entry whose name no path can spell.
    #[error("{dir:?} holds an entry named {name}: {reason}")]
    UnusableName {
        /// The directory.
        dir: String,
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The keys to verify signatures with cannot be used.
    #[error("the trusted keys cannot be used: {place}: {reason}")]
    InvalidKeys {
        /// The file, or what else was given.
        place: String,
        /// What is wrong, with the line or the key.
        reason: String,
    },
    /// A signature was verified, and the revision may not be trusted. It lasts: only another revision, or other keys, help.
    #[error("{object} is refused: {why}")]
    Refused {
        /// The commit or the tag.
        object: String,
        /// Why; with the key where that is the reason.
        why: Refusal,
    },
    /// An invariant of this crate does not hold.
    #[error("internal error: {0}")]
    Bug(String),
}

impl GitError {
    /// What kind of failure it is, and so what the engine does about it.
    pub fn class(&self) -> Class {
        match self {
            Self::InvalidUrl { .. }
            | Self::ProtocolRefused { .. }
            | Self::CredentialsInTheClear
            | Self::InvalidCa { .. }
            | Self::InvalidProxy { .. }
            | Self::NotGitHub { .. }
            | Self::NoTlsProvider
            | Self::InvalidReference { .. }
            | Self::InvalidRange { .. }
            | Self::NotACommit { .. }
            | Self::RedirectRefused { .. }
            | Self::AddressRefused { .. }
            | Self::Tls { .. }
            | Self::KnownHosts { .. }
            | Self::HostKey { .. }
            | Self::NotGit { .. }
            | Self::ReceivedTooMuch { .. }
            | Self::AnswerTooLong { .. }
            | Self::UnpackedTooMuch { .. }
            | Self::ObjectTooLarge { .. }
            | Self::TooManyEntries { .. }
            | Self::Submodules { .. }
            | Self::SubmoduleElsewhere
            | Self::BrokenLink { .. }
            | Self::TooManyLinks { .. }
            | Self::HistoryTooLong { .. }
            | Self::TooManyFiles { .. }
            | Self::FileTooLarge { .. }
            | Self::LfsPointer { .. }
            | Self::UnusableName { .. }
            | Self::Malformed { .. }
            | Self::InvalidKeys { .. }
            | Self::Refused { .. } => Class::Invalid,
            Self::Credential { .. } | Self::Denied { .. } => Class::Denied,
            Self::EmptyRepository { .. }
            | Self::ReferenceNotFound { .. }
            | Self::NoVersion { .. }
            | Self::RevisionNotFound { .. }
            | Self::RepositoryNotFound { .. }
            | Self::PathNotFound { .. }
            | Self::WrongKind { .. } => Class::NotFound,
            Self::ServerTrouble { retry_after, .. } => Class::Retry { after: *retry_after },
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Deadline
            | Self::MirrorDir { .. }
            | Self::Protocol { .. }
            | Self::Damaged { .. } => Class::RETRY,
            Self::CredentialProvider(fault) => fault.class,
            Self::Cancelled => Class::Cancelled,
            Self::Unsupported { .. } => Class::Unsupported,
            Self::Bug(_) => Class::Bug,
        }
    }

    /// The same error, with other texts in the place of those that may hold words of a server.
    pub(crate) fn with_texts(mut self, other: impl Fn(&str) -> String) -> Self {
        if let Self::Unsupported { detail: text }
        | Self::Protocol { detail: text, .. }
        | Self::NotGit { detail: text }
        | Self::Denied { detail: text }
        | Self::RepositoryNotFound { detail: text }
        | Self::Unreachable { reason: text }
        | Self::RedirectRefused { to: text, .. } = &mut self
        {
            *text = other(text);
        }
        self
    }

    pub(crate) fn at(self, place: impl std::fmt::Display) -> Fault {
        Fault::new(self.class(), self).at(place)
    }

    /// Reads an error of gix that no part of ours has explained already.
    pub(crate) fn from_gix(doing: &'static str, error: &gix::Error, max_object_bytes: u64) -> Self {
        let detail = chain(error);
        if error.is_cancelled() {
            return Self::Cancelled;
        }
        if detail.contains("not our ref") || detail.contains("unadvertised object") {
            return Self::RevisionNotFound { id: "asked for".into() };
        }
        if error.is_resource_exhausted() {
            return Self::ObjectTooLarge { doing, limit: max_object_bytes };
        }
        if error.is_unsupported() {
            return Self::Unsupported { detail };
        }
        Self::Protocol { doing, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_may_not() {
        let passing = GitError::Unreachable { reason: "connection refused".into() };
        assert_eq!(passing.class(), Class::RETRY);
        assert_eq!(GitError::Cancelled.class(), Class::Cancelled);
        let later = GitError::ServerTrouble { status: 503, retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(later.class(), Class::Retry { after: Some(Duration::from_secs(7)) });
        for lasting in [
            GitError::Tls { reason: "unknown issuer".into() },
            GitError::HostKey { reason: "it changed".into() },
            GitError::KnownHosts { reason: "none".into() },
            GitError::Denied { detail: "401".into() },
            GitError::NoTlsProvider,
        ] {
            assert!(!lasting.class().is_transient(), "{lasting}");
        }
    }
}
