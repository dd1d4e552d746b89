//! BACnet/IP: the vendor of a device that says I-Am, the properties of its device object that it answers with, and the
//! side of requests and answers (ASHRAE 135 annex J, clauses 6.2, 15.5, 15.7, 16.10.1 and 20).
//!
//! What a broadcast device forwards, or a router brings from another network, was said by somebody else: of its sender
//! it tells no more than that it is a router.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The object type of a device.
const DEVICE: u32 = 8;
/// The longest text of a property that is read.
const TEXT_BYTES: usize = 512;

/// Dissects a message of UDP 47808.
///
/// # Errors
/// If it is not BACnet/IP, or an I-Am or the answer to a reading is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([0x81, function]), Some(length)) = (r.array(), r.u16()) else {
        return Err(malformed("unknown link type"));
    };
    // Distribute-Broadcast-To-Network, Original-Unicast-NPDU, Original-Broadcast-NPDU.
    if !matches!(function, 0x09..=0x0b) {
        return Ok(());
    }
    let length = usize::from(length).checked_sub(4).ok_or_else(|| malformed("short message"))?;
    let ended = if length > r.rest().len() { Err(malformed("truncated message")) } else { Ok(()) };
    let mut r = Reader::new(r.at_most(length));
    match network(&mut r).ok_or_else(|| malformed("truncated network header"))? {
        Origin::Sender => application(r, words)?,
        Origin::Routed => words.label(Field::OtRole, "bacnet:router"),
        Origin::Unknown => {}
    }
    ended
}

/// Whose a message is.
enum Origin {
    /// An application message of the sender itself.
    Sender,
    /// One that the sender brought from another network, or its word that it could.
    Routed,
    /// Another network message, or another version.
    Unknown,
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("bacnet", reason)
}

/// Clause 6.2: reads the network header.
fn network(r: &mut Reader<'_>) -> Option<Origin> {
    let [version, control] = r.array()?;
    if version != 1 {
        return Some(Origin::Unknown);
    }
    // Only a source on another network than the sender is named.
    if control & 0x08 != 0 {
        return Some(Origin::Routed);
    }
    if control & 0x20 != 0 {
        let (_network, length) = (r.u16()?, r.u8()?);
        r.take(length.into())?;
        let _hops = r.u8()?;
    }
    if control & 0x80 != 0 {
        // I-Am-Router-To-Network.
        return Some(if r.u8()? == 1 { Origin::Routed } else { Origin::Unknown });
    }
    Some(Origin::Sender)
}

/// Clause 20.1: the kinds of application messages.
fn application(mut r: Reader<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    match r.rest() {
        [0x10, 0, ..] => {
            let vendor = i_am(&mut r).ok_or_else(|| malformed("broken I-Am"))?;
            words.number(Field::BacnetVendorId, vendor.into());
        }
        // Requests; of a segmented one the window stands before the service.
        [0x00..=0x07, _, _, service, ..] | [0x08..=0x0f, _, _, _, _, service, ..] => {
            side(*service, true, words)
        }
        // Simple acknowledgements, segmented complex ones, and errors.
        [0x20, _, service] | [0x38..=0x3f, _, _, _, service, ..] | [0x50, _, service, ..] => {
            side(*service, false, words);
        }
        [0x30, _, service, values @ ..] => {
            side(*service, false, words);
            match service {
                // ReadProperty and ReadPropertyMultiple.
                0x0c => {
                    properties(values, 1, words).ok_or_else(|| malformed("broken ReadProperty answer"))?
                }
                0x0e => {
                    properties(values, 2, words)
                        .ok_or_else(|| malformed("broken ReadPropertyMultiple answer"))?;
                }
                _ => {}
            }
        }
        _ => {}
    }
    Ok(())
}

/// Who asks for a confirmed service is a client, but for notifications, which a server sends.
fn side(service: u8, asks: bool, words: &mut Words<'_>) {
    let notifies = matches!(service, 1 | 2 | 31 | 32);
    if service <= 33 {
        words.label(Field::OtRole, if asks == notifies { "bacnet:server" } else { "bacnet:client" });
    }
}

/// Clause 21, I-Am-Request: device, longest message, segmentation, vendor, each with an application tag.
fn i_am(r: &mut Reader<'_>) -> Option<u16> {
    let _service = r.u16()?;
    let mut next = |tag| match part(r)? {
        Part::Application(found, value) if found == tag => number(value),
        _ => None,
    };
    let (device, _longest, _segmentation, vendor) = (next(12)?, next(2)?, next(9)?, next(2)?);
    if device >> 22 != DEVICE {
        return None;
    }
    u16::try_from(vendor).ok()
}

