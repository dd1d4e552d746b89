//! SCCP (Skinny): which kind of telephone or gateway registers at its call manager, on TCP 2000.
//!
//! Cisco published no standard; the head and the register message are read as far as open servers agree on them.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The message by which a device registers.
const REGISTER: u32 = 1;

/// Dissects the beginning of a segment to TCP 2000: `sccp:30016`, the device's type.
///
/// # Errors
/// Never: what is not strictly of the form is another protocol or message.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some(kind) = registration(payload.bytes) {
        words.say(Field::DiscoveryIdentity, format!("sccp:{kind}").as_bytes());
    }
    Ok(())
}

fn registration(payload: &[u8]) -> Option<u32> {
    let mut r = Reader::new(payload);
    let (length, version, message) = (r.u32_le()?, r.u32_le()?, r.u32_le()?);
    // The length counts from the message's number on; one segment may hold more messages.
    let body = usize::try_from(length).ok()?.checked_sub(4).and_then(|n| r.take(n))?;
    if version > 0xff || message != REGISTER {
        return None;
    }
    let mut r = Reader::new(body);
    let name = r.take(16)?;
    let _user_instance_and_address = r.take(12)?;
    let kind = r.u32_le()?;
    // `SEP` and a MAC address for a telephone, or whatever a bridge is called; zeros behind it.
    let end = name.iter().position(|b| *b == 0)?;
    let (name, zeros) = name.split_at_checked(end)?;
    let sound = name.len() >= 3
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@'))
        && zeros.iter().all(|b| *b == 0);
    (sound && (1..0x000f_ffff).contains(&kind)).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(id: u8, name: &[u8; 16], kind: u32) -> Vec<u8> {
        let body = [&name[..], &[0; 8], &[192, 0, 2, 1], &kind.to_le_bytes(), &[0; 12]].concat();
        let length = u8::try_from(body.len() + 4).unwrap();
        [&[length, 0, 0, 0, 20, 0, 0, 0, id, 0, 0, 0], &body[..]].concat()
    }

    #[test]
    fn a_telephone_registers_with_its_type() {
        let register = message(1, b"SEP001122334455\0", 30016);
        assert_eq!(said(|w| dissect(&Payload::new(&register), w)).0, ["discovery.identity=sccp:30016"]);
        survives(&register, dissect);
        for quiet in
            [message(2, b"SEP001122334455\0", 7), message(1, b"\x01EP001122334455\0", 7), vec![0; 64]]
        {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())));
        }
    }
}
