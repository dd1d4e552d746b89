//! The ClientHello of TLS as TCP and QUIC carry it (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2): the server name,
//! the application protocols, and its JA4.
//!
//! A hello may go on in the next segment: what is within this one is said, but the JA4 only of a whole one. It is read
//! here and not by a TLS crate, as those read a hello whole or not at all.
//!
//! JA4 is the method for TLS clients that FoxIO published under the BSD 3-clause licence; none of the others of its
//! suite, which bear another licence, is here.

use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;

use crate::census::Field;
use crate::dissect::protocol::discovery::dns::host;
use crate::dissect::{Malformed, Reader, Words};

/// Extensions that one hello may bear; a browser's has some twenty.
const EXTENSIONS: usize = 128;
/// Items of a budget that a number of the JA4 costs; a browser's has some sixty numbers.
const NUMBER: u32 = 2;
/// Bytes of a JA4.
const JA4: usize = 36;
/// Application protocols that are said of one hello.
const PROTOCOLS: usize = 8;

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Says what a handshake message tells if it is a ClientHello, the header of four bytes first. `transport` is the
/// first letter of the JA4: `t` for TCP, `q` for QUIC.
///
/// # Errors
/// If a hello that is not cut breaks.
pub(crate) fn say(handshake: &[u8], transport: char, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(hello) = Hello::read(handshake)? else { return Ok(()) };
    if let Some(name) = hello.extension(SERVER_NAME).and_then(server_name).and_then(host) {
        words.say(Field::TlsSni, name.as_bytes());
    }
    for protocol in hello.protocols().filter(|p| !is_http(p)).take(PROTOCOLS) {
        words.say(Field::TlsAlpn, protocol);
    }
    // Sorting, writing and hashing all the numbers is what a hello can cost.
    if hello.whole && hello.broken.is_none() && words.budget().items(hello.numbers()) {
        words.say(Field::TlsJa4, hello.ja4(transport).as_bytes());
    }
    hello.broken.map_or(Ok(()), |reason| Err(Malformed::new("tls", reason)))
}

/// Three bytes, the length of a handshake message.
pub(crate) fn u24(r: &mut Reader<'_>) -> Option<usize> {
    let [a, b, c] = r.array()?;
    usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()
}

struct Hello<'a> {
    version: u16,
    ciphers: &'a [u8],
    extensions: SmallVec<[(u16, &'a [u8]); 24]>,
    whole: bool,
    /// Why a hello that is not cut ends too early.
    broken: Option<&'static str>,
}

impl<'a> Hello<'a> {
    /// `None` if it is not a ClientHello, or is truncated before its extensions.
    fn read(handshake: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut r = Reader::new(handshake);
        let (Some(1), Some(length)) = (r.u8(), u24(&mut r)) else { return Ok(None) };
        let rest = r.rest();
        let whole = rest.len() >= length;
        let mut r = Reader::new(rest.get(..length).unwrap_or(rest));
        let cut = |reason| if whole { Err(Malformed::new("tls", reason)) } else { Ok(None) };
        let Some(version @ 0x0300..=0x03ff) = r.u16() else { return Ok(None) };
        let Some((ciphers, mut r)) = Self::middle(&mut r) else { return cut("broken hello") };
        let (mut extensions, mut broken) = (SmallVec::new(), None);
        while let (Some(kind), Some(length)) = (r.u16(), r.u16()) {
            let Some(data) = r.take(length.into()) else {
                broken = whole.then_some("truncated extension");
                break;
            };
            if extensions.len() == EXTENSIONS {
                broken = Some("too many extensions");
                break;
            }
            extensions.push((kind, data));
        }
        Ok(Some(Self { version, ciphers, extensions, whole, broken }))
    }

    /// The cipher suites, and a reader of the extensions. The extensions may be cut short.
    fn middle(r: &mut Reader<'a>) -> Option<(&'a [u8], Reader<'a>)> {
        let _random = r.take(32)?;
        let session = r.u8().filter(|n| *n <= 32)?;
        r.take(session.into())?;
        let length = r.u16().filter(|n| *n >= 2 && n % 2 == 0)?;
        let ciphers = r.take(length.into())?;
        let compressions = r.u8().filter(|n| *n >= 1)?;
        r.take(compressions.into())?;
        // Before TLS 1.3 there need be none.
        let length = r.u16().unwrap_or(0);
        let rest = r.rest();
        Some((ciphers, Reader::new(rest.get(..length.into()).unwrap_or(rest))))
    }

    /// How many numbers the JA4 is made of.
    fn numbers(&self) -> u32 {
        let algorithms = self.extension(SIGNATURE_ALGORITHMS).map_or(0, <[u8]>::len);
        let all = self.ciphers.len() / 2 + self.extensions.len() + algorithms / 2;
        u32::try_from(all).unwrap_or(u32::MAX).saturating_mul(NUMBER)
    }

    fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        self.extensions.iter().find(|(k, _)| *k == kind).map(|(_, data)| *data)
    }

    /// The application protocols that the client offers, in its order (RFC 7301 section 3.1).
    fn protocols(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut r = Reader::new(self.extension(ALPN).and_then(|data| data.get(2..)).unwrap_or_default());
        std::iter::from_fn(move || {
            let length = r.u8()?;
            r.take(length.into())
        })
    }

    /// The highest version that is offered: from the extension if it is present (RFC 8446 section 4.2.1).
    fn highest_version(&self) -> u16 {
        let offered = self.extension(SUPPORTED_VERSIONS).and_then(|data| data.get(1..)).unwrap_or_default();
        numbers(offered).max().unwrap_or(self.version)
    }

    fn ja4(&self, transport: char) -> String {
        let version = match self.highest_version() {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            _ => "00",
        };
        let named = if self.extension(SERVER_NAME).is_some() { 'd' } else { 'i' };
        let mut ciphers: Numbers = numbers(self.ciphers).collect();
        let mut kinds: Numbers =
            self.extensions.iter().map(|(kind, _)| *kind).filter(|k| !is_grease(*k)).collect();
        let mut out = String::with_capacity(JA4);
        out.push(transport);
        out.push_str(version);
        out.push(named);
        for n in [ciphers.len(), kinds.len()] {
            let n = n.min(99);
            out.extend([n / 10, n % 10].map(decimal));
        }
        out.extend(ends(self.protocols().next().unwrap_or_default()));

        ciphers.sort_unstable();
        kinds.retain(|k| !matches!(*k, SERVER_NAME | ALPN));
        kinds.sort_unstable();
        let mut text = String::with_capacity((ciphers.len() + kinds.len()) * 5);
        list(&mut text, ciphers.into_iter());
        out.push('_');
        digest(&mut out, &text);
        text.clear();
        list(&mut text, kinds.into_iter());
        let algorithms = self.extension(SIGNATURE_ALGORITHMS).and_then(|data| data.get(2..));
        if let Some(algorithms) = algorithms.filter(|_| !text.is_empty()) {
            text.push('_');
            list(&mut text, numbers(algorithms));
        }
        out.push('_');
        digest(&mut out, &text);
        out
    }
}

