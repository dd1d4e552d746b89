//! BGP: a sender of messages is a speaker (RFC 4271 section 4). Routers are, and so are some servers and load balancers.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// What every message starts with.
const MARKER: [u8; 16] = [0xff; 16];

/// The longest message, RFC 8654.
const LONGEST: u16 = u16::MAX - 1;

/// Dissects the beginning of a segment of TCP 179. What is not the head of a message says nothing.
///
/// # Errors
/// If an OPEN lies about a length or a value.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    match (r.array(), r.u16(), r.u8()) {
        (Some(MARKER), Some(length), Some(1)) => {
            sound(length, &mut r).ok_or(Malformed::new("bgp", "broken OPEN"))?;
        }
        // UPDATE, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH (RFC 2918).
        (Some(MARKER), Some(23..=LONGEST), Some(2))
        | (Some(MARKER), Some(21..=LONGEST), Some(3))
        | (Some(MARKER), Some(19), Some(4))
        | (Some(MARKER), Some(23..=LONGEST), Some(5)) => {}
        _ => return Ok(()),
    }
    words.say(Field::RouterTask, b"bgp");
    Ok(())
}

/// Version 4, AS, hold time, identifier, and parameters that fill the message.
fn sound(length: u16, r: &mut Reader<'_>) -> Option<()> {
    let (4, _as, hold, identifier, parameters) = (r.u8()?, r.u16()?, r.u16()?, r.u32()?, r.u8()?) else {
        return None;
    };
    // RFC 9072: 255 says that a longer length follows.
    let fits = length == 29 + u16::from(parameters) || parameters == 255 && length > 29;
    (fits && !matches!(hold, 1 | 2) && identifier != 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn open(length: u8, hold: u8) -> Vec<u8> {
        let body = [0, length, 1, 4, 0xfd, 0xe8, 0, hold, 192, 0, 2, 1, 4, 2, 2, 2, 0];
        [&MARKER[..], &body].concat()
    }

    #[test]
    fn a_message_tells_a_speaker_and_other_bytes_nothing() {
        assert_eq!(
            said(|w| dissect(&Payload::new(&open(33, 180)), w)),
            (vec!["router.task=bgp".to_owned()], Ok(()))
        );
        survives(&open(33, 180), dissect);
        let keepalive = [&MARKER[..], &[0, 19, 4]].concat();
        assert_eq!(said(|w| dissect(&Payload::new(&keepalive), w)).0, ["router.task=bgp"]);
        let odd = [&MARKER[..], &[0, 20, 4]].concat();
        for quiet in [&odd[..], b"hello", b""] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())));
        }
        for bad in [open(34, 180), open(33, 1), open(33, 180)[..28].to_vec()] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err());
        }
    }
}
