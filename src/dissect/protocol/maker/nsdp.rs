//! NSDP: what a switch by Netgear answers to the maker's discovery, UDP 63322 and 63324 (the format that free tools for
//! these switches describe).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Parts that one answer may hold.
const PARTS: usize = 64;

/// Dissects a datagram from a switch. Anything but an answer says nothing.
///
/// # Errors
/// If a part of an answer runs past its end; what came before it is said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([1, 2 | 4]), Some(_), Some(b"NSDP"), Some(_)) = (r.array(), r.take(22), r.take(4), r.u32())
    else {
        return Ok(());
    };
    words.say(Field::DiscoveryIdentity, b"nsdp");
    for _ in 0..PARTS {
        let (Some(kind), Some(length)) = (r.u16(), r.u16()) else { return Ok(()) };
        let value = r.take(length.into()).ok_or(Malformed::new("nsdp", "truncated part"))?;
        match kind {
            1 => words.say(Field::DiscoveryIdentity, &[b"nsdp:", value].concat()),
            0xffff => return Ok(()),
            _ => {}
        }
    }
    Err(Malformed::new("nsdp", "too many parts"))
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn an_answer_names_the_switch() {
        let mut answer = [&[1, 2][..], &[0; 22], b"NSDP", &[0; 4]].concat();
        answer.extend([0, 1, 0, 8]);
        answer.extend(b"GS108Ev3");
        answer.extend([0xff, 0xff, 0, 0]);
        assert_eq!(
            heard(&answer, 63322, 63321),
            ["discovery.identity=nsdp", "discovery.identity=nsdp:GS108Ev3"]
        );
        survives_datagram(&answer, 63322, 63321);
        answer[1] = 1;
        assert!(heard(&answer, 63322, 63321).is_empty());
    }
}
