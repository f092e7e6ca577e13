//! Addresses that a source does not connect to unless it is told to.
//!
//! Whoever may choose a URL should not thereby reach what only this machine can reach: its own services, or the cloud's
//! metadata service, which hands out credentials. The address is checked that a name resolves to at the time of the
//! connection, so that a name cannot be pointed elsewhere after it was checked.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::GitError;

/// Metadata services outside the link-local ranges: of Azure, Alibaba and Oracle, and of AWS over IPv6.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// Which special addresses are allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) loopback: bool,
    pub(crate) link_local: bool,
}

impl Reach {
    /// Why an address is refused, if it is.
    fn refusal(self, address: IpAddr) -> Option<&'static str> {
        let address = address.to_canonical();
        if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Some("it is a multicast address");
        }
        // Connecting to the unspecified address connects to this machine.
        if address.is_loopback() || address.is_unspecified() {
            return (!self.loopback).then_some("it is this machine: allow_loopback() if that is meant");
        }
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if link_local || METADATA.contains(&address) {
            return (!self.link_local)
                .then_some("it is a link-local or metadata address: allow_link_local() if that is meant");
        }
        None
    }

    /// Checks the host of a URL, if it is an address; a name is checked when it is resolved.
    pub(crate) fn check_host(self, host: &str) -> Result<(), GitError> {
        let Ok(address) = host.trim_matches(['[', ']']).parse() else { return Ok(()) };
        match self.refusal(address) {
            Some(reason) => Err(GitError::AddressRefused { host: host.into(), reason }),
            None => Ok(()),
        }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let mut refused = None;
            let mut allowed: Vec<SocketAddr> = Vec::new();
            for address in tokio::net::lookup_host((host.as_str(), 0)).await? {
                match reach.refusal(address.ip()) {
                    None => allowed.push(address),
                    Some(reason) => refused = Some(reason),
                }
            }
            match refused {
                Some(reason) if allowed.is_empty() => Err(Refused { host, reason }.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[derive(Debug)]
struct Refused {
    host: String,
    reason: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.reason)
    }
}

impl Error for Refused {}

/// The refusal, if that is what an error comes from.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Option<GitError> {
    find::<Refused>(error)
        .map(|refused| GitError::AddressRefused { host: refused.host.clone(), reason: refused.reason })
}

/// An error of a type among the causes of another.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error gives out the cause of what it wraps, not what it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Reach = Reach { loopback: false, link_local: false };
    const ALL: Reach = Reach { loopback: true, link_local: true };

    #[test]
    fn special_addresses_need_to_be_allowed() {
        for host in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"] {
            assert!(NONE.check_host(host).is_err(), "{host}");
            assert!(Reach { link_local: true, ..NONE }.check_host(host).is_err(), "{host}");
            assert!(ALL.check_host(host).is_ok(), "{host}");
        }
        for host in
            ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "168.63.129.16", "[::ffff:169.254.1.1]"]
        {
            assert!(NONE.check_host(host).is_err(), "{host}");
            assert!(Reach { loopback: true, ..NONE }.check_host(host).is_err(), "{host}");
            assert!(ALL.check_host(host).is_ok(), "{host}");
        }
        for host in ["224.0.0.1", "255.255.255.255", "[ff02::1]"] {
            assert!(ALL.check_host(host).is_err(), "{host}");
        }
        // Private networks are where Git servers are.
        for host in ["10.0.0.1", "192.168.1.1", "[fd12::1]", "140.82.112.3", "git.example"] {
            assert!(NONE.check_host(host).is_ok(), "{host}");
        }
    }
}
