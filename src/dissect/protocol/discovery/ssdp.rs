//! SSDP: what a UPnP device announces of itself (UPnP Device Architecture 2.0 sections 1.2 and 1.3).

use crate::census::Field;
use crate::dissect::protocol::form::head::Head;
use crate::dissect::protocol::form::url;
use crate::dissect::{Malformed, Payload, Words};

/// Whether a datagram begins as the answer to a search: some devices answer from another port.
pub(crate) fn is_answer(payload: &[u8]) -> bool {
    payload.starts_with(b"HTTP/1.1 200")
}

/// Dissects a datagram of UDP 1900: announcements and answers, and the software of who searches; farewells say nothing.
///
/// # Errors
/// If it is not an SSDP message or a line is not a header; the headers before it still count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(head) = Head::read(payload.bytes).filter(|h| h.version.starts_with(b"HTTP/")) else {
        return Err(Malformed::new("ssdp", "no message"));
    };
    let kind = match (head.method, head.target) {
        (Some(b"NOTIFY"), _) if head.value("NTS") != Some(b"ssdp:byebye") => head.value("NT"),
        (None, b"200") => head.value("ST"),
        // Section 1.3.2.
        (Some(b"M-SEARCH"), _) => {
            if let Some(agent) = head.value("USER-AGENT") {
                words.say(Field::SsdpUserAgent, agent);
            }
            return ended(&head);
        }
        _ => return Ok(()),
    };
    // What a reflector passes on keeps the place of the description (I2).
    let place: Vec<_> = head.value("LOCATION").and_then(url::address).into_iter().collect();
    let mut words = words.about(&place);
    if let Some(kind) = kind {
        words.say(Field::SsdpType, kind);
    }
    if let Some(server) = head.value("SERVER") {
        words.say(Field::SsdpServer, server);
    }
    ended(&head)
}

const fn ended(head: &Head<'_>) -> Result<(), Malformed> {
    if head.broken { Err(Malformed::new("ssdp", "broken header")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    const ALIVE: &[u8] = b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ssdp:alive\r\n\
        NT: urn:schemas-upnp-org:device:MediaRenderer:1\r\nEXT:\r\nServer: Linux UPnP/1.0 Sonos/1\r\n\r\n";

    #[test]
    fn announcements_and_answers_name_type_and_software() {
        let expected =
            ["ssdp.nt=urn:schemas-upnp-org:device:MediaRenderer:1", "ssdp.server=Linux UPnP/1.0 Sonos/1"];
        assert_eq!(
            said(|w| dissect(&Payload::new(ALIVE), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        let answer = b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nNT: no\r\n\r\n";
        assert_eq!(said(|w| dissect(&Payload::new(answer), w)).0, ["ssdp.nt=upnp:rootdevice"]);
        survives(ALIVE, dissect);
    }

    #[test]
    fn a_search_names_the_software_that_searches() {
        let search =
            b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\nSERVER: x\r\nUSER-AGENT: Google Chrome/131.0 Windows\r\n\r\n";
        assert_eq!(
            said(|w| dissect(&Payload::new(search), w)).0,
            ["ssdp.user_agent=Google Chrome/131.0 Windows"]
        );
    }

    #[test]
    fn an_announcement_describes_the_host_of_its_location() {
        let from = |place: &str| {
            let text = String::from_utf8_lossy(ALIVE).replace("EXT:", &format!("Location: {place}"));
            described(MacAddr::default(), "192.0.2.1", |w| dissect(&Payload::new(text.as_bytes()), w)).0
        };
        for own in ["http://192.0.2.1:1400/d.xml", "http://speaker.local/d.xml", "http://127.0.0.1/"] {
            assert!(from(own).iter().all(|said| said.starts_with("ssdp.")), "{own}");
        }
        let passed_on = from("http://192.0.2.7/d.xml");
        assert!(passed_on.len() == 2 && passed_on.iter().all(|said| said.starts_with("192.0.2.7 ssdp.")));
    }

    #[test]
    fn farewells_and_failures_say_nothing() {
        for quiet in [
            &b"NOTIFY * HTTP/1.1\r\nNTS: ssdp:byebye\r\nNT: x\r\nSERVER: x\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\nST: x\r\n\r\n",
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())));
        }
        assert!(said(|w| dissect(&Payload::new(b"hello"), w)).1.is_err());
    }
}
