//! The stored facts are the join of all uploads, in any order and size, however often each is sent.

use std::collections::BTreeSet;

use netcensus::census::{
    Coupling, CouplingKey, Field, Inventory, MacAddr, Sign, Signs, Station, Timestamp, TunnelKind,
    TunnelMarks, Zone,
};
use netcensus::plan::store::{Arrival, Receipt, Replica, Room, Store, StoreError};
use netcensus::wire::Upload;
use proptest::prelude::*;

use crate::support::seen::upload_of;
use crate::support::store::Stored;
use crate::support::{Backend, HOUR};

/// A sighting: MAC address, host, second, sign, what the device said.
type Sighting = (u8, u8, i64, usize, u8);

fn zone(seen: &[Sighting]) -> Zone {
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

/// When the trial began: shortly before the facts are seen, so that no clock is ahead.
const BEGUN: Timestamp = Timestamp::from_secs(1_795_000_000);
/// When the uploads come.
const CAME: Timestamp = BEGUN.plus(HOUR);

async fn stored(backend: Backend, dir: &tempfile::TempDir) -> Stored {
    Stored::with_trial(backend, dir.path(), BEGUN).await
}

impl Stored {
    async fn ingest(&self, upload: &Upload, replica: &Replica) -> Result<Receipt, StoreError> {
        let (sid, sensor) = (&self.sid, &self.sensor.id);
        let done = self.store.ingest(sid, sensor, upload.clone(), [0; 32], replica, CAME).await?;
        Ok(done.receipt)
    }

    /// The receipts of uploads that are stored together.
    async fn ingest_all(&self, uploads: &[Upload], replica: &Replica) -> Vec<Result<Receipt, StoreError>> {
        let arrivals = uploads.iter().map(|upload| {
            let body = upload.encode().unwrap();
            Arrival::new(self.sensor.id.clone(), (upload.clone(), body), [0; 32], CAME, CAME).unwrap()
        });
        let done = self.store.ingest_all(&self.sid, arrivals.collect(), replica).await;
        done.into_iter().map(|done| done.map(|done| done.receipt)).collect()
    }

    async fn inventory(&self) -> Inventory {
        self.store.inventory(&self.sid).await.unwrap()
    }

    fn with_store(self, change: impl FnOnce(Store) -> Store) -> Self {
        Self { store: change(self.store), ..self }
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn check_join(backend: Backend, parts: &[(usize, Vec<Sighting>)], order: &[prop::sample::Index]) {
    let uploads: Vec<Upload> = (1..)
        .zip(parts)
        .map(|(sequence, (place, seen))| {
            let path = [[203, 0, 113, 9], [10, 0, 0, 3]]
                .map(|ip| CouplingKey { mac: MacAddr([6; 6]), ip: ip.into() });
            // On the link of a site, or in one or two tunnels across it (I13).
            let (name, depth) = [("hq", 0), ("branch", 0), ("hq", 1), ("hq", 2)][*place];
            let mut delta = Zone::default();
            *delta.within(&path[..depth]) = zone(seen);
            if let Some(tunnel) = delta.tunnels.get_mut(&path[0]) {
                tunnel.marks.merge(TunnelMarks {
                    kinds: TunnelKind::Vxlan.into(),
                    configured: seen.len() > 6,
                    ..TunnelMarks::default()
                });
            }
            upload_of(sequence, name, delta)
        })
        .collect();
    // Some are sent several times, in any order, and at the end all of them.
    let sent: Vec<usize> = order.iter().map(|i| i.index(uploads.len())).chain(0..uploads.len()).collect();
    let mut expected = Inventory::default();
    for u in &uploads {
        expected.merge_zone(&u.zone, &u.delta);
    }
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let stored = stored(backend, &dir).await;
        // Two services on one database: each takes some of the uploads, one to three together.
        let replicas = [Replica::default(), Replica::default()];
        let (mut known, mut left, mut turn) = (BTreeSet::new(), &sent[..], 0);
        while !left.is_empty() {
            let (together, later) = left.split_at(left.len().min(turn % 3 + 1));
            let group: Vec<Upload> = together.iter().map(|i| uploads[*i].clone()).collect();
            let receipts = stored.ingest_all(&group, &replicas[turn * turn % 7 % 2]).await;
            for (i, receipt) in together.iter().zip(receipts) {
                assert_eq!(receipt.unwrap() == Receipt::Stored, known.insert(*i));
            }
            (left, turn) = (later, turn + 1);
        }
        for replica in &replicas {
            stored.store.refresh(&stored.sid, replica).await.unwrap();
            assert_eq!(replica.facts().inventory, expected, "the facts in memory");
        }
        assert_eq!(stored.inventory().await, expected, "the rows");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_repetition_of_uploads_stores_their_join(
        parts in proptest::collection::vec(
            (0..4_usize, proptest::collection::vec((0..6_u8, 1..9_u8, 0..90_i64, 0..11_usize, 1..9_u8), 0..12)), 1..6),
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
        let found = block_on(async {
            let (stored, replica) = (stored(backend, &dir).await, Replica::default());
            for (sequence, delta) in [(1, first.clone()), (2, second.clone())] {
                stored.ingest(&upload_of(sequence, "hq", delta), &replica).await.unwrap();
            }
            stored.inventory().await
        });
        assert_eq!(found, Inventory::of("hq", expected.clone()));
    }
}

#[test]
fn a_full_subscription_refuses_uploads_with_new_devices_whole_and_takes_those_with_known_ones() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let stored = stored(Backend::Sqlite, &dir)
            .await
            .with_store(|store| store.with_room(Room { rows: 2, ..Room::default() }));
        let replica = Replica::default();
        let of = |hosts: &[u8], at: i64| {
            let mut zone = Zone::default();
            for host in hosts {
                let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, *host]), ip: [10, 0, 0, *host].into() };
                zone.couplings.insert(key, Coupling::new(Timestamp(at), Sign::ArpAsked.into()));
            }
            zone
        };
        stored.ingest(&upload_of(1, "hq", of(&[1, 2], 5)), &replica).await.unwrap();
        let refused = stored.ingest(&upload_of(2, "hq", of(&[1, 3], 9)), &replica).await;
        assert!(matches!(refused, Err(StoreError::Full(2))), "{refused:?}");
        assert_eq!(stored.inventory().await, Inventory::of("hq", of(&[1, 2], 5)), "no part of it is stored");
        stored.ingest(&upload_of(2, "hq", of(&[1], 9)), &replica).await.unwrap();
        let couplings = &stored.inventory().await.zones["hq"].couplings;
        assert_eq!(couplings.values().map(|c| c.last_seen.0).collect::<Vec<_>>(), [9, 5]);
    });
}

