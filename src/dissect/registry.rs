//! The registry of protocols: one row a protocol, from which dispatch, fuzz targets and hostile tests come.
//!
//! The rows stand in `protocol/mod.rs`, next to the declarations of the modules. The macro `protocols!` makes three
//! things of them:
//!
//! - the dispatch functions of each layer (`over_ethernet`, `over_llc`, `over_snap`, `over_ip`, `to_group`, `datagram`,
//!   `stream`). They compare numbers in place and call the dissector directly, without a table, a pointer or an
//!   allocation;
//! - [`PROTOCOLS`](super::PROTOCOLS), which the fuzzer (a target a protocol), the hostile tests and the tests of the
//!   registry read;
//! - the families of evidence that each protocol may speak in, which the hostile tests compare with what it says.
//!
//! # How to add a dissector
//!
//! Four files change:
//!
//! 1. **The dissector**, `protocol/FOLDER/NAME.rs`. It has the form of [`Dissect`]: it reads [`Payload`], passes what it
//!    understood to [`Words`], passes over a broken item if the item's length lets it go on, and returns the first break as
//!    [`Malformed`]. It must not judge who the sender is. For each item that a sender may repeat, it takes one from
//!    `Words::budget` and stops if there is none. If the message names a host by its addresses, the words about that host go
//!    through `Words::about`, which tells the sender's from others' (I2). Begin the module with what it reads and the section
//!    of the standard. Test it with `said` (what it says) and `survives` (truncated and altered copies); what you pass to `survives` becomes the seeds of its fuzz target.
//! 2. **Its row** in `protocol/mod.rs`: `mod NAME;` in the folder's block, and `FOLDER::NAME [Family] { way => function; }`
//!    in `protocols!`.
//! 3. **Its fields**, if it says something new: rows of `Field` in `census/evidence.rs`, each with its family. A field's
//!    place is its importance: later fields are dropped first at a bound.
//! 4. **Its rules**: `config/rules/*.toml`, with inline tests.
//!
//! `cargo nextest run dissect` then checks that the module has a row, that its ports lead to it, that no other protocol has
//! them, and that any bytes are survived. `make fuzz TARGETS=NAME` fuzzes it.
//!
//! # Ways
//!
//! A row lists the ways that lead to the protocol. `N | M` stands for alternatives; all numbers are literals.
//!
//! | way | leads to it |
//! |---|---|
//! | `link ethertype(N)` | frames of that Ethernet type |
//! | `link llc(N)` | IEEE 802.2 frames with unnumbered information between that service access point |
//! | `link snap(ORGANISATION, N)` | SNAP frames of that organisation's protocol |
//! | `ip protocol(N)` | IP packets to a group with that protocol number; the station says it, not an address |
//! | `group to(N)` | UDP datagrams to a group and that port; the station says it, not an address |
//! | `udp from(N)`, `to(N)`, `either(N)` | datagrams from the port, to it, or both |
//! | `udp found(f)` | datagrams of other ports that `f` recognises |
//! | `tcp start(P)` | segments of any port whose first four bytes match the pattern `P` |
//! | `tcp from(N)`, `to(N)`, `either(N)` | segments whose start no pattern matched |
//! | `industry_udp`, `industry_tcp` | as above, for what no way of `udp` or `tcp` took |
//! | `maker_udp`, `maker_tcp` | as above, also after a way of `industry_udp` or `industry_tcp` |
//! | `inner` | only another dissector or a layer leads to it |
//!
//! `speaks(f)` after a way of ports names a function of the protocol's module that tells from a payload's beginning whether the
//! dissector, or an act at that port, may say anything of it. It costs a frame of bulk data less than a dissector.
//!
//! `when(f)` after a way adds a condition: of the packet for `ip` and `group`, of the protocol's module for the others.
//!
//! # Precedence
//!
//! Within a layer the kinds of ways come in the order of the table; within a kind **the earlier row wins**. A packet has two
//! ports, so two rows can both fit: keep the order of the rows when you add one. Dissectors of `industry_*` and `maker_*`
//! ways must be so strict that a stranger on their port says nothing. Among them the sender's port is asked first.
//!
//! # Exceptions
//!
//! Dissectors have one signature. Three modules have a second function, as they need or give more than words; their rows
//! have an `inner` way, for tests and fuzzing:
//!
//! - `tcp` reads the headers of IP and TCP together (`transport.rs` calls `opening`);
//! - `dhcp4` returns the message, which proves a lease (`lease.rs` calls `read`);
//! - `igmp` shares ICMPv6 with neighbour discovery (`network.rs` calls `dissect_mld`).
//!
//! QUIC needs keys, but they follow from the packet itself. What only proves facts and says nothing has no row: ARP,
//! neighbour discovery, and tunnels, whose UDP ports `tunnel.rs` asks before any row.

