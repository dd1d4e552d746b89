//! PROFINET below IP: what a device answers to discovery (DCP), and who sends cyclic data (IEC 61158-6-10, 4.3 and
//! 4.7).
//!
//! The address block of an answer couples nothing: the rules for couplings do not know it as a proof.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Blocks of one message that are read.
const BLOCKS: usize = 32;

/// Dissects what follows the Ethernet type.
///
/// # Errors
/// If a DCP message is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    match r.u16().ok_or(Malformed::new("profinet", "short header"))? {
        // Hello, get and set, identify request, identify answer.
        0xfefc..=0xfeff => dcp(r, words).ok_or(Malformed::new("profinet", "truncated DCP")),
        // Cyclic data of the real-time classes 3 and 1, and alarms; a header and a trailer at least.
        0x0100..=0x0fff | 0x8000..=0xfbff | 0xfc01 | 0xfe01 if r.rest().len() >= 12 => {
            words.label(Field::OtRole, "profinet:sender");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn dcp(mut r: Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    let [service, kind] = r.array()?;
    let (_transaction, _delay, length) = (r.u32()?, r.u16()?, r.u16()?);
    match (service, kind) {
        // Get, set and identify requests: a controller's or an engineering station's.
        (3..=5, 0) => {
            words.label(Field::OtRole, "profinet:client");
            return Some(());
        }
        // The answers to get and identify, and hello, speak of their sender.
        (3 | 5, 1) | (6, 0) => {}
        _ => return Some(()),
    }
    let mut r = Reader::new(r.at_most(length.into()));
    for _ in 0..BLOCKS {
        if r.is_empty() {
            break;
        }
        let ([option, suboption], length) = (r.array()?, r.u16()?);
        let block = r.take(length.into())?;
        // Blocks begin at even places; the last one may lack its padding.
        if length % 2 == 1 {
            r.take(1);
        }
        // Block information stands before the value.
        let Some(value) = block.get(2..) else { continue };
        match (option, suboption, value) {
            (2, 1, _) => words.say(Field::PnType, value),
            (2, 2, _) => words.say(Field::PnStation, value),
            (2, 3, [v0, v1, d0, d1]) => {
                words.say(Field::PnDevice, format!("{v0:02x}{v1:02x}:{d0:02x}{d1:02x}").as_bytes());
            }
            (2, 4, [role, ..]) => words.number(Field::PnRole, (*role).into()),
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(id: u16, service: u8, kind: u8, blocks: &[u8]) -> Vec<u8> {
        let length = u8::try_from(blocks.len()).unwrap();
        [&id.to_be_bytes()[..], &[service, kind, 1, 2, 3, 4, 0, 0, 0, length], blocks].concat()
    }

    #[test]
    fn a_device_answers_to_discovery() {
        let blocks = [
            &b"\x02\x01\0\x09\0\0EX 1500\0"[..],
            b"\x02\x02\0\x07\0\0pump1\0",
            b"\x02\x03\0\x06\0\0\0\x2a\x01\x0d",
            b"\x02\x04\0\x04\0\0\x02\0",
            b"\x01\x02\0\x0e\0\x01\x0a\0\0\x05\xff\xff\xff\0\0\0\0\0",
        ]
        .concat();
        let expected = ["pn.type=EX 1500", "pn.station=pump1", "pn.device=002a:010d", "pn.role=2"];
        for (id, service, kind) in [(0xfeff, 5, 1), (0xfefc, 6, 0)] {
            let answer = message(id, service, kind, &blocks);
            let padded = [&answer[..], &[0; 20]].concat();
            assert_eq!(
                said(|w| dissect(&Payload::new(&padded), w)),
                (expected.map(str::to_owned).to_vec(), Ok(()))
            );
            survives(&answer, dissect);
        }
        let cut = message(0xfeff, 5, 1, &blocks);
        assert!(said(|w| dissect(&Payload::new(&cut[..30]), w)).1.is_err());
    }

    #[test]
    fn a_request_names_the_asked_and_not_the_asker() {
        let set = message(0xfefd, 4, 0, b"\x02\x02\0\x07\0\0pump1\0");
        assert_eq!(said(|w| dissect(&Payload::new(&set), w)).0, ["ot.role=profinet:client"]);
        assert!(
            said(|w| dissect(&Payload::new(&message(0xfefd, 4, 1, b"\x05\x04\0\x03\x02\x02\0\0")), w))
                .0
                .is_empty()
        );
    }

    #[test]
    fn cyclic_data_has_a_sender() {
        let data = [&[0x80, 0x12][..], &[0; 44]].concat();
        assert_eq!(said(|w| dissect(&Payload::new(&data), w)).0, ["ot.role=profinet:sender"]);
        // Clock synchronisation is every switch's.
        assert!(said(|w| dissect(&Payload::new(&[&[0xff, 0x40][..], &[0; 44]].concat()), w)).0.is_empty());
    }
}
