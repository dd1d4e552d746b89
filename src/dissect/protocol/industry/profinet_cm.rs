//! PROFINET connections: which side of one a sender of remote calls is (IEC 61158-6-10, 4.10; DCE 1.1 RPC, chapter 12).
//!
//! A controller calls the interface of devices, and a device that of controllers; each answers calls of its own. The
//! controller is the client.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The interfaces of devices and controllers, DEA0000n-6C97-11D1-8271-00A02442DF7D, after their first field.
const INTERFACE: [u8; 12] = [0x6c, 0x97, 0x11, 0xd1, 0x82, 0x71, 0x00, 0xa0, 0x24, 0x42, 0xdf, 0x7d];
/// The same with the fields of a little-endian sender.
const INTERFACE_LE: [u8; 12] = [0x97, 0x6c, 0xd1, 0x11, 0x82, 0x71, 0x00, 0xa0, 0x24, 0x42, 0xdf, 0x7d];

/// Dissects a datagram of UDP 34964; anything else says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some(role) = role(payload.bytes) {
        words.label(Field::OtRole, role);
    }
    Ok(())
}

fn role(payload: &[u8]) -> Option<&'static str> {
    let mut r = Reader::new(payload);
    let [4, kind, _flags, _flags2, representation, _, _, _] = r.array()? else { return None };
    let _object = r.take(16)?;
    let (first, rest) = (r.array::<4>()?, r.array::<12>()?);
    let interface = if representation & 0x10 != 0 {
        (rest == INTERFACE_LE).then_some(u32::from_le_bytes(first))
    } else {
        (rest == INTERFACE).then_some(u32::from_be_bytes(first))
    };
    // Calls are 0, answers 2.
    match (interface?, kind & 0x1f) {
        (0xdea0_0001, 0) | (0xdea0_0002, 2) => Some("profinet:client"),
        (0xdea0_0001, 2) | (0xdea0_0002, 0) => Some("profinet:server"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn call(kind: u8, interface: u8, little: bool) -> Vec<u8> {
        let mut out = vec![4, kind, 0, 0, if little { 0x10 } else { 0 }, 0, 0, 0];
        out.extend([7; 16]);
        let first = 0xdea0_0000_u32 + u32::from(interface);
        out.extend(if little { first.to_le_bytes() } else { first.to_be_bytes() });
        out.extend(if little { INTERFACE_LE } else { INTERFACE });
        out.extend([0; 40]);
        out
    }

    #[test]
    fn the_caller_of_a_device_is_its_controller() {
        let of =
            |kind, interface, little| said(|w| dissect(&Payload::new(&call(kind, interface, little)), w)).0;
        assert_eq!(of(0, 1, true), ["ot.role=profinet:client"]);
        assert_eq!(of(2, 1, false), ["ot.role=profinet:server"]);
        assert_eq!(of(0, 2, false), ["ot.role=profinet:server"]);
        assert_eq!(of(2, 2, true), ["ot.role=profinet:client"]);
        assert!(of(0, 3, true).is_empty() && of(1, 1, true).is_empty());
        survives(&call(0, 1, true), dissect);
    }
}
