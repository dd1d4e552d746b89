//! What a capture held that was not understood (I13): counted by kind, so that nothing vanishes silently, and judged, so
//! that a mirror that arrives packed does not look like an empty network.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// Maximum number of counted numbers of one kind: the smallest stay, the others are counted together. So the counts do
/// not depend on the order of the frames.
const NUMBERS: usize = 64;
/// Buckets of datagrams that no dissector reads; a power of two.
const BUCKETS: usize = 256;
/// How many of the largest numbers a judgement names.
const NAMED: usize = 3;

/// What a number of something that was not understood numbers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum UnreadKind {
    /// Ethernet frames and GRE packets of a type that nothing reads.
    EtherType,
    /// IEEE 802.2 frames, by their destination service access point.
    Llc,
    /// SNAP frames, by organisation and protocol.
    Snap,
    /// Tunnels over IP that were not opened, by protocol number.
    IpProtocol,
    /// Tunnels over UDP that were not opened, by destination port.
    UdpPort,
    /// Blocks of pcapng files.
    Block,
    /// Frames of capture files, by link type.
    LinkType,
}

impl UnreadKind {
    /// The name in documents and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EtherType => "ether_type",
            Self::Llc => "llc",
            Self::Snap => "snap",
            Self::IpProtocol => "ip_protocol",
            Self::UdpPort => "udp_port",
            Self::Block => "block",
            Self::LinkType => "link_type",
        }
    }

    /// Whether the bytes of this kind are not among the capture's, because no frame could be made of them.
    const fn is_outside(self) -> bool {
        matches!(self, Self::Block | Self::LinkType)
    }
}

/// Something that was not understood: a kind, and its number within it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NotUnderstood {
    pub kind: UnreadKind,
    pub number: u64,
}

impl NotUnderstood {
    pub const fn ether_type(number: u16) -> Self {
        Self { kind: UnreadKind::EtherType, number: number as u64 }
    }

    pub const fn llc(access_point: u8) -> Self {
        Self { kind: UnreadKind::Llc, number: access_point as u64 }
    }

    pub const fn snap(organisation: u32, protocol: u16) -> Self {
        Self { kind: UnreadKind::Snap, number: (organisation as u64) << 16 | protocol as u64 }
    }

    pub const fn ip_protocol(number: u8) -> Self {
        Self { kind: UnreadKind::IpProtocol, number: number as u64 }
    }

    pub const fn udp_port(port: u16) -> Self {
        Self { kind: UnreadKind::UdpPort, number: port as u64 }
    }

    pub const fn block(kind: u32) -> Self {
        Self { kind: UnreadKind::Block, number: kind as u64 }
    }

    pub const fn link_type(number: u32) -> Self {
        Self { kind: UnreadKind::LinkType, number: number as u64 }
    }
}

/// The number alone, as it is usually written for its kind.
impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.number;
        match self.kind {
            UnreadKind::EtherType => write!(f, "0x{n:04x}"),
            UnreadKind::Llc => write!(f, "0x{n:02x}"),
            UnreadKind::Snap => write!(f, "0x{:06x}:0x{:04x}", n >> 16, n & 0xffff),
            UnreadKind::Block => write!(f, "0x{n:08x}"),
            UnreadKind::IpProtocol | UnreadKind::UdpPort | UnreadKind::LinkType => write!(f, "{n}"),
        }
    }
}

/// A number of frames (or blocks), and their bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Amount {
    frames: u64,
    bytes: u64,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.frames = self.frames.saturating_add(other.frames);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// One line of what was not understood, as documents show it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct UnreadEntry {
    pub kind: UnreadKind,
    /// The number, such as `0x8926`; `other` for numbers beyond the first 64 of a kind.
    pub value: String,
    pub frames: u64,
    /// Bytes on the wire of these frames.
    pub bytes: u64,
}

impl UnreadEntry {
    fn new(kind: UnreadKind, value: String, amount: Amount) -> Self {
        Self { kind, value, frames: amount.frames, bytes: amount.bytes }
    }
}

impl UnreadEntry {
    /// Kind and number, in words.
    pub fn name(&self) -> String {
        let what = match self.kind {
            UnreadKind::EtherType => "ether type",
            UnreadKind::Llc => "LLC access point",
            UnreadKind::Snap => "SNAP protocol",
            UnreadKind::IpProtocol => "IP protocol",
            UnreadKind::UdpPort => "UDP port",
            UnreadKind::Block => "pcapng block type",
            UnreadKind::LinkType => "link type",
        };
        format!("{what} {}", self.value)
    }
}

