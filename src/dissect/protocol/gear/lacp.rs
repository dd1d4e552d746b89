//! Link aggregation control: a sender aggregates links (IEEE 802.1AX 6.4.2.3). Switches do, and so do servers with bonds.

use crate::census::{Field, MacAddr};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The subtype of the slow protocols (IEEE 802.3 annex 57A) that this is.
const LACP: u8 = 1;

/// Dissects a slow-protocol frame, what follows the Ethernet type 0x8809. Markers and OAM say nothing.
///
/// # Errors
/// If an LACPDU lacks its fixed parts.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    if r.u8() != Some(LACP) {
        return Ok(());
    }
    sound(&mut r).ok_or(Malformed::new("lacp", "broken LACPDU"))?;
    words.say(Field::LacpSystem, b"sender");
    Ok(())
}

/// Version, actor, partner, collector: fixed places and lengths in every version.
fn sound(r: &mut Reader<'_>) -> Option<()> {
    let _version = r.u8().filter(|v| *v >= 1)?;
    let ([1, 20], _priority) = (r.array()?, r.u16()?) else { return None };
    MacAddr(r.array()?).is_station().then_some(())?;
    r.take(10)?;
    let [2, 20] = r.array()? else { return None };
    r.take(18)?;
    let [3, 16] = r.array()? else { return None };
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn lacpdu() -> Vec<u8> {
        let mut out = vec![1, 1, 1, 20, 0x80, 0, 0, 0x1b, 0x54, 1, 2, 3];
        out.resize(22, 0);
        out.extend([2, 20]);
        out.resize(42, 0);
        out.extend([3, 16]);
        out.resize(110, 0);
        out
    }

    #[test]
    fn a_sound_lacpdu_makes_its_sender_an_aggregating_system() {
        assert_eq!(
            said(|w| dissect(&Payload::new(&lacpdu()), w)),
            (vec!["lacp.system=sender".to_owned()], Ok(()))
        );
        survives(&lacpdu(), dissect);
    }

    #[test]
    fn other_slow_protocols_and_broken_ones_say_nothing() {
        for subtype in [2, 3, 10] {
            let mut other = lacpdu();
            other[0] = subtype;
            assert_eq!(said(|w| dissect(&Payload::new(&other), w)), (vec![], Ok(())));
        }
        let without_a_system = [&[1, 1, 1, 20, 0x80, 0][..], &[0; 104]].concat();
        for bad in [without_a_system, lacpdu()[..40].to_vec()] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
