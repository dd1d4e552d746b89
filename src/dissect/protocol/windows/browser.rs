//! Browse announcements in NetBIOS datagrams: name, server type, system version and comment of the announcer
//! (RFC 1002 section 4.4, MS-BRWS sections 2.2.1, 2.2.6 and 2.2.10).
//!
//! A datagram whose source name is not the announced one was passed on, or speaks of a domain: it says nothing.

use std::net::IpAddr;

use super::nbns;
use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// What follows the names of a datagram: an SMB transaction to the browsers' mailslot.
const MAILSLOT: &[u8] = b"\\MAILSLOT\\BROWSE\0";
/// HostAnnouncement and LocalMasterAnnouncement.
const ANNOUNCEMENTS: [u8; 2] = [0x01, 0x0f];

/// Dissects a datagram of UDP 138.
///
/// # Errors
/// If an announcement is truncated or a name is not a NetBIOS name.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    // A unique, group or broadcast datagram in one piece: first, and no more to come.
    let Some([0x10..=0x12, flags]) = r.array() else { return Ok(()) };
    if flags & 0x03 != 0x02 {
        return Ok(());
    }
    let header = (|| {
        let [_, _, origin @ ..] = r.array::<6>()?;
        r.take(6)?;
        Some((IpAddr::from(origin), nbns::name(&mut r)?, nbns::name(&mut r)?))
    })();
    let (origin, source, _destination) = header.ok_or_else(|| malformed("broken name"))?;
    let Some(message) = mail(r.rest()) else { return Ok(()) };
    if message.first().is_some_and(|kind| ANNOUNCEMENTS.contains(kind)) {
        // A relay keeps the address of who announces itself (I2).
        announced(message, source, &mut words.about(&[origin]))
            .ok_or_else(|| malformed("truncated announcement"))?;
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("browser", reason)
}

/// The data of a transaction to the mailslot; its name stands in the bytes after the parameters, before the data.
fn mail(message: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(message);
    // SMB_COM_TRANSACTION (MS-CIFS section 2.2.4.33), 32 bytes of header.
    if r.array::<5>()? != *b"\xffSMB\x25" {
        return None;
    }
    r.take(27)?;
    let count = r.u8()?;
    let parameters = r.take(usize::from(count) * 2)?;
    let _byte_count = r.u16()?;
    // Data count and data offset are the twelfth and thirteenth parameter.
    let mut p = Reader::new(parameters.get(22..)?);
    let (length, offset) = (usize::from(p.u16_le()?), usize::from(p.u16_le()?));
    let name = r.rest().get(..MAILSLOT.len())?;
    name.eq_ignore_ascii_case(MAILSLOT).then(|| message.get(offset..)?.get(..length)).flatten()
}

fn announced(message: &[u8], source: [u8; 16], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(message);
    let _kind_count_and_period = r.take(6)?;
    let name = r.array::<16>()?;
    let [major, minor] = r.array()?;
    let kind = r.u32_le()?;
    if !is_same(&name, &source) {
        return Some(());
    }
    nbns::say(source, 0, words);
    words.number(Field::BrowserServerType, kind.into());
    words.say(Field::BrowserOsVersion, format!("{major}.{minor}").as_bytes());
    let (_version, signature) = (r.u16()?, r.u16_le()?);
    if signature == 0xaa55
        && let Some(comment) = r.rest().split(|b| *b == 0).next()
    {
        words.say(Field::BrowserComment, comment);
    }
    Some(())
}

/// Whether the announced name, ended by a zero, is the datagram's source, padded with spaces before its suffix.
fn is_same(name: &[u8; 16], source: &[u8; 16]) -> bool {
    let announced = name.split(|b| *b == 0).next().unwrap_or_default().trim_ascii_end();
    let [source @ .., _suffix] = source;
    !announced.is_empty() && announced.eq_ignore_ascii_case(source.trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn encoded(name: &str, suffix: u8) -> Vec<u8> {
        let padded = [format!("{name:<15}").as_bytes(), &[suffix]].concat();
        let letters = padded.into_iter().flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]);
        [vec![32], letters.collect(), vec![0]].concat()
    }

    fn announcement(kind: u8, name: &str) -> Vec<u8> {
        let mut out = vec![kind, 3, 0, 0xfc, 0x0a, 0];
        out.extend(name.as_bytes());
        out.resize(22, 0);
        out.extend([6, 1]);
        out.extend(0x0001_9a03u32.to_le_bytes());
        out.extend([15, 1, 0x55, 0xaa]);
        out.extend(b"File server\0");
        out
    }

    fn datagram(source: &str, mailslot: &str, data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(data.len()).unwrap();
        let mut smb = b"\xffSMB\x25".to_vec();
        smb.resize(32, 0);
        let mut parameters = vec![0; 34];
        let at = 32 + 1 + 34 + 2 + mailslot.len() + 1;
        (parameters[22], parameters[24]) = (length, u8::try_from(at).unwrap());
        smb.push(17);
        smb.extend(parameters);
        smb.extend([0, 0]);
        smb.extend(mailslot.as_bytes());
        smb.push(0);
        smb.extend(data);
        let head = [0x11, 0x0a, 0, 1, 192, 0, 2, 1, 0, 138, 0, 0, 0, 0];
        [&head[..], &encoded(source, 0), &encoded("WORKGROUP", 0x1d), &smb].concat()
    }

    #[test]
    fn a_host_announces_itself() {
        let expected = [
            "nbns.name=NAS-1<00>",
            "browser.server_type=104963",
            "browser.os_version=6.1",
            "browser.comment=File server",
        ];
        for kind in ANNOUNCEMENTS {
            let message = datagram("NAS-1", "\\MAILSLOT\\BROWSE", &announcement(kind, "NAS-1"));
            assert_eq!(
                said(|w| dissect(&Payload::new(&message), w)),
                (expected.map(str::to_owned).to_vec(), Ok(()))
            );
            survives(&message, dissect);
        }
    }

    #[test]
    fn what_speaks_of_others_says_nothing() {
        let of = |source, mailslot, data: &[u8]| {
            said(|w| dissect(&Payload::new(&datagram(source, mailslot, data)), w))
        };
        let quiet = (vec![], Ok(()));
        assert_eq!(of("NAS-1", "\\MAILSLOT\\BROWSE", &announcement(0x0c, "WORKGROUP")), quiet);
        assert_eq!(of("RELAY", "\\MAILSLOT\\BROWSE", &announcement(1, "NAS-1")), quiet);
        assert_eq!(of("NAS-1", "\\MAILSLOT\\NET\\NETLOGON", &announcement(1, "NAS-1")), quiet);
        assert_eq!(of("NAS-1", "\\MAILSLOT\\BROWSE", &[8, 0, 0]), quiet);
        assert_eq!(said(|w| dissect(&Payload::new(b"\x14\x02anything"), w)), quiet);
    }

    #[test]
    fn an_announcement_that_is_cut_is_malformed() {
        let message = datagram("NAS-1", "\\MAILSLOT\\BROWSE", &announcement(1, "NAS-1")[..20]);
        assert_eq!(
            said(|w| dissect(&Payload::new(&message), w)),
            (vec![], Err(malformed("truncated announcement")))
        );
    }
}
