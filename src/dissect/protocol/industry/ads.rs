//! Beckhoff ADS: sides, the device that answers "read device info", and the host that answers a search (Beckhoff
//! Information System, ADS/AMS specification; the search is not published, its layout is what free clients agree on).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Items of one answer to a search that are read.
const ITEMS: u32 = 16;

/// Dissects what begins a segment of TCP 48898; anything but a whole message says nothing.
///
/// # Errors
/// If the device's info is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(0), Some(length)) = (r.u16(), r.u32_le()) else { return Ok(()) };
    let Some(message) = usize::try_from(length).ok().and_then(|n| r.take(n)) else { return Ok(()) };
    let mut r = Reader::new(message);
    let _route = r.take(16);
    let (Some(command @ 1..=9), Some(flags @ (4 | 5)), Some(length), Some(error), Some(_invoked)) =
        (r.u16_le(), r.u16_le(), r.u32_le(), r.u32_le(), r.u32_le())
    else {
        return Ok(());
    };
    if usize::try_from(length).is_ok_and(|n| n != r.rest().len()) {
        return Ok(());
    }
    if flags & 1 == 0 {
        words.label(Field::OtRole, "ads:client");
        return Ok(());
    }
    words.label(Field::OtRole, "ads:server");
    // Read device info: result, version, revision, build, name.
    if command == 1 && error == 0 && r.u32() == Some(0) {
        let (version, build, name) = (r.array(), r.u16_le(), r.take(16));
        let (Some([major, minor]), Some(build), Some(name)) = (version, build, name) else {
            return Err(Malformed::new("ads", "truncated device info"));
        };
        let name = String::from_utf8_lossy(until_null(name));
        words.say(Field::OtIdentity, format!("ads:{name} {major}.{minor}.{build}").as_bytes());
    }
    Ok(())
}

/// Dissects a datagram of UDP 48899: the search for routers and the answer, in which a host names itself.
///
/// # Errors
/// If an answer is truncated.
pub(crate) fn discovery(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(0x7114_6603), Some(_invoked), Some(service)) = (r.u32_le(), r.u32_le(), r.u32_le()) else {
        return Ok(());
    };
    match service {
        1 => words.label(Field::OtRole, "ads:client"),
        0x8000_0001 => {
            words.label(Field::OtRole, "ads:server");
            items(&mut r, words).ok_or(Malformed::new("ads", "truncated answer to a search"))?;
        }
        _ => {}
    }
    Ok(())
}

/// The answering router's address, then items of a type each: 5 is the host's name, 3 the version of TwinCAT.
fn items(r: &mut Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    let _address = r.take(8)?;
    let count = r.u32_le()?;
    for _ in 0..count.min(ITEMS) {
        let (kind, length) = (r.u16_le()?, r.u16_le()?);
        match (kind, r.take(length.into())?) {
            (5, name) => words.say(Field::OtIdentity, &[b"ads:", until_null(name)].concat()),
            (3, [major, minor, low, high]) => {
                let build = u16::from_le_bytes([*low, *high]);
                words.say(Field::OtIdentity, format!("ads:TwinCAT {major}.{minor}.{build}").as_bytes());
            }
            _ => {}
        }
    }
    Some(())
}

fn until_null(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(command: u8, flags: u8, data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(data.len()).unwrap();
        let mut out = vec![0, 0, length + 32, 0, 0, 0];
        out.extend([5; 16]);
        out.extend([command, 0, flags, 0, length, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        out.extend(data);
        out
    }

    #[test]
    fn a_device_answers_with_its_info() {
        let answer = message(1, 5, b"\0\0\0\0\x03\x01\xb8\x0fPlc30 App\0\0\0\0\0\0\0");
        assert_eq!(
            said(|w| dissect(&Payload::new(&answer), w)),
            (vec!["ot.role=ads:server".to_owned(), "ot.identity=ads:Plc30 App 3.1.4024".to_owned()], Ok(()))
        );
        survives(&answer, dissect);
        assert!(said(|w| dissect(&Payload::new(&message(1, 5, b"\0\0\0\0\x03")), w)).1.is_err());
    }

    #[test]
    fn a_request_is_a_clients_and_other_bytes_nobodys() {
        assert_eq!(said(|w| dissect(&Payload::new(&message(2, 4, &[0; 12])), w)).0, ["ot.role=ads:client"]);
        let mut other = message(2, 4, &[0; 12]);
        other[26] = 9;
        assert!(said(|w| dissect(&Payload::new(&other), w)).0.is_empty());
    }

    #[test]
    fn a_router_answers_a_search_with_its_host() {
        let mut answer =
            vec![3, 0x66, 0x14, 0x71, 0, 0, 0, 0, 1, 0, 0, 0x80, 5, 1, 2, 3, 1, 1, 0x10, 0x27, 2, 0, 0, 0];
        answer.extend(b"\x05\0\x0a\0CX-12AB34\0\x03\0\x04\0\x03\x01\xb8\x0f");
        assert_eq!(
            said(|w| discovery(&Payload::new(&answer), w)).0,
            ["ot.role=ads:server", "ot.identity=ads:CX-12AB34", "ot.identity=ads:TwinCAT 3.1.4024"]
        );
        assert!(said(|w| discovery(&Payload::new(&answer[..30]), w)).1.is_err());
        survives(&answer, discovery);
    }
}
