//! S7comm and S7comm-plus of Siemens controllers: sides, and what a controller answers when its system status lists
//! are read (Siemens, System Software for S7-300/400, System and Standard Functions, chapter 33: SSL-ID 0011 and 001C).
//!
//! The messages themselves are not published; their layout is what free clients of them agree on.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Records of one list that are read; the lists have fewer than twelve.
const RECORDS: u16 = 16;

/// Dissects an S7comm message, what follows the transport's header.
///
/// # Errors
/// If an answer's status list breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([0x32, kind]), Some(0), Some(_reference)) = (r.array(), r.u16(), r.u16()) else {
        return Ok(());
    };
    let (Some(parameters), Some(data)) = (r.u16(), r.u16()) else { return Ok(()) };
    // Acknowledgements bear an error class and code.
    let has_error = matches!(kind, 2 | 3);
    if has_error && r.u16().is_none() {
        return Ok(());
    }
    let (Some(parameters), Some(data)) = (r.take(parameters.into()), r.take(data.into())) else {
        return Ok(());
    };
    // Jobs and acknowledgements show their payload.side; of user data the type in the parameters does.
    let speaks_as = match (kind, parameters) {
        (1, _) => Side::Client,
        (2 | 3, _) => Side::Server,
        (7, [0, 1, 0x12, _, _, 0x40..=0x4f, ..]) => Side::Client,
        (7, [0, 1, 0x12, _, _, 0x00..=0x0f | 0x80..=0x8f, ..]) => Side::Server,
        _ => return Ok(()),
    };
    if speaks_as != payload.side {
        return Ok(());
    }
    words.label(Field::S7Role, payload.side.pick("client", "server"));
    match (kind, parameters, data) {
        // An answer (0x12, 0x8_) of the function group 4 (processor), function 1: read a status list.
        (7, [0, 1, 0x12, 8, 0x12, 0x84, 1, ..], [0xff, 9, _, _, list @ ..]) => {
            status_list(list, words).ok_or(Malformed::new("s7", "truncated status list"))
        }
        _ => Ok(()),
    }
}

