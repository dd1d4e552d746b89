//! NTLM: names and Windows version of who signs in, and of the server that challenges (MS-NLMP sections 2.2.1 and
//! 2.2.2), wherever another protocol carries it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::census::{Field, VALUE_BYTES};
use crate::dissect::{Reader, Side, Words};

/// The longest credentials in bytes of Base64; an authenticate message has some hundreds.
const CREDENTIALS: usize = 8192;
/// Bytes of a token that are searched for a message; SPNEGO puts some tens before it.
const WINDOW: usize = 2048;
/// Names that are taken from one challenge; there are ten kinds.
const NAMES: usize = 16;
const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// Says what the value of an `Authorization` or `WWW-Authenticate` header tells if it holds a message, bare or
/// inside SPNEGO.
pub(crate) fn say_header(credentials: &[u8], side: Side, words: &mut Words<'_>) {
    let mut parts = credentials.splitn(2, |b| *b == b' ');
    let (Some(scheme), Some(token)) = (parts.next(), parts.next().map(<[u8]>::trim_ascii)) else { return };
    if token.len() > CREDENTIALS
        || !(scheme.eq_ignore_ascii_case(b"NTLM") || scheme.eq_ignore_ascii_case(b"Negotiate"))
    {
        return;
    }
    if let Ok(token) = STANDARD.decode(token) {
        say(&token, side, words);
    }
}

/// Says what a security token tells if it holds a message of that side: a client negotiates and authenticates, a server
/// challenges.
pub(crate) fn say(token: &[u8], side: Side, words: &mut Words<'_>) {
    let window = token.get(..WINDOW).unwrap_or(token);
    let start = window.windows(SIGNATURE.len()).position(|w| w == SIGNATURE);
    let Some(message) = start.and_then(|at| token.get(at..)) else { return };
    let mut r = Reader::new(message);
    r.take(SIGNATURE.len());
    // What is cut is said as far as it goes.
    let _end = match (r.u32_le(), side) {
        (Some(1), Side::Client) => negotiate(message, r, words),
        (Some(2), Side::Server) => challenge(message, r, words),
        (Some(3), Side::Client) => authenticate(message, r, words),
        _ => None,
    };
}

/// Text in UTF-16, as far as a value may go.
pub(crate) fn wide(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().take(VALUE_BYTES).map(|b| u16::from_le_bytes(*b));
    char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
}

/// Section 2.2.1.1: the names are in the client's own character set.
fn negotiate(message: &[u8], mut r: Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    let flags = r.u32_le()?;
    let _domain = r.take(8)?;
    let workstation = field(message, &mut r)?;
    // NTLMSSP_NEGOTIATE_OEM_WORKSTATION_SUPPLIED.
    if flags & 0x2000 != 0
        && let Some(name) = workstation
    {
        words.say(Field::NtlmWorkstation, name);
    }
    say_version(flags, &mut r, words)
}

/// Section 2.2.1.2.
fn challenge(message: &[u8], mut r: Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    let _target = r.take(8)?;
    let flags = r.u32_le()?;
    let _challenge_and_reserved = r.take(16)?;
    let names = field(message, &mut r)?;
    say_version(flags, &mut r, words);
    // NTLMSSP_NEGOTIATE_TARGET_INFO.
    if flags & 0x0080_0000 != 0 {
        say_names(names?, words);
    }
    Some(())
}

/// Section 2.2.1.3.
fn authenticate(message: &[u8], mut r: Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    // Two responses, domain and user come before the workstation, the session key after it, eight bytes each.
    r.take(4 * 8)?;
    let workstation = field(message, &mut r)?;
    r.take(8)?;
    let flags = r.u32_le()?;
    if let Some(name) = workstation {
        if flags & 1 == 1 {
            words.say(Field::NtlmWorkstation, wide(name).as_bytes());
        } else {
            words.say(Field::NtlmWorkstation, name);
        }
    }
    say_version(flags, &mut r, words)
}

/// The three names of the server itself and of its domain (section 2.2.2.1).
fn say_names(pairs: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(pairs);
    for _ in 0..NAMES {
        let (id, length) = (r.u16_le()?, r.u16_le()?);
        let value = r.take(length.into())?;
        let name = match id {
            0 => break,
            1 => "netbios",
            2 => "domain",
            3 => "dns",
            4 => "dns_domain",
            _ => continue,
        };
        if !value.is_empty() {
            words.say(Field::NtlmTarget, format!("{name}={}", wide(value)).as_bytes());
        }
    }
    Some(())
}

/// A field's bytes by its length and place; the inner `None` if it lies outside of the message.
fn field<'a>(message: &'a [u8], r: &mut Reader<'_>) -> Option<Option<&'a [u8]>> {
    let (length, _, offset) = (r.u16_le()?, r.u16_le()?, r.u32_le()?);
    Some(usize::try_from(offset).ok().and_then(|at| message.get(at..)?.get(..length.into())))
}

/// NTLMSSP_NEGOTIATE_VERSION, section 2.2.2.10.
fn say_version(flags: u32, r: &mut Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    if flags & 0x0200_0000 != 0 {
        let ([major, minor], build, [_, _, _, revision]) = (r.array()?, r.u16_le()?, r.array()?);
        // NTLMSSP_REVISION_W2K3; any other means that the bytes are not a version.
        if major > 0 && matches!(revision, 10 | 15) {
            words.say(Field::NtlmVersion, format!("{major}.{minor}.{build}").as_bytes());
        }
    }
    Some(())
}

