//! Where a repository on an SSH server is. Nothing of it can become an option of `ssh` or a word of the server's shell.

use gix::protocol::transport::Service;

use crate::GitError;
use crate::remote::percent_decoded;

/// The port that servers have if the URL names none, and always have in `user@host:path`.
const USUAL_PORT: u16 = 22;
/// RFC 1035, 2.3.4, and more than any user or path has.
const MAX_HOST_BYTES: usize = 255;
const MAX_USER_BYTES: usize = 255;
const MAX_PATH_BYTES: usize = 4096;

/// A repository on an SSH server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshUrl {
    pub(crate) user: String,
    /// In lower case; an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the server gets it: absolute, or below the user's home directory.
    pub(crate) path: String,
}

impl SshUrl {
    /// Reads what follows `ssh://`: `user@host:port/path`. `/~/path` and `/~user/path` are below a home directory, as for
    /// Git (git-clone(1), "Git URLs").
    pub(crate) fn parse(rest: &str) -> Result<Self, GitError> {
        let (authority, path) = rest.split_at(rest.find('/').ok_or_else(|| invalid("it names no path"))?);
        let (user, server) = authority.rsplit_once('@').ok_or_else(no_user)?;
        let (host, port) = match server.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
            Some((host, tail)) => {
                (host, tail.strip_prefix(':').or_else(|| (!tail.is_empty()).then_some("?")))
            }
            None => match server.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, None),
            },
        };
        let port = match port {
            None => USUAL_PORT,
            // A sign is no digit, although Rust reads one.
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or_else(|| invalid("its port is no port"))?
            }
            Some(_) => return Err(invalid("its port is no number")),
        };
        let path = percent_decoded(path)?;
        let path = path.strip_prefix('/').filter(|below| below.starts_with('~')).unwrap_or(&path);
        Self::new(&percent_decoded(user)?, host, port, path)
    }

    /// Reads `user@host:path`, as `scp` takes it. The path is not encoded.
    pub(crate) fn parse_scp(text: &str) -> Result<Self, GitError> {
        let (user, tail) = text.split_once('@').ok_or_else(no_user)?;
        let parts = match tail.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once("]:"),
            None => tail.split_once(':'),
        };
        let (host, path) = parts.ok_or_else(|| invalid("it names no path"))?;
        Self::new(user, host, USUAL_PORT, path)
    }

    fn new(user: &str, host: &str, port: u16, path: &str) -> Result<Self, GitError> {
        check_user(user)?;
        check_host(host)?;
        let path = path.trim_end_matches('/');
        check_path(path)?;
        Ok(Self { user: user.to_owned(), host: host.to_ascii_lowercase(), port, path: path.to_owned() })
    }

    /// The normal form, without the user.
    pub(crate) fn identity(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = if self.port == USUAL_PORT { String::new() } else { format!(":{}", self.port) };
        match self.path.chars().next() {
            Some('/') => format!("ssh://{host}{port}{}", percent_encoded(&self.path)),
            Some('~') => format!("ssh://{host}{port}/{}", percent_encoded(&self.path)),
            _ => format!("{host}:{}", self.path),
        }
    }

    /// How `known_hosts` names the server (sshd(8), "`SSH_KNOWN_HOSTS` FILE FORMAT").
    pub(crate) fn known_as(&self) -> String {
        if self.port == USUAL_PORT { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) }
    }

    /// What the server runs. Servers that are no shells know exactly this form.
    pub(super) fn command(&self, service: Service) -> String {
        format!("{} {}", service.as_str(), quoted(&self.path))
    }
}

fn invalid(reason: &str) -> GitError {
    GitError::InvalidUrl { reason: reason.into() }
}

fn no_user() -> GitError {
    invalid("it names no user: ssh://git@host/path or git@host:path")
}

fn check_user(user: &str) -> Result<(), GitError> {
    if user.contains(':') {
        return Err(invalid("it holds a password: SSH takes a key, or the agent"));
    }
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"._-+@=~".contains(&c);
    let usable = !user.is_empty()
        && user.len() <= MAX_USER_BYTES
        && !user.starts_with('-')
        && user.bytes().all(is_plain);
    if usable { Ok(()) } else { Err(invalid("its user is no name of a user on an SSH server")) }
}

fn check_host(host: &str) -> Result<(), GitError> {
    let is_name = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    let usable = !host.is_empty()
        && host.len() <= MAX_HOST_BYTES
        && !host.starts_with('-')
        && (host.bytes().all(is_name) || host.parse::<std::net::Ipv6Addr>().is_ok());
    if usable { Ok(()) } else { Err(invalid("its host is no name or address of a server")) }
}

fn check_path(path: &str) -> Result<(), GitError> {
    match path {
        "" => Err(invalid("it names no path")),
        _ if path.starts_with('-') => Err(invalid("its path begins with -, as options do")),
        _ if path.chars().any(char::is_control) => Err(invalid("its path holds control characters")),
        _ if path.len() > MAX_PATH_BYTES => Err(invalid("its path is too long")),
        _ => Ok(()),
    }
}

/// One word for the server's shell, quoted as Git quotes it (`sq_quote_buf` in its quote.c): `!` too, which some shells
/// replace by their history.
fn quoted(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    text.push('\'');
    for c in word.chars() {
        match c {
            '\'' | '!' => text.extend(["'\\", c.encode_utf8(&mut [0; 4]), "'"]),
            _ => text.push(c),
        }
    }
    text.push('\'');
    text
}

