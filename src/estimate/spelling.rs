//! How lists spell MACs and IP addresses.

use std::net::{IpAddr, Ipv4Addr};

use crate::census::MacAddr;

/// Signs that stand around and between the values of a cell: `="…"`, `['…']`, `{…}`, lists with commas.
const AROUND: [char; 15] = [',', ';', '|', '(', ')', '[', ']', '{', '}', '"', '\'', '=', '<', '>', '\u{a0}'];

/// Every MAC of a cell.
pub(super) fn macs(cell: &str) -> impl Iterator<Item = MacAddr> {
    // A cell may spell one MAC with spaces: `00 1b a9 a0 00 06`.
    let spaced = one_mac(&cell.replace(AROUND, " ").split_whitespace().collect::<Vec<_>>().join(":"));
    let words = cell.split(|c: char| c.is_whitespace() || c == '/' || AROUND.contains(&c));
    let words = words.filter_map(one_mac).take(if spaced.is_some() { 0 } else { usize::MAX });
    spaced.into_iter().chain(words.collect::<Vec<_>>())
}

/// A MAC: six bytes by `:` or `-` (a leading zero may be missing), groups of two or three bytes, twelve digits, each with
/// or without `0x` before it; or the seven bytes of a DHCP client identifier of hardware type 1 (RFC 2132, 9.14).
fn one_mac(word: &str) -> Option<MacAddr> {
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

/// The addresses of a cell.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Addressed {
    pub(super) ips: Vec<IpAddr>,
    /// Why a text that names addresses names no device: it is a range or a network.
    pub(super) because: Option<&'static str>,
}

/// Every address of a cell: with or without prefix length, port, zone index, scheme and path.
pub(super) fn ips(cell: &str) -> Addressed {
    let mut found = Addressed::default();
    let range: Vec<&str> = cell.split(['-', '–', '…']).map(str::trim).collect();
    if let [first, last] = range.as_slice()
        && one_ip(first).is_ok()
        && (one_ip(last).is_ok() || last.parse::<u8>().is_ok())
    {
        return Addressed { because: Some("is a range of addresses, and no device"), ..found };
    }
    let is_between = |c: char| c.is_whitespace() || (AROUND.contains(&c) && !matches!(c, '[' | ']'));
    for word in cell.split(is_between) {
        match one_ip(word) {
            Ok(ip) => found.ips.push(ip),
            Err(because) => found.because = found.because.or(because),
        }
    }
    found
}

fn one_ip(word: &str) -> Result<IpAddr, Option<&'static str>> {
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
fn v4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.');
    let mut next = || {
        let part = parts.next()?;
        let is_part = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_part.then(|| part.parse::<u8>().ok()).flatten()
    };
    let ip = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    parts.next().is_none().then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_read_in_every_spelling_of_lists() {
        let read = |cell: &str| macs(cell).map(|m| m.to_string()).collect::<Vec<_>>().join(" ");
        for cell in [
            "00:1b:a9:a0:00:05",
            "00-1B-A9-A0-00-05",
            "001b.a9a0.0005",
            "001BA9A00005",
            "0:1b:a9:a0:0:5",
            "00 1b a9 a0 00 05",
            "0x001BA9A00005",
            "001ba9:a00005",
            "001ba9-a00005",
            "=\"00:1b:a9:a0:00:05\"",
            "'00:1b:a9:a0:00:05",
            "[\"00:1b:a9:a0:00:05\"]",
            "{00:1b:a9:a0:00:05}",
            "00:1b:a9:a0:00:05/eth0",
            "00:1B:A9:A0:00:05 (LAN)",
            "01-00-1b-a9-a0-00-05",
            "0100.1ba9.a000.05",
            "001b:a9a0:0005",
        ] {
            assert_eq!(read(cell), "00:1b:a9:a0:00:05", "{cell}");
        }
        assert_eq!(read("00:1b:a9:a0:00:11 (LAN) 00:1b:a9:a0:00:12 (WLAN)").len(), 35);
        for cell in [
            "1.1883E+11",
            "10.1.1.1",
            "2001:db8::5",
            "192.168.100.200",
            "2026-11-28",
            "",
            "SN-12-34",
            "a:b:c",
        ] {
            assert_eq!(read(cell), "", "{cell}");
        }
    }

    #[test]
    fn addresses_are_read_in_every_spelling_of_lists_and_networks_are_none() {
        let read = |cell: &str| ips(cell).ips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ");
        for cell in [
            "10.1.1.2",
            "10.1.1.2/24",
            "010.001.001.002",
            "10.1.1.2:443",
            "http://10.1.1.2/",
            "https://10.1.1.2:8443/login",
            "::ffff:10.1.1.2",
            "[\"10.1.1.2\"]",
            "'10.1.1.2",
            " 10.1.1.2 ",
        ] {
            assert_eq!(read(cell), "10.1.1.2", "{cell}");
        }
        assert_eq!(read("2001:db8::5%3 [2001:db8::6]:443"), "2001:db8::5 2001:db8::6");
        assert_eq!(read("10.1.1.13\n10.1.1.14"), "10.1.1.13 10.1.1.14");
        for cell in ["10.1.1.7 - 10.1.1.9", "10.1.1.7-9", "10.1.1.0/24", "2001:db8::/64"] {
            assert_eq!(read(cell), "", "{cell}");
            assert!(ips(cell).because.is_some(), "{cell}");
        }
        for cell in ["DHCP", "10.1.1", "10.1.1.256", "00:1b:a9:a0:00:05", "1.2.3.4.5"] {
            assert_eq!(ips(cell), Addressed::default(), "{cell}");
        }
    }
}
