//! HTTP/1: the software of a client or a server, whom a client asks, and what a server shows (RFC 9110, RFC 9112).
//!
//! A message that passed a proxy speaks of somebody behind it and says nothing here.

use crate::census::Field;
use crate::dissect::protocol::discovery::dns::host;
use crate::dissect::protocol::discovery::wsd::decoded;
use crate::dissect::protocol::form::head::Head;
use crate::dissect::protocol::form::ntlm;
use crate::dissect::protocol::{discovery::upnp, host::ipp};
use crate::dissect::{Malformed, Payload, Side, Words};

/// Headers that proxies add to requests: RFC 9110 section 7.6.3, RFC 7239, and the custom that came before it.
const PASSED_ON: &[&str] =
    &["Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "X-ProxyUser-Ip"];
/// Headers that proxies and caches add to answers; also RFC 9111 section 5.1.
const PASSED_BACK: &[&str] = &["Via", "Forwarded", "X-Forwarded-For", "Age", "X-Cache"];
/// Bytes of a page in which its title is looked for.
const PAGE: usize = 16_384;

/// Dissects the beginning of a TCP segment that starts an HTTP message; anything else says nothing.
///
/// # Errors
/// If a line is not a header; the headers before it still count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    Head::read(payload.bytes).filter(|h| h.version.starts_with(b"HTTP/")).map_or(Ok(()), |h| say(&h, words))
}

