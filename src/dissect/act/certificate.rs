//! When the certificate ends by which a server proves itself (RFC 5246 section 7.4.2, RFC 5280 section 4.1.2.5).
//!
//! From TLS 1.3 on certificates are enciphered. A certificate often goes on in the next segment; its dates stand near its
//! beginning, so that the parts before them are skipped by their lengths and the rest is not needed.

use x509_parser::asn1_rs::{FromDer as _, Header, Tag};
use x509_parser::time::ASN1Time;

use super::text::HEAD;
use super::{Act, Scene};
use crate::census::conduct::DeedKind::Certifies;
use crate::dissect::{Reader, Sink};

const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
/// Messages of a segment that are looked at.
const MESSAGES: usize = 4;
/// A clock that was never set made certificates that end before, and 9999 says that a certificate has no end (RFC 5280 section
/// 4.1.2.5).
const YEARS: std::ops::Range<i32> = 2000..9999;

/// Notes the day on which the certificate of a server's first flight ends.
pub(super) fn shown<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let Some(end) = leaf(head).and_then(ends) else { return };
    let day = end.to_datetime().date();
    if YEARS.contains(&day.year()) {
        let label = format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day());
        scene.did(&Act::new(Certifies, &label).by(scene.source_port));
    }
}

/// The beginning of the server's own certificate: the first one behind its hello, in the same record or the next.
fn leaf(segment: &[u8]) -> Option<&[u8]> {
    let mut records = Reader::new(segment);
    let mut is_server = false;
    for _ in 0..MESSAGES {
        let [HANDSHAKE, 3, _] = records.array::<3>()? else { return None };
        let length = usize::from(records.u16()?);
        let mut messages = Reader::new(records.at_most(length));
        for _ in 0..MESSAGES {
            let Some([kind, high, middle, low]) = messages.array::<4>() else { break };
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            let mut message = Reader::new(messages.at_most(length));
            match kind {
                SERVER_HELLO => is_server = true,
                CERTIFICATE if is_server => {
                    message.take(6)?; // the lengths of the list and of the first certificate
                    return Some(message.rest());
                }
                _ => {}
            }
        }
    }
    None
}

/// When a certificate ends that may be cut behind its dates.
fn ends(der: &[u8]) -> Option<ASN1Time> {
    let (_, certificate) = inside(der, Tag::Sequence)?;
    let (_, mut rest) = inside(certificate, Tag::Sequence)?;
    if rest.first() == Some(&0xa0) {
        rest = behind(rest)?; // the version
    }
    for _ in 0..3 {
        rest = behind(rest)?; // the serial number, the algorithm, the issuer
    }
    let (_, validity) = inside(rest, Tag::Sequence)?;
    let (validity, _) = ASN1Time::from_der(validity).ok()?;
    ASN1Time::from_der(validity).ok().map(|(_, end)| end)
}

/// What follows a value, and the value, which may be cut.
fn value(der: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let (rest, header) = Header::from_der(der).ok()?;
    Some((header, rest))
}

/// The header of a value of this tag, and what it holds.
fn inside(der: &[u8], tag: Tag) -> Option<(Header<'_>, &[u8])> {
    value(der).filter(|(header, _)| header.tag() == tag)
}

/// What comes behind a value.
fn behind(der: &[u8]) -> Option<&[u8]> {
    let (header, rest) = value(der)?;
    rest.get(header.length().definite().ok()?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&[tag, 0x82][..], &u16::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
    }

    /// A certificate that ends then, without what stands behind its dates.
    fn certificate(end: &[u8]) -> Vec<u8> {
        let algorithm = der(0x30, &[&[6, 3, 0x2a, 3, 4]]);
        let dates = der(0x30, &[b"\x17\x0d250101000000Z", end]);
        let body = [&[0xa0, 3, 2, 1, 2, 2, 1, 9], &algorithm[..], &der(0x30, &[]), &dates].concat();
        der(0x30, &[&der(0x30, &[&body])])
    }

    fn year(end: &[u8]) -> Option<i32> {
        ends(&certificate(end)).map(|end| end.to_datetime().year())
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(year(b"\x17\x0d350101000000Z"), Some(2035));
        assert_eq!(year(b"\x17\x0d490101000000Z"), Some(2049), "RFC 5280: below 50 it is this century");
        assert_eq!(year(b"\x18\x0f20560101000000Z"), Some(2056));
        assert_eq!(year(b"\x18\x0f99991231235959Z"), Some(9999));
        assert_eq!(year(b"\x17\x0d351301000000Z"), None, "there is no thirteenth month");
    }

    #[test]
    fn a_certificate_that_is_cut_or_broken_says_nothing_or_the_same() {
        let whole = certificate(b"\x17\x0d350101000000Z");
        for end in 0..whole.len() {
            assert!(ends(&whole[..end]).is_none(), "{end}");
        }
        let mut copy = whole.clone();
        for n in 0..copy.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                copy[n] = byte;
                let _ = ends(&copy);
            }
            copy[n] = whole[n];
        }
    }

    #[test]
    fn a_client_certificate_is_not_the_servers() {
        let body = [&[0; 6][..], &certificate(b"\x17\x0d350101000000Z")].concat();
        let message = |kind: u8, body: &[u8]| {
            [&[kind, 0][..], &u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
        };
        let record = |messages: &[u8]| {
            [&[22, 3, 3][..], &u16::try_from(messages.len()).unwrap().to_be_bytes(), messages].concat()
        };
        let chain = message(CERTIFICATE, &body);
        assert!(leaf(&record(&chain)).is_none());
        let hello = message(SERVER_HELLO, &[3; 70]);
        assert!(leaf(&record(&[&hello[..], &chain].concat())).is_some());
        assert!(leaf(&[record(&hello), record(&chain)].concat()).is_some());
    }
}
