//! How `ssh` is called: with nothing of the machine's or the user's configuration, and nobody to ask.

use std::net::IpAddr;
use std::time::Duration;

use gix::protocol::transport::Service;

use super::url::SshUrl;

/// How we prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// The key in a file, by its absolute path, in which `%` is doubled.
    Key(String),
    /// The keys of the agent, at the socket that the environment names.
    Agent,
}

/// The arguments of `ssh`. `known_hosts` is the name of a file in the directory that it is started in.
///
/// The destination is the address that was checked; `HostKeyAlias` is the name that the host key must be known for.
pub(super) fn arguments(
    url: &SshUrl,
    service: Service,
    address: IpAddr,
    proof: &Proof,
    known_hosts: &str,
    silence: Duration,
) -> Vec<String> {
    let seconds = silence.as_secs().clamp(1, 3600);
    let mut arguments: Vec<String> = ["-F", "/dev/null", "-T", "-p"].map(str::to_owned).into();
    arguments.push(url.port.to_string());
    let mut option = |text: String| arguments.extend(["-o".to_owned(), text]);
    for fixed in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "VerifyHostKeyDNS=no",
        "CheckHostIP=no",
        "CanonicalizeHostname=no",
        "PreferredAuthentications=publickey",
        "PubkeyAuthentication=yes",
        "PasswordAuthentication=no",
        "KbdInteractiveAuthentication=no",
        "NumberOfPasswordPrompts=0",
        "AddKeysToAgent=no",
        "ForwardAgent=no",
        "ForwardX11=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "ProxyCommand=none",
        "ProxyJump=none",
        "ControlMaster=no",
        "ControlPath=none",
        "ConnectionAttempts=1",
        "TCPKeepAlive=yes",
        "ServerAliveCountMax=3",
        // No banner, and no notes that are no errors.
        "LogLevel=ERROR",
        // Servers that do not take it answer in the older protocol.
        "SendEnv=GIT_PROTOCOL",
    ] {
        option(fixed.to_owned());
    }
    option(format!("ConnectTimeout={seconds}"));
    option(format!("ServerAliveInterval={}", (seconds / 3).max(1)));
    option(format!("UserKnownHostsFile={known_hosts}"));
    option(format!("HostKeyAlias={}", url.known_as()));
    match proof {
        Proof::Key(path) => {
            option("IdentitiesOnly=yes".into());
            option("IdentityAgent=none".into());
            arguments.extend(["-i".to_owned(), path.clone()]);
        }
        Proof::Agent => {
            option("IdentitiesOnly=no".into());
            option("IdentityFile=none".into());
            option("IdentityAgent=SSH_AUTH_SOCK".into());
        }
    }
    arguments.extend([
        "-l".to_owned(),
        url.user.clone(),
        "--".to_owned(),
        address.to_string(),
        url.command(service),
    ]);
    arguments
}

#[cfg(test)]
mod line_06_ssh {
    use super::*;

    fn of(text: &str, proof: &Proof) -> Vec<String> {
        let url = SshUrl::parse(text).unwrap();
        arguments(
            &url,
            Service::UploadPack,
            "192.0.2.7".parse().unwrap(),
            proof,
            "known_hosts-1",
            Duration::from_secs(30),
        )
    }

    fn has(arguments: &[String], option: &str) -> bool {
        arguments.windows(2).any(|pair| pair[0] == "-o" && pair[1] == option)
    }

    #[test]
    fn no_configuration_no_questions_and_only_known_hosts() {
        let with_key = of("git@h:2222/it's", &Proof::Key("/keys/id".into()));
        assert_eq!(with_key[..2], ["-F", "/dev/null"]);
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=known_hosts-1",
            "GlobalKnownHostsFile=/dev/null",
            "HostKeyAlias=[h]:2222",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "ForwardX11=no",
            "PermitLocalCommand=no",
            "ProxyCommand=none",
            "ConnectTimeout=30",
            "ServerAliveInterval=10",
        ] {
            assert!(has(&with_key, option), "{option}: {with_key:?}");
        }
        let tail = &with_key[with_key.len() - 5..];
        assert_eq!(tail, ["-l", "git", "--", "192.0.2.7", r"git-upload-pack '/it'\''s'"]);
    }

    #[test]
    fn the_agent_is_used_only_when_asked_for() {
        let with_key = of("git@h/r", &Proof::Key("/keys/id".into()));
        assert!(has(&with_key, "IdentityAgent=none") && has(&with_key, "IdentitiesOnly=yes"));
        assert!(with_key.windows(2).any(|pair| pair == ["-i", "/keys/id"]));
        let with_agent = of("git@h/r", &Proof::Agent);
        assert!(has(&with_agent, "IdentityAgent=SSH_AUTH_SOCK") && has(&with_agent, "IdentityFile=none"));
        assert!(!with_agent.contains(&"-i".to_owned()));
    }
}