impl fmt::Display for UnreadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.kind == UnreadKind::Block { "blocks" } else { "frames" };
        write!(f, "{}: {} {unit}", self.name(), self.frames)
    }
}

/// Datagrams to one address and port that no dissector reads. A bucket holds several such destinations; the one that
/// has most of its bytes is named (majority vote), whatever the order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bucket {
    amount: Amount,
    to: (IpAddr, u16),
    /// How far the votes for `to` exceed those against it.
    lead: u64,
}

impl Bucket {
    const EMPTY: Self =
        Self { amount: Amount { frames: 0, bytes: 0 }, to: (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), lead: 0 };

    fn vote(&mut self, to: (IpAddr, u16), votes: u64) {
        if self.to == to {
            self.lead = self.lead.saturating_add(votes);
        } else if self.lead >= votes {
            self.lead -= votes;
        } else {
            (self.to, self.lead) = (to, votes - self.lead);
        }
    }
}

/// Counts what was not understood.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unread {
    numbers: BTreeMap<NotUnderstood, Amount>,
    others: BTreeMap<UnreadKind, Amount>,
    /// Empty until the first datagram.
    datagrams: Vec<Bucket>,
}

impl Unread {
    /// Counts one frame or block.
    pub fn count(&mut self, what: NotUnderstood, bytes: u64) {
        self.add_amount(what, Amount { frames: 1, bytes });
    }

    /// Counts a datagram to a station that no dissector reads. It hides no sender; only a capture that consists of such
    /// datagrams to one port looks like a packed mirror.
    pub fn datagram(&mut self, to: IpAddr, port: u16, bytes: u64) {
        if self.datagrams.is_empty() {
            self.datagrams = vec![Bucket::EMPTY; BUCKETS];
        }
        if let Some(bucket) = self.datagrams.get_mut(bucket_of(to, port)) {
            bucket.amount.add(Amount { frames: 1, bytes });
            bucket.vote((to, port), bytes);
        }
    }

    /// Adds the counts of another worker or file.
    pub fn add(&mut self, other: &Self) {
        for (what, amount) in &other.numbers {
            self.add_amount(*what, *amount);
        }
        for (kind, amount) in &other.others {
            self.others.entry(*kind).or_default().add(*amount);
        }
        if self.datagrams.is_empty() {
            self.datagrams.clone_from(&other.datagrams);
            return;
        }
        for (bucket, more) in self.datagrams.iter_mut().zip(&other.datagrams) {
            bucket.amount.add(more.amount);
            bucket.vote(more.to, more.lead);
        }
    }

    fn add_amount(&mut self, what: NotUnderstood, amount: Amount) {
        if let Some(known) = self.numbers.get_mut(&what) {
            known.add(amount);
            return;
        }
        self.numbers.insert(what, amount);
        let first = NotUnderstood { number: 0, ..what };
        let last = NotUnderstood { number: u64::MAX, ..what };
        let mut same = self.numbers.range(first..=last);
        let largest = same.next_back().map(|(largest, _)| *largest);
        if same.count() >= NUMBERS
            && let Some(dropped) = largest.and_then(|largest| self.numbers.remove(&largest))
        {
            self.others.entry(what.kind).or_default().add(dropped);
        }
    }

    /// Everything that was counted, sorted by kind and number.
    pub fn entries(&self) -> Vec<UnreadEntry> {
        let numbers = self.numbers.iter().map(|(what, a)| UnreadEntry::new(what.kind, what.to_string(), *a));
        let others = self.others.iter().map(|(kind, a)| UnreadEntry::new(*kind, "other".to_owned(), *a));
        let mut entries: Vec<_> = numbers.chain(others).collect();
        entries.sort_by_key(|e| e.kind);
        entries
    }

