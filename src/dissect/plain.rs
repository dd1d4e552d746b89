//! Plain frames: whole packets of TCP or UDP from one station to another, without options, extension headers or a tunnel.
//! Most frames are such, and most of them are bulk data, in which nothing speaks. One look at their headers, in place, gives
//! what `link`, `network` and `transport` give step by step.

use std::net::{IpAddr, Ipv4Addr};

use super::link::Link;
use super::network::{self, Packet, Part};
use super::protocol::{self, host::tcp as opening};
use super::sink::{Sink, Tags};
use super::transport::{self, unread_port};
use super::{act, shim, tunnel};
use crate::census::{MacAddr, Sign, Signs};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// VLAN tags that are taken off here.
const TAGS: usize = 2;
/// The bit of a card's address that marks a group, and those that an address has.
const GROUP: u64 = 1 << 40;
const ADDRESS: u64 = (1 << 48) - 1;

/// A plain frame.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    /// The cards, as numbers.
    pub source: u64,
    pub destination: u64,
    pub ends: Ends,
    pub tags: Tags,
    /// What the packet shows of its sender.
    pub signs: Signs,
    /// Whether the source is an address that a host may send from (I3).
    pub has_sender: bool,
    /// Whether the packet shows the receiver's coupling (I15a).
    pub is_addressed: bool,
    pub speech: Speech,
    /// Where the packet begins in the frame.
    pub place: usize,
    ttl: u8,
    protocol: u8,
    packet: &'a [u8],
    body: &'a [u8],
}

/// The addresses of a packet, as numbers: the source and the destination.
#[derive(Clone, Copy, Debug)]
pub enum Ends {
    Four(u32, u32),
    Six(u128, u128),
}

/// Whether something speaks in a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Speech {
    /// It is bulk data.
    None,
    /// It is a datagram to that port that nothing reads; see [`Sink::unread_datagram`].
    Unread(u16),
    /// A dissector may read it: [`Plain::speak`].
    Some,
}

/// The card with that number.
#[inline]
pub(crate) const fn card(number: u64) -> MacAddr {
    let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
    MacAddr([a, b, c, d, e, f])
}

/// Reads an Ethernet frame that is plain. `None` of all others: [`dissect`](super::dissect) reads them.
#[inline(always)]
pub fn plain(frame: &[u8]) -> Option<Plain<'_>> {
    let (head, mut packet) = frame.split_first_chunk::<14>()?;
    let (destination, source) = (word(head, 0) >> 16, word(head, 4) & ADDRESS);
    if destination & GROUP != 0 || source & GROUP != 0 || source == 0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bytes")]
    let mut ethertype = word(head, 6) as u16;
    let mut tags = Tags::default();
    for _ in 0..TAGS {
        if !shim::is_vlan(ethertype) {
            break;
        }
        let ([a, b, high, low], rest) = packet.split_first_chunk::<4>()?;
        tags.push(u16::from_be_bytes([*a, *b]));
        (ethertype, packet) = (u16::from_be_bytes([*high, *low]), rest);
    }
    let place = frame.len() - packet.len();
    let plain = match ethertype {
        IPV4 => ipv4(packet),
        IPV6 => ipv6(packet),
        _ => None,
    }?;
    let is_addressed = plain.is_addressed && destination != 0;
    Some(Plain { source, destination, tags, is_addressed, place, ..plain })
}

/// Eight bytes as a number. Callers know that there are so many.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |word| u64::from_be_bytes(*word))
}

