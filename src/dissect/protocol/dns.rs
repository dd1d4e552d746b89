//! DNS messages as multicast DNS and LLMNR carry them (RFC 1035 section 4), within bounds.
//!
//! `simple-dns` reads a message whole or not at all, reserves memory for as many records as the header claims, and
//! follows as many compression pointers as there are; so size and counts are checked against each other first.

use simple_dns::{Name, Packet, PacketFlag, ResourceRecord};

use crate::dissect::{Malformed, Reader};

/// Records and questions that one message may hold; a busy Bonjour host sends some forty.
const RECORDS: usize = 192;
/// Compression pointers to a pointer that one message may hold. Sound ones point at a label; bytes of text may look so.
const CHAINED: usize = 32;
/// The longest message, RFC 6762 section 17.
const BYTES: usize = 9000;

/// The records by which a response's sender answers: answers and additional records that are no farewell (TTL 0,
/// RFC 6762 section 10.1). `None` for a query.
///
/// # Errors
/// Where the message is cut short, larger than a sound one, or not DNS.
pub(super) fn answers<'a>(
    payload: &'a [u8],
    protocol: &'static str,
) -> Result<Option<Vec<ResourceRecord<'a>>>, Malformed> {
    let mut r = Reader::new(payload);
    let head = (|| Some((r.u16()?, r.u16()?, [r.u16()?, r.u16()?, r.u16()?, r.u16()?])))();
    let Some((_, flags, counts)) = head else {
        return Err(Malformed::new(protocol, "truncated header"));
    };
    if flags & PacketFlag::RESPONSE.bits() == 0 {
        return Ok(None);
    }
    let [questions, records @ ..] = counts.map(usize::from);
    let records = records.iter().sum::<usize>();
    if questions + records > RECORDS || payload.len() > BYTES {
        return Err(Malformed::new(protocol, "too many records"));
    }
    if questions * 5 + records * 11 > r.rest().len() {
        return Err(Malformed::new(protocol, "truncated records"));
    }
    if has_chains(payload) {
        return Err(Malformed::new(protocol, "chained pointers"));
    }
    let packet = Packet::parse(payload).map_err(|_| Malformed::new(protocol, "broken message"))?;
    let mut out = packet.answers;
    out.extend(packet.additional_records);
    out.retain(|record| record.ttl > 0);
    Ok(Some(out))
}

/// Whether names may lead through long chains of pointers, each of which is followed again for every record.
fn has_chains(payload: &[u8]) -> bool {
    let is_pointer = |b: u8| b & 0xc0 == 0xc0;
    let pointers = payload.windows(2).filter_map(|w| match w {
        [high, low] if is_pointer(*high) => Some(usize::from(high & 0x3f) << 8 | usize::from(*low)),
        _ => None,
    });
    pointers.filter(|at| payload.get(*at).copied().is_some_and(is_pointer)).nth(CHAINED).is_some()
}

/// The labels of a name.
pub(super) fn labels<'n>(name: &'n Name<'_>) -> Vec<&'n [u8]> {
    name.as_bytes().collect()
}
