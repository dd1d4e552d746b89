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
