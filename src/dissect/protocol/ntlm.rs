//! NTLM inside an HTTP header: the workstation and its Windows version (MS-NLMP section 2.2.1.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::census::Field;
use crate::dissect::{Reader, Words};

/// The longest credentials in bytes of Base64; an authenticate message has some hundreds.
const CREDENTIALS: usize = 8192;
const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// Says what an `Authorization` value tells, where it holds an authenticate message (type 3), bare or inside SPNEGO.
pub(super) fn say(credentials: &[u8], words: &mut Words<'_>) {
    let mut parts = credentials.splitn(2, |b| *b == b' ');
    let (Some(scheme), Some(token)) = (parts.next(), parts.next().map(<[u8]>::trim_ascii)) else { return };
    if token.len() > CREDENTIALS
        || !(scheme.eq_ignore_ascii_case(b"NTLM") || scheme.eq_ignore_ascii_case(b"Negotiate"))
    {
        return;
    }
    let Ok(token) = STANDARD.decode(token) else { return };
    let start = token.windows(SIGNATURE.len()).position(|w| w == SIGNATURE);
    if let Some(message) = start.and_then(|at| token.get(at..)) {
        authenticate(message, words);
    }
}

fn authenticate(message: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(message);
    r.take(SIGNATURE.len())?;
    if r.u32_le()? != 3 {
        return None;
    }
    // Two responses, domain and user come before the workstation, the session key after it, eight bytes each.
    r.take(4 * 8)?;
    let (length, _, offset) = (r.u16_le()?, r.u16_le()?, r.u32_le()?);
    r.take(8)?;
    let flags = r.u32_le()?;
    let name = usize::try_from(offset).ok().and_then(|at| message.get(at..)?.get(..length.into()));
    if let Some(name) = name {
        if flags & 1 == 1 {
            let units = name.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
            let text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect();
            words.say(Field::NtlmWorkstation, text.as_bytes());
        } else {
            words.say(Field::NtlmWorkstation, name);
        }
    }
    // NTLMSSP_NEGOTIATE_VERSION, section 2.2.2.5.
    if flags & 0x0200_0000 != 0 {
        let ([major, minor], build) = (r.array()?, r.u16_le()?);
        if major > 0 {
            words.say(Field::NtlmVersion, format!("{major}.{minor}.{build}").as_bytes());
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(kind: u8, wrap: &[u8], workstation: &[u8], flags: u32) -> Vec<u8> {
        let mut out = [SIGNATURE, &[kind, 0, 0, 0]].concat();
        out.resize(44, 0);
        let length = u16::try_from(workstation.len()).unwrap().to_le_bytes();
        out.extend([&length[..], &length, &72u32.to_le_bytes()].concat());
        out.resize(60, 0);
        out.extend(flags.to_le_bytes());
        out.extend([10, 0, 0x65, 0x4a, 0, 0, 0, 15]);
        out.extend(workstation);
        [wrap, &out].concat()
    }

    fn run(scheme: &str, message: &[u8]) -> Vec<String> {
        let value = format!("{scheme} {}", STANDARD.encode(message));
        said(|w| {
            say(value.as_bytes(), w);
            Ok(())
        })
        .0
    }

    const WIDE: &[u8] = b"P\0C\x001\0";

    #[test]
    fn an_authenticate_message_names_workstation_and_version() {
        let expected = ["ntlm.workstation=PC1", "ntlm.version=10.0.19045"];
        assert_eq!(run("NTLM", &message(3, b"", WIDE, 0x0200_0001)), expected);
        assert_eq!(run("Negotiate", &message(3, b"\x60\x40spnego", WIDE, 0x0200_0001)), expected);
        assert_eq!(run("NTLM", &message(3, b"", b"PC1", 0)), ["ntlm.workstation=PC1"]);
    }

    #[test]
    fn other_messages_and_schemes_say_nothing() {
        assert!(run("NTLM", &message(1, b"", WIDE, 0x0200_0001)).is_empty());
        assert!(run("Basic", &message(3, b"", WIDE, 1)).is_empty());
        assert!(run("NTLM", &[]).is_empty());
        for broken in [&b"NTLM ***"[..], b"NTLM", b""] {
            assert!(
                said(|w| {
                    say(broken, w);
                    Ok(())
                })
                .0
                .is_empty()
            );
        }
    }

    #[test]
    fn broken_messages_do_no_harm() {
        survives(&message(3, b"", WIDE, 0x0200_0001), |m, w| {
            authenticate(m, w);
            Ok(())
        });
    }
}