/// The numbers of a list in a hello: a browser's has some twenty.
type Numbers = SmallVec<[u16; 32]>;

fn decimal(digit: usize) -> char {
    u32::try_from(digit).ok().and_then(|digit| char::from_digit(digit, 10)).unwrap_or('0')
}

/// RFC 6066 section 3.
fn server_name(data: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(data);
    let (_list, 0, length) = (r.u16()?, r.u8()?, r.u16()?) else { return None };
    r.take(length.into())
}

/// What nearly every client offers, and what is not text.
fn is_http(protocol: &[u8]) -> bool {
    [&b"http/"[..], b"h2", b"h3", b"hq", b"spdy/"].iter().any(|p| protocol.starts_with(p))
        || !protocol.iter().all(u8::is_ascii_graphic)
}

/// The numbers of a list, without the reserved ones that test a peer's tolerance.
fn numbers(list: &[u8]) -> impl Iterator<Item = u16> {
    list.as_chunks::<2>().0.iter().map(|n| u16::from_be_bytes(*n)).filter(|n| !is_grease(*n))
}

/// RFC 8701 section 2.
const fn is_grease(n: u16) -> bool {
    n & 0x0f0f == 0x0a0a && n >> 8 == n & 0xff
}

/// Adds numbers in hexadecimal, with commas between them.
fn list(out: &mut String, numbers: impl Iterator<Item = u16>) {
    let mut digits = [0; 4];
    for (place, n) in numbers.enumerate() {
        if place > 0 {
            out.push(',');
        }
        // Two bytes have four digits.
        if hex::encode_to_slice(n.to_be_bytes(), &mut digits).is_ok() {
            out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
        }
    }
}

