//! Addresses that nothing connects to unless it is told to.
//!
//! Whoever may choose a URL should not thereby reach what only this machine can reach: its own services, or the cloud's
//! metadata service, which hands out credentials. The address is checked that a name resolves to at the time of the
//! connection, so that a name cannot be pointed elsewhere after it was checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(feature = "client")]
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Metadata services outside the link-local ranges: of Azure, Alibaba and Oracle.
const METADATA: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];

/// The same over IPv6: of Oracle and of Scaleway.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// The networks of metadata services over IPv6, by their first 32 bits: of AWS and of Google Cloud.
const METADATA_NETWORKS: [[u16; 2]; 2] = [[0xfd00, 0x0ec2], [0xfd20, 0x00ce]];

/// Which special addresses are allowed; none, by default.
///
/// With the feature `client` it resolves names for `reqwest`, and gives out only what may be connected to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// This machine.
    pub loopback: bool,
    /// Link-local addresses, and those of metadata services.
    pub link_local: bool,
}

/// An address, or all that a name leads to, needs to be allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {reason}")]
pub struct AddressRefused {
    /// The host, as it was named.
    pub host: String,
    /// Why it was refused, and what to do.
    pub reason: &'static str,
}

impl Reach {
    /// No address is refused but those that are nobody's.
    pub const EVERYWHERE: Self = Self { loopback: true, link_local: true };

    /// Why an address is refused, if it is.
    fn refusal(self, address: IpAddr) -> Option<&'static str> {
        let through_nat64 = translated(address).into_iter().map(IpAddr::V4);
        std::iter::once(plain(address)).chain(through_nat64).find_map(|address| self.refusal_of(address))
    }

    /// The same for an address that leads to no other one.
    fn refusal_of(self, address: IpAddr) -> Option<&'static str> {
        if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Some("it is a multicast address");
        }
        // Connecting to the unspecified address connects to this machine.
        if address.is_loopback() || address.is_unspecified() {
            return (!self.loopback).then_some("it is this machine: allow_loopback() if that is meant");
        }
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local() || METADATA.contains(&v4),
            IpAddr::V6(v6) => {
                let [first, second, ..] = v6.segments();
                v6.is_unicast_link_local()
                    || METADATA_NETWORKS.contains(&[first, second])
                    || METADATA_V6.contains(&v6)
            }
        };
        if link_local {
            return (!self.link_local)
                .then_some("it is a link-local or metadata address: allow_link_local() if that is meant");
        }
        None
    }

    /// Those of a name's addresses that may be connected to; fails if that is none of them.
    pub fn allowed(
        self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, AddressRefused> {
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found {
            match self.refusal(address.ip()) {
                None => allowed.push(address),
                Some(reason) => refused = Some(reason),
            }
        }
        match refused {
            Some(reason) if allowed.is_empty() => Err(AddressRefused { host: host.to_owned(), reason }),
            _ => Ok(allowed),
        }
    }

    /// Checks the host of a URL, if it is an address; a name is checked when it is resolved.
    pub fn check_host(self, host: &str) -> Result<(), AddressRefused> {
        let Ok(address) = host.trim_matches(['[', ']']).parse() else { return Ok(()) };
        match self.refusal(address) {
            Some(reason) => Err(AddressRefused { host: host.into(), reason }),
            None => Ok(()),
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible (RFC 4291, 2.5.5), through NAT64 (RFC 6052, 2.1)
/// or 6to4 (RFC 3056, 2).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        // `::` and `::1` are IPv6 addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

/// The IPv4 addresses that one for a network's own NAT64 (`64:ff9b:1::/48`, RFC 8215) may lead to. How long its prefix is in there
/// (RFC 6052, 2.2) is known in that network only, so that all are looked at; parts that are zero are no address.
fn translated(address: IpAddr) -> Vec<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return Vec::new() };
    if v6.segments()[..3] != [0x64, 0xff9b, 1] {
        return Vec::new();
    }
    let bytes = v6.octets();
    let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
    let found = places.map(|place| Ipv4Addr::from(place.map(|at: usize| bytes[at])));
    found.into_iter().filter(|v4| !v4.is_unspecified()).collect()
}

#[cfg(feature = "client")]
impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(reach.allowed(name.as_str(), found)?.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod line_05_addresses {
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
        for host in [
            "169.254.169.254",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[fd00:c1::a9fe:a9fe]",
            "[fd00:42::42]",
            "168.63.129.16",
            "[::ffff:169.254.1.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[64:ff9b:1:abcd::169.254.169.254]",
            "[64:ff9b:1:a9fe:a9:fe00::]",
            "[64:ff9b:1:ffa9:fe:a9fe::1]",
            "[64:ff9b:1:ff00:a9:fea9:fe00:0]",
        ] {
            assert!(NONE.check_host(host).is_err(), "{host}");
            assert!(Reach { loopback: true, ..NONE }.check_host(host).is_err(), "{host}");
            assert!(ALL.check_host(host).is_ok(), "{host}");
        }
        for host in ["224.0.0.1", "255.255.255.255", "[ff02::1]"] {
            assert!(ALL.check_host(host).is_err(), "{host}");
        }
        // Private networks are where Git servers are.
        for host in [
            "10.0.0.1",
            "192.168.1.1",
            "[fd12::1]",
            "[fd00:42::43]",
            "[64:ff9b:1::a00:1]",
            "140.82.112.3",
            "git.example",
        ] {
            assert!(NONE.check_host(host).is_ok(), "{host}");
        }
    }

    /// A name is refused by what it resolves to at the moment of the connection, whatever it resolved to before.
    #[cfg(feature = "client")]
    #[tokio::test]
    async fn a_name_is_checked_by_the_addresses_that_it_leads_to() {
        use std::str::FromStr as _;
        // The resolver of the machine takes these for numbers: names that lead to a metadata service, without a network.
        for name in ["169.254.43518", "0xa9fea9fe", "2852039166", "localhost"] {
            let found = NONE.resolve(Name::from_str(name).unwrap()).await;
            let error = found.err().unwrap_or_else(|| panic!("{name} may be connected to"));
            assert!(error.is::<AddressRefused>(), "{name}: {error}");
            assert!(ALL.resolve(Name::from_str(name).unwrap()).await.is_ok(), "{name}");
        }
        let choose = |addresses: &[&str]| {
            let found = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
            NONE.allowed("git.example", found)
                .map(|chosen| chosen.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(choose(&["127.0.0.1", "140.82.112.3", "fe80::1"]).unwrap(), ["140.82.112.3"]);
        assert!(choose(&["::1", "::ffff:169.254.169.254"]).is_err());
    }
}
