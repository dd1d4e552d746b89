//! LLMNR: the names that an answer claims for its sender (RFC 4795).
//!
//! Only answers count: a host asks for its own name in the same way as for another's.

use crate::census::Field;
use crate::dissect::protocol::form::records::{Data, Message, Record};
use crate::dissect::{Malformed, Payload, Words};

/// Dissects a message of UDP 5355.
///
/// # Errors
/// If a record is broken; the others count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let message = Message::read(payload.bytes, "llmnr", words.budget())?;
    let hosts = message.addresses();
    for Record { owner, data } in message.records.iter().filter(|_| message.answers) {
        let name = match data {
            Data::Address(_) => owner,
            Data::Pointer(target) => target,
            _ => continue,
        };
        let addresses = hosts.get(name.key()).map(Vec::as_slice).unwrap_or_default();
        words.about(addresses).say(Field::LlmnrName, &name.labels.join(&b'.'));
    }
    message.ended("llmnr")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::form::records::testing::{message, name, record};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

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

    #[test]
    fn an_answer_for_another_address_describes_its_host() {
        let records = [
            record(&["NAS"], 1, 30, &[192, 0, 2, 2]),
            record(&["1", "2", "0", "192", "in-addr", "arpa"], 12, 30, &name(&["srv"])),
        ];
        let answer = message(0x8000, [&records, &[], &[]]);
        let from = |source| described(MacAddr::default(), source, |w| dissect(&Payload::new(&answer), w)).0;
        assert_eq!(from("192.0.2.1"), ["192.0.2.2 llmnr.name=NAS", "llmnr.name=srv"]);
        assert_eq!(from("192.0.2.2"), ["llmnr.name=NAS", "192.0.2.1 llmnr.name=srv"]);
    }
}
