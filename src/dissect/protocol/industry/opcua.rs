//! OPC UA over TCP: sides, and what a server says it is when a client asks for endpoints or servers, or opens a
//! session, without encryption (OPC 10000-6, 5.2 and 7.1; OPC 10000-4, 5.4, 5.6 and 7.1).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Numbers of the answers' binary encodings (OPC 10000-6, annex A).
const FIND_SERVERS: u16 = 425;
const GET_ENDPOINTS: u16 = 431;
const CREATE_SESSION: u16 = 464;
/// The largest array of texts that is passed over.
const TEXTS: u32 = 64;

/// Dissects the beginning of a segment from or to TCP 4840.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say(payload.bytes, Some(payload.side), words);
    Ok(())
}

/// Dissects a segment of any port that begins as a message does: only the opening of a connection tells its side then.
pub(crate) fn dissect_anywhere(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say(payload.bytes, None, words);
    Ok(())
}

fn say(message: &[u8], side: Option<Side>, words: &mut Words<'_>) {
    let mut r = Reader::new(message);
    let (Some(kind), Some(size)) = (r.array::<4>(), r.u32_le()) else { return };
    let is_whole = usize::try_from(size).is_ok_and(|n| n == message.len());
    let told = match &kind {
        b"HELF" if is_whole && size >= 32 => Side::Client,
        b"ACKF" if is_whole && size == 28 => Side::Server,
        // A server behind a firewall opens the connection itself.
        b"RHEF" if is_whole && size >= 16 => Side::Server,
        b"MSGF" | b"MSGC" if size >= 24 => {
            match answer(&mut r) {
                Some(FIND_SERVERS) => drop(servers(&mut r, words)),
                Some(GET_ENDPOINTS) => drop(endpoints(&mut r, words)),
                Some(CREATE_SESSION) => drop(session(&mut r, words)),
                _ => {}
            }
            let Some(side) = side else { return };
            side
        }
        _ => return,
    };
    words.label(Field::OtRole, told.pick("opcua:client", "opcua:server"));
}

/// OPC 10000-6, 6.7.2: channel, token, sequence, request; then the type, and the head of an answer, which is read to
/// its end. `None` if it is encrypted or not a positive answer.
fn answer(r: &mut Reader<'_>) -> Option<u16> {
    r.take(16)?;
    let [1, 0] = r.array()? else { return None };
    let kind = r.u16_le()?;
    if !matches!(kind, FIND_SERVERS | GET_ENDPOINTS | CREATE_SESSION) {
        return None;
    }
    let (_time, _request, 0) = (r.take(8)?, r.u32()?, r.u32_le()?) else { return None };
    // No diagnostics, no table of their texts, no additional header.
    let 0 = r.u8()? else { return None };
    texts(r)?;
    let [0, 0, 0] = r.array()? else { return None };
    Some(kind)
}

/// A discovery server lists what registered with it; only a list of one speaks of the sender.
fn servers(r: &mut Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    if r.u32_le()? == 1 { application(r, words) } else { None }
}

/// All endpoints of a server bear the same description.
fn endpoints(r: &mut Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    if !(1..=TEXTS).contains(&r.u32_le()?) {
        return None;
    }
    let _url = text(r)?;
    application(r, words)
}

fn session(r: &mut Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    node(r)?;
    node(r)?;
    let _timeout = r.take(8)?;
    let (_nonce, _certificate) = (text(r)?, text(r)?);
    endpoints(r, words)
}

/// OPC 10000-4, 7.2: ApplicationDescription.
fn application(r: &mut Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    let (uri, product) = (text(r)?, text(r)?);
    // OPC 10000-6, 5.2.2.14: bits tell which of locale and text are there.
    let mask = r.u8().filter(|m| *m <= 3)?;
    if mask & 1 != 0 {
        text(r)?;
    }
    let name = if mask & 2 != 0 { text(r)? } else { b"" };
    // Server, client, both; a discovery server speaks of others.
    if !matches!(r.u32_le()?, 0 | 2) {
        return None;
    }
    words.say(Field::OpcuaProduct, product);
    words.say(Field::OpcuaName, if name.is_empty() { uri } else { name });
    Some(())
}

