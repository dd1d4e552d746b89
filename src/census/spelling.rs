//! How people and lists spell MACs and IP addresses.

use std::net::{IpAddr, Ipv4Addr};

use super::mac::MacAddr;

/// A MAC: six bytes by `:` or `-` (a leading zero may be missing), groups of two or three bytes, twelve digits, each with
/// or without `0x` before it; or the seven bytes of a DHCP client identifier of hardware type 1 (RFC 2132, 9.14).
pub fn mac(word: &str) -> Option<MacAddr> {
    let word = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
    let may_be = (11..=20).contains(&word.len()) || word.len() >= 9 && word.contains([':', '-']);
    if !may_be {
        return None;
    }
    let parts: Vec<&str> = word.split([':', '-', '.']).collect();
    let is_hex = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
    if !parts.iter().all(is_hex) {
        return None;
    }
    let digits: String = match parts.len() {
        1..=4 => parts.concat(),
        6 | 7 => parts.iter().map(|part| format!("{part:0>2}")).collect(),
        _ => return None,
    };
    let digits = match (digits.len(), parts.len()) {
        (12, _) => digits.as_str(),
        (14, 4 | 7) => digits.strip_prefix("01")?,
        _ => return None,
    };
    // `10.20.30.4000` and the like are not six bytes.
    let is_even = matches!(parts.len(), 1 | 6 | 7)
        || parts.iter().all(|p| p.len() == 4 || p.len() == 6 || p.len() == 2);
    is_even.then(|| digits.parse().ok()).flatten()
}

/// An address: with or without prefix length, port, zone index, scheme and path.
///
/// # Errors
/// If the word is not an address; with the reason if it names addresses, but not a device's.
pub fn ip(word: &str) -> Result<IpAddr, Option<&'static str>> {
    let word = word.split_once("://").map_or(word, |(_, rest)| rest);
    let (bare, prefix) =
        word.split_once('/').map_or((word, None), |(ip, rest)| (ip, rest.parse::<u8>().ok()));
    let bare = bare.split('%').next().unwrap_or(bare);
    let inner = bare.strip_prefix('[').map(|b| b.split(']').next().unwrap_or(b));
    let ip = match inner {
        Some(v6) => v6.parse::<IpAddr>().ok().or_else(|| v4(v6).map(IpAddr::V4)),
        None => {
            let trimmed = bare.trim_end_matches(']');
            let without_port = trimmed.split_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
            let v4 = v4(without_port.map_or(trimmed, |(ip, _)| ip)).map(IpAddr::V4);
            v4.or_else(|| trimmed.parse::<IpAddr>().ok())
        }
    };
    let ip = ip.ok_or(None)?.to_canonical();
    match (ip, prefix) {
        (IpAddr::V4(v4), Some(length @ 1..=30)) if v4.to_bits() << length == 0 => {
            Err(Some("is a network, and no device"))
        }
        (IpAddr::V6(v6), Some(length @ 1..=126)) if v6.to_bits() << length == 0 => {
            Err(Some("is a network, and no device"))
        }
        _ => Ok(ip),
    }
}

/// An IPv4 address, also with leading zeros: lists pad parts to three digits, and no list counts by eights.
pub fn v4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.');
    let mut next = || {
        let part = parts.next()?;
        let is_part = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_part.then(|| part.parse::<u8>().ok()).flatten()
    };
    let ip = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    parts.next().is_none().then_some(ip)
}
