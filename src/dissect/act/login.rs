//! Log-ins: which a server refuses, which it admits, and who begins a session whose log-in is encrypted.

use super::text::{has, header, line};
use super::{Act, ActThing, Scene, digest};
use crate::census::conduct::DeedKind::{self, Admits, Challenges, Greets, Refuses};
use crate::dissect::{Reader, Sink};

/// What a server's segment says of a log-in.
pub(super) fn stream<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match bytes.first_chunk::<4>() {
        Some(b"HTTP" | b"RTSP") => return,
        Some(b"SIP/") => return registered(scene, bytes),
        Some(b"SSH-") if scene.source_port < scene.destination_port => return greets(scene, "ssh"),
        Some(b"RFB ") if scene.source_port < scene.destination_port => return greets(scene, "vnc"),
        _ => {}
    }
    let said = match scene.source_port {
        21 => replied(bytes, b"530", b"230").map(|kind| (kind, "ftp")),
        25 | 587 => replied(bytes, b"535", b"235").map(|kind| (kind, "smtp")),
        23 | 2323 => terminal(bytes).map(|kind| (kind, "telnet")),
        110 => mailbox(bytes).map(|kind| (kind, "pop3")),
        143 => tagged(bytes).map(|kind| (kind, "imap")),
        389 | 3268 => bound(bytes).map(|kind| (kind, "ldap")),
        88 if matches!(bytes, [0, 0..=0x0f, ..]) => {
            ticket(bytes.get(4..).unwrap_or_default()).map(|kind| (kind, "kerberos"))
        }
        139 | 445 => share(bytes).map(|kind| (kind, "smb")),
        1433 => tabular(bytes).map(|kind| (kind, "mssql")),
        1883 => broker(bytes).map(|kind| (kind, "mqtt")),
        3306 => mysql(bytes).map(|kind| (kind, "mysql")),
        3389 if matches!(bytes, [3, 0, _, _, _, 0xd0, ..]) => return greets(scene, "rdp"),
        5900..=5910 => desktop(bytes).map(|kind| (kind, "vnc")),
        _ => None,
    };
    if let Some((kind, protocol)) = said {
        scene.judged(kind, protocol);
        // Neither runs TLS on these ports.
        match (kind, protocol) {
            (Admits, "pop3") => scene.shows("pop3_clear"),
            (Admits, "imap") => scene.shows("imap_clear"),
            _ => {}
        }
    }
}

/// Whether a segment may begin with a reply of POP3.
pub(super) fn may_be_mail(bytes: &[u8]) -> bool {
    matches!(bytes, [b'+' | b'-', ..])
}

/// Whether a segment may begin with a broker's acknowledgement of a connection.
pub(super) fn may_be_broker(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x20)
}

/// Whether a segment may begin with an error of MySQL.
pub(super) fn may_be_database(bytes: &[u8]) -> bool {
    bytes.get(4) == Some(&0xff)
}

/// Whether a segment may begin with the result of a log-in, or with the types of security, of RFB.
pub(super) fn may_be_desktop(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 0, 1, ..] | [1..=16, ..])
}

/// What a server's datagram says of a log-in.
pub(super) fn datagram<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    if scene.source_port == 88 {
        if let Some(kind) = ticket(bytes) {
            scene.judged(kind, "kerberos");
        }
    } else if scene.source_port == 5060 && bytes.starts_with(b"SIP/") {
        registered(scene, bytes);
    }
}

fn greets<S: Sink>(scene: &mut Scene<'_, S>, protocol: &str) {
    let session = ActThing::Port(scene.destination_port);
    scene.did(&Act::new(Greets, protocol).to(scene.to).with(session));
}

/// RFC 3261 section 22: 401 and 407 challenge, 403 refuses.
fn registered<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let status = line(bytes).split(|b| *b == b' ').nth(1).unwrap_or_default();
    if !matches!(status, b"401" | b"403" | b"407") {
        return;
    }
    // Datagrams have no sequence number: the call's does.
    let count = header(bytes, b"cseq:").unwrap_or_default();
    let call = header(bytes, b"call-id:").unwrap_or_default();
    let attempt = ActThing::Number(digest(call) ^ digest(count).rotate_left(1));
    scene.did(&Act::new(Challenges, "sip").to(scene.to).with(attempt));
}

/// A reply of FTP (RFC 959) or SMTP (RFC 4954): the outcome stands in the first three digits of the last line.
fn replied(bytes: &[u8], refused: &[u8], admitted: &[u8]) -> Option<DeedKind> {
    let last = bytes.trim_ascii_end().rsplit(|b| *b == b'\n').next().unwrap_or_default();
    if last.starts_with(refused) { Some(Refuses) } else { last.starts_with(admitted).then_some(Admits) }
}

/// What the programs that log in on a terminal print: those of Linux, BSD, busybox and most network gear.
fn terminal(bytes: &[u8]) -> Option<DeedKind> {
    const REFUSALS: [&[u8]; 7] = [
        b"incorrect",
        b"login failed",
        b"% bad passwords",
        b"authentication failed",
        b"% login invalid",
        b"access denied",
        b"invalid password",
    ];
    let text = bytes.get(..256).unwrap_or(bytes);
    if REFUSALS.iter().any(|word| has(text, word)) {
        return Some(Refuses);
    }
    has(text, b"last login").then_some(Admits)
}

