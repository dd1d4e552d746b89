//! Splitting a delta into parts that each fit an upload.

use crate::census::{EvidenceSet, Segment, Zone};

pub(super) fn is_splittable(zone: &Zone) -> bool {
    zone.couplings.len() + zone.stations.len() + usize::from(zone.segment != Segment::default()) > 1
}

/// Two parts of a delta, of which the second is sent first. A segment is split off before couplings are.
pub(super) fn halves(mut zone: Zone) -> [Zone; 2] {
    let segment = std::mem::take(&mut zone.segment);
    if segment != Segment::default() {
        return [zone, Zone { segment, ..Zone::default() }];
    }
    let mut second = Zone::default();
    if !zone.couplings.is_empty() && !zone.stations.is_empty() {
        second.stations = std::mem::take(&mut zone.stations);
    } else if let Some(middle) = zone.couplings.keys().nth(zone.couplings.len() / 2).copied() {
        second.couplings = zone.couplings.split_off(&middle);
    } else if let Some(middle) = zone.stations.keys().nth(zone.stations.len() / 2).copied() {
        second.stations = zone.stations.split_off(&middle);
    }
    [second, zone]
}

/// Splits a delta so that no part's JSON exceeds `bytes` by more than one row. The segment goes with the first part.
pub(super) fn parts(delta: Zone, bytes: usize) -> Vec<Zone> {
    let mut all = Vec::new();
    let mut part = Zone { segment: delta.segment, ..Zone::default() };
    let mut size = serde_json::to_vec(&part.segment).map_or(0, |json| json.len());
    for (key, facts) in delta.couplings {
        let row = 250 + evidence_bytes(&facts.evidence);
        if size + row > bytes && size > 0 {
            all.push(std::mem::take(&mut part));
            size = 0;
        }
        size += row;
        part.couplings.insert(key, facts);
    }
    for (mac, facts) in delta.stations {
        let row = 100 + evidence_bytes(&facts.evidence);
        if size + row > bytes && size > 0 {
            all.push(std::mem::take(&mut part));
            size = 0;
        }
        size += row;
        part.stations.insert(mac, facts);
    }
    all.push(part);
    all
}

/// An upper estimate of the evidence's JSON, in which an escaped character takes two bytes.
fn evidence_bytes(evidence: &EvidenceSet) -> usize {
    evidence.iter().map(|e| 80 + 2 * e.value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{CouplingKey, Field, MacAddr, Sign, Timestamp};
    use crate::dissect::Tags;
    use crate::sensor::pipeline::table::Table;

    #[test]
    fn a_large_change_is_split_and_comes_together_again() {
        let table = Table::new(10_000);
        for n in 0..1_000_u16 {
            let [a, b] = n.to_be_bytes();
            let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
            table.sight(key, Timestamp(5), Timestamp(6), Sign::ArpAsked.into(), Tags::default());
            table.coupling_said(key, Timestamp(5), Field::HttpServer, "\"quoted\"");
        }
        table.station_said(MacAddr([2; 6]), Timestamp(7), Field::StpBridge, "sender");
        let whole = table.snapshot();
        let split = parts(whole.clone(), 20_000);
        assert!(split.len() > 10);
        let mut merged = Zone::default();
        for part in &split {
            assert!(serde_json::to_vec(part).unwrap().len() <= 21_000);
            merged.merge(part);
        }
        assert_eq!(merged, whole);
    }
}
