//! Which dissector a transport payload belongs to. On the path of every packet: an uninteresting one costs a
//! comparison of ports or of its first bytes, and no memory.

use super::head::Head;
use super::industry::{self, Side};
use super::{bacnet, dhcp6, enip, http, llmnr, mdns, nbns, rtsp, sip, snmp, ssdp, ssh, wsd};
use super::{bgp, capwap, lwapp, mndp, ubnt, unifi};
use super::{browser, dcerpc, h323, kerberos, ldap, maker, mssql, rdp, rtp, sccp, smb};
use super::{coap, dns, ftp, ipp, mqtt, ntp, pjl, quic, smtp, telnet, tls, upnp};
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
        (ENIP, _) => enip::dissect(payload, Side::Server, words),
        (_, ENIP) => enip::dissect(payload, Side::Client, words),
        (47808, _) | (_, 47808) => bacnet::dissect(payload, words),
        (_, 138) => browser::dissect(payload, words),
        (kerberos::KDC, _) | (_, kerberos::KDC) => kerberos::dissect(payload, source_port, words),
        (389, _) => ldap::dissect(payload, source_port, words),
        (mssql::BROWSER, _) => mssql::dissect(payload, words),
        (_, h323::GATEKEEPER) => h323::dissect_registration(payload, words),
        // Yeelight's answers begin as those of SSDP.
        (1982, _) => maker::datagram(payload, source_port, destination_port, words),
        (_, 53) => dns::dissect(payload, words),
        (ntp::PORT, _) | (_, ntp::PORT) => ntp::dissect(payload, source_port, words),
        (coap::PORT, _) | (_, coap::PORT) => coap::dissect(payload, source_port, words),
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
        _ if payload.starts_with(b"SIP/2.0 ") || payload.starts_with(b"REGISTER sip") => {
            sip::dissect(payload, words)
        }
        _ if quic::is_initial(payload) => quic::dissect(payload, words),
        _ if rtp::may_be(payload) => rtp::dissect(payload, source_port, destination_port, words),
        _ => {
            industry::datagram(payload, source_port, destination_port, words)?;
            maker::datagram(payload, source_port, destination_port, words)
        }
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
        // Network gear.
        b"TNBU" if destination_port == unifi::INFORM => unifi::dissect(payload, words),
        b"\xff\xff\xff\xff" if source_port == bgp::PORT || destination_port == bgp::PORT => {
            bgp::dissect(payload, words)
        }
        // A bind of DCE/RPC, whose ports are dynamic.
        [5, 0 | 1, 0x0b..=0x10, _] => dcerpc::dissect(payload, words),
        // A handshake record of any version; only the server of TLS has the lower port or says hello in the same segment.
        [0x16, 3, 0..=4, _] => tls::dissect(payload, source_port < destination_port, words),
        // The body of an answer whose head was in the segment before.
        b"<?xm" | b"<roo" => upnp::dissect(payload, words),
        _ if mqtt::is_connect(*start) => mqtt::dissect(payload, words),
        _ if source_port == ENIP => enip::dissect(payload, Side::Server, words),
        _ if destination_port == ENIP => enip::dissect(payload, Side::Client, words),
        _ => stream_of_port(payload, source_port, destination_port, words),
    }
}

/// The protocols that only their port tells, as their first bytes are lengths.
fn stream_of_port(
    payload: &[u8],
    source_port: u16,
    destination_port: u16,
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    let either = |is: fn(u16) -> bool| is(source_port) || is(destination_port);
    match (source_port, destination_port) {
        _ if either(smb::is_port) => smb::dissect(payload, source_port, words),
        (kerberos::KDC, _) | (_, kerberos::KDC) => kerberos::dissect_segment(payload, source_port, words),
        _ if either(ldap::is_port) => ldap::dissect(payload, source_port, words),
        (rdp::SERVER, _) | (_, rdp::SERVER) => rdp::dissect(payload, source_port, words),
        (mssql::SERVER, _) => mssql::dissect_segment(payload, words),
        (h323::SIGNALLING, _) | (_, h323::SIGNALLING) => h323::dissect(payload, words),
        (_, sccp::MANAGER) => sccp::dissect(payload, words),
        (_, 53) => dns::dissect_stream(payload, words),
        (_, mqtt::PORT) => mqtt::dissect(payload, words),
        (ipp::PORT, _) => ipp::dissect(payload, words),
        (pjl::PORT..=pjl::LAST_PORT, _) => pjl::dissect(payload, words),
        (ftp::PORT, _) => ftp::dissect(payload, words),
        (25 | 587, _) => smtp::dissect(payload, words),
        (telnet::PORT, _) => telnet::dissect(payload, words),
        _ => {
            industry::stream(payload, source_port, destination_port, words)?;
            maker::stream(payload, source_port, words)
        }
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
