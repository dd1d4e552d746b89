//! Dissection: turns the bytes of a frame into facts.
//!
//! Pure: bytes in, facts out through a [`Sink`]; no clock, I/O, logging, panic or unbounded allocation. The layers (`link`,
//! `shim`, `network`, `transport`, `tunnel`) and `arp`, `neighbor` and `lease` judge what a frame proves; `plain` does so at
//! once for most frames. `protocol` holds a file
//! for each protocol in which devices describe themselves; `registry` tells how to add one. A malformed frame is counted by
//! protocol and reason, and does not make a device.

#[macro_use]
mod registry;

mod act;
mod arp;
mod budget;
mod frame;
mod lease;
mod link;
mod neighbor;
mod network;
mod payload;
mod plain;
mod protocol;
mod quiet;
mod reader;
mod shard;
mod shim;
mod side;
mod sink;
mod transport;
mod tunnel;
mod words;

#[cfg(test)]
mod dear;
#[cfg(test)]
mod record;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wrapped;

pub use act::{Act, ActThing};
pub use budget::Budget;
pub use frame::{Frame, LinkType};
pub use link::dissect;
pub use payload::Payload;
pub(crate) use plain::card;
pub use plain::{Ends, Plain, Speech, plain};
pub use protocol::PROTOCOLS;
pub use reader::Reader;
pub use registry::{Dissect, Key, Layer, Protocol, Way};
pub use shard::{SHARDS, shard};
pub use shim::packet_of;
pub use side::Side;
pub use sink::{Anomaly, Fragment, FragmentKey, Sink, Tags};
pub use transport::{datagram, stream};
pub use words::Words;

/// Why a part of a frame was not understood. Counted, never fatal.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[error("{protocol}: {reason}")]
pub struct Malformed {
    /// Short name of the protocol, such as `lldp`.
    pub protocol: &'static str,
    /// What is wrong, such as `truncated TLV`.
    pub reason: &'static str,
}

impl Malformed {
    /// A malformed part of `protocol`, which `reason` describes.
    pub const fn new(protocol: &'static str, reason: &'static str) -> Self {
        Self { protocol, reason }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::net::IpAddr;

    use super::words::Sender;
    use super::{Malformed, Words};
    use crate::census::{Field, MacAddr};

    /// Runs a dissector and returns what it said as `field=value`, and how it ended.
    pub(crate) fn said(
        dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>,
    ) -> (Vec<String>, Result<(), Malformed>) {
        let (out, _, result) = announced(dissect);
        (out, result)
    }

    /// As [`said`], with the addresses that it gave.
    pub(crate) fn announced(
        dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>,
    ) -> (Vec<String>, Vec<String>, Result<(), Malformed>) {
        let (mut out, mut addresses) = (Vec::new(), Vec::new());
        let mut hear = |field: Field, value: &str| out.push(format!("{field}={value}"));
        let mut reach = |ip: IpAddr, _| addresses.push(ip.to_string());
        let result = dissect(&mut Words::new(&mut hear).with_addresses(&mut reach));
        (out, addresses, result)
    }

    /// As [`said`], in a packet from that card and address; what describes another host begins with its address.
    pub(crate) fn described(
        mac: MacAddr,
        source: &str,
        dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>,
    ) -> (Vec<String>, Result<(), Malformed>) {
        let mut out = Vec::new();
        let mut hear = |host: Option<IpAddr>, field: Field, value: &str| {
            out.push(host.map_or(String::new(), |ip| format!("{ip} ")) + &format!("{field}={value}"));
        };
        let sender = Sender { mac, ip: source.parse().unwrap() };
        let result = dissect(&mut Words::of(sender, &mut hear));
        (out, result)
    }
}