/// One tag of clause 20.2.1 with what it bears.
enum Part<'a> {
    Application(u8, &'a [u8]),
    Context(u8, &'a [u8]),
    Open(u8),
    Close,
}

fn part<'a>(r: &mut Reader<'a>) -> Option<Part<'a>> {
    let head = r.u8()?;
    let (mut tag, context, length) = (head >> 4, head & 8 != 0, head & 7);
    if tag == 15 {
        tag = r.u8()?;
    }
    let length = match length {
        6 if context => return Some(Part::Open(tag)),
        7 if context => return Some(Part::Close),
        // A boolean is its own length.
        _ if tag == 1 && !context => 0,
        0..=4 => length.into(),
        5 => match r.u8()? {
            254 => r.u16()?.into(),
            255 => return None,
            n => n.into(),
        },
        _ => return None,
    };
    let value = r.take(length)?;
    Some(if context { Part::Context(tag, value) } else { Part::Application(tag, value) })
}

/// A number of one to four bytes.
fn number(value: &[u8]) -> Option<u32> {
    (1..=4).contains(&value.len()).then(|| value.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

/// Clause 21, ReadProperty-ACK and ReadPropertyMultiple-ACK: the values of properties lie `level` brackets deep. Both
/// name the object by tag 0; then the first names the property by tag 1 and puts the value into 3, the second by 2 and
/// into 4.
fn properties(values: &[u8], level: u8, words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(values);
    let (mut of_device, mut property, mut depth, mut fresh) = (false, None, 0u8, false);
    while !r.is_empty() && words.budget().item() && !words.budget().is_silent() {
        match part(&mut r)? {
            Part::Context(0, object) if depth == 0 => of_device = number(object)? >> 22 == DEVICE,
            Part::Context(tag, value) if tag == level && depth == level - 1 => property = number(value),
            Part::Context(..) => {}
            Part::Open(tag) => {
                depth = depth.checked_add(1)?;
                fresh = depth == level && tag == level + 2;
            }
            Part::Close => depth = depth.checked_sub(1)?,
            Part::Application(tag, value) => {
                if fresh && of_device {
                    say(property, tag, value, words);
                }
                fresh = false;
            }
        }
    }
    (depth == 0).then_some(())
}

/// Clause 12.11: the properties of a device that tell what it is.
fn say(property: Option<u32>, tag: u8, value: &[u8], words: &mut Words<'_>) {
    let field = match (property, tag) {
        (Some(120), 2) => {
            if let Some(vendor) = number(value).filter(|n| *n <= u16::MAX.into()) {
                words.number(Field::BacnetVendorId, vendor.into());
            }
            return;
        }
        (Some(44), 7) => Field::BacnetFirmware,
        (Some(70), 7) => Field::BacnetModel,
        (Some(77), 7) => Field::BacnetName,
        _ => return,
    };
    // Clause 20.2.9: the character set stands first; 0 is UTF-8, 4 UCS-2, 5 ISO 8859-1.
    let value = value.get(..TEXT_BYTES).unwrap_or(value);
    match value {
        [0, text @ ..] => words.say(field, text),
        [4, text @ ..] => {
            let units: Vec<u16> = text.as_chunks().0.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            words.say(field, String::from_utf16_lossy(&units).as_bytes());
        }
        [5, text @ ..] => {
            words.say(field, text.iter().map(|b| char::from(*b)).collect::<String>().as_bytes())
        }
        _ => {}
    }
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

    fn unicast(apdu: &[u8]) -> Vec<u8> {
        message(0x0a, &[1, 0], apdu)
    }

    #[test]
    fn a_device_names_its_vendor() {
        for sound in [
            message(0x0b, &[1, 0x20, 0xff, 0xff, 0, 0xff], I_AM),
            message(0x0a, &[1, 0], I_AM),
            message(0x09, &[1, 0], I_AM),
        ] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&sound), w)),
                (vec!["bacnet.vendor_id=260".to_owned()], Ok(()))
            );
            survives(&sound, dissect);
        }
    }

    #[test]
    fn what_others_said_and_other_messages_say_nothing() {
        let name =
            [&[0x30, 1, 0x0c, 0x0c, 2, 0, 0, 7, 0x19, 77, 0x3e, 0x74, 0][..], b"AHU", &[0x3f]].concat();
        for quiet in [
            message(0x04, &[192, 0, 2, 1, 0xba, 0xc0, 1, 0], I_AM),
            message(0x0b, &[1, 0x80, 0], b""),
            message(0x0b, &[1, 0], &[0x10, 8]),
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
        for routed in [
            message(0x0b, &[1, 0x08, 0, 5, 1, 9], I_AM),
            message(0x0a, &[1, 0x08, 0, 5, 1, 9], &name),
            message(0x0b, &[1, 0x80, 1], b""),
        ] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&routed), w)),
                (vec!["ot.role=bacnet:router".to_owned()], Ok(()))
            );
        }
    }

    #[test]
    fn an_i_am_that_lies_is_malformed() {
        let mut other_object = message(0x0b, &[1, 0], I_AM);
        other_object[9] = 0;
        let mut long = message(0x0b, &[1, 0], I_AM);
        long[3] = 200;
        let (out, result) = said(|w| dissect(&Payload::new(&long), w));
        assert_eq!((out.len(), result.is_err()), (1, true), "cut behind the service");
        for bad in [other_object, message(0x0b, &[1, 0], &I_AM[..9]), b"hello".to_vec()] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_device_answers_with_its_model() {
        let head = [0x30, 1, 0x0c, 0x0c, 2, 0, 0, 7, 0x19, 70, 0x3e];
        let answer = unicast(&[&head[..], &[0x75, 6, 0], b"EX-20", &[0x3f]].concat());
        let (out, result) = said(|w| dissect(&Payload::new(&answer), w));
        assert_eq!(out, ["ot.role=bacnet:server", "bacnet.model=EX-20"]);
        assert_eq!(result, Ok(()));
        survives(&answer, dissect);
        // The name of another object is not the device's.
        let mut other = answer;
        other[10] = 0;
        assert_eq!(said(|w| dissect(&Payload::new(&other), w)).0, ["ot.role=bacnet:server"]);
        let open = unicast(&[&head[..], &[0x75, 6, 0], b"EX-20"].concat());
        assert!(said(|w| dissect(&Payload::new(&open), w)).1.is_err());
    }

    #[test]
    fn a_device_answers_with_several_properties() {
        let mut apdu = vec![0x30, 1, 0x0e, 0x0c, 2, 0, 0, 7, 0x1e];
        apdu.extend([0x29, 120, 0x4e, 0x21, 7, 0x4f]);
        // An array of two, of which the first is not a text; an error; UCS-2 and ISO 8859-1.
        apdu.extend([0x29, 44, 0x4e, 0x21, 7, 0x72, 0, b'x', 0x4f]);
        apdu.extend([0x29, 44, 0x5e, 0x91, 2, 0x91, 32, 0x5f]);
        apdu.extend([0x29, 77, 0x4e, 0x75, 5, 4, 0, b'H', 0, 0xe4, 0x4f]);
        apdu.extend([0x29, 70, 0x39, 1, 0x4e, 0x73, 5, b'M', 0xe4, 0x4f, 0x1f]);
        let answer = unicast(&apdu);
        let (out, result) = said(|w| dissect(&Payload::new(&answer), w));
        assert_eq!(out, ["ot.role=bacnet:server", "bacnet.vendor_id=7", "bacnet.name=Hä", "bacnet.model=Mä"]);
        assert_eq!(result, Ok(()));
        survives(&answer, dissect);
    }

    #[test]
    fn who_asks_is_a_client_and_who_notifies_a_server() {
        let of = |apdu: &[u8]| said(|w| dissect(&Payload::new(&unicast(apdu)), w)).0;
        assert_eq!(of(&[0x00, 5, 1, 0x0c, 0x0c, 2, 0, 0, 7, 0x19, 77]), ["ot.role=bacnet:client"]);
        assert_eq!(of(&[0x0c, 5, 1, 0, 4, 0x0f]), ["ot.role=bacnet:client"]);
        assert_eq!(of(&[0x20, 1, 0x0f]), ["ot.role=bacnet:server"]);
        assert_eq!(of(&[0x50, 1, 0x0c, 0x91, 2, 0x91, 32]), ["ot.role=bacnet:server"]);
        assert_eq!(of(&[0x00, 5, 1, 0x01, 9, 1]), ["ot.role=bacnet:server"]);
        assert_eq!(of(&[0x20, 1, 0x01]), ["ot.role=bacnet:client"]);
        assert!(of(&[0x20, 1, 99]).is_empty());
        assert!(of(&[0x60, 1, 1]).is_empty());
    }
}
