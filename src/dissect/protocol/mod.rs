//! The protocols in which devices speak of themselves, one file each, and their [registry](super::registry): a new
//! protocol is a file, a line in its folder's block, and a row.
//!
//! | folder | holds |
//! |---|---|
//! | `discovery` | how hosts get addresses, find names and services, and are managed |
//! | `gear` | what switches, routers and access points say to each other |
//! | `windows` | the programs of Windows networks |
//! | `web` | HTTP, TLS and QUIC |
//! | `host` | how a host's network stack and its services show themselves |
//! | `media` | telephony, cameras, streams |
//! | `industry` | industry, buildings, energy |
//! | `medical` | medicine |
//! | `maker` | discovery of one maker's devices and programs |
//! | `form` | not protocols: forms that several protocols share |

use super::network::Packet;
use super::registry::{Gates, Key, Layer, Protocol, Route, Way};
use super::{Malformed, Payload, Side};
use crate::census::Family;

pub(super) mod discovery {
    pub(crate) mod coap;
    pub(crate) mod dhcp4;
    pub(crate) mod dhcp6;
    pub(crate) mod dns;
    pub(crate) mod llmnr;
    pub(crate) mod mdns;
    pub(crate) mod snmp;
    pub(crate) mod ssdp;
    pub(crate) mod upnp;
    pub(crate) mod wsd;
}

pub(crate) mod form {
    pub(crate) mod ber;
    pub(crate) mod head;
    pub(crate) mod hello;
    pub(crate) mod identity;
    pub(crate) mod ntlm;
    pub(crate) mod records;
    pub(crate) mod url;
}

pub(super) mod gear {
    pub(crate) mod babel;
    pub(crate) mod bgp;
    pub(crate) mod capwap;
    pub(crate) mod cdp;
    pub(crate) mod cisco;
    pub(crate) mod eapol;
    pub(crate) mod edp;
    pub(crate) mod eigrp;
    pub(crate) mod fdp;
    pub(crate) mod glbp;
    pub(crate) mod hsrp;
    pub(crate) mod igmp;
    pub(crate) mod isis;
    pub(crate) mod keepalive;
    pub(crate) mod lacp;
    pub(crate) mod ldp;
    pub(crate) mod lldp;
    pub(crate) mod lwapp;
    pub(crate) mod mndp;
    pub(crate) mod operation;
    pub(crate) mod ospf;
    pub(crate) mod pim;
    pub(crate) mod rip;
    pub(crate) mod stp;
    pub(crate) mod ubnt;
    pub(crate) mod unifi;
    pub(crate) mod vrrp;
}

pub(super) mod host {
    pub(crate) mod ftp;
    pub(crate) mod ipp;
    pub(crate) mod mqtt;
    pub(crate) mod ntp;
    pub(crate) mod pjl;
    pub(crate) mod smtp;
    pub(crate) mod ssh;
    pub(crate) mod tcp;
    pub(crate) mod telnet;
}

mod industry {
    pub(crate) mod ads;
    pub(crate) mod bacnet;
    pub(crate) mod c37118;
    pub(crate) mod cip_io;
    pub(crate) mod codesys;
    pub(crate) mod dnp3;
    pub(crate) mod enip;
    pub(crate) mod ethercat;
    pub(crate) mod fins;
    pub(crate) mod fox;
    pub(crate) mod goose;
    pub(crate) mod hartip;
    pub(crate) mod hislip;
    pub(crate) mod iec104;
    pub(crate) mod knx;
    pub(crate) mod lon;
    pub(crate) mod melsec;
    pub(crate) mod mms;
    pub(crate) mod modbus;
    pub(crate) mod opcua;
    pub(crate) mod powerlink;
    pub(crate) mod profinet;
    pub(crate) mod profinet_cm;
    pub(crate) mod s7;
    pub(crate) mod sercos;
    pub(crate) mod tpkt;
}

