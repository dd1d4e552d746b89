//! TLS over TCP: what a client hopes for (`hello`), and the names in a server's certificate
//! (RFC 5246 section 7.4.2, RFC 5280 section 4.1).
//!
//! From TLS 1.3 on certificates are enciphered. No chain is built and no signature verified: a name is what the server
//! says, and any server may say any. A certificate often goes on in the next segment; its names stand near its
//! beginning, so they are looked for without it being whole.

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::X509Name;

use crate::census::Field;
use crate::dissect::protocol::form::hello::{self, u24};
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Records that are looked at in one segment.
const RECORDS: usize = 8;
/// Handshake messages that are looked at in one record.
const MESSAGES: usize = 8;
/// The longest record, RFC 5246 section 6.2.3.
const RECORD: u16 = (1 << 14) + 2048;
/// Alternative names that are taken from one certificate.
const NAMES: usize = 4;

const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// Dissects the beginning of a segment that starts a handshake record; anything else says nothing. A client may send a
/// certificate too, which is its user's: one counts if the server's hello came before it, or the sender
/// `is_server`.
///
/// # Errors
/// If a hello or a certificate that is not cut breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut records = Reader::new(payload.bytes);
    let mut is_server = payload.side == Side::Server;
    for _ in 0..RECORDS {
        let Some(HANDSHAKE) = records.u8() else { return Ok(()) };
        let (Some([3, _]), Some(length)) = (records.array(), records.u16()) else { return Ok(()) };
        if !(4..=RECORD).contains(&length) {
            return Ok(());
        }
        let rest = records.rest();
        let mut messages = Reader::new(records.take(length.into()).unwrap_or(rest));
        for _ in 0..MESSAGES {
            let message = messages.rest();
            let (Some(kind), Some(length)) = (messages.u8(), u24(&mut messages)) else { break };
            match kind {
                1 => return hello::say(message, 't', words),
                SERVER_HELLO => is_server = true,
                CERTIFICATE if is_server => return certificates(messages.rest(), words),
                _ => {}
            }
            if messages.take(length).is_none() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The first of a list of certificates is the sender's own.
fn certificates(list: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(list);
    let (Some(all), Some(length)) = (u24(&mut r), u24(&mut r)) else { return Ok(()) };
    // An enciphered message that looks like a certificate does not have lengths that agree.
    if length + 3 > all || !r.rest().starts_with(&[0x30]) {
        return Ok(());
    }
    let rest = r.rest();
    let whole = rest.get(..length);
    let Some((issuer, subject)) = names(whole.unwrap_or(rest)) else {
        return whole.map_or(Ok(()), |_| Err(Malformed::new("tls", "broken certificate")));
    };
    if let Some(name) = subject.iter_common_name().next() {
        words.say(Field::TlsSubject, name.as_slice());
    }
    if let Some(name) = issuer.iter_organization().chain(issuer.iter_common_name()).next() {
        words.say(Field::TlsIssuer, name.as_slice());
    }
    if let Some((_, certificate)) = whole.and_then(|der| X509Certificate::from_der(der).ok())
        && let Ok(Some(extension)) = certificate.subject_alternative_name()
    {
        let names = extension.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.as_bytes()),
            _ => None,
        });
        names.take(NAMES).for_each(|name| words.say(Field::TlsSan, name));
    }
    Ok(())
}

/// Issuer and subject of a certificate that may be cut behind them.
fn names(der: &[u8]) -> Option<(X509Name<'_>, X509Name<'_>)> {
    let mut r = Reader::new(der);
    header(&mut r, 0x30)?;
    header(&mut r, 0x30)?;
    if r.rest().starts_with(&[0xa0]) {
        skip(&mut r, 0xa0)?;
    }
    let _serial = skip(&mut r, 0x02)?;
    let _algorithm = skip(&mut r, 0x30)?;
    let issuer = name(&mut r)?;
    let _validity = skip(&mut r, 0x30)?;
    let subject = name(&mut r)?;
    Some((issuer, subject))
}

fn name<'a>(r: &mut Reader<'a>) -> Option<X509Name<'a>> {
    let (rest, name) = X509Name::from_der(r.rest()).ok()?;
    *r = Reader::new(rest);
    Some(name)
}

fn skip<'a>(r: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    let length = header(r, tag)?;
    r.take(length)
}

