//! LLMNR: the names that an answer claims for its sender (RFC 4795).
//!
//! Only answers count: a host asks for its own name in the same way as for another's.

use simple_dns::rdata::RData;

use super::dns::{answers, labels};
use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Dissects a message of UDP 5355.
///
/// # Errors
/// If a response is malformed. Nothing is said then.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    for record in answers(payload.bytes, "llmnr")?.into_iter().flatten() {
        let name = match &record.rdata {
            RData::A(_) | RData::AAAA(_) => &record.name,
            RData::PTR(target) => &target.0,
            _ => continue,
        };
        words.say(Field::LlmnrName, &labels(name).join(&b'.'));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::discovery::mdns::tests::{message, name, record};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn an_answer_names_its_sender_and_a_query_names_nobody() {
        let records = [
            record(&["DESKTOP-1"], 1, 30, &[192, 0, 2, 1]),
            record(&["1", "in-addr", "arpa"], 12, 30, &name(&["srv", "example"])),
        ];
        let answer = message(0x8000, [&records, &[], &[]]);
        let (out, result) = said(|w| dissect(&Payload::new(&answer), w));
        assert_eq!(out, ["llmnr.name=DESKTOP-1", "llmnr.name=srv.example"]);
        assert_eq!(result, Ok(()));
        assert_eq!(said(|w| dissect(&Payload::new(&message(0, [&records, &[], &[]])), w)), (vec![], Ok(())));
        survives(&answer, dissect);
    }
}