mod maker {
    pub(crate) mod bjnp;
    pub(crate) mod crestron;
    pub(crate) mod dahua;
    pub(crate) mod dropbox;
    pub(crate) mod epson;
    pub(crate) mod govee;
    pub(crate) mod hiflying;
    pub(crate) mod kasa;
    pub(crate) mod kdeconnect;
    pub(crate) mod lifx;
    pub(crate) mod localsend;
    pub(crate) mod miio;
    pub(crate) mod moxa;
    pub(crate) mod mscdp;
    pub(crate) mod nsdp;
    pub(crate) mod sadp;
    pub(crate) mod spotify;
    pub(crate) mod steam;
    pub(crate) mod syncthing;
    pub(crate) mod synology;
    pub(crate) mod tuya;
    pub(crate) mod wiz;
    pub(crate) mod yeelight;
}

mod media {
    pub(crate) mod h323;
    pub(crate) mod rtp;
    pub(crate) mod rtsp;
    pub(crate) mod sccp;
    pub(crate) mod sip;
}

mod medical {
    pub(crate) mod dicom;
    pub(crate) mod hl7;
}

mod web {
    pub(crate) mod http;
    pub(crate) mod quic;
    pub(crate) mod text;
    pub(crate) mod tls;
}

mod windows {
    pub(crate) mod browser;
    pub(crate) mod dcerpc;
    pub(crate) mod kerberos;
    pub(crate) mod ldap;
    pub(crate) mod mssql;
    pub(crate) mod nbns;
    pub(crate) mod rdp;
    pub(crate) mod smb;
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(super) mod testing;

protocols! {
    // Names, services, management.
    discovery::mdns [Mdns] { udp from(5353) => dissect; }
    discovery::llmnr [Netbios] { udp from(5355) => dissect; }
    windows::nbns [Netbios] { udp either(137) => dissect; }
    discovery::snmp [Snmp] {
        udp from(161) => dissect;
        udp to(162) => dissect;
    }
    discovery::dhcp4 [Dhcp] { inner => dissect; }
    discovery::dhcp6 [Dhcp Other] {
        udp to(547) => dissect;
        udp from(547) => dissect_answer;
    }
    discovery::ssdp [Ssdp] {
        udp either(1900) => dissect;
        udp found(is_answer) => dissect;
    }
    discovery::wsd [Wsd] { udp either(3702) => dissect; }

    // Messages of text. A segment's start line tells which.
    media::sip [Voice] {
        udp either(5060 | 5061) speaks(media::sip::may_speak) => dissect;
        udp found(is_message) => dissect;
    }
    media::rtsp [Stream] { inner => dissect; }
    web::http [Http Lookup Smb Ssdp] { inner => dissect; }
    web::text [Http Lookup Smb Ssdp Voice Stream Neighbour] {
        tcp start(
            b"GET " | b"POST" | b"HEAD" | b"PUT " | b"OPTI" | b"DELE" | b"PATC" | b"CONN" | b"PROP" | b"SUBS"
                | b"NOTI" | b"REPO" | b"HTTP" | b"SIP/" | b"RTSP" | b"REGI" | b"INVI" | b"ACK " | b"BYE "
                | b"CANC" | b"MESS" | b"INFO" | b"PUBL" | b"REFE" | b"UPDA" | b"PRAC"
        ) => dissect;
    }

    // Windows networks, and what came before them in precedence.
    industry::enip [Industrial] {
        udp either(44818) => dissect;
        tcp either(44818) => dissect;
    }
    industry::bacnet [Industrial] { udp either(47808) => dissect; }
    windows::browser [Netbios] { udp to(138) => dissect; }
    windows::smb [Smb] { tcp either(139 | 445) speaks(windows::smb::may_speak) => dissect; }
    windows::kerberos [Smb] {
        udp either(88) => dissect;
        tcp either(88) speaks(windows::kerberos::may_segment_speak) => dissect_segment;
    }
    windows::ldap [Smb] {
        udp from(389) => dissect;
        tcp either(389 | 3268) speaks(windows::ldap::may_speak) => dissect;
    }
    windows::rdp [Smb] { tcp either(3389) speaks(industry::tpkt::may_speak) => dissect; }
    windows::mssql [Smb] {
        udp from(1434) => dissect;
        tcp from(1433) speaks(windows::mssql::may_segment_speak) => dissect_segment;
    }
    // A bind, on any port.
    windows::dcerpc [Smb] { tcp start([5, 0 | 1, 0x0b..=0x10, _]) => dissect; }

    media::h323 [Voice] {
        udp to(1719) => dissect_registration;
        tcp either(1720) speaks(industry::tpkt::may_speak) => dissect;
    }
    // Its answers begin as those of SSDP.
    maker::yeelight [Things] { udp from(1982) => dissect; }
    media::sccp [Things] { tcp to(2000) => dissect; }
    discovery::dns [Lookup Other] {
        udp to(53) speaks(discovery::dns::may_speak) => dissect;
        udp from(53) speaks(discovery::dns::may_answer) => dissect_answer;
        tcp to(53) => dissect_stream;
    }
    host::ntp [Other] { udp either(123) => dissect; }
    discovery::coap [Things] { udp either(5683) => dissect; }
    gear::mndp [Neighbour] { udp to(5678) => dissect; }
    gear::ubnt [Neighbour] { udp either(10001) => dissect; }
    gear::capwap [Neighbour] { udp either(5246) => dissect; }
    gear::operation [Other Routing] {
        udp to(2055 | 9995 | 9996 | 4739 | 6343) => dissect_flow;
        udp either(1812 | 1813 | 1645 | 1646) => dissect_radius;
        udp to(3784 | 4784) => dissect_bfd;
        udp to(514) => dissect_log;
        udp from(5351) => dissect_mapping;
        udp to(8116) => dissect_cluster;
        udp either(8211) => dissect_papi;
        udp either(4342) => dissect_lisp;
        udp either(496) => dissect_meeting_point;
        udp either(2123) => dissect_mobile;
        tcp either(49) => dissect_tacacs;
        tcp either(646) => dissect_session;
        tcp either(6633 | 6653) => dissect_openflow;
    }
    gear::lwapp [Neighbour] { udp either(12223) => dissect; }
    host::mqtt [Things] {
        // A CONNECT with a remaining length of one byte, on any port.
        tcp start([0x10, 0..0x80, 0, 4 | 6]) => dissect;
        tcp to(1883) => dissect;
    }
    host::ipp [Http] { tcp from(631) => dissect; }
    host::pjl [Banner] { tcp from(9100 | 9101 | 9102) => dissect; }
    host::ftp [Banner] { tcp from(21) => dissect; }
    host::smtp [Banner] { tcp from(25 | 587) => dissect; }
    host::telnet [Banner] { tcp from(23) => dissect; }

    // What begins unmistakably, on any port.
    web::quic [Tls Lookup] { udp found(is_initial) => dissect; }
    media::rtp [Voice] { udp found(may_be) => dissect; }
    host::ssh [Ssh] { tcp start(b"SSH-") when(is_server) => dissect; }
    gear::unifi [Neighbour] { tcp start(b"TNBU") to(8080) => dissect; }
    gear::bgp [Routing] { tcp start(b"\xff\xff\xff\xff") either(179) => dissect; }
    // A handshake record of any version.
    web::tls [Tls Lookup] { tcp start([0x16, 3, 0..=4, _]) => dissect; }
    // The body of an answer whose head was in the segment before.
    discovery::upnp [Ssdp] { tcp start(b"<?xm" | b"<roo") => dissect; }
    host::tcp [Stack] { inner => dissect; }

    // Network gear below TCP and UDP, and to groups.
    gear::lldp [Neighbour] { link ethertype(0x88cc) => dissect; }
    gear::lacp [Bridge] { link ethertype(0x8809) => dissect; }
    gear::eapol [Other] { link ethertype(0x888e) => dissect; }
    gear::stp [Bridge] {
        link llc(0x42) => dissect;
        // Cisco's per-VLAN spanning tree.
        link snap(0x00_000c, 0x010b) => dissect;
    }
    gear::isis [Routing] { link llc(0xfe) => dissect; }
    gear::cdp [Neighbour] { link snap(0x00_000c, 0x2000) => dissect; }
    gear::cisco [Routing] {
        link snap(0x00_000c, 0x2003) => dissect_vtp;
        link snap(0x00_000c, 0x2004) => dissect_dtp;
        link snap(0x00_000c, 0x0111) => dissect_udld;
        link snap(0x00_000c, 0x0104) => dissect_pagp;
    }
    gear::keepalive [Other] {
        link ethertype(0x9000) => dissect;
        link ethertype(0x6002) => dissect_console;
        link ethertype(0x8863) => dissect_sessions;
        link snap(0x00_0081, 0x01a1) => dissect_topology;
        link snap(0x00_0081, 0x01a2) => dissect_topology;
    }
    gear::edp [Neighbour] { link snap(0x00_e02b, 0x00bb) => dissect; }
    gear::fdp [Neighbour] { link snap(0x00_e052, 0x2000) => dissect; }
    gear::igmp [Routing] {
        // A switch that only snoops asks from 0.0.0.0 (RFC 4541 section 2.1.1).
        ip protocol(2) when(has_sender) => dissect;
        inner => dissect_mld;
    }
    gear::eigrp [Routing] { ip protocol(88) => dissect; }
    gear::ospf [Routing] { ip protocol(89) => dissect; }
    gear::pim [Routing] { ip protocol(103) => dissect; }
    gear::vrrp [Routing] {
        // RFC 9568 section 7.1: drop what a router may have forwarded.
        ip protocol(112) when(is_unforwarded_v4) => dissect;
        ip protocol(112) when(is_unforwarded_v6) => dissect_over_ipv6;
    }
    gear::rip [Routing] {
        group to(520) when(is_v4) => dissect;
        group to(521) when(is_v6) => dissect_ng;
    }
    gear::ldp [Routing] { group to(646) when(is_v4) => dissect; }
    gear::hsrp [Routing] {
        group to(1985) => dissect;
        group to(2029) when(is_v6) => dissect;
    }
    gear::glbp [Routing] { group to(3222) => dissect; }
    gear::babel [Routing] { group to(6696) => dissect; }

    // Industry, buildings, energy. The port tells the protocol and the side.
    industry::ads [Industrial] {
        industry_udp either(48899) => discovery;
        industry_tcp either(48898) => dissect;
    }
    industry::c37118 [Industrial] {
        industry_udp either(4712 | 4713) => dissect;
        industry_tcp either(4712 | 4713) => dissect;
    }
    industry::cip_io [Industrial] { industry_udp either(2222) => dissect; }
    industry::codesys [Industrial] {
        industry_udp either(1740 | 1741 | 1742 | 1743) => datagram;
        industry_tcp either(11740) => stream;
    }
    industry::dnp3 [Industrial] {
        industry_udp either(20000) => dissect;
        industry_tcp start([5, 0x64, _, _]) => dissect;
    }
    industry::ethercat [Industrial] {
        link ethertype(0x88a4) => dissect;
        industry_udp either(34980) => datagram;
    }
    industry::fins [Industrial] {
        industry_udp either(9600) => datagram;
        industry_tcp either(9600) => stream;
    }
    industry::fox [Industrial] { industry_tcp either(1911 | 4911) => dissect; }
    industry::goose [Industrial] {
        link ethertype(0x88b8) => dissect;
        link ethertype(0x88ba) => dissect_values;
    }
    industry::hartip [Industrial] {
        industry_udp either(5094) => dissect;
        industry_tcp either(5094) => dissect;
    }
    industry::hislip [Industrial] { industry_tcp either(4880) => dissect; }
    industry::iec104 [Industrial] { industry_tcp either(2404) speaks(industry::iec104::may_speak) => dissect; }
    industry::knx [Industrial] {
        industry_udp either(3671) => dissect;
        industry_tcp either(3671) => dissect;
    }
    industry::lon [Industrial] { industry_udp either(1628 | 1629) => dissect; }
    industry::melsec [Industrial] {
        industry_udp either(5006 | 5007) => dissect;
        industry_tcp either(5006 | 5007) => dissect;
    }
    industry::modbus [Industrial] { industry_tcp either(502) speaks(industry::modbus::may_speak) => dissect; }
    industry::opcua [Industrial] {
        industry_tcp either(4840) => dissect;
        industry_tcp start(
            [b'H', b'E', b'L' | b'M', _] | [b'A', b'C', b'K', b'F'] | [b'R', b'H', b'E', b'F']
                | [b'M', b'S', b'G', b'F' | b'C']
        ) => dissect_anywhere;
    }
    industry::powerlink [Industrial] { link ethertype(0x88ab) => dissect; }
    industry::profinet [Industrial] { link ethertype(0x8892) => dissect; }
    industry::profinet_cm [Industrial] { industry_udp either(34964) => dissect; }
    industry::sercos [Industrial] { link ethertype(0x88cd) => dissect; }
    // ISO transport; what it carries shows inside.
    industry::tpkt [Industrial] { industry_tcp either(102) speaks(industry::tpkt::may_speak) => dissect; }
    industry::s7 [Industrial] {
        inner => dissect;
        inner => dissect_plus;
    }
    industry::mms [Industrial] { inner => dissect; }
    medical::dicom [Medical] { industry_tcp start([1 | 2, 0, _, _]) => dissect; }
    medical::hl7 [Medical] { industry_tcp start(b"\x0bMSH") => dissect; }

    // One maker's devices and programs. From the port: only the device, or who answers, has it.
    maker::epson [Things] { maker_udp from(3289) => dissect; }
    maker::moxa [Things] { maker_udp from(4800) => dissect; }
    maker::mscdp [Things] { maker_udp from(5050) => dissect; }
    maker::bjnp [Things] { maker_udp from(8611 | 8612) => dissect; }
    maker::sadp [Things] { maker_udp either(37020) => dissect; }
    maker::dahua [Things] { maker_udp either(37810) => dissect; }
    maker::wiz [Things] {
        maker_udp from(38899) => dissect;
        maker_udp to(38900) => dissect;
    }
    maker::nsdp [Things] { maker_udp from(63322 | 63324) => dissect; }
    maker::crestron [Things] { maker_udp from(41794) => dissect; }
    maker::hiflying [Things] { maker_udp from(48899) => dissect; }
    maker::miio [Things] { maker_udp from(54321) => dissect; }
    maker::lifx [Things] { maker_udp from(56700) => dissect; }
    maker::kasa [Things] {
        maker_udp from(20002) => dissect_second;
        maker_udp from(9999) when(is_own) => dissect;
        maker_tcp from(9999) => dissect_segment;
    }
    // To the port: announcements, from any port.
    maker::kdeconnect [Things] { maker_udp to(1716) => dissect; }
    maker::govee [Things] { maker_udp to(4002) => dissect; }
    maker::tuya [Things] {
        maker_udp to(6666 | 6667 | 7000) => dissect;
        maker_tcp from(6668) => dissect_segment;
    }
    maker::synology [Things] {
        maker_udp to(9997 | 9998 | 9999) => dissect;
        maker_udp otherwise(9997 | 9998 | 9999) => dissect;
    }
    maker::dropbox [Things] { maker_udp to(17500) => dissect; }
    maker::syncthing [Things] { maker_udp to(21027) => dissect; }
    maker::steam [Things] { maker_udp to(27036) => dissect; }
    maker::localsend [Things] { maker_udp to(53317) => dissect; }
    maker::spotify [Things] { maker_udp to(57621) => dissect; }
}