#[test]
fn a_subscription_whose_devices_said_too_much_refuses_further_words_and_takes_sightings() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let room = Room { bytes: 2_000, ..Room::default() };
        let stored = stored(Backend::Sqlite, &dir).await.with_store(|store| store.with_room(room));
        let replica = Replica::default();
        let says = |words: &[&str], at: i64| {
            let mut zone = device(1, at);
            for facts in zone.couplings.values_mut() {
                for word in words {
                    facts.evidence.add(Field::MdnsHostname, word, Timestamp(at));
                }
            }
            zone
        };
        let long = "x".repeat(250);
        let many: Vec<String> = (0..9).map(|n| format!("{n}{long}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        stored.ingest(&upload_of(1, "hq", says(&["lobby"], 5)), &replica).await.unwrap();
        // A replica that is loaded anew knows the same room.
        for known in [replica, Replica::default()] {
            let refused = stored.ingest(&upload_of(2, "hq", says(&many, 9)), &known).await;
            assert!(matches!(refused, Err(StoreError::Heavy(2_000))), "{refused:?}");
            let told = refused.unwrap_err().to_string();
            assert!(told.contains("limits.subscription"), "{told}");
        }
        stored.ingest(&upload_of(2, "hq", says(&["lobby"], 9)), &Replica::default()).await.unwrap();
        assert_eq!(stored.inventory().await.zones["hq"].couplings.len(), 1);
    });
}

