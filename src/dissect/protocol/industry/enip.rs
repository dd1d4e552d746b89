//! EtherNet/IP: the identity that a device lists, or answers with when all attributes of its identity object are read,
//! and the side of sessions (CIP volume 2, sections 2-3 and 2-4; volume 1, sections 2-4 and 5-2).
//!
//! An answer to reading one attribute does not name the object it is of, and is not understood. An answer may have come
//! through a chassis from a module beside the sender; so it names a product, but no serial number, which ties MACs.

use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// The command ListIdentity.
const LIST_IDENTITY: u16 = 0x63;
/// The command RegisterSession.
const REGISTER: u16 = 0x65;
/// The commands SendRRData and SendUnitData, which carry CIP messages.
const SEND: [u16; 2] = [0x6f, 0x70];
/// The item that holds the identity.
const IDENTITY: u16 = 0x0c;
/// Items that hold a CIP message: connected, with a sequence number before it, and unconnected.
const CONNECTED: u16 = 0xb1;
const UNCONNECTED: u16 = 0xb2;
/// Items that are looked at in one answer; it has one or two.
const ITEMS: u16 = 8;

/// Dissects an encapsulation message of UDP or TCP 44818; what begins within one says nothing.
///
/// # Errors
/// If the answer to ListIdentity is truncated or a length runs past its end.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(command), Some(length)) = (r.u16_le(), r.u16_le()) else { return Ok(()) };
    let (Some(session), Some(0), Some(_context)) = (r.u32_le(), r.u32_le(), r.array::<8>()) else {
        return Ok(());
    };
    // Options are always 0.
    if r.u32() != Some(0) {
        return Ok(());
    }
    if command == LIST_IDENTITY && length > 0 {
        return if payload.side == Side::Server {
            identities(r.at_most(length.into()), words)
        } else {
            Ok(())
        };
    }
    let Some(body) = r.take(length.into()) else { return Ok(()) };
    let speaks_as = match (command, body) {
        // Who answers ListIdentity has said what it is.
        (LIST_IDENTITY, []) => Side::Client,
        // The server gives the session its number.
        (REGISTER, [1, 0, 0, 0]) if session == 0 => Side::Client,
        (REGISTER, [1, 0, 0, 0]) => Side::Server,
        // The interface handle of CIP is 0.
        (_, [0, 0, 0, 0, _, _, items @ ..]) if SEND.contains(&command) => match cip(items) {
            // CIP volume 1, 2-4: bit 7 marks an answer.
            Some(message @ [0x80..=0xff, 0, ..]) => {
                if payload.side == Side::Server {
                    attributes(message, words);
                }
                Side::Server
            }
            Some([0x01..=0x7f, ..]) => Side::Client,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    // A request from the port of servers is one to everybody.
    if speaks_as == payload.side || command == LIST_IDENTITY {
        words.label(Field::OtRole, speaks_as.pick("enip:client", "enip:server"));
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

fn identities(body: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(body);
    let items = r.u16_le().ok_or_else(|| malformed("truncated items"))?;
    let mut ended = Ok(());
    for _ in 0..items.min(ITEMS) {
        let (kind, item) = item(&mut r).ok_or_else(|| malformed("truncated item"))?;
        if kind == IDENTITY {
            // Version and socket address come first.
            let identity = item.get(2 + 16..).and_then(Identity::read);
            let Some((identity, _state)) = identity else {
                ended = ended.and(Err(malformed("truncated identity")));
                continue;
            };
            // A relay keeps the address of who answers (I2).
            let mut words = words.about(&address(item).into_iter().collect::<Vec<_>>());
            identity.say(&mut words);
            // A serial number that was never set is shared by strangers.
            if !matches!(identity.serial, 0 | u32::MAX) {
                let serial = format!("{:04x}:{:08x}", identity.vendor, identity.serial);
                words.say(Field::EnipSerial, serial.as_bytes());
            }
        }
    }
    ended
}

/// The IPv4 address in an item of an identity: version, family, port, address.
fn address(item: &[u8]) -> Option<IpAddr> {
    match item {
        [_, _, 0, 2, _, _, a, b, c, d, ..] => Some([*a, *b, *c, *d].into()),
        _ => None,
    }
}

/// The CIP message among the items of a message.
fn cip(items: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(items);
    let count = r.u16_le().filter(|n| (2..=4).contains(n))?;
    for _ in 0..count {
        match item(&mut r)? {
            (UNCONNECTED, message) => return Some(message),
            (CONNECTED, message) => return message.get(2..),
            _ => {}
        }
    }
    None
}

/// CIP volume 1, 2-4.2: a successful answer (bit 7) to Get_Attributes_All (1), if it has the shape of an identity to
/// its last byte.
fn attributes(message: &[u8], words: &mut Words<'_>) {
    let [0x81, 0, 0, 0, attributes @ ..] = message else { return };
    if let Some((identity, [])) = Identity::read(attributes)
        && identity.vendor != 0
        && identity.revision.0 != 0
        && !identity.product.is_empty()
        && identity.product.iter().all(|b| matches!(b, b' '..=b'~'))
    {
        identity.say(words);
    }
}

/// CIP volume 1, 5-2.2: the first seven attributes of an identity object.
struct Identity<'a> {
    vendor: u16,
    device_type: u16,
    revision: (u8, u8),
    serial: u32,
    product: &'a [u8],
}

impl<'a> Identity<'a> {
    /// The identity, and what follows it.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut r = Reader::new(bytes);
        let (vendor, device_type, _code) = (r.u16_le()?, r.u16_le()?, r.u16_le()?);
        let revision = (r.u8()?, r.u8()?);
        let (_status, serial, length) = (r.u16()?, r.u32_le()?, r.u8()?);
        let product = r.take(length.into())?;
        Some((Self { vendor, device_type, revision, serial, product }, r.rest()))
    }

    fn say(&self, words: &mut Words<'_>) {
        words.number(Field::EnipVendorId, self.vendor.into());
        words.number(Field::EnipDeviceType, self.device_type.into());
        words.say(Field::EnipProduct, self.product);
        let (major, minor) = self.revision;
        words.say(Field::EnipRevision, format!("{major}.{minor}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    fn identity(serial: u32) -> Vec<u8> {
        let mut out = vec![1, 0, 14, 0, 55, 0, 20, 11, 0x60, 0];
        out.extend(serial.to_le_bytes());
        out.extend(b"\x0a1756-L61/B");
        out
    }

    fn message(command: u16, status: u8, body: &[u8]) -> Vec<u8> {
        let mut out = command.to_le_bytes().to_vec();
        out.extend([u8::try_from(body.len()).unwrap(), 0, 0, 0, 0, 0, status, 0, 0, 0]);
        out.extend([0; 12]);
        out.extend(body);
        out
    }

    fn listed(command: u16, status: u8, serial: u32) -> Vec<u8> {
        let item = [&[1, 0][..], &[0; 16], &identity(serial), &[3]].concat();
        let head = [1, 0, 0x0c, 0, u8::try_from(item.len()).unwrap(), 0];
        message(command, status, &[&head[..], &item].concat())
    }

    fn unconnected(cip: &[u8]) -> Vec<u8> {
        let head = [0, 0, 0, 0, 10, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0, u8::try_from(cip.len()).unwrap(), 0];
        message(0x6f, 0, &[&head[..], cip].concat())
    }

    fn server(payload: &[u8]) -> (Vec<String>, Result<(), Malformed>) {
        said(|w| dissect(&Payload::new(payload).on(Side::Server), w))
    }

    #[test]
    fn a_controller_lists_its_identity() {
        let (out, result) = server(&listed(0x63, 0, 0x00c0_ffee));
        assert_eq!(
            out,
            [
                "enip.vendor_id=1",
                "enip.device_type=14",
                "enip.product=1756-L61/B",
                "enip.revision=20.11",
                "enip.serial=0001:00c0ffee",
            ]
        );
        assert_eq!(result, Ok(()));
        survives(&listed(0x63, 0, 1), |p, w| dissect(&p.on(Side::Server), w));
    }

    #[test]
    fn an_answer_that_a_relay_brings_describes_the_device_that_it_names() {
        let mut answer = listed(0x63, 0, 7);
        // Family, port, address in the item, behind the heads of message and item and the version.
        answer[32..40].copy_from_slice(&[0, 2, 0xaf, 0x12, 192, 0, 2, 7]);
        let of = |p: Payload<'_>, source| described(MacAddr::default(), source, |w| dissect(&p, w)).0;
        let from = |source| of(Payload::new(&answer).on(Side::Server), source);
        assert!(from("192.0.2.7").iter().all(|said| said.starts_with("enip.")));
        let other = from("192.0.2.9");
        assert!(
            other.len() == 5 && other.iter().all(|said| said.starts_with("192.0.2.7 enip.")),
            "{other:?}"
        );
    }

    #[test]
    fn refusals_other_commands_and_answers_from_no_server_say_nothing() {
        for quiet in [listed(0x65, 0, 1), listed(0x63, 1, 1), listed(0x99, 0, 1)] {
            assert_eq!(server(&quiet), (vec![], Ok(())));
        }
        assert_eq!(
            said(|w| dissect(&Payload::new(&listed(0x63, 0, 1)).on(Side::Client), w)),
            (vec![], Ok(()))
        );
    }

    #[test]
    fn a_serial_number_that_was_never_set_is_not_said() {
        for serial in [0, u32::MAX] {
            let (out, _) = server(&listed(0x63, 0, serial));
            assert!(!out.iter().any(|v| v.starts_with("enip.serial")), "{out:?}");
        }
    }

    #[test]
    fn reading_the_identity_names_the_product_without_its_serial_number() {
        let answer = unconnected(&[&[0x81, 0, 0, 0][..], &identity(7)].concat());
        let (out, result) = server(&answer);
        assert_eq!(
            out,
            [
                "enip.vendor_id=1",
                "enip.device_type=14",
                "enip.product=1756-L61/B",
                "enip.revision=20.11",
                "ot.role=enip:server",
            ]
        );
        assert_eq!(result, Ok(()));
        survives(&answer, |p, w| dissect(&p.on(Side::Server), w));
        // Attributes of another object have another shape.
        let other = unconnected(&[&[0x81, 0, 0, 0][..], &identity(7), &[0]].concat());
        assert_eq!(server(&other).0, ["ot.role=enip:server"]);
    }

    #[test]
    fn sessions_tell_the_sides() {
        let register = message(REGISTER, 0, &[1, 0, 0, 0]);
        assert!(server(&register).0.is_empty());
        let mut registered = register.clone();
        registered[4] = 7;
        assert_eq!(server(&registered).0, ["ot.role=enip:server"]);
        let of = |payload: &[u8]| said(|w| dissect(&Payload::new(payload).on(Side::Client), w)).0;
        assert_eq!(of(&register), ["ot.role=enip:client"]);
        assert_eq!(of(&message(LIST_IDENTITY, 0, &[])), ["ot.role=enip:client"]);
        assert_eq!(server(&message(LIST_IDENTITY, 0, &[])).0, ["ot.role=enip:client"]);
        assert_eq!(of(&unconnected(&[1, 2, 0x20, 1, 0x24, 1])), ["ot.role=enip:client"]);
        assert!(of(&unconnected(&[1, 2])[..40]).is_empty());
    }
}