/// RFC 1939: `-ERR` also refuses other commands, so the text decides.
fn mailbox(bytes: &[u8]) -> Option<DeedKind> {
    let text = line(bytes);
    let about = |words: &[&[u8]]| words.iter().any(|word| has(text, word));
    if text.starts_with(b"-ERR") {
        let words: [&[u8]; 6] = [b"auth", b"password", b"login", b"log in", b"invalid user", b"denied"];
        return about(&words).then_some(Refuses);
    }
    let words: [&[u8]; 4] = [b"logged in", b"login ok", b"maildrop", b"mailbox"];
    (text.starts_with(b"+OK") && about(&words)).then_some(Admits)
}

/// RFC 9051 section 7.1: a tag, then the outcome.
fn tagged(bytes: &[u8]) -> Option<DeedKind> {
    let text = line(bytes);
    let mut words = text.split(|b| *b == b' ');
    let tag = words.next().filter(|tag| !tag.is_empty() && !matches!(tag.first(), Some(b'*' | b'+')))?;
    let outcome = words.next()?;
    let about = |word: &[u8]| has(text, word);
    if outcome.eq_ignore_ascii_case(b"NO") && (about(b"auth") || about(b"login") || about(b"credential")) {
        return Some(Refuses);
    }
    let is_login = about(b"logged in") || about(b"login completed") || about(b"authenticated");
    (tag.len() <= 16 && outcome.eq_ignore_ascii_case(b"OK") && is_login).then_some(Admits)
}

/// An LDAP bind response (RFC 4511 section 4.2.2): `invalidCredentials` is 49.
fn bound(bytes: &[u8]) -> Option<DeedKind> {
    let mut r = Reader::new(bytes);
    let long = |r: &mut Reader<'_>| match r.u8()? {
        0x84 => r.take(4).map(|_| ()),
        n if n < 0x80 => Some(()),
        n => r.take(usize::from(n & 0x0f)).map(|_| ()),
    };
    (r.u8()? == 0x30).then_some(())?;
    long(&mut r)?;
    (r.u8()? == 2).then_some(())?;
    let id = usize::from(r.u8()?);
    r.take(id)?;
    (r.u8()? == 0x61).then_some(())?;
    long(&mut r)?;
    match r.array::<3>()? {
        [0x0a, 1, 49] => Some(Refuses),
        [0x0a, 1, 0] => Some(Admits),
        _ => None,
    }
}

/// A Kerberos error (RFC 4120 section 5.9.1) whose code is 24, `KDC_ERR_PREAUTH_FAILED`. Its fields are tagged in order.
fn ticket(bytes: &[u8]) -> Option<DeedKind> {
    let head = bytes.get(..256).unwrap_or(bytes);
    let is_error = head.first() == Some(&0x7e);
    // [6] INTEGER 24.
    (is_error && head.windows(5).any(|w| w == [0xa6, 3, 2, 1, 24])).then_some(Refuses)
}

/// The answer to an SMB session setup: [MS-SMB2] section 2.2.1.2, [MS-CIFS] section 2.2.3.1.
fn share(bytes: &[u8]) -> Option<DeedKind> {
    const LOGON_FAILURE: u32 = 0xc000_006d;
    let mut r = Reader::new(bytes);
    r.take(4)?; // the length of the message
    let (command, status, is_answer) = match r.array::<4>()? {
        [0xfe, b'S', b'M', b'B'] => {
            r.take(4)?;
            let status = u32::from_le_bytes(r.array()?);
            let command = u16::from_le_bytes(r.array()?);
            r.take(2)?;
            (command == 1, status, r.u8()? & 1 == 1)
        }
        [0xff, b'S', b'M', b'B'] => {
            let command = r.u8()?;
            let status = u32::from_le_bytes(r.array()?);
            (command == 0x73, status, r.u8()? & 0x80 != 0)
        }
        _ => return None,
    };
    (command && is_answer).then_some(())?;
    match status {
        LOGON_FAILURE => Some(Refuses),
        0 => Some(Admits),
        _ => None,
    }
}

/// An error token of TDS with the number 18456 ([MS-TDS] section 2.2.7.10).
fn tabular(bytes: &[u8]) -> Option<DeedKind> {
    let head = bytes.get(..64).unwrap_or(bytes);
    let number = 18_456_u32.to_le_bytes();
    let is_error = |w: &[u8]| w.first() == Some(&0xaa) && w.get(3..7) == Some(&number);
    (head.first() == Some(&4) && head.windows(7).any(is_error)).then_some(Refuses)
}

/// The acknowledgement of a connection: MQTT 3.1.1 section 3.2.2.3, MQTT 5 section 3.2.2.2.
fn broker(bytes: &[u8]) -> Option<DeedKind> {
    match bytes {
        [0x20, 2, _, 4 | 5] => Some(Refuses),
        [0x20, 2, _, 0] => Some(Admits),
        [0x20, 3..=255, _, 0x86 | 0x87, ..] => Some(Refuses),
        [0x20, 3..=255, _, 0, ..] => Some(Admits),
        _ => None,
    }
}

/// An error packet of MySQL with the code 1045.
fn mysql(bytes: &[u8]) -> Option<DeedKind> {
    matches!(bytes, [_, _, _, _, 0xff, 0x15, 0x04, ..]).then_some(Refuses)
}

/// A security result with a reason (RFC 6143 section 7.1.3). Without one it looks like other messages.
fn desktop(bytes: &[u8]) -> Option<DeedKind> {
    let mut r = Reader::new(bytes);
    let (result, length) = (r.u32()?, r.u32()?);
    (result == 1 && length > 0 && usize::try_from(length).ok()? == r.rest().len()).then_some(Refuses)
}
