//! The address of a request's sender, with and without proxies.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

use crate::census::Prefix;

/// Entries of `X-Forwarded-For` that are looked at, from the end.
const HOPS: usize = 16;

/// The address of the client that sent the request.
///
/// That is the peer of the connection. If the peer is a trusted proxy, it is the last address in `X-Forwarded-For` that
/// is not a trusted proxy: each proxy appends the address of its own client. A client can make up all entries before that
/// address.
pub fn source(extensions: &Extensions, headers: &HeaderMap, trusted: &[Prefix]) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())?;
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    Some(behind(peer, &hops, trusted))
}

/// Whether the request comes from this machine. If a proxy that is not trusted passed it on, nobody knows.
pub fn is_this_machine(extensions: &Extensions, headers: &HeaderMap, trusted: &[Prefix]) -> bool {
    let Some(peer) = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())
    else {
        return false;
    };
    let is_passed_on =
        ["x-forwarded-for", "forwarded", "via", "x-real-ip"].iter().any(|name| headers.contains_key(*name));
    let is_trusted = trusted.iter().any(|prefix| prefix.contains(peer));
    (!is_passed_on || is_trusted && headers.contains_key("x-forwarded-for"))
        && source(extensions, headers, trusted).is_some_and(|address| address.is_loopback())
}

fn behind(peer: IpAddr, hops: &[&str], trusted: &[Prefix]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|prefix| prefix.contains(address));
    let mut address = peer.to_canonical();
    for hop in hops.iter().rev().take(HOPS) {
        if !is_proxy(address) {
            break;
        }
        let bare = hop.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()));
        let Ok(next) = bare else { break };
        address = next.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, hops: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<Prefix> = trusted.iter().map(|p| p.parse().unwrap()).collect();
        behind(peer.parse().unwrap(), hops, &trusted).to_string()
    }

    #[test]
    fn a_request_that_a_proxy_passed_on_is_from_this_machine_only_if_a_trusted_proxy_says_so() {
        let is_here = |peer: &str, passed_on: &[(&'static str, &'static str)], trusted: &[&str]| {
            let trusted: Vec<Prefix> = trusted.iter().map(|p| p.parse().unwrap()).collect();
            let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
            for (name, value) in passed_on {
                headers.append(*name, value.parse().unwrap());
            }
            is_this_machine(&extensions, &headers, &trusted)
        };
        assert!(
            is_here("127.0.0.1", &[], &[])
                && is_here("::ffff:127.0.0.1", &[], &[])
                && is_here("::1", &[], &[])
        );
        assert!(!is_here("192.0.2.1", &[], &[]));
        for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
            assert!(!is_here("127.0.0.1", &[(name, "127.0.0.1")], &[]), "{name} of an unknown proxy");
        }
        assert!(!is_here("127.0.0.1", &[("x-forwarded-for", "203.0.113.9")], &["127.0.0.1/32"]));
        assert!(is_here("10.0.0.1", &[("x-forwarded-for", "127.0.0.1")], &["10.0.0.0/8"]));
        assert!(
            !is_here("127.0.0.1", &[("via", "1.1 proxy")], &["127.0.0.1/32"]),
            "it does not say for whom"
        );
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_what_they_added() {
        let proxy = ["10.0.0.0/8"];
        assert_eq!(of("203.0.113.9", &["1.2.3.4"], &proxy), "203.0.113.9", "the peer is not a proxy");
        assert_eq!(of("10.0.0.1", &["203.0.113.9"], &proxy), "203.0.113.9");
        assert_eq!(
            of("10.0.0.1", &["1.2.3.4", "203.0.113.9"], &proxy),
            "203.0.113.9",
            "the first is made up"
        );
        assert_eq!(of("10.0.0.1", &["203.0.113.9", "10.0.0.2"], &proxy), "203.0.113.9", "two proxies");
        assert_eq!(of("10.0.0.1", &["nonsense"], &proxy), "10.0.0.1");
        assert_eq!(of("::ffff:10.0.0.1", &["[2001:db8::1]:4711"], &proxy), "2001:db8::1");
        assert_eq!(of("10.0.0.1", &["203.0.113.9"], &[]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &[], &proxy), "10.0.0.1");
    }
}
