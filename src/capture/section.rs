//! The interfaces of a capture file, and the frames of its records and blocks.

use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{
    Block, EnhancedPacketBlock, InterfaceDescriptionBlock, OptionCode, PcapBlockOwned, PcapHeader,
    PcapNGOption,
};

use crate::census::{NotUnderstood, Timestamp};
use crate::dissect::{Frame, LinkType};

/// The packet block that the enhanced one replaced in 2009 (pcapng, appendix A).
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Options of an interface and of a packet.
const FCS_LENGTH: u16 = 13;
const PACKET_FLAGS: u16 = 2;
/// No check sequence of Ethernet is longer, whatever unit a writer uses.
const MAX_FCS: u8 = 4;

/// Something that is not a frame: what it is, and its bytes.
pub(super) type NotRead = (NotUnderstood, u32);

/// What the blocks before told: of a pcap file its header, of pcapng the present section.
#[derive(Default)]
pub(super) struct Section {
    interfaces: Vec<Interface>,
    big_endian: bool,
    /// The byte order of a pcap file's records, if they have the usual form.
    records: Option<ByteOrder>,
    /// The first link type that is not read, of a file that may have no frames.
    unread: Option<i32>,
}

/// In which order a file writes the bytes of its numbers.
#[derive(Clone, Copy)]
pub(super) enum ByteOrder {
    Big,
    Little,
}

struct Interface {
    number: i32,
    link: Option<LinkType>,
    clock: Clock,
    /// The most bytes of a frame that are captured; 0 for all.
    snap: u32,
    /// Bytes of the check sequence behind each frame.
    fcs: u8,
}

/// How an interface's time stamps count.
#[derive(Clone, Copy)]
enum Clock {
    /// 10^-n seconds, from an offset in seconds.
    Decimal(u32, i64),
    /// 2^-n seconds, from an offset in seconds.
    Binary(u32, i64),
}

impl Section {
    pub(super) const fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// The first link type that is not read, if there is one.
    pub(super) const fn unread_link(&self) -> Option<i32> {
        self.unread
    }

