//! HL7 version 2 over MLLP: the application that sends a message (HL7 v2.5.1, 2.15.9; MLLP release 2).
//!
//! An interface engine may leave the first sender's name in a message that it passes on.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Dissects what begins a segment: a start of block and the message header; anything else says nothing.
///
/// # Errors
/// If the header ends before it names a sender.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(([0x0b, b'M', b'S', b'H', separator], rest)) = payload.bytes.split_first_chunk() else {
        return Ok(());
    };
    let header = rest.split(|b| *b == b'\r').next().unwrap_or_default();
    // The second field holds the other separators: component, repetition, escape, subcomponent, and truncation.
    let mut fields = header.split(|b| b == separator);
    let Some([component, _, _, _] | [component, _, _, _, _]) = fields.next() else { return Ok(()) };
    let Some(application) = fields.next() else {
        return Err(Malformed::new("hl7", "truncated header"));
    };
    words.say(Field::Hl7Application, application.split(|b| b == component).next().unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_message_names_the_application_that_sends_it() {
        let message =
            b"\x0bMSH|^~\\&|MONITOR^1.2.3^ISO|ICU|ADT|HOSPITAL|20260101||ORU^R01|1|P|2.5.1\rPID|1\r\x1c\r";
        assert_eq!(
            said(|w| dissect(&Payload::new(message), w)),
            (vec!["hl7.application=MONITOR".to_owned()], Ok(()))
        );
        assert!(said(|w| dissect(&Payload::new(b"\x0bMSH|^~\\&"), w)).1.is_err());
        assert!(said(|w| dissect(&Payload::new(b"\x0bMSH hello"), w)).0.is_empty());
        assert!(said(|w| dissect(&Payload::new(b"MSH|^~\\&|X|"), w)).0.is_empty());
        survives(message, dissect);
    }
}