#[cfg(test)]
pub(crate) mod testing {
    use super::SIGNATURE;

    /// Text as NTLM and SMB have it.
    pub(crate) fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// An authenticate message of a workstation.
    pub(crate) fn authenticate(workstation: &[u8], flags: u32) -> Vec<u8> {
        let mut out = [SIGNATURE, &[3, 0, 0, 0]].concat();
        out.resize(44, 0);
        let length = u16::try_from(workstation.len()).unwrap().to_le_bytes();
        out.extend([&length[..], &length, &72u32.to_le_bytes()].concat());
        out.resize(60, 0);
        out.extend(flags.to_le_bytes());
        out.extend([10, 0, 0x65, 0x4a, 0, 0, 0, 15]);
        out.extend(workstation);
        out
    }

    /// A challenge of a server with names of those kinds.
    pub(crate) fn challenge(names: &[(u8, &str)]) -> Vec<u8> {
        let mut pairs = Vec::new();
        for (id, name) in names.iter().chain(&[(0, "")]) {
            let value = utf16(name);
            pairs.extend([*id, 0, u8::try_from(value.len()).unwrap(), 0]);
            pairs.extend(value);
        }
        let length = u16::try_from(pairs.len()).unwrap().to_le_bytes();
        let mut out = [SIGNATURE, &[2, 0, 0, 0], &[0; 8], &0x0280_0001u32.to_le_bytes(), &[7; 16]].concat();
        out.extend([&length[..], &length, &56u32.to_le_bytes(), &[10, 0, 0x7c, 0x4f, 0, 0, 0, 15]].concat());
        out.extend(pairs);
        out
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::testing::{authenticate, challenge};
    use super::{SIGNATURE, STANDARD, say, say_header};
    use crate::dissect::Side;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn header(scheme: &str, side: Side, message: &[u8]) -> Vec<String> {
        let value = format!("{scheme} {}", STANDARD.encode(message));
        raw(value.as_bytes(), side)
    }

    fn raw(value: &[u8], side: Side) -> Vec<String> {
        said(|w| {
            say_header(value, side, w);
            Ok(())
        })
        .0
    }

    fn token(message: &[u8], side: Side) -> Vec<String> {
        said(|w| {
            say(message, side, w);
            Ok(())
        })
        .0
    }

    const WIDE: &[u8] = b"P\0C\x001\0";

    #[test]
    fn an_authenticate_message_names_workstation_and_version() {
        let message = authenticate(WIDE, 0x0200_0001);
        let expected = ["ntlm.workstation=PC1", "ntlm.version=10.0.19045"];
        assert_eq!(header("NTLM", Side::Client, &message), expected);
        let wrapped = [b"\x60\x40spnego", &message[..]].concat();
        assert_eq!(header("Negotiate", Side::Client, &wrapped), expected);
        assert_eq!(header("NTLM", Side::Client, &authenticate(b"PC1", 0)), ["ntlm.workstation=PC1"]);
    }

    #[test]
    fn a_challenge_names_the_server_and_its_domain() {
        let message =
            challenge(&[(2, "EXAMPLE"), (1, "DC1"), (4, "example.com"), (3, "dc1.example.com"), (7, "x")]);
        let expected = [
            "ntlm.version=10.0.20348",
            "ntlm.target=domain=EXAMPLE",
            "ntlm.target=netbios=DC1",
            "ntlm.target=dns_domain=example.com",
            "ntlm.target=dns=dc1.example.com",
        ];
        assert_eq!(token(&message, Side::Server), expected);
        survives(&message, |m, w| {
            say(m.bytes, Side::Server, w);
            Ok(())
        });
    }

    #[test]
    fn a_negotiate_message_bears_the_version() {
        let mut message = [SIGNATURE, &[1, 0, 0, 0], &0x0200_2001u32.to_le_bytes(), &[0; 8]].concat();
        message.extend([3, 0, 3, 0, 40, 0, 0, 0, 10, 0, 0x65, 0x4a, 0, 0, 0, 15]);
        message.extend(b"PC1");
        assert_eq!(token(&message, Side::Client), ["ntlm.workstation=PC1", "ntlm.version=10.0.19045"]);
    }

    #[test]
    fn messages_of_the_other_side_and_other_schemes_say_nothing() {
        let message = authenticate(WIDE, 0x0200_0001);
        assert!(token(&message, Side::Server).is_empty());
        assert!(token(&challenge(&[(1, "DC1")]), Side::Client).is_empty());
        assert!(header("Basic", Side::Client, &message).is_empty());
        assert!(header("NTLM", Side::Client, &[]).is_empty());
        for broken in [&b"NTLM ***"[..], b"NTLM", b""] {
            assert!(raw(broken, Side::Client).is_empty());
        }
    }

    #[test]
    fn a_version_without_its_revision_is_none() {
        let mut message = authenticate(WIDE, 0x0200_0001);
        message[71] = 0;
        assert_eq!(token(&message, Side::Client), ["ntlm.workstation=PC1"]);
    }

    #[test]
    fn broken_messages_do_no_harm() {
        survives(&authenticate(WIDE, 0x0200_0001), |m, w| {
            say(m.bytes, Side::Client, w);
            Ok(())
        });
    }
}
