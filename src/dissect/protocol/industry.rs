//! Which dissector of an industrial, building, energy or medical protocol a payload belongs to.
//!
//! The service's port tells the protocol and the side; the dissectors check so strictly that a stranger on such a port
//! says nothing. Protocols whose messages begin unmistakably are found on any port.

use super::{
    ads, c37118, cip_io, codesys, dicom, dnp3, ethercat, fins, fox, goose, hartip, hislip, hl7, iec104, knx,
    lon, melsec, modbus, opcua, powerlink, profinet, profinet_cm, sercos, tpkt,
};
use crate::census::MacAddr;
use crate::dissect::{Malformed, Words};

/// Which side of a conversation the sender of a packet is on: clients ask, servers answer. A controller that polls its
/// devices is their client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// It sends to the service's port.
    Client,
    /// It sends from the service's port.
    Server,
}

impl Side {
    /// The word for this side.
    pub(super) const fn pick(self, client: &'static str, server: &'static str) -> &'static str {
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }
}

/// Says what a UDP payload tells of its sender.
pub(super) fn datagram(
    payload: &[u8],
    source_port: u16,
    destination_port: u16,
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    if let Some(dissected) = udp(source_port, Side::Server, payload, words) {
        return dissected;
    }
    udp(destination_port, Side::Client, payload, words).unwrap_or(Ok(()))
}

/// Says what a TCP payload tells of its sender.
pub(super) fn stream(
    payload: &[u8],
    source_port: u16,
    destination_port: u16,
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    if let Some(dissected) = tcp(source_port, Side::Server, payload, words) {
        return dissected;
    }
    if let Some(dissected) = tcp(destination_port, Side::Client, payload, words) {
        return dissected;
    }
    match payload {
        [5, 0x64, ..] => dnp3::dissect(payload, words),
        [1 | 2, 0, ..] => dicom::dissect(payload, words),
        [0x0b, b'M', b'S', b'H', ..] => hl7::dissect(payload, words),
        [b'H', b'E', b'L' | b'M', ..] | [b'A', b'C', b'K', b'F', ..] | [b'R', b'H', b'E', b'F', ..] => {
            opcua::dissect(payload, None, words)
        }
        [b'M', b'S', b'G', b'F' | b'C', ..] => opcua::dissect(payload, None, words),
        _ => Ok(()),
    }
}

/// Says what a frame tells of the station that sent it, where [`is_industrial`] holds for its type.
pub(in crate::dissect) fn frame(
    ethertype: u16,
    source: MacAddr,
    body: &[u8],
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    match ethertype {
        profinet::ETHERTYPE => profinet::dissect(body, words),
        ethercat::ETHERTYPE => ethercat::dissect(body, source, words),
        goose::GOOSE | goose::SAMPLED_VALUES => goose::dissect(body, ethertype, words),
        powerlink::ETHERTYPE => powerlink::dissect(body, words),
        sercos::ETHERTYPE => sercos::dissect(body, words),
        _ => Ok(()),
    }
}

/// The Ethernet types that [`frame`] reads.
pub(in crate::dissect) const fn is_industrial(ethertype: u16) -> bool {
    matches!(
        ethertype,
        profinet::ETHERTYPE
            | ethercat::ETHERTYPE
            | goose::GOOSE
            | goose::SAMPLED_VALUES
            | powerlink::ETHERTYPE
            | sercos::ETHERTYPE
    )
}

fn udp(port: u16, side: Side, payload: &[u8], words: &mut Words<'_>) -> Option<Result<(), Malformed>> {
    Some(match port {
        1628 | 1629 => lon::dissect(payload, words),
        1740..=1743 => codesys::datagram(payload, words),
        2222 => cip_io::dissect(payload, words),
        3671 => knx::dissect(payload, side, words),
        4712 | 4713 => c37118::dissect(payload, words),
        5006 | 5007 => melsec::dissect(payload, side, words),
        5094 => hartip::dissect(payload, side, words),
        9600 => fins::datagram(payload, words),
        20000 => dnp3::dissect(payload, words),
        34964 => profinet_cm::dissect(payload, words),
        34980 => ethercat::datagram(payload, words),
        48899 => ads::discovery(payload, words),
        _ => return None,
    })
}

fn tcp(port: u16, side: Side, payload: &[u8], words: &mut Words<'_>) -> Option<Result<(), Malformed>> {
    Some(match port {
        102 => tpkt::dissect(payload, side, words),
        502 => modbus::dissect(payload, side, words),
        1911 | 4911 => fox::dissect(payload, side, words),
        2404 => iec104::dissect(payload, side, words),
        3671 => knx::dissect(payload, side, words),
        4712 | 4713 => c37118::dissect(payload, words),
        4840 => opcua::dissect(payload, Some(side), words),
        4880 => hislip::dissect(payload, side, words),
        5006 | 5007 => melsec::dissect(payload, side, words),
        5094 => hartip::dissect(payload, side, words),
        9600 => fins::stream(payload, words),
        11740 => codesys::stream(payload, side, words),
        48898 => ads::dissect(payload, words),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::said;

    #[test]
    fn a_service_is_told_by_its_port_and_the_side_by_which_end_has_it() {
        let of = |payload: &[u8], from, to| said(|w| stream(payload, from, to, w)).0;
        let start = [0x68, 4, 7, 0, 0, 0];
        assert_eq!(of(&start, 49152, 2404), ["ot.role=iec104:client"]);
        assert!(of(&start, 2404, 49152).is_empty() && of(&start, 49152, 443).is_empty());
        let io = [2, 0, 2, 0x80, 8, 0, 1, 2, 3, 4, 9, 0, 0, 0, 0xb1, 0, 1, 0, 5];
        assert_eq!(said(|w| datagram(&io, 2222, 2222, w)).0, ["ot.role=enip:io"]);
        assert!(said(|w| datagram(&io, 49152, 443, w)).0.is_empty());
    }

    #[test]
    fn what_begins_unmistakably_is_found_on_any_port() {
        let of = |payload: &[u8]| said(|w| stream(payload, 49152, 12345, w)).0;
        assert_eq!(of(&[5, 0x64, 5, 0xc0, 1, 0, 0, 4, 0xe9, 0x21]), ["ot.role=dnp3:client"]);
        assert_eq!(of(b"\x0bMSH|^~\\&|LAB|"), ["hl7.application=LAB"]);
        assert!(of(b"HELO example.com\r\n").is_empty());
        assert!(of(&[1, 0, 0, 0, 0, 0]).is_empty());
    }

    #[test]
    fn a_frame_is_told_by_its_type() {
        let source = MacAddr([0, 1, 2, 3, 4, 5]);
        let of = |ethertype, body: &[u8]| said(|w| frame(ethertype, source, body, w)).0;
        let cyclic = [&[0x80, 1][..], &[0; 40]].concat();
        assert_eq!(of(0x8892, &cyclic), ["ot.role=profinet:sender"]);
        assert_eq!(of(0x88ab, &[1, 255, 240]), ["ot.role=powerlink:client"]);
        assert!(of(0x0800, &cyclic).is_empty());
        assert!(is_industrial(0x88ba) && !is_industrial(0x0800));
    }
}