mod gates;
#[macro_use]
mod grammar;
#[cfg(test)]
mod tests;

pub(super) use gates::Gates;
pub(crate) use gates::MaySpeak;

use super::{Malformed, Payload, Side, Words};
use crate::census::{Family, MacAddr};

/// A dissector: says what is sound in `Payload`, and returns the first break.
pub type Dissect = fn(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>;

/// A row of the registry.
#[derive(Debug)]
pub struct Protocol {
    /// The module's name, and the name of the fuzz target.
    pub name: &'static str,
    /// The families of evidence that it may speak in.
    pub families: &'static [Family],
    /// What leads to it.
    pub ways: &'static [Way],
}

/// One way to a protocol.
#[derive(Debug)]
pub struct Way {
    /// The layer that dispatches it.
    pub layer: Layer,
    /// The numbers or the pattern, each of which leads to it.
    pub keys: &'static [Key],
    /// The name of the function that it leads to.
    pub function: &'static str,
    /// That function.
    pub dissect: Dissect,
    /// Which payloads it may say something of; `None` if any.
    pub(crate) may_speak: Option<MaySpeak>,
}

/// A layer of the dispatch.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Layer {
    Link,
    Ip,
    Group,
    Udp,
    Tcp,
    IndustryUdp,
    IndustryTcp,
    MakerUdp,
    MakerTcp,
    Inner,
}

/// What leads to a protocol within a layer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Key {
    EtherType(u16),
    Llc(u8),
    Snap(u32, u16),
    Number(u8),
    From(u16),
    To(u16),
    /// The pattern of a start or the name of a recogniser.
    Pattern(&'static str),
}

impl Protocol {
    /// Runs all dissectors of the protocol on `bytes` as if they came from either side, between ports that lead to it.
    ///
    /// # Errors
    /// The first that a dissector returned.
    pub fn exercise(&self, bytes: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
        let mut ended = Ok(());
        for (dissect, payload) in self.runs(bytes) {
            words.begin_message();
            let said = dissect(&payload, words);
            ended = ended.and(said);
        }
        ended
    }

    /// What [`Self::exercise`] runs.
    pub fn runs<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (Dissect, Payload<'a>)> {
        let payload = Payload { source: MacAddr([0, 1, 2, 3, 4, 5]), ..Payload::new(bytes) };
        let between =
            self.ways.iter().flat_map(|way| way.ports().into_iter().map(|ports| (way.dissect, ports)));
        between.flat_map(move |(dissect, (source, destination))| {
            [Side::Client, Side::Server].map(|side| (dissect, payload.between(source, destination).on(side)))
        })
    }
}

impl Way {
    /// Pairs of ports that lead this way; for other ways two pairs, the second of the range that telephones use.
    fn ports(&self) -> Vec<(u16, u16)> {
        let ports = self.keys.iter().filter_map(|key| match key {
            Key::From(port) => Some((*port, 49_152)),
            Key::To(port) => Some((49_152, *port)),
            _ => None,
        });
        let ports: Vec<_> = ports.collect();
        match self.layer {
            Layer::Udp | Layer::Tcp if ports.is_empty() => vec![(49_152, 50_000), (16_384, 16_386)],
            _ if ports.is_empty() => vec![(0, 0)],
            _ => ports,
        }
    }
}

/// Takes what dispatch found: [`Words`] call the dissector, tests note its name.
pub(super) trait Route {
    fn take<D>(&mut self, name: &'static str, dissect: D, payload: &Payload<'_>) -> Result<(), Malformed>
    where
        D: Fn(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>;
}

impl Route for Words<'_> {
    #[inline(always)]
    fn take<D>(&mut self, _name: &'static str, dissect: D, payload: &Payload<'_>) -> Result<(), Malformed>
    where
        D: Fn(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>,
    {
        self.mark_taken();
        dissect(payload, self)
    }
}
