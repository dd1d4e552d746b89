//! miIO, by which Xiaomi's household devices are found and asked on UDP 54321.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Reader, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([0x21, 0x31]), Some(length), Some(0)) = (r.array(), r.u16(), r.u32()) else { return Ok(()) };
    // A head of 32 bytes, then enciphered blocks of sixteen. A question bears no device.
    if usize::from(length) == payload.bytes.len()
        && length >= 32
        && length % 16 == 0
        && !matches!(r.u32(), None | Some(0 | u32::MAX))
    {
        identity("miio", None, words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_device_answers_a_hello() {
        let mut answer = vec![0x21, 0x31, 0, 32, 0, 0, 0, 0, 4, 5, 6, 7, 0, 0, 1, 2];
        answer.resize(32, 0xff);
        assert_eq!(heard(&answer, 54321, 50_000), ["discovery.identity=miio"]);
        assert!(heard(&answer, 50_000, 54321).is_empty());
        answer[8..12].fill(0xff);
        assert!(heard(&answer, 54321, 50_000).is_empty());
        survives_datagram(&answer, 54321, 50_000);
    }
}
