//! What no dissector reads and no operator misses: frames that carry no IP packet of a host. Everything else that has no
//! row in the registry is counted as not understood (I13).

use super::protocol::PROTOCOLS;
use super::registry::Key;

/// Ethernet types that only control the link, or that carry data without IP addresses.
const ETHER_TYPES: &[(u16, &str)] = &[
    (0x0842, "Wake-on-LAN"),
    (0x22ea, "stream reservation (802.1Q MSRP)"),
    (0x22f0, "audio and video streams (IEEE 1722)"),
    (0x22f4, "IS-IS of layer 2"),
    (0x6001, "DEC maintenance: load"),
    (0x8035, "reverse ARP"),
    (0x8808, "pause and priority flow control (802.3 MAC control)"),
    (0x886c, "HomePNA"),
    (0x887b, "HomePlug"),
    (0x8899, "Realtek loop detection"),
    (0x88a2, "ATA over Ethernet"),
    (0x88c7, "pre-authentication (802.11i)"),
    (0x88e1, "HomePlug AV"),
    (0x88e3, "media redundancy (IEC 62439-2)"),
    (0x88f5, "VLAN registration (802.1Q MVRP)"),
    (0x88f6, "multicast registration (802.1Q MMRP)"),
    (0x88f7, "precision time (IEEE 1588)"),
    (0x88f8, "management controllers (NC-SI)"),
    (0x88fb, "supervision of HSR and PRP (IEC 62439-3)"),
    (0x8902, "connectivity faults (802.1ag, Y.1731)"),
    (0x8906, "Fibre Channel over Ethernet"),
    (0x890d, "fast roaming (802.11)"),
    (0x8912, "HomePlug of Mediaxtream"),
    (0x8914, "initialisation of Fibre Channel over Ethernet"),
    (0x8915, "RDMA over Converged Ethernet, version 1"),
    (0x8929, "registration of multiple VLANs (802.1Q MIRP)"),
    (0x893a, "home networks (IEEE 1905.1)"),
    (0x8940, "edge control (802.1Q ECP)"),
];

/// SNAP organisations whose other protocols are control messages of their switches: Cisco, Extreme, Foundry.
const SNAP_ORGANISATIONS: &[u32] = &[0x00_000c, 0x00_e02b, 0x00_e052];

/// IP protocols that speak of routes and groups, or that carry what a host encrypts or sends to another program: ICMP,
/// IGMP, RSVP, ESP, AH, ICMPv6, no next header, EIGRP, OSPF, PIM, IPComp, VRRP, SCTP, UDP-Lite, HIP, Shim6.
const IP_PROTOCOLS: &[u8] = &[1, 2, 46, 50, 51, 58, 59, 88, 89, 103, 108, 112, 132, 136, 139, 140];

/// UDP ports to which one host may send most of a link's bytes although they are not a mirror: files (NFS), virtual
/// private networks (OpenVPN, IPsec, WireGuard), flow records (NetFlow, IPFIX, sFlow).
const PORTS: &[u16] = &[1194, 2049, 2055, 4500, 4739, 6343, 9995, 9996, 51820];

/// Whether frames of that type hide no host.
pub(super) fn is_quiet_type(ethertype: u16) -> bool {
    ETHER_TYPES.binary_search_by_key(&ethertype, |row| row.0).is_ok()
}

/// Whether SNAP frames of that organisation hide no host.
pub(super) fn is_quiet_snap(organisation: u32) -> bool {
    SNAP_ORGANISATIONS.contains(&organisation)
}

/// Whether datagrams to that port cannot be a mirror.
pub(super) fn is_quiet_port(port: u16) -> bool {
    PORTS.contains(&port)
}

/// Whether packets of that protocol hide no host.
pub(super) fn is_quiet_protocol(number: u8) -> bool {
    IP_PROTOCOLS.contains(&number)
}

/// Whether an LLC control field is of a frame that only keeps or tests a connection (IEEE 802.2 5.4): supervisory, or
/// unnumbered without information.
pub(super) const fn is_quiet_llc(control: u8) -> bool {
    const INFORMATION: u8 = 0x03;
    control & 0x03 == 0x01 || control & 0x03 == 0x03 && control & 0xef != INFORMATION
}

/// Whether a frame of that type may come out of a tunnel: something reads it, or it is quiet. Not for the path of bulk
/// data.
pub(super) fn is_known_type(ethertype: u16) -> bool {
    let mut keys = PROTOCOLS.iter().flat_map(|p| p.ways).flat_map(|way| way.keys);
    is_quiet_type(ethertype) || keys.any(|key| *key == Key::EtherType(ethertype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_types_are_sorted_and_none_of_them_is_read() {
        assert!(ETHER_TYPES.is_sorted_by(|a, b| a.0 < b.0));
        let read = |n| PROTOCOLS.iter().flat_map(|p| p.ways).any(|w| w.keys.contains(&Key::EtherType(n)));
        assert_eq!(ETHER_TYPES.iter().find(|row| read(row.0)), None);
        assert!(is_known_type(0x88cc) && is_known_type(0x9000) && !is_known_type(0x8137));
    }

    #[test]
    fn only_information_can_hide_a_host_in_llc() {
        // UI with and without the final bit, and numbered information.
        assert!([0x03, 0x13, 0x00, 0x02].iter().all(|c| !is_quiet_llc(*c)));
        // XID, TEST, SABME, receiver ready.
        assert!([0xaf, 0xe3, 0x6f, 0x01].iter().all(|c| is_quiet_llc(*c)));
    }
}
