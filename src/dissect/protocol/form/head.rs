//! The head of a text message: a start line and headers, as HTTP, SSDP, SIP and RTSP share them
//! (RFC 9112 section 2.1, RFC 3261 section 7, RFC 2326 section 4).
//!
//! A head may go on in the next segment or datagram: what is whole of it counts, the line that is cut does not.

use httparse::{EMPTY_HEADER, Header, ParserConfig, Request, Response, Status};

/// Headers that are read; those after them are not looked at.
const HEADERS: usize = 48;
/// The longest start line in bytes.
const START: usize = 4096;

/// A start line and the headers after it.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// What stands at the end of a request line or at the beginning of a status line, `HTTP/1.1`.
    pub(crate) version: &'a [u8],
    /// The method of a request; `None` for an answer.
    pub(crate) method: Option<&'a [u8]>,
    /// The status of an answer, or the target of a request.
    pub(crate) target: &'a [u8],
    headers: [Header<'a>; HEADERS],
    /// What follows the head of an HTTP message in this segment; empty if the head goes on in the next one.
    pub(crate) body: &'a [u8],
    /// Whether a line is not a header; those before and after it count.
    pub(crate) broken: bool,
}

impl<'a> Head<'a> {
    /// Reads a head; `None` if the first line is not a start line of the four protocols.
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        let window = payload.get(..START).unwrap_or(payload);
        let end = window.iter().position(|b| *b == b'\n')?;
        let (line, rest) = payload.split_at_checked(end)?;
        let mut parts = line.trim_ascii_end().splitn(3, |b| *b == b' ');
        let (first, target) = (parts.next()?, parts.next()?);
        let last = parts.next().unwrap_or_default();
        let (version, method) = if is_version(first) {
            (first, None)
        } else if is_version(last) && first.iter().all(|b| b.is_ascii_uppercase() || *b == b'-') {
            (last, Some(first))
        } else {
            return None;
        };
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut body = &[][..];
        let lines = rest.get(1..).unwrap_or_default();
        let end = version.starts_with(b"HTTP/").then(|| http(payload, method.is_some(), &mut headers));
        let sound = match end {
            Some(Some(end)) => {
                body = payload.get(end..).unwrap_or_default();
                true
            }
            // What httparse refuses is read like the others, line by line.
            Some(None) => {
                headers = [EMPTY_HEADER; HEADERS];
                others(lines, &mut headers);
                false
            }
            None => others(lines, &mut headers),
        };
        Some(Self { version, method, target, headers, body, broken: !sound })
    }

    /// The values of a header, its name in any case.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
    }

    /// The first value of a header.
    pub(crate) fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The authentication realm of an answer (RFC 9110 section 11.5).
    pub(crate) fn realm(&self) -> Option<Vec<u8>> {
        self.values("WWW-Authenticate").find_map(realm)
    }
}

fn is_version(token: &[u8]) -> bool {
    matches!(token, b"HTTP/1.0" | b"HTTP/1.1" | b"SIP/2.0" | b"RTSP/1.0" | b"RTSP/2.0")
}

/// Reads the headers of HTTP and SSDP. Those before the end of the segment, before a broken one, or before there are
/// too many, are in `headers` even if httparse returns none. Returns where the body starts, which is the payload's end for a
/// head that is cut or too long; `None` for a broken one.
fn http<'a>(payload: &'a [u8], request: bool, headers: &mut [Header<'a>; HEADERS]) -> Option<usize> {
    let mut config = ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_requests(true)
        .ignore_invalid_headers_in_responses(true);
    let result = if request {
        config.parse_request(&mut Request::new(headers), payload)
    } else {
        config.parse_response(&mut Response::new(headers), payload)
    };
    match result {
        Ok(Status::Complete(end)) => Some(end),
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => Some(payload.len()),
        Err(_) => None,
    }
}

/// Reads the headers of SIP and RTSP, which httparse does not know: SIP allows white space before the colon
/// (RFC 3261 section 7.3.1). Lines that continue a header are passed over, and so are those that are not headers; returns
/// whether there were none.
fn others<'a>(lines: &'a [u8], headers: &mut [Header<'a>; HEADERS]) -> bool {
    let mut free = headers.iter_mut();
    let mut sound = true;
    let whole = lines.split_inclusive(|b| *b == b'\n').filter(|l| l.ends_with(b"\n"));
    for line in whole.take(HEADERS * 2) {
        match line {
            b"\n" | b"\r\n" => break,
            [b' ' | b'\t', ..] => continue,
            _ => {}
        }
        let mut parts = line.splitn(2, |b| *b == b':');
        let name = parts.next().and_then(|name| str::from_utf8(name.trim_ascii()).ok());
        let Some((name, value)) = name.zip(parts.next()) else {
            sound = false;
            continue;
        };
        let Some(header) = free.next() else { break };
        *header = Header { name, value: value.trim_ascii() };
    }
    sound
}

