//! The law of freshness: however a history is cut into deltas from which sightings are held back, the plan service concludes
//! what it would conclude from all facts. `PROPTEST_CASES` sets the number of histories.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::freshness::Freshness;
use super::table::Table;
use crate::census::laws::{ByEvidence, Event, cases, conclusions, events, instant, stretch};
use crate::census::time::{DAY, MINUTE};
use crate::census::{
    Coupling, CouplingKey, Decision, Decisions, Field, Inventory, MacAddr, ManagedKey, Mark, Object, Policy,
    Ruling, Sign, Signs, Survey, Taught, Timestamp, Zone,
};
use crate::dissect::Tags;

const SPAN: i64 = 5 * MINUTE;

fn record(table: &Table, event: &Event) {
    if let Some(at) = instant(event) {
        table.learn(|s| s.span(at, at));
    }
    let taught = || Taught::new(Timestamp(0), MacAddr([2, 0, 0, 0, 0, 1]));
    let rows = table.on_link();
    match event {
        Event::Sighted(key, at, signs, _) => table.sight(*key, *at, *at, *signs, Tags::default()),
        Event::Said(key, at, field, value) => {
            table.sight(*key, *at, *at, Sign::Sourced.into(), Tags::default());
            table.coupling_said(*key, *at, *field, value);
        }
        Event::Described(key, at, field, value) => {
            rows.coupling_described(*key, *at, &mut std::iter::once((*field, *value)));
        }
        Event::Spoke(mac, at, field, value) => table.station_said(*mac, *at, *field, value),
        Event::Mask(prefix) => table.learn(|s| s.learn_sent(*prefix, &taught())),
        Event::Router(ip) => table.learn(|s| s.learn_router(*ip, &taught())),
        Event::Exchange(a, b, answer) => table.learn(|s| s.exchange(*a, *b, *answer)),
        Event::Frame(_) => {}
    }
}

/// A list of endpoints by their addresses alone.
fn managed() -> Decisions {
    let mark = Arc::new(Mark { by: "owner".into(), at: Timestamp(0), change: 1 });
    let mut decisions = Decisions::default();
    for n in 1..6_u8 {
        let ip = Some([10, 0, 0, n].into());
        let external_id = n.to_string();
        let entry = ManagedKey { source: "mde".into(), external_id, zone: None, mac: None, ip };
        let ruling = Ruling::Managed { from: Timestamp(0), to: None };
        decisions.set(&Object::Managed(entry), Some(Decision { ruling, mark: Arc::clone(&mark) }));
    }
    decisions
}

/// What is counted and found, but for the times.
fn counted(zone: &Zone, as_of: Timestamp) -> String {
    let inventory = Inventory::of("default", zone.clone());
    let policy = Policy { quarantine_rate: 2, quarantine_daily: 3, ..Policy::default() };
    let survey = Survey::new(&inventory, &policy, &managed(), &ByEvidence, as_of);
    let devices: Vec<_> = survey
        .devices
        .iter()
        .map(|d| {
            let couplings: Vec<_> = d.couplings.iter().map(|m| (m.key, m.binding, m.state, m.part)).collect();
            (d.id, d.verdict, d.category, d.forwards, couplings)
        })
        .collect();
    let lines: Vec<_> = survey.lines.iter().map(|l| (l.key, l.verdict)).collect();
    let findings: Vec<_> = survey
        .findings
        .iter()
        .map(|f| (f.id, f.kind, f.ip, f.devices, f.count, f.subjects.clone()))
        .collect();
    format!("{:?} {devices:?} {lines:?} {findings:?}", survey.census)
}

/// Whether something is about to become idle, or just became so.
fn is_near_idle(zone: &Zone, as_of: Timestamp) -> bool {
    let idle_after = Policy::default().idle_after;
    let near = |c: &Coupling| (as_of.since(c.last_seen) - idle_after).abs() <= SPAN;
    zone.couplings.values().any(near)
}

/// Frames of a few cards with few addresses, so that much is compared: leases, names and addresses that move from one card
/// to another, public addresses of one card.
fn crowded() -> impl Strategy<Value = Event> {
    let macs = || {
        select(
            &[MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]), MacAddr([0, 0x1b, 0xd4, 0, 0, 1])][..],
        )
    };
    let addresses = select(&[[10, 0, 0, 1], [10, 0, 0, 2], [169, 254, 1, 1], [8, 8, 8, 8], [9, 9, 9, 9]][..]);
    let keys = (macs(), addresses).prop_map(|(mac, ip)| CouplingKey { mac, ip: ip.into() });
    let packet = |sign: Sign| Signs::from(Sign::Sourced).with(sign);
    let signs =
        select(vec![Sign::ArpAsked.into(), Sign::DhcpAck.into(), packet(Sign::Near), packet(Sign::Far)]);
    let said = select(&[(Field::MdnsHostname, "reception"), (Field::DhcpHostname, "lobby")][..]);
    let spoke = select(
        &[
            (Field::DhcpClientId, "0102"),
            (Field::DhcpHostname, "reception"),
            (Field::DhcpHostname, "lobby"),
            (Field::DhcpBoot, "discover"),
            (Field::LldpChassisId, "4:020000000001"),
        ][..],
    );
    let at = || (0..120_i64).prop_map(|n| Timestamp(n * MINUTE / 3));
    prop_oneof![
        8 => (keys.clone(), at(), signs).prop_map(|(k, t, s)| Event::Sighted(k, t, s, 0)),
        2 => (keys, at(), said).prop_map(|(k, t, (f, v))| Event::Said(k, t, f, v)),
        2 => (macs(), at(), spoke).prop_map(|(m, t, (f, v))| Event::Spoke(m, t, f, v)),
    ]
}

