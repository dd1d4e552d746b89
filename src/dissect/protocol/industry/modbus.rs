//! Modbus/TCP: sides, and the identification of a server (MODBUS Application Protocol V1.1b3, section 6; MODBUS
//! Messaging on TCP/IP V1.0b, section 3.1.3).
//!
//! The identification of a unit behind a serial gateway is not the gateway's: only the units 0, 255 (the server itself)
//! and 1 (what most servers without a serial side answer as) speak for the sender.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Encapsulated interface transport, and device identification within it.
const IDENTIFICATION: [u8; 2] = [0x2b, 0x0e];
/// Objects of one answer that are read.
const OBJECTS: u8 = 16;

/// Whether a segment may begin with a message.
pub(crate) fn may_speak(payload: &[u8]) -> bool {
    matches!(payload, [_, _, 0, 0, ..])
}

/// Dissects what begins a segment to or from TCP 502; anything but a whole Modbus message says nothing.
///
/// # Errors
/// If a device identification breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(_transaction), Some(0), Some(length)) = (r.u16(), r.u16(), r.u16()) else { return Ok(()) };
    let message = usize::from(length);
    let Some((unit, pdu)) = r.take(message).and_then(<[u8]>::split_first).filter(|_| message <= 254) else {
        return Ok(());
    };
    if !is_sound(pdu, payload.side) {
        return Ok(());
    }
    words.label(Field::ModbusRole, payload.side.pick("client", "server"));
    match (payload.side, pdu.split_first_chunk::<2>()) {
        (Side::Server, Some((&IDENTIFICATION, objects))) if matches!(unit, 0 | 1 | 255) => {
            identification(objects, words).ok_or(Malformed::new("modbus", "broken device identification"))
        }
        _ => Ok(()),
    }
}

/// Whether a message of that side has the shape that its function demands.
fn is_sound(pdu: &[u8], side: Side) -> bool {
    let counted = |count: u8, data: &[u8]| usize::from(count) == data.len();
    match (side, pdu) {
        (Side::Server, [function @ 0x81..=0xdf, 1..=11]) => is_function(function & 0x7f),
        (_, [5 | 6, _, _, _, _] | [8, _, _, _, _, ..] | [22, _, _, _, _, _, _]) => true,
        (Side::Client, [1..=4, _, _, high, low]) => (1..=2000).contains(&u16::from_be_bytes([*high, *low])),
        (Side::Client, [15 | 16, _, _, _, _, count, data @ ..]) => counted(*count, data),
        (Side::Client, [7 | 11 | 12 | 17] | [24, _, _] | [0x2b, 0x0e, 1..=4, _]) => true,
        (Side::Client, [23, _, _, _, _, _, _, _, _, count, data @ ..]) => counted(*count, data),
        (_, [20 | 21, count, data @ ..]) => counted(*count, data),
        (Side::Server, [1..=4 | 12 | 17 | 23, count, data @ ..]) => counted(*count, data) && *count > 0,
        (Side::Server, [15 | 16, _, _, _, _] | [7, _] | [11, _, _, _, _] | [24, _, _, _, _, ..]) => true,
        (Side::Server, [0x2b, 0x0e, 1..=4, 1..=3 | 0x81..=0x83, 0 | 0xff, _, _, ..]) => true,
        _ => false,
    }
}

const fn is_function(function: u8) -> bool {
    matches!(function, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 0x2b)
}

/// Section 6.21: what follows the type of transport.
fn identification(objects: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(objects);
    let [_code, _conformity, _more, _next, count] = r.array()?;
    for _ in 0..count.min(OBJECTS) {
        let [id, length] = r.array()?;
        let value = r.take(length.into())?;
        let field = match id {
            0 => Field::ModbusVendor,
            1 | 4 | 5 => Field::ModbusProduct,
            2 => Field::ModbusRevision,
            _ => continue,
        };
        words.say(field, value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(unit: u8, pdu: &[u8]) -> Vec<u8> {
        [&[0, 7, 0, 0, 0, u8::try_from(pdu.len()).unwrap() + 1, unit], pdu].concat()
    }

    fn role(payload: &[u8], side: Side) -> Vec<String> {
        said(|w| dissect(&Payload::new(payload).on(side), w)).0
    }

    #[test]
    fn the_side_is_told_only_by_a_message_that_fits_it() {
        let (request, answer) = ([3, 0, 0, 0, 2], [3, 4, 1, 2, 3, 4]);
        assert_eq!(role(&message(1, &request), Side::Client), ["modbus.role=client"]);
        assert_eq!(role(&message(1, &answer), Side::Server), ["modbus.role=server"]);
        assert_eq!(role(&message(1, &[0x83, 2]), Side::Server), ["modbus.role=server"]);
        let write = [16, 0, 1, 0, 1, 2, 0, 9];
        assert_eq!(role(&message(1, &write), Side::Client), ["modbus.role=client"]);
        for (pdu, side) in [
            (&request[..], Side::Server),
            (&answer, Side::Client),
            (&[0x83, 2], Side::Client),
            (&[99], Side::Client),
        ] {
            assert!(role(&message(1, pdu), side).is_empty(), "{pdu:?}");
        }
        let mut other = message(1, &request);
        other[3] = 1;
        assert!(role(&other, Side::Client).is_empty());
        assert!(role(&message(1, &request)[..9], Side::Client).is_empty());
        assert!(role(b"GET / HTTP/1.0\r\n\r\n", Side::Client).is_empty());
    }

    #[test]
    fn a_server_identifies_itself_but_not_the_units_behind_it() {
        let pdu = b"\x2b\x0e\x01\x01\0\0\x03\0\x07Example\x01\x04EX-1\x02\x04V1.2";
        let of = |unit| role(&message(unit, pdu), Side::Server);
        let all =
            ["modbus.role=server", "modbus.vendor=Example", "modbus.product=EX-1", "modbus.revision=V1.2"];
        assert_eq!(of(255), all);
        assert_eq!(of(17), all[..1]);
        let (_, result) =
            said(|w| dissect(&Payload::new(&message(0, &pdu[..pdu.len() - 2])).on(Side::Server), w));
        assert!(result.is_err());
        survives(&message(1, pdu), |p, w| dissect(&p.on(Side::Server), w));
    }
}
