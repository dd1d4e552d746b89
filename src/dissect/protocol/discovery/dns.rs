//! DNS: the names that a host looks up, and who answers (RFC 1035 section 4).

use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Whether a datagram to a server may be a question, or is broken.
pub(crate) fn may_speak(payload: &[u8]) -> bool {
    matches!(payload, [_, _, 0..=7, ..] | [] | [_] | [_, _] | [_, _, _] | [_, _, _, _] | [_, _, _, _, _])
}

/// Whether a datagram from a server may be an answer, or is broken.
pub(crate) fn may_answer(payload: &[u8]) -> bool {
    matches!(
        payload,
        [_, _, 0x80..=0x87, ..] | [] | [_] | [_, _] | [_, _, _] | [_, _, _, _] | [_, _, _, _, _]
    )
}

/// Dissects a datagram to UDP 53. Reverse look-ups and names of one label say nothing, nor do answers.
///
/// # Errors
/// If it is not a query with one question (RFC 9619), or its name breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let malformed = |reason| Malformed::new("dns", reason);
    let mut r = Reader::new(payload.bytes);
    let (Some(_id), Some(flags), Some(questions)) = (r.u16(), r.u16(), r.u16()) else {
        return Err(malformed("truncated header"));
    };
    // A response, or another operation than a query.
    if flags & 0xf800 != 0 {
        return Ok(());
    }
    if questions != 1 {
        return Err(malformed("not one question"));
    }
    let name = r.take(6).and_then(|_| question(&mut r)).ok_or_else(|| malformed("broken question"))?;
    if let Some(name) = host(&name).filter(|name| !name.ends_with(".arpa")) {
        words.say(Field::DnsQuery, name.as_bytes());
    }
    Ok(())
}

/// Dissects a datagram from UDP 53: an answer to one question shows a server. What it looks up itself is what others ask it
/// for.
///
/// # Errors
/// If it is shorter than a header.
pub(crate) fn dissect_answer(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(_id), Some(flags), Some(questions)) = (r.u16(), r.u16(), r.u16()) else {
        return Err(Malformed::new("dns", "truncated header"));
    };
    // A response to a query.
    if flags & 0xf800 == 0x8000 && questions == 1 {
        words.label(Field::NetworkTask, "dns_server");
    }
    Ok(())
}

/// Dissects the beginning of a segment to TCP 53, where two bytes of length come first (RFC 7766 section 8).
///
/// # Errors
/// As [`dissect`], or if the message goes on in another segment.
pub(crate) fn dissect_stream(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let message = r.u16().and_then(|length| r.take(length.into()));
    let message = message.ok_or(Malformed::new("dns", "truncated message"))?;
    dissect(&payload.inner(message), words)
}

/// The name of a question of the Internet's class; it has no name before it to point to.
fn question(r: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    while let length @ 1.. = r.u8()? {
        if length > 63 || name.len() > 253 {
            return None;
        }
        name.extend(r.take(length.into())?);
        name.push(b'.');
    }
    let _kind = r.u16()?;
    (r.u16()? == 1).then_some(name)
}

/// A host's name as evidence has it: lower case, without a root's dot. `None` for an address, a single label, and what
/// is not the name of a host.
pub(crate) fn host(name: &[u8]) -> Option<String> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let sound = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if name.len() > 253 || !name.contains(&b'.') || !name.split(|b| *b == b'.').all(sound) {
        return None;
    }
    let name = str::from_utf8(name).ok()?.to_ascii_lowercase();
    name.parse::<IpAddr>().is_err().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::records::testing::name;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn query(flags: u16, names: &[&[&str]]) -> Vec<u8> {
        let count = u16::try_from(names.len()).unwrap();
        let mut out = [&[7, 7][..], &flags.to_be_bytes(), &count.to_be_bytes(), &[0; 5], &[1]].concat();
        out.extend(names.iter().flat_map(|n| [&name(n)[..], &[0, 1, 0, 1]].concat()));
        // EDNS, RFC 6891.
        out.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        out
    }

    #[test]
    fn a_query_says_what_the_host_looks_up() {
        let one = query(0x0100, &[&["Time", "NIST", "gov"]]);
        assert_eq!(
            said(|w| dissect(&Payload::new(&one), w)),
            (vec!["dns.query=time.nist.gov".to_owned()], Ok(()))
        );
        let stream = [&u16::try_from(one.len()).unwrap().to_be_bytes()[..], &one].concat();
        assert_eq!(said(|w| dissect_stream(&Payload::new(&stream), w)).0, ["dns.query=time.nist.gov"]);
        // A type that hardly anybody knows.
        let mut odd = one.clone();
        let at = odd.len() - 15;
        odd[at..at + 2].copy_from_slice(&65534_u16.to_be_bytes());
        assert_eq!(said(|w| dissect(&Payload::new(&odd), w)).0, ["dns.query=time.nist.gov"]);
        let domain = query(0x0100, &[&["_ldap", "_tcp", "dc", "_msdcs", "corp", "example"]]);
        assert_eq!(
            said(|w| dissect(&Payload::new(&domain), w)).0,
            ["dns.query=_ldap._tcp.dc._msdcs.corp.example"]
        );
        survives(&stream, dissect_stream);
        survives(&one, dissect);
    }

    #[test]
    fn answers_updates_reverse_lookups_and_single_labels_say_nothing() {
        let name: &[&str] = &["a", "example"];
        for quiet in [
            query(0x8180, &[name]),
            query(0x2800, &[name]),
            query(0x0100, &[&["1", "2", "0", "192", "in-addr", "arpa"]]),
            query(0x0100, &[&["wpad"]]),
            query(0x0100, &[&["a b", "example"]]),
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }

    #[test]
    fn an_answer_shows_a_server_and_a_query_from_the_port_does_not() {
        let answer = query(0x8180, &[&["a", "example"]]);
        assert_eq!(
            said(|w| dissect_answer(&Payload::new(&answer), w)),
            (vec!["network.task=dns_server".to_owned()], Ok(()))
        );
        survives(&answer, dissect_answer);
        let ask = query(0x0100, &[&["a", "example"]]);
        assert_eq!(said(|w| dissect_answer(&Payload::new(&ask), w)), (vec![], Ok(())));
        assert!(said(|w| dissect_answer(&Payload::new(b"x"), w)).1.is_err());
    }

    #[test]
    fn what_is_no_dns_is_malformed() {
        let one = query(0x0100, &[&["a", "example"]]);
        let mut chaos = one.clone();
        // The class of the question.
        let at = chaos.len() - 12;
        chaos[at] = 3;
        let two = query(0x0100, &[&["a", "example"], &["b", "example"]]);
        for bad in [&b"\x07\x07\0\0hello, nobody"[..], &one[..20], b"x", &chaos, &two] {
            let (out, result) = said(|w| dissect(&Payload::new(bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
        assert!(said(|w| dissect_stream(&Payload::new(&one), w)).1.is_err());
    }

    #[test]
    fn a_host_name_is_lower_case_and_no_address() {
        assert_eq!(host(b"Api.Example.COM.").as_deref(), Some("api.example.com"));
        for none in [&b"192.0.2.1"[..], b"localhost", b"a..b", b"a b.c", b"", b".", b"[2001:db8::1]"] {
            assert_eq!(host(none), None, "{none:?}");
        }
    }
}