    /// Judges a capture of so many frames and bytes: `Some` if most of its bytes were not understood, or if nine of ten are
    /// in datagrams to one port that no dissector reads.
    pub fn judge(&self, frames: u64, bytes: u64) -> Option<MostlyUnread> {
        let mut unread = Amount::default();
        let mut whole = Amount { frames, bytes };
        for (kind, amount) in
            self.numbers.iter().map(|(w, a)| (w.kind, a)).chain(self.others.iter().map(|(k, a)| (*k, a)))
        {
            unread.add(*amount);
            if kind.is_outside() {
                whole.add(*amount);
            }
        }
        if is_most(unread.bytes, whole.bytes) {
            let mut largest = self.entries();
            largest.sort_by_key(|e| std::cmp::Reverse(e.bytes));
            largest.truncate(NAMED);
            let main = self.numbers.iter().max_by_key(|(_, a)| a.bytes).map(|(what, _)| *what);
            let cause = main.map_or(UNKNOWN_HEADER, likely_cause);
            return Some(MostlyUnread::new(unread.bytes, whole.bytes, largest, cause));
        }
        let stream = self.datagrams.iter().max_by_key(|b| b.amount.bytes)?;
        // Less may be a download.
        let is_nearly_all = u128::from(stream.amount.bytes) * 10 >= u128::from(whole.bytes) * 9;
        (is_nearly_all && stream.amount.bytes > 0).then(|| {
            let entry = UnreadEntry::new(UnreadKind::UdpPort, stream.to.1.to_string(), stream.amount);
            MostlyUnread::new(stream.amount.bytes, whole.bytes, vec![entry], PACKED_MIRROR)
        })
    }
}

/// Destinations that differ in their last bytes fall into different buckets.
fn bucket_of(to: IpAddr, port: u16) -> usize {
    let low = match to {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    };
    let [high, port] = port.to_be_bytes();
    usize::from(low.rotate_left(3) ^ high.rotate_left(5) ^ port) & (BUCKETS - 1)
}

fn is_most(part: u64, whole: u64) -> bool {
    u128::from(part) * 2 > u128::from(whole)
}

const PACKED_MIRROR: &str = "probably a mirror arrives in a tunnel that netcensus does not open; send it as ERSPAN, GRE, VXLAN, GENEVE, TZSP or HP ERM, or mirror to a local port";
const UNKNOWN_HEADER: &str = "probably a switch or a packet broker puts a header before each packet that netcensus does not know; let it remove that header from mirrored frames";

/// Why so much of a kind was not understood, and what to do.
fn likely_cause(what: NotUnderstood) -> &'static str {
    match (what.kind, what.number) {
        (UnreadKind::EtherType, 0x88e5) => {
            "MACsec encrypts the mirrored frames; mirror a port on which they are decrypted"
        }
        (UnreadKind::EtherType, 0x8903 | 0x22f3) => {
            "the mirrored link is inside a FabricPath or TRILL fabric; mirror the ports to which devices connect"
        }
        (UnreadKind::EtherType, 0x8847 | 0x8848) => {
            "MPLS carries something else than IP or Ethernet; mirror the ports to which devices connect"
        }
        (UnreadKind::EtherType, _) => UNKNOWN_HEADER,
        (UnreadKind::Llc | UnreadKind::Snap, _) => {
            "the mirrored link carries protocols without IP; mirror the ports to which devices connect"
        }
        (UnreadKind::UdpPort, 5247 | 12_222) => {
            "access points tunnel their clients' traffic encrypted or as radio frames; mirror the wired side of the wireless controller"
        }
        (UnreadKind::UdpPort | UnreadKind::IpProtocol, _) => PACKED_MIRROR,
        (UnreadKind::Block, _) => {
            "the file holds its packets in blocks of another program; save it again as pcap or pcapng with Wireshark"
        }
        (UnreadKind::LinkType, _) => {
            "part of it was not captured on Ethernet; capture on a mirrored Ethernet port"
        }
    }
}

/// A judgement: most of a capture was not understood.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct MostlyUnread {
    /// The share of the bytes, rounded down.
    pub percent: u8,
    /// All bytes of the capture.
    pub bytes: u64,
    /// At most three, most bytes first.
    pub largest: Vec<UnreadEntry>,
    /// The likely cause and the next step, as half a sentence.
    pub cause: String,
}

impl MostlyUnread {
    fn new(part: u64, whole: u64, largest: Vec<UnreadEntry>, cause: &str) -> Self {
        let percent = u128::from(part) * 100 / u128::from(whole.max(1));
        let percent = u8::try_from(percent.min(100)).unwrap_or(100);
        Self { percent, bytes: whole, largest, cause: cause.to_owned() }
    }

    /// What it was, without numbers of frames.
    pub fn names(&self) -> Vec<String> {
        self.largest.iter().map(UnreadEntry::name).collect()
    }

