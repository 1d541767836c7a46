//! [`ClientAddress`]: who sent a request, also when it came through proxies. Reads addresses; limits nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv4Net};

/// The address a request is counted under. IPv4 stays IPv4, also where it came mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Of the other end of a connection.
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address itself.
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// What limits are counted by: an IPv6 address with its whole /64, because one customer has all of it.
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
            v4 => v4,
        }
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose `X-Forwarded-For` is believed. With none, the header is what anybody may write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads a comma list of addresses and networks (`10.0.0.0/8`); `None`: something in it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(network).collect::<Option<_>>().map(Self)
    }

    /// Who sent a request with these headers over a connection from `peer`.
    ///
    /// Each proxy appends the address it was called from, so the list is read from its end, and what stands before the
    /// first address that is no trusted proxy was written by a stranger. An entry that is no address ends the reading:
    /// the request counts as the proxy's that passed it on.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut nearest = ClientAddress::new(peer);
        // Several header lines are one list.
        let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
        for line in lines {
            // Bytes, because a line that a client wrote may hold anything before the part a proxy wrote.
            for hop in line.as_bytes().rsplit(|b| *b == b',') {
                if !self.trusts(nearest) {
                    return nearest;
                }
                let Some(address) = address(hop) else { return nearest };
                nearest = ClientAddress::new(address);
            }
        }
        nearest
    }

    /// Whether this is one of them.
    pub fn trusts(&self, address: ClientAddress) -> bool {
        self.0.iter().any(|network| network.contains(&address.0))
    }
}

/// A hop as proxies write it: an address, or one with a port (`192.0.2.1:4711`, `[2001:db8::1]:4711`).
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => hop.parse().or_else(|_| hop.parse().map(|hop: SocketAddr| hop.ip())).ok(),
    }
}

/// A network, or one address as a network of its own; IPv4 mapped into IPv6 becomes IPv4, as peers do.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    match network {
        IpNet::V6(v6) => {
            let v4: Option<Ipv4Addr> = v6.addr().to_ipv4_mapped();
            let mapped = v4.zip(v6.prefix_len().checked_sub(96));
            mapped.map_or(Some(network), |(v4, len)| Ipv4Net::new(v4, len).ok().map(IpNet::V4))
        }
        IpNet::V4(_) => Some(network),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PROXIES: &str = "10.0.0.0/8, 192.0.2.7, 2001:db8:aa::/48, ::ffff:172.16.0.0/108";

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        let line =
            |line: &&[u8]| ("x-forwarded-for".parse().unwrap(), HeaderValue::from_bytes(line).unwrap());
        lines.iter().map(line).collect()
    }

    fn client(peer: &str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        let proxies = TrustedProxies::parse(PROXIES).unwrap();
        proxies.client(peer.parse().unwrap(), &headers(&lines)).ip().to_string()
    }

    /// Goal: whose address counts. Method: a table of peers and headers.
    #[test]
    fn the_nearest_hop_that_is_no_trusted_proxy_counts() {
        for (peer, lines, expected) in [
            ("198.51.100.1", vec![], "198.51.100.1"),
            ("198.51.100.1", vec!["203.0.113.9"], "198.51.100.1"),
            ("10.1.2.3", vec![], "10.1.2.3"),
            ("10.1.2.3", vec!["203.0.113.9"], "203.0.113.9"),
            ("10.1.2.3", vec!["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("10.1.2.3", vec!["1.1.1.1, 203.0.113.9, 10.9.9.9,192.0.2.7"], "203.0.113.9"),
            ("10.1.2.3", vec!["1.1.1.1", "203.0.113.9", "10.9.9.9"], "203.0.113.9"),
            ("10.1.2.3", vec!["10.4.4.4, 10.5.5.5"], "10.4.4.4"),
            ("192.0.2.8", vec!["203.0.113.9"], "192.0.2.8"),
            ("::ffff:10.1.2.3", vec!["::ffff:203.0.113.9"], "203.0.113.9"),
            ("172.16.9.9", vec!["203.0.113.9"], "203.0.113.9"),
            ("172.32.9.9", vec!["203.0.113.9"], "172.32.9.9"),
            ("10.1.2.3", vec!["203.0.113.9:4711"], "203.0.113.9"),
            ("10.1.2.3", vec!["[2001:db8::9]:4711"], "2001:db8::9"),
            ("10.1.2.3", vec!["[2001:db8::9]"], "2001:db8::9"),
            ("2001:db8:aa::1", vec!["2001:db8::9"], "2001:db8::9"),
            ("2001:db8:ab::1", vec!["2001:db8::9"], "2001:db8:ab::1"),
        ] {
            assert_eq!(client(peer, &lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_reading_at_the_last_good_one() {
        for bad in [
            "",
            " ",
            "unknown",
            "_hidden",
            "203.0.113",
            "203.0.113.9.",
            "203.0.113.9:",
            "[203.0.113.9]",
            "[2001:db8::9",
            "2001:db8::9]:1",
            "fe80::1%eth0",
            "\"203.0.113.9\"",
            "203.0.113.9;proto=https",
        ] {
            assert_eq!(client("10.1.2.3", &[bad]), "10.1.2.3", "{bad:?}");
            assert_eq!(client("10.1.2.3", &[&format!("1.1.1.1, {bad}, 10.9.9.9")]), "10.9.9.9", "{bad:?}");
        }
        let proxies = TrustedProxies::parse(PROXIES).unwrap();
        let noise = headers(&[b"\xff\xfe, 203.0.113.9"]);
        assert_eq!(proxies.client("10.1.2.3".parse().unwrap(), &noise).ip().to_string(), "203.0.113.9");
    }

    #[test]
    fn a_list_of_proxies_is_read_whole_or_not_at_all() {
        assert_eq!(TrustedProxies::parse(" , "), Some(TrustedProxies::default()));
        for bad in ["proxy", "10.0.0.0/33", "10.0.0.0/8 10.1.0.0/16", "10.0.0.0/8,*", "10.0.0.0/"] {
            assert_eq!(TrustedProxies::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn limits_count_an_ipv6_customer_once() {
        let network = |address: &str| ClientAddress::new(address.parse().unwrap()).network().to_string();
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }

    proptest! {
        /// Goal: nobody chooses an address. Method: any bytes as the header, from a peer that is no proxy.
        #[test]
        fn a_stranger_is_counted_under_the_own_address_whatever_the_header_says(
            peer: std::net::Ipv4Addr, line in "[ -~]{0,80}",
        ) {
            let proxies = TrustedProxies::parse(PROXIES).unwrap();
            let peer = ClientAddress::new(peer.into());
            prop_assume!(!proxies.trusts(peer));
            prop_assert_eq!(proxies.client(peer.ip(), &headers(&[line.as_bytes()])), peer);
        }

        /// Goal: what a client writes before the proxy does changes nothing. Method: any bytes prepended.
        #[test]
        fn behind_a_proxy_nothing_written_before_it_counts(
            forged in "[ -~]{0,80}", client: std::net::IpAddr, own_line: bool,
        ) {
            let proxies = TrustedProxies::parse(PROXIES).unwrap();
            let client = ClientAddress::new(client);
            prop_assume!(!proxies.trusts(client));
            let told = client.ip().to_string();
            let lines = if own_line { vec![forged, told] } else { vec![format!("{forged},{told}")] };
            let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
            prop_assert_eq!(proxies.client("10.1.2.3".parse().unwrap(), &headers(&lines)), client);
        }
    }
}
