//! SERCOS III: its master, whose telegrams the slaves only fill (IEC 61784-2, CPF 16; Sercos International, Sercos III
//! communication specification).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Dissects what follows the Ethernet type.
///
/// # Errors
/// If the header is missing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // Channel, kind and number (0 to 3) of a telegram; the phase of communication (0 to 4); a check sum.
    let [kind, phase, _, _, _, _, ..] = payload.bytes else {
        return Err(Malformed::new("sercos", "short header"));
    };
    if kind & 0x1c == 0 && phase & 0x0f <= 4 {
        words.label(Field::OtRole, "sercos:sender");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_telegram_has_a_sender() {
        let telegram = [0x40, 4, 1, 2, 3, 4, 0, 0];
        assert_eq!(said(|w| dissect(&Payload::new(&telegram), w)).0, ["ot.role=sercos:sender"]);
        assert!(said(|w| dissect(&Payload::new(&[0x5c, 4, 1, 2, 3, 4]), w)).0.is_empty());
        assert!(said(|w| dissect(&Payload::new(&[0x40, 4]), w)).1.is_err());
        survives(&telegram, dissect);
    }
}
