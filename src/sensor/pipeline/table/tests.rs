use super::*;
use crate::census::{Sign, TunnelKind};

fn key(n: u8) -> CouplingKey {
    CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, n]), ip: [10, 0, 0, n].into() }
}

#[test]
fn a_delta_holds_what_changed_once_and_evidence_only_when_it_is_new() {
    let table = Table::new(10);
    table.sight(key(1), Timestamp(5), Timestamp(5), Sign::ArpAsked.into(), Tags::default());
    table.coupling_said(key(1), Timestamp(5), Field::HttpServer, "x");
    let first = table.take_delta();
    assert_eq!(first.couplings[&key(1)].evidence.len(), 1);
    assert!(table.take_delta().is_empty());
    table.sight(key(1), Timestamp(9), Timestamp(9), Sign::ArpAsked.into(), Tags::default());
    let second = table.take_delta();
    assert!(second.couplings[&key(1)].evidence.is_empty());
    let mut merged = first;
    merged.merge(&second);
    assert_eq!(merged, table.snapshot());
}

#[test]
fn a_requeued_delta_comes_again_with_all_its_facts() {
    let table = Table::new(10);
    table.coupling_said(key(1), Timestamp(5), Field::HttpServer, "x");
    table.station_said(key(2).mac, Timestamp(6), Field::StpBridge, "sender");
    let delta = table.take_delta();
    table.requeue(&delta);
    assert_eq!(table.take_delta(), delta);
}

