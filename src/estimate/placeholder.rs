//! Values that stand for no device, although they look like identity: placeholders, and the MACs of drivers.

use super::cell::squash;
use crate::census::MacAddr;

/// MACs that many machines have, because a driver or a maker writes the same into each.
const SHARED_MACS: [[u8; 6]; 20] = [
    [0x02, 0x00, 0x00, 0x00, 0x00, 0x00], // what Android and iOS tell every app
    [0x20, 0x41, 0x53, 0x59, 0x4e, 0xff], // " ASYN": dial-up of Windows
    [0x50, 0x50, 0x54, 0x50, 0x30, 0x30], // "PPTP00": tunnels of Windows
    [0x33, 0x50, 0x6f, 0x45, 0x30, 0x30], // "3PoE00"
    [0x44, 0x45, 0x53, 0x54, 0x42, 0x00], // "DESTB": dial-up of Windows
    [0x02, 0x00, 0x4c, 0x4f, 0x4f, 0x50], // "LOOP": loopback adapter
    [0x02, 0x00, 0x4e, 0x43, 0x50, 0x49], // "NCPI": VPN client
    [0x02, 0x50, 0x41, 0x00, 0x00, 0x01], // "PA": VPN client
    [0x02, 0x05, 0x85, 0x7f, 0xeb, 0x80], // VPN client
    [0x00, 0x05, 0x9a, 0x3c, 0x7a, 0x00], // VPN client
    [0x00, 0x05, 0x9a, 0x3c, 0x78, 0x00], // VPN client
    [0x00, 0x09, 0x0f, 0xfe, 0x00, 0x01], // VPN client
    [0x00, 0x09, 0x0f, 0xaa, 0x00, 0x01], // VPN client
    [0x00, 0x53, 0x45, 0x00, 0x00, 0x00], // VPN client
    [0x00, 0x50, 0x56, 0xc0, 0x00, 0x01], // host adapter of virtual machines
    [0x00, 0x50, 0x56, 0xc0, 0x00, 0x08],
    [0x0a, 0x00, 0x27, 0x00, 0x00, 0x00],
    [0x00, 0x1c, 0x42, 0x00, 0x00, 0x08],
    [0x00, 0x1c, 0x42, 0x00, 0x00, 0x09],
    [0x0c, 0x5b, 0x8f, 0x27, 0x9a, 0x64], // LTE sticks
];

/// Whether a MAC stands for no device: known as shared, or a pattern that a person or a program filled in.
pub(super) fn is_placeholder_mac(mac: MacAddr) -> bool {
    let [a, b, c, d, e, f] = mac.0;
    let counts_up = |step: u8| mac.0.windows(2).all(|w| matches!(w, [a, b] if b.wrapping_sub(*a) == step));
    SHARED_MACS.contains(&mac.0)
        || mac.0.iter().all(|byte| *byte == a)
        // 01:02:03…, 11:22:33…, aa:bb:cc…, 12:34:56…
        || counts_up(1)
        || counts_up(0x11)
        || counts_up(0x22)
        || [a, b, c, d, e] == [0; 5]
        || [a, b, c] == [0xde, 0xad, 0xbe]
        || [b, c, d, e, f] == [0; 5]
        // The bridges of containers: the MAC is made of the address.
        || ([a, b] == [0x02, 0x42] && matches!([c, d], [0xac | 0xc0, _]))
}

/// Whether an id or a serial number stands for no device.
pub(super) fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 36] = [
        "tbd",
        "tba",
        "tbc",
        "na",
        "none",
        "null",
        "nil",
        "unknown",
        "undefined",
        "default",
        "defaultstring",
        "notspecified",
        "notapplicable",
        "notavailable",
        "tobefilledbyoem",
        "systemserialnumber",
        "serialnumber",
        "chassisserialnumber",
        "oem",
        "empty",
        "invalid",
        "noserial",
        "noserialnumber",
        "todo",
        "test",
        "xxx",
        "123",
        "1234",
        "12345",
        "123456",
        "1234567",
        "12345678",
        "123456789",
        "0123456789",
        "1234567890",
        "unbekannt",
    ];
    let word = squash(text);
    let mut signs = word.chars();
    let first = signs.next();
    // `0`, `0000-0000`, `ffff`, `------`; but `7` may be a number in a list.
    let is_one_sign =
        signs.all(|c| Some(c) == first) && (word.len() > 3 || matches!(first, None | Some('0' | 'x' | 'f')));
    is_one_sign || WORDS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_machine_has_stands_for_none() {
        for mac in [
            "02:00:00:00:00:00",
            "20:41:53:59:4e:ff",
            "02:00:4e:43:50:49",
            "aa:bb:cc:dd:ee:ff",
            "11:22:33:44:55:66",
            "12:12:12:12:12:12",
            "00:00:00:00:00:01",
            "02:42:ac:11:00:02",
            "00:01:02:03:04:05",
            "00:11:22:33:44:55",
        ] {
            assert!(is_placeholder_mac(mac.parse().unwrap()), "{mac}");
        }
        for mac in ["00:40:8c:00:00:01", "3c:52:82:40:00:01", "00:1d:25:30:00:01", "00:00:74:00:00:01"] {
            assert!(!is_placeholder_mac(mac.parse().unwrap()), "{mac}");
        }
    }

    #[test]
    fn words_for_nothing_are_no_identity() {
        for text in [
            "0",
            "TBD",
            "N/A",
            "00000000-0000-0000-0000-000000000000",
            "To Be Filled By O.E.M.",
            "-",
            "Default string",
            "FFFFFFFF",
            "",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["FTX00A", "7", "12", "SN1", "a0000000000000000000000000000001", "CN-0X123"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
