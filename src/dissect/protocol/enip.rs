//! EtherNet/IP: the identity that a device lists (CIP volume 2, sections 2-3 and 2-4.2).

use crate::census::Field;
use crate::dissect::{Malformed, Reader, Words};

/// The command ListIdentity.
const LIST_IDENTITY: u16 = 0x63;
/// The item that holds the identity.
const IDENTITY: u16 = 0x0c;
/// Items that are looked at in one answer; it has one.
const ITEMS: u16 = 8;

/// Dissects an encapsulation message of UDP or TCP 44818. Only the answer to ListIdentity says words.
///
/// # Errors
/// Where the answer is cut short or a length runs past its end.
pub fn dissect(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload);
    let (Some(LIST_IDENTITY), Some(length)) = (r.u16_le(), r.u16_le()) else { return Ok(()) };
    let Some([_session, 0]) = r.u32_le().zip(r.u32_le()).map(|(s, status)| [s, status]) else {
        return Ok(());
    };
    if length == 0 {
        // The request.
        return Ok(());
    }
    let body =
        r.take(12).and_then(|_| r.take(length.into())).ok_or_else(|| malformed("truncated message"))?;
    let mut r = Reader::new(body);
    let items = r.u16_le().ok_or_else(|| malformed("truncated items"))?;
    for _ in 0..items.min(ITEMS) {
        let (kind, item) = item(&mut r).ok_or_else(|| malformed("truncated item"))?;
        if kind == IDENTITY {
            say(item, words).ok_or_else(|| malformed("truncated identity"))?;
        }
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("enip", reason)
}

fn item<'a>(r: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let (kind, length) = (r.u16_le()?, r.u16_le()?);
    Some((kind, r.take(length.into())?))
}

fn say(identity: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(identity);
    let _version_and_socket = r.take(2 + 16)?;
    let (vendor, device_type, _code) = (r.u16_le()?, r.u16_le()?, r.u16_le()?);
    let _revision_and_status = r.u32()?;
    let serial = r.u32_le()?;
    words.number(Field::EnipVendorId, vendor.into());
    words.number(Field::EnipDeviceType, device_type.into());
    // A serial number that was never set is shared by strangers.
    if !matches!(serial, 0 | u32::MAX) {
        words.say(Field::EnipSerial, format!("{vendor:04x}:{serial:08x}").as_bytes());
    }
    let length = r.u8()?;
    words.say(Field::EnipProduct, r.take(length.into())?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(command: u16, status: u8, serial: u32) -> Vec<u8> {
        let mut identity = vec![1, 0];
        identity.extend([0; 16]);
        identity.extend([1, 0, 14, 0, 55, 0, 20, 11, 0x60, 0]);
        identity.extend(serial.to_le_bytes());
        identity.extend(b"\x0a1756-L61/B\x03");
        let length = u8::try_from(identity.len()).unwrap();
        let body = [&[1, 0, 0x0c, 0, length, 0][..], &identity].concat();
        let mut out = command.to_le_bytes().to_vec();
        out.extend([u8::try_from(body.len()).unwrap(), 0, 0, 0, 0, 0, status, 0, 0, 0]);
        out.extend([0; 12]);
        out.extend(body);
        out
    }

    #[test]
    fn a_controller_lists_its_identity() {
        let (out, result) = said(|w| dissect(&message(0x63, 0, 0x00c0_ffee), w));
        assert_eq!(
            out,
            [
                "enip.vendor_id=1",
                "enip.device_type=14",
                "enip.serial=0001:00c0ffee",
                "enip.product=1756-L61/B"
            ]
        );
        assert_eq!(result, Ok(()));
        survives(&message(0x63, 0, 1), dissect);
    }

    #[test]
    fn requests_refusals_and_other_commands_say_nothing() {
        let mut request = vec![0x63, 0];
        request.resize(24, 0);
        for quiet in [request, message(0x65, 0, 1), message(0x63, 1, 1)] {
            assert_eq!(said(|w| dissect(&quiet, w)), (vec![], Ok(())));
        }
    }

    #[test]
    fn a_serial_number_that_was_never_set_is_not_said() {
        for serial in [0, u32::MAX] {
            let (out, _) = said(|w| dissect(&message(0x63, 0, serial), w));
            assert!(!out.iter().any(|v| v.starts_with("enip.serial")), "{out:?}");
        }
    }
}
