//! IPv6 neighbour discovery (RFC 4861): solicitations, advertisements, router advertisements.

use std::net::{IpAddr, Ipv6Addr};

use super::network::{Packet, Part};
use super::sink::{Anomaly, Sink};
use super::{Act, Malformed, Reader};
use crate::census::conduct::DeedKind;
use crate::census::{Field, Prefix, Sign, Signs};

const ROUTER_ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
const PREFIX_INFORMATION: u8 = 3;
/// Options of one message that are read.
const MAX_OPTIONS: usize = 32;

pub(super) fn dissect(packet: &Packet<'_>, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let mut r = Reader::new(bytes);
    let kind = r.u8().filter(|k| matches!(*k, ROUTER_ADVERTISEMENT | SOLICITATION | ADVERTISEMENT));
    // Only what no router can have passed on proves anything (RFC 4861 7.1, RFC 6980).
    let Some(kind) = kind.filter(|_| packet.ttl == 255 && packet.part == Part::Whole) else {
        packet.sighted(Signs::default(), sink);
        return Ok(());
    };
    match message(kind, r, packet, sink) {
        Some(true) => {
            packet.sighted(Sign::NeighborDiscovery.into(), sink);
            Ok(())
        }
        Some(false) => {
            sink.anomaly(Anomaly::SenderMismatch);
            packet.sighted(Signs::default(), sink);
            Ok(())
        }
        None => {
            packet.sighted(Signs::default(), sink);
            Err(Malformed::new("nd", "truncated message"))
        }
    }
}

/// Reads one message behind its type; returns whether it names its own frame's source. `None` if it is truncated.
fn message(kind: u8, mut r: Reader<'_>, packet: &Packet<'_>, sink: &mut impl Sink) -> Option<bool> {
    r.take(3)?; // code and checksum
    let lifetime = if kind == ROUTER_ADVERTISEMENT {
        r.take(2)?;
        let lifetime = r.u16()?;
        r.take(8)?;
        lifetime
    } else {
        r.take(20)?;
        0
    };
    let own = if kind == ADVERTISEMENT { TARGET_LINK_ADDRESS } else { SOURCE_LINK_ADDRESS };
    let mut genuine = true;
    let mut prefixes = Vec::new();
    for _ in 0..MAX_OPTIONS {
        if r.is_empty() {
            break;
        }
        let (option, units) = (r.u8()?, usize::from(r.u8()?));
        let body = r.take((units * 8).checked_sub(2)?)?;
        match option {
            SOURCE_LINK_ADDRESS | TARGET_LINK_ADDRESS if option == own => {
                genuine &= body.get(..6) == Some(&packet.link.source.0);
            }
            PREFIX_INFORMATION if kind == ROUTER_ADVERTISEMENT => prefixes.extend(on_link_prefix(body)),
            _ => {}
        }
    }
    if kind == ROUTER_ADVERTISEMENT && genuine {
        for prefix in prefixes {
            sink.prefix(prefix, packet.link.source);
        }
        if lifetime > 0 {
            let act = Act { kind: DeedKind::Advertises, peer: None, port: 0, label: "", thing: None };
            sink.did(packet.link.source, packet.source, &act);
            sink.station_said(packet.link.source, Field::RaSender, "router");
        }
    }
    Some(genuine)
}

/// The prefix of a prefix information option (RFC 4861 4.6.2) whose on-link flag is set and which is valid.
fn on_link_prefix(body: &[u8]) -> Option<Prefix> {
    let mut r = Reader::new(body);
    let (length, flags, valid) = (r.u8()?, r.u8()?, r.u32()?);
    r.take(8)?;
    let address = Ipv6Addr::from(r.array::<16>()?);
    (flags & 0x80 != 0 && valid > 0 && length > 0 && !address.is_unicast_link_local())
        .then(|| Prefix::of(IpAddr::V6(address), length))
        .flatten()
}