/// Adds the first twelve digits of the SHA-256 of a list, noughts for an empty one.
fn digest(out: &mut String, list: &str) {
    let mut digits = [b'0'; 12];
    if !list.is_empty()
        && let Some(head) = Sha256::digest(list.as_bytes()).get(..6)
        && hex::encode_to_slice(head, &mut digits).is_err()
    {
        return;
    }
    out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

/// The first and the last character of a protocol, or of its hex if one of the two is neither letter nor digit.
fn ends(protocol: &[u8]) -> [char; 2] {
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [*first, *last].map(char::from);
    }
    let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0xf)]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn vector(width: usize, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[4 - width..], data].concat()
    }

    fn words_of(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector(2, data)].concat()
    }

    pub(in crate::dissect::protocol) fn hello(ciphers: &[u16], extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend(vector(1, &[9; 32]));
        body.extend(vector(2, &words_of(ciphers)));
        body.extend(vector(1, &[0]));
        body.extend(vector(2, &extensions.concat()));
        [&[1][..], &vector(3, &body)].concat()
    }

    pub(in crate::dissect::protocol) fn sni(name: &str) -> Vec<u8> {
        let entry = [&[0][..], &vector(2, name.as_bytes())].concat();
        extension(SERVER_NAME, &vector(2, &entry))
    }

    pub(in crate::dissect::protocol) fn alpn(protocols: &[&str]) -> Vec<u8> {
        let list: Vec<u8> = protocols.iter().flat_map(|p| vector(1, p.as_bytes())).collect();
        extension(ALPN, &vector(2, &list))
    }

    const CIPHERS: &[u16] = &[
        0x5a5a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
        0x009c, 0x009d, 0x002f, 0x0035,
    ];

    /// The example that the method's description works through.
    fn example() -> Vec<u8> {
        let mut extensions = vec![
            extension(0x1a1a, &[]),
            sni("Example.COM"),
            alpn(&["h2", "http/1.1"]),
            extension(SUPPORTED_VERSIONS, &vector(1, &words_of(&[0x2a2a, 0x0304, 0x0303]))),
            extension(
                SIGNATURE_ALGORITHMS,
                &vector(2, &words_of(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601])),
            ),
        ];
        let others = [0x33, 0x4469, 0xff01, 0x2d, 0x0b, 0x0a, 0x12, 0x23, 0x05, 0x17, 0x1b, 0x15];
        extensions.extend(others.map(|kind| extension(kind, &[])));
        hello(CIPHERS, &extensions)
    }

    #[test]
    fn a_hello_gives_its_server_name_and_the_ja4_of_the_published_example() {
        let (out, result) = said(|w| say(&example(), 't', w));
        assert_eq!(out, ["tls.sni=example.com", "tls.ja4=t13d1516h2_8daaf6152771_e5627efa2ab1"]);
        assert_eq!(result, Ok(()));
        survives(&example(), |p, w| say(p.bytes, 't', w));
    }

    #[test]
    fn a_cut_hello_gives_what_is_within_and_no_ja4() {
        let whole = example();
        let (out, result) = said(|w| say(&whole[..whole.len() - 1], 't', w));
        assert_eq!((out, result), (vec!["tls.sni=example.com".to_owned()], Ok(())));
        for end in 0..whole.len() {
            let (out, result) = said(|w| say(&whole[..end], 't', w));
            assert!(result.is_ok() && !out.iter().any(|v| v.starts_with("tls.ja4")), "{end}");
        }
    }

    #[test]
    fn protocols_other_than_those_of_http_are_said() {
        let offers = hello(&[0x1301], &[alpn(&["h2", "x-amzn-mqtt-ca", "http/1.1", "\x01\x02", "dot"])]);
        let (out, _) = said(|w| say(&offers, 'q', w));
        assert_eq!(out[..2], ["tls.alpn=x-amzn-mqtt-ca", "tls.alpn=dot"]);
        assert!(out[2].starts_with("tls.ja4=q12i0101h2_"), "{out:?}");
    }

    #[test]
    fn a_hello_without_ciphers_extensions_or_protocols_has_noughts() {
        let (out, _) = said(|w| say(&hello(&[0x0a0a], &[]), 't', w));
        assert_eq!(out, ["tls.ja4=t12i000000_000000000000_000000000000"]);
        for (protocol, expected) in
            [(&b"h"[..], ['h', 'h']), (b"\xab\xcd", ['a', 'd']), (b"0\xab", ['3', 'b'])]
        {
            assert_eq!(ends(protocol), expected);
        }
    }

    #[test]
    fn what_is_no_hello_or_lies_says_nothing() {
        let mut lies = example();
        // The session id's length.
        lies[4 + 2 + 32] = 33;
        assert!(said(|w| say(&lies, 't', w)).1.is_err());
        let mut short = hello(&[0x1301], &[sni("a.example")]);
        let at = short.len() - 10;
        short[at] = 0xff;
        let (out, _) = said(|w| say(&short, 't', w));
        assert!(!out.iter().any(|v| v.starts_with("tls.sni")), "{out:?}");
        let many = vec![extension(0xfe00, &[]); EXTENSIONS + 1];
        assert!(said(|w| say(&hello(&[0x1301], &many), 't', w)).1.is_err());
        for other in [&[2, 0, 0, 2, 3, 3][..], &[1, 0, 0, 2, 9, 9], b""] {
            assert_eq!(said(|w| say(other, 't', w)), (vec![], Ok(())));
        }
    }
}
