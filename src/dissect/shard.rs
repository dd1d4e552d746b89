//! Which frames of a link belong together, so that several workers can share them.

use super::{Frame, LinkType, packet_of};

/// The shards of a link; a power of two.
pub const SHARDS: usize = 32;

/// The shard of a frame, below [`SHARDS`]. All packets between two addresses have one, in both directions, with their
/// fragments, and with their copies behind routers and tags; so have the halves of an ARP exchange. Other frames are told
/// by their cards.
#[inline]
pub fn shard(frame: &Frame<'_>) -> usize {
    if frame.link != LinkType::Ethernet {
        return 0;
    }
    let found = match frame.data.get(12..14) {
        Some([0x08, 0x00]) => Some((0x0800, frame.data.get(14..).unwrap_or_default())),
        _ => packet_of(frame.data),
    };
    let both = |packet: &[u8], from: usize, to: usize| Some(word(packet, from)? ^ word(packet, to)?);
    let ends = match found {
        Some((0x0800, packet)) => both(packet, 12, 16),
        Some((0x86dd, packet)) => [8, 12, 16, 20].iter().try_fold(0, |all, at| {
            let ends = both(packet, *at, *at + 16)?;
            Some(all ^ ends)
        }),
        Some((0x0806, packet)) => both(packet, 14, 24),
        _ => None,
    };
    let ends = ends.or_else(|| both(frame.data, 2, 8)).unwrap_or_default();
    // The upper bits of a product depend on all bits (Fibonacci hashing).
    (ends.wrapping_mul(0x9e37_79b9) >> (32 - SHARDS.trailing_zeros())) as usize
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data: &[u8]) -> usize {
        let length = u32::try_from(data.len()).unwrap();
        shard(&Frame { at: crate::census::Timestamp(0), link: LinkType::Ethernet, data, length })
    }

    fn packet(macs: [u8; 2], tag: &[u8], from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
        let cards = [2, 0, 0, 0, 0, macs[0], 2, 0, 0, 0, 0, macs[1]];
        let head = [8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0];
        [&cards[..], tag, &head, &from, &to].concat()
    }

    #[test]
    fn a_conversation_is_one_shard_with_its_copies() {
        let (a, b) = ([10, 0, 0, 1], [192, 0, 2, 7]);
        let all =
            [packet([1, 2], &[], a, b), packet([2, 1], &[], b, a), packet([3, 4], &[0x81, 0, 0, 9], a, b)];
        assert!(all.iter().all(|frame| of(frame) == of(&all[0])));
        let others = (0..=255).map(|n| of(&packet([1, 2], &[], a, [192, 0, 2, n])));
        let met: std::collections::BTreeSet<_> = others.collect();
        assert!(met.len() > SHARDS / 2 && met.iter().all(|shard| *shard < SHARDS));
    }

    #[test]
    fn a_question_of_arp_and_its_answer_are_one_shard() {
        let half = |to: u8, operation, sender: [u8; 4], target: [u8; 4]| {
            let head = [0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 1];
            [&[to; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &head, &sender, &[0; 6], &target].concat()
        };
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        assert_eq!(of(&half(0xff, 1, a, b)), of(&half(2, 2, b, a)));
    }

    #[test]
    fn a_frame_that_is_cut_has_a_shard() {
        let frame = packet([1, 2], &[], [10, 0, 0, 1], [10, 0, 0, 2]);
        for end in 0..frame.len() {
            assert!(of(&frame[..end]) < SHARDS);
        }
    }
}
