//! EtherCAT: its masters, and who publishes network variables (IEC 61158-4-12, 5.3; ETG.1000.4).
//!
//! Slaves send no frames of their own: they write into the master's as it passes, and mark its source address as a
//! local one on its way back. A marked frame says nothing.

use crate::census::{Field, MacAddr};
use crate::dissect::{Malformed, Reader, Words};

/// The Ethernet type of EtherCAT.
pub(super) const ETHERTYPE: u16 = 0x88a4;

/// Dissects what follows the Ethernet type.
///
/// # Errors
/// Where the frame is shorter than its header says.
pub fn dissect(body: &[u8], source: MacAddr, words: &mut Words<'_>) -> Result<(), Malformed> {
    if !is_frame(body)? || source.0.first().is_some_and(|b| b & 2 != 0) {
        return Ok(());
    }
    words.label(Field::OtRole, "ethercat:sender");
    Ok(())
}

/// Dissects a datagram of UDP 34980.
///
/// # Errors
/// None; the form is that of all dissectors.
pub fn datagram(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    if is_frame(payload) == Ok(true) {
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
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const FRAME: &[u8] = &[14, 0x10, 8, 1, 0, 0, 0, 0, 2, 0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0];
    const MASTER: MacAddr = MacAddr([0, 1, 5, 1, 2, 3]);

    #[test]
    fn only_the_frame_that_the_master_sent_has_a_sender() {
        let back = MacAddr([2, 1, 5, 1, 2, 3]);
        assert_eq!(said(|w| dissect(FRAME, MASTER, w)), (vec!["ot.role=ethercat:sender".to_owned()], Ok(())));
        assert!(said(|w| dissect(FRAME, back, w)).0.is_empty());
        assert!(said(|w| dissect(&FRAME[..10], MASTER, w)).1.is_err());
        assert!(
            said(|w| dissect(&[14, 0x50, 8, 1, 0, 0, 0, 0, 2, 0, 0, 0, 9, 9, 0, 0], MASTER, w)).0.is_empty()
        );
        assert_eq!(said(|w| datagram(FRAME, w)).0.len(), 1);
        survives(FRAME, |p, w| dissect(p, MASTER, w));
    }
}
