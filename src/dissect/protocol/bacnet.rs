//! BACnet/IP: the vendor of a device that says I-Am (ASHRAE 135 annex J, clauses 6.2 and 16.10.1).
//!
//! What a broadcast device forwards, or a router brings from another network, was said by somebody else and says
//! nothing here.

use crate::census::Field;
use crate::dissect::{Malformed, Reader, Words};

/// Dissects a message of UDP 47808.
///
/// # Errors
/// Where it is no BACnet/IP, or an I-Am is cut short.
pub fn dissect(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload);
    let (Some([0x81, function]), Some(length)) = (r.array(), r.u16()) else {
        return Err(malformed("unknown link type"));
    };
    // Distribute-Broadcast-To-Network, Original-Unicast-NPDU, Original-Broadcast-NPDU.
    if !matches!(function, 0x09..=0x0b) {
        return Ok(());
    }
    let body = usize::from(length).checked_sub(4).and_then(|n| r.take(n));
    let mut r = Reader::new(body.ok_or_else(|| malformed("truncated message"))?);
    if network(&mut r).ok_or_else(|| malformed("truncated network header"))?
        && r.rest().starts_with(&[0x10, 0])
    {
        let vendor = i_am(&mut r).ok_or_else(|| malformed("broken I-Am"))?;
        words.number(Field::BacnetVendorId, vendor.into());
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("bacnet", reason)
}

/// Clause 6.2: reads the network header; whether an application message of the sender itself follows.
fn network(r: &mut Reader<'_>) -> Option<bool> {
    let [version, control] = r.array()?;
    if version != 1 || control & 0x80 != 0 || control & 0x08 != 0 {
        return Some(false);
    }
    if control & 0x20 != 0 {
        let (_network, length) = (r.u16()?, r.u8()?);
        r.take(length.into())?;
        let _hops = r.u8()?;
    }
    Some(true)
}

/// Clause 21, I-Am-Request: device, longest message, segmentation, vendor, each with an application tag.
fn i_am(r: &mut Reader<'_>) -> Option<u16> {
    let _service = r.u16()?;
    let device = number(r, 12)?;
    let (_longest, _segmentation, vendor) = (number(r, 2)?, number(r, 9)?, number(r, 2)?);
    // Object type 8 is a device.
    if device >> 22 != 8 {
        return None;
    }
    u16::try_from(vendor).ok()
}

/// A number of one to four bytes with that application tag (clause 20.2.1).
fn number(r: &mut Reader<'_>, tag: u8) -> Option<u32> {
    let head = r.u8()?;
    let length = usize::from(head & 7);
    if head >> 4 != tag || head & 8 != 0 || !(1..=4).contains(&length) {
        return None;
    }
    Some(r.take(length)?.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const I_AM: &[u8] = &[0x10, 0, 0xc4, 2, 0, 0, 7, 0x22, 5, 0xc4, 0x91, 3, 0x22, 1, 4];

    fn message(function: u8, network: &[u8], apdu: &[u8]) -> Vec<u8> {
        let length = u8::try_from(4 + network.len() + apdu.len()).unwrap();
        [&[0x81, function, 0, length], network, apdu].concat()
    }

    #[test]
    fn a_device_names_its_vendor() {
        for sound in [
            message(0x0b, &[1, 0x20, 0xff, 0xff, 0, 0xff], I_AM),
            message(0x0a, &[1, 0], I_AM),
            message(0x09, &[1, 0], I_AM),
        ] {
            assert_eq!(said(|w| dissect(&sound, w)), (vec!["bacnet.vendor_id=260".to_owned()], Ok(())));
            survives(&sound, dissect);
        }
    }

    #[test]
    fn what_others_said_and_other_messages_say_nothing() {
        for quiet in [
            message(0x04, &[192, 0, 2, 1, 0xba, 0xc0, 1, 0], I_AM),
            message(0x0b, &[1, 0x08, 0, 5, 1, 9], I_AM),
            message(0x0b, &[1, 0x80, 1], b""),
            message(0x0b, &[1, 0], &[0x10, 8]),
        ] {
            assert_eq!(said(|w| dissect(&quiet, w)), (vec![], Ok(())), "{quiet:?}");
        }
    }

    #[test]
    fn an_i_am_that_lies_is_malformed() {
        let mut other_object = message(0x0b, &[1, 0], I_AM);
        other_object[9] = 0;
        let mut long = message(0x0b, &[1, 0], I_AM);
        long[3] = 200;
        for bad in [other_object, long, message(0x0b, &[1, 0], &I_AM[..9]), b"hello".to_vec()] {
            let (out, result) = said(|w| dissect(&bad, w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
