//! Telnet: the text that a server greets with (RFC 854, RFC 855).
//!
//! Nothing in a segment tells where the session is, and what follows a login is not a banner. So text counts only
//! where option negotiation comes with it or a prompt for a user's name ends it.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Bytes of a segment that are looked at.
const BYTES: usize = 2048;

const IAC: u8 = 255;
/// The ends of prompts for a name, and words that say nothing on their own.
const PROMPTS: [&[u8]; 4] = [b"login:", b"username:", b"user name:", b"user:"];
const BARE: [&[u8]; 6] = [b"login:", b"username:", b"user name:", b"user:", b"password:", b"account:"];

/// Dissects the beginning of a segment from TCP 23.
///
/// # Errors
/// None; Telnet shares its form with the other dissectors.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let (text, negotiates) = stripped(payload.bytes.get(..BYTES).unwrap_or(payload.bytes));
    let lines = || text.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let prompts = || {
        let last = lines().next_back().unwrap_or_default().to_ascii_lowercase();
        PROMPTS.iter().any(|prompt| last.ends_with(prompt))
    };
    if negotiates || prompts() {
        let mut texts = lines().filter(|line| line.iter().any(u8::is_ascii_alphanumeric));
        if let Some(line) = texts.find(|line| !BARE.iter().any(|prompt| line.eq_ignore_ascii_case(prompt))) {
            words.say(Field::TelnetBanner, line);
        }
    }
    Ok(())
}

/// The text without commands and without the sequences that steer a terminal (ECMA-48 section 5.4), and whether options
/// were negotiated.
fn stripped(payload: &[u8]) -> (Vec<u8>, bool) {
    let (mut text, mut negotiates) = (Vec::new(), false);
    let mut bytes = payload.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        match b {
            IAC => match bytes.next() {
                Some(IAC) => text.push(IAC),
                // WILL, WON'T, DO, DON'T.
                Some(251..=254) => {
                    negotiates = true;
                    bytes.next();
                }
                // A subnegotiation, up to its end.
                Some(250) => {
                    negotiates = true;
                    while let Some(b) = bytes.next() {
                        if b == IAC && bytes.next() == Some(240) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            0x1b => {
                if bytes.next_if_eq(&b'[').is_some() {
                    while bytes.next_if(|b| !(0x40..0x7f).contains(b)).is_some() {}
                }
                bytes.next();
            }
            _ => text.push(b),
        }
    }
    (text, negotiates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_greeting_is_told_by_negotiation_or_by_a_prompt() {
        for (greeting, expected) in [
            (
                &b"\xff\xfb\x01\xff\xfb\x03\r\n\r\nUser Access Verification\r\n\r\nPassword: "[..],
                "User Access Verification",
            ),
            (b"\x1b[2J\x1b[1;1H\r\nBusyBox v1.20 shell\r\ncam login: ", "BusyBox v1.20 shell"),
            (b"\xff\xfa\x18\x01\xff\xf0router-1 login: ", "router-1 login:"),
            (b"Welcome\r\n***\r\nUsername:", "Welcome"),
        ] {
            assert_eq!(
                said(|w| dissect(&Payload::new(greeting), w)),
                (vec![format!("telnet.banner={expected}")], Ok(()))
            );
            survives(greeting, dissect);
        }
    }

    #[test]
    fn a_session_and_bare_prompts_say_nothing() {
        for quiet in [
            &b"total 12\r\ndrwxr-xr-x  2 root root\r\n# "[..],
            b"a\r\nPassword: ",
            b"\xff\xfb\x01Password: ",
            b"login: ",
            b"\xff\xfd\x18\xff\xfd\x20",
            b"\xff",
            b"\x1b[",
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }
}
