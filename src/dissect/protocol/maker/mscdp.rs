//! Microsoft's Connected Devices Platform on UDP 5050: what answers a presence request (MS-CDP sections 2.2.2.1.1 and
//! 2.2.2.2.2).

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Reader, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let kind = match device(payload.bytes) {
        Some(1) => "xbox",
        Some(6) => "iphone",
        Some(7) => "ipad",
        Some(8) => "android",
        Some(9) => "windows_desktop",
        Some(11) => "windows_phone",
        Some(12) => "linux",
        Some(13) => "windows_iot",
        Some(14) => "surface_hub",
        Some(15) => "windows_laptop",
        Some(16) => "windows_tablet",
        _ => return Ok(()),
    };
    identity("mscdp", Some(kind.as_bytes()), words);
    Ok(())
}

/// The device type of a presence response.
fn device(payload: &[u8]) -> Option<u16> {
    let mut r = Reader::new(payload);
    let (signature, length, [version, message]) = (r.u16()?, r.u16()?, r.array()?);
    // Version 3, discovery.
    if (signature, version, message) != (0x3030, 3, 1) || usize::from(length) != payload.len() {
        return None;
    }
    // Flags, sequence number, request, fragment's index and count, session, channel; no further headers.
    r.take(34)?;
    let (more, kind) = (r.u16()?, r.u8()?);
    let (_mode, device, name) = (r.u16()?, r.u16()?, r.u16()?);
    r.take(name.into())?;
    // A response is kind 1.
    (more == 0 && kind == 1).then_some(device)
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    fn message(kind: u8, device: u8) -> Vec<u8> {
        let mut out = vec![0x30, 0x30, 0, 93, 3, 1];
        out.resize(42, 0);
        out.extend([kind, 0, 1, 0, device, 0, 8]);
        out.extend(b"LAPTOP-1");
        out.resize(93, 7);
        out
    }

    #[test]
    fn a_computer_answers_a_presence_request() {
        assert_eq!(heard(&message(1, 15), 5050, 5050), ["discovery.identity=mscdp:windows_laptop"]);
        assert_eq!(heard(&message(1, 1), 5050, 50_000), ["discovery.identity=mscdp:xbox"]);
        for quiet in [message(0, 15), message(1, 99), message(1, 15)[..60].to_vec()] {
            assert!(heard(&quiet, 5050, 5050).is_empty());
        }
        survives_datagram(&message(1, 15), 5050, 5050);
    }
}
