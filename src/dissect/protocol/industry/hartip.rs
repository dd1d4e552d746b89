//! HART-IP: sides (FieldComm Group TS20085, Network Management Specification, HART-IP messages). A gateway's field
//! devices are not its own identity, so no command is read.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Dissects a message of TCP or UDP 5094; anything but a whole message says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([1 | 2, kind, id]), Some([_status, _, _]), Some(length)) = (r.array(), r.array(), r.u16())
    else {
        return Ok(());
    };
    // Requests (0), answers (1), publications (2), refusals (15); session start and end, keep-alive, a HART message,
    // or direct commands.
    let speaks_as = match (kind & 0x0f, id) {
        (0, 0..=4) => Side::Client,
        (1 | 2 | 15, 0..=4) => Side::Server,
        _ => return Ok(()),
    };
    if speaks_as == payload.side && kind & 0x70 == 0 && usize::from(length) == payload.bytes.len() {
        words.label(Field::OtRole, payload.side.pick("hartip:client", "hartip:server"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn the_kind_of_a_message_tells_the_side() {
        let of = |payload: &[u8], side| said(|w| dissect(&Payload::new(payload).on(side), w)).0;
        let request = [1, 0, 0, 0, 0, 1, 0, 13, 1, 0, 0, 0x75, 0x30];
        assert_eq!(of(&request, Side::Client), ["ot.role=hartip:client"]);
        assert!(of(&request, Side::Server).is_empty());
        assert_eq!(of(&[1, 1, 3, 0, 0, 2, 0, 8], Side::Server), ["ot.role=hartip:server"]);
        assert!(of(&[1, 1, 3, 0, 0, 2, 0, 9], Side::Server).is_empty());
        survives(&request, |p, w| dissect(&p.on(Side::Client), w));
    }
}
