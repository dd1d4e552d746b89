//! CoAP: the resources that a client asks for and a server has (RFC 7252 section 3, RFC 6690).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Options that are read of one message.
const OPTIONS: usize = 32;
/// Links that are taken from one list of resources.
const LINKS: usize = 16;

const URI_PATH: u16 = 11;
const CONTENT_FORMAT: u16 = 12;
/// The content format of a list of resources.
const LINK_FORMAT: &[u8] = &[40];
/// The code by which Shelly devices publish their state to a group (CoIoT); the standard gives it to no method.
const PUBLISH: u8 = 30;

/// Dissects a message from or to UDP 5683.
///
/// # Errors
/// If it is not CoAP message, or an option is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let Some([first, code, _, _]) = r.array() else { return Err(malformed("truncated header")) };
    // RFC 7252 section 3: version 1, and a token of up to eight bytes.
    if first >> 6 != 1 || first & 0xf > 8 {
        return Err(malformed("unknown version"));
    }
    r.take(usize::from(first & 0xf)).ok_or_else(|| malformed("truncated token"))?;
    match code {
        1..=7 => {
            let path = path(&options(&mut r)?);
            words.say(Field::CoapPath, &[b"client:", &path[..]].concat());
        }
        PUBLISH => {
            let path = path(&options(&mut r)?);
            words.say(Field::CoapPath, &[b"server:", &path[..]].concat());
        }
        // Classes 2, 4 and 5 are answers.
        0x40..=0x5f | 0x80..=0xbf if payload.side == Side::Server => {
            words.say(Field::CoapPath, b"server:");
            let options = options(&mut r)?;
            if options.contains(&(CONTENT_FORMAT, LINK_FORMAT)) {
                say_links(r.rest(), words);
            }
        }
        _ => {}
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("coap", reason)
}

/// The options up to the payload, to which it leaves the reader (RFC 7252 section 3.1).
fn options<'a>(r: &mut Reader<'a>) -> Result<Vec<(u16, &'a [u8])>, Malformed> {
    let mut out = Vec::new();
    let mut number = 0_u16;
    while let Some(first) = r.u8().filter(|b| *b != 0xff) {
        if out.len() == OPTIONS {
            return Err(malformed("too many options"));
        }
        let extended = |nibble: u8, r: &mut Reader<'_>| match nibble {
            13 => r.u8().map(|n| u16::from(n) + 13),
            14 => r.u16().and_then(|n| n.checked_add(269)),
            15 => None,
            n => Some(n.into()),
        };
        let option = (|| {
            let (delta, length) = (extended(first >> 4, r)?, extended(first & 0xf, r)?);
            Some((number.checked_add(delta)?, r.take(length.into())?))
        })();
        let option = option.ok_or_else(|| malformed("truncated option"))?;
        number = option.0;
        out.push(option);
    }
    Ok(out)
}

fn path(options: &[(u16, &[u8])]) -> Vec<u8> {
    let segments = options.iter().filter(|(number, _)| *number == URI_PATH);
    let path: Vec<u8> = segments.flat_map(|(_, segment)| [b"/", *segment].concat()).collect();
    if path.is_empty() { b"/".to_vec() } else { path }
}

/// `</path>;attribute,…`, RFC 6690 section 2.
fn say_links(list: &[u8], words: &mut Words<'_>) {
    for link in list.split(|b| *b == b'<').skip(1).take(LINKS) {
        let mut parts = link.splitn(2, |b| *b == b'>');
        if let (Some(path), Some(_)) = (parts.next().filter(|p| p.starts_with(b"/")), parts.next()) {
            words.say(Field::CoapPath, &[b"server:", path].concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
        [&[0x40 | kind << 4 | 2, code, 0, 1, 0xaa, 0xbb], rest].concat()
    }

    const REQUEST: &[u8] = b"\xb3oic\x03res\x47if=oic.";
    const RESOURCES: &[u8] = b"\xc1\x28\xff</cit/d>;rt=\"d\",</cit/s>,<http://other>";

    #[test]
    fn a_client_asks_and_a_server_answers_and_publishes() {
        let run = |m: &[u8], side| said(|w| dissect(&Payload::new(m).on(side), w));
        let get = message(0, 1, REQUEST);
        assert_eq!(run(&get, Side::Client), (vec!["coap.path=client:/oic/res".to_owned()], Ok(())));
        assert_eq!(run(&message(1, 1, b""), Side::Server).0, ["coap.path=client:/"]);
        let list = message(2, 0x45, RESOURCES);
        let expected = ["coap.path=server:", "coap.path=server:/cit/d", "coap.path=server:/cit/s"];
        assert_eq!(run(&list, Side::Server), (expected.map(str::to_owned).to_vec(), Ok(())));
        let publish = message(1, PUBLISH, b"\xb3cit\x01s\xff{}");
        assert_eq!(run(&publish, Side::Server).0, ["coap.path=server:/cit/s"]);
        for sound in [get, list, publish] {
            survives(&sound, |p, w| dissect(&p.on(Side::Server), w));
        }
    }

    #[test]
    fn what_no_server_sent_or_is_empty_says_nothing() {
        for (quiet, side) in [(message(2, 0x45, RESOURCES), Side::Client), (message(0, 0, b""), Side::Server)]
        {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet).on(side), w)), (vec![], Ok(())));
        }
    }

    #[test]
    fn what_is_no_coap_is_malformed() {
        let many = message(0, 1, &[0xb0; OPTIONS + 1]);
        for bad in [
            &b"\x80\x01\0\x01"[..],
            b"\x49\x01\0\x01",
            b"\x42\x01\0\x01\0",
            b"hi",
            b"\x40\x01\0\x01\xf0",
            &many,
        ] {
            let (out, result) = said(|w| dissect(&Payload::new(bad).on(Side::Server), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
        assert!(said(|w| dissect(&Payload::new(&message(0, 1, b"\xbfx")).on(Side::Server), w)).1.is_err());
    }
}
