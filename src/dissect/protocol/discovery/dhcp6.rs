//! DHCP for IPv6: who a client is (RFC 8415 sections 8, 11 and 21).

use super::dhcp4::labels;
use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Items of a budget that an option costs: most are lists or names of their own.
const OPTION: u32 = 20;
/// The longest DUID, its type counted (RFC 8415 section 11.1: 128 bytes after it); longer than what is said as hex
/// would tie leases by its beginning only.
const DUID_BYTES: usize = 64;

/// Options of one request, and classes of one vendor, that are said.
const REQUESTED: usize = 40;
const CLASSES: usize = 8;

/// Dissects a message of UDP 547. Only messages that clients send say words; servers and relay agents speak of others.
///
/// # Errors
/// If the message is truncated or an option is broken; the others are said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let [kind, _, _, _] = r.array().ok_or_else(|| malformed("truncated header"))?;
    if kind == 12 {
        words.label(Field::NetworkTask, "dhcp_relay");
    }
    // Solicit, request, confirm, renew, rebind, release, decline, information-request.
    if !matches!(kind, 1 | 3..=6 | 8 | 9 | 11) {
        return Ok(());
    }
    let mut ended = Ok(());
    while !r.is_empty() && !words.budget().is_silent() && words.budget().items(OPTION) {
        let (code, value) = option(&mut r).ok_or_else(|| malformed("truncated option"))?;
        match code {
            1 => {
                let sound = (3..=DUID_BYTES).contains(&value.len()) && value.iter().skip(2).any(|b| *b != 0);
                if sound {
                    words.hex(Field::DhcpDuid, value);
                }
            }
            6 => {
                let said = say_requested(value, words).ok_or_else(|| malformed("odd option request"));
                ended = ended.and(said);
            }
            16 => {
                let said = say_vendor_class(value, words).ok_or_else(|| malformed("truncated vendor class"));
                ended = ended.and(said);
            }
            39 => {
                if let Some(name) = value.get(1..).and_then(labels) {
                    words.say(Field::Dhcp6Fqdn, &name);
                }
            }
            _ => {}
        }
    }
    if r.is_empty() { ended } else { ended.and(Err(malformed("too many options"))) }
}

/// Dissects a message from UDP 547. An advertisement, a reply or an answer to a relay agent is a server's.
///
/// # Errors
/// If the message is truncated.
pub(crate) fn dissect_answer(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let [kind, _, _, _] = payload.bytes.first_chunk().ok_or_else(|| malformed("truncated header"))?;
    if matches!(kind, 2 | 7 | 13) {
        words.label(Field::NetworkTask, "dhcp6_server");
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("dhcp6", reason)
}

fn option<'a>(r: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let (code, length) = (r.u16()?, r.u16()?);
    Some((code, r.take(length.into())?))
}

/// Section 21.16: an enterprise number, then classes with a length each.
fn say_vendor_class(value: &[u8], words: &mut Words<'_>) -> Option<()> {
    let mut r = Reader::new(value);
    words.number(Field::Dhcp6Enterprise, r.u32()?.into());
    for _ in 0..CLASSES {
        if r.is_empty() {
            break;
        }
        let length = r.u16()?;
        words.say(Field::Dhcp6VendorClass, r.take(length.into())?);
    }
    Some(())
}

/// Section 21.7: the options that the client asks for, in its order.
fn say_requested(value: &[u8], words: &mut Words<'_>) -> Option<()> {
    let (codes, []) = value.as_chunks() else { return None };
    let codes: Vec<String> =
        codes.iter().take(REQUESTED).map(|c| u16::from_be_bytes(*c).to_string()).collect();
    words.say(Field::Dhcp6Oro, codes.join(",").as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(kind: u8, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = vec![kind, 1, 2, 3];
        for (code, value) in options {
            let length = u16::try_from(value.len()).unwrap();
            out.extend([&code.to_be_bytes()[..], &length.to_be_bytes()[..], value].concat());
        }
        out
    }

    const DUID: &[u8] = &[0, 3, 0, 1, 0, 0x1b, 0x54, 1, 2, 3];
    const OPTIONS_OF_A_CLIENT: &[(u16, &[u8])] = &[
        (8, b"\0\0"),
        (1, DUID),
        (6, b"\0\x17\0\x18\0\x27"),
        (39, b"\0\x02pc\x07example\0"),
        (16, b"\0\0\x01\x37\0\x08MSFT 5.0"),
    ];

    #[test]
    fn a_client_says_its_duid_and_names() {
        let solicit = message(1, OPTIONS_OF_A_CLIENT);
        let (out, result) = said(|w| dissect(&Payload::new(&solicit), w));
        let expected = [
            "dhcp.duid=00030001001b54010203",
            "dhcp6.oro=23,24,39",
            "dhcp6.fqdn=pc.example",
            "dhcp6.enterprise=311",
            "dhcp6.vendor_class=MSFT 5.0",
        ];
        assert_eq!((out, result), (expected.map(str::to_owned).to_vec(), Ok(())));
        survives(&solicit, dissect);
    }

    #[test]
    fn a_broken_option_costs_itself_alone() {
        let options: &[(u16, &[u8])] = &[(6, b"\0\x17\0"), (16, b"\0\0\x01\x37\0\x50x"), (1, DUID)];
        let (out, result) = said(|w| dissect(&Payload::new(&message(1, options)), w));
        assert_eq!(out, ["dhcp6.enterprise=311", "dhcp.duid=00030001001b54010203"]);
        assert_eq!(result, Err(malformed("odd option request")));
    }

    #[test]
    fn servers_and_relays_say_what_they_do_and_nothing_of_the_client() {
        let relayed = message(12, OPTIONS_OF_A_CLIENT);
        assert_eq!(said(|w| dissect(&Payload::new(&relayed), w)).0, ["network.task=dhcp_relay"]);
        for kind in [2, 7, 13] {
            let answer = message(kind, OPTIONS_OF_A_CLIENT);
            assert_eq!(said(|w| dissect_answer(&Payload::new(&answer), w)).0, ["network.task=dhcp6_server"]);
            survives(&answer, dissect_answer);
        }
        for kind in [0, 2, 7, 10, 13, 200] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&message(kind, OPTIONS_OF_A_CLIENT)), w)),
                (vec![], Ok(()))
            );
        }
    }

    #[test]
    fn identifiers_that_clients_share_or_that_would_be_cut_are_not_said() {
        for duid in [&[][..], &[0, 3], &[0, 3, 0, 0, 0, 0], &[7; 65]] {
            assert!(said(|w| dissect(&Payload::new(&message(1, &[(1, duid)])), w)).0.is_empty());
        }
        let endless = vec![(8u16, &b""[..]); 20_000];
        assert!(said(|w| dissect(&Payload::new(&message(1, &endless)), w)).1.is_err());
    }
}