/// Cuts a history into deltas of some events each, and compares what is concluded after each.
fn check(mut history: Vec<Event>, every: usize, later: i64) -> Result<(), TestCaseError> {
    history.sort_by_key(|event| instant(event).unwrap_or_default());
    let table = Table::new(10_000);
    let freshness = Freshness::new(Duration::from_secs(300), Duration::from_secs(600));
    let mut service = Zone::default();
    for events in history.chunks(every) {
        events.iter().for_each(|event| record(&table, event));
        let delta = table.take_some(usize::MAX, table.due(freshness).as_ref());
        service.merge(&delta);
        let all = table.snapshot();
        prop_assert_eq!(conclusions(&service), conclusions(&all));
        let now = all.segment.last_frame.unwrap_or_default();
        prop_assert_eq!(counted(&service, now), counted(&all, now));
        let then = now.plus(30 * DAY - later * MINUTE);
        if !is_near_idle(&all, then) {
            prop_assert_eq!(counted(&service, then), counted(&all, then));
        }
        // What waits is recent.
        for (key, coupling) in &all.couplings {
            let known = service.couplings.get(key).map(|c| c.last_seen);
            prop_assert!(known.is_some_and(|known| coupling.last_seen.since(known) <= SPAN));
        }
    }
    service.merge(&table.take_delta());
    prop_assert_eq!(service, table.snapshot());
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_waits_changes_no_conclusion(
        history in vec(events(), 1..80), factor in 1..5_i64, every in 1..9_usize, later in 0..200_i64,
    ) {
        check(history.iter().map(|event| stretch(event, factor)).collect(), every, later)?;
    }

    #[test]
    fn what_waits_changes_no_conclusion_where_much_is_compared(
        history in vec(crowded(), 1..60), every in 1..5_usize, later in 0..40_i64,
    ) {
        check(history, every, later)?;
    }
}

#[test]
fn i12_a_name_that_another_card_takes_over_meanwhile_is_compared_with_what_waits() {
    let phone = |n| CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, n]), ip: [10, 0, 0, n].into() };
    let at = |minute: i64| Timestamp(minute * MINUTE + 1);
    let said = |n, minute| Event::Said(phone(n), at(minute), Field::MdnsHostname, "reception");
    // The first phone is seen for the last time after the second one came.
    let mut history: Vec<Event> = (20..34).map(|minute| said(1, minute)).collect();
    history.extend([said(2, 35), Event::Sighted(phone(1), at(36), Sign::Sourced.into(), 0), said(2, 37)]);
    check(history, 1, 0).unwrap();
}

#[test]
fn i8b_a_lease_of_another_address_is_compared_with_what_waits() {
    let of = |ip| CouplingKey { mac: MacAddr([0, 0x1b, 0xd4, 0, 0, 1]), ip };
    let (old, new) = (of([10, 0, 0, 1].into()), of([10, 0, 0, 2].into()));
    let seen =
        |key, minute: i64, sign: Sign| Event::Sighted(key, Timestamp(minute * MINUTE + 1), sign.into(), 0);
    let mut history: Vec<Event> = (20..34).map(|minute| seen(old, minute, Sign::DhcpAck)).collect();
    // Used after the lease of the other address, and so not left.
    history.extend([
        seen(old, 34, Sign::Sourced),
        seen(new, 35, Sign::DhcpAck),
        seen(old, 36, Sign::Sourced),
    ]);
    check(history, 1, 0).unwrap();
}

#[test]
fn i6_two_addresses_of_a_router_within_a_minute_are_compared_unless_one_of_them_is_packets_of_others_alone() {
    let router = |ip| CouplingKey { mac: MacAddr([0, 0x1b, 0xd4, 0, 0, 1]), ip };
    let (far, near) = (router([9, 9, 9, 9].into()), router([8, 8, 8, 8].into()));
    let seen = |key, second: i64, sign| {
        Event::Sighted(key, Timestamp::from_secs(second), Signs::from(Sign::Sourced).with(sign), 0)
    };
    // Held back, the second frame from 9.9.9.9 would be within a minute of the one from 8.8.8.8. The third is not.
    let history = vec![
        seen(far, 0, Sign::Far),
        seen(far, 180, Sign::Far),
        seen(near, 200, Sign::Near),
        seen(far, 260, Sign::Far),
    ];
    check(history, 1, 0).unwrap();
}

#[test]
fn a_description_that_says_nothing_new_moves_the_time_of_its_row_in_the_service_too() {
    let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: [10, 0, 0, 9].into() };
    let said = |second| Event::Described(key, Timestamp::from_secs(second), Field::SsdpServer, "lobby-cam");
    check(vec![said(660), said(661)], 1, 0).unwrap();
}
