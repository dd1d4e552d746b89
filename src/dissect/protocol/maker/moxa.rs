//! The search for Moxa's serial device servers on UDP 4800: the model's number in hex.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The prefix of the maker's MAC addresses, which every answer bears.
const PREFIX: &[u8] = &[0x00, 0x90, 0xe8];

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([0x81, 0]), Some(24), 24) = (r.array(), r.u16(), payload.bytes.len()) else { return Ok(()) };
    let model = r.take(8).and_then(|_| r.u16_le());
    if let Some(model) = model
        && r.rest().starts_with(PREFIX)
    {
        identity("moxa", Some(format!("{model:04x}").as_bytes()), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_device_server_answers_with_its_model() {
        let mut answer = vec![0x81, 0, 0, 24, 0, 0, 0, 0, 0, 0x55, 0x55, 0x55, 0x1a, 0x51];
        answer.extend([0x00, 0x90, 0xe8, 1, 2, 3, 192, 0, 2, 9]);
        assert_eq!(heard(&answer, 4800, 50_000), ["discovery.identity=moxa:511a"]);
        survives_datagram(&answer, 4800, 50_000);
        answer[14] = 2;
        assert!(heard(&answer, 4800, 50_000).is_empty());
    }
}
