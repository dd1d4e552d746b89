//! LDP: a sender of link hellos switches labels (RFC 5036 sections 3.1, 3.5.2).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a message to UDP 646 that went to a group. Anything but a hello says nothing.
///
/// # Errors
/// If a hello is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(1), Some(_length), Some(1..), Some(_space), Some(0x0100)) =
        (r.u16(), r.u16(), r.u32(), r.u16(), r.u16())
    else {
        return Ok(());
    };
    sound(&mut r).ok_or(Malformed::new("ldp", "broken hello"))?;
    words.say(Field::RouterTask, b"ldp");
    Ok(())
}

/// The length of the message, its id, and first the common hello parameters: hold time and flags.
fn sound(r: &mut Reader<'_>) -> Option<()> {
    let length = r.u16()?;
    let mut r = Reader::new(r.take(length.into())?);
    let (_id, 0x0400, 4, _parameters) = (r.u32()?, r.u16()?, r.u16()?, r.u32()?) else { return None };
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_hello_tells_a_router_and_other_bytes_nothing() {
        let hello = [0, 1, 0, 22, 192, 0, 2, 1, 0, 0, 1, 0, 0, 12, 0, 0, 0, 7, 4, 0, 0, 4, 0, 15, 0, 0];
        assert_eq!(said(|w| dissect(&Payload::new(&hello), w)), (vec!["router.task=ldp".to_owned()], Ok(())));
        survives(&hello, dissect);
        assert!(said(|w| dissect(&Payload::new(&hello[..25]), w)).1.is_err());
        for quiet in [&b"hello"[..], &[0; 40], &[]] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())));
        }
    }
}
