//! Headers that switches put between the Ethernet addresses and the packet, and trailers behind it (I13). They come off in
//! any order and change nothing.

use super::sink::Tags;
use super::{Malformed, Reader};

/// 802.1Q, 802.1ad, and the older types of stacked tags.
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const OLD_VLAN: u16 = 0x9100;
const OLDER_VLAN: u16 = 0x9200;
/// Cisco's tag of virtual interfaces in UCS and Nexus fabrics.
const VN_TAG: u16 = 0x8926;
/// IEEE 802.1BR, the tag of port extenders.
const E_TAG: u16 = 0x893f;
/// Cisco metadata: the security group of TrustSec.
const CMD: u16 = 0x8909;
/// Cisco's time stamp of mirrored frames: 48 bits of nanoseconds.
const TTAG: u16 = 0x8988;
/// IEC 62439-3 clause 5: path and size, sequence number.
const HSR: u16 = 0x892f;
/// IEEE 802.1AE.
const MACSEC: u16 = 0x88e5;
/// A time stamp of Arista's switches for tap aggregation: subtype 1, version, 64 or 48 bits.
const ARISTA: u16 = 0xd28b;
/// The last bytes of a PRP trailer (IEC 62439-3 clause 4).
const PRP: [u8; 2] = [0x88, 0xfb];
const PRP_LENGTH: usize = 6;

/// Headers of one frame that are taken off.
const MAX_SHIMS: usize = 8;

/// Whether a VLAN tag has that type.
#[inline]
pub(super) const fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, VLAN | SERVICE_VLAN | OLD_VLAN | OLDER_VLAN)
}

/// Whether a shim has that type.
pub(super) const fn is_shim(ethertype: u16) -> bool {
    matches!(
        ethertype,
        VLAN | SERVICE_VLAN | OLD_VLAN | OLDER_VLAN | VN_TAG | E_TAG | CMD | TTAG | HSR | MACSEC | ARISTA
    )
}

/// Takes off all headers: the type of what they carry, and its bytes. Encrypted MACsec, and headers beyond the bound,
/// keep their type.
pub(super) fn strip<'a>(
    mut ethertype: u16,
    bytes: &'a [u8],
    tags: &mut Tags,
) -> Result<(u16, &'a [u8]), Malformed> {
    let mut rest = bytes;
    for _ in 0..MAX_SHIMS {
        let Some(shim) = header(ethertype, rest, tags) else { break };
        (ethertype, rest) = shim?;
    }
    Ok((ethertype, rest))
}

/// The type and the bytes of what an Ethernet frame carries behind all such headers.
#[inline]
pub fn packet_of(frame: &[u8]) -> Option<(u16, &[u8])> {
    let (ethertype, packet) = frame.get(12..)?.split_first_chunk::<2>()?;
    match u16::from_be_bytes(*ethertype) {
        plain @ (0x0800 | 0x86dd) => Some((plain, packet)),
        ethertype => strip(ethertype, packet, &mut Tags::default()).ok(),
    }
}

/// Takes one header off. `None` if the type is not a shim's.
fn header<'a>(
    ethertype: u16,
    bytes: &'a [u8],
    tags: &mut Tags,
) -> Option<Result<(u16, &'a [u8]), Malformed>> {
    let mut r = Reader::new(bytes);
    let (name, length) = match ethertype {
        VLAN | SERVICE_VLAN | OLD_VLAN | OLDER_VLAN => ("vlan", 2),
        VN_TAG => ("vn-tag", 4),
        E_TAG => ("e-tag", 6),
        // Version, number of options, then the options of 4 bytes each, of which the first is the group.
        CMD => ("cmd", 2 + 4 * bytes.get(1).filter(|n| (1..=4).contains(*n)).map_or(1, |n| usize::from(*n))),
        TTAG => ("ttag", 6),
        HSR => ("hsr", 4),
        ARISTA => match bytes {
            [0, 1, _, 0x10..=0x1f, ..] => ("arista", 12),
            [0, 1, _, 0x20..=0x2f, ..] => ("arista", 10),
            _ => return None,
        },
        MACSEC => ("macsec", security_tag(bytes)?),
        _ => return None,
    };
    let short = Malformed::new(name, "short tag");
    let Some((header, inner)) = r.take(length).zip(r.u16()) else { return Some(Err(short)) };
    if let ("vlan", [high, low]) = (name, header) {
        tags.push(u16::from_be_bytes([*high, *low]));
    }
    let rest = r.rest();
    // A short MACsec frame tells its length, the type included. Else the check value stays behind the packet.
    let secured = if ethertype == MACSEC { header.get(1).map_or(0, |n| usize::from(n & 0x3f)) } else { 0 };
    Some(Ok((inner, secured.checked_sub(2).and_then(|n| rest.get(..n)).unwrap_or(rest))))
}

/// The length of a MACsec tag, with the channel identifier if it has one (IEEE 802.1AE 9.3). `None` if what follows is
/// encrypted or changed.
fn security_tag(bytes: &[u8]) -> Option<usize> {
    const VERSION: u8 = 0x80;
    const CHANNEL: u8 = 0x20;
    const ENCRYPTED: u8 = 0x08;
    const CHANGED: u8 = 0x04;
    let control = bytes.first().copied().unwrap_or_default();
    (control & (VERSION | ENCRYPTED | CHANGED) == 0).then_some(if control & CHANNEL == 0 { 6 } else { 14 })
}

/// The payload without a PRP trailer: sequence number, network A or B, size, suffix. `outer` is the length behind the
/// frame's first type; the size counts from there or from behind the tags, the trailer included.
pub(super) fn without_trailer(body: &[u8], outer: usize) -> &[u8] {
    let trailer = body.len().checked_sub(PRP_LENGTH).and_then(|start| body.split_at_checked(start));
    match trailer {
        Some((payload, [_, _, network, low, suffix @ ..]))
            if suffix == PRP
                && matches!(network >> 4, 0xa | 0xb)
                && (body.len()..=outer)
                    .contains(&usize::from(u16::from_be_bytes([network & 0x0f, *low]))) =>
        {
            payload
        }
        _ => body,
    }
}
