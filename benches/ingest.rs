//! Rows a second that uploads are stored with, beside the least that the database could do with the same rows in the
//! same place: SQLite a bare multi-row upsert in one file, PostgreSQL a bare COPY into a temporary table and a merge.
//!
//! Each side stores the same couplings and stations, upload by upload, each in a durable transaction of its own; the
//! bare side gets its rows ready made. Medians of several rounds, taken in turns; "new" are rows that nobody knew,
//! "again" the same with later times.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a benchmark")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use netcensus::billing::timeline::{Onboarding, PlanKind};
use netcensus::census::{Coupling, CouplingKey, Field, MacAddr, Sign, Signs, Station, Timestamp, Zone};
use netcensus::plan::store::{By, Enrolling, Location, Replica, Store};
use netcensus::wire::{Health, UPLOAD_SCHEMA, Upload};
use netcensus::wire::{SensorId, SubscriptionId, signature::PublicKey};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, QueryBuilder, Sqlite, SqliteConnection};

const ROUNDS: usize = 5;
const UPLOADS: u32 = 20;
/// Couplings of one upload; half as many stations come with them.
const COUPLINGS: u32 = 4_000;

/// What the rows of one upload are: table, key columns and facts.
type Rows = Vec<(String, Option<String>, String)>;

fn delta(upload: u32, second: i64) -> Zone {
    let at = Timestamp::from_secs(1_795_000_000 + second);
    let mut zone = Zone::default();
    for n in upload * COUPLINGS..(upload + 1) * COUPLINGS {
        let [_, b, c, d] = n.to_be_bytes();
        let mac = MacAddr([0x02, 0, 0, b, c, d]);
        let mut coupling = Coupling::new(at, Signs::from(Sign::ArpAsked));
        coupling.tag(10);
        coupling.evidence.add(Field::MdnsHostname, &format!("device-{n}"), at);
        coupling.evidence.add(Field::MdnsService, "_http._tcp", at);
        zone.merge_coupling(CouplingKey { mac, ip: [10, b, c, d].into() }, &coupling);
        if n % 2 == 0 {
            let mut station = Station::new(at);
            station.evidence.add(Field::DhcpHostname, &format!("device-{n}"), at);
            zone.merge_station(mac, &station);
        }
    }
    zone
}

fn rows(zone: &Zone) -> (Rows, Rows) {
    let json = |value: &dyn erased::Facts| value.json();
    let couplings = zone.couplings.iter();
    let stations = zone.stations.iter();
    (
        couplings.map(|(k, f)| (k.mac.to_string(), Some(k.ip.to_string()), json(f))).collect(),
        stations.map(|(mac, f)| (mac.to_string(), None, json(f))).collect(),
    )
}

mod erased {
    //! The facts of either table as JSON.
    pub(crate) trait Facts {
        fn json(&self) -> String;
    }
    impl<T: serde::Serialize> Facts for T {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap_or_default()
        }
    }
}

/// A subscription with a plan and a sensor.
async fn tenant(store: &Store, name: &str) -> (SubscriptionId, SensorId) {
    let (now, by) = (Timestamp(0), By::operator());
    let sid = store.create_subscription(name, None, &by, now).await.unwrap().id;
    let trial = Onboarding { kind: PlanKind::Trial, devices: None, accept_terms: true };
    store.onboard(&sid, &trial, None, &by, now).await.unwrap();
    let (secret, _) = store.create_enrolment(&sid, &by, now).await.unwrap();
    let asked = Enrolling { secret: &secret, name: "edge", public_key: PublicKey([1; 32]), replaces: None };
    let sensor = store.enrol(&asked, &by, now).await.unwrap().sensor.parse().unwrap();
    (sid, sensor)
}

async fn ours(
    store: &Store,
    sid: &SubscriptionId,
    sensor: &SensorId,
    replica: &Replica,
    uploads: &[Upload],
) -> Duration {
    let begin = Instant::now();
    for upload in uploads {
        store.ingest(sid, sensor, upload.clone(), [0; 32], replica, Timestamp(1)).await.unwrap();
    }
    begin.elapsed()
}