#[test]
fn a_delta_of_some_rows_leaves_the_others_for_the_next() {
    let table = Table::new(10);
    for n in 1..=3 {
        table.sight(key(n), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
        table.station_said(key(n).mac, Timestamp(6), Field::StpBridge, "sender");
    }
    let mut merged = Zone::default();
    for rows in [2, 2, 2, 0] {
        let delta = table.take_some(2, None);
        assert_eq!(delta.couplings.len() + delta.stations.len(), rows);
        merged.merge(&delta);
    }
    assert_eq!(merged, table.snapshot());
    table.requeue_all();
    assert_eq!(table.take_delta(), merged);
}

#[test]
fn parts_bring_everything_to_another_table_with_what_was_not_taken_yet() {
    let table = Table::new(10);
    for n in 1..=4 {
        if n == 4 {
            table.take_delta();
        }
        table.coupling_said(key(n), Timestamp(5), Field::HttpServer, "x");
        table.station_said(key(n).mac, Timestamp(6), Field::StpBridge, "sender");
    }
    let restored = Table::new(10);
    table
        .parts::<()>(3, &mut |zone, pending| {
            assert!(zone.couplings.len().max(zone.stations.len()) <= 3);
            assert!(restored.restore(zone, pending));
            Ok(())
        })
        .unwrap();
    assert_eq!(restored.snapshot(), table.snapshot());
    assert_eq!(restored.take_delta(), table.take_delta());
    let small = Table::new(2);
    assert!(!small.restore(table.snapshot(), false));
    assert_eq!(small.len(), 2);
}

#[test]
fn at_the_limit_newcomers_are_refused_and_counted_and_the_known_stay() {
    let table = Table::new(2);
    for n in 1..=4 {
        table.sight(key(n), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
    }
    table.sight(key(1), Timestamp(7), Timestamp(7), Sign::ArpAsked.into(), Tags::default());
    assert_eq!((table.len(), table.refused()), (2, 2));
    assert!(table.limit_hits().couplings > 0);
    assert_eq!(table.snapshot().couplings[&key(1)].last_seen, Timestamp(7));
}

#[test]
fn the_internet_behind_a_router_never_keeps_a_device_out() {
    let table = Table::new(10);
    let far = |n: u8| CouplingKey { mac: key(1).mac, ip: [8, 8, 8, n].into() };
    for n in 0..20 {
        table.sight(far(n), Timestamp(1), Timestamp(1), Sign::Near.into(), Tags::default());
    }
    assert_eq!((table.len(), table.refused()), (5, 15));
    table.sight(far(99), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
    for n in 1..=4 {
        table.sight(key(n), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
    }
    assert_eq!((table.len(), table.refused()), (10, 15));
    for n in 11..=14 {
        table.sight(key(n), Timestamp(1), Timestamp(1), Sign::DhcpAck.into(), Tags::default());
    }
    assert_eq!((table.len(), table.refused()), (12, 17), "a quarter more for confirmed ones");
}

fn source(n: u8) -> TunnelKey {
    CouplingKey { mac: key(1).mac, ip: [203, 0, 113, n].into() }
}

#[test]
fn a_table_that_a_flood_filled_lets_in_who_leases_or_proves_and_uses_an_address() {
    let table = Table::new(100);
    let of = |n: u16, signs: Signs| {
        let [a, b] = n.to_be_bytes();
        let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
        table.sight(key, Timestamp(1), Timestamp(1), signs, Tags::default());
        table.snapshot().couplings.contains_key(&key)
    };
    assert_eq!((0..1_000).filter(|n| of(*n, Sign::ArpAsked.into())).count(), 100);
    assert!(of(2_000, Sign::DhcpAck.into()));
    assert!(!of(2_001, Sign::ArpAsked.into()), "not yet");
    assert!(of(2_001, Signs::from(Sign::Sourced).with(Sign::Near)));
    assert!(!of(2_002, Signs::from(Sign::Sourced).with(Sign::Near)));
}

#[test]
fn at_the_end_of_memory_words_of_strangers_go_first_and_known_rows_stay() {
    let table = Table::with_memory(1_000_000, 256 << 10);
    let of = |n: u16| {
        let [a, b] = n.to_be_bytes();
        CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() }
    };
    let camera = of(60_000);
    table.sight(camera, Timestamp(1), Timestamp(1), Sign::DhcpAck.into(), Tags::default());
    for n in 0..2_000 {
        table.sight(of(n), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
        table.coupling_said(of(n), Timestamp(1), Field::HttpServer, &format!("{n:0200}"));
    }
    let half = table.snapshot().couplings.values().filter(|c| !c.evidence.is_empty()).count();
    assert!(half < table.len() && table.len() < 2_000, "{half} of {}", table.len());
    assert!(table.memory() < (256 << 10) * 3 / 4 + 1_000);
    assert!(table.limit_hits().memory > 0 && table.refused() > 0);
    table.coupling_said(camera, Timestamp(2), Field::HttpServer, "camera");
    table.sight(of(60_001), Timestamp(1), Timestamp(1), Sign::DhcpAck.into(), Tags::default());
    let after = table.snapshot();
    assert_eq!(after.couplings[&camera].evidence.len(), 1);
    assert!(after.couplings.contains_key(&of(60_001)));
}

#[test]
fn facts_of_tunnels_are_apart_in_deltas_and_come_back_as_they_were() {
    let table = Table::new(100);
    let paths = [&[source(1)][..], &[source(1), source(2)]];
    for (path, n) in paths.into_iter().zip(1..) {
        let tunnel = table.tunnel(path).unwrap();
        tunnel.mark(TunnelMarks { kinds: TunnelKind::Gre.into(), ..TunnelMarks::default() });
        table.in_tunnel(&tunnel).coupling_said(key(n), Timestamp(5), Field::HttpServer, "x");
        table.in_tunnel(&tunnel).station_said(key(n).mac, Timestamp(6), Field::StpBridge, "sender");
        table.in_tunnel(&tunnel).learn(|s| s.span(Timestamp(1), Timestamp(9)));
    }
    let whole = table.snapshot();
    assert!(whole.couplings.is_empty() && whole.inside(paths[1]).unwrap().couplings.contains_key(&key(2)));
    let restored = Table::new(100);
    table
        .parts::<()>(1, &mut |zone, pending| {
            assert!(restored.restore(zone, pending));
            Ok(())
        })
        .unwrap();
    assert_eq!((restored.snapshot(), restored.take_delta()), (whole.clone(), whole.clone()));
    let mut merged = Zone::default();
    for rows in [3, 1, 0] {
        let delta = table.take_some(3, None);
        assert_eq!(delta.rows(), rows);
        merged.merge(&delta);
    }
    assert_eq!(merged, whole);
    assert!(table.take_delta().is_empty());
    table.requeue(&merged);
    assert_eq!(table.take_delta(), whole);
    table.requeue_all();
    assert_eq!((table.take_delta(), table.into_zone()), (whole.clone(), whole));
}

#[test]
fn tunnels_are_bounded_and_strangers_never_keep_a_device_or_a_configured_tunnel_out() {
    let table = Table::new(10);
    let from = |a, n: u16| {
        [CouplingKey { mac: key(1).mac, ip: [a, 9, n.to_be_bytes()[0], n.to_be_bytes()[1]].into() }]
    };
    let opened = (0..300).filter(|n| table.tunnel(&from(8, *n)).is_some()).count();
    assert_eq!(opened, 128, "public addresses");
    let opened = (0..300).filter(|n| table.tunnel(&from(10, *n)).is_some()).count();
    assert_eq!(opened, 128, "others");
    table.trust(["10.9.0.0/16".parse().unwrap()].into());
    let tunnel = table.tunnel(&from(10, 299)).unwrap();
    assert!(tunnel.marks().0.configured && table.tunnel(&from(10, 0)).unwrap().marks().0.configured);
    let stranger = table.tunnel(&from(8, 1)).unwrap();
    for n in 0..20 {
        table.in_tunnel(&stranger).sight(
            key(n),
            Timestamp(1),
            Timestamp(1),
            Sign::ArpAsked.into(),
            Tags::default(),
        );
        table.in_tunnel(&stranger).station_said(key(n).mac, Timestamp(6), Field::StpBridge, "sender");
    }
    assert_eq!((table.held(), table.limit_hits().couplings), (5, 15 + 15));
    for n in 0..5 {
        table.sight(key(n), Timestamp(1), Timestamp(1), Sign::DhcpAck.into(), Tags::default());
    }
    assert_eq!((table.len(), table.held()), (5, 10));
}
