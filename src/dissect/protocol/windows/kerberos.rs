//! Kerberos: the realm of a domain's members and servers, and the names by which machines sign in (RFC 4120 sections
//! 5.4 and 5.9).
//!
//! A user's name does not describe the device and is left out.

use super::nbns;
use crate::census::Field;
use crate::dissect::protocol::form::ber::{Element, descend, element, elements, find, number};
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Components of a principal's name that are looked at.
const COMPONENTS: usize = 4;
/// The longest realm in bytes that is believed.
const REALM: usize = 255;
/// The kind of a host address that is a NetBIOS name (section 7.5.3).
const NETBIOS: u32 = 20;

/// Dissects a datagram of port 88.
///
/// # Errors
/// If a message begins as Kerberos does and is malformed.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(message) = element(&mut Reader::new(payload.bytes)) else { return Ok(()) };
    let broken = || Malformed::new("kerberos", "broken message");
    match (message.tag, payload.side) {
        // AS-REQ and TGS-REQ.
        (0x6a | 0x6c, Side::Client) => request(message, words).ok_or_else(broken),
        // AS-REP and TGS-REP, KRB-ERROR.
        (0x6b | 0x6d, Side::Server) => answer(message, words).ok_or_else(broken),
        (0x7e, Side::Server) => refusal(message, words).ok_or_else(broken),
        _ => Ok(()),
    }
}

/// Whether a segment may begin with a message's length.
pub(crate) fn may_segment_speak(payload: &[u8]) -> bool {
    matches!(payload, [0, 0..=0x0f, ..])
}

/// Dissects the beginning of a segment of port 88: the message's length goes before it (section 7.2.2).
///
/// # Errors
/// As [`dissect`].
pub(crate) fn dissect_segment(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    match r.u32() {
        Some(1..=0x000f_ffff) => dissect(&payload.inner(r.rest()), words),
        _ => Ok(()),
    }
}

fn request(message: Element<'_>, words: &mut Words<'_>) -> Option<()> {
    let fields = checked(message, [0xa1, 0xa2])?;
    let Some(body) = descend(fields, &[0xa4, 0x30]) else {
        // A ticket before it may fill the segment.
        return (!message.whole).then_some(());
    };
    if let Some(realm) = descend(body, &[0xa2, 0x1b]) {
        say_realm("client", realm, words);
    }
    if message.tag == 0x6a
        && let Some(names) = descend(body, &[0xa1, 0x30, 0xa1, 0x30])
    {
        say_machine(names, words);
    }
    for address in descend(body, &[0xa9, 0x30]).into_iter().flat_map(elements) {
        let kind = descend(address.body, &[0xa0, 2]).and_then(number);
        let name = descend(address.body, &[0xa1, 4]).and_then(|name| name.first_chunk::<16>());
        if let (Some(NETBIOS), Some(name)) = (kind, name) {
            nbns::say(*name, 0, words);
        }
    }
    Some(())
}

fn answer(message: Element<'_>, words: &mut Words<'_>) -> Option<()> {
    let fields = checked(message, [0xa0, 0xa1])?;
    // The ticket names the realm of who issued it; the field beside it that of the client.
    match descend(fields, &[0xa5, 0x61, 0x30, 0xa1, 0x1b]) {
        Some(realm) => say_realm("kdc", realm, words),
        None if message.whole => return None,
        None => {}
    }
    Some(())
}

fn refusal(message: Element<'_>, words: &mut Words<'_>) -> Option<()> {
    let realm = descend(checked(message, [0xa0, 0xa1])?, &[0xa9, 0x1b]);
    if let Some(realm) = realm {
        say_realm("kdc", realm, words);
    }
    (realm.is_some() || !message.whole).then_some(())
}

/// The fields of a message whose version is 5 and whose kind is its tag's.
fn checked<'a>(message: Element<'a>, [version, kind]: [u8; 2]) -> Option<&'a [u8]> {
    let fields = find(message.body, 0x30)?;
    let value = |tag| descend(fields, &[tag, 2]).and_then(number);
    let right = value(version)? == 5 && value(kind)? == u32::from(message.tag & 0x1f);
    right.then_some(fields)
}

fn say_realm(side: &str, realm: &[u8], words: &mut Words<'_>) {
    if realm.len() <= REALM && realm.iter().all(|b| b.is_ascii_graphic()) && !realm.is_empty() {
        words.say(Field::KerberosRealm, &[side.as_bytes(), b":", realm].concat());
    }
}

