//! SIP: the software of a telephone or an exchange (RFC 3261 sections 7, 20.35 and 20.41).
//!
//! A request that passed a proxy carries several Via headers, and an answer that passed one the route it recorded; both
//! speak of somebody behind it and say nothing.

use crate::census::Field;
use crate::dissect::protocol::form::head::Head;
use crate::dissect::{Malformed, Payload, Words};

/// Whether a datagram of any port begins as an answer or a registration does.
pub(crate) fn is_message(payload: &[u8]) -> bool {
    payload.starts_with(b"SIP/2.0 ") || payload.starts_with(b"REGISTER sip")
}

/// Whether a datagram may begin with a request or an answer: both begin with capitals.
pub(crate) fn may_speak(payload: &[u8]) -> bool {
    matches!(payload, [b'A'..=b'Z' | b'-' | b' ', ..])
}

/// Dissects a datagram or the beginning of a segment; anything else, such as a keep-alive, says nothing.
///
/// # Errors
/// If a line is not a header; the headers before it still count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    Head::read(payload.bytes).filter(|h| h.version.starts_with(b"SIP/")).map_or(Ok(()), |h| say(&h, words))
}

pub(crate) fn say(head: &Head<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let hops = head.values("Via").chain(head.values("v")).flat_map(|v| v.split(|b| *b == b',')).count();
    let is_own = match head.method {
        Some(_) => hops <= 1,
        // Section 16.7: the proxies on an answer's way back take their Via off, but leave the route.
        None => head.value("Record-Route").is_none(),
    };
    if is_own {
        if let Some(agent) = head.value("User-Agent") {
            words.say(Field::SipUserAgent, agent);
        }
        if let Some(server) = head.value("Server").filter(|_| head.method.is_none()) {
            words.say(Field::SipServer, server);
        }
    }
    if head.broken { Err(Malformed::new("sip", "broken header")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const REGISTER: &[u8] = b"REGISTER sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.5:5060\r\n\
        User-Agent: Yealink SIP-T46S 66.84\r\nServer: no\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_telephone_names_itself_in_requests_and_answers() {
        assert_eq!(
            said(|w| dissect(&Payload::new(REGISTER), w)).0,
            ["sip.user_agent=Yealink SIP-T46S 66.84"]
        );
        let answer = b"SIP/2.0 200 OK\r\nVia: a, b\r\nServer: PBX 1\r\nUser-Agent: Phone 2\r\n\r\n";
        assert_eq!(
            said(|w| dissect(&Payload::new(answer), w)).0,
            ["sip.user_agent=Phone 2", "sip.server=PBX 1"]
        );
        survives(REGISTER, dissect);
    }

    #[test]
    fn a_request_that_passed_a_proxy_says_nothing() {
        for via in ["Via: a\r\nVia: b", "v: a\r\nVia: b", "Via: a, b"] {
            let request = format!("INVITE sip:x SIP/2.0\r\n{via}\r\nUser-Agent: x\r\n\r\n");
            assert_eq!(said(|w| dissect(&Payload::new(request.as_bytes()), w)), (vec![], Ok(())));
        }
        assert_eq!(said(|w| dissect(&Payload::new(b"\r\n\r\n"), w)), (vec![], Ok(())));
    }

    #[test]
    fn an_answer_that_passed_a_proxy_says_nothing() {
        let answer = b"SIP/2.0 200 OK\r\nVia: a\r\nRecord-Route: <sip:192.0.2.1;lr>\r\nServer: x\r\nUser-Agent: x\r\n\r\n";
        assert_eq!(said(|w| dissect(&Payload::new(answer), w)), (vec![], Ok(())));
    }
}
