//! A GitOps source over Git: cheap polling, an incremental mirror, reading trees without a checkout, and commits to them.
//!
//! [`GitSource`] implements [`gitops_core::Source`]. Asking whether something changed is one `ls-refs` of one reference;
//! fetching moves only objects that the mirror lacks; a [`GitSnapshot`] reads single files from the object database of
//! that mirror, at one commit, however many are open. There is no work tree, so nothing can be left behind in one.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gitops_core::{Cx, RefSpec, RepoPath, Snapshot, Source};
//! use gitops_git::{GitSource, TokenFile};
//! use std::time::Duration;
//!
//! let source = GitSource::builder("https://git.example/platform/config")
//!     .with_branch("main")
//!     .with_credentials(TokenFile::new("/run/secrets/git-token"))
//!     .build()?;
//!
//! let cx = Cx::with_timeout(Duration::from_secs(60));
//! let revision = source.resolve(&cx, &RefSpec::Default).await?; // downloads no objects
//! let snapshot = source.fetch(&cx, &revision).await?; // downloads what is missing
//! println!("{}", snapshot.revision());
//! for entry in snapshot.list(&RepoPath::new("apps/shop")?)? {
//!     println!("{:?} {}", entry.kind, entry.name);
//! }
//! # Ok(()) }
//! ```
//!
//! # What happened
//! [`GitSource::history`] gives the commits that touched a path, or an object; [`GitSource::changes`] tells how two revisions
//! differ, object by object; [`GitSource::blame`] names the commit that gave a field its value. They work on the mirror, in
//! which all history is.
//!
//! # Writing
//! With the feature `write`, `GitSource::writer` makes commits on a branch, without a checkout and with the same credentials, and
//! pushes them so that nobody's work is lost; it reverts, restores, and pushes to new branches. See the module `write`, which has an
//! example.
//!
//! # What is allowed
//! `https://` is, and `ssh://` or `user@host:path` from servers whose host keys are known; [`GitSourceBuilder`] allows the
//! rest one by one: local repositories and `file://`, plain `http://`, credentials over it, servers on this machine or on
//! link-local addresses. Everything else (`git://`, remote helpers) is refused with a [`GitError`] that says so.
//!
//! Credentials go to the scheme, host and port of the URL; a [`CredentialProvider`] gives them out as they change. Redirects to
//! another server fail. No Git configuration of the machine, the user or the repository is read, nor any `GIT_*` variable.
//! `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are, unless a proxy is given, or none wanted: a proxy connects in our place,
//! so that it is the proxy that decides where names may lead to. An address in the place of a name is refused with one, too.
//!
//! # SSH
//! The program `ssh` (OpenSSH) makes the connection; `git` is not needed. It gets a private key by its file (`SshKey`), or
//! an agent where that was asked for (`SshAgent`), and the host keys that are trusted
//! (`GitSourceBuilder::with_known_hosts`, `with_known_hosts_file`); without host keys, no source is built. It reads no
//! configuration of the machine or the user, forwards nothing, asks nobody, and of the environment has the search path only.
//! It connects to the address that was checked, with the host key that is known for the name; so there is no `ProxyCommand`,
//! and of a server with several addresses the first that takes a connection is used.
//!
//! # TLS
//! The crate does not choose a TLS implementation. The program installs one for the process at its start, for example
//! `rustls::crypto::ring::default_provider().install_default()`; if it does not, each operation fails with
//! [`GitError::NoTlsProvider`].
//!
//! # Runtime
//! Blocking work runs on tokio's blocking threads; the runtime needs its time and I/O drivers (`enable_all`). All work
//! ends with the context's deadline or cancellation, or when the future is dropped.
//!
//! # Depth
//! A reference is followed with its history: it tells what follows on what, and answers questions about the past. A commit that
//! is followed by its id, and everything in a source that is [`GitSourceBuilder::shallow`], comes without, if the server is able to do
//! that. [`GitSource::history`] and its like get the history when they are asked.
//!
//! # Submodules
//! They are left alone, and an error in an application's path, unless [`GitSourceBuilder::with_submodules`] has them mounted: each
//! from the repository's own server, at its commit, without its history, with all that is in it. [`GitSource::changes`] and its like look at the repository itself.
//!
//! # What counts
//! A `.sourceignore` file leaves out what is below its directory and matches, as a `.gitignore` does;
//! [`GitSourceBuilder::with_exclude`] and [`GitSourceBuilder::with_include`] say it in the program. What is left out is not in
//! the snapshot, and so is no manifest.
//!
//! # Limits
//! | What | Default | Setting |
//! | --- | --- | --- |
//! | wait for a credential provider, a connection, and the next byte | 30 s | [`GitSourceBuilder::with_timeout`] |
//! | bytes received by an operation | 2 GiB | [`GitSourceBuilder::with_max_received_bytes`] |
//! | one unpacked object | 256 MiB | [`GitSourceBuilder::with_max_object_bytes`] |
//! | all unpacked objects of a fetch | 64 GiB | [`GitSourceBuilder::with_max_unpacked_bytes`] |
//! | entries of a directory | 100,000 | |
//! | one file that is read | the caller's | [`gitops_core::Snapshot::read`] |
//! | one file that an edit reads or writes | 16 MiB | `GitWriter::with_max_file_bytes` |
//! | all files that an edit writes | 256 MiB | |
//! | commits that are made until one lands | 10 | `GitWriter::with_attempts` |
//! | commits that a history looks at | 1,000,000 | [`HistoryOptions::with_max_commits`] |
//! | packs before they are copied into one | 50 | [`GitSourceBuilder::with_max_packs`] |
//! | bytes of a mirror before it is fetched anew | twice those of an operation | |
//! | commits looked at to verify a history | 200,000 | `Verification::with_trusted_since` names a newer one |
//!
//! Objects stay compressed in the mirror, and are unpacked one at a time: the limit on all of them bounds time, not
//! memory or disk.
//!
//! # Pull requests
//! The feature `pull-request` opens them at GitHub, GitHub Enterprise, Gitea and Forgejo, and updates the one that is open: see the
//! module of this name, and its example. The branch has to be there before.
//!
//! # Features
//! - `https` (default): `https://` and `http://`. Without it, no HTTP or TLS crate is compiled.
//! - `ssh` (default): `ssh://` and `user@host:path`, by the program `ssh`. Without both, only local repositories can be read.
//! - `github-app`: `GitHubApp`, which asks GitHub for the tokens of an App. RSA signatures are made in pure Rust.
//! - `webhook`: the module of this name reads the pushes that Git hosts announce, so that polls come at once. It brings no
//!   HTTP crate.
//! - `pull-request`: the module of this name, for pull requests at Git hosts.
//! - `write`: the module of this name, which makes commits and pushes them. It needs no `git` program, but for local repositories.
//! - `sign`: commits that are written are signed by SSH or OpenPGP keys, in pure Rust.
//! - `verify`: `GitSourceBuilder::with_verification`, which hands out only what somebody trusted has signed, by OpenPGP or SSH.
#![forbid(unsafe_code)]

