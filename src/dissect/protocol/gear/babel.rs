//! Babel: a sender of hellos routes (RFC 8966 section 4).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

const MAGIC: u8 = 42;
const VERSION: u8 = 2;
/// Parts of one packet that are looked at.
const TLVS: usize = 64;

/// Dissects a message to UDP 6696 that went to a group. Anything else says nothing.
///
/// # Errors
/// If the body or a part runs past the end.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([MAGIC, VERSION]), Some(length)) = (r.array(), r.u16()) else { return Ok(()) };
    let mut r = Reader::new(r.take(length.into()).ok_or_else(|| malformed("truncated body"))?);
    for _ in 0..TLVS {
        match r.u8() {
            None => break,
            // Pad1 is alone without a length.
            Some(0) => {}
            Some(kind) => {
                let length = r.u8().ok_or_else(|| malformed("truncated TLV"))?;
                r.take(length.into()).ok_or_else(|| malformed("truncated TLV"))?;
                if kind == 4 && length >= 6 {
                    words.say(Field::RouterTask, b"babel");
                    break;
                }
            }
        }
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("babel", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_hello_tells_a_router_and_other_bytes_nothing() {
        let hello = [42, 2, 0, 11, 0, 1, 0, 4, 6, 0, 0, 0, 1, 1, 0x90];
        assert_eq!(
            said(|w| dissect(&Payload::new(&hello), w)),
            (vec!["router.task=babel".to_owned()], Ok(()))
        );
        survives(&hello, dissect);
        for quiet in [&[42, 1, 0, 0][..], &[42, 2, 0, 4, 8, 2, 0, 0], b"hello", &[]] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())));
        }
        for bad in [&hello[..14], &[42, 2, 0, 3, 4, 6, 0]] {
            assert!(said(|w| dissect(&Payload::new(bad), w)).1.is_err());
        }
    }
}