fn realm(value: &[u8]) -> Option<Vec<u8>> {
    let at = value.windows(6).position(|w| w.eq_ignore_ascii_case(b"realm="))?;
    let rest = value.get(at + 6..)?;
    let Some((b'"', quoted)) = rest.split_first() else {
        return rest.split(|b| matches!(b, b',' | b' ')).next().map(<[u8]>::to_vec);
    };
    let mut out = Vec::new();
    let mut bytes = quoted.iter();
    while let Some(b) = bytes.next() {
        match b {
            b'"' => break,
            b'\\' => out.extend(bytes.next()),
            _ => out.push(*b),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_cut_in_a_line_still_gives_the_lines_before() {
        let head = Head::read(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nX: cut").unwrap();
        assert_eq!(head.value("user-agent"), Some(&b"b"[..]));
        assert_eq!((head.value("x"), head.broken), (None, false));
    }

    #[test]
    fn odd_headers_do_not_hide_the_others() {
        for start in ["HTTP/1.1 200 OK", "GET / HTTP/1.1", "NOTIFY * HTTP/1.1", "SIP/2.0 200 OK"] {
            let text = format!("{start}\r\nServer: s\r\nOdd\u{1}: z\r\nX: y\r\n\r\n");
            let head = Head::read(text.as_bytes()).unwrap();
            let expected = (Some(&b"s"[..]), Some(&b"y"[..]), false);
            assert_eq!((head.value("Server"), head.value("X"), head.broken), expected, "{start}");
        }
        for start in ["HTTP/1.1 200 OK", "SIP/2.0 200 OK", "REGISTER sip:a SIP/2.0"] {
            let text = format!("{start}\r\nA : b\r\nServer \t: s\r\n\r\nX: body\r\n");
            let head = Head::read(text.as_bytes()).unwrap();
            assert_eq!((head.value("server"), head.value("x")), (Some(&b"s"[..]), None), "{start}");
        }
    }

    #[test]
    fn a_line_that_is_not_a_header_costs_itself_alone() {
        let lines = "Server: s\r\n folded\r\nno header\r\nX: y\r\n\r\nBody: z\r\n";
        for start in ["RTSP/1.0 200 OK", "SIP/2.0 200 OK"] {
            let text = format!("{start}\r\n{lines}");
            let head = Head::read(text.as_bytes()).unwrap();
            let found = (head.value("Server"), head.value("X"), head.value("Body"), head.broken);
            assert_eq!(found, (Some(&b"s"[..]), Some(&b"y"[..]), None, true), "{start}");
        }
        for odd in ["A\rB", "no header", "\u{0}: x", "Na me: x", ": x"] {
            for start in ["HTTP/1.1 200 OK", "NOTIFY * HTTP/1.1"] {
                let text = format!("{start}\r\nServer: s\r\n{odd}\r\nX: y\r\n\r\n");
                let head = Head::read(text.as_bytes()).unwrap();
                assert_eq!(
                    (head.value("Server"), head.value("X")),
                    (Some(&b"s"[..]), Some(&b"y"[..])),
                    "{odd:?}"
                );
            }
        }
    }

    #[test]
    fn headers_beyond_the_bound_are_not_read() {
        let many = format!("HTTP/1.1 200 OK\nServer: s\n{}\n", "A: b\n".repeat(1000));
        let head = Head::read(many.as_bytes()).unwrap();
        assert_eq!((head.values("a").count(), head.broken), (HEADERS - 1, false));
    }

    #[test]
    fn only_start_lines_of_the_four_protocols_are_heads() {
        for line in ["GET /", "GET / FTP/1.0", "get / HTTP/1.1", "HTTP/3 200 OK", "", "\n", "A B"] {
            assert!(Head::read(format!("{line}\r\n\r\n").as_bytes()).is_none(), "{line}");
        }
        assert!(Head::read(b"GET / HTTP/1.1").is_none());
    }

    #[test]
    fn a_realm_is_quoted_or_a_token() {
        assert_eq!(realm(br#"Digest realm="IP \"Cam\"", nonce="x""#).unwrap(), br#"IP "Cam""#);
        assert_eq!(realm(b"Basic Realm=cam, x").unwrap(), b"cam");
        assert_eq!(realm(b"Digest realm=\"cut").unwrap(), b"cut");
        assert_eq!(realm(b"Basic"), None);
    }
}
