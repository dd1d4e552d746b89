//! ARP (RFC 826) and address conflict detection (RFC 5227).

use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket};
use pnet::packet::ethernet::EtherTypes;

use super::link::Link;
use super::network;
use super::sink::{Anomaly, Sink};
use super::{Malformed, Reader, act};
use crate::census::{MacAddr, Sign};

pub(super) fn dissect(link: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let arp = ArpPacket::new(bytes).ok_or(Malformed::new("arp", "short packet"))?;
    if arp.get_hardware_type() != ArpHardwareTypes::Ethernet
        || arp.get_protocol_type() != EtherTypes::Ipv4
        || (arp.get_hw_addr_len(), arp.get_proto_addr_len()) != (6, 4)
    {
        return Err(Malformed::new("arp", "not Ethernet and IPv4"));
    }
    let answer = match arp.get_operation() {
        ArpOperations::Request => false,
        ArpOperations::Reply => true,
        _ => return Ok(()),
    };
    let (sender, target) = (arp.get_sender_proto_addr(), arp.get_target_proto_addr());
    if sender.is_unspecified() {
        return Ok(()); // a probe (I3)
    }
    let mut fields = Reader::new(bytes);
    let named = fields.take(8).and_then(|_| fields.array::<6>()).map(MacAddr);
    if named != Some(link.source) {
        sink.anomaly(Anomaly::SenderMismatch);
        return Ok(());
    }
    // Who asks for or answers itself claims the address without using it (RFC 5227 section 3).
    let sign = match answer {
        _ if sender == target => Sign::ArpAnnounced,
        true => Sign::ArpAnswered,
        false => Sign::ArpAsked,
    };
    network::coupling(link, sender.into(), sign.into(), sink);
    sink.exchange(sender, target, answer);
    if !answer {
        act::asked_by_arp(link, sender, target, sink);
    }
    Ok(())
}
