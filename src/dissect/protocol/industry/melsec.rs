//! Mitsubishi MELSEC (MC protocol 3E and 4E, SLMP) in binary: sides, and the model of a controller that answers "read
//! type name" (CC-Link Partner Association BAP-C2006, SLMP specification; Mitsubishi SH-080956).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Dissects a message of TCP or UDP 5006 or 5007; anything but a whole message of that side says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some(data) = body(payload.bytes, payload.side) {
        words.label(Field::OtRole, payload.side.pick("melsec:client", "melsec:server"));
        if payload.side == Side::Server
            && let Some(name) = type_name(data)
        {
            words.say(Field::OtIdentity, &[b"melsec:", name].concat());
        }
    }
    Ok(())
}

/// What follows the head of a message: for a request its timer, for an answer its end code. The route must be the
/// sender's own station.
fn body(payload: &[u8], side: Side) -> Option<&[u8]> {
    let mut r = Reader::new(payload);
    match (r.array()?, side) {
        ([0x50, 0], Side::Client) | ([0xd0, 0], Side::Server) => {}
        ([0x54, 0], Side::Client) | ([0xd4, 0], Side::Server) => {
            let [_, _, 0, 0] = r.array()? else { return None };
        }
        _ => return None,
    }
    let [0, 0xff, 0xff, 3, 0] = r.array()? else { return None };
    let length = r.u16_le()?;
    let least = if side == Side::Client { 6 } else { 2 };
    (length >= least && usize::from(length) == r.rest().len()).then_some(r.rest())
}

/// A name of 16 characters, padded with blanks, and a code of two bytes; a good answer to another request hardly looks
/// like that.
fn type_name(data: &[u8]) -> Option<&[u8]> {
    let ([0, 0], name) = data.split_first_chunk()? else { return None };
    let (name, _code) = name.split_last_chunk::<2>().filter(|(name, _)| name.len() == 16)?;
    let name = name.trim_ascii_end();
    let is_name = name.len() >= 4
        && name.first().is_some_and(u8::is_ascii_uppercase)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'(' | b')'));
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn of(payload: &[u8], side: Side) -> Vec<String> {
        said(|w| dissect(&Payload::new(payload).on(side), w)).0
    }

    #[test]
    fn a_controller_answers_with_its_type() {
        let answer = b"\xd0\0\0\xff\xff\x03\0\x14\0\0\0R04CPU          \x01\x48";
        assert_eq!(of(answer, Side::Server), ["ot.role=melsec:server", "ot.identity=melsec:R04CPU"]);
        survives(answer, |p, w| dissect(&p.on(Side::Server), w));
        let words = b"\xd0\0\0\xff\xff\x03\0\x14\0\0\0\x01\x02\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(of(words, Side::Server), ["ot.role=melsec:server"]);
        // A station behind the one that answers.
        let other = b"\xd0\0\x01\x02\xff\x03\0\x14\0\0\0R04CPU          \x01\x48";
        assert!(of(other, Side::Server).is_empty());
    }

    #[test]
    fn a_request_is_a_clients() {
        let request = b"\x50\0\0\xff\xff\x03\0\x0c\0\x10\0\x01\x04\0\0\0\0\0\xa8\x01\0";
        assert_eq!(of(request, Side::Client), ["ot.role=melsec:client"]);
        assert!(of(request, Side::Server).is_empty());
        assert!(of(&request[..20], Side::Client).is_empty());
        let numbered = b"\x54\0\x07\0\0\0\0\xff\xff\x03\0\x06\0\x10\0\x01\x01\0\0";
        assert_eq!(of(numbered, Side::Client), ["ot.role=melsec:client"]);
    }
}
