//! IGMP and MLD: the sender of a general query asks for the groups on the link, as a router or a switch does
//! (RFC 3376 section 4.1, RFC 3810 section 5.1). A query for one group says nothing; whether the source address makes a
//! sender a querier is the caller's to judge.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The type of a query of IGMP.
const QUERY: u8 = 0x11;
/// The type of a query of MLD, an ICMPv6 message.
const MLD_QUERY: u8 = 130;

/// Dissects an IGMP message, what follows the header of IPv4.
///
/// # Errors
/// If a query is truncated.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    if r.u8() != Some(QUERY) {
        return Ok(());
    }
    let group = r.take(3).and_then(|_| r.u32()).ok_or(Malformed::new("igmp", "truncated query"))?;
    if group == 0 {
        words.say(Field::RouterTask, b"igmp_querier");
    }
    Ok(())
}

/// Dissects an ICMPv6 message that may be one of MLD.
///
/// # Errors
/// If a query is truncated.
pub(crate) fn dissect_mld(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let Some([MLD_QUERY, 0]) = r.array() else { return Ok(()) };
    let group = r.take(6).and_then(|_| r.array()).ok_or(Malformed::new("mld", "truncated query"))?;
    if group == [0; 16] {
        words.say(Field::RouterTask, b"mld_querier");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_general_query_tells_a_querier() {
        let query = [QUERY, 100, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0];
        for version in [&query[..8], &query] {
            assert_eq!(
                said(|w| dissect(&Payload::new(version), w)),
                (vec!["router.task=igmp_querier".to_owned()], Ok(()))
            );
        }
        survives(&query, dissect);
        let mut query = [0; 28];
        query[0] = MLD_QUERY;
        assert_eq!(
            said(|w| dissect_mld(&Payload::new(&query), w)),
            (vec!["router.task=mld_querier".to_owned()], Ok(()))
        );
        survives(&query, dissect_mld);
    }

    #[test]
    fn reports_and_queries_for_a_group_say_nothing() {
        let of_group = [QUERY, 100, 0, 0, 239, 1, 2, 3];
        let mut mld_of_group = [0; 24];
        mld_of_group[0] = MLD_QUERY;
        mld_of_group[8] = 0xff;
        assert_eq!(said(|w| dissect(&Payload::new(&of_group), w)), (vec![], Ok(())));
        assert_eq!(said(|w| dissect(&Payload::new(&[0x22; 8]), w)), (vec![], Ok(())));
        assert_eq!(said(|w| dissect_mld(&Payload::new(&mld_of_group), w)), (vec![], Ok(())));
        assert!(said(|w| dissect(&Payload::new(&of_group[..7]), w)).1.is_err());
        assert!(said(|w| dissect_mld(&Payload::new(&mld_of_group[..23]), w)).1.is_err());
    }
}
