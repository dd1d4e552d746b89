//! What runs over ISO transport on TCP 102 (RFC 1006, ITU-T X.224): S7comm, S7comm-plus, and MMS.

use super::{mms, s7};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Messages of one segment that are read.
const MESSAGES: usize = 4;

/// Whether a segment may begin with a packet, of any protocol.
pub(crate) fn may_speak(payload: &[u8]) -> bool {
    payload.starts_with(&[3, 0])
}

/// Dissects what begins a segment to or from TCP 102. Connection requests are common to all that runs on it and say
/// nothing.
///
/// # Errors
/// As the protocol inside.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    for _ in 0..MESSAGES {
        let (Some([3, 0]), Some(length)) = (r.array(), r.u16()) else { break };
        let Some(tpdu) = usize::from(length).checked_sub(4).and_then(|n| r.take(n)) else { break };
        // X.224 13.7: a data TPDU of class 0 has nothing but a mark of its end in its header.
        match tpdu {
            [2, 0xf0, 0 | 0x80, data @ ..] => match data {
                [0x32, ..] => s7::dissect(&payload.inner(data), words)?,
                [0x72, ..] => s7::dissect_plus(&payload.inner(data), words)?,
                _ => mms::dissect(&payload.inner(data), words)?,
            },
            _ => continue,
        }
    }
    Ok(())
}

/// A message around that user data; for tests.
#[cfg(test)]
pub(super) fn wrap(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 7).unwrap().to_be_bytes();
    [&[3, 0, length[0], length[1], 2, 0xf0, 0x80], data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Side;
    use crate::dissect::testing::said;

    #[test]
    fn several_messages_of_a_segment_are_read_and_others_passed_over() {
        let connect = [3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];
        assert_eq!(said(|w| dissect(&Payload::new(&connect).on(Side::Client), w)), (vec![], Ok(())));
        let setup = wrap(&[0x32, 1, 0, 0, 0, 0, 0, 8, 0, 0, 0xf0, 0, 0, 1, 0, 1, 1, 0xe0]);
        let both = [&connect[..], &setup].concat();
        assert_eq!(said(|w| dissect(&Payload::new(&both).on(Side::Client), w)).0, ["s7.role=client"]);
        assert!(said(|w| dissect(&Payload::new(&setup[..20]).on(Side::Client), w)).0.is_empty());
        assert!(said(|w| dissect(&Payload::new(b"\x16\x03\x01").on(Side::Client), w)).0.is_empty());
    }
}
