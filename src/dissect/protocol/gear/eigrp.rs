//! EIGRP: a sender is a router (RFC 7868 section 6).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Parts that one packet may hold.
const TLVS: usize = 128;

/// Dissects a packet that went to a group, what follows the IP header.
///
/// # Errors
/// If the packet is not EIGRP.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    sound(payload.bytes).ok_or(Malformed::new("eigrp", "broken packet"))?;
    words.say(Field::RouterProtocol, b"eigrp");
    Ok(())
}

/// Version 2, a known operation, the rest of the header, and TLVs to the end.
fn sound(payload: &[u8]) -> Option<()> {
    let mut r = Reader::new(payload);
    let [2, 1 | 3 | 4 | 5 | 10 | 11] = r.array()? else { return None };
    r.take(18)?;
    for n in 0..TLVS {
        if r.is_empty() {
            return (n > 0).then_some(());
        }
        let (_kind, length) = (r.u16()?, r.u16()?);
        r.take(usize::from(length).checked_sub(4)?)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn hello() -> Vec<u8> {
        let mut out = vec![2, 5];
        out.resize(20, 0);
        out.extend([0, 1, 0, 12, 1, 0, 1, 0, 0, 0, 0, 15]);
        out.extend([0, 4, 0, 8, 12, 4, 1, 2]);
        out
    }

    #[test]
    fn a_hello_tells_a_router_and_other_bytes_nothing() {
        assert_eq!(
            said(|w| dissect(&Payload::new(&hello()), w)),
            (vec!["router.protocol=eigrp".to_owned()], Ok(()))
        );
        survives(&hello(), dissect);
        let mut version = hello();
        version[0] = 1;
        let mut operation = hello();
        operation[1] = 9;
        for bad in [version, operation, hello()[..20].to_vec(), hello()[..25].to_vec(), vec![]] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
