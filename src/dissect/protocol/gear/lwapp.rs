//! LWAPP control, CAPWAP's forerunner: which side a sender is (RFC 5412 sections 3.3 and 4.1). The controller has the
//! well-known port.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The control port, the controller's.
const CONTROL: u16 = 12223;
/// The flag that tells a control message, and the two bits of the version.
const CONTROL_FLAG: u8 = 0x04;
const VERSION: u8 = 0xc0;

/// Dissects a message of UDP 12223. Anything but a whole control message says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // An access point may put its MAC in front.
    let starts = [Some(payload.bytes), payload.bytes.get(6..)];
    let role = match (payload.source_port, payload.destination_port) {
        (CONTROL, CONTROL) => return Ok(()),
        (CONTROL, _) => &b"controller"[..],
        (_, CONTROL) => b"access_point",
        _ => return Ok(()),
    };
    if starts.into_iter().flatten().any(|bytes| is_control(bytes).is_some()) {
        words.say(Field::CapwapRole, role);
    }
    Ok(())
}

/// Flags, fragment, the length of what follows the header, two bytes of signal; then type, sequence, the length of the
/// elements after the session's id.
fn is_control(bytes: &[u8]) -> Option<()> {
    let mut r = Reader::new(bytes);
    let ([flags, _fragment], length, _signal) = (r.array()?, usize::from(r.u16()?), r.u16()?);
    let whole = length == r.rest().len();
    let ([_kind, _sequence], elements, _session) = (r.array()?, usize::from(r.u16()?), r.u32()?);
    let sound = flags & (CONTROL_FLAG | VERSION) == CONTROL_FLAG && whole && elements == r.rest().len();
    sound.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const ECHO: &[u8] = &[0x04, 0, 0, 10, 0, 0, 22, 1, 0, 2, 0, 0, 0, 7, 9, 9];

    #[test]
    fn the_sides_are_told_by_the_port() {
        let behind_a_mac = [&[0, 0x0b, 0x85, 1, 2, 3][..], ECHO].concat();
        let of = |payload: &[u8], from, to| said(|w| dissect(&Payload::new(payload).between(from, to), w)).0;
        assert_eq!(of(&behind_a_mac, 50_000, 12223), ["capwap.role=access_point"]);
        assert_eq!(of(ECHO, 12223, 50_000), ["capwap.role=controller"]);
        assert!(of(ECHO, 12223, 12223).is_empty());
        survives(&behind_a_mac, |p, w| dissect(&p.between(50_000, 12223), w));
    }

    #[test]
    fn other_traffic_says_nothing() {
        let mut long = ECHO.to_vec();
        long[3] += 1;
        let mut data = ECHO.to_vec();
        data[0] = 0;
        for quiet in [&long[..], &data, b"hello", &[4; 40], &[]] {
            assert_eq!(
                said(|w| dissect(&Payload::new(quiet).between(50_000, 12223), w)),
                (vec![], Ok(())),
                "{quiet:?}"
            );
        }
    }
}