pub(crate) fn say(head: &Head<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let passed_on = if head.method.is_some() { PASSED_ON } else { PASSED_BACK };
    if passed_on.iter().all(|name| head.value(name).is_none()) {
        if head.method.is_some() {
            if let Some(agent) = head.value("User-Agent") {
                words.say(Field::HttpUserAgent, agent);
            }
            // A name only: that a client knows an address does not describe it.
            let asked = head.value("Host").and_then(|value| value.split(|b| *b == b':').next());
            if let Some(name) = asked.and_then(host) {
                words.say(Field::HttpHost, name.as_bytes());
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
            say_body(head, words)?;
        }
    }
    if head.broken { Err(Malformed::new("http", "broken header")) } else { Ok(()) }
}

/// What the beginning of an answer's body tells by its type.
fn say_body(head: &Head<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let kind = head.value("Content-Type").unwrap_or_default();
    let is = |part: &[u8]| kind.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part));
    let body = content(head).trim_ascii_start();
    if body.is_empty() {
        return Ok(());
    }
    match head.target {
        // CUPS answers for the printers that a computer shares.
        b"200" if is(b"application/ipp") && !head.value("Server").is_some_and(|s| s.starts_with(b"CUPS")) => {
            ipp::dissect(&Payload::new(content(head)), words)
        }
        b"200" if is(b"xml") || body.starts_with(b"<?xml") => upnp::dissect(&Payload::new(body), words),
        // The page that asks for a password often names the device.
        b"200" | b"401" if is(b"html") || kind.is_empty() => {
            if let Some(title) = title(body) {
                words.say(Field::HttpTitle, &decoded(title));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The body, of a chunked one the first chunk (RFC 9112 section 7.1).
fn content<'a>(head: &Head<'a>) -> &'a [u8] {
    let chunked = head.value("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case(b"chunked"));
    let end = head.body.iter().position(|b| *b == b'\n').filter(|_| chunked);
    end.and_then(|end| head.body.get(end + 1..)).unwrap_or(head.body)
}

/// The text of a page's title; `None` if its end is not in this segment.
fn title(page: &[u8]) -> Option<&[u8]> {
    let page = page.get(..PAGE).unwrap_or(page);
    let start = page.windows(6).position(|w| w.eq_ignore_ascii_case(b"<title"))?;
    let rest = page.get(start..)?;
    let text = rest.get(rest.iter().position(|b| *b == b'>')? + 1..)?;
    text.get(..text.iter().position(|b| *b == b'<')?)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::dissect::protocol::form::ntlm::testing::challenge;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_request_names_the_client_and_an_answer_the_server() {
        let (out, result) = said(|w| {
            dissect(&Payload::new(b"GET /x HTTP/1.1\r\nuser-agent: curl/8\r\nServer: no\r\n\r\n"), w)
        });
        assert_eq!((out, result), (vec!["http.user_agent=curl/8".to_owned()], Ok(())));
        let answer = b"HTTP/1.1 401 Unauthorized\r\nServer: Boa/0.94\r\nUser-Agent: no\r\n\
            WWW-Authenticate: Basic realm=\"IP Camera\"\r\n\r\n<html>";
        let (out, _) = said(|w| dissect(&Payload::new(answer), w));
        assert_eq!(out, ["http.server=Boa/0.94", "http.realm=IP Camera"]);
        survives(answer, dissect);
    }

    #[test]
    fn a_challenge_names_the_server() {
        let token = STANDARD.encode(challenge(&[(3, "web.example.com")]));
        let answer = format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM {token}\r\n\r\n");
        let expected = ["ntlm.version=10.0.20348", "ntlm.target=dns=web.example.com"];
        assert_eq!(said(|w| dissect(&Payload::new(answer.as_bytes()), w)).0, expected);
    }

    #[test]
    fn a_request_says_whom_it_asks() {
        let of = |host: &str| {
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            said(|w| dissect(&Payload::new(request.as_bytes()), w)).0
        };
        assert_eq!(of("Time.Example.org:8080"), ["http.host=time.example.org"]);
        for none in ["192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "printer", ""] {
            assert!(of(none).is_empty(), "{none}");
        }
    }

    fn page(status: &str, headers: &str, body: &str) -> Vec<String> {
        let answer = format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}");
        survives(answer.as_bytes(), dissect);
        said(|w| dissect(&Payload::new(answer.as_bytes()), w)).0
    }

    #[test]
    fn a_page_is_known_by_its_title() {
        let expected = ["http.title=Web Image Monitor & more"];
        let body =
            "<!DOCTYPE html>\n<HTML><Head><TITLE id=x>\n Web Image Monitor &amp; more\n</TITLE></Head>";
        assert_eq!(page("200 OK", "Content-Type: text/html; charset=utf-8\r\n", body), expected);
        assert_eq!(page("401 Unauthorized", "", body), expected);
        let chunked = "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(page("200 OK", chunked, &format!("1000\r\n{body}")), expected);
        let cut = body.split("more").next().unwrap();
        for (status, kind, body) in [
            ("404 Not Found", "text/html", body),
            ("200 OK", "text/plain", body),
            ("200 OK", "text/html", cut),
        ] {
            assert!(page(status, &format!("Content-Type: {kind}\r\n"), body).is_empty(), "{status} {kind}");
        }
    }

    #[test]
    fn descriptions_and_printers_answer_over_http() {
        let body = "<?xml version=\"1.0\"?><root><device><modelName>TV</modelName></device></root>";
        for kind in ["text/xml", "application/octet-stream"] {
            let said = page("200 OK", &format!("Content-Type: {kind}\r\n"), body);
            assert_eq!(said, ["upnp.model_name=TV"]);
        }
        let body = "\x02\0\0\0\0\0\0\x01\x01\x47\0\x12attributes-charset\0\x05utf-8\x04\
            \x41\0\x16printer-make-and-model\0\x02LJ\x03";
        let printer = |server: &str| {
            let headers = format!("Server: {server}\r\nContent-Type: application/ipp\r\n");
            page("200 OK", &headers, body)
        };
        assert_eq!(printer("Web"), ["http.server=Web", "ipp.printer=LJ"]);
        assert_eq!(printer("CUPS/2.4 IPP/2.1"), ["http.server=CUPS/2.4 IPP/2.1"]);
    }

    #[test]
    fn what_passed_a_proxy_says_nothing() {
        for line in ["Via: 1.1 proxy", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"] {
            let request = format!("GET / HTTP/1.1\r\nUser-Agent: x\r\n{line}\r\n\r\n");
            let answer = format!("HTTP/1.1 200 OK\r\nServer: x\r\n{line}\r\n\r\n");
            for message in [request, answer] {
                assert_eq!(
                    said(|w| dissect(&Payload::new(message.as_bytes()), w)),
                    (vec![], Ok(())),
                    "{message}"
                );
            }
        }
        for cached in ["Age: 12", "X-Cache: HIT from proxy"] {
            let answer = format!("HTTP/1.1 200 OK\r\nServer: x\r\n{cached}\r\n\r\n");
            assert!(said(|w| dissect(&Payload::new(answer.as_bytes()), w)).0.is_empty(), "{cached}");
        }
    }

    #[test]
    fn what_is_no_http_says_nothing() {
        for other in [&b"OPTIONS sip:a SIP/2.0\r\nUser-Agent: x\r\n\r\n"[..], b"GET the milk\n", b"\0\x01"] {
            assert_eq!(said(|w| dissect(&Payload::new(other), w)), (vec![], Ok(())));
        }
    }
}
