//! BJNP, by which Canon's printers and scanners are found on UDP 8611 and 8612.

use crate::dissect::protocol::form::identity::{device_id, identity};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The answer to a discovery, and the one that bears the device's id.
const DISCOVER: u8 = 0x01;
const GET_ID: u8 = 0x30;

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let Some(b"BJNP" | b"MFNP") = r.array::<4>().as_ref() else { return Ok(()) };
    // The top bit of the device type marks an answer.
    let Some([0x81 | 0x82, command]) = r.array() else { return Ok(()) };
    let length = r.take(6).and_then(|_| r.u32()).and_then(|n| usize::try_from(n).ok());
    let body = length.and_then(|n| r.take(n)).ok_or(Malformed::new("bjnp", "truncated message"))?;
    match command {
        DISCOVER => identity("bjnp", None, words),
        // Its length goes before the id.
        GET_ID => identity("bjnp", body.get(2..).and_then(|id| device_id(id, b"MDL")), words),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    fn message(kind: u8, command: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [b"BJNP".as_slice(), &[kind, command, 0, 0, 0, 1, 0, 0], &length, body].concat()
    }

    #[test]
    fn a_printer_answers_with_its_model() {
        let answer = message(0x81, 0x30, b"\0\x2eMFG:Canon;CMD:BJL,BJRaster3;MDL:MX520 series;");
        assert_eq!(heard(&answer, 8611, 50_000), ["discovery.identity=bjnp:MX520 series"]);
        assert_eq!(heard(&message(0x82, 1, &[0; 16]), 8612, 50_000), ["discovery.identity=bjnp"]);
        assert!(heard(&message(1, 1, b""), 8612, 8612).is_empty());
        survives_datagram(&answer, 8611, 50_000);
    }
}
