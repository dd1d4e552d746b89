//! ENPC, by which Epson's printers and scanners are found on UDP 3289. The answers' letters are small, the questions'
//! large.

use crate::dissect::protocol::form::identity::{device_id, identity};
use crate::dissect::{Malformed, Payload, Reader, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(b"EPSON"), Some(b'p' | b'q' | b'c')) = (r.take(5), r.u8()) else { return Ok(()) };
    // Device type and number, function, result, and the length of what follows.
    if let Some(length) = r.take(6).and_then(|_| r.u16())
        && usize::from(length) == r.rest().len()
    {
        identity("epson", device_id(r.rest(), b"MDL"), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_printer_answers_and_a_question_says_nothing() {
        let answer = b"EPSONp\0\xff\0\0\0\0\0\0";
        assert_eq!(heard(answer, 3289, 50_000), ["discovery.identity=epson"]);
        let named = b"EPSONq\x03\0\0\x10\0\0\0\x1dMFG:EPSON;MDL:ET-2750 Series;";
        assert_eq!(heard(named, 3289, 50_000), ["discovery.identity=epson:ET-2750 Series"]);
        assert!(heard(b"EPSONP\0\xff\0\0\0\0\0\0", 3289, 3289).is_empty());
        survives_datagram(named, 3289, 50_000);
    }
}
