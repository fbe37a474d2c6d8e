//! Who the client is: read where the settings say, never from a field that a client may set itself.

use std::net::IpAddr;

use crate::config::ClientAddress;
use crate::field::list;

/// The client, and whether the peer is a proxy of ours: only then are its `X-Forwarded-*` fields believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// `None` where nobody told.
    pub address: Option<IpAddr>,
    /// The connection's peer.
    pub peer: Option<IpAddr>,
    /// Whether the peer is one of `trusted_proxies`.
    pub by_trusted_proxy: bool,
}

/// Names the client. `field` reads one field of the request.
pub fn identify(source: &ClientAddress, peer: Option<&str>, field: &dyn Fn(&str) -> Option<String>) -> Client {
    let peer = peer.and_then(parse_address);
    let plain = |address| Client { address, peer, by_trusted_proxy: false };
    match source {
        ClientAddress::Socket => plain(peer),
        ClientAddress::Cloudflare => plain(field("cf-connecting-ip").as_deref().and_then(parse_address).or(peer)),
        ClientAddress::Header { name, trusted_proxies } => {
            let trusted = |address: IpAddr| trusted_proxies.iter().any(|network| contains(network, address));
            match peer {
                Some(proxy) if trusted(proxy) => {
                    let sent = field(name).unwrap_or_default();
                    Client { address: Some(walk(proxy, &sent, &trusted)), peer, by_trusted_proxy: true }
                }
                _ => plain(peer),
            }
        }
    }
}

/// From the right, each address was written by the one behind it: believed as long as that one is trusted.
fn walk(proxy: IpAddr, sent: &str, trusted: &dyn Fn(IpAddr) -> bool) -> IpAddr {
    let mut known = proxy;
    let members: Vec<&str> = list::members(sent).collect();
    for member in members.into_iter().rev() {
        let Some(address) = parse_address(member) else { return known };
        known = address;
        if !trusted(address) {
            return known;
        }
    }
    known
}

/// An address, perhaps with a port, perhaps an IPv4 address in IPv6 clothes.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
    let with_port = || text.rsplit_once(':').filter(|(host, _)| !host.contains(':')).map(|(host, _)| host);
    let parsed = match bracketed {
        Some(address) => address.parse(),
        None => text.parse().or_else(|error| with_port().map_or(Err(error), str::parse)),
    };
    parsed.ok().map(|address: IpAddr| address.to_canonical())
}

/// Whether a network in CIDR notation holds an address. One that cannot be read holds none.
pub fn contains(network: &str, address: IpAddr) -> bool {
    let (base, length) = network.split_once('/').map_or((network, None), |(base, length)| (base, Some(length)));
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    let (base, address, bits) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (u128::from(base.to_bits()), u128::from(address.to_bits()), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let Ok(length) = length.map_or(Ok(bits), str::parse::<u32>) else { return false };
    length <= bits && (base ^ address).checked_shr(bits - length).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &ClientAddress, peer: &str, sent: &str, expected: &str) {
        let client = identify(source, Some(peer), &|name| {
            (name == "x-forwarded-for" && !sent.is_empty()).then(|| sent.to_owned())
        });
        assert_eq!(client.address, Some(expected.parse().unwrap()), "peer {peer}, sent {sent}");
    }

    fn behind(networks: &[&str]) -> ClientAddress {
        let trusted_proxies = networks.iter().map(|&network| network.to_owned()).collect();
        ClientAddress::Header { name: "x-forwarded-for".to_owned(), trusted_proxies }
    }

    #[test]
    fn a_field_is_believed_from_trusted_peers_only_and_read_from_the_right() {
        let source = behind(&["10.0.0.0/8", "fd00::/8"]);
        check(&source, "203.0.113.9", "1.1.1.1", "203.0.113.9");
        check(&source, "10.0.0.1", "1.1.1.1", "1.1.1.1");
        check(&source, "10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1");
        check(&source, "10.0.0.1", "6.6.6.6, 1.1.1.1, 10.2.3.4", "1.1.1.1");
        check(&source, "10.0.0.1", "6.6.6.6, nonsense, 10.2.3.4", "10.2.3.4");
        check(&source, "10.0.0.1", "1.1.1.1:5555", "1.1.1.1");
        check(&source, "fd00::1", "[2001:db8::1]:443", "2001:db8::1");
        check(&source, "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1");
        check(&source, "10.0.0.1", "", "10.0.0.1");
    }

    #[test]
    fn the_peer_is_the_client_of_a_bare_socket() {
        check(&ClientAddress::Socket, "203.0.113.9", "1.1.1.1", "203.0.113.9");
        check(&ClientAddress::Socket, "2001:db8::7", "1.1.1.1", "2001:db8::7");
    }

    #[test]
    fn networks_hold_what_shares_their_prefix() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "8.8.8.8", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.8", false),
            ("192.0.2.0/33", "192.0.2.0", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("nonsense/8", "10.0.0.1", false),
        ] {
            assert_eq!(contains(network, address.parse().unwrap()), expected, "{network} {address}");
        }
    }
}
