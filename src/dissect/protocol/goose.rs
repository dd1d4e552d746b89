//! GOOSE and sampled values: the devices of a substation that publish them, and the name of what they publish
//! (IEC 61850-8-1, annex C and 18; IEC 61850-9-2, 8.5).

use super::ber::{tagged, whole};
use crate::census::Field;
use crate::dissect::{Malformed, Reader, Words};

/// The Ethernet type of GOOSE.
pub(super) const GOOSE: u16 = 0x88b8;
/// The Ethernet type of sampled values.
pub(super) const SAMPLED_VALUES: u16 = 0x88ba;

/// Dissects what follows the Ethernet type.
///
/// # Errors
/// Where the message is cut short or is none.
pub fn dissect(body: &[u8], ethertype: u16, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(body);
    let (Some(_application), Some(length), Some(_reserved)) = (r.u16(), r.u16(), r.u32()) else {
        return Err(Malformed::new("goose", "short header"));
    };
    // The length counts the header too.
    let message = usize::from(length).checked_sub(8).and_then(|n| r.take(n));
    let mut r = Reader::new(message.ok_or(Malformed::new("goose", "truncated message"))?);
    let (role, prefix, name) = match (ethertype, whole(&mut r)) {
        (GOOSE, Some((0x61, fields))) => ("goose:sender", &b"goose:"[..], control_block(fields)),
        (SAMPLED_VALUES, Some((0x60, fields))) => ("sv:sender", &b"sv:"[..], stream(fields)),
        _ => return Err(Malformed::new("goose", "no message")),
    };
    words.label(Field::OtRole, role);
    if let Some(name) = name {
        words.say(Field::OtIdentity, &[prefix, name].concat());
    }
    Ok(())
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
    use crate::dissect::protocol::ber::testing::ber;
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
        assert_eq!(said(|w| dissect(&goose, GOOSE, w)), (expected.map(str::to_owned).to_vec(), Ok(())));
        assert!(said(|w| dissect(&goose, SAMPLED_VALUES, w)).1.is_err());
        assert!(said(|w| dissect(&goose[..20], GOOSE, w)).1.is_err());
        survives(&goose, |p, w| dissect(p, GOOSE, w));
    }

    #[test]
    fn a_merging_unit_names_its_stream() {
        let unit = encode(0x30, &[encode(0x80, b"MU01"), encode(0x82, &[0, 9])].concat());
        let values = message(&encode(0x60, &[encode(0x80, &[1]), encode(0xa2, &unit)].concat()));
        assert_eq!(
            said(|w| dissect(&values, SAMPLED_VALUES, w)).0,
            ["ot.role=sv:sender", "ot.identity=sv:MU01"]
        );
        survives(&values, |p, w| dissect(p, SAMPLED_VALUES, w));
    }
}
