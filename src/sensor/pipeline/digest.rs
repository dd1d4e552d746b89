//! Digests of frames: one that all copies of a frame have in common, to find duplicates (I10), and one of the whole frame, to
//! number it.

use crate::dissect::{Frame, LinkType, packet_of};

/// Bytes of a frame that identify a duplicate: headers, checksums and the head of the payload.
const DIGESTED: usize = 128;
/// Where a packet begins in an Ethernet frame without tags.
const HEADER: usize = 14;

/// The parts of a frame's head that may differ between its copies: up to what routers change, and behind the packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest<'f> {
    around: (&'f [u8], &'f [u8]),
    length: u32,
}

/// A digest that is equal for all copies of a frame: of an IP packet, without what routers and switches change. Beside it the
/// rest of the frame, which may differ between copies. Digests are the same in every run, so that frame numbers are.
#[inline]
pub(super) fn of<'f>(frame: &Frame<'f>) -> (u64, Rest<'f>) {
    let head = frame.data.get(..DIGESTED).unwrap_or(frame.data);
    match packet_of(head).filter(|_| frame.link == LinkType::Ethernet) {
        Some((kind @ (0x0800 | 0x86dd), packet)) => {
            of_packet(frame, head.len() - packet.len(), kind == 0x86dd)
        }
        _ => (whole(head, frame.length), Rest::default()),
    }
}

/// As [`of`], of a frame that carries an IP packet from that place on.
#[inline(always)]
pub(super) fn of_packet<'f>(frame: &Frame<'f>, place: usize, is_v6: bool) -> (u64, Rest<'f>) {
    let head = frame.data.get(..DIGESTED).unwrap_or(frame.data);
    let packet = head.get(place..).unwrap_or_default();
    // What follows the packet may be a trailer, which differs.
    let (packet, until_ttl, after) =
        if is_v6 { (without_rest(packet, 4, 40), 7, 8) } else { (without_rest(packet, 2, 0), 8, 12) };
    let Some((start, unchanged)) = packet.first_chunk::<8>().zip(packet.get(after..)) else {
        return (whole(head, frame.length), Rest::default());
    };
    // Of IPv6, the eighth byte changes.
    let start = u64::from_le_bytes(*start) << (8 * (8 - until_ttl));
    let digest = add(start, unchanged);
    // Behind tags or other shims, the rest is the whole frame.
    let (start, end) =
        if place == HEADER { (HEADER + after, HEADER + packet.len()) } else { (head.len(), head.len()) };
    let around = (head.get(..start).unwrap_or(head), head.get(end..).unwrap_or_default());
    (digest, Rest { around, length: frame.length })
}

fn whole(head: &[u8], length: u32) -> u64 {
    add(length.into(), head)
}

impl Rest<'_> {
    /// A digest of the whole head of a frame; `copy` is that of what copies have in common.
    #[inline]
    pub(super) fn digest(self, copy: u64) -> u32 {
        let (before, behind) = self.around;
        let mut digest = add(copy ^ u64::from(self.length).rotate_left(32), before);
        if !behind.is_empty() {
            digest = add(digest, behind);
        }
        #[expect(clippy::cast_possible_truncation, reason = "half of a digest is a digest")]
        let half = digest as u32;
        half
    }
}

/// Adds bytes and their number to a digest. Two chains of multiplications run side by side. Who makes two frames alike hides
/// one of his own from two counters.
#[inline(always)]
fn add(digest: u64, bytes: &[u8]) -> u64 {
    const KEYS: [u64; 4] =
        [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];
    let [k, l, m, n] = KEYS;
    let (mut a, mut b) = (digest ^ k, bytes.len() as u64 ^ l);
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<32>() {
        let word = |at| word(chunk, at);
        (a, b) = (fold(a ^ word(0), m ^ word(8)), fold(b ^ word(16), n ^ word(24)));
        rest = after;
    }
    // The last bytes, some of which may be read twice: their number tells.
    let ([w, x], [y, z]) = match (rest.first_chunk::<16>(), rest.last_chunk::<16>()) {
        (Some(first), Some(last)) => ([word(first, 0), word(first, 8)], [word(last, 0), word(last, 8)]),
        _ => (few(rest), [0, 0]),
    };
    (a, b) = (fold(a ^ w, m ^ x), fold(b ^ y, n ^ z));
    fold(a ^ k, b ^ l)
}

/// Fewer than 16 bytes as two words.
#[inline(always)]
fn few(bytes: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return [u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()];
    }
    [bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0]
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |word| u64::from_le_bytes(*word))
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "both halves count")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The packet without what follows it, by the length field at `at`, which leaves out `header` bytes. 0 is what
/// segmentation offload leaves.
fn without_rest(packet: &[u8], at: usize, header: usize) -> &[u8] {
    let field = packet.get(at..).and_then(|rest| rest.first_chunk::<2>());
    let length = field.map_or(0, |field| usize::from(u16::from_be_bytes(*field)));
    packet.get(..length + header).filter(|_| length > 0).unwrap_or(packet)
}