/// Tag and length of X.690 section 8.1, the length in at most three bytes.
fn header(r: &mut Reader<'_>, tag: u8) -> Option<usize> {
    if r.u8()? != tag {
        return None;
    }
    match r.u8()? {
        short @ 0..=0x7f => Some(short.into()),
        0x81 => r.u8().map(usize::from),
        0x82 => r.u16().map(usize::from),
        0x83 => u24(r),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::hello::tests::{alpn, hello, sni};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, &body].concat()
    }

    fn attribute(kind: u8, value: &str) -> Vec<u8> {
        der(0x31, &[&der(0x30, &[&[6, 3, 0x55, 4, kind], &der(0x0c, &[value.as_bytes()])])])
    }

    fn certificate() -> Vec<u8> {
        let algorithm = der(0x30, &[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b, 5, 0]]);
        let validity = der(0x30, &[b"\x17\x0d250101000000Z", b"\x17\x0d350101000000Z"]);
        let issuer = der(0x30, &[&attribute(3, "Device CA"), &attribute(10, "Example Corp")]);
        let subject = der(0x30, &[&attribute(3, "cam-1.example")]);
        let key = der(
            0x30,
            &[
                &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0],
                &[3, 9, 0, 0x30, 6, 2, 1, 5, 2, 1, 3],
            ],
        );
        let alternatives = der(0x30, &[b"\x82\x0dcam-1.example", b"\x87\x04\xc0\x00\x02\x01"]);
        let extension = der(0x30, &[&[6, 3, 0x55, 0x1d, 0x11], &der(4, &[&alternatives])]);
        let body = der(
            0x30,
            &[
                &[0xa0, 3, 2, 1, 2, 2, 1, 9],
                &algorithm,
                &issuer,
                &validity,
                &subject,
                &key,
                &der(0xa3, &[&der(0x30, &[&extension])]),
            ],
        );
        der(0x30, &[&body, &algorithm, &[3, 2, 0, 9]])
    }

    fn record(messages: &[u8]) -> Vec<u8> {
        let length = u16::try_from(messages.len()).unwrap();
        [&[HANDSHAKE, 3, 3][..], &length.to_be_bytes(), messages].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap();
        [&[kind][..], &length.to_be_bytes()[1..], body].concat()
    }

    fn chain() -> Vec<u8> {
        let leaf = message(0, &certificate());
        message(CERTIFICATE, &message(0, &leaf[1..])[1..])
    }

    #[test]
    fn a_server_is_named_by_its_certificate() {
        let expected = ["tls.subject=cam-1.example", "tls.issuer=Example Corp", "tls.san=cam-1.example"];
        let in_one = record(&[message(SERVER_HELLO, &[3; 70]), chain()].concat());
        let in_two = [record(&message(SERVER_HELLO, &[3; 70])), record(&chain())].concat();
        for flight in [in_one, in_two] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&flight).on(Side::Client), w)),
                (expected.map(str::to_owned).to_vec(), Ok(()))
            );
            survives(&flight, |p, w| dissect(&p.on(Side::Client), w));
        }
        assert_eq!(said(|w| dissect(&Payload::new(&record(&chain())).on(Side::Server), w)).0, expected);
    }

    #[test]
    fn a_certificate_cut_behind_its_subject_still_names_the_server() {
        let whole = record(&chain());
        let (out, result) = said(|w| dissect(&Payload::new(&whole[..whole.len() - 80]).on(Side::Server), w));
        assert_eq!(out, ["tls.subject=cam-1.example", "tls.issuer=Example Corp"]);
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn a_client_says_its_hello_and_not_its_certificate() {
        let offers = record(&hello(&[0x1301], &[sni("hub.example.org"), alpn(&["mqtt"])]));
        let (out, _) = said(|w| dissect(&Payload::new(&offers).on(Side::Client), w));
        assert_eq!(out[..2], ["tls.sni=hub.example.org", "tls.alpn=mqtt"]);
        assert!(out[2].starts_with("tls.ja4=t12d0102mt_"), "{out:?}");
        assert_eq!(said(|w| dissect(&Payload::new(&record(&chain())).on(Side::Client), w)), (vec![], Ok(())));
    }

    #[test]
    fn other_records_say_nothing() {
        let enciphered = record(&[CERTIFICATE, 0, 0, 40, 9, 1, 2, 3, 4, 5, 6, 7]);
        for quiet in [enciphered, vec![23, 3, 3, 0, 5, 1, 2, 3, 4, 5], vec![HANDSHAKE; 1400], vec![]] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&quiet).on(Side::Server), w)),
                (vec![], Ok(())),
                "{quiet:?}"
            );
        }
        let mut broken = record(&chain());
        // The tag of the serial number.
        let at = broken.windows(3).position(|w| w == [2, 1, 9]).unwrap();
        broken[at] = 4;
        assert!(said(|w| dissect(&Payload::new(&broken).on(Side::Server), w)).1.is_err());
    }
}
