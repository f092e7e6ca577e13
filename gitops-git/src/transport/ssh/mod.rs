//! Git over SSH, by the program `ssh`.
//!
//! The name is resolved here, and `ssh` is sent to an address that was checked, so that a name cannot be pointed elsewhere
//! after it was; the host key must be the one that is known for the name.

mod command;
mod failure;
mod key;
mod known_hosts;
mod url;
mod watch;

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use gix::protocol::transport::client::git::{ConnectMode, blocking_io::Connection};
use gix::protocol::transport::{Protocol, Service};
use tokio::net::TcpStream;

use self::command::{Proof, arguments};
pub(crate) use self::known_hosts::KnownHosts;
pub(crate) use self::url::SshUrl;
use self::watch::{Answers, Watch, Watched};
use super::address::Reach;
use super::local::Questions;
use crate::credentials::SshProof;
use crate::remote::Remote;
use crate::stop::Stop;
use crate::{Credentials, GitError};

/// What is kept of what `ssh` says.
const MAX_SAID_BYTES: u64 = 16 * 1024;
/// How long last words are waited for, once the conversation is over.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A repository on an SSH server, and what is known of the server.
pub(crate) struct SshPlace {
    url: SshUrl,
    known_hosts: KnownHosts,
    reach: Reach,
    /// For our own files that `ssh` reads.
    dir: PathBuf,
}

impl SshPlace {
    pub(crate) fn new(
        url: SshUrl,
        known_hosts: Option<KnownHosts>,
        reach: Reach,
        mirrors: &Path,
    ) -> Result<Self, GitError> {
        let Some(known_hosts) = known_hosts else {
            let reason = "none were given, and no server is trusted at first sight: with_known_hosts_file()";
            return Err(GitError::KnownHosts { reason: reason.into() });
        };
        known_hosts.check()?;
        reach.check_host(&url.host)?;
        Ok(Self { url, known_hosts, reach, dir: mirrors.join("ssh") })
    }

    /// Who logs in.
    pub(crate) fn user(&self) -> &str {
        &self.url.user
    }

    /// The address to connect to.
    fn address(&self, silence: Duration, stop: &Stop) -> Result<IpAddr, GitError> {
        let (host, port) = (&*self.url.host, self.url.port);
        let unreachable = |reason: String| GitError::Unreachable { reason };
        if let Ok(address) = host.parse() {
            // It was checked when the source was built.
            return Ok(address);
        }
        let found = stop.wait(silence, tokio::net::lookup_host((host, port)))?;
        let found = found.map_err(|error| unreachable(format!("{host}: {error}")))?;
        let mut allowed = self.reach.allowed(host, found)?;
        allowed.dedup();
        match &*allowed {
            [] => Err(unreachable(format!("{host} has no address"))),
            [only] => Ok(only.ip()),
            // `ssh` is given one address; so we find out which of them answers.
            several => first_that_answers(several, silence, stop).map_err(|error| match error {
                GitError::Unreachable { reason } => unreachable(format!("{host}: {reason}")),
                other => other,
            }),
        }
    }
}

fn first_that_answers(addresses: &[SocketAddr], silence: Duration, stop: &Stop) -> Result<IpAddr, GitError> {
    let mut last = GitError::Unreachable { reason: "it has no address".into() };
    for address in addresses {
        match stop.wait(silence, TcpStream::connect(address)) {
            Ok(Ok(_)) => return Ok(address.ip()),
            Ok(Err(error)) => last = GitError::Unreachable { reason: format!("{address}: {error}") },
            Err(GitError::Cancelled) => return Err(GitError::Cancelled),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A conversation with a service on a server.
pub(crate) struct Ssh {
    pub(crate) connection: Connection<Answers<ChildStdout>, Watched<Questions>>,
    said: mpsc::Receiver<String>,
    /// Its thread ends with this.
    _watch: Watch,
}

/// Starts `ssh`. Reads the file of the key, and that of the known hosts.
pub(crate) fn connect(
    place: &SshPlace,
    remote: &Remote,
    service: Service,
    stop: &Stop,
) -> Result<Ssh, GitError> {
    let silence = remote.limits.silence;
    let bug = |what: &str| GitError::Bug(format!("{what} is missing"));
    let proof = remote.credentials.as_ref().and_then(Credentials::for_ssh);
    let (proof, agent) = match proof.ok_or_else(|| bug("the SSH credential"))? {
        SshProof::Key(file) => (Proof::Key(key::argument(file)?), None),
        SshProof::Agent(socket) => {
            (Proof::Agent, Some(std::path::absolute(socket).unwrap_or_else(|_| socket.to_owned())))
        }
    };
    let known_hosts = place.known_hosts.put(&place.dir)?;
    let address = place.address(silence, stop)?;

    let mut command = Command::new("ssh");
    command
        .args(arguments(&place.url, service, address, &proof, &known_hosts, silence))
        .current_dir(&place.dir)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for kept in ["PATH", "SYSTEMROOT"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    if service == Service::UploadPack {
        command.env("GIT_PROTOCOL", "version=2");
    }
    if let Some(socket) = agent {
        command.env("SSH_AUTH_SOCK", socket);
    }
    stop.check()?;
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            GitError::Unsupported { detail: "SSH needs the ssh program, which is not in PATH".into() }
        }
        _ => GitError::Unreachable { reason: format!("ssh could not be started: {error}") },
    })?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    stop.adopt(child);
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(bug("a pipe that was asked for"));
    };
    let no_thread = |error: io::Error| GitError::Unreachable { reason: format!("no thread: {error}") };
    let said = listen(stderr).map_err(no_thread)?;
    let watch = Watch::start(silence, stop).map_err(no_thread)?;
    let answers = Answers {
        inner: stdout,
        waits: watch.waits(),
        received: 0,
        limit: remote.limits.received_bytes,
        stop: stop.clone(),
    };
    let connection = Connection::new(
        answers,
        Watched { inner: Questions::new(stdin), waits: watch.waits() },
        Protocol::V2,
        // Said to daemons only; the server has its path already.
        "",
        None::<(&str, Option<u16>)>,
        ConnectMode::Process,
        false,
    );
    Ok(Ssh { connection, said, _watch: watch })
}

/// Reads what `ssh` says, all the time, so that it never waits for us; keeps the beginning.
fn listen(mut stderr: ChildStderr) -> io::Result<mpsc::Receiver<String>> {
    let (tell, said) = mpsc::channel();
    std::thread::Builder::new().name("gitops-ssh-stderr".into()).spawn(move || {
        let mut text = Vec::new();
        // Whatever fails: what was said until then counts.
        let _ = (&mut stderr).take(MAX_SAID_BYTES).read_to_end(&mut text);
        let _ = io::copy(&mut stderr, &mut io::sink());
        // Nobody may want to know.
        let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
    })?;
    Ok(said)
}

impl Ssh {
    /// Ends the program.
    pub(crate) fn close(self, stop: &Stop) {
        drop(self.connection);
        stop.reap();
    }

    /// Hears why `ssh` failed, if it says so. Ends the program.
    pub(crate) fn explain(self, place: &SshPlace, stop: &Stop) {
        drop(self.connection);
        let said = self.said.recv_timeout(LAST_WORDS).or_else(|_| {
            stop.reap();
            self.said.recv_timeout(Duration::from_secs(1))
        });
        stop.reap();
        if stop.check().is_err() {
            return;
        }
        if let Some(error) = said.ok().and_then(|said| failure::explained(&said, &place.url.known_as())) {
            stop.explain(error);
        }
    }
}
