//! Steam's remote play discovery on UDP 27036: which system the client runs on, in Protocol Buffers.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Reader, Words};

const MAGIC: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x21, 0x4c, 0x5f, 0xa0];
/// Fields of one message that are looked at; a status has some twenty.
const FIELDS: usize = 64;
/// In the head: the kind of a message; a status among the kinds, and its field for the system.
const KIND: u64 = 2;
const STATUS: u64 = 1;
const SYSTEM: u64 = 7;

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(rest) = payload.bytes.strip_prefix(MAGIC) else { return Ok(()) };
    let mut r = Reader::new(rest);
    let (Some(head), Some(body)) = (block(&mut r), block(&mut r)) else {
        return Err(Malformed::new("steam", "truncated message"));
    };
    // Also a search (0, which proto2 may leave out) comes from a client: one of a computer or of a television box.
    match number(head, KIND).unwrap_or(0) {
        STATUS => identity("steam", Some(system(number(body, SYSTEM).unwrap_or(0)).as_bytes()), words),
        0 => identity("steam", None, words),
        _ => {}
    }
    Ok(())
}

/// Families of EOSType; the numbers of a family count up from a negative one, those of Windows from 1.
fn system(number: u64) -> &'static str {
    match number.cast_signed() {
        1..=99 => "windows",
        -102..=-1 => "macos",
        -203..=-103 => "linux",
        -500..=-401 => "android",
        -600..=-501 => "ios",
        _ => "client",
    }
}

fn block<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(r.u32_le()?).ok()?;
    r.take(length)
}

/// The number in the field `wanted` of a message.
fn number(message: &[u8], wanted: u64) -> Option<u64> {
    let mut r = Reader::new(message);
    for _ in 0..FIELDS {
        let key = varint(&mut r)?;
        let value = match key & 7 {
            0 => Some(varint(&mut r)?),
            1 => r.take(8).map(|_| None)?,
            2 => {
                let length = usize::try_from(varint(&mut r)?).ok()?;
                r.take(length).map(|_| None)?
            }
            5 => r.take(4).map(|_| None)?,
            _ => return None,
        };
        if key >> 3 == wanted {
            return value;
        }
    }
    None
}

fn varint(r: &mut Reader<'_>) -> Option<u64> {
    let mut out = 0;
    for place in 0..10 {
        let byte = r.u8()?;
        out |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(out);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    fn message(head: &[u8], body: &[u8]) -> Vec<u8> {
        let block = |b: &[u8]| [&u32::try_from(b.len()).unwrap().to_le_bytes()[..], b].concat();
        [MAGIC, &block(head), &block(body)].concat()
    }

    #[test]
    fn a_client_tells_its_system() {
        let status = |system: &[u8]| {
            let body = [&[0x08, 8, 0x10, 6, 0x22, 2, b'p', b'c', 0x38][..], system, &[0x40, 1]].concat();
            message(&[0x08, 0x85, 1, 0x10, 1], &body)
        };
        assert_eq!(heard(&status(&[16]), 27036, 27036), ["discovery.identity=steam:windows"]);
        let linux = [0xc8, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(heard(&status(&linux), 27036, 27036), ["discovery.identity=steam:linux"]);
        let search = message(&[0x08, 5, 0x10, 0], &[0x08, 1]);
        assert_eq!(heard(&search, 27036, 27036), ["discovery.identity=steam"]);
        survives_datagram(&status(&linux), 27036, 27036);
    }

    #[test]
    fn numbers_without_an_end_are_none() {
        assert_eq!(varint(&mut Reader::new(&[0xff; 20])), None);
        assert_eq!(number(&[0x08, 0xff], 1), None);
    }
}
