//! GOOSE and sampled values: the devices of a substation that publish them, and the name of what they publish
//! (IEC 61850-8-1, annex C and 18; IEC 61850-9-2, 8.5).

use crate::census::Field;
use crate::dissect::protocol::form::ber::{tagged, whole};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a GOOSE message, what follows the Ethernet type.
///
/// # Errors
/// If the message is truncated or of another kind.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let name = control_block(pdu(payload.bytes, 0x61)?);
    say("goose:sender", b"goose:", name, words);
    Ok(())
}

/// Dissects a message with sampled values, what follows the Ethernet type.
///
/// # Errors
/// As [`dissect`].
pub(crate) fn dissect_values(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let name = stream(pdu(payload.bytes, 0x60)?);
    say("sv:sender", b"sv:", name, words);
    Ok(())
}

/// The fields of the message behind the common header, which must have that tag.
fn pdu(bytes: &[u8], tag: u8) -> Result<&[u8], Malformed> {
    let mut r = Reader::new(bytes);
    let (Some(_application), Some(length), Some(_reserved)) = (r.u16(), r.u16(), r.u32()) else {
        return Err(Malformed::new("goose", "short header"));
    };
    // The length counts the header too.
    let message = usize::from(length).checked_sub(8).and_then(|n| r.take(n));
    let mut r = Reader::new(message.ok_or(Malformed::new("goose", "truncated message"))?);
    match whole(&mut r) {
        Some((found, fields)) if found == tag => Ok(fields),
        _ => Err(Malformed::new("goose", "no message")),
    }
}

fn say(role: &'static str, prefix: &[u8], name: Option<&[u8]>, words: &mut Words<'_>) {
    words.label(Field::OtRole, role);
    if let Some(name) = name {
        words.say(Field::OtIdentity, &[prefix, name].concat());
    }
}

/// gocbRef: `device/LLN0$GO$block`.
fn control_block(fields: &[u8]) -> Option<&[u8]> {
    tagged(&mut Reader::new(fields), 0x80)
}

/// svID of the first of the application data units.
fn stream(fields: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(fields);
    tagged(&mut r, 0x80)?;
    let units = match whole(&mut r)? {
        (0xa2, units) => units,
        // A security field may stand between.
        _ => tagged(&mut r, 0xa2)?,
    };
    tagged(&mut Reader::new(tagged(&mut Reader::new(units), 0x30)?), 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::ber::testing::ber;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
        ber(tag, &[content])
    }

    fn message(pdu: &[u8]) -> Vec<u8> {
        [&[0, 1, 0, u8::try_from(pdu.len()).unwrap() + 8, 0, 0, 0, 0], pdu].concat()
    }

    #[test]
    fn a_publisher_names_its_control_block() {
        let fields = [encode(0x80, b"RELAY1/LLN0$GO$trip"), encode(0x81, &[7, 0xd0])].concat();
        let goose = message(&encode(0x61, &fields));
        let expected = ["ot.role=goose:sender", "ot.identity=goose:RELAY1/LLN0$GO$trip"];
        assert_eq!(
            said(|w| dissect(&Payload::new(&goose), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        assert!(said(|w| dissect_values(&Payload::new(&goose), w)).1.is_err());
        assert!(said(|w| dissect(&Payload::new(&goose[..20]), w)).1.is_err());
        survives(&goose, dissect);
    }

    #[test]
    fn a_merging_unit_names_its_stream() {
        let unit = encode(0x30, &[encode(0x80, b"MU01"), encode(0x82, &[0, 9])].concat());
        let values = message(&encode(0x60, &[encode(0x80, &[1]), encode(0xa2, &unit)].concat()));
        assert_eq!(
            said(|w| dissect_values(&Payload::new(&values), w)).0,
            ["ot.role=sv:sender", "ot.identity=sv:MU01"]
        );
        survives(&values, dissect_values);
    }
}
