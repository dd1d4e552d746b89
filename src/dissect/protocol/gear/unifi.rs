//! UniFi inform: a device that reports to a UniFi controller by HTTP (the head of the message, as Ubiquiti's devices
//! send it; the rest is enciphered). It is an access point, a switch or a gateway.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// The port on which controllers take reports.
pub(crate) const INFORM: u16 = 8080;
/// What a report starts with.
const MAGIC: &[u8] = b"TNBU";
/// Magic, version, MAC, flags, initialisation vector, version and length of the data.
const HEADER: usize = 40;
/// How far in a request its body may start.
const HEAD: usize = 1024;

/// Dissects a TCP segment to a controller: one that starts a POST to `/inform`, or a report whose head came before it.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let report = if payload.bytes.starts_with(b"POST /inform ") {
        let head = payload.bytes.get(..HEAD).unwrap_or(payload.bytes);
        let end = head.windows(4).position(|w| w == b"\r\n\r\n");
        end.and_then(|at| payload.bytes.get(at + 4..)).unwrap_or_default()
    } else {
        payload.bytes
    };
    // Version 0 of the message and version 1 of its data stand at fixed places.
    if report.len() >= HEADER
        && report.starts_with(MAGIC)
        && report.get(4..8) == Some(&[0; 4])
        && report.get(32..36) == Some(&[0, 0, 0, 1])
    {
        words.say(Field::CapwapRole, b"unifi_device");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn report() -> Vec<u8> {
        let head = [MAGIC, &[0; 4], &[2, 0, 0, 0, 0, 1, 0, 1], &[7; 16], &[0, 0, 0, 1, 0, 0, 0, 9]];
        [&head.concat()[..], &[5; 9]].concat()
    }

    #[test]
    fn a_report_tells_a_managed_device_with_its_head_or_after_it() {
        let head = b"POST /inform HTTP/1.1\r\nHost: unifi:8080\r\nContent-Type: application/x-binary\r\n\r\n";
        for sound in [report(), [&head[..], &report()].concat()] {
            assert_eq!(said(|w| dissect(&Payload::new(&sound), w)).0, ["capwap.role=unifi_device"]);
            survives(&sound, dissect);
        }
        assert_eq!(said(|w| dissect(&Payload::new(head), w)), (vec![], Ok(())));
    }

    #[test]
    fn other_requests_say_nothing() {
        let other = [&b"POST /x HTTP/1.1\r\n\r\n"[..], &report()].concat();
        for quiet in [&other[..], b"TNBU", &report()[..39], b""] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())));
        }
    }
}
