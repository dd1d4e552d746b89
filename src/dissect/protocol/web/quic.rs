//! QUIC: the ClientHello in a client's first packet (RFC 9000 section 17.2.2, RFC 9001 section 5, RFC 9369).
//!
//! The keys of an Initial packet follow from the connection id that the client chose and stands in it, so everybody on
//! the way may read it. Each packet is read for itself: of a hello that goes on in a second packet, what the first one
//! holds is said. A server's packets, and a client's once it uses the server's connection id, do not open and say
//! nothing.

use rustls::Side;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{DirectionalKeys, Version};

use crate::dissect::protocol::form::hello;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// A datagram with an Initial packet has at least this many bytes (RFC 9000 section 14.1).
const LEAST: usize = 1200;
/// The longest datagram that is opened.
const MOST: usize = 9216;
/// The longest connection id, RFC 9000 section 17.2.
const CONNECTION_ID: u8 = 20;
/// Frames that are read of one packet. Clients that shuffle their hello send some twenty.
const FRAMES: usize = 256;

/// Whether a datagram starts as an Initial packet of version 1 or 2.
pub(crate) fn is_initial(payload: &[u8]) -> bool {
    let Some([first, version @ ..]) = payload.first_chunk::<5>() else { return false };
    // Form, fixed bit and type.
    let kind = first >> 4;
    (LEAST..=MOST).contains(&payload.len())
        && match u32::from_be_bytes(*version) {
            1 => kind == 0b1100,
            0x6b33_43cf => kind == 0b1101,
            _ => false,
        }
}

/// Dissects a datagram whose first packet is a client's Initial; anything else says nothing.
///
/// # Errors
/// If a packet that opened breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if !is_initial(payload.bytes) {
        return Ok(());
    }
    let Some(frames) = open(payload.bytes) else { return Ok(()) };
    hello::say(&crypto(&frames)?, 'q', words)
}