    /// What was seen, without the cause.
    pub fn observation(&self) -> String {
        let largest: Vec<String> = self.largest.iter().map(ToString::to_string).collect();
        format!("{} % of {} bytes were not understood ({})", self.percent, self.bytes, largest.join("; "))
    }
}

impl fmt::Display for MostlyUnread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.observation(), self.cause)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TO: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 200, 9));

    #[test]
    fn numbers_beyond_the_bound_are_counted_together_whatever_the_order() {
        let (mut up, mut down, mut parts) = (Unread::default(), Unread::default(), Unread::default());
        for n in 0..300u16 {
            up.count(NotUnderstood::ether_type(0x9000 + n), 60);
            down.count(NotUnderstood::ether_type(0x9000 + 299 - n), 60);
            let mut part = Unread::default();
            part.count(NotUnderstood::ether_type(0x9000 + (n * 7) % 300), 60);
            parts.add(&part);
        }
        assert_eq!(up, down);
        assert_eq!(up, parts);
        let entries = up.entries();
        assert_eq!(entries.len(), NUMBERS + 1);
        let last = entries.last().unwrap();
        assert_eq!((last.value.as_str(), last.frames, last.bytes), ("other", 236, 236 * 60));
    }

    #[test]
    fn a_capture_most_of_which_was_not_understood_says_so_with_the_cause() {
        let mut unread = Unread::default();
        (0..6).for_each(|_| unread.count(NotUnderstood::ether_type(0x88e5), 100));
        unread.count(NotUnderstood::llc(0xe0), 60);
        assert_eq!(unread.judge(20, 2_000), None);
        let judged = unread.judge(11, 1_000).unwrap();
        assert_eq!((judged.percent, judged.largest.len()), (66, 2));
        assert!(judged.to_string().contains("ether type 0x88e5: 6 frames"), "{judged}");
        assert!(judged.cause.contains("MACsec"), "{judged}");
        // A capture in which each frame comes twice is judged alike.
        let once = unread.clone();
        unread.add(&once);
        let twice = unread.judge(22, 2_000).unwrap();
        assert_eq!((twice.percent, twice.names(), &twice.cause), (66, judged.names(), &judged.cause));
    }

    #[test]
    fn blocks_and_link_types_are_judged_beside_the_frames() {
        let mut unread = Unread::default();
        (0..20).for_each(|_| unread.count(NotUnderstood::block(0x0bad), 100));
        assert_eq!(unread.judge(100, 10_000), None);
        assert_eq!(unread.judge(0, 0).unwrap().percent, 100);
    }

    #[test]
    fn datagrams_to_one_port_look_like_a_packed_mirror_and_those_to_many_do_not() {
        let mut one = Unread::default();
        (0..20).for_each(|_| one.datagram(TO, 5_555, 1_000));
        one.datagram(TO, 5_556, 1_000);
        let judged = one.judge(30, 22_000).unwrap();
        assert_eq!(judged.largest[0].value, "5555");
        assert!(judged.cause.contains("tunnel"), "{judged}");
        assert_eq!(one.judge(30, 23_000), None);
        let mut many = Unread::default();
        (0..256u16).for_each(|n| many.datagram(TO, 20_000 + n, 1_000));
        assert_eq!(many.judge(300, 260_000), None);
    }

    proptest! {
        #[test]
        fn the_judgement_does_not_depend_on_order_or_partition(
            order in Just((0..90u32).collect::<Vec<_>>()).prop_shuffle(),
            workers in 1..4usize,
        ) {
            let feed = |unread: &mut Unread, n: u32| match n % 3 {
                0 => unread.count(NotUnderstood::udp_port(5_247), u64::from(n)),
                // Both ports fall into one bucket.
                1 => unread.datagram(TO, 5_555, 500),
                _ => unread.datagram(TO, if n.is_multiple_of(2) { 5_555 } else { 7_026 }, 90),
            };
            let mut straight = Unread::default();
            (0..90).for_each(|n| feed(&mut straight, n));
            let mut parts = vec![Unread::default(); workers];
            for (i, n) in order.iter().enumerate() {
                feed(&mut parts[i % workers], *n);
            }
            let mut sum = Unread::default();
            parts.iter().rev().for_each(|part| sum.add(part));
            prop_assert_eq!(sum.entries(), straight.entries());
            prop_assert_eq!(sum.judge(90, 19_000), straight.judge(90, 19_000));
        }
    }
}
