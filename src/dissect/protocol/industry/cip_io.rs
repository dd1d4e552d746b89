//! EtherNet/IP implicit messages: who produces cyclic data on UDP 2222 (CIP volume 2, section 2-6.2).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a datagram of UDP 2222; one of another shape says nothing.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if is_io(payload.bytes).unwrap_or_default() {
        words.label(Field::OtRole, "enip:io");
    }
    Ok(())
}

/// Two items: a sequenced address (connection, sequence number), and the data to the datagram's end.
fn is_io(payload: &[u8]) -> Option<bool> {
    let mut r = Reader::new(payload);
    let (2, 0x8002, 8) = (r.u16_le()?, r.u16_le()?, r.u16_le()?) else { return Some(false) };
    let (_connection, _sequence) = (r.u32()?, r.u32()?);
    let (kind, length) = (r.u16_le()?, r.u16_le()?);
    Some(kind == 0xb1 && usize::from(length) == r.rest().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn only_whole_cyclic_data_makes_a_producer() {
        let data = [2, 0, 2, 0x80, 8, 0, 1, 2, 3, 4, 9, 0, 0, 0, 0xb1, 0, 3, 0, 5, 0, 1];
        assert_eq!(said(|w| dissect(&Payload::new(&data), w)).0, ["ot.role=enip:io"]);
        assert!(said(|w| dissect(&Payload::new(&data[..20]), w)).0.is_empty());
        assert!(said(|w| dissect(&Payload::new(b"SSH-2.0-x\r\n"), w)).0.is_empty());
        survives(&data, dissect);
    }
}