/// A string or byte string: its length, or -1 if it is null.
fn text<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    match r.u32_le()? {
        u32::MAX => Some(b""),
        n => r.take(usize::try_from(n).ok()?),
    }
}

fn texts(r: &mut Reader<'_>) -> Option<()> {
    let n = r.u32_le()?;
    if n == u32::MAX {
        return Some(());
    }
    for _ in 0..(n <= TEXTS).then_some(n)? {
        text(r)?;
    }
    Some(())
}

/// OPC 10000-6, 5.2.2.9: a node id of any encoding, passed over.
fn node(r: &mut Reader<'_>) -> Option<()> {
    match r.u8()? {
        0 => r.take(1)?,
        1 => r.take(3)?,
        2 => r.take(6)?,
        3 | 5 => {
            r.take(2)?;
            text(r)?
        }
        4 => r.take(18)?,
        _ => return None,
    };
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn string(text: &str) -> Vec<u8> {
        [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn application_of(kind: u8) -> Vec<u8> {
        [
            &string("urn:plc:server")[..],
            &string("http://example.com/EX-1"),
            &[3],
            &string("en"),
            &string("EX-1"),
            &[kind, 0, 0, 0],
        ]
        .concat()
    }

    fn answer_of(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut out = b"MSGF\0\x01\0\0".to_vec();
        out.extend([0; 16]);
        out.extend([1, 0]);
        out.extend(kind.to_le_bytes());
        out.extend([0; 16]);
        out.extend([0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
        out.extend(body);
        out
    }

    fn of(payload: &[u8], side: Option<Side>) -> Vec<String> {
        said(|w| {
            say(payload, side, w);
            Ok(())
        })
        .0
    }

    #[test]
    fn a_server_describes_itself() {
        let expected = ["opcua.product=http://example.com/EX-1", "opcua.name=EX-1"];
        let endpoint = [&[4, 0, 0, 0][..], &string("opc.tcp://plc:4840"), &application_of(0)].concat();
        let session =
            [&[1, 0, 7, 7, 4][..], &[9; 18], &[0; 8], &string("nonce"), &[0xff; 4], &endpoint].concat();
        let list = [&[1, 0, 0, 0][..], &application_of(2)].concat();
        for payload in [answer_of(431, &endpoint), answer_of(464, &session), answer_of(425, &list)] {
            assert_eq!(of(&payload, None), expected);
            survives(&payload, |p, w| dissect(&p.on(Side::Server), w));
            survives(&payload, dissect_anywhere);
        }
        assert_eq!(of(&answer_of(431, &endpoint), Some(Side::Server)).len(), 3);
    }

    #[test]
    fn a_list_of_others_says_nothing() {
        let list = [&[2, 0, 0, 0][..], &application_of(0), &application_of(0)].concat();
        assert!(of(&answer_of(425, &list), None).is_empty());
        let discovery = [&[1, 0, 0, 0][..], &application_of(3)].concat();
        assert!(of(&answer_of(425, &discovery), None).is_empty());
    }

    #[test]
    fn the_handshake_tells_the_sides() {
        let mut hello = b"HELF\x30\0\0\0".to_vec();
        hello.resize(48, 0);
        assert_eq!(of(&hello, None), ["ot.role=opcua:client"]);
        let mut acknowledgement = b"ACKF\x1c\0\0\0".to_vec();
        acknowledgement.resize(28, 0);
        assert_eq!(of(&acknowledgement, Some(Side::Server)), ["ot.role=opcua:server"]);
        assert!(of(&hello[..40], None).is_empty());
        assert!(of(b"HELO mail.example.com\r\n", None).is_empty());
    }
}
