//! H.323: product and version of the endpoint that sets up a call or registers (ITU-T H.225.0 sections 7.3 and 7.9,
//! Q.931, RFC 2126 for the frame over TCP).
//!
//! The messages are ASN.1 in aligned PER. The vendor's identification is not reached field by field: it is looked for
//! behind the protocol's object identifier, where two numbers, a length and a text, a length and a text follow each
//! other; in a message that is one of H.225.0 by its frame and that identifier.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// 0.0.8.2250.0, which every first message names with a version behind it.
const PROTOCOL: &[u8] = &[0x06, 0x00, 0x08, 0x91, 0x4a, 0x00];
/// Bytes behind the identifier in which the vendor is looked for.
const WINDOW: usize = 400;
/// The longest text in bytes that is believed, so that its length is not mistaken for a letter.
const TEXT: usize = 32;
/// The element of a Q.931 message that holds H.225.0, and information elements before it that are looked at.
const USER_TO_USER: u8 = 0x7e;
const ELEMENTS: usize = 24;

/// Dissects the beginning of a segment from or to TCP 1720.
///
/// # Errors
/// Never: what is not strictly of the form is another protocol.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some(body) = user_to_user(payload.bytes) {
        say(body, words);
    }
    Ok(())
}

/// Dissects a datagram to UDP 1719: an endpoint looks for a gatekeeper, or registers.
///
/// # Errors
/// Never: what is not strictly of the form is another protocol.
pub(crate) fn dissect_registration(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // The first and the fourth alternative of RasMessage: gatekeeperRequest, registrationRequest.
    if payload.bytes.first().is_some_and(|first| matches!(first >> 1, 0 | 1 | 6 | 7)) {
        say(payload.bytes, words);
    }
    Ok(())
}

/// The H.225.0 message in one of Q.931 that fills a TPKT frame: Setup, or an answer to it.
fn user_to_user(payload: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(payload);
    let ([3, 0], length) = (r.array()?, r.u16()?) else { return None };
    let ([8, 2], _reference, kind) = (r.array()?, r.u16()?, r.u8()?) else { return None };
    // Alerting, call proceeding, setup, connect.
    if usize::from(length) != payload.len() || !matches!(kind, 1 | 2 | 5 | 7) {
        return None;
    }
    for _ in 0..ELEMENTS {
        match r.u8()? {
            USER_TO_USER => {
                let length = r.u16()?;
                // X.208 and X.209 coded user information.
                return r.take(length.into())?.strip_prefix(&[5]);
            }
            0x80.. => {}
            _ => {
                let length = r.u8()?;
                r.take(length.into())?;
            }
        }
    }
    None
}

fn say(message: &[u8], words: &mut Words<'_>) {
    let at = message.windows(PROTOCOL.len()).position(|w| w == PROTOCOL);
    let Some(behind) = at.and_then(|at| message.get(at + PROTOCOL.len()..)) else { return };
    let window = behind.get(..WINDOW).unwrap_or(behind);
    let found = (0..window.len()).find_map(|at| vendor(Reader::new(window.get(at..)?)));
    if let Some((product, version)) = found {
        words.say(Field::H323Product, &[product, b" ", version].concat());
    }
}

/// VendorIdentifier behind its preamble: country, extension and maker, then product and version, each with its length
/// less one.
fn vendor(mut r: Reader<'_>) -> Option<(&[u8], &[u8])> {
    let _country_extension_and_maker = r.u32()?;
    let (product, version) = (text(&mut r)?, text(&mut r)?);
    let letters = product.iter().filter(|b| b.is_ascii_alphanumeric()).count();
    (product.len() >= 3 && letters >= 3).then_some((product, version))
}

/// A printable text; old programs count its ending zeros.
fn text<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::from(r.u8()?) + 1;
    let text = r.take(length).filter(|_| length <= TEXT)?;
    let end = text.iter().position(|b| *b == 0).unwrap_or(length);
    let (text, zeros) = text.split_at_checked(end)?;
    let sound = !text.is_empty() && text.iter().all(|b| (b' '..=b'~').contains(b));
    (sound && zeros.iter().all(|b| *b == 0)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn vendor(product: &str, version: &str) -> Vec<u8> {
        let text = |t: &str| [&[u8::try_from(t.len() - 1).unwrap()], t.as_bytes()].concat();
        [&[0x22, 0xc0, 0xb5, 0, 0, 0x12][..], &text(product), &text(version)].concat()
    }

    fn setup(kind: u8, body: &[u8]) -> Vec<u8> {
        let body = [&[5, 0x20, 0xa8][..], PROTOCOL, &[4], body].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[8, 2, 0, 1, kind, 4, 3, 0x80, 0x90, 0xa5, 0x7e][..], &length, &body].concat();
        let length = u16::try_from(message.len() + 4).unwrap().to_be_bytes();
        [&[3, 0], &length[..], &message].concat()
    }

    #[test]
    fn a_caller_names_its_product() {
        let message = setup(5, &vendor("SpaceStation HD", "RNNG 2.1"));
        assert_eq!(
            said(|w| dissect(&Payload::new(&message), w)).0,
            ["h323.product=SpaceStation HD RNNG 2.1"]
        );
        let old = setup(7, &vendor("Callgen\0\0", "0.9\0\0"));
        assert_eq!(said(|w| dissect(&Payload::new(&old), w)).0, ["h323.product=Callgen 0.9"]);
        survives(&message, dissect);
    }

    #[test]
    fn an_endpoint_that_registers_names_its_product() {
        let of = |first: u8| [&[first, 0x80, 0, 1][..], PROTOCOL, &[5], &vendor("VC-1", "7")].concat();
        assert_eq!(said(|w| dissect_registration(&Payload::new(&of(0x0e)), w)).0, ["h323.product=VC-1 7"]);
        assert!(said(|w| dissect_registration(&Payload::new(&of(0x12)), w)).0.is_empty());
        survives(&of(0x0e), dissect_registration);
    }

    #[test]
    fn messages_without_a_vendor_and_other_frames_say_nothing() {
        let text =
            b"A text of many letters that does not name a product, and is longer than a product's text";
        for quiet in
            [setup(5, text), setup(5, b""), setup(90, &vendor("SpaceStation", "1")), vec![3, 0, 0, 4]]
        {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())));
        }
        let mut longer = setup(5, &vendor("SpaceStation", "1"));
        longer.push(0);
        assert!(said(|w| dissect(&Payload::new(&longer), w)).0.is_empty());
    }
}
