//! RDP: who connects and who serves, from the first two messages (MS-RDPBCGR sections 2.2.1.1 and 2.2.1.2, RFC 1006
//! section 6, X.224 section 13).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// What goes before the name in a cookie.
const COOKIE: &[u8] = b"Cookie: mstshash=";

/// Dissects the beginning of a segment from or to TCP 3389; what is neither request nor confirmation says nothing.
///
/// # Errors
/// Never: what is not strictly of the form is another protocol.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some((code, rest)) = connection(payload.bytes) else { return Ok(()) };
    match (code, payload.side) {
        (0xe0, Side::Client) => {
            let name = rest.strip_prefix(COOKIE).and_then(|r| r.split(|b| matches!(b, b'\r' | b'\n')).next());
            match name {
                Some(name) => words.say(Field::RdpRole, &[b"client:", name].concat()),
                // A routing token, or nothing but the protocols that the client speaks.
                None if rest.starts_with(b"Cookie: ") || matches!(rest, [1, _, 8, 0, ..] | []) => {
                    words.say(Field::RdpRole, b"client");
                }
                None => {}
            }
        }
        // The protocol that the server chose, its refusal, or nothing from an old one.
        (0xd0, Side::Server) if matches!(rest, [2 | 3, _, 8, 0, _, _, _, _] | []) => {
            words.say(Field::RdpRole, b"server");
        }
        _ => {}
    }
    Ok(())
}

/// The code of an X.224 connection message that fills the segment, and what follows its fixed part.
fn connection(payload: &[u8]) -> Option<(u8, &[u8])> {
    let mut r = Reader::new(payload);
    let ([3, 0], length) = (r.array()?, r.u16()?) else { return None };
    if usize::from(length) != payload.len() {
        return None;
    }
    let indicator = r.u8()?;
    if usize::from(indicator) != r.rest().len() {
        return None;
    }
    let (code, _destination, _source, class) = (r.u8()?, r.u16()?, r.u16()?, r.u8()?);
    (class == 0).then(|| (code, r.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(code: u8, rest: &[u8]) -> Vec<u8> {
        let indicator = u8::try_from(6 + rest.len()).unwrap();
        [&[3, 0, 0, indicator + 5, indicator, code, 0, 0, 0x12, 0x34, 0], rest].concat()
    }

    fn of(payload: &[u8], side: Side) -> Vec<String> {
        said(|w| dissect(&Payload::new(payload).on(side), w)).0
    }

    #[test]
    fn a_client_asks_with_its_cookie_and_a_server_confirms() {
        let request = message(0xe0, b"Cookie: mstshash=alice\r\n\x01\0\x08\0\x0b\0\0\0");
        assert_eq!(of(&request, Side::Client), ["rdp.role=client:alice"]);
        assert_eq!(of(&message(0xe0, b"\x01\0\x08\0\x0b\0\0\0"), Side::Client), ["rdp.role=client"]);
        assert_eq!(of(&message(0xe0, b"Cookie: msts=1.2.0000\r\n"), Side::Client), ["rdp.role=client"]);
        assert_eq!(of(&message(0xd0, b"\x02\x1f\x08\0\x02\0\0\0"), Side::Server), ["rdp.role=server"]);
        assert_eq!(of(&message(0xd0, b""), Side::Server), ["rdp.role=server"]);
        survives(&request, |p, w| dissect(&p.on(Side::Client), w));
    }

    #[test]
    fn the_wrong_side_and_other_messages_say_nothing() {
        let request = message(0xe0, b"Cookie: mstshash=alice\r\n");
        assert!(of(&request, Side::Server).is_empty());
        assert!(of(&message(0xd0, b""), Side::Client).is_empty());
        assert!(of(&message(0xe0, b"\xc1\x02\x01\0\xc2\x02\x01\x02"), Side::Client).is_empty());
        assert!(of(&[&request[..], b"x"].concat(), Side::Client).is_empty());
        assert!(of(&[0x16, 3, 1, 0, 5], Side::Server).is_empty());
    }
}
