use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a control plane could not be started or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlPlaneError {
    /// Binaries of the control plane are not there.
    #[error(
        "{missing} is not in {}: build the control plane with `hack/controlplane/build`, or set KUBEBUILDER_ASSETS to \
         a directory that holds it (see CONTRIBUTING.md)",
        directory.display()
    )]
    MissingBinary {
        /// The file that is missing.
        missing: &'static str,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A process could not be started.
    #[error("{program} could not be started: {source}")]
    Spawn {
        /// The program.
        program: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// A process of the control plane ended by itself.
    #[error("{program} ended ({status}); the end of its log:\n{log}")]
    Exited {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote, without tokens.
        log: String,
    },
    /// Something was not ready in time.
    #[error("{what} not ready after {waited:?}: {last}; the end of the log of {program}:\n{log}")]
    NotReady {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        waited: Duration,
        /// The last answer.
        last: String,
        /// The program that is in charge of it.
        program: &'static str,
        /// The last lines that it wrote, without tokens.
        log: String,
    },
    /// The process has no TLS provider, which a client needs.
    #[error(
        "no TLS provider is installed: call `rustls::crypto::ring::default_provider().install_default()` (or that of \
         aws-lc-rs) first"
    )]
    NoTlsProvider,
    /// A user that the API server's token file cannot hold.
    #[error(
        "user {user:?}: the {field} must not be empty, and must not hold quotes, commas or control characters"
    )]
    InvalidUser {
        /// The name of the user.
        user: String,
        /// Which of its fields is wrong; tokens are not shown.
        field: &'static str,
    },
    /// Two users have the same name or the same token, or one has the name that the administrator has.
    #[error("user {user:?} is there twice, or has the token of another")]
    DuplicateUser {
        /// The name of the user.
        user: String,
    },
    /// No such user was given to the builder.
    #[error("there is no user {user:?}: add it with `Builder::with_user`")]
    UnknownUser {
        /// The name of the user.
        user: String,
    },
    /// A program runs already.
    #[error("{program} runs already")]
    AlreadyRunning {
        /// Which.
        program: &'static str,
    },
    /// A file or directory of the control plane could not be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// No free port on the loopback interface.
    #[error("no free port on 127.0.0.1: {0}")]
    Port(#[source] io::Error),
    /// A certificate or key could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The operating system gave no random bytes for a token.
    #[error("no random bytes: {0}")]
    Random(#[source] getrandom::Error),
    /// The API server refused what the start needs, or no client could be made for it.
    #[error("API server: {0}")]
    Api(#[source] Box<kube::Error>),
}

impl ControlPlaneError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl From<kube::Error> for ControlPlaneError {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}
