//! KNXnet/IP: sides, and the device that answers a search or a request for its description (ISO 22510; KNX standard
//! 3/8/1 and 3/8/2).

use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Blocks of one answer that are read.
const BLOCKS: usize = 16;

/// Dissects a message of UDP or TCP 3671; what is none says nothing.
///
/// # Errors
/// If a description is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    // The length of the header, version 1.0, and of all.
    let (Some([6, 0x10]), Some(service), Some(length)) = (r.array(), r.u16(), r.u16()) else { return Ok(()) };
    let Some(mut r) = usize::from(length).checked_sub(6).map(|n| Reader::new(r.at_most(n))) else {
        return Ok(());
    };
    let role = match service {
        // Search, description, connect, state, disconnect, secure session, features of a tunnel; requests and answers
        // take turns.
        0x0201 | 0x0203 | 0x0205 | 0x0207 | 0x0209 | 0x020b | 0x0951 | 0x0953 | 0x0422 | 0x0424 => {
            "knx:client"
        }
        0x0202 | 0x0204 | 0x0206 | 0x0208 | 0x020a | 0x020c | 0x0952 | 0x0954 | 0x0423 | 0x0425 => {
            "knx:server"
        }
        // Both sides send requests and acknowledgements of tunnels and management.
        0x0310 | 0x0311 | 0x0420 | 0x0421 => payload.side.pick("knx:client", "knx:server"),
        // Routing, to everybody, and what is enciphered: routers and software alike.
        0x0530..=0x0533 | 0x0950 | 0x0955 => "knx:sender",
        _ => return Ok(()),
    };
    words.label(Field::OtRole, role);
    let described = match service {
        // The control endpoint stands before the description: of the device that answers, also behind a relay (I2).
        0x0202 | 0x020c => endpoint(&mut r).and_then(|ip| description(r, &mut words.about(&[ip]))),
        0x0204 => description(r, words),
        _ => Some(()),
    };
    described.ok_or(Malformed::new("knx", "truncated description"))
}

/// 3/8/2, 7.5.1: a length, the kind of UDP or TCP, an address and a port. The address of a device behind NAT is 0.
fn endpoint(r: &mut Reader<'_>) -> Option<IpAddr> {
    let [_length, _kind, a, b, c, d, _, _] = r.array()?;
    Some([a, b, c, d].into())
}

/// 3/8/2, 7.5.4: blocks of a length and a type each; type 1 is the device.
fn description(mut r: Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    for _ in 0..BLOCKS {
        if r.is_empty() {
            break;
        }
        let [length, kind] = r.array()?;
        let mut block = Reader::new(r.take(usize::from(length).checked_sub(2)?)?);
        if kind == 1 {
            words.number(Field::KnxMedium, block.u8()?.into());
            // Status, addresses, serial number, MAC.
            block.take(1 + 2 + 2 + 6 + 4 + 6)?;
            let name = block.take(30)?;
            let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
            // ISO 8859-1.
            let name: String = name.iter().take(end).map(|b| char::from(*b)).collect();
            words.say(Field::KnxName, name.as_bytes());
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::Side;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    fn message(service: u16, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 6).unwrap();
        [&[6, 0x10], &service.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
    }

    fn device() -> Vec<u8> {
        let mut out = vec![54, 1, 2];
        out.extend([0; 21]);
        out.extend(b"IP Router \xfc");
        out.resize(54, 0);
        out.extend([4, 2, 2, 1]);
        out
    }

    #[test]
    fn a_device_answers_a_search() {
        let expected = ["ot.role=knx:server", "knx.medium=2", "knx.name=IP Router ü"];
        let endpoint = [8, 1, 192, 0, 2, 7, 14, 87];
        for answer in [
            message(0x0202, &[&endpoint[..], &device()].concat()),
            message(0x0204, &device()),
            message(0x020c, &[&endpoint[..], &device()].concat()),
        ] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&answer).on(Side::Server), w)),
                (expected.map(str::to_owned).to_vec(), Ok(()))
            );
            survives(&answer, |p, w| dissect(&p.on(Side::Server), w));
        }
        assert!(
            said(|w| dissect(&Payload::new(&message(0x0204, &device()[..20])).on(Side::Server), w))
                .1
                .is_err()
        );
    }

    #[test]
    fn an_answer_that_a_relay_brings_describes_the_device_that_it_names() {
        let answer = message(0x0202, &[&[8, 1, 192, 0, 2, 7, 14, 87], &device()[..]].concat());
        let of = |p: Payload<'_>, source| described(MacAddr::default(), source, |w| dissect(&p, w)).0;
        let from = |source| of(Payload::new(&answer).on(Side::Server), source);
        let own = ["ot.role=knx:server", "knx.medium=2", "knx.name=IP Router ü"];
        assert_eq!(from("192.0.2.7"), own);
        let other = ["ot.role=knx:server", "192.0.2.7 knx.medium=2", "192.0.2.7 knx.name=IP Router ü"];
        assert_eq!(from("192.0.2.9"), other);
    }

    #[test]
    fn services_tell_the_side() {
        let of =
            |service, side| said(|w| dissect(&Payload::new(&message(service, &[4, 1, 0, 0])).on(side), w)).0;
        assert_eq!(of(0x0205, Side::Client), ["ot.role=knx:client"]);
        assert_eq!(of(0x0420, Side::Server), ["ot.role=knx:server"]);
        assert_eq!(of(0x0530, Side::Client), ["ot.role=knx:sender"]);
        assert!(of(0x7777, Side::Client).is_empty());
        let cut = message(0x0205, &[0; 20]);
        let cut = said(|w| dissect(&Payload::new(&cut[..10]).on(Side::Client), w));
        assert_eq!(cut.0, ["ot.role=knx:client"]);
    }
}