/// The frames of the packet in the clear; `None` if the keys of a client's first packet do not open it.
fn open(payload: &[u8]) -> Option<Vec<u8>> {
    let mut r = Reader::new(payload);
    let (mut first, version) = (r.u8()?, if r.u32()? == 1 { Version::V1 } else { Version::V2 });
    let length = r.u8().filter(|n| *n <= CONNECTION_ID)?;
    let destination = r.take(length.into())?;
    let length = r.u8().filter(|n| *n <= CONNECTION_ID)?;
    r.take(length.into())?;
    let token = varint(&mut r)?;
    r.take(token)?;
    let length = varint(&mut r)?;
    let header = payload.get(..payload.len().checked_sub(r.rest().len())?)?;
    let protected = r.take(length)?;

    // RFC 9001 section 5.4.2: the sample stands where it would after a packet number of four bytes.
    let (number, rest) = protected.split_first_chunk::<4>()?;
    let (sample, _) = rest.split_first_chunk::<16>()?;
    let keys = keys(version, destination)?;
    let mut number = *number;
    keys.header.decrypt_in_place(sample, &mut first, &mut number).ok()?;
    let number = number.get(..usize::from(first & 3) + 1)?;

    let mut header = header.to_vec();
    *header.first_mut()? = first;
    header.extend(number);
    let mut text = protected.get(number.len()..)?.to_vec();
    let number = number.iter().fold(0, |n, b| n << 8 | u64::from(*b));
    let length = keys.packet.decrypt_in_place(number, &header, &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

/// What a server opens a client's first packets with.
fn keys(version: Version, destination: &[u8]) -> Option<DirectionalKeys> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13()?.quic_suite()?;
    Some(suite.keys(destination, Side::Server, version).remote)
}

/// The beginning of the handshake, as far as it is in the CRYPTO frames without a gap (RFC 9000 section 19.6).
fn crypto(frames: &[u8]) -> Result<Vec<u8>, Malformed> {
    let broken = || Malformed::new("quic", "broken frame");
    let mut r = Reader::new(frames);
    let mut pieces = Vec::new();
    while let Some(kind) = r.u8() {
        match kind {
            // Padding and ping.
            0 | 1 => {}
            6 if pieces.len() < FRAMES => {
                let (offset, length) = varint(&mut r).zip(varint(&mut r)).ok_or_else(broken)?;
                pieces.push((offset, r.take(length).ok_or_else(broken)?));
            }
            // An acknowledgement, or the connection's end: no first packet, or nothing behind that counts.
            _ => break,
        }
    }
    pieces.sort_unstable_by_key(|(offset, _)| *offset);
    let mut out: Vec<u8> = Vec::new();
    for (offset, piece) in pieces {
        let Some(known) = out.len().checked_sub(offset) else { break };
        out.extend(piece.get(known..).unwrap_or_default());
    }
    Ok(out)
}

/// RFC 9000 section 16.
fn varint(r: &mut Reader<'_>) -> Option<usize> {
    let first = r.u8()?;
    let more = r.take((1 << (first >> 6)) - 1)?;
    let n = more.iter().fold(u64::from(first & 0x3f), |n, b| n << 8 | u64::from(*b));
    usize::try_from(n).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::hello::tests::{hello, sni};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const CONNECTION: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

    fn frame(offset: u16, data: &[u8]) -> Vec<u8> {
        let varint = |n: u16| (0x4000 | n).to_be_bytes();
        let length = varint(u16::try_from(data.len()).unwrap());
        [&[6][..], &varint(offset), &length, data].concat()
    }

    /// A client's first packet with those frames, padded as one is; sealed by the side that holds the keys.
    fn packet(version: Version, side: Side, frames: &[u8]) -> Vec<u8> {
        let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap().quic_suite().unwrap();
        let keys = suite.keys(&CONNECTION, side, version).local;
        let (first, number): (u8, _) = match version {
            Version::V2 => (0xd3, 0x6b33_43cf_u32),
            _ => (0xc3, 1),
        };
        let mut header = [&[first][..], &number.to_be_bytes(), &[8], &CONNECTION, &[0, 0]].concat();
        let mut text = frames.to_vec();
        text.resize(1200, 0);
        header.extend((0x4000 | u16::try_from(4 + text.len() + 16).unwrap()).to_be_bytes());
        header.extend([0, 0, 0, 2]);
        let tag = keys.packet.encrypt_in_place(2, &header, &mut text).unwrap();
        text.extend(tag.as_ref());
        let (mut first, mut number) = (header[0], [0, 0, 0, 2]);
        keys.header.encrypt_in_place(&text[..16], &mut first, &mut number).unwrap();
        header[0] = first;
        let at = header.len() - 4;
        header[at..].copy_from_slice(&number);
        [header, text].concat()
    }

    #[test]
    fn the_first_packet_of_a_client_says_its_hello() {
        let hello = hello(&[0x1301], &[sni("quic.example.org")]);
        let (a, b) = hello.split_at(40);
        let shuffled = [frame(40, b), vec![1, 0, 0], frame(0, &a[..30]), frame(20, &a[20..])].concat();
        for version in [Version::V1, Version::V2] {
            for frames in [frame(0, &hello), shuffled.clone()] {
                let (out, result) =
                    said(|w| dissect(&Payload::new(&packet(version, Side::Client, &frames)), w));
                assert_eq!((out[0].as_str(), out.len(), result), ("tls.sni=quic.example.org", 2, Ok(())));
                assert!(out[1].starts_with("tls.ja4=q12d010100_"), "{out:?}");
            }
        }
    }

    #[test]
    fn a_hello_that_goes_on_in_another_packet_says_what_is_here() {
        let hello = hello(&[0x1301], &[sni("quic.example.org"), sni("padding.example.org")]);
        let frames = frame(0, &hello[..hello.len() - 3]);
        let (out, _) = said(|w| dissect(&Payload::new(&packet(Version::V1, Side::Client, &frames)), w));
        assert_eq!(out, ["tls.sni=quic.example.org"]);
        let second = frame(700, &hello);
        assert_eq!(
            said(|w| dissect(&Payload::new(&packet(Version::V1, Side::Client, &second)), w)),
            (vec![], Ok(()))
        );
    }

    #[test]
    fn what_does_not_open_says_nothing() {
        let sealed = packet(Version::V1, Side::Server, &frame(0, &hello(&[0x1301], &[sni("a.example")])));
        assert_eq!(said(|w| dissect(&Payload::new(&sealed), w)), (vec![], Ok(())));
        for other in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xc0; 1300], &[0xc3, 0, 0, 0, 1], b""] {
            assert_eq!(said(|w| dissect(&Payload::new(other), w)), (vec![], Ok(())));
        }
        let mut endless = sealed;
        endless[15..17].copy_from_slice(&[0x7f, 0xff]);
        assert_eq!(said(|w| dissect(&Payload::new(&endless), w)), (vec![], Ok(())));
    }

    #[test]
    fn broken_frames_do_no_harm() {
        let cut = frame(0, &[1, 0, 0, 9]);
        assert!(crypto(&cut[..7]).is_err());
        survives(&[frame(5, b"world"), frame(0, b"hello")].concat(), |p, _| crypto(p.bytes).map(drop));
        assert_eq!(crypto(&[frame(5, b"world"), frame(0, b"hello")].concat()).unwrap(), b"helloworld");
    }
}
