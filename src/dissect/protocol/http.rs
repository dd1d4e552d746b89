//! HTTP/1: the software of a client or a server (RFC 9110, RFC 9112).
//!
//! A message that passed a proxy speaks of somebody behind it and says nothing here.

use super::head::Head;
use super::ntlm::{self, Side};
use crate::census::Field;
use crate::dissect::{Malformed, Words};

/// Dissects the beginning of a TCP segment that starts an HTTP message; anything else says nothing.
///
/// # Errors
/// Where a header is none; what the headers before it said is said.
pub fn dissect(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    Head::read(payload).filter(|h| h.version.starts_with(b"HTTP/")).map_or(Ok(()), |h| say(&h, words))
}

pub(super) fn say(head: &Head<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // RFC 9110 section 7.6.3, RFC 7239, and the custom that came before it.
    if ["Via", "Forwarded", "X-Forwarded-For"].iter().all(|name| head.value(name).is_none()) {
        if head.method.is_some() {
            if let Some(agent) = head.value("User-Agent") {
                words.say(Field::HttpUserAgent, agent);
            }
            for credentials in head.values("Authorization").chain(head.values("Proxy-Authorization")) {
                ntlm::say_header(credentials, Side::Client, words);
            }
        } else {
            if let Some(server) = head.value("Server") {
                words.say(Field::HttpServer, server);
            }
            if let Some(realm) = head.realm() {
                words.say(Field::HttpRealm, &realm);
            }
            for challenge in head.values("WWW-Authenticate").chain(head.values("Proxy-Authenticate")) {
                ntlm::say_header(challenge, Side::Server, words);
            }
        }
    }
    if head.broken { Err(Malformed::new("http", "broken header")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::dissect::protocol::ntlm::testing::challenge;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_request_names_the_client_and_an_answer_the_server() {
        let (out, result) =
            said(|w| dissect(b"GET /x HTTP/1.1\r\nuser-agent: curl/8\r\nServer: no\r\n\r\n", w));
        assert_eq!((out, result), (vec!["http.user_agent=curl/8".to_owned()], Ok(())));
        let answer = b"HTTP/1.1 401 Unauthorized\r\nServer: Boa/0.94\r\nUser-Agent: no\r\n\
            WWW-Authenticate: Basic realm=\"IP Camera\"\r\n\r\n<html>";
        let (out, _) = said(|w| dissect(answer, w));
        assert_eq!(out, ["http.server=Boa/0.94", "http.realm=IP Camera"]);
        survives(answer, dissect);
    }

    #[test]
    fn a_challenge_names_the_server() {
        let token = STANDARD.encode(challenge(&[(3, "web.example.com")]));
        let answer = format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM {token}\r\n\r\n");
        let expected = ["ntlm.version=10.0.20348", "ntlm.target=dns=web.example.com"];
        assert_eq!(said(|w| dissect(answer.as_bytes(), w)).0, expected);
    }

    #[test]
    fn what_passed_a_proxy_says_nothing() {
        for line in ["Via: 1.1 proxy", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"] {
            let request = format!("GET / HTTP/1.1\r\nUser-Agent: x\r\n{line}\r\n\r\n");
            let answer = format!("HTTP/1.1 200 OK\r\nServer: x\r\n{line}\r\n\r\n");
            for message in [request, answer] {
                assert_eq!(said(|w| dissect(message.as_bytes(), w)), (vec![], Ok(())), "{message}");
            }
        }
    }

    #[test]
    fn what_is_no_http_says_nothing() {
        for other in [&b"OPTIONS sip:a SIP/2.0\r\nUser-Agent: x\r\n\r\n"[..], b"GET the milk\n", b"\0\x01"] {
            assert_eq!(said(|w| dissect(other, w)), (vec![], Ok(())));
        }
    }
}
