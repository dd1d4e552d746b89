//! Which dissector a transport payload belongs to. On the path of every packet: an uninteresting one costs a
//! comparison of ports or of its first bytes, and no memory.

use super::head::Head;
use super::{
    bacnet, bgp, capwap, dhcp6, enip, http, llmnr, lwapp, mdns, mndp, nbns, rtsp, sip, snmp, ssdp, ssh, ubnt,
    unifi, wsd,
};
use crate::dissect::{Malformed, Words};

/// The port of EtherNet/IP.
const ENIP: u16 = 44818;
/// The port of SSH.
const SSH: u16 = 22;

/// Says what a UDP payload tells of its sender. DHCPv4 is not among it: its lease needs more than words.
///
/// # Errors
/// As the dissector of the protocol.
pub fn datagram(
    payload: &[u8],
    source_port: u16,
    destination_port: u16,
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    match (source_port, destination_port) {
        // Multicast DNS and LLMNR answer from their own port (RFC 6762 section 6, RFC 4795 section 2.1).
        (5353, _) => mdns::dissect(payload, words),
        (5355, _) => llmnr::dissect(payload, words),
        (137, _) | (_, 137) => nbns::dissect(payload, words),
        (snmp::AGENT, _) | (_, 162) => snmp::dissect(payload, source_port, words),
        (_, 547) => dhcp6::dissect(payload, words),
        (1900, _) | (_, 1900) => ssdp::dissect(payload, words),
        (3702, _) | (_, 3702) => wsd::dissect(payload, words),
        (5060 | 5061, _) | (_, 5060 | 5061) => sip::dissect(payload, words),
        (ENIP, _) => enip::dissect(payload, words),
        (47808, _) | (_, 47808) => bacnet::dissect(payload, words),
        // Network gear.
        (_, 5678) => mndp::dissect(payload, words),
        (10001, _) | (_, 10001) => ubnt::dissect(payload, words),
        (capwap::CONTROL, _) | (_, capwap::CONTROL) => {
            capwap::dissect(payload, source_port, destination_port, words)
        }
        (lwapp::CONTROL, _) | (_, lwapp::CONTROL) => {
            lwapp::dissect(payload, source_port, destination_port, words)
        }
        // Some devices answer a search from a port of their own.
        _ if payload.starts_with(b"HTTP/1.1 200") => ssdp::dissect(payload, words),
        _ => Ok(()),
    }
}

/// Says what a TCP payload tells of its sender, where it begins a message; bulk data says nothing.
///
/// # Errors
/// As the dissector of the protocol.
pub fn stream(
    payload: &[u8],
    source_port: u16,
    destination_port: u16,
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    let Some(start) = payload.first_chunk::<4>() else { return Ok(()) };
    match start {
        b"SSH-" if is_server(source_port, destination_port) => ssh::dissect(payload, words),
        // The methods of HTTP, SIP and RTSP; the start line tells which.
        b"GET " | b"POST" | b"HEAD" | b"PUT " | b"OPTI" | b"DELE" | b"PATC" | b"CONN" | b"PROP" | b"SUBS"
        | b"NOTI" | b"REPO" | b"HTTP" | b"SIP/" | b"RTSP" | b"REGI" | b"INVI" | b"ACK " | b"BYE "
        | b"CANC" | b"MESS" | b"INFO" | b"PUBL" | b"REFE" | b"UPDA" | b"PRAC" => {
            if destination_port == unifi::INFORM && start == b"POST" {
                unifi::dissect(payload, words)?;
            }
            let Some(head) = Head::read(payload) else { return Ok(()) };
            match head.version {
                b"SIP/2.0" => sip::say(&head, words),
                b"RTSP/1.0" | b"RTSP/2.0" => rtsp::say(&head, words),
                _ => http::say(&head, words),
            }
        }
        _ if source_port == ENIP => enip::dissect(payload, words),
        // Network gear.
        b"TNBU" if destination_port == unifi::INFORM => unifi::dissect(payload, words),
        b"\xff\xff\xff\xff" if source_port == bgp::PORT || destination_port == bgp::PORT => {
            bgp::dissect(payload, words)
        }
        _ => Ok(()),
    }
}

/// Both sides of SSH send the same line; the server has the known or the lower port.
const fn is_server(source_port: u16, destination_port: u16) -> bool {
    source_port == SSH || (destination_port != SSH && source_port < destination_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::said;

    #[test]
    fn a_stream_is_told_by_its_first_line() {
        let of = |payload: &[u8], from, to| said(|w| stream(payload, from, to, w)).0;
        assert_eq!(of(b"GET / HTTP/1.0\r\nUser-Agent: a\r\n\r\n", 40000, 81), ["http.user_agent=a"]);
        assert_eq!(of(b"OPTIONS sip:a SIP/2.0\r\nUser-Agent: a\r\n\r\n", 5062, 5060), ["sip.user_agent=a"]);
        assert_eq!(of(b"RTSP/1.0 200 OK\r\nServer: a\r\n\r\n", 554, 40000), ["rtsp.server=a"]);
        assert_eq!(of(b"HTTP/1.1 200 OK\r\nServer: a\r\n\r\n", 80, 40000), ["http.server=a"]);
        assert!(of(b"HTTPS is not a version\r\n", 80, 40000).is_empty());
        assert!(of(&[0x16; 1400], 443, 40000).is_empty());
        assert!(of(b"", 80, 40000).is_empty());
    }

    #[test]
    fn only_the_server_of_ssh_is_named() {
        let of = |from, to| said(|w| stream(b"SSH-2.0-x\r\n", from, to, w)).0.len();
        assert_eq!((of(22, 40000), of(2222, 40000), of(40000, 22), of(40000, 2222)), (1, 1, 0, 0));
        assert_eq!(of(10, 22), 0);
    }

    #[test]
    fn a_datagram_is_told_by_its_port() {
        let of = |payload: &[u8], from, to| said(|w| datagram(payload, from, to, w));
        let answer = b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n";
        assert_eq!(of(answer, 49152, 50000).0, ["ssdp.nt=upnp:rootdevice"]);
        assert_eq!(of(b"anything", 40000, 443), (vec![], Ok(())));
        for (from, to) in [(5353, 5353), (5355, 50000), (137, 137), (161, 50000), (47808, 47808)] {
            assert!(of(b"anything", from, to).1.is_err(), "{from}");
        }
    }
}