/// A name is a machine's if it ends as those of Windows do, or names the service of a host (section 6.2.1).
fn say_machine(names: &[u8], words: &mut Words<'_>) {
    let names: Vec<&[u8]> =
        elements(names).take(COMPONENTS).filter(|e| e.tag == 0x1b && e.whole).map(|e| e.body).collect();
    match names.as_slice() {
        [account] if account.len() > 1 && account.ends_with(b"$") => {
            words.say(Field::KerberosMachine, account)
        }
        [b"host", host] => words.say(Field::KerberosMachine, &[b"host/", *host].concat()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::ber::testing::ber;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn integer(n: u8) -> Vec<u8> {
        vec![2, 1, n]
    }

    fn name(parts: &[&str]) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = parts.iter().map(|p| ber(0x1b, &[p.as_bytes()])).collect();
        ber(0x30, &[&ber(0xa0, &[&integer(1)]), &ber(0xa1, &[&ber(0x30, &[&parts.concat()])])])
    }

    fn request(tag: u8, client: &[&str], extra: &[u8]) -> Vec<u8> {
        let body = ber(
            0x30,
            &[
                &ber(0xa0, &[&[3, 5, 0, 0x40, 0x81, 0, 0x10]]),
                &ber(0xa1, &[&name(client)]),
                &ber(0xa2, &[&ber(0x1b, &[b"EXAMPLE.COM"])]),
                &ber(0xa3, &[&name(&["krbtgt", "EXAMPLE.COM"])]),
                &ber(
                    0xa9,
                    &[&ber(
                        0x30,
                        &[&ber(
                            0x30,
                            &[&ber(0xa0, &[&integer(20)]), &ber(0xa1, &[&ber(4, &[b"PC-1            "])])],
                        )],
                    )],
                ),
            ],
        );
        let fields = [
            ber(0xa1, &[&integer(5)]),
            ber(0xa2, &[&integer(tag & 0x1f)]),
            extra.to_vec(),
            ber(0xa4, &[&body]),
        ];
        ber(tag, &[&ber(0x30, &[&fields.concat()])])
    }

    fn answer(tag: u8, realm: &str) -> Vec<u8> {
        let ticket = ber(
            0x30,
            &[
                &ber(0xa0, &[&integer(5)]),
                &ber(0xa1, &[&ber(0x1b, &[realm.as_bytes()])]),
                &ber(0xa2, &[&name(&["krbtgt"])]),
            ],
        );
        let fields = [
            ber(0xa0, &[&integer(5)]),
            ber(0xa1, &[&integer(tag & 0x1f)]),
            ber(0xa3, &[&ber(0x1b, &[b"OTHER"])]),
            ber(0xa4, &[&name(&["PC-1$"])]),
            ber(0xa5, &[&ber(0x61, &[&ticket])]),
        ];
        ber(tag, &[&ber(0x30, &[&fields.concat()])])
    }

    fn from_client(message: &[u8]) -> (Vec<String>, Result<(), Malformed>) {
        said(|w| dissect(&Payload::new(message).on(Side::Client), w))
    }

    #[test]
    fn a_machine_signs_in_by_its_name() {
        let message = request(0x6a, &["PC-1$"], b"");
        let expected = ["kerberos.realm=client:EXAMPLE.COM", "kerberos.machine=PC-1$", "nbns.name=PC-1<20>"];
        assert_eq!(from_client(&message), (expected.map(str::to_owned).to_vec(), Ok(())));
        assert_eq!(
            from_client(&request(0x6a, &["host", "web.example.com"], b"")).0.get(1).unwrap(),
            "kerberos.machine=host/web.example.com"
        );
        survives(&message, |p, w| dissect(&p.on(Side::Client), w));
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let segment = [&length[..], &message].concat();
        assert_eq!(said(|w| dissect_segment(&Payload::new(&segment).on(Side::Client), w)).0, expected);
    }

    #[test]
    fn a_user_is_not_named() {
        for message in [request(0x6a, &["alice"], b""), request(0x6c, &["PC-1$"], b"")] {
            let expected = ["kerberos.realm=client:EXAMPLE.COM", "nbns.name=PC-1<20>"];
            assert_eq!(from_client(&message).0, expected);
        }
    }

    #[test]
    fn a_request_whose_ticket_fills_the_segment_is_no_break() {
        let message = request(0x6c, &["a"], &ber(0xa3, &[&[0; 2000]]));
        assert_eq!(from_client(&message[..1400]), (vec![], Ok(())));
    }

    #[test]
    fn a_distribution_centre_speaks_of_its_own_realm() {
        let expected = (vec!["kerberos.realm=kdc:EXAMPLE.COM".to_owned()], Ok(()));
        for tag in [0x6b, 0x6d] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&answer(tag, "EXAMPLE.COM")).on(Side::Server), w)),
                expected
            );
            survives(&answer(tag, "EXAMPLE.COM"), |p, w| dissect(&p.on(Side::Server), w));
        }
        let fields = [
            ber(0xa0, &[&integer(5)]),
            ber(0xa1, &[&integer(30)]),
            ber(0xa6, &[&integer(25)]),
            ber(0xa9, &[&ber(0x1b, &[b"EXAMPLE.COM"])]),
        ];
        let refusal = ber(0x7e, &[&ber(0x30, &[&fields.concat()])]);
        assert_eq!(said(|w| dissect(&Payload::new(&refusal).on(Side::Server), w)), expected);
    }

    #[test]
    fn each_side_speaks_for_itself_only() {
        assert_eq!(
            said(|w| dissect(&Payload::new(&request(0x6a, &["PC-1$"], b"")).on(Side::Server), w)),
            (vec![], Ok(()))
        );
        assert_eq!(from_client(&answer(0x6b, "EXAMPLE.COM")), (vec![], Ok(())));
        assert_eq!(from_client(b"anything at all"), (vec![], Ok(())));
        let mut other = request(0x6a, &["PC-1$"], b"");
        other[14] = 4;
        assert!(from_client(&other).1.is_err() && from_client(&other).0.is_empty());
    }
}
