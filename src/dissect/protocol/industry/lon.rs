//! LonWorks over IP: routers, nodes and configuration servers (ISO/IEC 14908-4, clause 6, as CEA-852).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a datagram of UDP 1628 or 1629; what has not the common header says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    // Length of all, version 1, kind of packet, size of an extended header in fours of bytes, flags; then vendor,
    // session, sequence and time.
    if let (Some(length), Some([1, 0x01..=0x7f, extended, _flags]), Some(_)) =
        (r.u16(), r.array(), r.take(14))
        && usize::from(length) == payload.bytes.len()
        && usize::from(extended) * 4 <= r.rest().len()
    {
        words.label(Field::OtRole, "lon:sender");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn only_a_whole_packet_has_a_sender() {
        let mut packet = vec![0, 24, 1, 1, 0, 0x20, 0, 0, 1, 2, 3, 4];
        packet.resize(24, 9);
        assert_eq!(said(|w| dissect(&Payload::new(&packet), w)).0, ["ot.role=lon:sender"]);
        assert!(said(|w| dissect(&Payload::new(&packet[..23]), w)).0.is_empty());
        survives(&packet, dissect);
    }
}
