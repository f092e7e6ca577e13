//! People with real keys, made by `gpg` and `ssh-keygen`, who sign with real Git.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::Repo;
use crate::common::repo::git_bytes;

/// Runs a program that must be there and must succeed.
pub(crate) fn run(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    let _ = child.stdin.take().unwrap().write_all(input);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// A home of GnuPG with keys of its own; its agent ends with it.
pub(crate) struct Gpg {
    home: TempDir,
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--homedir", self.dir(), "--kill", "all"]).status();
    }
}

impl Gpg {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        Self { home }
    }

    fn dir(&self) -> &str {
        self.home.path().to_str().unwrap()
    }

    pub(crate) fn gpg(&self, args: &[&str]) -> String {
        let mut all = vec!["--homedir", self.dir(), "--batch", "--quiet", "--yes", "--passphrase", ""];
        all.extend(["--pinentry-mode", "loopback"]);
        all.extend(args);
        String::from_utf8(run("gpg", &all, b"")).unwrap()
    }

    /// Has `gpg` ask, and answers.
    pub(crate) fn edit(&self, args: &[&str], answers: &[&str]) {
        let all = [
            &[
                "--homedir",
                self.dir(),
                "--quiet",
                "--no-tty",
                "--passphrase",
                "",
                "--pinentry-mode",
                "loopback",
            ],
            args,
        ];
        run("gpg", &all.concat(), format!("{}\n", answers.join("\n")).as_bytes());
    }

    /// Makes a key, and says its fingerprint.
    pub(crate) fn key(&self, user: &str, algorithm: &str, usage: &str, expire: &str) -> String {
        self.gpg(&["--quick-generate-key", user, algorithm, usage, expire]);
        self.fingerprint(user)
    }

    pub(crate) fn fingerprint(&self, user: &str) -> String {
        let listed = self.gpg(&["--with-colons", "--list-keys", user]);
        listed.lines().find(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap().to_owned()
    }

    /// The fingerprint of the newest key of somebody: their subkey, if they have one.
    pub(crate) fn last_fingerprint(&self, user: &str) -> String {
        let listed = self.gpg(&["--with-colons", "--list-keys", user]);
        listed.lines().rfind(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap().to_owned()
    }

    pub(crate) fn export(&self, key: &str) -> String {
        self.gpg(&["--armor", "--export", key])
    }

    /// What `gpg` is told whenever it runs.
    pub(crate) fn configure(&self, line: &str) {
        std::fs::write(self.home.path().join("gpg.conf"), format!("{line}\n")).unwrap();
    }

    /// Revokes a key, by what `gpg` prepared when it made it.
    pub(crate) fn revoke(&self, fingerprint: &str) {
        let prepared = self.home.path().join("openpgp-revocs.d").join(format!("{fingerprint}.rev"));
        let text = std::fs::read_to_string(&prepared).unwrap().replace(":-----BEGIN", "-----BEGIN");
        std::fs::write(&prepared, text).unwrap();
        self.gpg(&["--import", prepared.to_str().unwrap()]);
    }

    pub(crate) fn hand(&self, key: &str) -> Hand {
        let config =
            [format!("user.signingkey={key}"), "gpg.format=openpgp".into(), "gpg.program=gpg".into()];
        Hand { config: config.to_vec(), env: vec![("GNUPGHOME".into(), self.dir().into())] }
    }
}

/// SSH keys in a directory.
pub(crate) struct Ssh {
    dir: TempDir,
}

impl Ssh {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a key. `kind` is as for `ssh-keygen -t`, with the bits after a colon.
    pub(crate) fn key(&self, name: &str, kind: &str) -> Hand {
        let (kind, bits) = kind.split_once(':').unwrap_or((kind, ""));
        let path = self.path(name);
        let mut args = vec!["-q", "-t", kind, "-N", "", "-C", name, "-f", path.to_str().unwrap()];
        if !bits.is_empty() {
            args.extend(["-b", bits]);
        }
        run("ssh-keygen", &args, b"");
        let config = [format!("user.signingkey={}", path.display()), "gpg.format=ssh".into()];
        Hand { config: config.to_vec(), env: Vec::new() }
    }

    /// The public key in one line.
    pub(crate) fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name).with_extension("pub")).unwrap().trim().to_owned()
    }

    /// `SHA256:…`
    pub(crate) fn fingerprint(&self, name: &str) -> String {
        let path = self.path(name);
        let said = run("ssh-keygen", &["-l", "-E", "sha256", "-f", path.to_str().unwrap()], b"");
        String::from_utf8(said).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    /// An allowed-signers file with these keys, each its own principal.
    pub(crate) fn allowed(&self, names: &[&str]) -> String {
        names.iter().fold(String::new(), |mut text, name| {
            let _ = writeln!(text, "{name}@example.org {}", self.public(name));
            text
        })
    }

    /// Signs bytes for a namespace.
    pub(crate) fn sign(&self, name: &str, namespace: &str, payload: &[u8]) -> String {
        let path = self.path(name);
        let said = run("ssh-keygen", &["-Y", "sign", "-n", namespace, "-f", path.to_str().unwrap()], payload);
        String::from_utf8(said).unwrap()
    }
}