/// A path for a URL (RFC 3986, 3.3).
fn percent_encoded(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod line_06_ssh {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<SshUrl, GitError> {
        match text.strip_prefix("ssh://") {
            Some(rest) => SshUrl::parse(rest),
            None => SshUrl::parse_scp(text),
        }
    }

    #[test]
    fn each_form_is_read() {
        for (text, host, port, path, identity) in [
            ("ssh://git@Git.Example/p/r.git/", "git.example", 22, "/p/r.git", "ssh://git.example/p/r.git"),
            ("ssh://git@h:2222/r", "h", 2222, "/r", "ssh://h:2222/r"),
            ("ssh://git@[::1]:2222/r", "::1", 2222, "/r", "ssh://[::1]:2222/r"),
            ("ssh://git@[::1]/r", "::1", 22, "/r", "ssh://[::1]/r"),
            ("ssh://git@h/~/r", "h", 22, "~/r", "ssh://h/~/r"),
            ("ssh://git@h/it%27s%20a%25", "h", 22, "/it's a%", "ssh://h/it's%20a%25"),
            ("git@h:p/r.git", "h", 22, "p/r.git", "h:p/r.git"),
            ("git@h:/p/r.git", "h", 22, "/p/r.git", "ssh://h/p/r.git"),
            ("git@[::1]:r", "::1", 22, "r", "[::1]:r"),
        ] {
            let url = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((&*url.user, &*url.host, url.port, &*url.path), ("git", host, port, path), "{text}");
            assert_eq!(url.identity(), identity, "{text}");
        }
        assert_eq!(read("ssh://git@h:2222/r").unwrap().known_as(), "[h]:2222");
        assert_eq!(read("git@h:r").unwrap().known_as(), "h");
        assert_eq!(
            read("git@h:it's!").unwrap().command(Service::UploadPack),
            r"git-upload-pack 'it'\''s'\!''"
        );
    }

    /// GHSA-98p4-xjmm-8mfh and its like.
    #[test]
    fn options_and_control_characters_never_reach_ssh() {
        for text in [
            "ssh://-oProxyCommand=id@h/r",
            "ssh://git@-oProxyCommand=id/r",
            "ssh://git@h:-1/r",
            "ssh://git@h:+22/r",
            "ssh://git@h:0/r",
            "ssh://git@h:/r",
            "ssh://git@h:65536/r",
            "ssh://git@h",
            "ssh://git@h/",
            "ssh://git@/r",
            "ssh://@h/r",
            "ssh://h/r",
            "ssh://git:s3cr3t@h/r",
            "ssh://git@h/a%0Ab",
            "ssh://git@h/a%1bb",
            "ssh://git@h/a%c2%9bb",
            "ssh://gi%0at@h/r",
            "ssh://%2doProxyCommand=id@h/r",
            "ssh://git@h%20x/r",
            "ssh://git@h;id/r",
            "ssh://git@[fe80::1%25eth0]/r",
            "ssh://git@[::1]x/r",
            "ssh://git@[h/r",
            "ssh://g t@h/r",
            "ssh://g'@h/r",
            "ssh://g$(id)@h/r",
            "-oProxyCommand=id@h:r",
            "git@-oProxyCommand=id:r",
            "git@h:-r",
            "git@h:--upload-pack=id",
            "git@h:",
            "git@h:///",
            "h:r",
        ] {
            let error = read(text).expect_err(text);
            assert!(matches!(error, GitError::InvalidUrl { .. }), "{text}: {error:?}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }

    /// A shell's reading of one word that begins the text (POSIX.1-2024, XCU 2.2), and what remains.
    fn one_word(text: &str) -> Option<(String, &str)> {
        let mut word = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('\'') {
                let (inside, after) = tail.split_once('\'')?;
                word.push_str(inside);
                rest = after;
            } else if let Some(tail) = rest.strip_prefix('\\') {
                let escaped = tail.chars().next()?;
                word.push(escaped);
                rest = &tail[escaped.len_utf8()..];
            } else {
                break;
            }
        }
        Some((word, rest))
    }

    proptest! {
        #[test]
        fn a_quoted_path_is_one_word_for_a_shell(path in "\\PC{0,40}", more in "['!\\\\ $`;\"-]{0,12}") {
            let path = format!("{path}{more}");
            let text = quoted(&path);
            prop_assert_eq!(one_word(&text), Some((path, "")));
        }

        /// Whatever is accepted is nothing but names, a port and a path.
        #[test]
        fn what_is_accepted_is_plain(text in "(ssh://)?[-a-z%0-9@:/\\[\\]~ '\"$;\n]{0,30}") {
            if let Ok(url) = read(&text) {
                prop_assert!(!url.user.starts_with('-') && !url.host.starts_with('-') && !url.path.starts_with('-'));
                let plain = |text: &str| !text.contains(|c: char| c.is_control() || c.is_whitespace() || "'\"$;%".contains(c));
                prop_assert!(plain(&url.user) && plain(&url.host) && !url.path.contains(char::is_control), "{:?}", url);
                let command = url.command(Service::UploadPack);
                let word = one_word(command.strip_prefix("git-upload-pack ").unwrap());
                prop_assert_eq!(word, Some((url.path.clone(), "")));
            }
        }
    }

    /// The same of a real shell.
    #[cfg(unix)]
    #[test]
    fn a_real_shell_reads_the_path_as_one_word() {
        for path in ["it's a !path", "$(id)`id`;id|id&", "\"\\\\'", "-e", "~root", "a'b''c!!'", "*?[a]{b,c}"]
        {
            let script = format!("printf '<%s>' {}", quoted(path));
            let done = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(done.stdout).unwrap(), format!("<{path}>"));
        }
    }
}