fn device(host: u8, at: i64) -> Zone {
    let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, host]), ip: [10, 0, 0, host].into() };
    Zone { couplings: [(key, Coupling::new(Timestamp(at), Sign::ArpAsked.into()))].into(), ..Zone::default() }
}

#[test]
fn of_uploads_that_are_stored_together_each_is_refused_by_itself() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let dir = tempfile::tempdir().unwrap();
        block_on(async {
            let stored = stored(backend, &dir)
                .await
                .with_store(|store| store.with_room(Room { rows: 3, ..Room::default() }));
            let replica = Replica::default();
            stored.ingest(&upload_of(1, "hq", device(1, 5)), &replica).await.unwrap();
            let group = [
                upload_of(1, "hq", device(9, 5)),
                upload_of(2, "hq", device(2, 5)),
                upload_of(1, "hq", device(1, 5)),
                upload_of(3, "branch", device(3, 5)),
                upload_of(4, "branch", device(4, 5)),
                upload_of(5, "hq", device(2, 9)),
            ];
            let receipts = stored.ingest_all(&group, &replica).await;
            let told: Vec<String> = receipts.iter().map(|r| format!("{r:?}")).collect();
            let is = |n: usize, wanted: &str| assert!(told[n].contains(wanted), "{n}: {told:?}");
            is(0, "UploadConflict");
            is(1, "Stored");
            is(2, "Replayed");
            is(3, "Stored");
            is(4, "Full(3)");
            is(5, "Stored");
            let mut expected = Inventory::of("hq", device(1, 5));
            expected.merge_zone("hq", &device(2, 5));
            expected.merge_zone("hq", &device(2, 9));
            expected.merge_zone("branch", &device(3, 5));
            assert_eq!(stored.inventory().await, expected, "the rows");
            let facts = replica.facts();
            assert_eq!((&facts.inventory, facts.revision), (&expected, Some(4)), "the facts in memory");
        });
    }
}

#[test]
fn an_upload_that_the_database_does_not_take_fails_none_of_those_that_are_stored_with_it() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let dir = tempfile::tempdir().unwrap();
        block_on(async {
            let (stored, replica) = (stored(backend, &dir).await, Replica::default());
            let mut poison = upload_of(2, "hq", device(2, 5));
            // PostgreSQL has no text with this character.
            poison.epoch = "e\0".into();
            let group = [upload_of(1, "hq", device(1, 5)), poison, upload_of(3, "branch", device(3, 5))];
            let receipts = stored.ingest_all(&group, &replica).await;
            let takes_all = matches!(backend, Backend::Sqlite);
            assert_eq!(receipts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, takes_all, true]);
            assert_eq!(replica.facts().inventory, stored.inventory().await);
            assert_eq!(stored.inventory().await.zones.len(), 2);
        });
    }
}

#[test]
fn old_receipts_are_removed_but_for_the_newest_of_each_sensor() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let dir = tempfile::tempdir().unwrap();
        block_on(async {
            let (stored, replica) = (stored(backend, &dir).await, Replica::default());
            let uploads: Vec<Upload> =
                (1..=3).map(|n| upload_of(n, "hq", device(u8::try_from(n).unwrap(), 5))).collect();
            for upload in &uploads {
                stored.ingest(upload, &replica).await.unwrap();
            }
            let before = stored.inventory().await;
            assert_eq!(stored.store.prune_receipts(CAME).await.unwrap(), (0, false));
            assert_eq!(stored.store.prune_receipts(CAME.plus(1)).await.unwrap(), (2, false));
            assert_eq!(stored.store.prune_receipts(CAME.plus(1)).await.unwrap(), (0, false));
            assert_eq!(
                stored.ingest(&uploads[2], &replica).await.unwrap(),
                Receipt::Replayed,
                "it may come again"
            );
            assert_eq!(stored.ingest(&uploads[0], &replica).await.unwrap(), Receipt::Stored);
            assert_eq!(stored.inventory().await, before, "which changes no fact");
        });
    }
}
