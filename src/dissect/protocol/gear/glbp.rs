//! GLBP: a sender is a router that shares a load (Cisco's protocol on UDP 3222; the format as its packets show it).

use crate::census::{Field, MacAddr};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a message to UDP 3222 that went to a group.
///
/// # Errors
/// If it is not GLBP.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    sound(payload.bytes).ok_or(Malformed::new("glbp", "broken message"))?;
    words.say(Field::RouterProtocol, b"glbp");
    Ok(())
}

/// Version 1, the group, the MAC of the sender, then a TLV of a known type, whose length counts its head.
fn sound(payload: &[u8]) -> Option<()> {
    let mut r = Reader::new(payload);
    let ([1, _], _group, _) = (r.array()?, r.u16()?, r.u16()?) else { return None };
    let owner = MacAddr(r.array()?);
    let [1..=3, length] = r.array()? else { return None };
    r.take(usize::from(length).checked_sub(2)?)?;
    owner.is_station().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn hello() -> Vec<u8> {
        let mut out = vec![1, 0, 0, 10, 0, 0, 0, 0x1b, 0x54, 1, 2, 3, 1, 28, 0, 32];
        out.resize(12 + 28, 0);
        out
    }

    #[test]
    fn a_hello_tells_a_router_and_other_bytes_nothing() {
        assert_eq!(
            said(|w| dissect(&Payload::new(&hello()), w)),
            (vec!["router.protocol=glbp".to_owned()], Ok(()))
        );
        survives(&hello(), dissect);
        let mut unknown = hello();
        unknown[12] = 9;
        let nobody = [&hello()[..6], &[0; 6], &hello()[12..]].concat();
        for bad in [hello()[..39].to_vec(), unknown, nobody, vec![0; 60], vec![]] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
