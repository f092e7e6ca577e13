//! Repositories on this machine, served by Git's own `upload-pack` and `receive-pack`.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

use gix::protocol::transport::client::git::{ConnectMode, blocking_io::Connection};
use gix::protocol::transport::{Protocol, Service};

use crate::GitError;
use crate::error::shorten;
use crate::stop::Stop;

/// A conversation with a program of Git's over pipes.
pub(crate) struct Local {
    pub(crate) connection: Connection<ChildStdout, Questions>,
    stderr: ChildStderr,
    service: Service,
}

/// What the `git` program calls a service.
fn subcommand(service: Service) -> &'static str {
    match service {
        Service::UploadPack => "upload-pack",
        Service::ReceivePack => "receive-pack",
    }
}

/// What we say to Git. It may end the conversation while we still speak (we named an id that it does not have): then the
/// rest goes nowhere, because its last words wait to be read, and they say why. If it said nothing, reading ends too early,
/// and that is an error as well.
pub(crate) struct Questions(ChildStdin);

impl Questions {
    #[cfg(feature = "ssh")]
    pub(super) fn new(stdin: ChildStdin) -> Self {
        Self(stdin)
    }
}

impl Write for Questions {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.0.write(buf) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(buf.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// What the configuration of a repository may not say to `receive-pack`: each would run a program, or change a work tree.
/// (`upload-pack` heeds no such setting of a repository.)
const RECEIVING: [&str; 5] = [
    // No hooks: there is nothing below a file.
    "core.hooksPath=/dev/null",
    "core.alternateRefsCommand=:",
    "core.fsmonitor=false",
    "receive.autogc=false",
    "receive.denyCurrentBranch=refuse",
];

/// Starts `git upload-pack` or `git receive-pack` for the repository at `path`, a bare one or one with a work tree.
///
/// Nothing of the machine's or the user's Git configuration, and no `GIT_*` variable, reaches it: such settings can name
/// programs to run. Of the environment it gets the search path only. No hook of the repository runs.
pub(crate) fn connect(path: &Path, service: Service, stop: &Stop) -> Result<Local, GitError> {
    if !path.is_dir() {
        return Err(GitError::RepositoryNotFound { detail: "there is no such directory".into() });
    }
    let mut command = Command::new("git");
    command.env_clear();
    if service == Service::ReceivePack {
        command.args(RECEIVING.iter().flat_map(|setting| ["-c", setting]));
    } else {
        command.env("GIT_PROTOCOL", "version=2");
    }
    command.args([subcommand(service), "--"]).arg(path);
    for kept in ["PATH", "SYSTEMROOT", "TMPDIR", "TEMP"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
        .envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            // A partial clone would fetch what it lacks, with programs that its own configuration names.
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("LC_ALL", "C"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => GitError::Unsupported {
            detail: "a local repository needs the git program, which is not in PATH".into(),
        },
        _ => GitError::Unreachable { reason: format!("git could not be started: {error}") },
    })?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    stop.adopt(child);
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(GitError::Bug("a pipe that was asked for is missing".into()));
    };
    let connection = Connection::new(
        stdout,
        Questions(stdin),
        Protocol::V2,
        // Said to daemons only; a process has its path already.
        "",
        None::<(&str, Option<u16>)>,
        ConnectMode::Process,
        false,
    );
    Ok(Local { connection, stderr, service })
}

impl Local {
    /// Reads why Git failed, if it said so. Ends the program.
    pub(crate) fn explain(self, stop: &Stop) {
        drop(self.connection);
        stop.reap();
        let mut said = Vec::new();
        let read: io::Result<usize> = self.stderr.take(16 * 1024).read_to_end(&mut said);
        let said = shorten(&String::from_utf8_lossy(&said));
        if read.is_err() || said.is_empty() || stop.check().is_err() {
            return;
        }
        stop.explain(
            if said.contains("not appear to be a git repository") || said.contains("not a git repository") {
                GitError::RepositoryNotFound { detail: "the directory holds no Git repository".into() }
            } else if said.contains("dubious ownership") {
                GitError::Denied { detail: "the repository belongs to another user of this machine".into() }
            } else if said.contains("not our ref") {
                // The protocol carries this one too; there it is told with the id.
                return;
            } else {
                GitError::Protocol { doing: self.service.as_str(), detail: said }
            },
        );
    }
}