    /// The frame of a block, if it should hold one.
    ///
    /// # Errors
    /// What the block is, if it is not understood or its link type is unsupported.
    pub(super) fn frame<'a>(&mut self, block: &'a PcapBlockOwned<'a>) -> Result<Option<Frame<'a>>, NotRead> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let order = if header.is_bigendian() { ByteOrder::Big } else { ByteOrder::Little };
                self.records = (!header.is_modified_format()).then_some(order);
                self.add(Interface::of_file(header));
                Ok(None)
            }
            PcapBlockOwned::Legacy(packet) => {
                self.record(packet.ts_sec, packet.ts_usec, packet.data, packet.origlen)
            }
            PcapBlockOwned::NG(block) => self.of_block(block),
        }
    }

    /// Passes on all records of a pcap file that `bytes` begin with and that are whole; returns how many bytes they have.
    /// Most frames of most files come this way: the parser is asked for the rest.
    #[inline]
    pub(super) fn records<'a>(
        &self,
        bytes: &'a [u8],
        mut each: impl FnMut(Result<Option<Frame<'a>>, NotRead>),
    ) -> usize {
        let Some(order) = self.records else { return 0 };
        let mut rest = bytes;
        while let Some((head, body)) = rest.split_first_chunk::<16>() {
            let [seconds, fraction, captured, length] = order.words(head);
            let Some((data, after)) = body.split_at_checked(captured as usize) else { break };
            each(self.record(seconds, fraction, data, length));
            rest = after;
        }
        bytes.len() - rest.len()
    }

    #[inline]
    fn record<'a>(
        &self,
        seconds: u32,
        fraction: u32,
        data: &'a [u8],
        length: u32,
    ) -> Result<Option<Frame<'a>>, NotRead> {
        let Some(interface) = self.interfaces.first() else { return Ok(None) };
        let nanos = match interface.clock {
            Clock::Decimal(9, _) => i64::from(fraction),
            _ => i64::from(fraction) * 1_000,
        };
        let at = Timestamp::from_parts(seconds.into(), nanos);
        interface.frame(at, data, length, interface.fcs).map(Some)
    }

    fn of_block<'a>(&mut self, block: &'a Block<'a>) -> Result<Option<Frame<'a>>, NotRead> {
        match block {
            Block::SectionHeader(header) => {
                self.interfaces.clear();
                self.big_endian = header.big_endian();
                Ok(None)
            }
            Block::InterfaceDescription(described) => {
                self.add(Interface::described(described, self.big_endian));
                Ok(None)
            }
            Block::EnhancedPacket(packet) => {
                let stray = (NotUnderstood::block(ENHANCED_PACKET), packet.block_len1);
                let interface = self.interface(packet.if_id).ok_or(stray)?;
                let at = interface.clock.at(packet.ts_high, packet.ts_low);
                let fcs = self.flagged_fcs(packet).unwrap_or(interface.fcs);
                interface.frame(at, packet.packet_data(), packet.origlen, fcs).map(Some)
            }
            Block::SimplePacket(packet) => {
                let stray = (NotUnderstood::block(SIMPLE_PACKET), packet.block_len1);
                let interface = self.interface(0).ok_or(stray)?;
                // The block has neither a captured length nor a time (I16).
                let data = packet.packet_data();
                let captured =
                    if interface.snap == 0 { packet.origlen } else { packet.origlen.min(interface.snap) };
                let data = data.get(..captured as usize).unwrap_or(data);
                interface.frame(Timestamp::default(), data, packet.origlen, interface.fcs).map(Some)
            }
            Block::Unknown(block) => {
                let kind = self.kind(block.block_type);
                let strange = (NotUnderstood::block(kind), block.block_len1);
                if kind != OBSOLETE_PACKET {
                    return Err(strange);
                }
                let packet = ObsoletePacket::new(block.data, self.big_endian).ok_or(strange)?;
                let interface = self.interface(packet.interface.into()).ok_or(strange)?;
                let at = interface.clock.at(packet.high, packet.low);
                interface.frame(at, packet.data, packet.length, interface.fcs).map(Some)
            }
            Block::Custom(block) => {
                Err((NotUnderstood::block(self.kind(block.block_type)), block.block_len1))
            }
            // Names, statistics, keys, journals and processes: none of them holds a frame.
            Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::DecryptionSecrets(_)
            | Block::ProcessInformation(_) => Ok(None),
        }
    }

    /// A block's type, which the parser reads in little endian.
    const fn kind(&self, read: u32) -> u32 {
        if self.big_endian { read.swap_bytes() } else { read }
    }

    fn interface(&self, id: u32) -> Option<&Interface> {
        self.interfaces.get(usize::try_from(id).ok()?)
    }

    fn add(&mut self, interface: Interface) {
        if interface.link.is_none() {
            self.unread.get_or_insert(interface.number);
        }
        self.interfaces.push(interface);
    }

    /// The length of the check sequence that a packet's own flags tell (bits 5 to 8, in bytes; 0 if unknown).
    fn flagged_fcs(&self, packet: &EnhancedPacketBlock<'_>) -> Option<u8> {
        let flags =
            packet.options.iter().find(|o| o.code == OptionCode(PACKET_FLAGS))?.value.first_chunk::<4>()?;
        let flags = if self.big_endian { u32::from_be_bytes(*flags) } else { u32::from_le_bytes(*flags) };
        u8::try_from(flags >> 5 & 0xf).ok().filter(|n| *n > 0)
    }
}

impl ByteOrder {
    /// The four numbers of a record's header.
    #[inline]
    fn words(self, head: &[u8; 16]) -> [u32; 4] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *head;
        let words = [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]];
        match self {
            Self::Big => words.map(u32::from_be_bytes),
            Self::Little => words.map(u32::from_le_bytes),
        }
    }
}