/// A packet without options that came whole.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "fields of a word")]
fn ipv4(packet: &[u8]) -> Option<Plain<'_>> {
    let (head, after) = packet.split_first_chunk::<20>()?;
    let (first, second) = (word(head, 0), word(head, 8));
    let (source, destination) = (second as u32, word(head, 12) as u32);
    // Neither options nor a part of a fragmented packet.
    if first >> 56 != 0x45 || first & 0x3fff != 0 || destination >> 28 == 0xe || destination == u32::MAX {
        return None;
    }
    let body = match (first >> 32) as u16 {
        0 => after,
        total => after.get(..usize::from(total).checked_sub(20)?).unwrap_or(after),
    };
    let (ttl, protocol) = ((second >> 56) as u8, (second >> 48) as u8);
    let is_link_local = |ip: u32| ip >> 16 == 0xa9fe;
    let shows_ttl = !is_link_local(source) && !is_link_local(destination);
    let is_never = source == 0 || source >> 24 == 127 || source >> 28 == 0xe || source == u32::MAX;
    Some(Plain {
        ends: Ends::Four(source, destination),
        signs: signs(ttl, shows_ttl),
        has_sender: !is_never,
        is_addressed: Ipv4Addr::from_bits(destination).is_private(),
        speech: speech(protocol, body)?,
        ttl,
        protocol,
        packet,
        body,
        ..EMPTY
    })
}

/// A packet without extension headers.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "fields of a word")]
fn ipv6(packet: &[u8]) -> Option<Plain<'_>> {
    let (head, after) = packet.split_first_chunk::<40>()?;
    let first = word(head, 0);
    let address = |at| u128::from(word(head, at)) << 64 | u128::from(word(head, at + 8));
    let (source, destination) = (address(8), address(24));
    let is_multicast = |ip: u128| ip >> 120 == 0xff;
    if first >> 60 != 6 || is_multicast(destination) {
        return None;
    }
    let body = match (first >> 16) as u16 {
        0 => after,
        length => after.get(..usize::from(length)).unwrap_or(after),
    };
    let (protocol, ttl) = ((first >> 8) as u8, first as u8);
    let is_link_local = |ip: u128| ip >> 118 == 0xfe80 >> 6;
    let shows_ttl = !is_link_local(source) && !is_link_local(destination);
    Some(Plain {
        ends: Ends::Six(source, destination),
        signs: signs(ttl, shows_ttl),
        has_sender: source > 1 && !is_multicast(source),
        is_addressed: destination >> 121 == 0xfc00 >> 9,
        speech: speech(protocol, body)?,
        ttl,
        protocol,
        packet,
        body,
        ..EMPTY
    })
}

const EMPTY: Plain<'_> = Plain {
    source: 0,
    destination: 0,
    ends: Ends::Four(0, 0),
    tags: Tags::NONE,
    signs: Signs(0),
    has_sender: false,
    is_addressed: false,
    speech: Speech::None,
    place: 0,
    ttl: 0,
    protocol: 0,
    packet: &[],
    body: &[],
};

/// What a unicast packet shows of its sender.
#[inline(always)]
fn signs(ttl: u8, shows_ttl: bool) -> Signs {
    let by_ttl = if shows_ttl { network::by_ttl(ttl) } else { Sign::LinkScope };
    let signs = Signs::from(Sign::Sourced).with(by_ttl);
    if ttl == 128 && shows_ttl { signs.with(Sign::Ttl128) } else { signs }
}

/// `None` of what is not plain.
#[inline(always)]
fn speech(protocol: u8, body: &[u8]) -> Option<Speech> {
    match protocol {
        TCP => segment(body),
        UDP => datagram(body),
        _ => None,
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "fields of a word")]
fn segment(body: &[u8]) -> Option<Speech> {
    let head = body.first_chunk::<20>()?;
    let (ports, last) = (word(head, 0) >> 32, word(head, 12));
    let (offset, flags) = ((last >> 60) as usize * 4, (last >> 48) as u8);
    if offset < 20 {
        return None;
    }
    let speaks = opening::opens(flags)
        || act::is_odd(flags)
        || body.get(offset..).and_then(|payload| payload.first_chunk::<4>()).is_some_and(|start| {
            protocol::begins(start) || act::begins(*start) || {
                let payload = body.get(offset..).unwrap_or_default();
                protocol::may_segment_speak((ports >> 16) as u16, ports as u16, payload)
            }
        });
    Some(if speaks { Speech::Some } else { Speech::None })
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "fields of a word")]
fn datagram(body: &[u8]) -> Option<Speech> {
    let (head, payload) = body.split_first_chunk::<8>()?;
    let ports = word(head, 0) >> 32;
    let (source, destination) = ((ports >> 16) as u16, ports as u16);
    if matches!(source, 67 | 68) || matches!(destination, 67 | 68) || tunnel::is_port(destination) {
        return None;
    }
    let speaks = protocol::may_datagram_speak(source, destination, payload);
    Some(match unread_port(source, destination) {
        _ if speaks.unwrap_or_else(|| protocol::is_found(payload)) => Speech::Some,
        Some(port) if speaks.is_none() => Speech::Unread(port),
        _ => Speech::None,
    })
}

