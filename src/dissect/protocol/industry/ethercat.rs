//! EtherCAT: its masters, and who publishes network variables (IEC 61158-4-12, 5.3; ETG.1000.4).
//!
//! Slaves send no frames of their own: they write into the master's as it passes, and mark its source address as a
//! local one on its way back. A marked frame says nothing.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects what follows the Ethernet type.
///
/// # Errors
/// If the frame is shorter than its header says.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if !is_frame(payload.bytes)? || payload.source.0.first().is_some_and(|b| b & 2 != 0) {
        return Ok(());
    }
    words.label(Field::OtRole, "ethercat:sender");
    Ok(())
}

/// Dissects a datagram of UDP 34980.
pub(crate) fn datagram(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if is_frame(payload.bytes) == Ok(true) {
        words.label(Field::OtRole, "ethercat:sender");
    }
    Ok(())
}

/// A length of 11 bits and a type of 4: commands (1), or network variables (4).
fn is_frame(body: &[u8]) -> Result<bool, Malformed> {
    let mut r = Reader::new(body);
    let head = r.u16_le().ok_or(Malformed::new("ethercat", "short header"))?;
    let rest = r.take(usize::from(head & 0x07ff)).ok_or(Malformed::new("ethercat", "truncated frame"))?;
    Ok(match (head >> 12, rest) {
        // A command's own header and working counter make 12 bytes.
        (1, [1..=14, _, ..]) => rest.len() >= 12,
        (4, _) => rest.len() >= 8,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const FRAME: &[u8] = &[14, 0x10, 8, 1, 0, 0, 0, 0, 2, 0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0];
    const MASTER: MacAddr = MacAddr([0, 1, 5, 1, 2, 3]);

    #[test]
    fn only_the_frame_that_the_master_sent_has_a_sender() {
        let back = MacAddr([2, 1, 5, 1, 2, 3]);
        assert_eq!(
            said(|w| dissect(&Payload { source: MASTER, ..Payload::new(FRAME) }, w)),
            (vec!["ot.role=ethercat:sender".to_owned()], Ok(()))
        );
        assert!(said(|w| dissect(&Payload { source: back, ..Payload::new(FRAME) }, w)).0.is_empty());
        assert!(said(|w| dissect(&Payload { source: MASTER, ..Payload::new(&FRAME[..10]) }, w)).1.is_err());
        assert!(
            said(|w| dissect(
                &Payload {
                    source: MASTER,
                    ..Payload::new(&[14, 0x50, 8, 1, 0, 0, 0, 0, 2, 0, 0, 0, 9, 9, 0, 0])
                },
                w
            ))
            .0
            .is_empty()
        );
        assert_eq!(said(|w| datagram(&Payload::new(FRAME), w)).0.len(), 1);
        survives(FRAME, |p, w| dissect(&Payload { source: MASTER, ..*p }, w));
    }
}
