//! A real SSH server of the tests' own, reached through a proxy that can be told to misbehave.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gitops_git::{GitSource, GitSourceBuilder, SshKey};
use tempfile::TempDir;

use super::Repo;
use super::acceptor::Acceptor;

/// A program of OpenSSH, also where `PATH` does not lead to it.
pub fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(usual).map(|dir| dir.join(name));
    found.into_iter().find(|program| program.is_file()).unwrap_or_else(|| panic!("{name} is not installed"))
}

pub fn run(program: &str, args: &[&str]) -> String {
    let done = Command::new(tool(program)).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Makes a key in a file, and its public part beside it.
pub fn make_key(file: &Path, passphrase: &str) {
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", file.to_str().unwrap()]);
}

pub fn public(file: &Path) -> String {
    std::fs::read_to_string(file.with_extension("pub")).unwrap().trim().to_owned()
}

/// What the way to the server does with what the server sends, counted for each connection.
#[derive(Clone, Copy, Default)]
pub struct Way {
    /// Carries this many bytes, and then keeps the connection and carries nothing.
    pub stall_after: Option<u64>,
    /// Carries this many bytes, and then ends the connection.
    pub cut_after: Option<u64>,
}

#[derive(Default)]
struct Shared {
    way: Mutex<Way>,
    carried: AtomicU64,
    stalled: AtomicBool,
    stopping: AtomicBool,
}

/// The server; it ends when this is dropped.
pub struct Sshd {
    dir: TempDir,
    child: Child,
    shared: Arc<Shared>,
    acceptor: Acceptor,
}

impl Default for Sshd {
    fn default() -> Self {
        Self::start("AcceptEnv GIT_PROTOCOL\n")
    }
}

impl Sshd {
    /// Starts it with more lines of its configuration, and one key that it lets in.
    pub fn start(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        make_key(&dir.path().join("host"), "");
        make_key(&dir.path().join("id"), "");
        if run("id", &["-u"]) == "0" {
            // What the package's service makes; sshd wants it only of root.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        // Taken by nobody just now; sshd cannot choose one itself.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = dir.path().display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey \"{at}/host\"\nPidFile none\nStrictModes no\nUsePAM no\nAuthorizedKeysFile \"{at}/authorized\"\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n{more}"
        );
        std::fs::write(dir.path().join("config"), config).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(tool("sshd"))
            .args(["-D", "-e", "-f", dir.path().join("config").to_str().unwrap()])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let shared = Arc::<Shared>::default();
        let acceptor = Acceptor::anywhere({
            let shared = shared.clone();
            move |stream| {
                if let Ok(inner) = TcpStream::connect(("127.0.0.1", port)) {
                    carry(stream, inner, &shared);
                }
            }
        });
        let mut server = Self { dir, child, shared, acceptor };
        server.authorize(&server.key());
        server.wait_for(port);
        server
    }

    fn wait_for(&mut self, port: u16) {
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(ended.is_none() && Instant::now() < until, "sshd does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets in whoever has this key, and nobody else.
    pub fn authorize(&self, key: &Path) {
        std::fs::write(self.dir.path().join("authorized"), public(key)).unwrap();
    }

    /// The key that is let in at first.
    pub fn key(&self) -> PathBuf {
        self.dir.path().join("id")
    }

    /// A place for more keys.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn port(&self) -> u16 {
        self.acceptor.port()
    }

    /// The line of `known_hosts` that says that a key is this server's.
    pub fn known_by(&self, key: &Path) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port(), public(key))
    }

    pub fn known_hosts(&self) -> String {
        self.known_by(&self.dir.path().join("host"))
    }

    /// The address of a repository on it.
    pub fn url(&self, path: &Path) -> String {
        let path = path.to_str().unwrap().replace('%', "%25");
        format!("ssh://{}@127.0.0.1:{}{path}", run("id", &["-un"]), self.port())
    }

    /// A source that is let in.
    pub fn source(&self, repo: &Repo) -> GitSourceBuilder {
        GitSource::builder(self.url(&repo.bare()))
            .allow_loopback()
            .with_mirror_dir(repo.mirrors())
            .with_credentials(SshKey::new(self.key()))
            .with_known_hosts(self.known_hosts())
    }

    pub fn behave(&self, way: Way) {
        *self.shared.way.lock().unwrap() = way;
        self.shared.stalled.store(false, Ordering::SeqCst);
    }

    /// The bytes that the server has sent so far, as they were on the wire.
    pub fn sent(&self) -> u64 {
        self.shared.carried.load(Ordering::SeqCst)
    }

    /// Waits until somebody is being kept waiting.
    pub fn wait_until_stalled(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while !self.shared.stalled.load(Ordering::SeqCst) {
            assert!(Instant::now() < until, "nobody came");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many programs of this process talk to it.
    pub fn clients(&self) -> usize {
        let wanted = format!("-p\0{}\0", self.port());
        let of = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
        let lines = std::fs::read_dir("/proc").unwrap().flatten().filter_map(of);
        lines.filter(|line| String::from_utf8_lossy(line).contains(&wanted)).count()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Carries a connection in both directions.
fn carry(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let (mut up, mut into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut up, &mut into);
        let _ = into.shutdown(Shutdown::Both);
    });
    let shared = shared.clone();
    std::thread::spawn(move || {
        let _ = down(&server, &client, &shared);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}

fn down(mut server: &TcpStream, mut client: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut carried = 0;
    let mut buffer = [0; 1024];
    loop {
        let bytes = server.read(&mut buffer)?;
        let way = *shared.way.lock().unwrap();
        carried += bytes as u64;
        if bytes == 0 || way.cut_after.is_some_and(|limit| carried > limit) {
            return Ok(());
        }
        if way.stall_after.is_some_and(|limit| carried > limit) {
            shared.stalled.store(true, Ordering::SeqCst);
            while !shared.stopping.load(Ordering::SeqCst) && shared.way.lock().unwrap().stall_after.is_some()
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            return Ok(());
        }
        client.write_all(&buffer[..bytes])?;
        shared.carried.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}
