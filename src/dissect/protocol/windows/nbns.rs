//! NetBIOS name service: the names that a host registers, keeps or defends (RFC 1002 section 4.2).
//!
//! A name is said as `NAME<00>` with its suffix, a group's name as `NAME<00> group`. Answers of a name server
//! (recursion available) speak of other hosts and say nothing, as queries do.

use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Names that are taken from one node status answer.
const NAMES: u8 = 32;
/// Addresses that are taken from one record.
const ADDRESSES: usize = 16;
/// The flag of a group's name.
const GROUP: u16 = 0x8000;
/// Resource record types: NB and NBSTAT.
const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;

/// Dissects a message of UDP 137.
///
/// # Errors
/// If the message is truncated or a name is not a NetBIOS name.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(_id), Some(flags), Some(questions), Some(answers), Some(_), Some(additional)) =
        (r.u16(), r.u16(), r.u16(), r.u16(), r.u16(), r.u16())
    else {
        return Err(malformed("truncated header"));
    };
    // Section 4.2.1.1: response, opcode, recursion available, return code.
    let claims = match (flags & 0x8000 != 0, flags >> 11 & 0xf, flags & 0xf) {
        // Registration, refresh (both codes in use), multi-homed registration.
        (false, 5 | 8 | 9 | 15, _) => questions == 1 && additional >= 1,
        // A positive answer to a query or a node status request; the refusal of a name that the sender holds.
        (true, 0, 0) | (true, 5 | 15, 6 | 7) => flags & 0x80 == 0 && questions == 0 && answers >= 1,
        _ => false,
    };
    if !claims {
        return Ok(());
    }
    let asked = if questions == 1 {
        let asked = name(&mut r).ok_or_else(|| malformed("broken name"))?;
        r.u32().ok_or_else(|| malformed("truncated question"))?;
        Some(asked)
    } else {
        None
    };
    let Some((owner, kind, data)) = record(&mut r, asked) else {
        return Err(malformed("broken record"));
    };
    let mut data = Reader::new(data);
    match kind {
        NB => {
            let flags = data.u16().ok_or_else(|| malformed("truncated record"))?;
            // Section 4.2.13: flags and address, once for each address of the name.
            let entries = [&flags.to_be_bytes()[..], data.rest()].concat();
            let (entries, _) = entries.as_chunks::<6>();
            let addresses: Vec<IpAddr> =
                entries.iter().take(ADDRESSES).map(|[_, _, a, b, c, d]| [*a, *b, *c, *d].into()).collect();
            // A group's address list names its members, of whom the sender is one.
            let addresses = if flags & GROUP == 0 { &addresses[..] } else { &[] };
            say(owner, flags, &mut words.about(addresses));
        }
        NBSTAT => {
            let count = data.u8().ok_or_else(|| malformed("truncated record"))?;
            for _ in 0..count.min(NAMES) {
                let (Some(owner), Some(flags)) = (data.array::<16>(), data.u16()) else {
                    return Err(malformed("truncated record"));
                };
                // Section 4.2.18: active, neither in conflict nor being given up.
                if flags & 0x1c00 == 0x0400 {
                    say(owner, flags, words);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("nbns", reason)
}

/// Section 4.1: a name in the first level encoding, each byte as two letters from `A`; the scope after it is skipped.
pub(crate) fn name(r: &mut Reader<'_>) -> Option<[u8; 16]> {
    if r.u8()? != 32 {
        return None;
    }
    let letters = r.array::<32>()?;
    let mut out = [0; 16];
    for (byte, [high, low]) in out.iter_mut().zip(letters.as_chunks::<2>().0) {
        let (high, low) = (high.checked_sub(b'A')?, low.checked_sub(b'A')?);
        if high > 15 || low > 15 {
            return None;
        }
        *byte = high << 4 | low;
    }
    loop {
        match r.u8()? {
            0 => return Some(out),
            length @ 1..=63 => r.take(length.into())?,
            _ => return None,
        };
    }
}

/// The first record; its name is a pointer to the question, or stands there itself.
fn record<'a>(r: &mut Reader<'a>, asked: Option<[u8; 16]>) -> Option<([u8; 16], u16, &'a [u8])> {
    let owner = match r.rest() {
        [0xc0, 12, ..] => {
            r.u16()?;
            asked?
        }
        _ => name(r)?,
    };
    let (kind, _class, _ttl, length) = (r.u16()?, r.u16()?, r.u32()?, r.u16()?);
    Some((owner, kind, r.take(length.into())?))
}

/// Says a name of 16 bytes with the flags of its record.
pub(crate) fn say([text @ .., suffix]: [u8; 16], flags: u16, words: &mut Words<'_>) {
    let text: Vec<u8> = text.into_iter().filter(|b| *b >= b' ').collect();
    let text = text.trim_ascii();
    if text.is_empty() || text == b"*" {
        return;
    }
    let group = if flags & GROUP == 0 { "" } else { " group" };
    words.say(Field::NbnsName, &[text, format!("<{suffix:02x}>{group}").as_bytes()].concat());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    fn raw(name: &str, suffix: u8) -> Vec<u8> {
        [format!("{name:<15}").as_bytes(), &[suffix]].concat()
    }

    fn encoded(name: &str, suffix: u8) -> Vec<u8> {
        let letters = raw(name, suffix).into_iter().flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]);
        [vec![32], letters.collect(), vec![0]].concat()
    }

    fn header(flags: u16, counts: [u8; 4]) -> Vec<u8> {
        let [a, b, c, d] = counts;
        [&[0, 1][..], &flags.to_be_bytes(), &[0, a, 0, b, 0, c, 0, d]].concat()
    }

    fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        [owner, &kind.to_be_bytes(), &[0, 1, 0, 0, 1, 0], &length.to_be_bytes(), data].concat()
    }

    fn registration(flags: u16, name: &str, suffix: u8, nb: u8) -> Vec<u8> {
        let question = [&encoded(name, suffix)[..], &[0, 32, 0, 1]].concat();
        let record = record(&[0xc0, 12], NB, &[nb, 0, 192, 0, 2, 1]);
        [header(flags, [1, 0, 0, 1]), question, record].concat()
    }

    fn answer(flags: u16, kind: u16, data: &[u8]) -> Vec<u8> {
        [header(flags, [0, 1, 0, 0]), record(&encoded("PC-1", 0x20), kind, data)].concat()
    }

    #[test]
    fn a_host_registers_its_names_and_its_group() {
        for flags in [0x2910, 0x4110, 0x4910, 0x7910] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&registration(flags, "PC-1", 0, 0)), w)).0,
                ["nbns.name=PC-1<00>"]
            );
        }
        let group = registration(0x2910, "WORKGROUP", 0x1e, 0x80);
        assert_eq!(said(|w| dissect(&Payload::new(&group), w)).0, ["nbns.name=WORKGROUP<1e> group"]);
        survives(&group, dissect);
    }

    #[test]
    fn a_host_answers_for_its_name_and_defends_it() {
        for flags in [0x8500, 0xad06] {
            let message = answer(flags, NB, &[0, 0, 192, 0, 2, 1]);
            assert_eq!(said(|w| dissect(&Payload::new(&message), w)).0, ["nbns.name=PC-1<20>"]);
        }
    }

    #[test]
    fn an_answer_with_the_addresses_of_another_host_describes_it() {
        let message = answer(0x8500, NB, &[0, 0, 192, 0, 2, 1, 0, 0, 192, 0, 2, 2]);
        let from = |source| described(MacAddr::default(), source, |w| dissect(&Payload::new(&message), w)).0;
        assert_eq!(from("192.0.2.2"), ["nbns.name=PC-1<20>"]);
        assert_eq!(from("192.0.2.9"), ["192.0.2.1 nbns.name=PC-1<20>", "192.0.2.2 nbns.name=PC-1<20>"]);
    }

    #[test]
    fn a_node_status_answer_lists_the_active_names() {
        let list = [
            vec![4],
            [raw("PC-1", 0), vec![0x04, 0]].concat(),
            [raw("HOME", 0x1e), vec![0x84, 0]].concat(),
            [raw("OLD", 0), vec![0x0c, 0]].concat(),
            [raw("\u{1}\u{2}__MSBROWSE__\u{2}", 1), vec![0x84, 0]].concat(),
        ];
        let message = answer(0x8400, NBSTAT, &list.concat());
        let expected = ["nbns.name=PC-1<00>", "nbns.name=HOME<1e> group", "nbns.name=__MSBROWSE__<01> group"];
        assert_eq!(
            said(|w| dissect(&Payload::new(&message), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        survives(&message, dissect);
    }

    #[test]
    fn queries_releases_and_name_servers_say_nothing() {
        let query = [header(0x0110, [1, 0, 0, 0]), encoded("PC-2", 0), vec![0, 32, 0, 1]].concat();
        let release = registration(0x3110, "PC-1", 0, 0);
        let server = answer(0x8580, NB, &[0, 0, 192, 0, 2, 1]);
        let not_found = answer(0x8503, NB, &[0, 0, 192, 0, 2, 1]);
        for quiet in [query, release, server, not_found] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())));
        }
    }

    #[test]
    fn what_is_no_name_is_malformed() {
        let mut message = registration(0x2910, "PC-1", 0, 0);
        message[13] = b'z';
        assert_eq!(said(|w| dissect(&Payload::new(&message), w)), (vec![], Err(malformed("broken name"))));
    }
}
