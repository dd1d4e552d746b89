//! Makers' own discovery: protocols by which the devices and programs of one maker find each other.
//!
//! None has a public standard; what is read here is the part that their open clients agree on, and only where a magic
//! number, the lengths and the direction fit. What names no field of its own is said as `protocol:model`, or as
//! `protocol` alone where the sender names no model.

mod bjnp;
mod crestron;
mod dahua;
mod dropbox;
mod epson;
mod govee;
mod hiflying;
mod kasa;
mod kdeconnect;
mod lifx;
mod localsend;
mod miio;
mod moxa;
mod mscdp;
mod sadp;
mod spotify;
mod steam;
mod syncthing;
mod synology;
mod tuya;
mod wiz;
mod yeelight;

use crate::census::Field;
use crate::dissect::{Malformed, Words};

/// The longest model in bytes that is believed.
const MODEL: usize = 80;

/// Says what a datagram of a maker's protocol tells of its sender; one of any other port says nothing.
///
/// # Errors
/// Where a message of a protocol ends too early or holds another form than it says.
pub fn datagram(
    payload: &[u8],
    source_port: u16,
    destination_port: u16,
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    // Protocols in which only the device, or whoever answers, sends from the port.
    match source_port {
        1982 => return yeelight::dissect(payload, words),
        3289 => return epson::dissect(payload, words),
        4800 => return moxa::dissect(payload, words),
        5050 => return mscdp::dissect(payload, words),
        8611 | 8612 => return bjnp::dissect(payload, words),
        20002 => return kasa::dissect_second(payload, words),
        37020 => return sadp::dissect(payload, words),
        37810 => return dahua::dissect(payload, words),
        38899 => return wiz::dissect(payload, words),
        41794 => return crestron::dissect(payload, words),
        48899 => return hiflying::dissect(payload, words),
        54321 => return miio::dissect(payload, words),
        56700 => return lifx::dissect(payload, words),
        9999 if !synology::is_magic(payload) => return kasa::dissect(payload, words),
        _ => {}
    }
    // Announcements, from whatever port.
    match destination_port {
        1716 => kdeconnect::dissect(payload, words),
        4002 => govee::dissect(payload, words),
        6666 | 6667 | 7000 => tuya::dissect(payload, words),
        9997..=9999 => synology::dissect(payload, words),
        17500 => dropbox::dissect(payload, words),
        21027 => syncthing::dissect(payload, words),
        27036 => steam::dissect(payload, words),
        37020 => sadp::dissect(payload, words),
        37810 => dahua::dissect(payload, words),
        38900 => wiz::dissect(payload, words),
        53317 => localsend::dissect(payload, words),
        57621 => spotify::dissect(payload, words),
        _ if matches!(source_port, 9997..=9999) => synology::dissect(payload, words),
        _ => Ok(()),
    }
}

/// Says what the beginning of a segment of a maker's protocol tells of its sender.
///
/// # Errors
/// As [`datagram`].
pub fn stream(payload: &[u8], source_port: u16, words: &mut Words<'_>) -> Result<(), Malformed> {
    match source_port {
        6668 => tuya::dissect_segment(payload, words),
        9999 => kasa::dissect_segment(payload, words),
        _ => Ok(()),
    }
}

/// Says `protocol:model`; without a sound model the protocol alone.
fn identity(protocol: &str, model: Option<&[u8]>, words: &mut Words<'_>) {
    let model = model.map(|m| m.split(|b| *b == 0).next().unwrap_or_default().trim_ascii());
    match model.filter(|m| !m.is_empty() && m.len() <= MODEL) {
        Some(model) => words.say(Field::DiscoveryIdentity, &[protocol.as_bytes(), b":", model].concat()),
        None => words.say(Field::DiscoveryIdentity, protocol.as_bytes()),
    }
}

/// The value of a key in a device id of IEEE 1284 (`MFG:Canon;MDL:MX520 series;`).
fn device_id<'a>(id: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    id.split(|b| *b == b';')
        .take(32)
        .find_map(|pair| pair.trim_ascii_start().strip_prefix(key)?.strip_prefix(b":"))
}

/// Reads JSON, where it begins as an object.
fn json<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let object = bytes.trim_ascii();
    object.starts_with(b"{").then(|| serde_json::from_slice(object).ok()).flatten()
}

#[cfg(test)]
mod testing {
    use crate::dissect::testing::said;

    /// What a datagram says, and whether it was sound.
    pub(super) fn heard(payload: &[u8], from: u16, to: u16) -> Vec<String> {
        said(|w| super::datagram(payload, from, to, w)).0
    }

    /// Runs a datagram's beginnings and variations.
    pub(super) fn survives(payload: &[u8], from: u16, to: u16) {
        crate::dissect::protocol::testing::survives(payload, |p, w| super::datagram(p, from, to, w));
    }
}

#[cfg(test)]
mod tests {
    use super::testing::heard;

    #[test]
    fn other_traffic_on_a_makers_port_says_nothing() {
        let ports = [
            1716, 1982, 3289, 4002, 4800, 5050, 6666, 6667, 7000, 8611, 8612, 9997, 9999, 17500, 20002,
            21027, 27036, 37020, 37810, 38899, 38900, 41794, 48899, 53317, 54321, 56700, 57621,
        ];
        let junk: Vec<u8> = (0..200u8).map(|n| n.wrapping_mul(37).wrapping_add(11)).collect();
        for port in ports {
            for payload in [&junk[..], b"{\"a\":1}", b"{}", b"hello, world", &[0; 64], &[0xff; 64], b""] {
                assert!(heard(payload, port, 50_000).is_empty(), "from {port}: {payload:?}");
                assert!(heard(payload, 50_000, port).is_empty(), "to {port}: {payload:?}");
            }
        }
    }
}