/// Dissects an S7comm-plus message: its operation code shows the side. Versions from 3 have a digest before it.
pub(crate) fn dissect_plus(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let operation = match payload.bytes {
        [0x72, 1 | 2, _, _, operation, 0, 0, ..] => operation,
        [0x72, 3, _, _, 0x20, rest @ ..] => match rest.get(32..) {
            Some([operation, 0, 0, ..]) => operation,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let speaks_as = match operation {
        0x31 => Side::Client,
        0x32 | 0x33 => Side::Server,
        _ => return Ok(()),
    };
    if speaks_as == payload.side {
        words.label(Field::S7Role, payload.side.pick("client", "server"));
    }
    Ok(())
}

/// A list: its id, index, length and number of records. What follows in further messages has no such head and is not
/// read.
fn status_list(list: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(list);
    let Some([id, _index, length, count]) = r
        .array::<8>()
        .map(|b| [[b[0], b[1]], [b[2], b[3]], [b[4], b[5]], [b[6], b[7]]].map(u16::from_be_bytes))
    else {
        return Some(());
    };
    let read: fn(u16, &[u8], &mut Words<'_>) = match (id & 0x00ff, length) {
        (0x11, 28) => module,
        (0x1c, 34) => component,
        _ => return Some(()),
    };
    for _ in 0..count.min(RECORDS) {
        // The rest comes in further messages.
        if r.is_empty() {
            break;
        }
        let mut record = Reader::new(r.take(length.into())?);
        let index = record.u16()?;
        read(index, record.rest(), words);
    }
    Some(())
}

/// SSL-ID 0011, module identification: order number, type, and versions.
fn module(index: u16, record: &[u8], words: &mut Words<'_>) {
    match (index, record.split_at_checked(20)) {
        (1, Some((order, _))) => words.say(Field::S7Module, order),
        (7, Some((_, [_, _, b'V', major, minor, patch]))) => {
            words.say(Field::S7Firmware, format!("V{major}.{minor}.{patch}").as_bytes());
        }
        _ => {}
    }
}

/// SSL-ID 001C, component identification: names of system, module and plant, and the module's type.
fn component(index: u16, record: &[u8], words: &mut Words<'_>) {
    let field = match index {
        1..=3 => Field::S7Name,
        7 => Field::S7Module,
        _ => return,
    };
    let end = record.iter().position(|b| *b == 0).unwrap_or(record.len());
    words.say(field, record.get(..end).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn user_data(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(data.len()).unwrap();
        let mut out = vec![0x32, 7, 0, 0, 0, 5, 0, 12, 0, length + 4];
        out.extend([0, 1, 0x12, 8, 0x12, kind, 1, 1, 0, 0, 0, 0]);
        out.extend([0xff, 9, 0, length]);
        out.extend(data);
        out
    }

    fn list(id: u8, records: &[(u8, &[u8])], length: u8) -> Vec<u8> {
        let mut out = vec![0, id, 0, 0, 0, length, 0, u8::try_from(records.len()).unwrap()];
        for (index, text) in records {
            let start = out.len();
            out.extend([0, *index]);
            out.extend(*text);
            out.resize(start + usize::from(length), 0);
        }
        out
    }

    #[test]
    fn a_controller_tells_its_module_and_firmware() {
        let records: &[(u8, &[u8])] =
            &[(1, b"6ES7 315-2EH14-0AB0 \0\0\0\x01\0\x01"), (7, b"                    \0\0V\x03\x02\x06")];
        let answer = user_data(0x84, &list(0x11, records, 28));
        let (out, result) = said(|w| dissect(&Payload::new(&answer).on(Side::Server), w));
        assert_eq!(out, ["s7.role=server", "s7.module=6ES7 315-2EH14-0AB0", "s7.firmware=V3.2.6"]);
        assert_eq!(result, Ok(()));
        survives(&answer, |p, w| dissect(&p.on(Side::Server), w));
    }

    #[test]
    fn a_controller_tells_its_names() {
        let records: &[(u8, &[u8])] =
            &[(1, b"SIMATIC 300"), (3, b"Line 4"), (5, b"S C-X4U1"), (7, b"CPU 315-2 PN/DP")];
        let answer = user_data(0x84, &list(0x1c, records, 34));
        let (out, _) = said(|w| dissect(&Payload::new(&answer).on(Side::Server), w));
        assert_eq!(
            out,
            ["s7.role=server", "s7.name=SIMATIC 300", "s7.name=Line 4", "s7.module=CPU 315-2 PN/DP"]
        );
        let mut cut = list(0x1c, records, 34);
        cut.truncate(60);
        assert!(said(|w| dissect(&Payload::new(&user_data(0x84, &cut)).on(Side::Server), w)).1.is_err());
    }

    #[test]
    fn messages_of_the_wrong_side_say_nothing() {
        let request = user_data(0x44, &[]);
        assert_eq!(said(|w| dissect(&Payload::new(&request).on(Side::Client), w)).0, ["s7.role=client"]);
        assert!(said(|w| dissect(&Payload::new(&request).on(Side::Server), w)).0.is_empty());
        let job = [0x32, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0xf0, 0];
        assert_eq!(said(|w| dissect(&Payload::new(&job).on(Side::Client), w)).0, ["s7.role=client"]);
        assert!(said(|w| dissect(&Payload::new(&job).on(Side::Server), w)).0.is_empty());
    }

    #[test]
    fn the_operation_of_s7comm_plus_tells_the_side() {
        let of = |message: &[u8], side| said(|w| dissect_plus(&Payload::new(message).on(side), w)).0;
        assert_eq!(of(&[0x72, 1, 0, 9, 0x31, 0, 0, 4, 0xca], Side::Client), ["s7.role=client"]);
        assert_eq!(of(&[0x72, 2, 0, 9, 0x32, 0, 0, 4, 0xca], Side::Server), ["s7.role=server"]);
        let digest = [&[0x72, 3, 0, 40, 0x20][..], &[9; 32], &[0x33, 0, 0]].concat();
        assert_eq!(of(&digest, Side::Server), ["s7.role=server"]);
        assert!(of(&digest, Side::Client).is_empty());
        assert!(of(&[0x72, 0xff, 0, 0], Side::Server).is_empty());
    }
}
