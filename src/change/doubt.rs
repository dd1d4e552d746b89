//! Doubts about a list that would replace another: a list that was cut off, or of another kind, would count devices
//! that are managed elsewhere.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use super::list::ListReport;
use super::request::ManagedEndpoint;
use crate::census::{MacAddr, ManagedKey, ManagedList, Ruling, Timestamp};

/// A list may lose, and may have unreadable, one in this many.
const PART: u64 = 5;

/// What a list does to the entries of its source.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Replacement {
    /// Entries that hold, or will hold, before.
    pub before: u64,
    /// Entries of the list.
    pub after: u64,
    /// Those of before whose MAC, or address if they have no MAC, is not in the list.
    pub lost: u64,
}

/// Why a list replaces nothing until a person says that it is right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListDoubt {
    /// Rows may be missing, in words.
    Incomplete(String),
    /// More than a fifth of its rows cannot be read.
    Unreadable { unreadable: u64, rows: u64 },
    /// It has rows, and none of them became an entry.
    NothingTaken { rows: u64, not_managed: u64, without_address: u64 },
    /// More than a fifth of the source's entries are not in it.
    Loses(Replacement),
}

impl fmt::Display for ListDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(why) => f.write_str(why),
            Self::Unreadable { unreadable, rows } => {
                write!(f, "{unreadable} of its {rows} rows cannot be read")
            }
            Self::NothingTaken { rows, not_managed, .. } if not_managed == rows => write!(
                f,
                "none of its {rows} rows says that its device is managed; if all of them are, import all rows (--all, all=true)"
            ),
            Self::NothingTaken { rows, not_managed, without_address } => write!(
                f,
                "none of its {rows} rows became an entry: {not_managed} are not managed, {without_address} have no address"
            ),
            Self::Loses(Replacement { before, lost, .. }) => {
                write!(f, "{lost} of the {before} entries of its source are not in it")
            }
        }
    }
}

type Machine = (Option<MacAddr>, Option<IpAddr>);

/// What a machine is recognised by: its MAC, or else its address.
fn machine(mac: Option<MacAddr>, ip: Option<IpAddr>) -> Machine {
    (mac, ip.filter(|_| mac.is_none()))
}

impl Replacement {
    /// What the list of a source does to the entries of that source that hold at `now` or later.
    pub fn new(
        known: &ManagedList,
        source: &str,
        zone: Option<&str>,
        entries: &[ManagedEndpoint],
        now: Timestamp,
    ) -> Self {
        let listed: HashSet<Machine> = entries.iter().map(|e| machine(e.mac, e.ip)).collect();
        let (mut before, mut lost) = (0, 0);
        for (key, decision) in known.iter() {
            let ManagedKey { source: of, zone: in_zone, mac, ip, .. } = key;
            let is_over = matches!(decision.ruling, Ruling::Managed { to: Some(to), .. } if to <= now);
            if of != source || is_over {
                continue;
            }
            before += 1;
            let reaches = zone.is_none() || zone == in_zone.as_deref();
            lost += u64::from(!reaches || !listed.contains(&machine(*mac, *ip)));
        }
        // Entries of one name for one machine are one.
        let after: HashSet<(&str, Machine)> =
            entries.iter().map(|e| (e.external_id.as_str(), machine(e.mac, e.ip))).collect();
        Self { before, after: after.len() as u64, lost }
    }
}

/// The doubts about a list that replaces the entries of its source. `report` tells of its rows, if it was read from a file.
pub(crate) fn doubts(report: Option<&ListReport>, replacement: Replacement) -> Vec<ListDoubt> {
    let mut doubts = Vec::new();
    if let Some(ListReport { rows, taken, not_managed, without_address, unreadable, doubts: found, .. }) =
        report
    {
        doubts.extend(found.iter().cloned().map(ListDoubt::Incomplete));
        if unreadable.saturating_mul(PART) > *rows {
            doubts.push(ListDoubt::Unreadable { unreadable: *unreadable, rows: *rows });
        }
        if *taken == 0 && *rows > *unreadable {
            let (rows, not_managed, without_address) = (*rows, *not_managed, *without_address);
            doubts.push(ListDoubt::NothingTaken { rows, not_managed, without_address });
        }
    }
    if replacement.lost.saturating_mul(PART) > replacement.before {
        doubts.push(ListDoubt::Loses(replacement));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::census::{Decision, Decisions, Mark, Object};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn mac(n: u8) -> MacAddr {
        MacAddr([0, 0x40, 0x8c, 0, 0, n])
    }

    /// Entries of two sources: `mde` has MACs 1 to `n` and one that is over, `other` has MAC 99.
    fn known(n: u8) -> Decisions {
        let mut decisions = Decisions::default();
        let mut add = |source: &str, n: u8, zone: Option<&str>, to: Option<Timestamp>| {
            let (source, zone) = (source.to_owned(), zone.map(str::to_owned));
            let key = ManagedKey { source, external_id: format!("m{n}"), zone, mac: Some(mac(n)), ip: None };
            let mark = Arc::new(Mark { by: "o".into(), at: Timestamp(0), change: 1 });
            let ruling = Ruling::Managed { from: Timestamp(0), to };
            decisions.set(&Object::Managed(key), Some(Decision { ruling, mark }));
        };
        (1..=n).for_each(|n| add("mde", n, None, None));
        add("mde", 98, None, Some(NOW));
        add("other", 99, None, None);
        decisions
    }

    fn list(macs: impl IntoIterator<Item = u8>) -> Vec<ManagedEndpoint> {
        let entry =
            |n| ManagedEndpoint { external_id: format!("new{n}"), mac: Some(mac(n)), ..Default::default() };
        macs.into_iter().map(entry).collect()
    }

    #[test]
    fn a_list_may_lose_a_fifth_of_the_entries_of_its_source_that_hold() {
        let known = known(10);
        let of =
            |entries: &[ManagedEndpoint], zone| Replacement::new(known.managed(), "mde", zone, entries, NOW);
        assert_eq!(of(&list(3..=12), None), Replacement { before: 10, after: 10, lost: 2 });
        assert_eq!(doubts(None, of(&list(3..=12), None)), []);
        let loses = of(&list(4..=20), None);
        assert_eq!(doubts(None, loses), [ListDoubt::Loses(loses)]);
        assert_eq!(of(&list(1..=10), Some("hq")).lost, 10, "they held in all zones");
        assert_eq!(Replacement::new(known.managed(), "new", None, &list(1..=3), NOW).before, 0);
        assert_eq!(doubts(None, Replacement::default()), []);
    }

    #[test]
    fn a_list_that_is_broken_or_of_another_kind_is_doubted_even_if_it_replaces_nothing() {
        let report = ListReport { rows: 10, taken: 8, unreadable: 2, ..ListReport::default() };
        let of = |report: &ListReport| doubts(Some(report), Replacement::default());
        assert_eq!(of(&report), []);
        let broken = ListReport { doubts: vec!["it breaks off".to_owned()], ..report.clone() };
        assert_eq!(of(&broken), [ListDoubt::Incomplete("it breaks off".to_owned())]);
        let damaged = ListReport { taken: 7, unreadable: 3, ..report };
        assert_eq!(of(&damaged), [ListDoubt::Unreadable { unreadable: 3, rows: 10 }]);
        let other = ListReport { rows: 20, not_managed: 20, ..ListReport::default() };
        assert!(of(&other).iter().any(|doubt| doubt.to_string().contains("import all rows")));
    }
}
