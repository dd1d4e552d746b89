//! PIM: a sender of hellos routes multicast (RFC 7761 section 4.9).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Version 2, hello.
const HELLO: u8 = 0x20;
/// Options that one hello may hold.
const OPTIONS: usize = 32;

/// Dissects a message that went to a group, what follows the IP header. Other messages than hellos say nothing.
///
/// # Errors
/// If a hello has no option, or one runs past the end.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let Some([HELLO, _, _, _]) = r.array() else { return Ok(()) };
    sound(&mut r).ok_or(Malformed::new("pim", "broken hello"))?;
    words.say(Field::RouterTask, b"pim");
    Ok(())
}

fn sound(r: &mut Reader<'_>) -> Option<()> {
    for n in 0..OPTIONS {
        if r.is_empty() {
            return (n > 0).then_some(());
        }
        let (kind, length) = (r.u16()?, r.u16()?);
        r.take(length.into())?;
        // The hold time.
        if kind == 1 && length != 2 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_hello_tells_a_router_and_other_messages_nothing() {
        let hello = [0x20, 0, 0, 0, 0, 1, 0, 2, 0, 105, 0, 20, 0, 4, 1, 2, 3, 4];
        assert_eq!(said(|w| dissect(&Payload::new(&hello), w)), (vec!["router.task=pim".to_owned()], Ok(())));
        survives(&hello, dissect);
        let mut join = hello;
        join[0] = 0x23;
        assert_eq!(said(|w| dissect(&Payload::new(&join), w)), (vec![], Ok(())));
        for bad in [&hello[..4], &hello[..17], &[0x20, 0, 0, 0, 0, 1, 0, 1, 9]] {
            let (out, result) = said(|w| dissect(&Payload::new(bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
