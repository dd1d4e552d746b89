//! SMB: dialects, systems and names of both sides (MS-CIFS sections 2.2.4.52 and 2.2.4.53, MS-SMB 2.2.4.6, MS-SMB2
//! sections 2.2.3 to 2.2.6), on TCP 445 and in NetBIOS sessions on TCP 139 (RFC 1002 section 4.3).
//!
//! Only the first message of a segment is read, and of it what the segment holds. Enciphered messages say nothing.

use super::nbns;
use crate::census::Field;
use crate::dissect::protocol::form::ntlm::{self, wide};
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Dialects of one request that are looked at.
const DIALECTS: usize = 32;
/// A NetBIOS session message, and all there is of its header over TCP.
const MESSAGE: u8 = 0;
/// A NetBIOS session request.
const SESSION_REQUEST: u8 = 0x81;

/// Whether a segment may begin a message: one of a session, or a request for a session.
pub(crate) fn may_speak(payload: &[u8]) -> bool {
    matches!(payload, [MESSAGE, _, _, _, 0xfe | 0xff, b'S', ..] | [SESSION_REQUEST, ..])
}

/// Dissects the beginning of a segment from or to TCP 139 or 445; bulk data says nothing.
///
/// # Errors
/// If a message that the segment holds whole ends too early.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let side = payload.side;
    let mut r = Reader::new(payload.bytes);
    let (kind, length) = match r.array() {
        Some([kind, a, b, c]) => (kind, u32::from_be_bytes([0, a, b, c])),
        None => return Ok(()),
    };
    let (message, whole) = match usize::try_from(length).ok().and_then(|n| r.take(n)) {
        Some(message) => (message, true),
        None => (r.rest(), false),
    };
    let read = match (kind, message.first_chunk::<4>()) {
        (MESSAGE, Some(b"\xffSMB")) => first_version(message, whole, side, words),
        (MESSAGE, Some(b"\xfeSMB")) => second_version(message, side, words),
        (SESSION_REQUEST, Some(_)) if side == Side::Client && whole => caller(message, words),
        _ => return Ok(()),
    };
    if read.is_none() && whole { Err(Malformed::new("smb", "truncated message")) } else { Ok(()) }
}

/// RFC 1002 section 4.3.2: the name that is called, and that of the caller.
fn caller(names: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(names);
    let (_called, calling) = (nbns::name(&mut r)?, nbns::name(&mut r)?);
    nbns::say(calling, 0, words);
    Some(())
}

fn first_version(message: &[u8], whole: bool, side: Side, words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(message);
    let (_magic, command) = (r.u32()?, r.u8()?);
    let (_status, flags, flags2) = (r.u32()?, r.u8()?, r.u16_le()?);
    r.take(20)?;
    // SMB_FLAGS_REPLY.
    if (flags & 0x80 != 0) != (side == Side::Server) {
        return Some(());
    }
    let count = r.u8()?;
    let parameters = r.take(usize::from(count) * 2)?;
    let _byte_count = r.u16_le()?;
    match (command, side, count) {
        (0x72, Side::Client, 0) => {
            // Each has a 2 before it and a 0 after it; the first byte of the first is of the split's empty piece.
            for dialect in r.rest().split(|b| *b == 0).take(DIALECTS) {
                match dialect {
                    b"\x02NT LM 0.12" => words.say(Field::SmbDialect, b"client:1"),
                    b"\x02SMB 2.???" => words.say(Field::SmbDialect, b"client:2.x"),
                    _ => {}
                }
            }
            Some(())
        }
        (0x72, Side::Server, 17) => {
            words.say(Field::SmbDialect, b"server:1");
            Some(())
        }
        (0x73, Side::Client, 12 | 13) | (0x73, Side::Server, 3 | 4) => {
            let strings = Strings { at: message.len(), is_wide: flags2 & 0x8000 != 0, whole };
            set_up(strings, r, parameters, side, words)
        }
        _ => Some(()),
    }
}

/// What follows the parameters of a session setup: passwords or a security token, then the native strings; before the
/// strings of a request without a token stand account and domain.
fn set_up(
    strings: Strings,
    mut r: Reader<'_>,
    parameters: &[u8],
    side: Side,
    words: &mut Words<'_>,
) -> Option<()> {
    let number = |at: usize| parameters.get(at..)?.first_chunk().map(|b| usize::from(u16::from_le_bytes(*b)));
    let token = match parameters.len() {
        24 => number(14)?,
        8 => number(6)?,
        26 => {
            r.take(number(14)? + number(16)?)?;
            0
        }
        _ => 0,
    };
    if token > 0 {
        // What is cut of a token says what it holds.
        let body = r.take(token);
        ntlm::say(body.unwrap_or_else(|| r.rest()), side, words);
        body?;
    }
    let mut text = || strings.next(&mut r);
    if parameters.len() == 26 {
        let (_account, _domain) = (text()?, text()?);
    }
    let system = text()?;
    words.say(Field::SmbNativeOs, system.as_bytes());
    let manager = text()?;
    words.say(Field::SmbNativeLanman, manager.as_bytes());
    Some(())
}

