//! MMS, as IEC 61850 devices speak it: sides, and who a server says it is (ISO 9506-2; ISO 8327-1 and 8823-1 for the
//! session and presentation around it).

use crate::census::Field;
use crate::dissect::protocol::form::ber::{tagged, whole};
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// 1.0.9506.2: the application context and the abstract syntaxes of MMS lie below it.
const MMS: &[u8] = &[0x28, 0xca, 0x22, 2];

/// Dissects the user data of a transport message.
///
/// # Errors
/// If the identification of a server breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let speaks_as = match payload.bytes {
        // ISO 8327-1: CONNECT and ACCEPT, with ACSE and the first MMS message inside.
        [0x0d, ..] if names_mms(payload.bytes) => Side::Client,
        [0x0e, ..] if names_mms(payload.bytes) => Side::Server,
        // GIVE TOKENS and DATA TRANSFER, both empty.
        [1, 0, 1, 0, presentation @ ..] => match message(presentation) {
            Some((0xa0, body)) if is_invoked(body) => Side::Client,
            Some((0xa1, body)) if is_invoked(body) => {
                if payload.side == Side::Server {
                    say_identity(body, words)?;
                }
                Side::Server
            }
            // Errors, and reports that nobody asked for.
            Some((0xa2 | 0xa3, _)) => Side::Server,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    if speaks_as == payload.side {
        words.label(Field::OtRole, payload.side.pick("mms:client", "mms:server"));
    }
    Ok(())
}

fn names_mms(data: &[u8]) -> bool {
    data.windows(MMS.len()).any(|window| window == MMS)
}

/// ISO 8823-1, fully-encoded-data: the one value in it, an MMS message.
fn message(presentation: &[u8]) -> Option<(u8, &[u8])> {
    let list = tagged(&mut Reader::new(presentation), 0x61)?;
    let mut r = Reader::new(tagged(&mut Reader::new(list), 0x30)?);
    let [_context] = tagged(&mut r, 2)? else { return None };
    whole(&mut Reader::new(tagged(&mut r, 0xa0)?))
}

/// Confirmed requests and answers begin with the number that pairs them.
fn is_invoked(body: &[u8]) -> bool {
    tagged(&mut Reader::new(body), 2).is_some_and(|n| (1..=5).contains(&n.len()))
}

/// ISO 9506-2 8.2.2, the answer to Identify: vendor, model, revision.
fn say_identity(body: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(body);
    let Some((_, (0xa2, identity))) = tagged(&mut r, 2).zip(whole(&mut r)) else { return Ok(()) };
    let mut r = Reader::new(identity);
    let mut text = |tag| tagged(&mut r, tag);
    let (Some(vendor), Some(model), Some(revision)) = (text(0x80), text(0x81), text(0x82)) else {
        return Err(Malformed::new("mms", "broken identification"));
    };
    words.say(Field::OtIdentity, &[b"mms:", vendor, b" ", model, b" ", revision].concat());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::ber::testing::ber;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
        ber(tag, &[content])
    }

    fn data(mms: &[u8]) -> Vec<u8> {
        let value = [&[2, 1, 3], &encode(0xa0, mms)[..]].concat();
        [&[1, 0, 1, 0], &encode(0x61, &encode(0x30, &value))[..]].concat()
    }

    #[test]
    fn a_server_identifies_itself() {
        let texts = [encode(0x80, b"EXAMPLE"), encode(0x81, b"REL670"), encode(0x82, b"2.2")].concat();
        let answer = data(&encode(0xa1, &[&[2, 1, 7], &encode(0xa2, &texts)[..]].concat()));
        let expected = ["ot.identity=mms:EXAMPLE REL670 2.2", "ot.role=mms:server"];
        assert_eq!(
            said(|w| dissect(&Payload::new(&answer).on(Side::Server), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        assert!(said(|w| dissect(&Payload::new(&answer).on(Side::Client), w)).0.is_empty());
        survives(&answer, |p, w| dissect(&p.on(Side::Server), w));
        let broken = data(&encode(0xa1, &[2, 1, 7, 0xa2, 2, 0x81, 0]));
        assert!(said(|w| dissect(&Payload::new(&broken).on(Side::Server), w)).1.is_err());
    }

    #[test]
    fn requests_reports_and_associations_tell_the_side() {
        let of = |bytes: &[u8], side| said(|w| dissect(&Payload::new(bytes).on(side), w)).0;
        assert_eq!(of(&data(&encode(0xa0, &[2, 1, 7, 0x82, 0])), Side::Client), ["ot.role=mms:client"]);
        assert_eq!(of(&data(&encode(0xa3, &[0xa0, 0])), Side::Server), ["ot.role=mms:server"]);
        let connect = [&[0x0d, 20, 5, 6][..], MMS, &[3]].concat();
        assert_eq!(of(&connect, Side::Client), ["ot.role=mms:client"]);
        assert!(of(&[0x0d, 20, 5, 6], Side::Client).is_empty());
        assert!(of(&data(&encode(0xa0, &[4, 1, 7])), Side::Client).is_empty());
    }
}
