//! Why `ssh` failed, by what it said.

use crate::GitError;
use crate::error::shorten;

/// Reads what `ssh`, and the program on the other side, have said. None if that says nothing of what happened.
///
/// What the other side says comes the same way; so a server can choose the error, and with it when we come back, but that
/// it could anyway.
pub(super) fn explained(said: &str, known_as: &str) -> Option<GitError> {
    let lower = said.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let detail = shorten(said);
    if detail.is_empty() {
        return None;
    }
    // First what is `ssh`'s own and decides: whether this is the server at all.
    Some(if has(&["host identification has changed", "revoked host key", "host key is marked as revoked"]) {
        let seen = fingerprint(said).map(|seen| format!(" ({seen})")).unwrap_or_default();
        let reason = format!(
            "the host key of {known_as} is another than the known one{seen}: somebody may listen in, or the server has a new one; ask its keepers, then correct known_hosts"
        );
        GitError::HostKey { reason }
    } else if has(&["host key verification failed", "host key is known for"]) {
        let reason =
            format!("known_hosts has no host key of {known_as}: add the line that its keepers publish");
        GitError::HostKey { reason }
    } else if has(&["unprotected private key file", "load key \""]) {
        GitError::Credential { reason: detail }
    } else if has(&[
        "unable to negotiate",
        "no user exists for uid",
        "no supported",
        "bad configuration option",
    ]) {
        GitError::Unsupported { detail }
    } else if has(&[
        "connect to host",
        "kex_exchange_identification",
        "banner exchange",
        "connection timed out",
    ]) {
        GitError::Unreachable { reason: detail }
    } else if has(&["not appear to be a git repository", "not a git repository", "repository not found"])
        || has(&["project you were looking for could not be found", "repository does not exist"])
    {
        GitError::RepositoryNotFound { detail }
    } else if has(&["-pack: command not found", "-pack: not found"]) {
        GitError::Unsupported { detail }
    } else if has(&[
        "permission denied",
        "too many authentication failures",
        "access denied",
        "dubious ownership",
    ]) {
        GitError::Denied { detail }
    } else if has(&[
        "connection closed",
        "connection reset",
        "connection refused",
        "broken pipe",
        "closed by",
    ]) {
        GitError::Unreachable { reason: detail }
    } else if has(&["not our ref"]) {
        // The protocol carries this one too; there it is told with the id.
        return None;
    } else {
        GitError::Protocol { doing: "the program on the SSH server", detail }
    })
}

/// The fingerprint of a key that is not the one that is known: so that somebody can compare it.
fn fingerprint(said: &str) -> Option<&str> {
    let (_, tail) = said.split_once("SHA256:")?;
    let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '/')).unwrap_or(tail.len());
    let start = said.len() - tail.len();
    said.get(start - "SHA256:".len()..start + end.min(43))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gitops_core::Class;

    #[test]
    fn what_ssh_says_has_a_class() {
        for (said, class) in [
            (
                "No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.",
                Class::Invalid,
            ),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                Class::Invalid,
            ),
            ("git@h: Permission denied (publickey).", Class::Denied),
            (
                "Permissions 0644 for '/k' are too open.\nUNPROTECTED PRIVATE KEY FILE!\ngit@h: Permission denied",
                Class::Denied,
            ),
            ("Load key \"/k\": error in libcrypto\ngit@h: Permission denied (publickey).", Class::Denied),
            ("ssh: connect to host 192.0.2.1 port 22: Connection refused", Class::RETRY),
            ("ssh: connect to host 192.0.2.1 port 22: No route to host", Class::RETRY),
            ("kex_exchange_identification: Connection closed by remote host", Class::RETRY),
            ("Connection reset by 192.0.2.1 port 22", Class::RETRY),
            (
                "Unable to negotiate with 192.0.2.1 port 22: no matching host key type found.",
                Class::Unsupported,
            ),
            ("fatal: '/r' does not appear to be a git repository", Class::NotFound),
            ("ERROR: Repository not found.", Class::NotFound),
            ("bash: git-upload-pack: command not found", Class::Unsupported),
            ("something else", Class::RETRY),
        ] {
            assert_eq!(explained(said, "h").unwrap().class(), class, "{said}");
        }
        assert!(explained(" \n", "h").is_none());
        assert!(explained("fatal: upload-pack: not our ref 12", "h").is_none());
    }

    #[test]
    fn a_changed_key_is_told_by_its_fingerprint() {
        let key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        let said = format!("REMOTE HOST IDENTIFICATION HAS CHANGED!\nsent by the remote host is\n{key}.\n");
        let error = explained(&said, "[h]:2222").unwrap().to_string();
        assert!(error.contains(&format!("({key})")) && error.contains("[h]:2222"), "{error}");
        assert_eq!(fingerprint("SHA256:"), Some("SHA256:"));
        assert_eq!(fingerprint("SHA256:é"), Some("SHA256:"));
    }
}