impl Plain<'_> {
    /// The destination.
    pub fn to(&self) -> IpAddr {
        match self.ends {
            Ends::Four(_, to) => Ipv4Addr::from_bits(to).into(),
            Ends::Six(_, to) => std::net::Ipv6Addr::from_bits(to).into(),
        }
    }

    /// Whether it is a datagram of UDP.
    #[inline]
    pub const fn is_datagram(&self) -> bool {
        self.protocol == UDP
    }

    /// The source.
    pub fn from(&self) -> IpAddr {
        match self.ends {
            Ends::Four(from, _) => Ipv4Addr::from_bits(from).into(),
            Ends::Six(from, _) => std::net::Ipv6Addr::from_bits(from).into(),
        }
    }

    /// Passes on what the dissectors say which may read the packet.
    pub fn speak(&self, sink: &mut impl Sink) {
        let (source, destination) = (card(self.source), card(self.destination));
        let link = Link { source, destination, tags: self.tags, depth: 0 };
        let packet = Packet {
            link: &link,
            source: self.from(),
            destination: self.to(),
            ttl: self.ttl,
            part: Part::Whole,
            bytes: self.packet,
        };
        let said = match self.protocol {
            TCP => transport::segment(&packet, self.body, sink),
            _ => transport::datagram_to_one(&packet, self.body, sink),
        };
        if let Err(what) = said {
            sink.malformed(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::LinkType;
    use super::super::protocol::PROTOCOLS;
    use super::super::registry::Key;
    use super::super::tests::{Record, recorded};
    use super::*;

    /// Compares both paths.
    fn agree(frame: &[u8]) -> Result<Option<Speech>, TestCaseError> {
        let Some(read) = plain(frame) else { return Ok(None) };
        let mut record = Record::default();
        let (source, destination) = (card(read.source), card(read.destination));
        if read.has_sender {
            record.coupling(source, read.from(), read.signs, read.tags);
        }
        if read.is_addressed {
            record.addressed(destination, read.to());
        }
        match read.speech {
            Speech::None => {}
            Speech::Unread(port) => record.unread_datagram(read.to(), port),
            Speech::Some => read.speak(&mut record),
        }
        prop_assert_eq!(record.all(), recorded(LinkType::Ethernet, frame).all(), "{}", hex::encode(frame));
        let packet = crate::dissect::packet_of(frame).unwrap();
        let is_v6 = matches!(read.ends, Ends::Six(..));
        prop_assert_eq!((is_v6, &frame[read.place..]), (packet.0 == IPV6, packet.1));
        Ok(Some(read.speech))
    }

    /// All ports that something looks at, others, and their neighbours.
    fn ports() -> impl Strategy<Value = u16> {
        let keys = PROTOCOLS.iter().flat_map(|p| p.ways).flat_map(|way| way.keys);
        let read = keys.filter_map(|key| match key {
            Key::From(port) | Key::To(port) => Some(*port),
            _ => None,
        });
        let tunnels = (0..=u16::MAX).filter(|port| tunnel::is_port(*port));
        let acts = act::TCP_WAYS.iter().chain(&act::UDP_WAYS).filter_map(|(key, _)| match key {
            Key::From(port) | Key::To(port) => Some(*port),
            _ => None,
        });
        let known: Vec<u16> =
            read.chain(tunnels).chain(acts).chain([0, 67, 68, 1_023, 1_024, 1_194, 2_049]).collect();
        prop_oneof![select(known), any::<u16>(), Just(50_000_u16), Just(443)]
    }

    fn starts() -> impl Strategy<Value = Vec<u8>> {
        let known: Vec<&[u8]> = vec![
            b"",
            b"\0",
            b"GET ",
            b"HTTP/1.1 200 OK\r\nST: x\r\n",
            b"SIP/2.0 200 OK\r\n",
            b"REGISTER sip:x SIP/2.0",
            b"SSH-2.0-x\r\n",
            b"TNBU",
            &[0xff; 20],
            &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3],
            &[0x80; 14],
            &[0x80; 13],
            b"<?xml",
            &[5, 0, 11, 3, 16, 0],
            &[5, 0x64, 5, 0xc0],
            &[1, 0, 0, 0, 9],
            b"\x0bMSH|",
            &[0xc0, 0, 0, 0, 1],
            &[0x10, 20, 0, 4, b'M', b'Q', b'T', b'T'],
            b"HELF",
            &[0, 0, 0, 8, 0xfe, b'S', b'M', b'B', 1, 2, 3, 4],
            &[0x81, 0, 0, 4, 1, 2, 3, 4],
            &[0x30, 12, 2, 1, 1, 0x61, 7, 10, 1, 49, 4, 0, 4, 0],
            &[3, 0, 0, 11, 6, 0xd0, 0, 0, 0, 0, 0],
            &[0, 1, 0, 0, 0, 6, 1, 5, 0, 1, 0xff, 0],
            &[0x68, 4, 7, 0, 0, 0],
            &[0, 0, 0, 0, 0xff, 0x15, 4],
            &[0, 0, 0, 1, 0, 0, 0, 2, b'n', b'o'],
            &[2, 1, 2],
            b"-ERR authentication failed\r\n",
            b"@PJL UPGRADE\r\n",
            &[0x20, 2, 0, 5],
            &[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1],
            &[0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0],
            &[8, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2],
        ];
        let long = prop_oneof![Just(0_usize), Just(1_200), 0..80_usize];
        let known = (select(known), long).prop_map(|(start, more)| [start, &vec![0; more]].concat());
        prop_oneof![known, vec(any::<u8>(), 0..60)]
    }

    fn macs() -> impl Strategy<Value = [u8; 6]> {
        let known = [[0, 0x1b, 0xd4, 0, 0, 1], [2, 0, 0, 0, 0, 2], [0xff; 6], [1, 0, 0x5e, 0, 0, 1], [0; 6]];
        prop_oneof![3 => Just([0, 0x1b, 0xd4, 0, 0, 9]), 2 => select(known.to_vec())]
    }

    fn addresses() -> impl Strategy<Value = ([u8; 4], [u8; 16])> {
        let four = [
            [10, 0, 0, 1],
            [192, 168, 1, 2],
            [8, 8, 8, 8],
            [169, 254, 3, 4],
            [0; 4],
            [127, 0, 0, 1],
            [224, 0, 0, 251],
            [239, 1, 2, 3],
            [255; 4],
            [10, 0, 0, 255],
        ];
        let six = ["2a00::1", "fe80::1", "fd00::2", "::", "::1", "ff02::1", "ff05::2"];
        let six = six.map(|text| text.parse::<Ipv6Addr>().unwrap().octets());
        (select(four.to_vec()), select(six.to_vec()))
    }

    prop_compose! {
        /// A frame whose parts are all near what is plain.
        fn frames()(
            (to, from) in (macs(), macs()),
            tags in prop_oneof![4 => Just(vec![]), 2 => vec((select(vec![0x8100_u16, 0x88a8, 0x9100, 0x8926]), any::<u16>()), 1..4)],
            is_v6 in any::<bool>(),
            (source, destination) in (addresses(), addresses()),
            ttl in prop_oneof![select(vec![0_u8, 1, 30, 32, 60, 63, 64, 127, 128, 255]), any::<u8>()],
            protocol in prop_oneof![8 => select(vec![TCP, UDP]), 1 => any::<u8>()],
            (first, place, shift) in (
                prop_oneof![9 => Just(0x45_u8), 1 => select(vec![0x44, 0x46, 0x4f, 0x55, 0x65])],
                prop_oneof![8 => select(vec![0_u16, 0x4000]), 1 => any::<u16>()],
                prop_oneof![6 => Just(0_i32), 1 => Just(i32::MIN), 2 => -60..60_i32],
            ),
            ports in (ports(), ports()),
            (data_offset, flags) in (prop_oneof![6 => Just(5_u8), 2 => 0..16_u8], prop_oneof![3 => Just(0x10_u8), 1 => any::<u8>()]),
            payload in starts(),
            trailer in prop_oneof![3 => Just(0_usize), 1 => 0..20_usize],
            cut in prop_oneof![3 => Just(usize::MAX), 1 => 0..120_usize],
        ) -> Vec<u8> {
            let mut upper = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
            if protocol == TCP {
                upper.extend([0, 0, 0, 1, 0, 0, 0, 2, data_offset << 4, flags, 0, 9, 0, 0, 0, 0]);
                upper.resize((usize::from(data_offset) * 4).max(20), 1);
            } else {
                upper.extend([0, 9, 0, 0]);
            }
            upper.extend(payload);
            let length = |head: usize| {
                let whole = i32::try_from(upper.len() + head).unwrap();
                u16::try_from(whole.saturating_add(shift).max(0)).unwrap().to_be_bytes()
            };
            let mut out = [to, from].concat();
            for (kind, tag) in tags {
                out.extend([kind.to_be_bytes(), tag.to_be_bytes()].concat());
            }
            if is_v6 {
                out.extend([0x86, 0xdd, 0x60 | first & 0x10, 0, 0, 0]);
                out.extend(length(0));
                out.extend([protocol, ttl]);
                out.extend([source.1, destination.1].concat());
            } else {
                out.extend([8, 0, first, 0]);
                out.extend(length(20));
                out.extend([0, 7]);
                out.extend(place.to_be_bytes());
                out.extend([ttl, protocol, 0, 0]);
                out.extend([source.0, destination.0].concat());
            }
            out.extend(upper);
            out.resize(out.len() + trailer, 0);
            out.truncate(cut);
            out
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn what_is_plain_gives_what_the_whole_dissector_gives(frame in frames()) {
            agree(&frame)?;
        }

        #[test]
        fn any_bytes_are_plain_only_if_both_agree(frame in vec(any::<u8>(), 0..120)) {
            agree(&frame)?;
        }
    }

    fn segment(to: [u8; 6], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        etherparse::PacketBuilder::ethernet2([0, 0x1b, 0xd4, 0, 0, 9], to)
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(ports.0, ports.1, 1, 1)
            .ack(1)
            .write(&mut out, payload)
            .unwrap();
        out
    }

    #[test]
    fn bulk_data_is_silent_and_what_speaks_or_opens_is_not() {
        let to = [2, 0, 0, 0, 0, 7];
        let speech = |frame: &[u8]| agree(frame).unwrap();
        assert_eq!(speech(&segment(to, (443, 50_000), &[0x77; 900])), Some(Speech::None));
        assert_eq!(speech(&segment(to, (443, 50_000), b"")), Some(Speech::None));
        assert_eq!(speech(&segment(to, (445, 50_000), b"")), Some(Speech::None));
        assert_eq!(speech(&segment(to, (445, 50_000), &[0x77; 900])), Some(Speech::None));
        let message = [0, 0, 0, 8, 0xfe, b'S', b'M', b'B', 1, 2, 3, 4];
        assert_eq!(speech(&segment(to, (445, 50_000), &message)), Some(Speech::Some));
        assert_eq!(speech(&segment(to, (443, 50_000), &[0x16, 3, 1, 0, 9])), Some(Speech::Some));
        assert_eq!(speech(&segment([0xff; 6], (443, 50_000), &[0x77; 900])), None);
        let mut opening = segment(to, (443, 50_000), b"");
        for flags in [2, 0x14, 0, 1, 0x29] {
            opening[47] = flags;
            assert_eq!(speech(&opening), Some(Speech::Some), "{flags}");
        }
        let tagged = |tags: &[u8]| {
            let whole = segment(to, (443, 50_000), &[0x77; 900]);
            speech(&[&whole[..12], tags, &whole[12..]].concat())
        };
        assert_eq!(tagged(&[0x81, 0, 0, 5]), Some(Speech::None));
        assert_eq!(tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]), Some(Speech::None));
        assert_eq!(tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7]), None);
    }
}