mod builder;
mod credentials;
mod error;
mod explain;
mod fetch;
mod history;
mod mirror;
mod notes;
#[cfg(any(feature = "sign", feature = "verify"))]
mod openpgp;
#[cfg(feature = "pull-request")]
pub mod pull_request;
mod reference;
mod refs;
mod refusal;
mod remote;
mod repack;
mod sieve;
mod snapshot;
mod source;
mod stop;
mod submodules;
mod transport;
mod unpacked;
#[cfg(feature = "verify")]
mod verify;
mod wanted;
#[cfg(feature = "webhook")]
pub mod webhook;
#[cfg(feature = "write")]
pub mod write;

/// The README's example, compiled.
#[cfg(all(doctest, feature = "https"))]
#[doc = include_str!("../README.md")]
pub struct Readme;

pub use builder::GitSourceBuilder;
#[cfg(feature = "github-app")]
pub use credentials::GitHubApp;
pub use credentials::{Basic, CredentialProvider, CredentialRequest, Credentials, Login, Token, TokenFile};
#[cfg(feature = "ssh")]
pub use credentials::{SshAgent, SshKey};
pub use error::GitError;
pub use explain::{
    Actor, Blame, BlameOptions, Change, ChangeKind, Changes, Commit, History, HistoryOptions, Side, Trailer,
    Unreadable,
};
pub use refusal::Refusal;
pub use snapshot::GitSnapshot;
pub use source::GitSource;
#[cfg(feature = "verify")]
pub use verify::{TrustedKeys, Verification, VerifyMode};
