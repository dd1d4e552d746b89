//! IPP: make and model of a printer, as it answers to Get-Printer-Attributes (RFC 8010 section 3, RFC 8011 section 5.4).
//!
//! A computer that shares printers answers the same way for each of them. An answer with signs of that says nothing.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Attributes that are read of one answer.
const ATTRIBUTES: usize = 512;
/// The longest line that gives the size of a chunk.
const CHUNK_LINE: usize = 12;

const OPERATION: u8 = 1;
const END: u8 = 3;
const PRINTER: u8 = 4;

/// Dissects an answer, the body of an HTTP one that starts here or came with its head. Anything but an answer, or an answer that
/// failed, says nothing. An answer goes on in other segments; what is within this one counts.
///
/// # Errors
/// If a group starts within an attribute.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(without_chunk_line(payload.bytes));
    // Version 1 or 2, a status of success, a request id, and the attribute that comes first in every answer.
    let (Some([1 | 2, 0..=2]), Some(0..=2), Some(_)) = (r.array(), r.u16(), r.u32()) else { return Ok(()) };
    if !r.rest().starts_with(b"\x01\x47\x00\x12attributes-charset") {
        return Ok(());
    }
    let (mut group, mut printers, mut found) = (0, 0, Vec::new());
    for _ in 0..ATTRIBUTES {
        match r.u8() {
            None | Some(END) => break,
            Some(tag @ 0..=0x0f) => {
                group = tag;
                printers += usize::from(tag == PRINTER);
            }
            Some(_) if group < OPERATION => return Err(Malformed::new("ipp", "attribute without a group")),
            Some(_) => {
                let Some((name, value)) = string(&mut r).zip(string(&mut r)) else { break };
                if group != PRINTER {
                    continue;
                }
                match name {
                    b"printer-make-and-model" | b"printer-device-id" => found.push(value),
                    // Attributes and addresses of print servers.
                    b"cups-version" | b"device-uri" | b"printer-is-shared" => return Ok(()),
                    b"printer-uri-supported" if has(value, b"/printers/") || has(value, b"/classes/") => {
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
    }
    if printers == 1 {
        found.iter().take(4).for_each(|value| words.say(Field::IppPrinter, value));
    }
    Ok(())
}

fn string<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = r.u16()?;
    r.take(length.into())
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

/// The line before a chunk, if the segment starts with one (RFC 9112 section 7.1).
fn without_chunk_line(payload: &[u8]) -> &[u8] {
    let window = payload.get(..CHUNK_LINE).unwrap_or(payload);
    let Some(end) = window.windows(2).position(|w| w == b"\r\n") else { return payload };
    match payload.split_at_checked(end) {
        Some((size, rest)) if !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit) => {
            rest.get(2..).unwrap_or_default()
        }
        _ => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn attribute(tag: u8, name: &str, value: &str) -> Vec<u8> {
        let length = |text: &str| u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[tag][..], &length(name), name.as_bytes(), &length(value), value.as_bytes()].concat()
    }

    fn answer(status: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![2, 0, 0, status, 0, 0, 0, 1, OPERATION];
        out.extend(attribute(0x47, "attributes-charset", "utf-8"));
        out.extend(attribute(0x48, "attributes-natural-language", "en"));
        out.push(PRINTER);
        out.extend(attributes.concat());
        out.push(END);
        out
    }

    fn model() -> Vec<u8> {
        attribute(0x41, "printer-make-and-model", "Example LJ 400")
    }

    #[test]
    fn a_printer_names_its_model() {
        let uri = attribute(0x45, "printer-uri-supported", "ipp://192.0.2.9/ipp/print");
        let id = attribute(0x41, "printer-device-id", "MFG:Example;MDL:LJ 400;");
        let whole = answer(0, &[uri, model(), attribute(0x41, "", "more"), id]);
        let expected = ["ipp.printer=Example LJ 400", "ipp.printer=MFG:Example;MDL:LJ 400;"];
        assert_eq!(
            said(|w| dissect(&Payload::new(&whole), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        let chunk = [b"1f4\r\n", &whole[..]].concat();
        assert_eq!(said(|w| dissect(&Payload::new(&chunk), w)).0, expected);
        assert_eq!(said(|w| dissect(&Payload::new(&whole[..whole.len() - 3]), w)).0, expected[..1]);
        survives(&chunk, dissect);
    }

    #[test]
    fn print_servers_failures_and_requests_say_nothing() {
        let shared = attribute(0x45, "printer-uri-supported", "ipp://192.0.2.9/printers/office");
        let mut several = answer(0, &[model()]);
        several.pop();
        several.extend([&[PRINTER][..], &model(), &[END]].concat());
        for quiet in [
            answer(0, &[model(), attribute(0x41, "cups-version", "2.4")]),
            answer(0, &[model(), shared]),
            answer(5, &[model()]),
            several,
            b"\x02\x00\x00\x0b\x00\x00\x00\x01\x01".to_vec(),
            b"12\r\n".to_vec(),
            vec![],
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }
}
