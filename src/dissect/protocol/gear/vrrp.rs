//! VRRP and CARP, which share protocol number 112: a sender is a router, or a host that shares an address
//! (RFC 3768 section 5, RFC 9568 section 5; OpenBSD's carp(4)).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Version 2, advertisement; CARP has the same.
const VERSION_2: u8 = 0x21;
/// Version 3, advertisement.
const VERSION_3: u8 = 0x31;
/// The size of every CARP advertisement. VRRP with the seven addresses that its fourth byte would mean has 44 bytes.
const CARP_BYTES: std::ops::Range<usize> = 36..44;

/// Dissects an advertisement over IPv4.
///
/// # Errors
/// If it is neither VRRP nor CARP.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say(payload.bytes, false, words)
}

/// Dissects an advertisement over IPv6.
///
/// # Errors
/// As [`dissect`].
pub(crate) fn dissect_over_ipv6(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say(payload.bytes, true, words)
}

fn say(payload: &[u8], over_ipv6: bool, words: &mut Words<'_>) -> Result<(), Malformed> {
    let name = name(payload, over_ipv6).ok_or(Malformed::new("vrrp", "broken advertisement"))?;
    words.say(Field::RouterProtocol, name.as_bytes());
    Ok(())
}

fn name(payload: &[u8], over_ipv6: bool) -> Option<&'static str> {
    let [kind, router, _priority, count] = Reader::new(payload).array()?;
    if kind == VERSION_2 && count == 7 && CARP_BYTES.contains(&payload.len()) {
        return Some("carp");
    }
    let address = if over_ipv6 { 16 } else { 4 };
    let known = kind == VERSION_3 || kind == VERSION_2 && !over_ipv6;
    // Eight bytes of authentication end version 2; some leave them out.
    (known && router != 0 && count != 0 && payload.len() >= 8 + usize::from(count) * address)
        .then_some("vrrp")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn advertisement(kind: u8, count: u8, length: usize) -> Vec<u8> {
        let mut out = vec![kind, 10, 100, count, 0, 1, 0, 0];
        out.resize(length, 9);
        out
    }

    #[test]
    fn both_versions_tell_a_router_and_carp_is_told_from_them() {
        for (packet, v6, name) in [
            (advertisement(0x21, 1, 20), false, "vrrp"),
            (advertisement(0x21, 3, 20), false, "vrrp"),
            (advertisement(0x21, 7, 44), false, "vrrp"),
            (advertisement(0x31, 2, 16), false, "vrrp"),
            (advertisement(0x31, 1, 24), true, "vrrp"),
            (advertisement(0x21, 7, 36), false, "carp"),
            (advertisement(0x21, 7, 36), true, "carp"),
        ] {
            let expected = (vec![format!("router.protocol={name}")], Ok(()));
            assert_eq!(said(|w| say(&packet, v6, w)), expected);
            survives(&packet, |p, w| say(p.bytes, v6, w));
        }
    }

    #[test]
    fn unsound_advertisements_say_nothing() {
        let mut nobody = advertisement(0x21, 1, 20);
        nobody[1] = 0;
        for (bad, v6) in [
            (advertisement(0x21, 1, 11), false),
            (advertisement(0x21, 1, 40), true),
            (advertisement(0x21, 0, 40), false),
            (advertisement(0x31, 2, 20), true),
            (advertisement(0x22, 1, 40), false),
            (nobody, false),
            (vec![], false),
        ] {
            let (out, result) = said(|w| say(&bad, v6, w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
