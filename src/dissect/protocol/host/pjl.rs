//! PJL: the model that a printer answers on its raw port (HP Printer Job Language, INFO ID and INFO PRODINFO).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Lines of an answer that are looked at.
const LINES: usize = 32;

/// Dissects the beginning of a segment from a raw port; answers to other questions say nothing.
///
/// # Errors
/// None; PJL shares its form with the other dissectors.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let answer = payload.bytes.strip_prefix(b"\x1b%-12345X").unwrap_or(payload.bytes);
    let Some(answer) = answer.strip_prefix(b"@PJL INFO ") else { return Ok(()) };
    // A line that is cut does not count.
    let mut lines = answer
        .split_inclusive(|b| *b == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .map(<[u8]>::trim_ascii)
        .take(LINES);
    let id = match lines.next() {
        Some(b"ID") => lines.find(|line| !line.is_empty()),
        Some(b"PRODINFO") => lines.find_map(|line| {
            let mut parts = line.splitn(2, |b| *b == b'=');
            let key = parts.next()?.trim_ascii();
            parts.next().filter(|_| key.eq_ignore_ascii_case(b"ProductName"))
        }),
        _ => None,
    };
    if let Some(id) = id {
        let id = id.trim_ascii();
        let quoted = id.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        words.say(Field::PjlId, quoted.unwrap_or(id));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_printer_names_its_model() {
        for answer in [
            &b"@PJL INFO ID\r\n\"LASERJET 4250\"\r\n\x0c"[..],
            b"\x1b%-12345X@PJL INFO ID\r\n\r\nLASERJET 4250\r\n\x0c",
            b"@PJL INFO PRODINFO\r\nFormatterNumber = Q3\r\nProductName = \"LASERJET 4250\"\r\n\x0c",
        ] {
            assert_eq!(
                said(|w| dissect(&Payload::new(answer), w)),
                (vec!["pjl.id=LASERJET 4250".to_owned()], Ok(()))
            );
            survives(answer, dissect);
        }
    }

    #[test]
    fn other_answers_and_cut_lines_say_nothing() {
        for quiet in [
            &b"@PJL INFO STATUS\r\nCODE=10001\r\n\x0c"[..],
            b"@PJL USTATUS DEVICE\r\nONLINE=TRUE\r\n",
            b"@PJL INFO ID\r\n\"LASER",
            b"@PJL INFO PRODINFO\r\nSerialNumber = X\r\n",
            b"\x1b%-12345X",
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }
}
