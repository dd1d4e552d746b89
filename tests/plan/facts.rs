//! Stored facts are the join of all uploads, whatever the order, the repetition and the size.

use std::collections::BTreeSet;

use netcensus::billing::timeline::{Onboarding, PlanKind};
use netcensus::census::{
    Coupling, CouplingKey, Field, Inventory, MacAddr, Sign, Signs, Station, Timestamp, Zone,
};
use netcensus::plan::store::Replica;
use netcensus::plan::store::{By, Receipt, Store, StoreError};
use netcensus::wire::{Health, UPLOAD_SCHEMA, Upload};
use proptest::prelude::*;

use crate::database::{Backend, fresh};

/// One thing seen: (MAC, host, second, sign, what it said).
type Seen = (u8, u8, i64, usize, u8);

fn zone(seen: &[Seen]) -> Zone {
    let mut zone = Zone::default();
    for (mac, host, second, sign, word) in seen {
        let at = Timestamp::from_secs(1_795_000_000 + second);
        let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, *mac]), ip: [10, 0, 0, *host].into() };
        let sign = Sign::ALL.get(*sign).copied().unwrap_or(Sign::Sourced);
        let mut coupling = Coupling::new(at, Signs::from(sign));
        coupling.tag(u16::from(*word));
        coupling.evidence.add(Field::MdnsHostname, &format!("host-{word}"), at);
        let mut station = Station::new(at);
        station.evidence.add(Field::LldpSysName, &format!("station-{word}"), at);
        zone.merge_coupling(key, &coupling);
        zone.merge_station(key.mac, &station);
        zone.segment.span(at, at);
        zone.segment.exchange([10, 0, 0, *host].into(), [10, 0, 0, *word].into(), sign == Sign::ArpAnswered);
    }
    zone
}

fn upload(sequence: u64, zone: &str, delta: Zone) -> Upload {
    let health = Health::default();
    Upload { schema: UPLOAD_SCHEMA.into(), epoch: "e".into(), sequence, zone: zone.into(), delta, health }
}

/// A store with a plan in effect and a sensor.
async fn store(backend: Backend, dir: &tempfile::TempDir) -> (Store, String, String) {
    let store = Store::open(&fresh(backend, dir.path())).await.unwrap();
    let now = Timestamp(0);
    let sid = store.create_subscription("a", None, &By::operator(), now).await.unwrap().id;
    let trial = Onboarding { kind: PlanKind::Trial, devices: None, accept_terms: true };
    store.onboard(&sid, &trial, &By::operator(), now).await.unwrap();
    let (secret, _) = store.create_enrolment(&sid, &By::operator(), now).await.unwrap();
    let sensor = crate::harness::TestSensor::enrol_in(&store, &secret, now).await.id;
    (store, sid, sensor)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn check_join(backend: Backend, parts: &[(usize, Vec<Seen>)], order: &[prop::sample::Index]) {
    let uploads: Vec<Upload> = (1..)
        .zip(parts)
        .map(|(sequence, (name, seen))| upload(sequence, ["hq", "branch"][*name], zone(seen)))
        .collect();
    // Some several times, in any order, and at the end all that were left out.
    let sent: Vec<usize> = order.iter().map(|i| i.index(uploads.len())).chain(0..uploads.len()).collect();
    let mut expected = Inventory::default();
    for u in &uploads {
        expected.merge_zone(&u.zone, &u.delta);
    }
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let (store, sid, sensor) = store(backend, &dir).await;
        // Two services on one database: each takes some of the uploads.
        let replicas = [Replica::default(), Replica::default()];
        let mut known = BTreeSet::new();
        for (turn, i) in sent.into_iter().enumerate() {
            let replica = &replicas[turn * turn % 7 % 2];
            let done =
                store.ingest(&sid, &sensor, &uploads[i], [0; 32], replica, Timestamp(1)).await.unwrap();
            assert_eq!(done.receipt == Receipt::Stored, known.insert(i));
        }
        for replica in &replicas {
            store.refresh(&sid, replica).await.unwrap();
            assert_eq!(replica.facts().inventory, expected, "the facts in memory");
        }
        assert_eq!(store.inventory(&sid).await.unwrap(), expected, "the rows");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_repetition_of_uploads_stores_their_join(
        parts in proptest::collection::vec(
            (0..2_usize, proptest::collection::vec((0..6_u8, 1..9_u8, 0..90_i64, 0..11_usize, 1..9_u8), 0..12)), 1..6),
        order in proptest::collection::vec(any::<proptest::sample::Index>(), 1..12),
    ) {
        for backend in [Backend::Sqlite, Backend::Postgres] {
            check_join(backend, &parts, &order);
        }
    }
}

#[test]
fn an_upload_of_more_rows_than_one_statement_takes_is_stored_whole() {
    let large = |from: u32, second: i64| {
        let at = Timestamp::from_secs(1_795_000_000 + second);
        let mut zone = Zone::default();
        for n in from..from + 2_300 {
            let [_, _, c, d] = n.to_be_bytes();
            let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, c, d]), ip: [10, 1, c, d].into() };
            zone.merge_coupling(key, &Coupling::new(at, Signs::from(Sign::ArpAsked)));
            zone.merge_station(key.mac, &Station::new(at));
        }
        zone
    };
    let (first, second) = (large(0, 0), large(1_500, 60));
    let mut expected = first.clone();
    expected.merge(&second);
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let dir = tempfile::tempdir().unwrap();
        let stored = block_on(async {
            let (store, sid, sensor) = store(backend, &dir).await;
            let replica = Replica::default();
            for (sequence, delta) in [(1, first.clone()), (2, second.clone())] {
                let upload = upload(sequence, "hq", delta);
                store.ingest(&sid, &sensor, &upload, [0; 32], &replica, Timestamp(1)).await.unwrap();
            }
            store.inventory(&sid).await.unwrap()
        });
        assert_eq!(stored, Inventory::of("hq", expected.clone()));
    }
}

#[test]
fn a_full_subscription_refuses_newcomers_whole_and_goes_on_with_what_it_knows() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (store, sid, sensor) = store(Backend::Sqlite, &dir).await;
        let (store, replica) = (store.with_room(2), Replica::default());
        let now = Timestamp(1);
        let of = |hosts: &[u8], at: i64| {
            let mut zone = Zone::default();
            for host in hosts {
                let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, *host]), ip: [10, 0, 0, *host].into() };
                zone.couplings.insert(key, Coupling::new(Timestamp(at), Sign::ArpAsked.into()));
            }
            zone
        };
        store.ingest(&sid, &sensor, &upload(1, "hq", of(&[1, 2], 5)), [0; 32], &replica, now).await.unwrap();
        let refused =
            store.ingest(&sid, &sensor, &upload(2, "hq", of(&[1, 3], 9)), [0; 32], &replica, now).await;
        assert!(matches!(refused, Err(StoreError::Full(2))), "{refused:?}");
        let known = Inventory::of("hq", of(&[1, 2], 5));
        assert_eq!(store.inventory(&sid).await.unwrap(), known, "nothing of it was stored");
        store.ingest(&sid, &sensor, &upload(2, "hq", of(&[1], 9)), [0; 32], &replica, now).await.unwrap();
        let couplings = &store.inventory(&sid).await.unwrap().zones["hq"].couplings;
        assert_eq!(couplings.values().map(|c| c.last_seen.0).collect::<Vec<_>>(), [9, 5]);
    });
}
