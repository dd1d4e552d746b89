//! HiSLIP, which controls measuring instruments: sides, and the answer of an instrument to `*IDN?` (IVI-6.1, section 2;
//! IEEE 488.2, 10.14).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Dissects what begins a segment to or from TCP 4880; anything but a whole message of that side says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([b'H', b'S', kind, _control]), Some(_parameter), Some(0), Some(length)) =
        (r.array(), r.u32(), r.u32(), r.u32())
    else {
        return Ok(());
    };
    let Some(data) = usize::try_from(length).ok().and_then(|n| r.take(n)) else { return Ok(()) };
    match (kind, payload.side) {
        // Initialize and its asynchronous twin, and the answers to them; data goes both ways.
        (0 | 17, Side::Client) | (1 | 18, Side::Server) | (6 | 7, _) => {}
        _ => return Ok(()),
    }
    words.label(Field::OtRole, payload.side.pick("hislip:client", "hislip:server"));
    if let ([maker, model, _serial, firmware], Side::Server, 7) = (&fields(data)[..], payload.side, kind)
        && maker.first().is_some_and(u8::is_ascii_alphabetic)
    {
        words.say(Field::OtIdentity, &[b"hislip:", *maker, b",", *model, b",", firmware].concat());
    }
    Ok(())
}

/// The fields of a short line, at most five: maker, model, serial number, firmware in the answer to `*IDN?`.
fn fields(data: &[u8]) -> Vec<&[u8]> {
    let is_line = data.len() <= 256 && data.trim_ascii_end().iter().all(|b| matches!(b, b' '..=b'~'));
    data.split(|b| *b == b',').map(<[u8]>::trim_ascii).take(if is_line { 5 } else { 0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(data.len()).unwrap();
        [b"HS", &[kind, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, length][..], data].concat()
    }

    #[test]
    fn an_instrument_answers_with_its_model() {
        let answer = message(7, b"Example Instruments,EX1000,SN0001,1.2.3\n");
        assert_eq!(
            said(|w| dissect(&Payload::new(&answer).on(Side::Server), w)).0,
            ["ot.role=hislip:server", "ot.identity=hislip:Example Instruments,EX1000,1.2.3"]
        );
        assert_eq!(
            said(|w| dissect(&Payload::new(&message(7, b"1.0,2.0,3.0,4.0\n")).on(Side::Server), w)).0.len(),
            1
        );
        survives(&answer, |p, w| dissect(&p.on(Side::Server), w));
    }

    #[test]
    fn the_opening_tells_the_side() {
        assert_eq!(
            said(|w| dissect(&Payload::new(&message(0, b"hislip0")).on(Side::Client), w)).0,
            ["ot.role=hislip:client"]
        );
        assert!(said(|w| dissect(&Payload::new(&message(0, b"hislip0")).on(Side::Server), w)).0.is_empty());
        assert!(said(|w| dissect(&Payload::new(b"HSxxxxxxxxxxxxxx").on(Side::Server), w)).0.is_empty());
    }
}
