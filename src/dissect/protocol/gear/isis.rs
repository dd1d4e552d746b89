//! IS-IS: a sender is a router (ISO/IEC 10589 clause 9). End systems send ES-IS, which has a discriminator of its own.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects what follows the LLC header `fe fe 03`. Other network-layer protocols of OSI say nothing.
///
/// # Errors
/// If an IS-IS packet lacks the fixed part of its type.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    if r.u8() != Some(0x83) {
        return Ok(());
    }
    sound(r, payload.bytes.len()).ok_or(Malformed::new("isis", "broken packet"))?;
    words.say(Field::RouterProtocol, b"isis");
    Ok(())
}

/// The length of the fixed part, version 1, the length of an id, the type, version 1, a reserved byte.
fn sound(mut r: Reader<'_>, length: usize) -> Option<()> {
    let [fixed, 1, id, kind, 1, 0, _areas] = r.array()? else { return None };
    // 0 stands for 6, 255 for no id.
    let id = match id {
        0 => 6,
        1..=8 => id,
        _ => return None,
    };
    // LAN hellos of both levels, hello of a point to point link, link state, complete and partial sequence numbers.
    let expected = match kind & 0x1f {
        15 | 16 => 15 + 2 * id,
        17 => 14 + id,
        18 | 20 => 21 + id,
        24 | 25 => 15 + 3 * id,
        26 | 27 => 11 + id,
        _ => return None,
    };
    (fixed == expected && length >= usize::from(fixed)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn packet(fixed: u8, kind: u8) -> Vec<u8> {
        let mut out = vec![0x83, fixed, 1, 0, kind, 1, 0, 0];
        out.resize(fixed.into(), 1);
        out
    }

    #[test]
    fn hellos_and_link_states_tell_a_router() {
        for (fixed, kind) in [(27, 15), (27, 16), (20, 17), (27, 18), (27, 20), (33, 24), (17, 27)] {
            let sound = packet(fixed, kind);
            assert_eq!(
                said(|w| dissect(&Payload::new(&sound), w)),
                (vec!["router.protocol=isis".to_owned()], Ok(()))
            );
            survives(&sound, dissect);
        }
    }

    #[test]
    fn end_systems_say_nothing_and_lies_are_malformed() {
        assert_eq!(said(|w| dissect(&Payload::new(&[0x82, 24, 1, 0, 2, 0, 0, 0]), w)), (vec![], Ok(())));
        for bad in [packet(27, 17), packet(27, 9), packet(27, 15)[..26].to_vec(), vec![0x83]] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
