//! The host of a URL, if it is an address (RFC 3986 section 3.2.2).

use std::net::IpAddr;

/// The address in a URL; `None` if its host is a name, or if it is not a URL with a host.
pub(crate) fn address(url: &[u8]) -> Option<IpAddr> {
    let url = str::from_utf8(url).ok()?.trim();
    let (_scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    match host.strip_prefix('[') {
        // A link-local address may name the interface that it belongs to (RFC 6874).
        Some(v6) => v6.split_once(']')?.0.split('%').next()?.parse().ok().map(IpAddr::V6),
        None => host.split(':').next()?.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_is_taken() {
        let of = |url: &str| address(url.as_bytes()).map(|ip| ip.to_string());
        for (url, expected) in [
            ("http://192.0.2.1:8080/desc.xml", "192.0.2.1"),
            (" https://192.0.2.1", "192.0.2.1"),
            ("http://user:word@192.0.2.1?x", "192.0.2.1"),
            ("http://[fe80::1%25eth0]:5357/x", "fe80::1"),
            ("http://[2001:db8::1]/", "2001:db8::1"),
        ] {
            assert_eq!(of(url).as_deref(), Some(expected), "{url}");
        }
        for none in
            ["http://camera.local/", "/desc.xml", "192.0.2.1", "", "http://", "http://[::", "http://1.2.3/"]
        {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
