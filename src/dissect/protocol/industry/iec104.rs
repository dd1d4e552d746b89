//! IEC 60870-5-104 telecontrol: sides (IEC 60870-5-104, clause 5; 60870-5-101, 7.2).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Whether a segment may begin with a message.
pub(crate) fn may_speak(payload: &[u8]) -> bool {
    payload.first() == Some(&0x68)
}

/// Dissects what begins a segment to or from TCP 2404; anything but a whole message says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let Some([0x68, length]) = r.array() else { return Ok(()) };
    let Some(message) = r.take(length.into()) else { return Ok(()) };
    if is_sound(message, payload.side) && matches!(r.rest(), [] | [0x68, ..]) {
        words.label(Field::OtRole, payload.side.pick("iec104:client", "iec104:server"));
    }
    Ok(())
}

/// Clause 5.1: unnumbered, supervisory, and information messages. Start and stop are the controlling station's to ask
/// for, and commands too.
fn is_sound(message: &[u8], side: Side) -> bool {
    match message {
        [0x07 | 0x13, 0, 0, 0] => side == Side::Client,
        [0x0b | 0x23, 0, 0, 0] => side == Side::Server,
        [0x43 | 0x83, 0, 0, 0] | [1, 0, _, _] => true,
        [sent, _, received, _, kind, qualifier, cause, _, _, _, _, _, _, ..] => {
            // Process information runs to the controlling side only; every command has an answer of its own type.
            let fits = matches!((*kind, side), (1..=44 | 70, Side::Server) | (45..=69 | 100..=107 | 110..=113 | 120..=127, _));
            sent & 1 == 0
                && received & 1 == 0
                && fits
                && qualifier & 0x7f != 0
                && (1..=47).contains(&(cause & 0x3f))
        }
        _ => false,
    }
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
    fn start_and_information_tell_the_side() {
        let (start, confirm) = ([0x68, 4, 7, 0, 0, 0], [0x68, 4, 0x0b, 0, 0, 0]);
        assert_eq!(of(&start, Side::Client), ["ot.role=iec104:client"]);
        assert_eq!(of(&confirm, Side::Server), ["ot.role=iec104:server"]);
        assert!(of(&start, Side::Server).is_empty() && of(&confirm, Side::Client).is_empty());
        let measured = [0x68, 14, 2, 0, 4, 0, 1, 1, 3, 0, 1, 0, 7, 0, 0, 1];
        assert_eq!(of(&measured, Side::Server), ["ot.role=iec104:server"]);
        assert!(of(&measured, Side::Client).is_empty());
        let interrogation = [0x68, 14, 2, 0, 4, 0, 100, 1, 6, 0, 1, 0, 0, 0, 0, 20];
        assert_eq!(of(&[&interrogation[..], &start].concat(), Side::Client), ["ot.role=iec104:client"]);
        survives(&measured, |p, w| dissect(&p.on(Side::Server), w));
    }

    #[test]
    fn other_traffic_says_nothing() {
        for other in
            [&b"hello"[..], &[0x68, 4, 9, 9, 9, 9], &[0x68, 40, 7, 0, 0, 0], &[0x68, 4, 7, 0, 0, 0, 1]]
        {
            assert!(of(other, Side::Client).is_empty(), "{other:?}");
        }
    }
}