/// How the strings of a message of the first version are read.
#[derive(Clone, Copy)]
struct Strings {
    /// The message's length, from which a place in it is reckoned.
    at: usize,
    /// Whether they are in UTF-16: these begin at an even place.
    is_wide: bool,
    whole: bool,
}

impl Strings {
    /// A string up to its zero, which old systems leave out or cut in half behind the last one.
    fn next(self, r: &mut Reader<'_>) -> Option<String> {
        if self.is_wide && self.at.checked_sub(r.rest().len())? % 2 == 1 {
            r.u8()?;
        }
        let rest = r.rest();
        let end = if self.is_wide {
            rest.as_chunks::<2>().0.iter().position(|unit| *unit == [0, 0]).map(|n| n * 2)
        } else {
            rest.iter().position(|b| *b == 0)
        };
        let open = self.whole && !rest.is_empty();
        let text = r.take(end.or_else(|| open.then_some(rest.len()))?)?;
        r.take(if self.is_wide { 2 } else { 1 });
        Some(if self.is_wide { wide(text) } else { String::from_utf8_lossy(text).into_owned() })
    }
}

fn second_version(message: &[u8], side: Side, words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(message);
    let (_magic, size) = (r.u32()?, r.u16_le()?);
    let (_credit, _status, command) = (r.u16()?, r.u32()?, r.u16_le()?);
    let (_credits, flags) = (r.u16()?, r.u32_le()?);
    r.take(44)?;
    // SMB2_FLAGS_SERVER_TO_REDIR.
    if size != 64 || (flags & 1 != 0) != (side == Side::Server) {
        return Some(());
    }
    match (command, side, r.u16_le()?) {
        (0, Side::Client, 36) => {
            let count = r.u16_le()?;
            r.take(32)?;
            let offered = std::iter::from_fn(|| r.u16_le()).take(usize::from(count).min(DIALECTS));
            if let Some(best) = offered.filter_map(dialect).max() {
                words.say(Field::SmbDialect, format!("client:{best}").as_bytes());
            }
        }
        (0, Side::Server, 65) => {
            let (_security, chosen) = (r.u16_le()?, r.u16_le()?);
            if let Some(chosen) = dialect(chosen) {
                words.say(Field::SmbDialect, format!("server:{chosen}").as_bytes());
            }
        }
        (1, Side::Client, 25) => {
            r.take(10)?;
            token(message, &mut r, side, words)?;
        }
        (1, Side::Server, 9) => {
            r.take(2)?;
            token(message, &mut r, side, words)?;
        }
        _ => {}
    }
    Some(())
}

/// The security token by its place in the message and its length; as much of it as there is.
fn token(message: &[u8], r: &mut Reader<'_>, side: Side, words: &mut Words<'_>) -> Option<()> {
    let (offset, length) = (usize::from(r.u16_le()?), usize::from(r.u16_le()?));
    let from = message.get(offset..)?;
    ntlm::say(from.get(..length).unwrap_or(from), side, words);
    Some(())
}

