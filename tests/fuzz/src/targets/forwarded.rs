//! `X-Forwarded-For` behind trusted proxies: nobody is counted under an address that a stranger wrote.
//!
//! An input is the lines of the header, as they came.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{HeaderMap, HeaderValue};
use shelfcast::web::{ClientAddress, TrustedProxies};

const PROXIES: &str = "10.0.0.0/8, 192.0.2.7, 2001:db8:aa::/48";
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const CUSTOMER: &str = "203.0.113.9";

/// Runs one input.
pub fn run(input: &[u8]) {
    let proxies = TrustedProxies::parse(PROXIES).expect("networks");
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        // What the HTTP library takes for no header never comes as far as this.
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append("x-forwarded-for", value);
    }
    assert_eq!(proxies.client(STRANGER, &headers), ClientAddress::new(STRANGER), "a stranger was believed");
    let told = proxies.client(PROXY, &headers);
    assert!(told == ClientAddress::new(PROXY) || is_written(told, input), "{told:?} is not in the header");
    // Whatever a customer writes, the proxy appends the address it was called from.
    headers.append("x-forwarded-for", HeaderValue::from_static(CUSTOMER));
    let customer = ClientAddress::new(CUSTOMER.parse().expect("an address"));
    assert_eq!(proxies.client(PROXY, &headers), customer, "a customer chose its own address");
}

/// Whether one of the hops is this address, however it is spelt.
fn is_written(address: ClientAddress, input: &[u8]) -> bool {
    let hops = input.split(|byte| b",\n".contains(byte)).filter_map(|hop| std::str::from_utf8(hop).ok());
    let candidates = hops.flat_map(|hop| {
        let hop = hop.trim();
        let host = hop.rsplit_once(':').map_or(hop, |(host, _port)| host);
        [hop, host].map(|text| text.trim_matches(['[', ']']).parse::<IpAddr>())
    });
    candidates.flatten().any(|hop| ClientAddress::new(hop) == address)
}
