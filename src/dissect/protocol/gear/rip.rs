//! RIP and RIPng: a sender of routes routes (RFC 1058 section 3.1, RFC 2453 section 4, RFC 2080 section 2.1). Requests say
//! nothing: hosts that only listen send them too.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

const RESPONSE: u8 = 2;
/// The metric that stands for unreachable.
const INFINITY: u32 = 16;

/// Dissects a message to UDP 520 that went to a group or to everybody.
///
/// # Errors
/// If a response is not one of RIP.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say("rip", payload.bytes, route, words)
}

/// Dissects a message to UDP 521 that went to a group.
///
/// # Errors
/// If a response is not one of RIPng.
pub(crate) fn dissect_ng(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say("ripng", payload.bytes, route_ng, words)
}

fn say(
    name: &'static str,
    payload: &[u8],
    route: impl Fn(&[u8; 20]) -> bool,
    words: &mut Words<'_>,
) -> Result<(), Malformed> {
    let mut r = Reader::new(payload);
    let Some([RESPONSE, 1 | 2, 0, 0]) = r.array() else { return Ok(()) };
    let (entries, rest) = r.rest().as_chunks::<20>();
    // RFC 4822 section 2: a digest of any length ends a response whose first entry says so.
    let signed = matches!(entries, [[0xff, 0xff, 0, 3, ..], ..]);
    if !(rest.is_empty() || signed) || !entries.iter().any(route) {
        return Err(Malformed::new(name, "broken response"));
    }
    words.say(Field::RouterTask, b"rip");
    Ok(())
}

/// A route to a network of IP; authentication does not count.
fn route(entry: &[u8; 20]) -> bool {
    matches!(entry, [0, 2, .., a, b, c, d] if (1..=INFINITY).contains(&u32::from_be_bytes([*a, *b, *c, *d])))
}

/// A prefix with its length and metric; the metric 255 marks a next hop.
fn route_ng(entry: &[u8; 20]) -> bool {
    matches!(entry, [.., length, metric] if *length <= 128 && (1..=INFINITY).contains(&u32::from(*metric)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const ROUTE: [u8; 20] = [0, 2, 0, 0, 192, 0, 2, 0, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    fn response(entries: &[[u8; 20]]) -> Vec<u8> {
        [&[2, 2, 0, 0][..], entries.as_flattened()].concat()
    }

    #[test]
    fn a_response_with_routes_tells_a_router() {
        let mut signed = ROUTE;
        signed[..4].copy_from_slice(&[0xff, 0xff, 0, 2]);
        let sound = response(&[signed, ROUTE]);
        assert_eq!(said(|w| dissect(&Payload::new(&sound), w)), (vec!["router.task=rip".to_owned()], Ok(())));
        survives(&sound, dissect);
        signed[3] = 3;
        let digest = [&response(&[signed, ROUTE])[..], &[0xff, 0xff, 0, 1], &[7; 20]].concat();
        assert_eq!(said(|w| dissect(&Payload::new(&digest), w)).1, Ok(()));
        let mut prefix = [0; 20];
        prefix[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        prefix[18..].copy_from_slice(&[32, 1]);
        let sound = [&[2, 1, 0, 0][..], &prefix].concat();
        assert_eq!(
            said(|w| dissect_ng(&Payload::new(&sound), w)),
            (vec!["router.task=rip".to_owned()], Ok(()))
        );
        survives(&sound, dissect_ng);
    }

    #[test]
    fn requests_and_what_is_no_route_say_nothing() {
        let mut request = response(&[ROUTE]);
        request[0] = 1;
        assert_eq!(said(|w| dissect(&Payload::new(&request), w)), (vec![], Ok(())));
        let mut far = ROUTE;
        far[19] = 17;
        for bad in
            [response(&[far]), response(&[]), response(&[[0xff; 20]]), response(&[ROUTE])[..23].to_vec()]
        {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
