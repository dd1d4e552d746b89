//! SQL Server: the instances that its browser lists, and the version that a server answers a login with (MC-SQLR
//! section 2.2.5, MS-TDS section 2.2.6.5).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Pairs of key and value that are looked at in one answer; an instance has some seven.
const PAIRS: usize = 64;
/// Options of one answer to a login that are looked at.
const OPTIONS: usize = 16;

/// Dissects a datagram from UDP 1434.
///
/// # Errors
/// If an answer is shorter than it says.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(5), Some(length)) = (r.u8(), r.u16_le()) else { return Ok(()) };
    if !r.rest().starts_with(b"ServerName;") {
        return Ok(());
    }
    let text = r.take(length.into()).ok_or(Malformed::new("mssql", "truncated answer"))?;
    // Pairs of key and value; an empty key ends an instance.
    let mut server = None;
    let mut parts = text.split(|b| *b == b';');
    for _ in 0..PAIRS {
        let Some(key) = parts.next() else { break };
        match key {
            b"" => {}
            b"ServerName" => server = parts.next(),
            b"InstanceName" => {
                if let (Some(server), Some(instance)) = (server, parts.next()) {
                    words.say(Field::MssqlInstance, &[server, b"\\", instance].concat());
                }
            }
            b"Version" => {
                if let Some(version) = parts.next() {
                    words.say(Field::MssqlInstance, &[b"version=", version].concat());
                }
            }
            _ => {
                parts.next();
            }
        }
    }
    Ok(())
}

/// Whether a segment may begin with a server's packet.
pub(crate) fn may_segment_speak(payload: &[u8]) -> bool {
    payload.first() == Some(&4)
}

/// Dissects the beginning of a segment from TCP 1433: the answer to a client's first message.
///
/// # Errors
/// Never: what is not strictly of the form is another message.
pub(crate) fn dissect_segment(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some([major, minor, high, low]) = prelogin(payload.bytes) {
        let build = u16::from_be_bytes([high, low]);
        words.say(Field::MssqlInstance, format!("version={major}.{minor}.{build}").as_bytes());
    }
    Ok(())
}

/// The version option of an answer in one packet that fills the segment.
fn prelogin(payload: &[u8]) -> Option<[u8; 4]> {
    let mut r = Reader::new(payload);
    let ([4, 1], length) = (r.array()?, r.u16()?) else { return None };
    let _rest_of_header = r.u32()?;
    if usize::from(length) != payload.len() {
        return None;
    }
    let options = r.rest();
    let mut version = None;
    for _ in 0..OPTIONS {
        let token = r.u8()?;
        if token == 0xff {
            return version;
        }
        let (offset, length) = (usize::from(r.u16()?), usize::from(r.u16()?));
        let value = options.get(offset..)?.get(..length)?;
        match (token, value) {
            (0, [a, b, c, d, _, _]) => version = Some([*a, *b, *c, *d]),
            (1..=7, _) => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn answer(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        [&[5], &length[..], text.as_bytes()].concat()
    }

    #[test]
    fn a_browser_lists_the_instances() {
        let one = |name: &str, version: &str| {
            format!("ServerName;DB1;InstanceName;{name};IsClustered;No;Version;{version};tcp;1433;;")
        };
        let message = answer(&(one("MSSQLSERVER", "15.0.2000.5") + &one("OLD", "10.50.1600.1")));
        let expected = [
            "mssql.instance=DB1\\MSSQLSERVER",
            "mssql.instance=version=15.0.2000.5",
            "mssql.instance=DB1\\OLD",
            "mssql.instance=version=10.50.1600.1",
        ];
        assert_eq!(
            said(|w| dissect(&Payload::new(&message), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        assert!(said(|w| dissect(&Payload::new(&message[..60]), w)).1.is_err());
        survives(&message, dissect);
        let many = answer(&one("X", "1.0").repeat(200));
        assert!(said(|w| dissect(&Payload::new(&many), w)).0.len() <= PAIRS);
    }

    #[test]
    fn a_server_answers_a_login_with_its_version() {
        let body = [&[0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff][..], &[15, 0, 7, 0xd0, 0, 0, 2]].concat();
        let length = u8::try_from(8 + body.len()).unwrap();
        let message = [&[4, 1, 0, length, 0, 0, 1, 0], &body[..]].concat();
        assert_eq!(
            said(|w| dissect_segment(&Payload::new(&message), w)).0,
            ["mssql.instance=version=15.0.2000"]
        );
        survives(&message, dissect_segment);
        for other in [&message[..20], &[4, 1, 0, 12, 0, 0, 1, 0, 0x81, 1, 0, 0], b""] {
            assert_eq!(said(|w| dissect_segment(&Payload::new(other), w)), (vec![], Ok(())));
        }
    }

    #[test]
    fn requests_and_other_bytes_say_nothing() {
        for quiet in [&[2][..], &[5, 9, 0, b'x'], &[4, b'D', b'B'], b""] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())));
        }
    }
}
