//! DNP3: sides, and the attributes that an outstation answers with (IEEE 1815, clauses 9.2, 8.2, 4.2 and annex C).
//!
//! The check sum of the header makes a link frame unmistakable, so it is found on any port.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Attributes of one answer that are read.
const ATTRIBUTES: usize = 32;
/// The longest user data of a link frame; clause 9.2.4.1.2.
const USER_BYTES: usize = 250;

/// Dissects what begins a segment or a datagram; anything else says nothing.
///
/// # Errors
/// If a device attribute breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(header), Some(sum)) = (r.array::<8>(), r.u16_le()) else { return Ok(()) };
    let [5, 0x64, length @ 5..=255, control, ..] = header else { return Ok(()) };
    if check(&header) != sum {
        return Ok(());
    }
    // The direction bit is the master's.
    let is_master = control & 0x80 != 0;
    words.label(Field::OtRole, if is_master { "dnp3:client" } else { "dnp3:server" });
    // User data, confirmed or not, comes in blocks of 16 bytes with a check sum each.
    if is_master || !matches!(control & 0x4f, 0x43 | 0x44) {
        return Ok(());
    }
    let mut user = Vec::with_capacity(USER_BYTES);
    let mut left = usize::from(length) - 5;
    while left > 0 {
        let n = left.min(16);
        let (Some(block), Some(sum)) = (r.take(n), r.u16_le()) else { return Ok(()) };
        if check(block) != sum {
            return Ok(());
        }
        user.extend_from_slice(block);
        left -= n;
    }
    match user.as_slice() {
        // The first segment (0x40) of an answer (129) or an unsolicited one (130), after its two bytes of indications.
        [transport, _control, 129 | 130, _, _, objects @ ..] if transport & 0x40 != 0 => {
            attributes(objects, words).ok_or(Malformed::new("dnp3", "broken device attribute"))
        }
        _ => Ok(()),
    }
}

/// Clause A.1: objects of group 0, each with a range of one point, a type and a length.
fn attributes(objects: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(objects);
    for _ in 0..ATTRIBUTES {
        let Some([0, variation, 0, start, stop]) = r.array() else { break };
        if start != stop {
            break;
        }
        let [kind, length] = r.array()?;
        // A long answer goes on in further segments.
        let Some(value) = r.take(length.into()) else { break };
        // A visible string that names software, product or manufacturer.
        if kind == 1 && matches!(variation, 242 | 250 | 252) {
            words.say(Field::OtIdentity, &[b"dnp3:", value].concat());
        }
    }
    Some(())
}

/// Clause 9.2.5: the polynomial 0x3D65, reflected, inverted at the end.
fn check(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0u16, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |s, _| if s & 1 == 1 { s >> 1 ^ 0xa6bc } else { s >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn frame(control: u8, user: &[u8]) -> Vec<u8> {
        let mut out = vec![5, 0x64, u8::try_from(user.len()).unwrap() + 5, control, 1, 0, 0, 4];
        out.extend(check(&out).to_le_bytes());
        for block in user.chunks(16) {
            out.extend(block);
            out.extend(check(block).to_le_bytes());
        }
        out
    }

    #[test]
    fn the_direction_tells_the_side() {
        // The check sum of this header is known: IEEE 1815 prints it.
        let reset = [5, 0x64, 5, 0xc0, 1, 0, 0, 4, 0xe9, 0x21];
        assert_eq!(said(|w| dissect(&Payload::new(&reset), w)).0, ["ot.role=dnp3:client"]);
        assert_eq!(said(|w| dissect(&Payload::new(&frame(0x0b, &[])), w)).0, ["ot.role=dnp3:server"]);
        let mut lie = frame(0x0b, &[]);
        lie[9] ^= 1;
        assert!(said(|w| dissect(&Payload::new(&lie), w)).0.is_empty());
    }

    #[test]
    fn an_outstation_answers_with_its_attributes() {
        let objects = b"\0\xfc\0\0\0\x01\x07Example\0\xfa\0\0\0\x01\x05RTU-5\0\xf2\0\0\0\x01\x031.2";
        let user = [&[0xc0, 0xc1, 129, 0, 0], &objects[..]].concat();
        let answer = frame(0x44, &user);
        let (out, result) = said(|w| dissect(&Payload::new(&answer), w));
        assert_eq!(
            out,
            [
                "ot.role=dnp3:server",
                "ot.identity=dnp3:Example",
                "ot.identity=dnp3:RTU-5",
                "ot.identity=dnp3:1.2"
            ]
        );
        assert_eq!(result, Ok(()));
        survives(&answer, dissect);
    }
}
