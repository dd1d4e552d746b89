//! Ethernet POWERLINK: managing and controlled nodes, and who a node answers it is (EPSG DS 301, 4.6 and 7.3.3.2).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The number of the managing node.
const MANAGER: u8 = 240;

/// Dissects what follows the Ethernet type.
///
/// # Errors
/// If the answer to an identification is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let Some([kind, _destination, source]) = r.array() else { return Ok(()) };
    match (kind & 0x7f, source) {
        // Start of cycle, request, start of the asynchronous phase: only the managing node sends them.
        (1 | 3 | 5, MANAGER) => words.label(Field::OtRole, "powerlink:client"),
        (4, 1..=239) => words.label(Field::OtRole, "powerlink:server"),
        // An asynchronous message with the service IdentResponse.
        (6, 1..=239) if r.u8() == Some(1) => {
            words.label(Field::OtRole, "powerlink:server");
            identity(&mut r, words).ok_or(Malformed::new("powerlink", "truncated identification"))?;
        }
        _ => {}
    }
    Ok(())
}

/// 7.3.3.2.1: states, version, features and sizes, then what the node is, and its name.
fn identity(r: &mut Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    r.take(22)?;
    let (_profile, vendor, product) = (r.u32()?, r.u32_le()?, r.u32_le()?);
    // Revision, serial number, vendor's own, dates, addresses.
    r.take(4 + 4 + 8 + 16 + 12)?;
    let name = r.take(32)?;
    words.say(Field::OtIdentity, format!("powerlink:{vendor:08x}:{product:08x}").as_bytes());
    if name.first().is_some_and(|b| *b != 0) {
        let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
        words.say(Field::OtIdentity, &[b"powerlink:", name.get(..end)?].concat());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn the_manager_and_its_nodes_are_told_apart() {
        let of = |body: &[u8]| said(|w| dissect(&Payload::new(body), w)).0;
        assert_eq!(of(&[1, 255, 240, 0, 0]), ["ot.role=powerlink:client"]);
        assert_eq!(of(&[4, 255, 7, 0, 0]), ["ot.role=powerlink:server"]);
        assert!(of(&[1, 255, 7, 0, 0]).is_empty() && of(&[6, 255, 7, 2]).is_empty());
    }

    #[test]
    fn a_node_answers_with_what_it_is() {
        let mut answer = vec![6, 255, 7, 1];
        answer.extend([0; 22]);
        answer.extend([0x91, 1, 15, 0, 0x6c, 0, 0, 0, 0x34, 0x12, 0, 0]);
        answer.extend([0; 44]);
        answer.extend(b"valves-7");
        answer.extend([0; 24]);
        assert_eq!(
            said(|w| dissect(&Payload::new(&answer), w)),
            (
                [
                    "ot.role=powerlink:server",
                    "ot.identity=powerlink:0000006c:00001234",
                    "ot.identity=powerlink:valves-7"
                ]
                .map(str::to_owned)
                .to_vec(),
                Ok(())
            )
        );
        assert!(said(|w| dissect(&Payload::new(&answer[..60]), w)).1.is_err());
        survives(&answer, dissect);
    }
}