async fn bare_sqlite(db: &mut SqliteConnection, sid: &str, uploads: &[(Rows, Rows)]) -> Duration {
    let begin = Instant::now();
    for (couplings, stations) in uploads {
        let mut tx = db.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for (table, rows) in [("coupling", couplings), ("station", stations)] {
            let ip = if table == "coupling" { "ip, " } else { "" };
            for chunk in rows.chunks(1_000) {
                let head = format!("INSERT INTO {table} (subscription, zone, mac, {ip}facts) ");
                let mut insert = QueryBuilder::<Sqlite>::new(head);
                insert.push_values(chunk, |mut row, (mac, ip, facts)| {
                    row.push_bind(sid).push_bind("hq").push_bind(mac);
                    if let Some(ip) = ip {
                        row.push_bind(ip);
                    }
                    row.push_bind(facts);
                });
                insert.push(format!(
                    " ON CONFLICT (subscription, zone, mac{}) DO UPDATE SET facts = excluded.facts",
                    if ip.is_empty() { "" } else { ", ip" }
                ));
                insert.build().execute(&mut *tx).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }
    begin.elapsed()
}

async fn bare_postgres(db: &mut PgConnection, sid: &str, uploads: &[(Rows, Rows)]) -> Duration {
    let begin = Instant::now();
    for (couplings, stations) in uploads {
        let mut tx = db.begin().await.unwrap();
        for (table, rows) in [("coupling", couplings), ("station", stations)] {
            let ip = if table == "coupling" { "ip, " } else { "" };
            let columns = format!("subscription, zone, mac, {ip}facts");
            let make = format!(
                "CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT {columns} FROM {table} LIMIT 0"
            );
            sqlx::query(AssertSqlSafe(make)).execute(&mut *tx).await.unwrap();
            let mut text = String::new();
            for (mac, ip, facts) in rows {
                let ip = ip.as_ref().map(|ip| format!("{ip}\t")).unwrap_or_default();
                text.push_str(&format!("{sid}\thq\t{mac}\t{ip}{}\n", facts.replace('\\', "\\\\")));
            }
            let mut copy = tx.copy_in_raw("COPY fresh FROM STDIN").await.unwrap();
            copy.send(text.into_bytes()).await.unwrap();
            copy.finish().await.unwrap();
            let merge = format!(
                "INSERT INTO {table} ({columns}) SELECT {columns} FROM fresh
                 ON CONFLICT (subscription, zone, mac{}) DO UPDATE SET facts = excluded.facts",
                if ip.is_empty() { "" } else { ", ip" }
            );
            sqlx::query(AssertSqlSafe(merge)).execute(&mut *tx).await.unwrap();
            sqlx::query("DROP TABLE fresh").execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    begin.elapsed()
}

enum Bare {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

async fn compare(name: &str, location: &Location) {
    let store = Store::open(location).await.unwrap();
    let mut bare = match location {
        Location::File(path) => {
            let url = format!("sqlite://{}", path.display());
            let mut db = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query("PRAGMA synchronous = FULL").execute(&mut db).await.unwrap();
            Bare::Sqlite(db)
        }
        Location::Server(url) => Bare::Postgres(PgConnection::connect(url).await.unwrap()),
    };
    let uploads = |from: u64, second: i64| -> Vec<Upload> {
        (0..UPLOADS)
            .map(|n| Upload {
                schema: UPLOAD_SCHEMA.into(),
                epoch: "e".into(),
                sequence: from + u64::from(n),
                zone: "hq".into(),
                delta: delta(n, second),
                health: Health::default(),
            })
            .collect()
    };
    let (new, again) = (uploads(1, 0), uploads(100, 60));
    let ready =
        |uploads: &[Upload]| -> Vec<(Rows, Rows)> { uploads.iter().map(|u| rows(&u.delta)).collect() };
    let (new_rows, again_rows) = (ready(&new), ready(&again));
    let count: usize = new_rows.iter().map(|(c, s)| c.len() + s.len()).sum();
    let mut times = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for round in 0..ROUNDS {
        let (sid, sensor) = tenant(&store, &format!("{name} {round}")).await;
        let (other, _) = tenant(&store, &format!("{name} {round} bare")).await;
        let replica = Replica::default();
        for (phase, (uploads, rows)) in [(&new, &new_rows), (&again, &again_rows)].into_iter().enumerate() {
            let mine = async || ours(&store, &sid, &sensor, &replica, uploads).await;
            let before = if round % 2 == 0 { Some(mine().await) } else { None };
            let least = match &mut bare {
                Bare::Sqlite(db) => bare_sqlite(db, other.as_str(), rows).await,
                Bare::Postgres(db) => bare_postgres(db, other.as_str(), rows).await,
            };
            let took = match before {
                Some(took) => took,
                None => mine().await,
            };
            times[phase][0].push(took);
            times[phase][1].push(least);
        }
    }
    for (phase, label) in ["new", "again"].into_iter().enumerate() {
        let rate = |side: usize, times: &mut [[Vec<Duration>; 2]; 2]| {
            times[phase][side].sort();
            count as f64 / times[phase][side][ROUNDS / 2].as_secs_f64()
        };
        let (mine, least) = (rate(0, &mut times), rate(1, &mut times));
        println!(
            "{name:<11} {label:<6} {mine:>9.0} rows/s   bare {least:>9.0} rows/s   ratio {:.2}",
            mine / least
        );
    }
    store.close().await;
}

/// A server that waits for the disk, on a socket of its own.
fn postgres(dir: &Path) -> (std::process::Child, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/postgres.sh");
    let users = std::fs::File::create(dir.join("users")).unwrap();
    users.lock_shared().unwrap();
    let options =
        ["-cfsync=on", "-csynchronous_commit=on", "-cfull_page_writes=on", "-cshared_buffers=256MB"];
    let child = Command::new(script).arg(dir).args(options).spawn().unwrap();
    // Held until the process ends: the server lives as long.
    std::mem::forget(users);
    while !dir.join("ready").exists() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let socket = std::fs::read_to_string(dir.join("ready")).unwrap();
    (child, format!("postgresql:///postgres?host={}&user=postgres", socket.trim()))
}

fn main() {
    // Beside the build, not in memory: what is measured waits for a disk.
    let dir = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target"))
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{UPLOADS} uploads of {COUPLINGS} couplings and half as many stations, medians of {ROUNDS}");
    runtime.block_on(compare("SQLite", &Location::File(dir.path().join("plan.sqlite"))));
    let (mut server, url) = postgres(dir.path());
    runtime.block_on(compare("PostgreSQL", &Location::Server(url)));
    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    server.wait().unwrap();
}
