//! The stored facts are the join of all uploads, in any order and size, however often each is sent.

use std::collections::BTreeSet;

use netcensus::census::{
    Coupling, CouplingKey, Field, Inventory, MacAddr, Sign, Signs, Station, Timestamp, TunnelKind,
    TunnelMarks, Zone,
};
use netcensus::plan::store::{Receipt, Replica, Store, StoreError};
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

async fn stored(backend: Backend, dir: &tempfile::TempDir) -> Stored {
    Stored::with_trial(backend, dir.path(), BEGUN).await
}

impl Stored {
    async fn ingest(&self, upload: &Upload, replica: &Replica) -> Result<Receipt, StoreError> {
        let (sid, sensor) = (&self.sid, &self.sensor.id);
        let done = self.store.ingest(sid, sensor, upload.clone(), [0; 32], replica, BEGUN.plus(HOUR)).await?;
        Ok(done.receipt)
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
        // Two services on one database: each takes some of the uploads.
        let replicas = [Replica::default(), Replica::default()];
        let mut known = BTreeSet::new();
        for (turn, i) in sent.into_iter().enumerate() {
            let receipt = stored.ingest(&uploads[i], &replicas[turn * turn % 7 % 2]).await.unwrap();
            assert_eq!(receipt == Receipt::Stored, known.insert(i));
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
        let stored = stored(Backend::Sqlite, &dir).await.with_store(|store| store.with_room(2));
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