impl Interface {
    /// The one interface of a pcap file. The link type has 16 bits; if bit 26 is set, the upper four tell the length of the
    /// check sequence in units of 16 bits.
    fn of_file(header: &PcapHeader) -> Self {
        let network = header.network.0;
        let digits = if header.is_nanosecond_precision() { 9 } else { 6 };
        let [upper, ..] = network.to_be_bytes();
        let fcs = if upper & 0x04 == 0 { 0 } else { (upper >> 4) * 2 };
        Self::new(network & 0xffff, Clock::Decimal(digits, 0), header.snaplen, fcs)
    }

    fn described(described: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let option =
            |code| described.options.iter().find(|o: &&PcapNGOption<'_>| o.code == code).map(|o| &*o.value);
        // The parser reads the offset in one byte order only.
        let offset = option(OptionCode::IfTsoffset).and_then(|value| value.first_chunk::<8>());
        let offset =
            offset.map_or(0, |v| if big_endian { i64::from_be_bytes(*v) } else { i64::from_le_bytes(*v) });
        let resolution = described.if_tsresol;
        let clock = if resolution & 0x80 == 0 {
            Clock::Decimal(u32::from(resolution).min(19), offset)
        } else {
            Clock::Binary(u32::from(resolution & 0x7f).min(63), offset)
        };
        // In bits, but the format's own example and many writers mean bytes.
        let fcs = option(OptionCode(FCS_LENGTH)).and_then(|value| value.first().copied());
        let fcs = fcs.map_or(0, |n| if n < 8 { n } else { n / 8 });
        Self::new(described.linktype.0, clock, described.snaplen, fcs)
    }

    fn new(number: i32, clock: Clock, snap: u32, fcs: u8) -> Self {
        Self { number, link: LinkType::from_number(number), clock, snap, fcs }
    }

    /// A frame without its check sequence, as far as it was captured.
    #[inline]
    fn frame<'a>(&self, at: Timestamp, data: &'a [u8], length: u32, fcs: u8) -> Result<Frame<'a>, NotRead> {
        let Some(link) = self.link else {
            return Err((NotUnderstood::link_type(self.number.cast_unsigned()), length));
        };
        let fcs = fcs.min(MAX_FCS);
        let missing = (length as usize).saturating_sub(data.len());
        let kept = data.len().saturating_sub(usize::from(fcs).saturating_sub(missing));
        let data = data.get(..kept).unwrap_or(data);
        Ok(Frame { at, link, data, length: length.saturating_sub(fcs.into()) })
    }
}

impl Clock {
    fn at(self, high: u32, low: u32) -> Timestamp {
        let (per_second, offset) = match self {
            Self::Decimal(digits, offset) => (10i128.pow(digits), offset),
            Self::Binary(bits, offset) => (1i128 << bits, offset),
        };
        let ticks = u64::from(high) << 32 | u64::from(low);
        let nanos = i128::from(offset) * 1_000_000_000 + i128::from(ticks) * 1_000_000_000 / per_second;
        Timestamp(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// A packet block of the obsolete kind: interface, drops, time, both lengths, data.
struct ObsoletePacket<'a> {
    interface: u16,
    high: u32,
    low: u32,
    length: u32,
    data: &'a [u8],
}

impl<'a> ObsoletePacket<'a> {
    fn new(body: &'a [u8], big_endian: bool) -> Option<Self> {
        let (head, data) = body.split_first_chunk::<20>()?;
        let (interface, _) = head.split_first_chunk::<2>()?;
        let (words, _) = head.as_chunks::<4>();
        let [_, high, low, captured, length] = words else { return None };
        let word = |bytes: &[u8; 4]| {
            if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
        };
        Some(Self {
            interface: if big_endian {
                u16::from_be_bytes(*interface)
            } else {
                u16::from_le_bytes(*interface)
            },
            high: word(high),
            low: word(low),
            length: word(length),
            data: data.get(..word(captured) as usize)?,
        })
    }
}
