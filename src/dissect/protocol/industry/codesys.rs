//! CODESYS V3: who speaks it. The protocol is not published; its block driver over TCP and the first bytes of its
//! datagrams are told by those who examined the runtime.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The byte that begins every datagram of the router layer.
const ROUTER: u8 = 0xc5;

/// Dissects what begins a segment to or from TCP 11740; anything but a whole block says nothing.
pub(crate) fn stream(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    if r.u32_le() == Some(0x0001_17e8)
        && r.u32_le().is_some_and(|n| usize::try_from(n).is_ok_and(|n| n == payload.bytes.len()))
        && r.u8() == Some(ROUTER)
    {
        words.label(Field::OtRole, payload.side.pick("codesys:client", "codesys:server"));
    }
    Ok(())
}

/// Dissects a datagram of UDP 1740 to 1743: controllers and engineering stations both speak from these ports.
pub(crate) fn datagram(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // The services: addresses (1, 2), names (3, 4), channels (0x40).
    if matches!(payload.bytes, [ROUTER, _, _, 1..=4 | 0x40, _, _, _, _, ..]) {
        words.label(Field::OtRole, "codesys:sender");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Side;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_block_tells_the_side_and_a_datagram_the_sender() {
        let block = [0xe8, 0x17, 1, 0, 12, 0, 0, 0, ROUTER, 0x6b, 0x40, 0x40];
        assert_eq!(said(|w| stream(&Payload::new(&block).on(Side::Server), w)).0, ["ot.role=codesys:server"]);
        assert!(said(|w| stream(&Payload::new(&block[..11]).on(Side::Server), w)).0.is_empty());
        survives(&block, |p, w| stream(&p.on(Side::Client), w));
        let name = [ROUTER, 0x6b, 0x40, 3, 0, 0x11, 0, 0, 2];
        assert_eq!(said(|w| datagram(&Payload::new(&name), w)).0, ["ot.role=codesys:sender"]);
        assert!(said(|w| datagram(&Payload::new(b"\xc5hello, world"), w)).0.is_empty());
        survives(&name, datagram);
    }
}
