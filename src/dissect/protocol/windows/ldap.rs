//! LDAP: what a directory server says of itself in its root entry, over TCP and in the answers to a domain
//! controller's ping over UDP (RFC 4511 section 4, RFC 4512 section 5.1, MS-ADTS section 6.3.1.9), and the NTLM
//! messages of a bind.

use crate::census::Field;
use crate::dissect::protocol::form::ber::{descend, element, elements};
use crate::dissect::protocol::form::ntlm;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Values of one attribute that are looked at.
const VALUES: usize = 4;
/// Labels of one name, and pointers that are followed in it.
const LABELS: usize = 16;
const POINTERS: usize = 4;

/// Whether a segment may begin with a message.
pub(crate) fn may_speak(payload: &[u8]) -> bool {
    payload.first() == Some(&0x30)
}

/// Dissects a datagram, or the beginning of a segment, from or to an LDAP port; what begins no message says nothing.
///
/// # Errors
/// If a ping's answer is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let Some(message) = element(&mut r).filter(|m| m.tag == 0x30) else { return Ok(()) };
    let mut r = Reader::new(message.body);
    let is_number = |tag: u8, body: &[u8]| tag == 2 && (1..=4).contains(&body.len());
    let Some(_id) = element(&mut r).filter(|e| is_number(e.tag, e.body)) else { return Ok(()) };
    let Some(operation) = element(&mut r) else { return Ok(()) };
    match (operation.tag, payload.side) {
        // A bind request, and the SASL credentials in it.
        (0x60, Side::Client) => {
            ntlm::say(operation.body, Side::Client, words);
            Ok(())
        }
        // The answers: bind, entry, search done, reference, modify, add, delete, rename, compare, extended.
        (0x61 | 0x64 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x73 | 0x78, Side::Server) => {
            words.say(Field::LdapServer, b"server");
            match operation.tag {
                0x61 => ntlm::say(operation.body, Side::Server, words),
                0x64 => return entry(operation.body, words),
                _ => {}
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Section 4.5.2: only the entry without a name is the server's own.
fn entry(body: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(body);
    let (Some(name), Some(attributes)) = (element(&mut r), element(&mut r)) else { return Ok(()) };
    if name.tag != 4 || !name.body.is_empty() || attributes.tag != 0x30 {
        return Ok(());
    }
    let mut ended = Ok(());
    for attribute in elements(attributes.body).filter(|a| a.tag == 0x30) {
        let Some(kind) = descend(attribute.body, &[4]) else { continue };
        let key = match kind {
            k if k.eq_ignore_ascii_case(b"dnsHostName") => "dns",
            k if k.eq_ignore_ascii_case(b"vendorName") => "vendor",
            k if k.eq_ignore_ascii_case(b"vendorVersion") => "version",
            k if k.eq_ignore_ascii_case(b"dsServiceName") => "service",
            k if k.eq_ignore_ascii_case(b"objectClass") => "class",
            k if k.eq_ignore_ascii_case(b"netlogon") => "netlogon",
            _ => continue,
        };
        let values = descend(attribute.body, &[0x31]).unwrap_or_default();
        for value in elements(values).filter(|v| v.tag == 4 && v.whole).take(VALUES) {
            match key {
                "netlogon" => {
                    let broken = Malformed::new("ldap", "broken answer to a ping");
                    let said = pinged(value.body, words).ok_or(broken);
                    ended = ended.and(said);
                }
                "class" if value.body.eq_ignore_ascii_case(b"top") => {}
                _ => words.say(Field::LdapServer, &[key.as_bytes(), b"=", value.body].concat()),
            }
        }
    }
    ended
}

/// NETLOGON_SAM_LOGON_RESPONSE_EX (MS-ADTS section 6.3.1.9): names of forest, domain and host by DNS, of domain and
/// host by NetBIOS. Answers to old clients have another form and say nothing.
fn pinged(value: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(value);
    if !matches!(r.u16_le()?, 23 | 25) {
        return Some(());
    }
    let _reserved_flags_and_guid = r.take(22)?;
    let mut next = || name(value, &mut r);
    let (_forest, domain, host) = (next()?, next()?, next()?);
    let (_netbios_domain, netbios) = (next()?, next()?);
    for (key, name) in [("dns_domain", domain), ("dns", host), ("netbios", netbios)] {
        if !name.is_empty() {
            words.say(Field::LdapServer, &[key.as_bytes(), b"=", &name].concat());
        }
    }
    Some(())
}

/// A name with the compression of RFC 1035 section 4.1.4.
fn name<'a>(message: &'a [u8], r: &mut Reader<'a>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut away: Option<Reader<'a>> = None;
    let mut pointers = 0;
    for _ in 0..LABELS {
        let at = away.as_mut().unwrap_or(r);
        match at.u8()? {
            0 => return Some(out),
            length @ 1..=63 => {
                let label = at.take(length.into())?;
                if !out.is_empty() {
                    out.push(b'.');
                }
                out.extend(label);
            }
            high @ 0xc0.. => {
                let target = usize::from(high & 0x3f) << 8 | usize::from(at.u8()?);
                pointers += 1;
                if pointers > POINTERS {
                    return None;
                }
                away = Some(Reader::new(message.get(target..)?));
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::ber::testing::ber;
    use crate::dissect::protocol::form::ntlm::testing::{authenticate, challenge, utf16};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(operation: &[u8]) -> Vec<u8> {
        ber(0x30, &[&[2, 1, 7], operation])
    }

    fn entry(name: &[u8], attributes: &[(&str, &[u8])]) -> Vec<u8> {
        let attributes: Vec<Vec<u8>> = attributes
            .iter()
            .map(|(kind, value)| ber(0x30, &[&ber(4, &[kind.as_bytes()]), &ber(0x31, &[&ber(4, &[value])])]))
            .collect();
        message(&ber(0x64, &[&ber(4, &[name]), &ber(0x30, &[&attributes.concat()])]))
    }

    fn from_server(payload: &[u8]) -> (Vec<String>, Result<(), Malformed>) {
        said(|w| dissect(&Payload::new(payload).on(Side::Server), w))
    }

    #[test]
    fn the_root_entry_is_the_servers_own() {
        let root = entry(
            b"",
            &[
                ("objectClass", b"OpenLDAProotDSE"),
                ("supportedControl", b"1.2.3"),
                ("vendorName", b"389 Project"),
                ("dnsHostName", b"dc1.example.com"),
            ],
        );
        let expected = [
            "ldap.server=server",
            "ldap.server=class=OpenLDAProotDSE",
            "ldap.server=vendor=389 Project",
            "ldap.server=dns=dc1.example.com",
        ];
        assert_eq!(from_server(&root), (expected.map(str::to_owned).to_vec(), Ok(())));
        assert_eq!(from_server(&root[..root.len() - 3]).0, expected[..3]);
        survives(&root, |p, w| dissect(&p.on(Side::Server), w));
        let person = entry(b"CN=a", &[("dnsHostName", b"pc.example.com")]);
        assert_eq!(from_server(&person).0, ["ldap.server=server"]);
    }

    #[test]
    fn a_domain_controller_answers_a_ping() {
        let mut value = vec![23, 0, 0, 0, 0xfd, 0xf3, 3, 0];
        value.resize(24, 1);
        value.extend(b"\x07example\x03com\0\xc0\x18\x03dc1\xc0\x18\x07EXAMPLE\0\x03DC1\0\0\x04Site\0");
        let expected = [
            "ldap.server=server",
            "ldap.server=dns_domain=example.com",
            "ldap.server=dns=dc1.example.com",
            "ldap.server=netbios=DC1",
        ];
        let answer = entry(b"", &[("Netlogon", &value)]);
        assert_eq!(from_server(&answer), (expected.map(str::to_owned).to_vec(), Ok(())));
        survives(&answer, |p, w| dissect(&p.on(Side::Server), w));

        value.truncate(24);
        value.extend([0xc0, 24]);
        assert!(from_server(&entry(b"", &[("Netlogon", &value)])).1.is_err());
    }

    #[test]
    fn a_bind_carries_the_names_of_both_sides() {
        let token = authenticate(&utf16("PC1"), 1);
        let bind = message(&ber(0x60, &[&[2, 1, 3], &ber(4, &[]), &ber(0xa3, &[&ber(4, &[&token])])]));
        assert_eq!(said(|w| dissect(&Payload::new(&bind).on(Side::Client), w)).0, ["ntlm.workstation=PC1"]);
        assert!(from_server(&bind).0.is_empty());
        let token = challenge(&[(1, "DC1")]);
        let answer = message(&ber(0x61, &[&[10, 1, 14], &ber(0x87, &[&token])]));
        assert_eq!(
            from_server(&answer).0,
            ["ldap.server=server", "ntlm.version=10.0.20348", "ntlm.target=netbios=DC1"]
        );
    }

    #[test]
    fn clients_and_other_bytes_say_nothing() {
        let search = message(&ber(0x63, &[b"anything"]));
        assert_eq!(said(|w| dissect(&Payload::new(&search).on(Side::Client), w)), (vec![], Ok(())));
        assert_eq!(
            said(|w| dissect(&Payload::new(&entry(b"", &[("dnsHostName", b"x")])).on(Side::Client), w)),
            (vec![], Ok(()))
        );
        for other in [&[0x30; 900][..], &[0xaa; 900], b"0\x05\x02", b""] {
            assert_eq!(from_server(other), (vec![], Ok(())));
        }
    }
}
