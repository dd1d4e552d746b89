//! What a DHCP message (RFC 2131) proves: leases, masks, routers.

use super::Malformed;
use super::Words;
use super::network::{self, Packet};
use super::protocol::discovery::dhcp4::{self, Message};
use super::sink::{Anomaly, Sink};
use super::{Act, ActThing};
use crate::census::address::is_never_sender;
use crate::census::conduct::DeedKind;
use crate::census::{Field, MacAddr, Prefix, Sign};

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const OFFER: u8 = 2;
/// DHCPREQUEST.
const ASKS: u8 = 3;
const ACK: u8 = 5;
/// The place of the client's hardware address in a message.
const CHADDR: std::ops::Range<usize> = 28..34;

pub(super) fn dissect(packet: &Packet<'_>, payload: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let source = packet.link.source;
    // What a relay passes on was said elsewhere: only a client's own frame speaks for it.
    let own = payload.first() == Some(&REQUEST)
        && payload.get(CHADDR).and_then(MacAddr::from_slice) == Some(source);
    let (mut program, mut name) = (String::new(), String::new());
    let mut hear = |field: Field, value: &str| {
        if own {
            sink.station_said(source, field, value);
            match field {
                Field::DhcpVendorClass => value.clone_into(&mut program),
                Field::DhcpHostname => value.clone_into(&mut name),
                _ => {}
            }
        }
    };
    let mut words = Words::new(&mut hear);
    let read = dhcp4::read(payload, &mut words);
    if words.budget().is_spent() {
        sink.anomaly(Anomaly::OverBudget);
    }
    let (message, broken) = read?;
    if own && message.kind == Some(ASKS) {
        asked(source, &program, &name, sink);
    }
    // A relay puts its own address into what it passes on, in either direction.
    let relays = packet.source == message.relay && !is_never_sender(packet.source);
    if relays {
        sink.coupling_said(source, packet.source, Field::NetworkTask, "dhcp_relay");
    }
    if message.op == REPLY {
        if !relays && matches!(message.kind, Some(OFFER | ACK)) && !is_never_sender(packet.source) {
            sink.coupling_said(source, packet.source, Field::DhcpServer, "server");
            offered(packet, &message, sink);
        }
        if message.kind == Some(ACK) {
            acknowledged(packet, &message, sink);
            for resolver in &message.resolvers {
                let act = Act::new(DeedKind::NamesResolver, "").to((*resolver).into());
                sink.did(packet.link.source, packet.source, &act);
            }
        }
    }
    broken.map_or(Ok(()), Err)
}

/// A client asked for a lease. It has no address yet, so its card is the doer. The program that it says to be is told without
/// its version, which changes.
fn asked(card: MacAddr, program: &str, name: &str, sink: &mut impl Sink) {
    let kind: String = program
        .chars()
        .take(64)
        .take_while(|c| !c.is_ascii_digit() && !matches!(c, ' ' | ':' | '/'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if kind.is_empty() {
        return;
    }
    let name: String = name.chars().take(63).filter(|c| c.is_ascii_graphic()).collect();
    let label = format!("{kind}\t{}", name.to_ascii_lowercase());
    sink.did(card, std::net::Ipv4Addr::UNSPECIFIED.into(), &Act::new(DeedKind::Leases, &label));
}

/// A server offered a lease on its own link: a client that several servers offer different routers is in danger.
fn offered(packet: &Packet<'_>, message: &Message, sink: &mut impl Sink) {
    // A relay may carry several networks, and a server that only boots clients gives no address.
    let is_direct = message.relay.is_unspecified() && !message.your.is_unspecified();
    let (Some(client), Some(router), true) = (message.client, message.routers.first(), is_direct) else {
        return;
    };
    let client = client.to_string();
    let act = Act { kind: DeedKind::Offers, peer: Some((*router).into()), port: 0, label: "", thing: None };
    sink.did(packet.link.source, packet.source, &Act { thing: Some(ActThing::Text(&client)), ..act });
}

/// An ACK on the client's own link proves the lease and teaches its mask and routers (I4, I5, I6). Whether with a
/// relay address or without: it is on the client's link when the frame goes to the client, or to everybody.
fn acknowledged(packet: &Packet<'_>, message: &Message, sink: &mut impl Sink) {
    let Some(client) = message.client.filter(|c| c.is_station()) else { return };
    let destination = packet.link.destination;
    if (destination != client && !destination.is_group()) || is_never_sender(message.your.into()) {
        return;
    }
    let leased = super::link::Link { source: client, ..*packet.link };
    network::coupling(&leased, message.your.into(), Sign::DhcpAck.into(), sink);
    if let Some(prefix) = message.mask.and_then(|mask| Prefix::of_mask(message.your, mask)) {
        sink.prefix(prefix, packet.link.source);
    }
    for router in &message.routers {
        if !is_never_sender((*router).into()) {
            sink.router((*router).into(), packet.link.source);
        }
    }
}
