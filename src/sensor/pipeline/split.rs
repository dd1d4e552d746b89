//! Splitting a delta into parts that each fit an upload.

use crate::census::conduct::Conduct;
use crate::census::{EvidenceSet, Segment, Tunnel, TunnelKey, Zone};

/// An upper estimate of the JSON of a tunnel without its facts.
const TUNNEL_BYTES: usize = 200;

pub(super) fn is_splittable(zone: &Zone) -> bool {
    pieces(zone) > 1
}

fn pieces(zone: &Zone) -> usize {
    let tunnels: usize = zone.tunnels.values().map(|tunnel| pieces(&tunnel.facts).max(1)).sum();
    zone.couplings.len() + zone.stations.len() + usize::from(zone.segment != Segment::default()) + tunnels
        + zone.conduct.0.len()
}

/// Two parts of a delta, of which the second is sent first. Tunnels and the segment are split off before couplings are.
pub(super) fn halves(mut zone: Zone) -> [Zone; 2] {
    let mut tunnels = std::mem::take(&mut zone.tunnels);
    if !tunnels.is_empty() {
        if !zone.is_empty() {
            return [Zone { tunnels, ..Zone::default() }, zone];
        }
        if tunnels.len() > 1
            && let Some(middle) = tunnels.keys().nth(tunnels.len() / 2).copied()
        {
            let second = tunnels.split_off(&middle);
            return [second, tunnels].map(|tunnels| Zone { tunnels, ..Zone::default() });
        }
        let mut of = [Zone::default(), Zone::default()];
        for (key, Tunnel { marks, facts }) in tunnels {
            for (part, facts) in of.iter_mut().zip(halves(facts)) {
                part.tunnels.insert(key, Tunnel { marks, facts });
            }
        }
        return of;
    }
    let segment = std::mem::take(&mut zone.segment);
    if segment != Segment::default() {
        return [zone, Zone { segment, ..Zone::default() }];
    }
    let mut second = Zone::default();
    if let Some(middle) = zone.conduct.0.keys().nth(zone.conduct.0.len() / 2).cloned() {
        // Deeds go last, unless nothing else is left.
        let has_more = !zone.couplings.is_empty() || !zone.stations.is_empty();
        let rest = if has_more { std::mem::take(&mut zone.conduct.0) } else { zone.conduct.0.split_off(&middle) };
        return [Zone { conduct: Conduct(rest), ..second }, zone];
    }
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
    let mut parts = Parts { all: Vec::new(), part: Zone::default(), size: 0, bytes };
    parts.add(delta, &mut Vec::new());
    parts.all.push(parts.part);
    parts.all
}

struct Parts {
    all: Vec<Zone>,
    part: Zone,
    size: usize,
    bytes: usize,
}

impl Parts {
    /// Adds what was seen inside the tunnels of `path`.
    fn add(&mut self, zone: Zone, path: &mut Vec<TunnelKey>) {
        self.size += serde_json::to_vec(&zone.segment).map_or(0, |json| json.len());
        self.part.within(path).segment = zone.segment;
        for (key, facts) in zone.couplings {
            self.make_room(250 + evidence_bytes(&facts.evidence));
            self.part.within(path).couplings.insert(key, facts);
        }
        for (mac, facts) in zone.stations {
            self.make_room(100 + evidence_bytes(&facts.evidence));
            self.part.within(path).stations.insert(mac, facts);
        }
        for (key, deed) in zone.conduct.0 {
            self.make_room(250 + 2 * deed.bytes());
            self.part.within(path).conduct.0.insert(key, deed);
        }
        for (key, Tunnel { marks, facts }) in zone.tunnels {
            self.make_room(TUNNEL_BYTES);
            self.part.within(path).tunnels.entry(key).or_default().marks = marks;
            path.push(key);
            self.add(facts, path);
            path.pop();
        }
    }

    fn make_room(&mut self, row: usize) {
        if self.size + row > self.bytes && self.size > 0 {
            self.all.push(std::mem::take(&mut self.part));
            self.size = 0;
        }
        self.size += row;
    }
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
        let source = CouplingKey { mac: MacAddr([2; 6]), ip: [203, 0, 113, 9].into() };
        let tunnel = table.tunnel(&[source]).unwrap();
        for n in 0..100 {
            let key = CouplingKey { mac: MacAddr([6, 0, 0, 0, 0, n]), ip: [10, 1, 0, n].into() };
            table.in_tunnel(&tunnel).coupling_said(key, Timestamp(5), Field::HttpServer, "x");
        }
        let whole = table.snapshot();
        assert_eq!(whole.inside(&[source]).unwrap().couplings.len(), 100);
        let split = parts(whole.clone(), 20_000);
        assert!(split.len() > 10);
        let mut merged = Zone::default();
        for part in &split {
            assert!(serde_json::to_vec(part).unwrap().len() <= 21_000);
            merged.merge(part);
        }
        assert_eq!(merged, whole);
    }

    #[test]
    fn halves_of_halves_come_together_again_and_end() {
        let table = Table::new(1_000);
        let source = |n| CouplingKey { mac: MacAddr([2; 6]), ip: [203, 0, 113, n].into() };
        for path in [&[source(1)][..], &[source(2)], &[source(2), source(3)]] {
            let tunnel = table.tunnel(path).unwrap();
            for n in 0..5 {
                let key = CouplingKey { mac: MacAddr([6, 0, 0, 0, 0, n]), ip: [10, 1, 0, n].into() };
                table.in_tunnel(&tunnel).coupling_said(key, Timestamp(5), Field::HttpServer, "x");
                table.in_tunnel(&tunnel).learn(|s| s.span(Timestamp(5), Timestamp(5)));
                table.coupling_said(key, Timestamp(5), Field::HttpServer, "x");
            }
        }
        let whole = table.snapshot();
        let (mut left, mut merged, mut pieces) = (vec![whole.clone()], Zone::default(), 0);
        while let Some(part) = left.pop() {
            if is_splittable(&part) {
                left.extend(halves(part));
            } else {
                pieces += 1;
                merged.merge(&part);
            }
        }
        assert_eq!(merged, whole);
        assert_eq!(pieces, 5 + 3 * (5 + 1));
    }
}
