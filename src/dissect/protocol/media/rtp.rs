//! RTP as behaviour: who keeps up a media stream (RFC 3550 section 5.1, RFC 3551 section 6).
//!
//! RTP has no magic number and no port of its own, so only what hardly anything else can be is taken: packets of the
//! static payload types whose size is that of whole frames, between two even ports of the range that telephones use,
//! or to an even port with contents that show speech; and transport streams, whose every packet begins with the same byte. Streams of
//! dynamic types, most of them video, say nothing.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Bytes of a header without contributing sources.
const HEADER: usize = 12;
/// Packets of a transport stream in bytes (ISO/IEC 13818-1 section 2.4.3), and the byte that begins each.
const TRANSPORT: usize = 188;
const SYNC: u8 = 0x47;
/// One packet in so many is looked at: a stream has dozens a second.
const SAMPLE: u8 = 32;
/// The authentication tags of SRTP in bytes (RFC 3711 section 5.2), and none.
const TAGS: [usize; 3] = [0, 4, 10];
/// Values that an eighth of speech has at most. Of 160 random bytes, 119 differ; fewer than this in one of a million.
const DISTINCT: u32 = 90;

/// Whether a datagram may be RTP: version 2, no padding, no extension, no contributing sources.
pub(crate) fn may_be(payload: &[u8]) -> bool {
    payload.first() == Some(&0x80) && payload.len() > HEADER
}

/// Dissects a datagram that may be RTP.
///
/// # Errors
/// Never: what is not strictly of the form is another protocol.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(&[_, kind, _, sequence]) = payload.bytes.first_chunk::<4>() else { return Ok(()) };
    let body = payload.bytes.get(HEADER..).unwrap_or_default();
    if !may_be(payload.bytes) || sequence % SAMPLE != 0 || !payload.destination_port.is_multiple_of(2) {
        return Ok(());
    }
    let from_telephone = is_telephony(payload.source_port) && is_telephony(payload.destination_port);
    let is_audio = match kind & 0x7f {
        // G.711 in both laws, and G.722, which has the same rate: 8 bytes a millisecond, in frames of ten.
        0 | 8 | 9 => {
            let whole = |frames: usize| frames > 0 && frames.is_multiple_of(80) && frames <= 480;
            if from_telephone {
                TAGS.iter().any(|tag| body.len().checked_sub(*tag).is_some_and(whole))
            } else {
                payload.source_port.min(payload.destination_port) >= 1024
                    && body.len() == 160
                    && distinct(body) < DISTINCT
            }
        }
        // G.729: frames of ten bytes, of ten milliseconds each.
        18 => {
            from_telephone
                && TAGS.iter().any(|tag| matches!(body.len().checked_sub(*tag), Some(20 | 30 | 40)))
        }
        _ => false,
    };
    if is_audio {
        words.say(Field::RtpMedia, b"audio");
    } else if kind & 0x7f == 33 && is_transport(body) {
        words.say(Field::RtpMedia, b"video");
    }
    Ok(())
}

/// Above the ports of servers and below those that systems give to clients: 32,768 on Linux, 49,152 on Windows.
const fn is_telephony(port: u16) -> bool {
    matches!(port, 16384..32768) && port.is_multiple_of(2)
}

fn is_transport(body: &[u8]) -> bool {
    !body.is_empty()
        && body.len().is_multiple_of(TRANSPORT)
        && body.chunks(TRANSPORT).all(|p| p.first() == Some(&SYNC))
}

/// How many different values the bytes have.
fn distinct(bytes: &[u8]) -> u32 {
    let mut seen = [0u64; 4];
    for byte in bytes {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[0x80, kind, 1, 64, 0, 0, 0, 160, 1, 2, 3, 4], body].concat()
    }

    fn of(payload: &[u8], from: u16, to: u16) -> Vec<String> {
        said(|w| dissect(&Payload::new(payload).between(from, to), w)).0
    }

    /// Bytes that look like chance.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn a_telephone_sends_frames_of_sound() {
        for (kind, length) in [(0, 160), (8, 240), (0x88, 80), (9, 160), (18, 20), (0, 170), (8, 164)] {
            assert_eq!(
                of(&packet(kind, &noise(length)), 16384, 20000),
                ["rtp.media=audio"],
                "{kind} {length}"
            );
        }
        survives(&packet(0, &noise(160)), |p, w| dissect(&p.between(16384, 20000), w));
    }

    #[test]
    fn at_other_ports_the_contents_must_show_speech() {
        let speech: Vec<u8> = noise(160).iter().map(|b| 0xd0 | b & 0x0f).collect();
        assert_eq!(of(&packet(0, &speech), 50_000, 10_000), ["rtp.media=audio"]);
        assert!(of(&packet(0, &noise(160)), 50_000, 10_000).is_empty());
        assert!(of(&packet(0, &speech), 50_000, 10_001).is_empty());
        assert!(of(&packet(18, &noise(20)), 50_000, 10_000).is_empty());
    }

    #[test]
    fn a_transport_stream_is_video() {
        let stream = [&[SYNC][..], &noise(TRANSPORT - 1)].concat().repeat(7);
        assert_eq!(of(&packet(33, &stream), 40_001, 5004), ["rtp.media=video"]);
        assert!(of(&packet(33, &stream[1..]), 40_001, 5004).is_empty());
    }

    #[test]
    fn other_sizes_types_and_ports_say_nothing() {
        for quiet in [packet(0, &noise(161)), packet(96, &noise(160)), packet(0, &[]), noise(172)] {
            assert!(of(&quiet, 16384, 20000).is_empty());
        }
        assert!(of(&packet(0, &noise(160)), 16385, 20000).is_empty());
        assert!(of(&packet(0, &noise(160)), 443, 20000).is_empty());
        let mut between = packet(0, &noise(160));
        between[3] = 65;
        assert!(of(&between, 16384, 20000).is_empty());
    }
}
