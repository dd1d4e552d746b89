//! Port authentication: the side that asks who is there, and the side that is asked (IEEE 802.1X 11.3, RFC 3748
//! section 4, IEEE 802.11 12.7.2 for the keys of Wi-Fi that cross an access point's bridge).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects an EAPOL packet, what follows the Ethernet type 0x888e. What both sides send says nothing.
///
/// # Errors
/// If the packet is truncated or its EAP packet lies about its length.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([version @ 1..=3, kind]), Some(length)) = (r.array(), r.u16()) else {
        return Err(malformed("unknown version"));
    };
    let body = r.take(length.into()).ok_or_else(|| malformed("truncated packet"))?;
    let role = match kind {
        0 => eap(body).ok_or_else(|| malformed("broken EAP packet"))?,
        // A start has no body before version 3, which may add TLVs.
        1 if body.is_empty() || version == 3 => "supplicant",
        2 if body.is_empty() => "supplicant",
        3 => match key(body) {
            Some(role) => role,
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    words.say(Field::EapolRole, role.as_bytes());
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("eapol", reason)
}

/// Who sends that EAP packet: code, identifier, length, and the type of requests and responses.
fn eap(body: &[u8]) -> Option<&'static str> {
    let mut r = Reader::new(body);
    let (code, _identifier, length) = (r.u8()?, r.u8()?, r.u16()?);
    match (code, length) {
        (1 | 2, 5..) if usize::from(length) > body.len() => None,
        (1, 5..) => Some("authenticator"),
        (2, 5..) => Some("supplicant"),
        (3 | 4, 4) => Some("authenticator"),
        _ => None,
    }
}

/// Who sends a key of WPA (descriptor 254) or RSN (2): only the authenticator wants it acknowledged, and only a
/// supplicant proves a key without wanting that.
fn key(body: &[u8]) -> Option<&'static str> {
    const ACKNOWLEDGE: u16 = 0x0080;
    const PROVEN: u16 = 0x0100;
    let mut r = Reader::new(body);
    let (2 | 254, information) = (r.u8()?, r.u16()?) else { return None };
    // The shortest descriptor ends in a length of data after 92 further bytes.
    r.take(92)?;
    match information & (ACKNOWLEDGE | PROVEN) {
        0 => None,
        PROVEN => Some("supplicant"),
        _ => Some("authenticator"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn each_side_is_told_by_what_only_it_sends() {
        for (packet, role) in [
            (&[1, 0, 0, 5, 1, 7, 0, 5, 1][..], "authenticator"),
            (&[2, 0, 0, 9, 2, 7, 0, 9, 1, b'h', b'o', b's', b't', 0, 0], "supplicant"),
            (&[3, 0, 0, 4, 3, 7, 0, 4], "authenticator"),
            (&[2, 0, 0, 4, 4, 7, 0, 4], "authenticator"),
            (&[1, 1, 0, 0], "supplicant"),
            (&[3, 1, 0, 1, 0], "supplicant"),
            (&[1, 2, 0, 0, 0, 0], "supplicant"),
        ] {
            assert_eq!(
                said(|w| dissect(&Payload::new(packet), w)),
                (vec![format!("eapol.role={role}")], Ok(()))
            );
            survives(packet, dissect);
        }
    }

    #[test]
    fn the_keys_of_wi_fi_tell_the_sides() {
        for (information, role) in
            [([0, 0x8a], "authenticator"), ([1, 0x0a], "supplicant"), ([0x13, 0xca], "authenticator")]
        {
            let key = [&[2, 3, 0, 95, 2][..], &information, &[0; 92]].concat();
            assert_eq!(said(|w| dissect(&Payload::new(&key), w)).0, [format!("eapol.role={role}")]);
            survives(&key, dissect);
        }
    }

    #[test]
    fn unknown_keys_and_lies_say_nothing() {
        for key in [[2, 0, 0], [1, 0, 0x8a]] {
            let key = [&[2, 3, 0, 95][..], &key, &[0; 92]].concat();
            assert_eq!(said(|w| dissect(&Payload::new(&key), w)), (vec![], Ok(())));
        }
        for bad in [
            &[1, 0, 0, 5, 1, 7, 0, 6, 1][..],
            &[1, 0, 0, 9, 1, 7, 0, 5, 1],
            &[1, 0, 0, 4, 1, 7, 0, 4],
            &[1, 0, 0, 4, 9, 7, 0, 4],
            &[4, 1, 0, 0],
            &[],
        ] {
            let (out, result) = said(|w| dissect(&Payload::new(bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