/// Names that sort as the dialects do. 0x02ff stands for one to be agreed on.
const fn dialect(number: u16) -> Option<&'static str> {
    match number {
        0x0202 => Some("2.0.2"),
        0x0210 => Some("2.1"),
        0x0300 => Some("3.0"),
        0x0302 => Some("3.0.2"),
        0x0311 => Some("3.1.1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::ntlm::testing::{authenticate, challenge, utf16};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&length[..], message].concat()
    }

    fn first(command: u8, flags: u8, flags2: u16, parameters: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out = [b"\xffSMB".as_slice(), &[command, 0, 0, 0, 0, flags], &flags2.to_le_bytes()].concat();
        out.resize(32, 0);
        out.push(u8::try_from(parameters.len() / 2).unwrap());
        out.extend(parameters);
        out.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        out.extend(data);
        framed(&out)
    }

    fn second(command: u16, flags: u32, body: &[u8]) -> Vec<u8> {
        let mut out = [b"\xfeSMB".as_slice(), &[64, 0, 0, 0, 0, 0, 0, 0], &command.to_le_bytes()].concat();
        out.extend([1, 0]);
        out.extend(flags.to_le_bytes());
        out.resize(64, 0);
        out.extend(body);
        framed(&out)
    }

    fn request(payload: &[u8]) -> Vec<String> {
        said(|w| dissect(&Payload::new(payload).on(Side::Client), w)).0
    }

    fn answer(payload: &[u8]) -> Vec<String> {
        said(|w| dissect(&Payload::new(payload).on(Side::Server), w)).0
    }

    #[test]
    fn both_sides_of_the_first_version_name_system_and_software() {
        let strings =
            |texts: &[&str]| texts.iter().flat_map(|t| utf16(&format!("{t}\0"))).collect::<Vec<_>>();
        let mut parameters = vec![0; 26];
        (parameters[14], parameters[16]) = (1, 1);
        // 61 bytes come before the strings: one is added so that they begin at an even place.
        let data = [vec![9, 9, 0], strings(&["user", "GROUP", "Windows 5.1", "Windows 2000 LAN Manager"])];
        let message = first(0x73, 0, 0x8000, &parameters, &data.concat());
        let expected = ["smb.native_os=Windows 5.1", "smb.native_lanman=Windows 2000 LAN Manager"];
        assert_eq!(request(&message), expected);
        assert!(answer(&message).is_empty());
        survives(&message, |p, w| dissect(&p.on(Side::Client), w));

        let message = first(0x73, 0x80, 0, &[0; 6], b"Unix\0Samba 3.6.3\0HOME\0");
        assert_eq!(answer(&message), ["smb.native_os=Unix", "smb.native_lanman=Samba 3.6.3"]);
        assert!(request(&message).is_empty());
        let open = first(0x73, 0x80, 0, &[0; 6], b"Unix\0Samba");
        assert_eq!(answer(&open), ["smb.native_os=Unix", "smb.native_lanman=Samba"]);
        assert_eq!(answer(&open[..open.len() - 2]), ["smb.native_os=Unix"]);
    }

    #[test]
    fn a_token_comes_before_the_strings() {
        let token = challenge(&[(1, "NAS")]);
        let mut parameters = vec![0; 8];
        parameters[6] = u8::try_from(token.len()).unwrap();
        let message = first(0x73, 0x80, 0, &parameters, &[&token[..], b"Unix\0Samba 4\0"].concat());
        let expected = [
            "ntlm.version=10.0.20348",
            "ntlm.target=netbios=NAS",
            "smb.native_os=Unix",
            "smb.native_lanman=Samba 4",
        ];
        assert_eq!(answer(&message), expected);
        survives(&message, |p, w| dissect(&p.on(Side::Server), w));
    }

    #[test]
    fn dialects_are_told_by_side() {
        let offer = first(0x72, 0, 0, b"", b"\x02PC NETWORK PROGRAM 1.0\0\x02NT LM 0.12\0\x02SMB 2.???\0");
        assert_eq!(request(&offer), ["smb.dialect=client:1", "smb.dialect=client:2.x"]);
        assert_eq!(answer(&first(0x72, 0x80, 0, &[0; 34], b"")), ["smb.dialect=server:1"]);

        let mut offer = vec![36, 0, 3, 0];
        offer.resize(36, 0);
        offer.extend([0x02, 0x02, 0x10, 0x02, 0x11, 0x03]);
        assert_eq!(request(&second(0, 0, &offer)), ["smb.dialect=client:3.1.1"]);
        let mut choice = vec![65, 0, 1, 0, 0x02, 0x03];
        choice.resize(65, 0);
        assert_eq!(answer(&second(0, 1, &choice)), ["smb.dialect=server:3.0.2"]);
        choice[5] = 0x02;
        choice[4] = 0xff;
        assert!(answer(&second(0, 1, &choice)).is_empty());
        survives(&second(0, 0, &offer), |p, w| dissect(&p.on(Side::Client), w));
    }

    #[test]
    fn the_second_version_carries_tokens() {
        let token = authenticate(&utf16("PC1"), 0x0200_0001);
        let mut body = vec![25, 0];
        body.resize(12, 0);
        body.extend([88, 0, u8::try_from(token.len()).unwrap(), 0]);
        body.resize(24, 0);
        body.extend(token);
        let message = second(1, 0, &body);
        assert_eq!(request(&message), ["ntlm.workstation=PC1", "ntlm.version=10.0.19045"]);
        assert!(answer(&message).is_empty());

        let mut body = vec![9, 0, 0, 0, 72, 0, 200, 0];
        body.extend(challenge(&[(3, "nas.example.com")]));
        assert_eq!(
            answer(&second(1, 1, &body)),
            ["ntlm.version=10.0.20348", "ntlm.target=dns=nas.example.com"]
        );
    }

    #[test]
    fn a_caller_of_a_netbios_session_gives_its_name() {
        let encoded = |name: &str| {
            let padded = format!("{name:<16}");
            let letters = padded.bytes().flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]);
            [vec![32], letters.collect(), vec![0]].concat()
        };
        let mut message = framed(&[encoded("*SMBSERVER"), encoded("PC-1")].concat());
        message[0] = 0x81;
        assert_eq!(request(&message), ["nbns.name=PC-1<20>"]);
        assert!(answer(&message).is_empty());
    }

    #[test]
    fn bulk_data_and_enciphered_messages_say_nothing() {
        for quiet in [&[0xaa; 1400][..], &framed(b"\xfdSMBxxxxxxxx"), b"\0\0\0\x20", b""] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet).on(Side::Server), w)), (vec![], Ok(())));
        }
        let cut = framed(b"\xfeSMB\x40\0");
        assert!(said(|w| dissect(&Payload::new(&cut).on(Side::Server), w)).1.is_err());
        assert!(said(|w| dissect(&Payload::new(&cut[..8]).on(Side::Server), w)).1.is_ok());
    }
}
