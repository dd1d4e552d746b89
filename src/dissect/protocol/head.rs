//! The head of a text message: a start line and headers, as HTTP, SSDP, SIP and RTSP share them
//! (RFC 9112 section 2.1, RFC 3261 section 7, RFC 2326 section 4).
//!
//! A head may go on in the next segment or datagram: what is whole of it counts, the line that is cut does not.

use httparse::{EMPTY_HEADER, Header};

/// Headers that are read; those after them are not looked at.
const HEADERS: usize = 48;
/// The longest start line in bytes.
const START: usize = 4096;

/// A start line and the headers after it.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// What stands at the end of a request line or at the beginning of a status line, `HTTP/1.1`.
    pub version: &'a [u8],
    /// The method of a request; `None` for an answer.
    pub method: Option<&'a [u8]>,
    /// The status of an answer, or the target of a request.
    pub target: &'a [u8],
    headers: [Header<'a>; HEADERS],
    /// Whether a header was none, so that reading ended there.
    pub broken: bool,
}

impl<'a> Head<'a> {
    /// Reads a head; `None` where the first line is no start line of the four protocols.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
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
        // The headers read before the end of the segment, before a broken one, or before there are too many, are in
        // the array; what it returns tells them apart only for a head that is whole.
        let rest = rest.get(1..).unwrap_or_default();
        let broken = !matches!(
            httparse::parse_headers(rest, &mut headers),
            Ok(_) | Err(httparse::Error::TooManyHeaders)
        );
        Some(Self { version, method, target, headers, broken })
    }

    /// The values of a header, its name in any case.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
    }

    /// The first value of a header.
    pub(super) fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The authentication realm of an answer (RFC 9110 section 11.5).
    pub(super) fn realm(&self) -> Option<Vec<u8>> {
        self.values("WWW-Authenticate").find_map(realm)
    }
}

fn is_version(token: &[u8]) -> bool {
    matches!(token, b"HTTP/1.0" | b"HTTP/1.1" | b"SIP/2.0" | b"RTSP/1.0" | b"RTSP/2.0")
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
    fn a_broken_header_ends_the_reading() {
        let head = Head::read(b"HTTP/1.1 200 OK\r\nServer: s\r\nno header\r\nX: y\r\n\r\n").unwrap();
        assert_eq!((head.value("Server"), head.value("X"), head.broken), (Some(&b"s"[..]), None, true));
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
