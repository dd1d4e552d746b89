//! CAPWAP control: which side a sender is, and an access point's model (RFC 5415 sections 4.3, 4.5, 4.6.40).
//!
//! Control goes over DTLS once a session stands; then the side with the well-known port is the controller. What a
//! controller says of an access point is not that controller's, and of a controller only its role is told.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The control port, the controller's.
const CONTROL: u16 = 5246;
/// Message elements of one message that are looked at.
const ELEMENTS: usize = 64;
/// The message element WTP Board Data.
const BOARD_DATA: u16 = 38;
/// Its sub-element with the model.
const MODEL: u16 = 0;

/// Dissects a message of UDP 5246.
///
/// # Errors
/// If a message element runs past the end; what came before it is said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let may_control = payload.source_port == CONTROL;
    let may_be_point = payload.destination_port == CONTROL;
    let Some((kind, elements)) = clear(payload.bytes) else {
        if is_dtls(payload.bytes) && may_control != may_be_point {
            say_role(may_control, words);
        }
        return Ok(());
    };
    let from_controller = match kind {
        // Discovery, join, configuration status, WTP event, change state, echo, primary discovery: the access point
        // asks. Configuration update, reset, clear configuration, station configuration: the controller does.
        1 | 3 | 5 | 8 | 9 | 11 | 13 | 18 | 19 | 24 | 26 => false,
        2 | 4 | 6 | 7 | 10 | 12 | 14 | 17 | 20 | 23 | 25 => true,
        _ => return Ok(()),
    };
    if !(if from_controller { may_control } else { may_be_point }) {
        return Ok(());
    }
    say_role(from_controller, words);
    if from_controller { Ok(()) } else { say_model(elements, words) }
}

fn say_role(controller: bool, words: &mut Words<'_>) {
    let role = if controller { &b"controller"[..] } else { b"access_point" };
    words.say(Field::CapwapRole, role);
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("capwap", reason)
}

/// Section 4.3: the transport header of a whole message in the clear, then section 4.5.1: the control header. Returns
/// the type of the message and its elements.
fn clear(payload: &[u8]) -> Option<(u32, &[u8])> {
    let mut r = Reader::new(payload);
    let ([0, length, _, flags], _fragment) = (r.array()?, r.u32()?) else { return None };
    // The length of five bits counts in 4 bytes. F tells a fragment, T a payload of another kind.
    if flags & 0b1000_0000 != 0 || length & 1 == 1 {
        return None;
    }
    r.take((usize::from(length >> 3) * 4).checked_sub(8)?)?;
    let (kind, _sequence, length, 0) = (r.u32()?, r.u8()?, r.u16()?, r.u8()?) else { return None };
    // The length counts itself and the flags behind it.
    Some((kind, r.take(usize::from(length).checked_sub(3)?)?))
}

/// Section 4.2: the preamble of type 1, then a record of DTLS 1.0 or 1.2.
fn is_dtls(payload: &[u8]) -> bool {
    matches!(payload, [1, 0, 0, 0, 0x14..=0x17, 0xfe, 0xff | 0xfd, ..])
}

fn say_model(elements: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(elements);
    let mut ended = Ok(());
    for _ in 0..ELEMENTS {
        if r.is_empty() {
            break;
        }
        let (kind, value) = element(&mut r).ok_or_else(|| malformed("truncated message element"))?;
        if kind == BOARD_DATA {
            let mut r = Reader::new(value);
            if r.u32().is_none() {
                ended = ended.and(Err(malformed("short board data")));
            }
            while let Some((kind, value)) = element(&mut r) {
                if kind == MODEL {
                    words.say(Field::CapwapModel, value);
                }
            }
        }
    }
    ended
}

fn element<'a>(r: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let (kind, length) = (r.u16()?, r.u16()?);
    Some((kind, r.take(length.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn part(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[0, kind, 0, u8::try_from(value.len()).unwrap()], value].concat()
    }

    fn message(kind: u8, elements: &[u8]) -> Vec<u8> {
        let length = u8::try_from(3 + elements.len()).unwrap();
        // A header of 8 bytes, binding 1 (IEEE 802.11).
        [&[0, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, kind, 7, 0, length, 0][..], elements].concat()
    }

    fn board() -> Vec<u8> {
        let inside =
            [&[0, 0, 0x37, 0x2f][..], &part(0, b"AP-305"), &part(1, b"CN123"), &part(2, b"x")].concat();
        [part(20, &[0]), part(38, &inside)].concat()
    }

    #[test]
    fn an_access_point_that_looks_for_a_controller_names_its_model() {
        for kind in [1, 3, 19] {
            let (out, result) =
                said(|w| dissect(&Payload::new(&message(kind, &board())).between(50_000, 5246), w));
            assert_eq!(out, ["capwap.role=access_point", "capwap.model=AP-305"]);
            assert_eq!(result, Ok(()));
        }
        survives(&message(1, &board()), |p, w| dissect(&p.between(50_000, 5246), w));
    }

    #[test]
    fn a_controller_tells_nothing_but_its_role() {
        let (out, _) = said(|w| dissect(&Payload::new(&message(2, &board())).between(5246, 50_000), w));
        assert_eq!(out, ["capwap.role=controller"]);
        let (out, _) = said(|w| dissect(&Payload::new(&message(2, &board())).between(50_000, 5246), w));
        assert!(out.is_empty());
        let (out, _) = said(|w| dissect(&Payload::new(&message(1, &board())).between(5246, 50_000), w));
        assert!(out.is_empty());
    }

    #[test]
    fn the_sides_of_a_session_are_told_by_the_port() {
        let record = [1, 0, 0, 0, 0x16, 0xfe, 0xff, 0, 0];
        let of = |from, to| said(|w| dissect(&Payload::new(&record).between(from, to), w)).0;
        assert_eq!(of(50_000, 5246), ["capwap.role=access_point"]);
        assert_eq!(of(5246, 50_000), ["capwap.role=controller"]);
        assert!(of(5246, 5246).is_empty());
    }

    #[test]
    fn other_traffic_and_fragments_say_nothing() {
        let mut fragment = message(1, &board());
        fragment[3] = 0x80;
        let mut long = message(1, &board());
        long[14] = 250;
        for quiet in [fragment, long, message(200, b""), b"hello".to_vec(), vec![0; 40], vec![1; 40]] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&quiet).between(50_000, 5246), w)),
                (vec![], Ok(())),
                "{quiet:?}"
            );
        }
        let cut = message(1, &part(38, &[1; 9])[..8]);
        assert!(said(|w| dissect(&Payload::new(&cut).between(50_000, 5246), w)).1.is_err());
    }
}
