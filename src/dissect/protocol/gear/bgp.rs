//! BGP: a sender of an OPEN is a speaker (RFC 4271 section 4). Routers are, and so are some servers and load balancers.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// What every message starts with.
const MARKER: [u8; 16] = [0xff; 16];

/// Dissects the beginning of a segment of TCP 179. Anything but an OPEN says nothing.
///
/// # Errors
/// If an OPEN lies about a length or a value.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(MARKER), Some(length), Some(1)) = (r.array(), r.u16(), r.u8()) else { return Ok(()) };
    sound(length, &mut r).ok_or(Malformed::new("bgp", "broken OPEN"))?;
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
    fn an_open_tells_a_speaker_and_other_messages_nothing() {
        assert_eq!(
            said(|w| dissect(&Payload::new(&open(33, 180)), w)),
            (vec!["router.task=bgp".to_owned()], Ok(()))
        );
        survives(&open(33, 180), dissect);
        let keepalive = [&MARKER[..], &[0, 19, 4]].concat();
        for quiet in [&keepalive[..], b"hello", b""] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())));
        }
        for bad in [open(34, 180), open(33, 1), open(33, 180)[..28].to_vec()] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err());
        }
    }
}
