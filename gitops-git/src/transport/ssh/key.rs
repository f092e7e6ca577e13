//! Private keys: whether `ssh` can use one without asking anybody.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::GitError;

/// No private key is longer.
const MAX_BYTES: u64 = 64 * 1024;

/// How a key in OpenSSH's format begins that is not encrypted: the magic, then the cipher `none` (PROTOCOL.key).
const NOT_ENCRYPTED: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbm";

/// The argument for a key's file. Reads the file, because `ssh` only says that access was denied where it cannot use it.
pub(super) fn argument(path: &Path) -> Result<String, GitError> {
    let fail = |reason: &str| GitError::Credential { reason: format!("{}: {reason}", path.display()) };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text))
        .map_err(|error| fail(&error.kind().to_string()))?;
    check(&String::from_utf8_lossy(&text)).map_err(fail)?;
    let absolute = std::path::absolute(path).map_err(|error| fail(&error.kind().to_string()))?;
    match absolute.to_str() {
        // ssh_config(5), TOKENS and ENVIRONMENT VARIABLES, hold for `-i` too.
        Some(name) if !name.contains("${") => Ok(name.replace('%', "%%")),
        _ => Err(fail("ssh cannot be given such a name of a file: use another")),
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    let passphrase =
        Err("the key has a passphrase, which nobody can type: use a key without one, or the agent");
    let Some((_, body)) = text.split_once("-----BEGIN ") else {
        return Err("the file holds no private key");
    };
    if body.starts_with("ENCRYPTED ") || body.contains("Proc-Type: 4,ENCRYPTED") {
        return passphrase;
    }
    let Some((kind, body)) = body.split_once("-----") else { return Err("the file holds no private key") };
    if !kind.ends_with("PRIVATE KEY") {
        return Err("the file holds no private key");
    }
    if kind == "OPENSSH PRIVATE KEY" {
        let begin: String = body.chars().filter(|c| !c.is_whitespace()).take(NOT_ENCRYPTED.len()).collect();
        if begin != NOT_ENCRYPTED {
            return passphrase;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_nobody_could_unlock_are_told() {
        let open = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v\nbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\n";
        assert_eq!(check(open), Ok(()));
        assert_eq!(check("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"), Ok(()));
        for locked in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0\n",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
        ] {
            assert!(check(locked).unwrap_err().contains("passphrase"), "{locked}");
        }
        for other in ["", "ssh-ed25519 AAAA ada\n", "-----BEGIN PUBLIC KEY-----\nMIIB\n", "-----BEGIN "] {
            assert!(check(other).unwrap_err().contains("no private key"), "{other}");
        }
    }
}