/// Somebody who signs what they commit.
#[derive(Clone)]
pub(crate) struct Hand {
    config: Vec<String>,
    env: Vec<(String, String)>,
}

impl Hand {
    /// Somebody without a key.
    pub(crate) fn unsigned() -> Self {
        Self { config: vec!["user.signingkey=nobody".into()], env: Vec::new() }
    }

    /// Who says that it is another time when they commit.
    pub(crate) fn at(mut self, time: &str) -> Self {
        self.env.push(("GIT_COMMITTER_DATE".into(), time.into()));
        self
    }

    pub(crate) fn git(&self, repo: &Repo, args: &[&str]) -> String {
        let config: Vec<_> = self.config.iter().flat_map(|line| ["-c", line]).collect();
        let env: Vec<_> = self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let all = [&config[..], args].concat();
        let said =
            git_bytes(&repo.work(), &env, &all, b"").unwrap_or_else(|error| panic!("{args:?}: {error}"));
        String::from_utf8_lossy(&said).trim_end().to_owned()
    }

    /// Commits a file with a signature, and pushes it.
    pub(crate) fn commit(&self, repo: &Repo, value: &str) -> String {
        std::fs::write(repo.work().join("v"), value).unwrap();
        repo.git(&["add", "--all"]);
        self.git(repo, &["commit", "--quiet", "--allow-empty", "-S", "-m", value]);
        repo.push();
        repo.head()
    }

    /// Commits a file without a signature.
    pub(crate) fn plain_commit(&self, repo: &Repo, value: &str) {
        std::fs::write(repo.work().join("v"), value).unwrap();
        repo.git(&["add", "--all"]);
        self.git(repo, &["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", value]);
    }

    /// An unsigned commit on the branch of the server.
    pub(crate) fn unsigned_commit(repo: &Repo, value: &str) -> String {
        Self::unsigned().plain_commit(repo, value);
        repo.push();
        repo.head()
    }

    pub(crate) fn signs(&self) -> bool {
        !self.config.iter().any(|line| line == "user.signingkey=nobody")
    }

    /// Makes a signed tag of what is checked out, and pushes it.
    pub(crate) fn tag(&self, repo: &Repo, name: &str) {
        self.git(repo, &["tag", "-f", "-s", "-m", name, name]);
        push_tags(repo);
    }
}

pub(crate) fn push_tags(repo: &Repo) {
    repo.git(&["push", "--quiet", "--force", "--tags", "origin"]);
}

/// An object's bytes.
pub(crate) fn raw(repo: &Repo, kind: &str, id: &str) -> Vec<u8> {
    git_bytes(&repo.work(), &[], &["cat-file", kind, id], b"").unwrap()
}

/// Writes an object, however strange.
pub(crate) fn write_object(dir: &Path, kind: &str, raw: &[u8]) -> String {
    let args = ["hash-object", "-w", "--literally", "--stdin", "-t", kind];
    String::from_utf8(git_bytes(dir, &[], &args, raw).unwrap()).unwrap().trim().to_owned()
}

/// Puts a crafted commit where the branch was.
pub(crate) fn push_commit(repo: &Repo, raw: &[u8]) -> String {
    let id = write_object(&repo.work(), "commit", raw);
    repo.git(&["push", "--quiet", "--force", "origin", &format!("{id}:refs/heads/main")]);
    id
}

/// What Git itself says of a commit.
pub(crate) fn git_accepts(repo: &Repo, hand: &Hand, allowed_signers: &str, id: &str) -> bool {
    let file = repo.root().join("allowed_signers");
    std::fs::write(&file, allowed_signers).unwrap();
    let trusted = format!("gpg.ssh.allowedSignersFile={}", file.display());
    let env: Vec<_> = hand.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    git_bytes(&repo.work(), &env, &["-c", &trusted, "verify-commit", id], b"").is_ok()
}
