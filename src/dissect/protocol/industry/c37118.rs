//! Synchrophasors: sides, and the station name of a phasor measurement unit (IEEE C37.118.2, clause 6).
//!
//! A configuration of several stations is a concentrator's: their names are not its own.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a message of TCP or UDP 4712 or 4713; what has no sound check sum says nothing.
///
/// # Errors
/// If a configuration is too short.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([0xaa, kind]), Some(length)) = (r.array(), r.u16()) else { return Ok(()) };
    let whole = payload.bytes.split_at_checked(length.into()).map(|(message, _)| message);
    let Some((covered, sum)) = whole.and_then(<[u8]>::split_last_chunk::<2>) else { return Ok(()) };
    // Types are 0 to 5, versions 1 and 2.
    if !matches!(kind >> 4, 0..=5)
        || !matches!(kind & 0x0f, 1 | 2)
        || check(covered) != u16::from_be_bytes(*sum)
    {
        return Ok(());
    }
    // Commands go to the unit, all else comes from it.
    let role = if kind >> 4 == 4 { "c37118:client" } else { "c37118:server" };
    words.label(Field::OtRole, role);
    if matches!(kind >> 4, 2 | 3 | 5) {
        station(kind >> 4, covered, words).ok_or(Malformed::new("c37118", "truncated configuration"))?;
    }
    Ok(())
}

/// Clauses 6.4 and 6.5: after the common head and the time base, the number of stations and the first one's name.
fn station(kind: u8, covered: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(covered);
    r.take(14)?;
    // Configuration 3 may come in parts; the first or only one has the name.
    if kind == 5 && r.u16()? > 1 {
        return Some(());
    }
    let (_base, stations) = (r.u32()?, r.u16()?);
    let length = if kind == 5 { r.u8()?.into() } else { 16 };
    let name = r.take(length)?;
    if stations == 1 {
        words.say(Field::OtIdentity, &[b"c37118:", name.trim_ascii()].concat());
    }
    Some(())
}

/// CRC-CCITT, starting from all ones (annex B).
fn check(bytes: &[u8]) -> u16 {
    bytes.iter().fold(u16::MAX, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |s, _| if s >> 15 == 1 { s << 1 ^ 0x1021 } else { s << 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(16 + body.len()).unwrap();
        let mut out = vec![0xaa, kind, 0, length, 0, 7, 0x66, 0, 0, 0, 0, 0, 0, 0];
        out.extend(body);
        out.extend(check(&out).to_be_bytes());
        out
    }

    #[test]
    fn a_unit_names_its_station() {
        let configuration =
            message(0x31, b"\0\x0f\x42\x40\0\x01Station A       \0\x07\0\0\0\0\0\0\0\0\0\0\0\x1e");
        assert_eq!(
            said(|w| dissect(&Payload::new(&configuration), w)),
            (vec!["ot.role=c37118:server".to_owned(), "ot.identity=c37118:Station A".to_owned()], Ok(()))
        );
        survives(&configuration, dissect);
        let third = message(0x52, b"\0\0\0\x0f\x42\x40\0\x01\x09Station B\0\x07");
        assert_eq!(
            said(|w| dissect(&Payload::new(&third), w)).0,
            ["ot.role=c37118:server", "ot.identity=c37118:Station B"]
        );
        assert!(said(|w| dissect(&Payload::new(&message(0x31, b"\0\0")), w)).1.is_err());
    }

    #[test]
    fn a_concentrator_has_no_station_name_and_a_command_comes_from_a_client() {
        let many = message(0x31, b"\0\x0f\x42\x40\0\x02Station A       \0\x07\0\0\0\0\0\0\0\0\0\0\0\x1e");
        assert_eq!(said(|w| dissect(&Payload::new(&many), w)).0, ["ot.role=c37118:server"]);
        let command = message(0x41, &[0, 2]);
        assert_eq!(said(|w| dissect(&Payload::new(&command), w)).0, ["ot.role=c37118:client"]);
        let mut lie = command;
        lie[15] ^= 1;
        assert!(said(|w| dissect(&Payload::new(&lie), w)).0.is_empty());
    }
}
