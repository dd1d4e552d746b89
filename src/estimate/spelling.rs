//! The MACs and IP addresses in a cell of a list.

use std::net::IpAddr;

use crate::census::{MacAddr, spelling};

/// Signs that stand around and between the values of a cell: `="…"`, `['…']`, `{…}`, lists with commas.
const AROUND: [char; 15] = [',', ';', '|', '(', ')', '[', ']', '{', '}', '"', '\'', '=', '<', '>', '\u{a0}'];

/// Every MAC of a cell.
pub(super) fn macs(cell: &str) -> impl Iterator<Item = MacAddr> {
    // A cell may spell one MAC with spaces: `00 1b a9 a0 00 06`.
    let spaced = spelling::mac(&cell.replace(AROUND, " ").split_whitespace().collect::<Vec<_>>().join(":"));
    let words = cell.split(|c: char| c.is_whitespace() || c == '/' || AROUND.contains(&c));
    let words = words.filter_map(spelling::mac).take(if spaced.is_some() { 0 } else { usize::MAX });
    spaced.into_iter().chain(words.collect::<Vec<_>>())
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
        && spelling::ip(first).is_ok()
        && (spelling::ip(last).is_ok() || last.parse::<u8>().is_ok())
    {
        return Addressed { because: Some("is a range of addresses, and no device"), ..found };
    }
    let is_between = |c: char| c.is_whitespace() || (AROUND.contains(&c) && !matches!(c, '[' | ']'));
    for word in cell.split(is_between) {
        match spelling::ip(word) {
            Ok(ip) => found.ips.push(ip),
            Err(because) => found.because = found.because.or(because),
        }
    }
    found
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
