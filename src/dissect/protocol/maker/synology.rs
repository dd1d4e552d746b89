//! The finder of Synology's storage servers on UDP 9997 to 9999: the model.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Reader, Words};

const MAGIC: &[u8] = b"\x12\x34\x56\x78SYNO";
/// Fields of one message that are looked at; an answer has some fifty.
const FIELDS: usize = 128;
/// The kind of a message, of which 2 is the answer to a search, and the model.
const KIND: u8 = 0x01;
const ANSWER: &[u8] = &[2, 0, 0, 0];
const MODEL: u8 = 0x78;

pub(super) fn is_magic(payload: &[u8]) -> bool {
    payload.starts_with(MAGIC)
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(fields) = payload.bytes.strip_prefix(MAGIC) else { return Ok(()) };
    let mut r = Reader::new(fields);
    let (mut answers, mut model) = (false, None);
    for _ in 0..FIELDS {
        let Some([kind, length]) = r.array() else { break };
        let value = r.take(length.into()).ok_or(Malformed::new("synology", "truncated field"))?;
        match kind {
            KIND => answers = value == ANSWER,
            MODEL => model = Some(value),
            _ => {}
        }
    }
    if answers && model.is_some() {
        identity("synology", model, words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_storage_server_answers_with_its_model() {
        let message = |kind: u8| {
            [
                MAGIC,
                b"\x11\x05nas-1",
                &[KIND, 4, kind, 0, 0, 0],
                b"\x77\x05" as &[u8],
                b"7.2.1",
                b"\x78\x06DS918+",
            ]
            .concat()
        };
        assert_eq!(heard(&message(2), 9999, 9998), ["discovery.identity=synology:DS918+"]);
        assert_eq!(heard(&message(2), 9998, 50_000), ["discovery.identity=synology:DS918+"]);
        assert!(heard(&message(1), 50_000, 9999).is_empty());
        survives_datagram(&message(2), 9999, 9998);
    }
}
